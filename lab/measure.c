/* measure.c - one window of one cell, in this process. */
#include "lab/measure_private.h"

#include "coroutines/reactor/reactor.h"
#include "gil/watchdog.h"
#include "lab/topology.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first trouble is the one that is told. */
void run_report(struct run *run, enum status status, const char *note)
{
    mutex_lock(&run->lock);
    if (run->status == STATUS_OK) {
        run->status = status;
        snprintf(run->note, sizeof run->note, "%s", note);
        if (run_is_child(run))
            offspring_fail(&run->offspring[run->number], run->note);
    }
    run->trouble = true;
    pthread_cond_broadcast(&run->changed);
    mutex_unlock(&run->lock);
}

/* What a reader must know of an answer that is right: the first that has something to say is heard.
 * What goes wrong afterwards takes its place. */
static void note_answer(struct run *run, const char *note)
{
    mutex_lock(&run->lock);
    if (!*run->note)
        snprintf(run->note, sizeof run->note, "%s", note);
    mutex_unlock(&run->lock);
}

/* Turns the pending exception, if there is one, into the cell's failure. */
static void report_error(struct run *run, const char *where)
{
    char error[NOTE_BYTES - 32], note[NOTE_BYTES];

    run->runtime->take_error(error, sizeof error);
    snprintf(note, sizeof note, "%s: %s", where, error[0] ? error : "failed without a word");
    run_report(run, STATUS_FAILED, note);
}

static void count_ready(struct run *run)
{
    mutex_lock(&run->lock);
    run->ready++;
    pthread_cond_broadcast(&run->changed);
    mutex_unlock(&run->lock);
}

static struct station *station_of(struct carrier *c)
{
    return (struct station *)c;
}

/* Counts itself ready and waits, detached, until the ramp begins. */
static void wait_at_gate(struct carrier *c)
{
    struct station *s = station_of(c);
    struct run *run = s->run;

    s->at_gate = true;
    thread_detach(&s->thread);
    mutex_lock(&run->lock);
    run->ready++;
    pthread_cond_broadcast(&run->changed);
    while (atomic_load_explicit(run->phase, memory_order_relaxed) == PHASE_WAIT)
        cond_wait(&run->changed, &run->lock);
    mutex_unlock(&run->lock);
    thread_attach(&s->thread);
}

static void report_worker(struct carrier *c, struct seat *seat)
{
    report_error(station_of(c)->run, seat->role->name);
}

static void look_at_self(struct helper *h)
{
    h->tid = gettid();
    if (pthread_getcpuclockid(pthread_self(), &h->clock))
        h->clock = CLOCK_MONOTONIC; /* there is no thread without one */
}

/* Those that help are placed behind all carriers. */
static void place_helper(struct carrier *c)
{
    struct run *run = station_of(c)->run;
    int number = atomic_fetch_add_explicit(&c->helpers, 1, memory_order_relaxed);
    struct binding ignored;

    if (number >= c->pool)
        return;
    topology_bind(run->stations + number, run->window->bind, &ignored);
    look_at_self(&c->helper[number]);
}

static int begin_seats(struct station *s)
{
    for (int i = 0; i < s->carrier.seats; i++) {
        struct seat *seat = &s->carrier.seat[i];

        if (seat->role->begin && seat->role->begin(&seat->worker) < 0) {
            seat->begun = true; /* its end is called all the same */
            report_error(s->run, seat->role->name);
            return -1;
        }
        seat->begun = true;
    }
    return 0;
}

static void end_seats(struct station *s)
{
    for (int i = 0; i < s->carrier.seats; i++) {
        struct seat *seat = &s->carrier.seat[i];

        seat->worker.latency = NULL;
        if (seat->begun && seat->role->end)
            seat->role->end(&seat->worker);
    }
}

/* ---- of processes ---- */

static struct offspring *offspring_of(const struct station *s)
{
    return &s->run->offspring[s->share];
}

/* The child has news. */
static void hear(struct carrier *c)
{
    struct station *s = station_of(c);
    const struct told *told = offspring_of(s)->told;

    if (atomic_load_explicit(&told->failed, memory_order_acquire))
        run_report(s->run, STATUS_FAILED, told->note);
    if (atomic_load_explicit(&told->ready, memory_order_acquire) && !s->at_gate)
        wait_at_gate(c);
}

