/* cell.h - one point of the matrix: every dial set. */
#ifndef LAB_CELL_H
#define LAB_CELL_H

#include "benches/runtime.h"
#include "gil/gil.h"
#include "lab/parse.h"

#include <stdbool.h>
#include <stddef.h>

/* The windows of a cell, each kind in a build of its policy of its own. */
enum window_kind { WINDOW_TIMED, WINDOW_AUDIT, WINDOW_STATS };

struct cell {
    /* What a record keeps: enough to show and to compare the cell wherever it was measured.
     * Texts are interned. */
    const char *workload; /* as typed: "cpu_fraction:waits_percent=50" */
    const char *mode;     /* as typed: "gil", or "biased+none" */
    const char *policy;
    const char *gil;      /* "interval:interval_us=500": parameters that are not as usual */
    const char *heap;
    const char *build;    /* path of the lab that runs it; "": this one */
    const char *build_hash; /* of that program's file; "": of this one, or not known */
    const char *execution_unit; /* what its workers are, as typed: "thread", "greenlet" */
    int units;            /* how many, on all threads together; 0: they are the threads */
    int threads;
    int control;          /* 1 or 2: of the twins from which the noise floor is taken; or 0 */
    const char *about, *unit; /* of the workload */
    enum kind kind;
    enum shares shares;
    int counted;          /* workers whose operations are counted: those of the first role */
    int workers;          /* of all roles */
    int carriers;         /* threads on which they are, and that receive; a unit's own pool not
                             among them */
    int base;             /* the thread count with which others are compared: one; none where
                             the threads are only neighbours of what is counted */
    bool safe;            /* false: two threads may count one object at once, and this policy
                             cannot stand it */
    bool miscounts;       /* unsafe, and two threads do so: what they share is parked, not
                             freed, and audited (objects/audit.h) */
    const char *refusal;  /* why this cell is not run; NULL: it is */

    /* To run it. NULL if it was read from a record. */
    const struct runtime *runtime;
    const struct runtime *audited; /* its second build; NULL: it needs none, or has none */
    const struct runtime *counting; /* the build that counts; NULL: it was not built in */
    const struct workload *work;
    const struct gil_class *lock;
    const struct unit *kind_of_unit;
    int64_t work_param[PARAM_MAX], lock_param[PARAM_MAX], unit_param[PARAM_MAX];
};

/* Sets every dial. `units` counts if the unit is no thread. */
void cell_init(struct cell *cell, const struct variant *workload, const struct mode *mode,
               const char *heap, const char *build, const struct variant *unit, int units,
               int threads);

/* Of a cell that can be run: how many workers a role has, and on how many carriers they are,
 * each of which has a sample of the role. */
int cell_workers(const struct cell *cell, const struct role *role);
int cell_samples(const struct cell *cell, const struct role *role);

/* Whether its units are cut into jobs that share nothing. */
bool cell_is_apart(const struct cell *cell);

/* Of how many jobs it is, each with its share of the workers; and of so many threads that take
 * what those of processes send. */
int cell_jobs(const struct cell *cell);
int cell_receivers(const struct cell *cell);

/* The units that this share has, from 0: as equal as can be; and the workers of a role, of which
 * what is fixed is in the first. */
int cell_share_units(const struct cell *cell, int share);
int cell_share(const struct cell *cell, const struct role *role, int share);

/* "greenlet x100", or "" if they are threads. */
const char *cell_units(const struct cell *cell, char *text, size_t size_bytes);

/* Whether both have the same kind of workers, and as many if these are not the threads. */
bool same_units(const struct cell *a, const struct cell *b);

/* The words with which a process of its own is told which cell to run: the mode as
 * POLICY+LOCK, of the build for such windows, which there is. */
void cell_mode_words(const struct cell *cell, enum window_kind kind, char *text,
                     size_t size_bytes);

/* Whether it has an audit window besides the timed ones. */
bool cell_audits(const struct cell *cell);

/* "fib, gil, 2 threads" */
void cell_describe(const struct cell *cell, char *text, size_t size_bytes);

/* As a benchmark of other programs: "workload:fib/mode:gil/heap:jemalloc/threads:2", or
 * ".../unit:greenlet/units:100/threads:2". To be freed; NULL: no memory. */
char *cell_benchmark(const struct cell *cell);

/* "cpu", "io", "mixed"; "nothing" .. "tables"; "timed", "audit", "stats"; and back, or -1. */
extern const char *const kind_names[], *const shares_names[], *const window_names[];
int name_index(const char *const *names, const char *name);

#endif
