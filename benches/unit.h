/* unit.h - what a workload's workers are cut into: threads, greenlets, tasks of a loop.
 *
 * One file in units/ is one unit: it defines `const struct unit unit_<file name>`, is compiled
 * once per refcount policy, and is called once per window. The lab starts *carriers*, threads of
 * the runtime, seats each worker on one of them, and has the unit's `host` run what sits there:
 *
 *     thread      each worker is a carrier                     step after step
 *     greenlet    U greenlets on T carriers, each with a hub   step; io.h waits by the hub
 *     coroutine   U tasks on one loop                          step, or await await_step
 *     loops       U tasks on T loops                           the same
 *     hybrid      U tasks on one loop, T threads in a pool     the same; what computes is awaited
 *     interpreter U threads, in T interpreters                 step after step
 *     process     U threads, in T forked processes             the same, and results are sent
 *
 * Roles that are not per thread stay threads of their own, whatever the others are.
 *
 * A carrier's life, attached: the lab calls each worker's begin, then host, then each worker's
 * end. In host: all that has a beginning begins, up to its first step; then `ready`, once, which
 * waits detached until the ramp begins; then steps, until seat_goes_on says no. A unit that has
 * computed gives way to the others of its carrier after each step, unless the step has waited.
 *
 * The measured loop costs what one of threads does: a relaxed load and a call per step. Nothing
 * that is written is shared between carriers: a worker has a line of its own, and the histograms
 * are the carrier's.
 */
#ifndef BENCHES_UNIT_H
#define BENCHES_UNIT_H

#include "benches/workload.h"

#include <sys/types.h>

enum phase { PHASE_WAIT, PHASE_RAMP, PHASE_WINDOW, PHASE_OVER };

/* A worker's place on its carrier. */
struct seat {
    struct worker worker;    /* first: it begins a cache line of its own */
    const struct role *role; /* set once */
    bool begun;              /* the lab; its begin was right */
    bool entered;            /* carrier; it has seen the window */
    uint64_t turn;           /* the unit's own, as are the next two */
    int (*compute)(struct worker *w);
    struct object *address;  /* owned; an int: where this stands */
};

/* A thread of the unit's own, that works for a carrier. */
struct helper {
    pid_t tid;
    clockid_t clock; /* of its processor time */
};

struct carrier {
    const struct unit *unit;          /* set once, as all down to `helper` */
    const int64_t *param;             /* the unit's, as unit->param */
    const struct job *job;
    const _Atomic int *phase;         /* enum phase; the lab's */
    struct thread *thread;            /* its own */
    int number;                       /* 0 .. of those that host */
    int seats;
    struct seat *seat;                /* by role, then index */
    int pool;                         /* threads that the unit may start itself */
    int socket;                       /* of units that are processes: this end of the one over
                                         which results are sent, a record each (SOCK_SEQPACKET) */
    struct arrivals *arrivals;        /* of who receives: a place for each seat */
    struct histogram *latency[ROLE_MAX]; /* NULL: the role records none, or none of it is here */
    struct helper *helper;            /* room for `pool` of them */

    _Atomic int helpers;              /* how many have come */
    uint64_t first_ns;                /* itself; its first step in the window; 0: none */
    void *state;                      /* the unit's own, during host */

    /* By the lab. All stand at their first step: waits, detached, until the ramp begins. */
    void (*ready)(struct carrier *c);

    /* By the lab. Tells what is pending as this worker's failure, and ends the window. */
    void (*failed)(struct carrier *c, struct seat *s);

    /* By the lab, called by a helper as its first act: it is placed, and its time is counted. */
    void (*helps)(struct carrier *c);

    /* By the lab, called by who receives: a record has come that is no result, but says that
     * there is news of the process. */
    void (*told)(struct carrier *c);

    /* The unit's: what unit_compute does. NULL: it computes at once. */
    struct object *(*compute)(struct carrier *c, struct seat *s);
};

