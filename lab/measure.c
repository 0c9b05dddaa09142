/* measure.c - one window of one cell, in this process. */
#include "lab/measure.h"

#include "gil/mutex.h"
#include "gil/watch.h"
#include "gil/watchdog.h"
#include "lab/counters.h"
#include "lab/topology.h"
#include "lab/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Moments that are kept: of each thread, and of all. 16 bytes each. */
enum { MOMENTS_MOST = 1 << 18, MOMENTS_OF_ALL = 1 << 22 };

enum phase { PHASE_WAIT, PHASE_RAMP, PHASE_WINDOW, PHASE_OVER };

struct run;

/* A worker and what the harness keeps about it. */
struct station {
    struct worker worker; /* first: it begins a cache line of its own */
    struct run *run;
    const struct role *role;
    struct thread thread;
    pthread_t os_thread;
    char name[ROLE_NAME_BYTES + 12]; /* "spinner 0" */
    int place;                   /* of which worker's place the plan makes this one's */
    bool started;                /* os_thread is to be joined */
    struct histogram latency;
    uint64_t first_ns, last_ns;  /* of its first and last step in the window; 0: none */
    uint64_t ops_before;         /* the lab's: at the window's begin */
    double cpu_before;
    struct sample sample;
    pid_t tid;                   /* set once, before it is ready */
    struct counters counters;    /* the lab's, as is `counted_before` */
    struct reading counted_before;
};

struct run {
    const struct cell *cell;
    const struct window *window;
    const struct runtime *runtime;
    struct gil *gil;
    struct watch *watch; /* NULL: nobody watches the lock */
    struct job job;
    struct stats stats; /* if this build counts them: when the workers had ended */
    bool parks; /* published objects are kept, since counts may go wrong */
    struct thread thread; /* the lab's own, for setup and check */

    _Atomic int phase;

    struct mutex lock;
    pthread_cond_t changed;
    int ready;                   /* lock; workers at the gate, or failed before it */
    bool trouble;                /* lock; end the window now */
    enum status status;          /* lock */
    char note[NOTE_BYTES];       /* lock */

    int stations;
    struct station *station; /* owned */
};

/* The first trouble is the one that is told. */
static void report(struct run *run, enum status status, const char *note)
{
    mutex_lock(&run->lock);
    if (run->status == STATUS_OK) {
        run->status = status;
        snprintf(run->note, sizeof run->note, "%s", note);
    }
    run->trouble = true;
    pthread_cond_broadcast(&run->changed);
    mutex_unlock(&run->lock);
}

/* Turns the pending exception, if there is one, into the cell's failure. */
static void report_error(struct run *run, const char *where)
{
    char error[NOTE_BYTES - 32], note[NOTE_BYTES];

    run->runtime->take_error(error, sizeof error);
    snprintf(note, sizeof note, "%s: %s", where, error[0] ? error : "failed without a word");
    report(run, STATUS_FAILED, note);
}

static double cpu_seconds(pthread_t thread)
{
    struct timespec used;
    clockid_t clock;

    if (pthread_getcpuclockid(thread, &clock) || clock_gettime(clock, &used))
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / NS_PER_S;
}

/* Counts itself ready and waits, detached, until the ramp begins. */
static void wait_at_gate(struct station *s)
{
    struct run *run = s->run;

    thread_detach(&s->thread);
    mutex_lock(&run->lock);
    run->ready++;
    pthread_cond_broadcast(&run->changed);
    while (atomic_load_explicit(&run->phase, memory_order_relaxed) == PHASE_WAIT)
        cond_wait(&run->changed, &run->lock);
    mutex_unlock(&run->lock);
    thread_attach(&s->thread);
}

static void enter_window(struct station *s)
{
    s->first_ns = clock_ns();
    if (s->role->records_latency)
        s->worker.latency = &s->latency;
}

/* The measured loop: one relaxed load of the phase and one call per batch. */
static int step_until_over(struct station *s)
{
    struct run *run = s->run;
    int phase, result = 0;

    while (result == 0 && (phase = atomic_load_explicit(&run->phase, memory_order_relaxed)) !=
                              PHASE_OVER) {
        if (unlikely(phase == PHASE_WINDOW && !s->first_ns))
            enter_window(s);
        result = s->role->step(&s->worker);
    }
    s->last_ns = clock_ns();
    s->worker.latency = NULL;
    return result;
}