/* Attached. Its processor time has been read before the child goes, if all is well. */
static void receive(struct station *s)
{
    char why[NOTE_BYTES];
    bool whole = s->carrier.unit->receive(&s->carrier) == 0;

    if (!whole)
        report_error(s->run, RECEIVER);
    thread_detach(&s->thread);
    if (!whole)
        offspring_drain(offspring_of(s));
    offspring_bury(offspring_of(s), s->share, why, sizeof why);
    thread_attach(&s->thread);
    if (*why)
        run_report(s->run, STATUS_FAILED, why);
}

/* Attached. */
static void carry(struct station *s)
{
    if (s->receives)
        receive(s);
    else if (begin_seats(s) == 0 && s->carrier.unit->host(&s->carrier) < 0)
        report_error(s->run, s->run->cell->execution_unit);
    s->last_ns = clock_ns();
    if (!s->at_gate)
        wait_at_gate(&s->carrier);
    if (!s->receives)
        end_seats(s);
}

static void *station_main(void *argument)
{
    struct station *s = argument;
    struct run *run = s->run;

    look_at_self(&s->self);
    topology_bind(s->place, s->receives ? BIND_NONE : run->window->bind, &s->binding);
    s->thread.locks_containers = !run->cell->lock->excludes && !run->runtime->needs_gil;
    if (thread_start(&s->thread, s->gil, run->runtime->hooks) < 0) {
        run_report(run, STATUS_FAILED, "a thread of the runtime could not start");
        count_ready(run);
        return NULL;
    }
    carry(s);
    thread_stop(&s->thread);
    return NULL;
}

static void start_workers(struct run *run)
{
    int here = 0;

    for (int i = 0; i < run->stations; i++) {
        struct station *s = &run->station[i];
        int error;

        if (!station_is_here(s))
            continue;
        here++;
        error = pthread_create(&s->os_thread, NULL, station_main, s);
        s->started = !error;
        if (error) {
            char note[NOTE_BYTES];

            snprintf(note, sizeof note, "thread %d of %d: %s", i + 1, run->stations,
                     strerror(error));
            run_report(run, STATUS_FAILED, note);
            count_ready(run);
        }
    }
    mutex_lock(&run->lock);
    while (run->ready < here)
        cond_wait(&run->changed, &run->lock);
    mutex_unlock(&run->lock);
}

static void set_phase(struct run *run, enum phase phase)
{
    mutex_lock(&run->lock);
    atomic_store_explicit(run->phase, phase, memory_order_relaxed);
    pthread_cond_broadcast(&run->changed);
    mutex_unlock(&run->lock);
    if (run->offspring)
        phase_wake(run->phase);
}

/* Parked memory grows by itself, and nothing but the end of the window stops it. */
static void look_at_parking(struct run *run)
{
    char note[NOTE_BYTES];

    if (!run->parks || !run->runtime->parking_full())
        return;
    snprintf(note, sizeof note, "ended early: the bound of %d MiB on parked objects was reached",
             PARKING_BOUND_BYTES >> 20);
    run_report(run, STATUS_EARLY, note);
}

/* False if trouble came first. */
static bool sleep_for(struct run *run, uint64_t ns)
{
    uint64_t deadline_ns = clock_ns() + ns;
    bool calm, waiting = true;

    while (waiting) {
        uint64_t look_ns = clock_ns() + 2 * NS_PER_MS;

        look_at_parking(run);
        mutex_lock(&run->lock);
        if (!run->trouble)
            cond_wait_until(&run->changed, &run->lock,
                            run->parks && look_ns < deadline_ns ? look_ns : deadline_ns);
        calm = !run->trouble;
        mutex_unlock(&run->lock);
        waiting = calm && clock_ns() < deadline_ns;
    }
    return calm;
}

/* ---- from the gate to the last join ---- */

/* The phase is, or is about to be, the last one. */
static void interrupt_workers(struct run *run)
{
    for (int k = 0; k < run->shares; k++)
        if (run->cell->work->interrupt)
            run->cell->work->interrupt(&run->share[k].job);
}

static void join_workers(struct run *run)
{
    for (int i = 0; i < run->stations; i++)
        if (station_is_here(&run->station[i]) && run->station[i].started)
            pthread_join(run->station[i].os_thread, NULL);
}