/* What has come of a worker of another process, and of the first role, in a line of its own: operations. */
struct arrivals {
    _Alignas(128) _Atomic uint64_t ops; /* written by who receives, read by the lab */
};

/* The first byte of a record. */
enum record { RECORD_NEWS = 'n', RECORD_RESULT = 'r' };

/* On how many carriers, and what `threads` is of. */
enum carried {
    CARRIED_BY_ITSELF, /* each worker is a thread: there are as many units as threads */
    CARRIED_BY_ALL,    /* carriers, as many as threads */
    CARRIED_BY_ONE,    /* there is one thread */
    CARRIED_BY_A_POOL, /* one carrier, and a pool of so many threads */
    CARRIED_APART,     /* each worker is a thread; they have so many locks, and jobs to match */
};

struct unit {
    const char *about;     /* one line for `lab list` */
    enum carried carried;
    bool awaits;           /* who waits must have an await_step */
    const char *lone;      /* of one loop with several threads: what to choose instead, or NULL */
    struct param param[PARAM_MAX];

    /* 0, or -1 with an exception pending; what workers raise goes to `failed` instead. It may
     * fail before it calls ready, and must have ended and freed all that it began. */
    int (*host)(struct carrier *c);

    /* NULL, or the jobs are those of processes, in which `host` runs; and this is what a thread
     * of their parent does for each of them, attached: takes the records from c->socket up to its
     * end, counts the operations that results tell of, and calls `told` for news. As `host`. */
    int (*receive)(struct carrier *c);
};

/* The parameter of units that have loops, at its place in their tables: whether these are over
 * io_uring (coroutines/reactor/). */
enum { UNIT_URING };
#define UNIT_URING_PARAM { "uring", "1: its loops wait by io_uring, and not by epoll", 0, 0, 1 }

/* The reactor of its loops, by name. Those that are apart have threads, and other parameters. */
static inline const char *unit_reactor(const struct unit *unit, const int64_t *param)
{
    bool has_loops = unit->carried != CARRIED_BY_ITSELF && unit->carried != CARRIED_APART;

    return has_loops && param[UNIT_URING] ? "uring" : "epoll";
}

struct named_unit {
    const char *name;
    const struct unit *unit;
};

/* Whether a workload's workers can be such units, and if not why. */
enum seating {
    SEATING_RIGHT,
    SEATING_NOT_CUT,   /* how many there are of its first role does not depend on units */
    SEATING_ALONE,     /* each needs a thread: workload->alone */
    SEATING_UNAWAITED, /* it waits, and has nothing to await */
    SEATING_SHARES,    /* they share objects, which those of other jobs do not */
    SEATING_TOGETHER,  /* there is one job of it in a process: workload->isolated */
};

static inline enum seating unit_seating_apart(const struct unit *unit, const struct workload *w)
{
    if (w->shares != SHARES_NOTHING && w->shares != SHARES_READS)
        return SEATING_SHARES;
    return unit->receive || w->isolated ? SEATING_RIGHT : SEATING_TOGETHER;
}

static inline enum seating unit_seating(const struct unit *unit, const struct workload *w)
{
    if (unit->carried == CARRIED_BY_ITSELF)
        return SEATING_RIGHT;
    /* If the first is another program, it is the others whose units matter; but jobs are cut by the
     * first. */
    if (!w->roles[0].per_thread && (unit->carried == CARRIED_APART ||
                                    !(w->roles[0].outside && w->roles[1].per_thread)))
        return SEATING_NOT_CUT;
    if (unit->carried == CARRIED_APART)
        return unit_seating_apart(unit, w);
    if (w->alone)
        return SEATING_ALONE;
    for (int i = 0; i < ROLE_MAX && w->roles[i].name && unit->awaits; i++)
        if (w->kind != KIND_CPU && w->roles[i].per_thread && !w->roles[i].await_step)
            return SEATING_UNAWAITED;
    return SEATING_RIGHT;
}

#endif
