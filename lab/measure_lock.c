/* measure_lock.c - what is seen of the lock in a window: turns, and the trace. */
#include "lab/measure_private.h"

#include "lab/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Moments that are kept: of each thread, and of all. 16 bytes each. */
enum { MOMENTS_MOST = 1 << 18, MOMENTS_OF_ALL = 1 << 22 };

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

/* The stations that carry the role first of all, in the order of the samples. */
static void fill_role_turns(const struct run *run, int role, struct turns **next)
{
    struct gil_stats stats;

    for (int i = 0; i < run->stations; i++) {
        const struct station *s = &run->station[i];
        const struct watched *w = watched_of(run, &s->thread);

        if (!station_carries(s, role))
            continue;
        if (w && s->carrier.seat[0].worker.role == role) {
            watch_take(w, &stats);
            turns_of(&stats, *next);
        }
        ++*next;
    }
}

/* If each of them could be watched. */
static void fill_turns(const struct run *run, struct measurement *m)
{
    struct gil_stats stats;
    struct turns *next;

    if (run->watch->incomplete || !m->samples)
        return;
    m->turns = calloc((size_t)m->samples + 1, sizeof *m->turns);
    if (!m->turns)
        return;
    sum_turns(run, &stats);
    turns_of(&stats, &m->turns[0]);
    next = &m->turns[1];
    for (int r = 0; r < ROLE_MAX; r++)
        fill_role_turns(run, r, &next);
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

void lock_tell(const struct run *run, struct measurement *m)
{
    if (run->window->watches)
        fill_turns(run, m);
    if (run->window->trace)
        write_trace(run);
}

/* 0, or -1 with the reason reported. No thread has entered the lock yet. */
int lock_watch(struct run *run)
{
    size_t most = MOMENTS_OF_ALL / (size_t)(run->stations + 1);
    size_t places = most < MOMENTS_MOST ? most / 2 : MOMENTS_MOST; /* a ring rounds up */

    if (!run->window->watches && !run->window->trace)
        return 0;
    if (cell_is_apart(run->cell)) {
        fprintf(stderr, "note: who holds the locks of several %ss is not watched\n",
                run->cell->execution_unit);
        return 0;
    }
    run->watch = watch_begin(run->gil, run->window->trace ? places : 0);
    if (run->watch)
        return 0;
    run_report(run, STATUS_FAILED, "no memory to watch the lock");
    return -1;
}