static void stop_workers(struct run *run)
{
    for (int k = 0; k < run->shares; k++)
        atomic_store_explicit(&run->share[k].job.stopping, true, memory_order_relaxed);
    if (!run_is_child(run))
        set_phase(run, PHASE_OVER);
    interrupt_workers(run);
    join_workers(run);
}

/* From the gate to the last join. */
static void run_window(struct run *run, struct measurement *m)
{
    uint64_t from_ns = 0, to_ns = 0;

    start_workers(run);
    if (sleep_for(run, 0)) {
        readings_prepare(run);
        from_ns = readings_begin(run);
        set_phase(run, PHASE_RAMP);
        /* Trouble in the ramp: what ran until then is all there is. */
        if (sleep_for(run, run->window->ramp_ns)) {
            set_phase(run, PHASE_WINDOW);
            from_ns = readings_begin(run);
            if (run->watch)
                watch_open(run->watch);
            sleep_for(run, run->window->length_ns);
        }
        if (run->watch)
            watch_close(run->watch);
        to_ns = readings_end(run);
        readings_memory(run);
    }
    stop_workers(run);
    m->used = to_ns > 0;
    m->seconds = (double)(to_ns - from_ns) / NS_PER_S;
    m->overlap = to_ns ? readings_overlap(run, from_ns, to_ns) : 0;
}

/* In a child, which hears of it a little later than it was said. */
static void look_at_phase(struct run *run, int phase)
{
    if (phase == PHASE_RAMP || phase == PHASE_WINDOW)
        counters_read_process(&run->before);
    if (phase == PHASE_OVER) {
        counters_read_process(&run->after);
        readings_memory(run);
    }
}

/* In a child: from its first thread to the last join. */
static void run_child_window(struct run *run)
{
    const struct offspring *o = &run->offspring[run->number];
    int phase = PHASE_WAIT; /* what those at the gate have been told last */

    start_workers(run);
    counters_read_process(&run->before); /* of one that never hears the window begin */
    atomic_store_explicit(&o->told->ready, true, memory_order_release);
    offspring_tell(o);
    while (phase != PHASE_OVER) {
        phase_sleep(run->phase, phase); /* not, if it is another by now */
        phase = atomic_load_explicit(run->phase, memory_order_relaxed);
        look_at_phase(run, phase);
        mutex_lock(&run->lock); /* for those that stand at the gate */
        pthread_cond_broadcast(&run->changed);
        mutex_unlock(&run->lock);
    }
    stop_workers(run);
}

/* What a child's worker has done itself, whatever has come of it. */
static uint64_t ops_done(const struct run *run, const struct worker *w)
{
    return run_is_child(run) ? atomic_load_explicit(&w->ops, memory_order_relaxed) : worker_ops(w);
}

static void check_answer(struct run *run, struct share *share)
{
    uint64_t ops = 0;

    for (int i = 0; i < run->seats; i++) {
        const struct worker *w = &run->seat[i].worker;

        if (w->role == 0 && w->job == &share->job)
            ops += ops_done(run, w);
    }
    if (run->cell->work->check && run->cell->work->check(&share->job, ops) < 0)
        report_error(run, "wrong answer");
    else
        note_answer(run, share->job.note);
}

/* `lab run` passes it on. */
static void tell_late(const struct thread *late, uint64_t since_ns)
{
    fprintf(stderr, "note: watchdog: %s has passed no safe point for %.3g s\n",
            late->name ? late->name : "a thread without a name", (double)since_ns / NS_PER_S);
}

static bool in_trouble(struct run *run)
{
    bool trouble;

    mutex_lock(&run->lock);
    trouble = run->trouble;
    mutex_unlock(&run->lock);
    return trouble;
}

static bool has_failed(struct run *run)
{
    bool failed;

    mutex_lock(&run->lock);
    failed = run->status == STATUS_FAILED;
    mutex_unlock(&run->lock);
    return failed;
}

/* ---- the lab's own thread ---- */

/* 0, or -1 with the reason reported. */
static int enter(struct run *run, struct gil *gil)
{
    run->thread = (struct thread){
        .name = "lab",
        .locks_containers = !run->cell->lock->excludes && !run->runtime->needs_gil,
    };
    if (thread_start(&run->thread, gil, run->runtime->hooks) == 0)
        return 0;
    run_report(run, STATUS_FAILED, "the lab's own thread could not start");
    return -1;
}

