/* workload.h - what a workload file defines.
 *
 * One file in workloads/ is one workload: it defines `const struct workload
 * workload_<file name>`. It is compiled once per refcount policy and called through
 * pointers once per batch. The lab owns threads, clock and counts; a workload does
 * the work, says how much it did, and at the end decides whether the answer was right.
 * Its workers are threads, or other units (unit.h): then many of them have one thread.
 *
 * Order of calls. On the lab's own thread, attached: setup. Then on each worker's
 * thread, attached: begin, step again and again, end. When all workers have ended
 * and counts are quiesced, on the lab's thread: check, teardown. teardown is also
 * called after a failed setup, begin or step, and must cope with what is not there.
 *
 * Failure is -1 with an exception pending. A check that returns -1 voids the cell.
 *
 * Rules: put `barrier` between an incref and a decref of one object, or gcc at -O2
 * deletes the pair; pass a safe point in every loop; make a step last some ten
 * microseconds; wait only through coroutines/io.h, or say in `alone` why not. A worker has no
 * thread-local storage: other workers may have the same thread.
 */
#ifndef BENCHES_WORKLOAD_H
#define BENCHES_WORKLOAD_H

#include "gil/histogram.h"
#include "gil/param.h"
#include "gil/thread.h"

#include <stdatomic.h>
#include <stdint.h>

struct body;
struct carrier;
struct object;
struct workload;

enum kind { KIND_CPU, KIND_IO, KIND_MIXED };

/* What its threads share while it is measured. SHARES_HANDOVER: objects change hands,
 * but only one thread at a time counts any of them, so plain counts stay right even with
 * no lock. SHARES_TABLES: threads change one container's own tables, which cannot run
 * where nothing at all protects them. */
enum shares { SHARES_NOTHING, SHARES_HANDOVER, SHARES_READS, SHARES_WRITES, SHARES_TABLES };

enum { JOB_NOTE_BYTES = 200 };

/* What all workers of a cell see. */
struct job {
    const struct workload *workload; /* set once */
    int threads;                     /* set once; workers of a role with one per thread: the dial
                                        of threads, or where they are other units that of units */
    int workers;                     /* set once; the sum over the roles */
    int64_t param[PARAM_MAX];        /* set once; as workload->param */
    void *state;                     /* the workload's own, from setup to teardown */
    _Atomic bool stopping;           /* the window is over: steps return soon */
    uint64_t lost; /* by check: updates that the program itself lost, no wrong answer */
    /* By check: of so many objects that were handed over and dropped, how many at most were
     * not destroyed when they should have been. 0 handed over: the workload does not look. */
    uint64_t handed_over, held_back;
    int64_t connections; /* by setup: how many it has opened; 0: that is not what it is about */
    char note[JOB_NOTE_BYTES]; /* by check: a line of what else a reader must know; "" */
};

struct worker {
    /* A line of its own: nobody else writes near it. */
    _Alignas(128) _Atomic uint64_t ops; /* written by its worker, read by the lab */
    struct thread *thread;              /* pass it to safepoint() */
    const struct job *job;
    struct carrier *carrier;     /* that it sits on: unit.h */
    /* Set by begin if another process counts its operations, in shared memory, or by the lab where
     * its units are processes: the lab then reads these instead of `ops`. */
    const _Atomic uint64_t *ops_elsewhere;
    int role;                    /* index in workload->roles */
    int index;                   /* 0 .. of its role */
    struct histogram *latency;   /* NULL unless the role records one; by worker_latency */
    uint64_t random;             /* own state; see worker_random */
    void *state;                 /* the workload's own, from begin to end */
};

/* Asymmetric workloads have roles; the first is the one whose ops are the cell's. */
struct role {
    const char *name;          /* NULL ends the table */
    int fixed, per_thread;     /* so many workers: fixed + per_thread * threads */
    bool records_latency;
    bool shares_core;           /* bound by role: all such share one processor, the others keep
                                   away from it */
    bool outside;               /* stands for another program: its step is called detached. It
                                   attaches to say what failed, and detaches again */
    int (*begin)(struct worker *w); /* may be NULL */
    int (*step)(struct worker *w);
    void (*end)(struct worker *w);  /* may be NULL; also after a failed step */
    /* The same as step for units that await (coroutines/coroutine.h): a coroutine of one argument,
     * an int that is the worker's address. What it computes for long it leaves to unit_compute
     * (hosted.h). NULL: step waits for nothing, or it cannot be awaited. */
    const struct body *await_step;
};

enum { ROLE_MAX = 4 };

struct workload {
    const char *about; /* one line for `lab list` */
    const char *unit;  /* of what is counted, singular */
    enum kind kind;
    enum shares shares;
    int least_threads;               /* 0 if `threads` may be 0, as for spinners; else 1 or 2 */
    bool by_role;                    /* bound by role unless the lab is told otherwise */
    bool has_threads;                /* of its own, which share what its workers do: so one worker
                                        is not alone. They are gone when its workers have ended */
    bool isolated;                   /* what its workers share stands in job->state, nothing in
                                        static memory: several jobs may run at once, each under a
                                        lock of its own */
    bool calls_pool;                 /* a loop's own executor works for its units, if they are no
                                        threads, and their loops are not over io_uring */
    const char *alone;               /* why each worker needs a thread to itself, behind "its
                                        workers "; NULL: many can share one */
    struct param param[PARAM_MAX];
    struct role roles[ROLE_MAX];

    int (*setup)(struct job *job);   /* these four may be NULL */
    void (*interrupt)(struct job *job); /* detached: wake workers that wait; may be called twice */
    int (*check)(struct job *job, uint64_t ops); /* ops of the first role, ramps too */
    void (*teardown)(struct job *job);
};

struct named_workload {
    const char *name;
    const struct workload *workload;
};

/* Makes the compiler believe that `o` may have changed and been read. */
#define barrier(o) __asm__ volatile("" : "+r"(o) : : "memory")

static inline void worker_count(struct worker *w, uint64_t ops)
{
    atomic_store_explicit(&w->ops, atomic_load_explicit(&w->ops, memory_order_relaxed) + ops,
                          memory_order_relaxed);
}

static inline uint64_t worker_ops(const struct worker *w)
{
    return atomic_load_explicit(w->ops_elsewhere ? w->ops_elsewhere : &w->ops,
                                memory_order_relaxed);
}

static inline void worker_latency(struct worker *w, uint64_t ns)
{
    if (w->latency)
        histogram_record(w->latency, ns);
}

/* xorshift64 (G. Marsaglia, Xorshift RNGs, J. Stat. Software 8(14), 2003). */
static inline uint64_t worker_random(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

#endif
