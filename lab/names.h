/* names.h - looking a name up in a table, and suggesting the nearest.
 *
 * Every registry is an array of structs that begin with `const char *name`: runtimes,
 * locks, workloads, heaps, demos, commands, parameters. One view of them all serves
 * for finding and for saying what there is.
 */
#ifndef LAB_NAMES_H
#define LAB_NAMES_H

#include "gil/param.h"
#include "lab/mistake.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct names {
    const char *kind;    /* "workload": what one of them is called */
    const void *first;   /* the table; a NULL name ends it */
    size_t stride_bytes; /* of an entry */
    int most;            /* entries, of a table that may be full and then has no end */

    /* May be NULL. What is hidden is found by its exact name, but neither suggested
     * nor listed. */
    bool (*hidden)(const void *entry);
};

/* The view of an array of structs that begin with a name. */
#define NAMES_OF(kind, table) ((struct names){ kind, table, sizeof *(table), INT_MAX, NULL })

/* The registries. Those of a runtime are the same in all. `policies` hides the audited
 * builds. */
struct names names_policies(void); /* indexes runtime_list */
struct names names_locks(void);    /* indexes gil_list */
struct names names_workloads(void);
struct names names_units(void);
struct names names_heaps(void);
struct names names_demos(void);
struct names names_micros(void);
struct names names_params(const struct param *table /* of PARAM_MAX */);

/* The name at `index`; NULL at the end. */
const char *names_at(const struct names *names, int index);

/* Whether it is neither suggested nor listed. */
bool names_hidden(const struct names *names, int index);

/* Its index; or -1 and "unknown workload 'fbi'; did you mean 'fib'? there are: ...". */
int names_find(const struct names *names, const char *name, struct mistake *m);

/* As names_find, after somebody else has looked: fills the mistake, -1. */
int names_unknown(const struct names *names, const char *name, struct mistake *m);

/* The nearest by edit distance that is not hidden, if it is near: one edit in three
 * letters. An edit inserts, deletes or changes a letter or swaps two neighbours. */
const char *names_nearest(const struct names *names, const char *name);

#endif