/* Calls `act`, attached, for each share of this process; where they are interpreters, as a thread
 * of each. */
static void in_each(struct run *run, void (*act)(struct run *run, struct share *share))
{
    for (int k = 0; k < run->shares; k++) {
        if (!run->gil && enter(run, run->share[k].gil) < 0)
            return;
        act(run, &run->share[k]);
        if (!run->gil)
            thread_stop(&run->thread);
    }
}

static void set_up(struct run *run, struct share *share)
{
    const struct workload *workload = run->cell->work;

    if (!in_trouble(run) && workload->setup && workload->setup(&share->job) < 0)
        report_error(run, "setup");
}

static void quiesce(struct run *run, struct share *share)
{
    (void)share;
    run->runtime->quiesce();
}

/* After the last one, the runtime is at its end. */
static void tear_down(struct run *run, struct share *share)
{
    if (run->cell->work->teardown)
        run->cell->work->teardown(&share->job);
    run->runtime->quiesce();
    if (share == &run->share[run->shares - 1])
        run->runtime->finish();
}

static void run_any_window(struct run *run, struct measurement *m)
{
    if (run->gil)
        thread_detach(&run->thread);
    if (run->window->watchdog_ns && watchdog_start(run->window->watchdog_ns, tell_late) < 0)
        fprintf(stderr, "note: no watchdog: %s\n", strerror(errno));
    if (run_is_child(run))
        run_child_window(run);
    else
        run_window(run, m);
    watchdog_stop();
    if (run->gil)
        thread_attach(&run->thread);
}

/* The workload from setup to teardown: attached, if the lab's thread has a lock. */
static void run_workload(struct run *run, struct measurement *m)
{
    run->resident_bytes = counters_resident_bytes();
    run->runtime->stats_begin();
    if (run->parks)
        run->runtime->parking_begin(PARKING_BOUND_BYTES);
    in_each(run, set_up);
    if (!in_trouble(run)) {
        run_any_window(run, m);
        in_each(run, quiesce);
        run->runtime->stats_take(&run->stats);
        readings_collector(run, m);
        if (!has_failed(run))
            in_each(run, check_answer);
    }
    in_each(run, tear_down);
    if (run->parks)
        run->runtime->parking_end(&m->damage);
}

/* 0, or -1 with the reason reported. */
static int choose_heap(struct run *run)
{
    const struct named_heap *named = run->runtime->heaps;
    const char *refusal;
    char note[NOTE_BYTES];

    while (strcmp(named->name, run->cell->heap))
        named++;
    refusal = run->runtime->use_heap(named->heap);
    if (refusal) {
        snprintf(note, sizeof note, "no heap %s here: %s", named->name, refusal);
        run_report(run, STATUS_FAILED, note);
        return -1;
    }
    if (run->window->counts)
        run->runtime->count_heap();
    return 0;
}

/* What begins a cache line of its own; in memory that children have, if there are to be any. */
static void *zeroed(const struct run *run, size_t count, size_t size_bytes)
{
    size_t all_bytes = (count + !count) * size_bytes;
    void *memory;

    if (cell_receivers(run->cell))
        return offspring_memory(all_bytes);
    memory = aligned_alloc(128, (all_bytes + 127) / 128 * 128);
    if (memory)
        memset(memory, 0, all_bytes);
    return memory;
}

static void release(const struct run *run, void *memory, size_t count, size_t size_bytes)
{
    if (cell_receivers(run->cell))
        offspring_free(memory, (count + !count) * size_bytes);
    else
        free(memory);
}

/* Most of them nobody records in: pages that nobody touches take no memory. */
static size_t latency_bytes(const struct run *run)
{
    return ((size_t)run->cell->carriers + 1) * ROLE_MAX * sizeof *run->latency;
}

/* 0, or -1: no memory. */
static int make_places(struct run *run)
{
    const struct cell *cell = run->cell;
    size_t stations = (size_t)cell->carriers, seats = (size_t)cell->workers;
    size_t pool = (size_t)seats_pool(cell);

    run->phase = zeroed(run, 1, sizeof *run->phase);
    run->station = zeroed(run, stations, sizeof *run->station);
    run->seat = zeroed(run, seats, sizeof *run->seat);
    run->latency = offspring_memory(latency_bytes(run));
    run->helper = calloc(stations * pool + 1, sizeof *run->helper);
    run->gauge = calloc(stations * (pool + 1) + 1, sizeof *run->gauge);
    return run->phase && run->station && run->seat && run->latency && run->helper && run->gauge
               ? 0 : -1;
}

