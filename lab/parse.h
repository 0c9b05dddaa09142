/* parse.h - what a user may write for names, variants, modes and numbers.
 *
 *     fib,echo                          names
 *     interval:interval_us=500:force=0  a variant: a name, then its parameters
 *     gil,biased+none,locked            modes: below
 *     all   plain+all                   every name; every lock with this policy
 *     1,2,4  or  1..4                   numbers
 *     cores  2*cores  cores/2  1..cores of this machine; after topology_load
 *     0.25  250ms  5 min                times
 *     3%  or  0.03                      shares
 *     512M  or  2 GiB                   sizes
 *
 * A mode is a refcount policy and a global lock. Three have names of their own (`gil`
 * `atomic` `nolock`); any pair is written POLICY+LOCK; and a policy that needs no lock
 * stands for POLICY+none. Parameters behind a mode are its lock's.
 *
 * All functions: 0; or -1 and a mistake, and `out` holds nothing of use. Nothing may
 * stand in a list twice.
 */
#ifndef LAB_PARSE_H
#define LAB_PARSE_H

#include "gil/param.h"
#include "lab/mistake.h"

#include <stdint.h>

struct gil_class;
struct runtime;

enum { LIST_MAX = 128, NUMBERS_MAX = 1024, LABEL_MAX = 128 };

/* One of a registry. */
struct variant {
    char label[LABEL_MAX]; /* as typed */
    int index;             /* in the registry */
    int64_t param[PARAM_MAX];
};

struct variants {
    int count;
    struct variant item[LIST_MAX];
};

struct mode {
    char label[LABEL_MAX]; /* as typed */
    const struct runtime *runtime;
    const char *lock_name;
    const struct gil_class *lock;
    int64_t param[PARAM_MAX]; /* the lock's, for gil_new */
};

struct modes {
    int count;
    struct mode item[LIST_MAX];
};

struct numbers {
    int count;
    int64_t item[NUMBERS_MAX];
};

/* The modes that have a name of their own. */
struct named_mode {
    const char *name;
    const char *policy, *lock;
    const char *about;
};

extern const struct named_mode mode_list[]; /* ends with a NULL name */

int parse_workloads(const char *text, struct variants *out, struct mistake *m);
int parse_units(const char *text, struct variants *out, struct mistake *m);
int parse_locks(const char *text, struct variants *out, struct mistake *m);
int parse_policies(const char *text, struct variants *out, struct mistake *m);
int parse_heaps(const char *text, struct variants *out, struct mistake *m);
int parse_modes(const char *text, struct modes *out, struct mistake *m);

/* `what` begins the mistake: "--threads: 'x' is not a number from 1 to 1024". */
int parse_number(const char *what, const char *text, int64_t least, int64_t most, int64_t *out,
                 struct mistake *m);
int parse_numbers(const char *what, const char *text, int64_t least, int64_t most,
                  struct numbers *out, struct mistake *m);

int parse_seconds(const char *what, const char *text, double least, double most, double *out,
                  struct mistake *m);
int parse_share(const char *what, const char *text, double *out, struct mistake *m);
int parse_bytes(const char *what, const char *text, uint64_t *out, struct mistake *m);

#endif
