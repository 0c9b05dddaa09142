/* measure_readings.c - what is read at both ends of a window, and what becomes of it. */
#include "lab/measure_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double cpu_seconds(clockid_t clock)
{
    struct timespec used;

    if (clock_gettime(clock, &used))
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / NS_PER_S;
}

/* Of a station whose thread has started and has come to the gate, and then its pool, too. */
static int gauges(const struct station *s)
{
    int helpers = atomic_load_explicit(&s->carrier.helpers, memory_order_relaxed);

    if (!s->started)
        return 0;
    return 1 + (helpers < s->carrier.pool ? helpers : s->carrier.pool);
}

static const struct helper *gauged(const struct station *s, int gauge)
{
    return gauge ? &s->carrier.helper[gauge - 1] : &s->self;
}

/* When all stand at the gate, so that the workload has opened its files before us: it is
 * not to fail for those that the counters take. */
void readings_prepare(struct run *run)
{
    for (int i = 0; i < run->stations; i++)
        for (int g = 0; g < gauges(&run->station[i]); g++) {
            counters_open(&run->station[i].gauge[g].counters, gauged(&run->station[i], g)->tid);
            run->station[i].gauge[g].open = true;
        }
}

static void read_counters(struct run *run)
{
    for (int i = 0; i < run->stations; i++)
        for (int g = 0; g < gauges(&run->station[i]); g++) {
            struct gauge *gauge = &run->station[i].gauge[g];

            counters_read(&gauge->counters, &gauge->after);
        }
}

static double cpu_of(const struct station *s, int gauge)
{
    const struct helper *h = gauged(s, gauge);

    return station_is_here(s) ? cpu_seconds(h->clock) : counters_cpu_seconds(h->tid);
}

/* Adds what its workers have done so far, or takes it off. */
static void add_ops(struct station *s, uint64_t sign)
{
    if (s->receives) /* they are another's */
        return;
    for (int i = 0; i < s->carrier.seats; i++) {
        const struct worker *w = &s->carrier.seat[i].worker;

        s->ops[w->role] += sign * worker_ops(w);
    }
}

/* Reads every counter, then the clock: a worker's batch is never counted twice. What takes
 * long to read comes before all else, at the end after all else: it covers a little more
 * than the window, instead of making the window uneven. */
uint64_t readings_begin(struct run *run)
{
    for (int i = 0; i < run->stations; i++)
        for (int g = 0; g < gauges(&run->station[i]); g++)
            counters_read(&run->station[i].gauge[g].counters, &run->station[i].gauge[g].before);
    for (int i = 0; i < run->stations; i++) {
        struct station *s = &run->station[i];

        for (int g = 0; g < gauges(s); g++)
            s->gauge[g].cpu_before = cpu_of(s, g);
        memset(s->ops, 0, sizeof s->ops);
        add_ops(s, UINT64_MAX);
    }
    counters_read_process(&run->before);
    return clock_ns();
}

uint64_t readings_end(struct run *run)
{
    uint64_t now_ns;

    for (int i = 0; i < run->stations; i++) {
        struct station *s = &run->station[i];

        add_ops(s, 1);
        for (int g = 0; g < gauges(s); g++)
            s->gauge[g].cpu_after = cpu_of(s, g);
    }
    counters_read_process(&run->after);
    now_ns = clock_ns();
    read_counters(run);
    return now_ns;
}

/* While all workers are still there. */
void readings_memory(struct run *run)
{
    int64_t bytes = counters_resident_bytes();

    run->grown_bytes = -1;
    if (bytes >= 0 && run->resident_bytes >= 0)
        run->grown_bytes = bytes > run->resident_bytes ? bytes - run->resident_bytes : 0;
}

/* The share of the window in which all were at work: from the last to begin to the
 * first to end. */
double readings_overlap(const struct run *run, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t all_from_ns = from_ns, all_to_ns = to_ns;

    for (int i = 0; i < run->stations; i++) {
        const struct station *s = &run->station[i];

        if (s->receives)
            continue;
        if (!s->carrier.first_ns)
            return 0;
        if (s->carrier.first_ns > all_from_ns)
            all_from_ns = s->carrier.first_ns;
        if (s->last_ns < all_to_ns)
            all_to_ns = s->last_ns;
    }
    return all_to_ns > all_from_ns ? (double)(all_to_ns - all_from_ns) / (double)(to_ns - from_ns)
                                   : 0;
}

static void add_known(int64_t *sum, int64_t more, bool first)
{
    if (first)
        *sum = more;
    else
        *sum = *sum < 0 || more < 0 ? -1 : *sum + more;
}

static int64_t difference(int64_t before, int64_t after)
{
    return before < 0 || after < 0 ? -1 : after - before;
}

static void fill_gauges(struct station *s, struct sample *sample)
{
    for (int g = 0; g < gauges(s); g++) {
        struct gauge *a = &s->gauge[g];
        struct counters *c = &a->counters;
        double cpu = a->cpu_after - a->cpu_before;

        if (!a->open)
            continue;
        sample->cpu_seconds += cpu > 0 ? cpu : 0;
        add_known(&sample->cycles, counters_between(c, COUNTER_CYCLES, &a->before, &a->after), !g);
        add_known(&sample->instructions,
                  counters_between(c, COUNTER_INSTRUCTIONS, &a->before, &a->after), !g);
        add_known(&sample->cache_misses,
                  counters_between(c, COUNTER_CACHE_MISSES, &a->before, &a->after), !g);
        add_known(&sample->voluntary_switches,
                  difference(a->before.voluntary_switches, a->after.voluntary_switches), !g);
        add_known(&sample->involuntary_switches,
                  difference(a->before.involuntary_switches, a->after.involuntary_switches), !g);
        counters_close(c);
    }
}