/* Of processes, which are not forked yet. 0, or -1: no memory. */
static int make_cradles(struct run *run)
{
    size_t processes = (size_t)cell_receivers(run->cell);

    if (!processes)
        return 0;
    run->arrivals = zeroed(run, (size_t)run->cell->workers, sizeof *run->arrivals);
    run->told = zeroed(run, processes, sizeof *run->told);
    run->offspring = calloc(processes, sizeof *run->offspring);
    if (!run->arrivals || !run->told || !run->offspring)
        return -1;
    for (size_t i = 0; i < processes; i++)
        run->offspring[i] = (struct offspring){ .socket = -1, .told = &run->told[i] };
    return 0;
}

/* A lock for each share; those of processes make their own. 0, or -1: no memory. */
static int make_shares(struct run *run)
{
    const struct cell *cell = run->cell;
    bool interpreters = cell_is_apart(cell) && !cell_receivers(cell);

    run->all_shares = run->share = calloc((size_t)cell_jobs(cell), sizeof *run->share);
    if (!run->share)
        return -1;
    if (!interpreters)
        run->share[0].gil = run->gil = gil_new(cell->lock, cell->lock_param);
    for (int k = 0; interpreters && k < cell_jobs(cell); k++) {
        run->share[k].gil = gil_new(cell->lock, cell->lock_param);
        if (!run->share[k].gil || run->runtime->interpreter_begin(run->share[k].gil) < 0)
            return -1;
    }
    run->shares = cell_receivers(cell) ? 0 : cell_jobs(cell);
    return run->share[0].gil ? 0 : -1;
}

/* What the child was forked for, and what it has to say of it. It leaves without ending what the
 * parent has begun. */
static _Noreturn void be_child(struct run *run, int number)
{
    struct told *told = run->offspring[number].told;
    struct measurement m = { 0 };

    run->number = number;
    run->shares = 1;
    run->share = &run->all_shares[number];
    run->gil = run->share->gil = gil_new(run->cell->lock, run->cell->lock_param);
    for (int i = 0; i < run->stations; i++)
        if (station_is_here(&run->station[i])) {
            run->station[i].gil = run->gil;
            run->station[i].carrier.socket = run->offspring[number].socket;
        }
    if (!run->gil)
        run_report(run, STATUS_FAILED, "no memory for a lock");
    else if (enter(run, run->gil) == 0) {
        run_workload(run, &m);
        thread_stop(&run->thread);
    }
    run->runtime->collector_pauses(told->pauses);
    if (run->window->counts)
        run->runtime->heap_counted(&told->memory);
    told->max_rss_bytes = counters_max_rss_bytes();
    readings_usage(run, &told->usage);
    if (!atomic_load_explicit(&told->failed, memory_order_relaxed))
        memcpy(told->note, run->note, sizeof told->note);
    atomic_store_explicit(&told->done, true, memory_order_release);
    _exit(0);
}

/* One after the other: each is set up while no other computes. 0, or -1 with the reason
 * reported. */
static int fork_children(struct run *run)
{
    for (int k = 0; k < cell_receivers(run->cell); k++) {
        char note[NOTE_BYTES];
        pid_t child = offspring_fork(run->offspring, k);

        if (child == 0)
            be_child(run, k);
        if (child < 0) {
            snprintf(note, sizeof note, "process %d of %d: %s", k + 1, cell_receivers(run->cell),
                     strerror(errno));
            run_report(run, STATUS_FAILED, note);
            return -1;
        }
        offspring_wait(&run->offspring[k]);
    }
    for (int i = 0; i < run->stations; i++)
        if (run->station[i].receives)
            run->station[i].carrier.socket = offspring_of(&run->station[i])->socket;
    return 0;
}

static void give_calls(struct run *run)
{
    for (int i = 0; i < run->stations; i++) {
        struct carrier *c = &run->station[i].carrier;

        c->ready = wait_at_gate;
        c->failed = report_worker;
        c->helps = place_helper;
        c->told = hear;
    }
}

