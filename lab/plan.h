/* plan.h - what is to be measured: the cells, how well, and in which order.
 *
 * Rounds are blocks: every block has one window of each cell that still wants one, so
 * that whatever the machine does meanwhile falls on all. Within a block the order is
 *
 *     shuffled  another one in each block, from the seed: no cell has a fixed neighbour
 *     pairs     A B C, then C B A: a slow drift cancels
 *     sorted    as the matrix says, always: for debugging, not for measuring
 *
 * If there is something to compare, a block also has two windows of one control cell,
 * `empty` without any protection, as twins: how far they are apart is what this machine
 * calls equal, and the noise floor below which no difference is claimed.
 */
#ifndef LAB_PLAN_H
#define LAB_PLAN_H

#include "lab/cell.h"
#include "lab/dials.h"
#include "lab/measure.h"

enum { ROUNDS_MAX = 10000, CELLS_MOST = 200000 };

enum placing { PLACING_SHUFFLED, PLACING_PAIRS, PLACING_SORTED };
enum bind { BIND_AUTO, BIND_YES, BIND_NO, BIND_APART };
enum control { CONTROL_AUTO, CONTROL_YES, CONTROL_NO }; /* auto: if there are two cells */

extern const char *const placing_names[], *const bind_names[]; /* end with NULL */

struct settings {
    double window_s, ramp_s, timeout_s; /* timeout 0: ten windows and ten seconds */
    int rounds_least, rounds_most;
    double precision; /* between the two a cell stops when the half width of its median's
                         interval is within this share of it; 0: at the least */
    double budget_s;  /* of the whole matrix; a cell has an equal share, and stops when it
                         has used it; 0: no bound */
    uint64_t memory_bytes; /* a cell's process that uses more is ended; 0: half of what is free */
    uint64_t seed;
    enum placing placing;
    enum bind bind;
    enum control control;
    bool stats;       /* a window that counts contention beside each cell. Makes no other plan:
                         a run may get it later */
};

extern const struct settings settings_usual;

/* Sets the one of this letter, as in experiment_options. 0; -1 and a mistake; 1: there is no
 * such setting. */
int settings_take(struct settings *settings, int letter, const char *value, struct mistake *m);

struct plan {
    const char *name;   /* of the matrix; interned */
    char *source;       /* owned: the text that says all this, for the record */
    struct settings settings;
    int cores;          /* that this process may use */
    const char *conditions; /* interned: which processors they are, and what is set for malloc */
    size_t count;
    struct cell *cell;  /* owned; the control cells come first */
};

/* The product of the dials, which are completed, with builds that must be there; without the
 * cells for which `excluded` holds
 * (it may be NULL). `name` and `source` are copied. After topology_load. 0; or -1 and a
 * mistake, as when nothing is left. */
int plan_make(struct plan *plan, const char *name, const char *source, const struct dials *dials,
              const struct settings *settings,
              bool (*excluded)(const struct cell *cell, const void *with), const void *with,
              struct mistake *m);
void plan_free(struct plan *plan);

/* The order of block 1, 2, ...: the numbers 0 .. count-1. */
void plan_order(const struct plan *plan, int block, uint32_t *order);

/* How a window of this cell is measured. */
struct window plan_window(const struct plan *plan, const struct cell *cell);

/* Equal plans have equal hashes: of all cells, settings and conditions. 16 digits and a NUL. */
void plan_hash(const struct plan *plan, char hash[17]);

/* Seconds that a window of these settings takes, ramp and process and all. */
double plan_window_s(const struct plan *plan);

#endif
