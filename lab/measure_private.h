/* measure_private.h - what the files of measure.c share: a run of one window.
 *
 * measure.c has its threads and processes and what they do, measure_seats.c lays out who sits
 * where, measure_readings.c is what is read at both ends of the window and what becomes of it, and
 * measure_lock.c what is seen of the lock.
 */
#ifndef LAB_MEASURE_PRIVATE_H
#define LAB_MEASURE_PRIVATE_H

#include "gil/mutex.h"
#include "gil/watch.h"
#include "lab/counters.h"
#include "lab/measure.h"
#include "lab/offspring.h"

struct run;

/* What is counted of one thread of a carrier: its own, or one that helps it. */
struct gauge {
    bool open;
    struct counters counters;
    struct reading before, after;
    double cpu_before, cpu_after;
};

/* A carrier, and what the harness keeps about it: the lab's, but for what says otherwise. */
struct station {
    struct carrier carrier; /* first: it is known by this */
    struct run *run;
    struct gil *gil;             /* set once; the lock of all of this carrier's threads */
    struct thread thread;        /* itself */
    pthread_t os_thread;
    char name[ROLE_NAME_BYTES + 12]; /* "spinner 0" */
    int place;                   /* of which worker's place the plan makes this one's */
    int share;                   /* set once; of which job its workers are */
    bool receives;               /* set once; it takes what the process of that job sends */
    bool started;                /* os_thread is to be joined */
    bool at_gate;                /* itself; it has been counted as ready */
    struct helper self;          /* set once, before it is ready */
    struct binding binding;      /* itself, before it is ready */
    uint64_t last_ns;            /* itself; when all that it carried had ended */
    uint64_t ops[ROLE_MAX];      /* of the window, by role */
    struct gauge *gauge;         /* owned; of itself, then of those that help */
};

/* A job, and the lock of its workers. There is one, but where units are apart. */
struct share {
    struct gil *gil; /* owned, unless it is run->gil */
    struct job job;
};

/* If its units are processes, the window has one run in each: in the parent that of the threads
 * that receive, in each child that of its share of the workers. The stations are in memory that all
 * have, with their seats and latencies. */
struct run {
    const struct cell *cell;
    const struct window *window;
    const struct runtime *runtime;
    struct gil *gil;     /* owned; the lab's own thread's; NULL: that visits each share's */
    struct watch *watch; /* NULL: nobody watches the lock */
    int shares;          /* whose workers run in this process */
    struct share *share; /* owned, from all_shares on */
    struct share *all_shares;
    struct offspring *offspring; /* owned; NULL: there are no processes */
    int number;                  /* of the share that this process is a child for; -1: it is none */
    struct stats stats; /* if this build counts them: when the workers had ended */
    bool parks; /* published objects are kept, since counts may go wrong */
    struct thread thread; /* the lab's own, for setup and check */

    int64_t resident_bytes; /* before setup; -1: not known */
    int64_t grown_bytes;    /* since, at the window's end; -1: likewise */
    struct process_reading before, after; /* at its ends */

    _Atomic int *phase; /* owned; in memory that children have */

    struct mutex lock;
    pthread_cond_t changed;
    int ready;                   /* lock; workers at the gate, or failed before it */
    bool trouble;                /* lock; end the window now */
    enum status status;          /* lock */
    char note[NOTE_BYTES];       /* lock */

    int stations;
    struct station *station;     /* owned */
    int seats;
    struct seat *seat;           /* owned; by station */
    struct histogram *latency;   /* owned; ROLE_MAX of each station */
    struct helper *helper;       /* owned; of each station as many as its pool may have */
    struct gauge *gauge;         /* owned; one more of each */
    struct arrivals *arrivals;   /* owned; of each seat, if processes send what they have done */
    struct told *told;           /* owned; of each process */
};

static inline bool run_is_child(const struct run *run)
{
    return run->number >= 0;
}

/* Whether the station's thread is one of this process. */
static inline bool station_is_here(const struct station *s)
{
    const struct run *run = s->run;

    if (!run->offspring)
        return true;
    return run_is_child(run) ? !s->receives && s->share == run->number : s->receives;
}

/* The first trouble is the one that is told: it ends the window. On any thread. */
void run_report(struct run *run, enum status status, const char *note);

/* ---- measure_seats.c ---- */

/* How many threads the cell's unit may start by itself. */
int seats_pool(const struct cell *cell);

/* Describes the jobs, and gives every worker a seat, and every seat a station, in the arrays of the
 * run, which are large enough and zero; but not the calls of the carriers. */
void seats_lay_out(struct run *run);

/* ---- measure_readings.c ---- */

/* Whether the station has a seat of that role. */
bool station_carries(const struct station *s, int role);

/* Opens what counts for each thread that stands at the gate. */
void readings_prepare(struct run *run);

/* At the ends of the window, which is between what they return: ns of clock_ns. It may begin
 * twice. */
uint64_t readings_begin(struct run *run);
uint64_t readings_end(struct run *run);

/* How the process has grown since setup; while all workers are still there. */
void readings_memory(struct run *run);

/* The share of the window, given in ns of clock_ns, in which all were at work. */
double readings_overlap(const struct run *run, uint64_t from_ns, uint64_t to_ns);

/* The rest when the workers have ended: what a measurement has of it. The samples are to be freed
 * with the measurement; without memory for them there are none. */
void readings_samples(struct run *run, struct measurement *m);
void readings_usage(const struct run *run, struct usage *u); /* of this process */
void readings_add_usage(struct usage *sum, const struct usage *more);
void readings_latency(const struct run *run, struct latency *l);
void readings_collector(const struct run *run, struct measurement *m);

/* ---- measure_lock.c ---- */

/* If somebody wants to know: begins to watch the lock. 0, or -1 with the reason reported. No thread
 * has entered the lock yet. */
int lock_watch(struct run *run);

/* Into the measurement and the trace. The workers have ended. */
void lock_tell(const struct run *run, struct measurement *m);

#endif