/* 0, or -1 with the reason reported. */
static int prepare(struct run *run)
{
    if (make_shares(run) < 0 || make_places(run) < 0 || make_cradles(run) < 0) {
        run_report(run, STATUS_FAILED, "no memory for the workers");
        return -1;
    }
    seats_lay_out(run);
    give_calls(run);
    reactor_use(reactor_named(unit_reactor(run->cell->kind_of_unit, run->cell->unit_param)));
    if (choose_heap(run) < 0 || lock_watch(run) < 0 || fork_children(run) < 0)
        return -1;
    return run->gil ? enter(run, run->gil) : 0;
}

/* Those that nobody has heard of to their end are sent to it. */
static void end_children(struct run *run)
{
    char ignored[NOTE_BYTES];

    for (int k = 0; run->offspring && k < cell_receivers(run->cell); k++) {
        struct offspring *o = &run->offspring[k];

        if (o->process) {
            kill(o->process, SIGKILL);
            offspring_bury(o, k, ignored, sizeof ignored);
        }
        if (o->socket >= 0)
            close(o->socket);
    }
}

static void free_shares(struct run *run)
{
    for (int k = 0; run->all_shares && k < cell_jobs(run->cell); k++) {
        struct gil *gil = run->all_shares[k].gil;

        if (!gil || gil == run->gil)
            continue;
        run->runtime->interpreter_end(gil);
        gil_delete(gil);
    }
    if (run->gil)
        gil_delete(run->gil);
    free(run->all_shares);
}

static void free_room(struct run *run)
{
    size_t stations = (size_t)run->cell->carriers, seats = (size_t)run->cell->workers;

    end_children(run);
    free_shares(run);
    release(run, run->phase, 1, sizeof *run->phase);
    release(run, run->station, stations, sizeof *run->station);
    release(run, run->seat, seats, sizeof *run->seat);
    offspring_free(run->latency, latency_bytes(run));
    release(run, run->arrivals, seats, sizeof *run->arrivals);
    release(run, run->told, (size_t)cell_receivers(run->cell), sizeof *run->told);
    free(run->offspring);
    free(run->helper);
    free(run->gauge);
}

/* Of all processes; the most of each may have been at another time. */
static void add_children(struct run *run, struct measurement *m)
{
    for (int k = 0; k < cell_receivers(run->cell); k++) {
        const struct told *told = &run->told[k];

        m->max_rss_bytes += told->max_rss_bytes;
        readings_add_usage(&m->usage, &told->usage);
        m->memory.live += told->memory.live;
        m->memory.most += told->memory.most;
        m->memory.asked_bytes += told->memory.asked_bytes;
        m->memory.taken_bytes += told->memory.taken_bytes;
        note_answer(run, told->note);
    }
}

void measure(const struct cell *cell, const struct window *window, struct measurement *m)
{
    struct run run = {
        .cell = cell, .window = window, .lock = MUTEX_INIT,
        .changed = PTHREAD_COND_INITIALIZER, .number = -1,
        .runtime = cell->runtime, .parks = cell->miscounts,
    };

    *m = (struct measurement){ 0 };
    if (prepare(&run) == 0) {
        run_workload(&run, m);
        if (run.gil)
            thread_stop(&run.thread);
        readings_samples(&run, m);
        readings_usage(&run, &m->usage);
        readings_latency(&run, &m->latency);
        m->lost = run.share[0].job.lost;
        m->handed_over = run.share[0].job.handed_over;
        m->held_back = run.share[0].job.held_back;
        m->max_rss_bytes = counters_max_rss_bytes();
        m->counted = window->counts;
        if (m->counted)
            run.runtime->heap_counted(&m->memory);
        add_children(&run, m);
        if (run.runtime->counts && !run.offspring) /* of processes nobody adds it up */
            m->contention = contention_name(&run.stats);
        run.runtime->stats_free(&run.stats);
        if (run.watch)
            lock_tell(&run, m);
    }
    if (run.watch)
        watch_end(run.watch);
    mutex_lock(&run.lock);
    m->status = run.status;
    memcpy(m->note, run.note, sizeof m->note);
    mutex_unlock(&run.lock);
    if (m->status == STATUS_OK && *m->note) /* `lab run` passes it on */
        fprintf(stderr, "note: %s\n", m->note);
    free_room(&run);
}