static void work(struct station *s)
{
    int result;

    if (s->role->outside)
        thread_detach(&s->thread);
    result = step_until_over(s);
    if (s->role->outside)
        thread_attach(&s->thread);
    if (result < 0)
        report_error(s->run, s->role->name);
}

static void place(struct station *s)
{
    struct binding b;

    topology_bind(s->place, s->run->window->bind, &b);
    s->sample.planned_pu = b.planned;
    s->sample.observed_pu = b.observed;
    memcpy(s->sample.binding, b.result, sizeof s->sample.binding);
}

static void *station_main(void *argument)
{
    struct station *s = argument;
    struct run *run = s->run;
    bool begun;

    s->tid = gettid();
    place(s);
    s->thread.locks_containers = !run->cell->lock->excludes && !run->runtime->needs_gil;
    if (thread_start(&s->thread, run->gil, run->runtime->hooks) < 0) {
        report(run, STATUS_FAILED, "a thread of the runtime could not start");
        mutex_lock(&run->lock);
        run->ready++;
        mutex_unlock(&run->lock);
        return NULL;
    }
    begun = !s->role->begin || s->role->begin(&s->worker) == 0;
    if (!begun)
        report_error(run, s->role->name);
    wait_at_gate(s);
    if (begun)
        work(s);
    if (s->role->end)
        s->role->end(&s->worker);
    thread_stop(&s->thread);
    return NULL;
}

/* Those that keep away are counted in `apart`. */
static int choose_place(const struct run *run, const struct role *role, int number, int *apart)
{
    if (run->window->bind != BIND_ROLES)
        return number;
    return role->shares_core ? 0 : topology_apart((*apart)++);
}

static void lay_out_stations(struct run *run)
{
    const struct workload *workload = run->cell->work;
    int number = 0, apart = 0;

    for (int r = 0; r < ROLE_MAX && workload->roles[r].name; r++) {
        const struct role *role = &workload->roles[r];
        int count = role->fixed + role->per_thread * run->cell->threads;

        for (int i = 0; i < count; i++) {
            struct station *s = &run->station[number];

            s->run = run;
            s->role = role;
            s->place = choose_place(run, role, number++, &apart);
            s->worker.thread = &s->thread;
            s->worker.job = &run->job;
            s->worker.role = s->sample.role_index = r;
            s->worker.index = s->sample.worker = i;
            s->worker.random = 0x9E3779B97F4A7C15u * (uint64_t)number;
            s->sample.cycles = s->sample.instructions = s->sample.cache_misses = -1;
            s->sample.voluntary_switches = s->sample.involuntary_switches = -1;
            snprintf(s->sample.role, sizeof s->sample.role, "%s", role->name);
            snprintf(s->name, sizeof s->name, "%s %d", role->name, i);
            s->thread.name = s->name;
        }
    }
}

static void start_workers(struct run *run)
{
    for (int i = 0; i < run->stations; i++) {
        struct station *s = &run->station[i];
        int error = pthread_create(&s->os_thread, NULL, station_main, s);

        s->started = !error;
        if (error) {
            char note[NOTE_BYTES];

            snprintf(note, sizeof note, "thread %d of %d: %s", i + 1, run->stations,
                     strerror(error));
            report(run, STATUS_FAILED, note);
            mutex_lock(&run->lock);
            run->ready++;
            mutex_unlock(&run->lock);
        }
    }
    mutex_lock(&run->lock);
    while (run->ready < run->stations)
        cond_wait(&run->changed, &run->lock);
    mutex_unlock(&run->lock);
}

static void set_phase(struct run *run, enum phase phase)
{
    mutex_lock(&run->lock);
    atomic_store_explicit(&run->phase, phase, memory_order_relaxed);
    pthread_cond_broadcast(&run->changed);
    mutex_unlock(&run->lock);
}

