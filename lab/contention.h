/* contention.h - what the build that counts found, with names: objects/stats.h for readers. */
#ifndef LAB_CONTENTION_H
#define LAB_CONTENTION_H

#include "lab/sites.h"
#include "objects/stats.h"

#include <stdbool.h>
#include <stdint.h>

enum { HOT_MOST = 10, TYPE_BYTES = 32 };

/* One object, or those of a type that were made at one site and are not hot: each of them has
 * less than a hundredth of all foreign counts and retries. */
struct hot {
    char type[TYPE_BYTES]; /* "?": whatever found no entry */
    char site[SITE_BYTES];
    bool alone;
    uint64_t objects; /* as struct contended; so are the others */
    int threads;      /* that counted it; of several objects: the most of any */
    uint64_t own, foreign, retries;
};

struct contention {
    uint64_t own, foreign, retries, merges; /* as in struct stats, what follows too */
    uint64_t queued, most_queued, most_held_bytes;
    uint64_t delay_p50_ns, delay_p99_ns, delay_max_ns;
    bool crowded, incomplete;
    int count;
    struct hot hot[HOT_MOST]; /* by foreign counts and retries, the most first */
};

/* To be freed; NULL: no memory. The threads of the runtime have ended. */
struct contention *contention_name(const struct stats *stats);

#endif
