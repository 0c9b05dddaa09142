/* countdown.c - a loop that only computes, on boxed ints. */
#include "benches/countdown.h"

#include "benches/workload.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/int.h"

#include <stdlib.h>

int countdown_init(struct countdown *c)
{
    *c = (struct countdown){ int_new(0), int_new(1) };
    return c->zero && c->one ? 0 : -1;
}

void countdown_fini(struct countdown *c)
{
    xdecref(c->zero);
    xdecref(c->one);
    *c = (struct countdown){ 0 };
}

int countdown_run(struct thread *t, const struct countdown *c, int64_t loops)
{
    struct object *n = int_new(loops);

    while (n && int_less(c->zero, n) > 0) {
        struct object *less = int_subtract(n, c->one);

        decref(n);
        n = less;
        safepoint(t);
    }
    xdecref(n);
    return n ? 0 : -1;
}

static _Atomic int64_t loops_per_ms; /* atomic, set once in a process; 0: not known yet */

static int calibrate(void)
{
    enum { ROUNDS = 9, ROUND_LOOPS = 20000 };
    struct countdown c;
    uint64_t best_ns = UINT64_MAX;
    int result = countdown_init(&c);

    for (int i = 0; i < ROUNDS && result == 0; i++) {
        uint64_t start_ns = clock_ns(), round_ns;

        result = countdown_run(thread_self, &c, ROUND_LOOPS);
        round_ns = clock_ns() - start_ns;
        if (round_ns < best_ns)
            best_ns = round_ns;
    }
    countdown_fini(&c);
    if (result == 0)
        atomic_store_explicit(&loops_per_ms,
                              (int64_t)((uint64_t)ROUND_LOOPS * NS_PER_MS / best_ns),
                              memory_order_relaxed);
    return result;
}

int countdown_loops_in(int64_t ns, int64_t *loops)
{
    if (ns && !atomic_load_explicit(&loops_per_ms, memory_order_relaxed) && calibrate() < 0)
        return -1;
    *loops = atomic_load_explicit(&loops_per_ms, memory_order_relaxed) * ns / NS_PER_MS;
    return 0;
}

int countdown_begin(struct worker *w)
{
    w->state = calloc(1, sizeof(struct countdown));
    if (!w->state) {
        exception_set_no_memory();
        return -1;
    }
    return countdown_init(w->state);
}

int countdown_step(struct worker *w)
{
    enum { LOOPS = 500 };

    if (countdown_run(w->thread, w->state, LOOPS) < 0)
        return -1;
    worker_count(w, LOOPS);
    return 0;
}

void countdown_end(struct worker *w)
{
    if (w->state)
        countdown_fini(w->state);
    free(w->state);
}