/* Parked memory grows by itself, and nothing but the end of the window stops it. */
static void look_at_parking(struct run *run)
{
    char note[NOTE_BYTES];

    if (!run->parks || !run->runtime->parking_full())
        return;
    snprintf(note, sizeof note, "ended early: the bound of %d MiB on parked objects was reached",
             PARKING_BOUND_BYTES >> 20);
    report(run, STATUS_EARLY, note);
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

/* When all stand at the gate, so that the workload has opened its files before us: it is
 * not to fail for those that the counters take. */
static void open_counters(struct run *run)
{
    for (int i = 0; i < run->stations; i++)
        counters_open(&run->station[i].counters, run->station[i].tid);
}

static int64_t difference(int64_t before, int64_t after)
{
    return before < 0 || after < 0 ? -1 : after - before;
}

static void close_counters(struct run *run)
{
    for (int i = 0; i < run->stations; i++) {
        struct station *s = &run->station[i];
        const struct reading *before = &s->counted_before;
        struct counters *c = &s->counters;
        struct reading now;

        counters_read(c, &now);
        s->sample.cycles = counters_between(c, COUNTER_CYCLES, before, &now);
        s->sample.instructions = counters_between(c, COUNTER_INSTRUCTIONS, before, &now);
        s->sample.cache_misses = counters_between(c, COUNTER_CACHE_MISSES, before, &now);
        s->sample.voluntary_switches =
            difference(before->voluntary_switches, now.voluntary_switches);
        s->sample.involuntary_switches =
            difference(before->involuntary_switches, now.involuntary_switches);
        counters_close(c);
    }
}

/* Reads every counter, then the clock: a worker's batch is never counted twice. What takes
 * long to read comes before all else, at the end after all else: it covers a little more
 * than the window, instead of making the window uneven. */
static uint64_t open_window(struct run *run)
{
    for (int i = 0; i < run->stations; i++)
        counters_read(&run->station[i].counters, &run->station[i].counted_before);
    for (int i = 0; i < run->stations; i++) {
        struct station *s = &run->station[i];

        s->ops_before = atomic_load_explicit(&s->worker.ops, memory_order_relaxed);
        s->cpu_before = s->started ? cpu_seconds(s->os_thread) : 0;
    }
    return clock_ns();
}

static uint64_t close_window(struct run *run)
{
    for (int i = 0; i < run->stations; i++) {
        struct station *s = &run->station[i];

        s->sample.ops = atomic_load_explicit(&s->worker.ops, memory_order_relaxed) - s->ops_before;
        s->sample.cpu_seconds = s->started ? cpu_seconds(s->os_thread) - s->cpu_before : 0;
    }
    return clock_ns();
}

static void stop_workers(struct run *run)
{
    atomic_store_explicit(&run->job.stopping, true, memory_order_relaxed);
    set_phase(run, PHASE_OVER);
    if (run->cell->work->interrupt)
        run->cell->work->interrupt(&run->job);
    for (int i = 0; i < run->stations; i++)
        if (run->station[i].started)
            pthread_join(run->station[i].os_thread, NULL);
}

/* The share of the window in which all were at work: from the last to begin to the
 * first to end. */
static double overlap(const struct run *run, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t all_from_ns = from_ns, all_to_ns = to_ns;

    for (int i = 0; i < run->stations; i++) {
        const struct station *s = &run->station[i];

        if (!s->first_ns)
            return 0;
        if (s->first_ns > all_from_ns)
            all_from_ns = s->first_ns;
        if (s->last_ns < all_to_ns)
            all_to_ns = s->last_ns;
    }
    return all_to_ns > all_from_ns ? (double)(all_to_ns - all_from_ns) / (double)(to_ns - from_ns)
                                   : 0;
}

/* From the gate to the last join. */
static void run_window(struct run *run, struct measurement *m)
{
    uint64_t from_ns = 0, to_ns = 0;

    start_workers(run);
    if (sleep_for(run, 0)) {
        open_counters(run);
        from_ns = open_window(run);
        set_phase(run, PHASE_RAMP);
        /* Trouble in the ramp: what ran until then is all there is. */
        if (sleep_for(run, run->window->ramp_ns)) {
            set_phase(run, PHASE_WINDOW);
            from_ns = open_window(run);
            if (run->watch)
                watch_open(run->watch);
            sleep_for(run, run->window->length_ns);
        }
        if (run->watch)
            watch_close(run->watch);
        to_ns = close_window(run);
        close_counters(run);
    }
    stop_workers(run);
    m->seconds = (double)(to_ns - from_ns) / NS_PER_S;
    m->overlap = to_ns ? overlap(run, from_ns, to_ns) : 0;
}

static void check_answer(struct run *run)
{
    uint64_t ops = 0;

    for (int i = 0; i < run->stations; i++)
        if (run->station[i].worker.role == 0)
            ops += atomic_load_explicit(&run->station[i].worker.ops, memory_order_relaxed);
    if (run->cell->work->check && run->cell->work->check(&run->job, ops) < 0)
        report_error(run, "wrong answer");
}

static void fill_samples(struct run *run, struct measurement *m)
{
    m->sample = calloc((size_t)run->stations + 1, sizeof *m->sample);
    m->samples = m->sample ? run->stations : 0;
    for (int i = 0; i < m->samples; i++) {
        const struct histogram *latency = &run->station[i].latency;

        m->sample[i] = run->station[i].sample;
        m->sample[i].p50_ns = histogram_quantile(latency, 0.5);
        m->sample[i].p90_ns = histogram_quantile(latency, 0.9);
        m->sample[i].p99_ns = histogram_quantile(latency, 0.99);
        m->sample[i].max_ns = latency->max_ns;
    }
}

/* A quantile is the middle of its bucket, which may lie beyond the longest. */
static uint64_t at_most(uint64_t ns, uint64_t most_ns)
{
    return ns < most_ns ? ns : most_ns;
}

/* The workers have ended. A process measures one window, so all there was is this window's. */
static void look_at_collector(const struct run *run, struct measurement *m)
{
    struct collections *c = &m->collections;
    struct pauses pauses[GENERATIONS];
    struct histogram lengths = { 0 };

    run->runtime->collector_pauses(pauses);
    for (int i = 0; i < GENERATIONS; i++) {
        c->garbage += pauses[i].found;
        c->total_ns += pauses[i].pause_total_ns;
        histogram_add(&lengths, &pauses[i].pauses_ns);
    }
    c->young = pauses[GENERATION_YOUNG].collections;
    c->all = pauses[GENERATION_ALL].collections;
    c->longest_ns = lengths.max_ns;
    c->p50_ns = at_most(histogram_quantile(&lengths, 0.5), c->longest_ns);
    c->p99_ns = at_most(histogram_quantile(&lengths, 0.99), c->longest_ns);
    m->watched = true;
}

/* `lab run` passes it on. */
static void tell_late(const struct thread *late, uint64_t since_ns)
{
    fprintf(stderr, "note: watchdog: %s has passed no safe point for %.3g s\n",
            late->name ? late->name : "a thread without a name", (double)since_ns / NS_PER_S);
}

static const struct watched *watched_of(const struct run *run, const struct thread *t)
{
    const struct watched *w = run->watch->first;

    while (w && w->thread != t)
        w = w->next;
    return w;
}

/* Of the lock: of all its threads, those too that are no workers, but for the lab's. */
static void sum_turns(const struct run *run, struct gil_stats *sum)
{
    struct gil_stats one;

    *sum = (struct gil_stats){ 0 };
    for (const struct watched *w = run->watch->first; w; w = w->next)
        if (w->thread != &run->thread) {
            watch_take(w, &one);
            gil_stats_add(sum, &one);
        }
}

/* If each of them could be watched. */
static void fill_turns(const struct run *run, struct measurement *m)
{
    struct gil_stats stats;

    if (run->watch->incomplete || !m->samples)
        return;
    m->turns = calloc((size_t)m->samples + 1, sizeof *m->turns);
    if (!m->turns)
        return;
    sum_turns(run, &stats);
    turns_of(&stats, &m->turns[0]);
    for (int i = 0; i < m->samples; i++) {
        const struct watched *w = watched_of(run, &run->station[i].thread);

        if (w) {
            watch_take(w, &stats);
            turns_of(&stats, &m->turns[i + 1]);
        }
    }
}

static const char *lane_name(const void *with, const struct thread *t, int *place)
{
    const struct run *run = with;

    for (*place = 0; *place < run->stations; ++*place)
        if (&run->station[*place].thread == t)
            return run->station[*place].name;
    return t == &run->thread ? NULL : "of the workload";
}

/* `lab run` passes on what is said. */
static void write_trace(const struct run *run)
{
    const struct window *window = run->window;
    struct trace_sum sum;

    if (trace_write_part(window->trace, window->trace_number, run->watch, lane_name, run, &sum) < 0)
        fprintf(stderr, "note: trace: cannot be written: %s\n", strerror(errno));
    else
        fprintf(stderr, "note: trace: %llu moments, %llu dropped%s\n",
                (unsigned long long)sum.moments, (unsigned long long)sum.dropped,
                run->watch->incomplete ? ", and not of every thread" : "");
}

static void tell_what_was_watched(const struct run *run, struct measurement *m)
{
    if (run->window->watches)
        fill_turns(run, m);
    if (run->window->trace)
        write_trace(run);
}

/* 0, or -1 with the reason reported. No thread has entered the lock yet. */
static int watch_lock(struct run *run)
{
    size_t most = MOMENTS_OF_ALL / (size_t)(run->stations + 1);
    size_t places = most < MOMENTS_MOST ? most / 2 : MOMENTS_MOST; /* a ring rounds up */

    if (!run->window->watches && !run->window->trace)
        return 0;
    run->watch = watch_begin(run->gil, run->window->trace ? places : 0);
    if (run->watch)
        return 0;
    report(run, STATUS_FAILED, "no memory to watch the lock");
    return -1;
}

/* On an attached thread of the runtime: the workload from setup to teardown. */
static void run_workload(struct run *run, struct measurement *m)
{
    const struct workload *workload = run->cell->work;

    run->runtime->stats_begin();
    if (run->parks)
        run->runtime->parking_begin(PARKING_BOUND_BYTES);
    if (workload->setup && workload->setup(&run->job) < 0) {
        report_error(run, "setup");
    } else {
        thread_detach(&run->thread);
        if (run->window->watchdog_ns && watchdog_start(run->window->watchdog_ns, tell_late) < 0)
            fprintf(stderr, "note: no watchdog: %s\n", strerror(errno));
        run_window(run, m);
        watchdog_stop();
        thread_attach(&run->thread);
        run->runtime->quiesce();
        run->runtime->stats_take(&run->stats);
        look_at_collector(run, m);
        mutex_lock(&run->lock);
        bool whole = run->status != STATUS_FAILED;
        mutex_unlock(&run->lock);
        if (whole)
            check_answer(run);
    }
    if (workload->teardown)
        workload->teardown(&run->job);
    run->runtime->quiesce();
    run->runtime->finish();
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
        report(run, STATUS_FAILED, note);
        return -1;
    }
    if (run->window->counts)
        run->runtime->count_heap();
    return 0;
}