static void fill_binding(const struct station *s, struct sample *sample)
{
    sample->planned_pu = s->binding.planned;
    sample->observed_pu = s->binding.observed;
    memcpy(sample->binding, s->binding.result, sizeof sample->binding);
    sample->cycles = sample->instructions = sample->cache_misses = -1;
    sample->voluntary_switches = sample->involuntary_switches = -1;
}

/* Where several roles are on one carrier, its time is that of the first. */
static void fill_sample(struct station *s, int role, int number, bool first, struct sample *sample)
{
    const struct histogram *latency = s->carrier.latency[role];

    snprintf(sample->role, sizeof sample->role, "%s", s->run->cell->work->roles[role].name);
    sample->role_index = role;
    sample->worker = number;
    sample->ops = s->ops[role];
    fill_binding(s, sample);
    if (first)
        fill_gauges(s, sample);
    if (!latency)
        return;
    sample->p50_ns = histogram_quantile(latency, 0.5);
    sample->p90_ns = histogram_quantile(latency, 0.9);
    sample->p99_ns = histogram_quantile(latency, 0.99);
    sample->max_ns = latency->max_ns;
}

bool station_carries(const struct station *s, int role)
{
    if (s->receives)
        return false;
    for (int i = 0; i < s->carrier.seats; i++)
        if (s->carrier.seat[i].worker.role == role)
            return true;
    return false;
}

static int count_samples(const struct run *run)
{
    int count = 0;

    for (int r = 0; r < ROLE_MAX; r++)
        for (int i = 0; i < run->stations; i++)
            count += station_carries(&run->station[i], r);
    return count + cell_receivers(run->cell);
}

/* The role behind the workload's own. */
static void fill_receivers(struct run *run, struct measurement *m)
{
    int role = 0;

    while (role < ROLE_MAX && run->cell->work->roles[role].name)
        role++;
    for (int i = 0; i < run->stations; i++)
        if (run->station[i].receives) {
            struct sample *sample = &m->sample[m->samples++];

            snprintf(sample->role, sizeof sample->role, RECEIVER);
            sample->role_index = role;
            sample->worker = run->station[i].share;
            fill_binding(&run->station[i], sample);
            fill_gauges(&run->station[i], sample);
        }
}

/* Of this process. */
void readings_usage(const struct run *run, struct usage *u)
{
    u->cpu_seconds = run->after.cpu_seconds - run->before.cpu_seconds;
    u->voluntary_switches = run->after.voluntary_switches - run->before.voluntary_switches;
    u->involuntary_switches = run->after.involuntary_switches - run->before.involuntary_switches;
    u->grown_bytes = run->grown_bytes;
    u->connections = 0;
    for (int k = 0; k < run->shares; k++)
        u->connections += run->share[k].job.connections;
}

void readings_add_usage(struct usage *sum, const struct usage *more)
{
    sum->cpu_seconds += more->cpu_seconds;
    sum->voluntary_switches += more->voluntary_switches;
    sum->involuntary_switches += more->involuntary_switches;
    sum->connections += more->connections;
    add_known(&sum->grown_bytes, more->grown_bytes, false);
}

/* The workers have ended. Each worker's is in its sample. */
void readings_latency(const struct run *run, struct latency *l)
{
    struct histogram all = { 0 };

    for (int i = 0; i < run->stations; i++)
        if (run->station[i].carrier.latency[0])
            histogram_add(&all, run->station[i].carrier.latency[0]);
    l->max_ns = all.max_ns;
    l->p50_ns = histogram_quantile(&all, 0.5);
    l->p90_ns = histogram_quantile(&all, 0.9);
    l->p99_ns = histogram_quantile(&all, 0.99);
    l->p999_ns = histogram_quantile(&all, 0.999);
}

/* By role, then station. */
void readings_samples(struct run *run, struct measurement *m)
{
    m->sample = calloc((size_t)count_samples(run) + 1, sizeof *m->sample);
    for (int r = 0; r < ROLE_MAX && m->sample; r++) {
        int number = 0;

        for (int i = 0; i < run->stations; i++) {
            struct station *s = &run->station[i];

            if (station_carries(s, r))
                fill_sample(s, r, number++, s->carrier.seat[0].worker.role == r,
                            &m->sample[m->samples++]);
        }
    }
    if (m->sample)
        fill_receivers(run, m);
}

static void add_pauses(struct pauses sum[GENERATIONS], const struct pauses more[GENERATIONS])
{
    for (int i = 0; i < GENERATIONS; i++) {
        sum[i].found += more[i].found;
        sum[i].pause_total_ns += more[i].pause_total_ns;
        sum[i].collections += more[i].collections;
        histogram_add(&sum[i].pauses_ns, &more[i].pauses_ns);
    }
}

/* The workers have ended. A process measures one window, so all there was is this window's. */
void readings_collector(const struct run *run, struct measurement *m)
{
    struct collections *c = &m->collections;
    struct pauses pauses[GENERATIONS];
    struct histogram lengths = { 0 };

    run->runtime->collector_pauses(pauses);
    for (int k = 0; run->offspring && !run_is_child(run) && k < cell_jobs(run->cell); k++)
        add_pauses(pauses, run->told[k].pauses);
    for (int i = 0; i < GENERATIONS; i++) {
        c->garbage += pauses[i].found;
        c->total_ns += pauses[i].pause_total_ns;
        histogram_add(&lengths, &pauses[i].pauses_ns);
    }
    c->young = pauses[GENERATION_YOUNG].collections;
    c->all = pauses[GENERATION_ALL].collections;
    c->longest_ns = lengths.max_ns;
    c->p50_ns = histogram_quantile(&lengths, 0.5);
    c->p99_ns = histogram_quantile(&lengths, 0.99);
    m->watched = true;
}
