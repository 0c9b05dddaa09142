/* measurement.h - what one window of one cell gave. */
#ifndef LAB_MEASUREMENT_H
#define LAB_MEASUREMENT_H

#include "benches/runtime.h"
#include "lab/cell.h"
#include "lab/contention.h"
#include "lab/turns.h"

#include <stdbool.h>
#include <stdint.h>

enum status { STATUS_OK, STATUS_EARLY, STATUS_FAILED, STATUS_TIMEOUT, STATUS_SKIPPED };

const char *status_name(enum status status);

enum { WORKERS_MAX = 4096, NOTE_BYTES = 200, ROLE_NAME_BYTES = 24, BINDING_BYTES = 32 };

#define RECEIVER "receiver" /* the last role, of threads that take what processes send */

/* One worker's share of the window. Processors are the kernel's numbers; -1: not known.
 * So with what is counted of the processor and of the kernel (lab/counters.h). */
struct sample {
    char role[ROLE_NAME_BYTES];
    int role_index, worker; /* worker: 0 .. of its role */
    uint64_t ops;
    double cpu_seconds;
    int planned_pu, observed_pu;
    char binding[BINDING_BYTES];                /* "bound", "unbound", "refused: EINVAL" */
    uint64_t p50_ns, p90_ns, p99_ns, max_ns;    /* 0: this role records no latency */
    int64_t cycles, instructions, cache_misses; /* outside the kernel */
    int64_t voluntary_switches, involuntary_switches;
};

/* When a window ran, and what else went on: for whoever started it to fill. */
struct occasion {
    int block;           /* from 1; 0: it is no timed one */
    int sequence;        /* from 1, over the whole run */
    enum window_kind kind;
    char started[32];    /* UTC, ISO 8601; may jump with the clock */
    uint64_t started_ns; /* CLOCK_MONOTONIC */
    double took_s;       /* the whole process */
    double steal, busy;  /* shares of all processors' time: taken by other machines, used by
                            other programs; -1: not known */
    double mhz;          /* -1: not known */
};

/* Those of the cycle collector, from the first object to the last worker's end. */
struct collections {
    uint64_t young, all; /* how many looked at young containers only, and at all of them */
    uint64_t garbage;    /* containers that were found dead */
    uint64_t total_ns, p50_ns, p99_ns, longest_ns; /* of their pauses; 0: there were none */
};

/* Of all threads of the window's processes, those too that a workload starts by itself. */
struct usage {
    double cpu_seconds;
    int64_t voluntary_switches, involuntary_switches;
    int64_t connections; /* that the workload has opened; 0: it is not about them */
    int64_t grown_bytes; /* resident memory at the window's end, less that before setup; -1: not
                            known */
};

/* Of all workers of the first role together; 0: it records none. */
struct latency {
    uint64_t p50_ns, p90_ns, p99_ns, p999_ns, max_ns;
};

struct measurement {
    struct occasion occasion;
    enum status status;
    char note[NOTE_BYTES]; /* why it is not ok; or what else a reader must know */
    double seconds;        /* of wall time that the window lasted */
    double overlap;        /* the share of it in which every worker was at work */
    uint64_t lost;         /* updates that the program lost, not the runtime */
    uint64_t handed_over;  /* objects that all were dropped; 0: nobody looked at the next */
    uint64_t held_back;    /* so many of them, at most, were dead and not destroyed */
    uint64_t max_rss_bytes; /* the most that the cell's process had; 0: not known */
    struct damage damage;  /* of a cell whose counts may go wrong */
    bool used;                     /* whether the next is known: in files of old it is not */
    struct usage usage;
    struct latency latency;
    bool counted;              /* whether the next is known: ... */
    struct heap_counts memory; /* ... of another window, which counted what the heap gave */
    bool watched;                  /* whether the next is known: in files of old it is not */
    struct collections collections;
    struct contention *contention; /* owned; of a window that counts; NULL: it did not */
    int samples;
    struct sample *sample; /* owned; ordered by role, then worker */
    struct turns *turns;   /* owned; of the lock, then of each sample's worker: of another window,
                              in which it was watched; NULL: it was not */
};

void measurement_free(struct measurement *m);

/* Operations per second of the first role. */
double measurement_rate(const struct measurement *m);

/* Jain's index of the first role's workers: 1 if all did the same, 1/n if one did all.
 * (R. Jain, D. Chiu, W. Hawe, DEC TR-301, 1984.) 0 if none did anything. */
double measurement_fairness(const struct measurement *m);

/* The median over the first role's workers of their median latency; 0: none. */
uint64_t measurement_p50_ns(const struct measurement *m);

/* As text that a parent reads from its child, a line an item; 0, or -1 and errno. */
int measurement_write(const struct measurement *m, int fd);

/* From text. -1 if that is not, to the last byte, what measurement_write writes: then `m` has
 * failed, and its note quotes the first line that is strange. */
int measurement_read(struct measurement *m, const char *text);

/* Empties `m` and says why there is nothing in it. The note may quote what anybody printed:
 * what is no printable ASCII becomes a question mark. */
__attribute__((format(printf, 3, 4)))
void measurement_fail(struct measurement *m, enum status status, const char *format, ...);

#endif