/* 0, or -1 with the reason reported. */
static int prepare(struct run *run)
{
    const struct cell *cell = run->cell;
    size_t size_bytes;

    run->stations = cell->workers;
    size_bytes = (size_t)run->stations * sizeof *run->station;
    run->station = aligned_alloc(_Alignof(struct station), size_bytes + !size_bytes * 128);
    run->gil = gil_new(cell->lock, cell->lock_param);
    if (!run->station || !run->gil) {
        report(run, STATUS_FAILED, "no memory for the workers");
        return -1;
    }
    memset(run->station, 0, size_bytes);
    run->job = (struct job){ .workload = cell->work, .threads = cell->threads,
                             .workers = run->stations };
    memcpy(run->job.param, cell->work_param, sizeof run->job.param);
    lay_out_stations(run);
    if (choose_heap(run) < 0 || watch_lock(run) < 0)
        return -1;
    run->thread.name = "lab";
    run->thread.locks_containers = !cell->lock->excludes && !run->runtime->needs_gil;
    if (thread_start(&run->thread, run->gil, run->runtime->hooks) < 0) {
        report(run, STATUS_FAILED, "the lab's own thread could not start");
        return -1;
    }
    return 0;
}

void measure(const struct cell *cell, const struct window *window, struct measurement *m)
{
    struct run run = {
        .cell = cell, .window = window, .lock = MUTEX_INIT,
        .changed = PTHREAD_COND_INITIALIZER,
        .runtime = cell->runtime, .parks = cell->miscounts,
    };

    *m = (struct measurement){ 0 };
    if (prepare(&run) == 0) {
        run_workload(&run, m);
        thread_stop(&run.thread);
        fill_samples(&run, m);
        m->lost = run.job.lost;
        m->handed_over = run.job.handed_over;
        m->held_back = run.job.held_back;
        m->max_rss_bytes = counters_max_rss_bytes();
        m->counted = window->counts;
        if (m->counted)
            run.runtime->heap_counted(&m->memory);
        if (run.runtime->counts)
            m->contention = contention_name(&run.stats);
        run.runtime->stats_free(&run.stats);
        if (run.watch)
            tell_what_was_watched(&run, m);
    }
    if (run.watch)
        watch_end(run.watch);
    mutex_lock(&run.lock);
    m->status = run.status;
    memcpy(m->note, run.note, sizeof m->note);
    mutex_unlock(&run.lock);
    if (run.gil)
        gil_delete(run.gil);
    free(run.station);
}
