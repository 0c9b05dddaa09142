/* stats.h - who counts whose objects, and what stands in the way.
 *
 * Which object is it that all threads fight for? A profiler shows the line of code that
 * waits, not the object, nor who made it. So every policy is built once more with
 * RC_STATS 1, and that build counts:
 *
 *   own, foreign  increments and decrements by the thread that made the object, by others
 *   retries       compare-and-swaps that failed, locks that another held
 *   merges        how often counts kept apart were put together
 *   the queue     of objects that wait until somebody merges or judges them: how long it
 *                 was, how long they waited, how many bytes they held back meanwhile
 *
 * It is slower, and says who contends, not how fast anything is. The ordinary build
 * carries none of it: there the functions below are empty.
 *
 * Entries. Every object has one: first that of the place where it was made, which all
 * objects of its type that were made there share; from publication on one of its own, so
 * that a hot object is told from its siblings. When there are no more of those, what is
 * published later stays with its place; when there are no more places, what is made at
 * others shares entry 0. So memory is bounded, and `crowded` says that the bound was met.
 *
 * A place is the type and the chain of the calls that led to object_new, innermost first:
 * who reads it can leave out the frames that are of no interest. It is found by frame
 * pointers; hence this build is compiled with them, and without sibling calls.
 *
 * Each thread counts in tallies of its own, one for every entry: the build adds no
 * contention of its own, but for two words that say how long the queue is.
 */
#ifndef OBJECTS_STATS_H
#define OBJECTS_STATS_H

#include "gil/mutex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef RC_STATS
#define RC_STATS 0
#endif

struct object;
struct rc;
struct type;

enum { STATS_FRAMES = 6 };

/* Where objects were made, or one object that was published, and what was done to it. */
struct contended {
    const struct type *type;         /* NULL: whatever found no entry */
    const void *frame[STATS_FRAMES]; /* return addresses, from object_new on; NULL: no more */
    bool alone;                      /* one object */
    uint64_t objects;                /* that were made there and have no entry of their own; 1 if
                                        alone */
    int threads;                     /* that have counted it */
    uint64_t own, foreign, retries;
};

struct stats {
    uint64_t own, foreign, retries, merges;
    uint64_t queued;                         /* objects, each as often as it was */
    uint64_t most_queued;                    /* at once */
    uint64_t most_held_bytes;                /* by those; as large as in the ordinary build */
    uint64_t delay_p50_ns, delay_p99_ns, delay_max_ns; /* from queued to merged or judged */
    bool crowded;                            /* there were more entries wanted */
    bool incomplete;                         /* there was no memory to count all */
    size_t count;
    struct contended *contended;             /* owned: entries with foreign counts or retries */
};

/* Forgets what was counted, but not which entries there are. No other thread counts. */
void stats_begin(void);

/* What was counted since. No other thread counts, and counts are quiesced. In builds without
 * RC_STATS nothing. To be freed. */
void stats_take(struct stats *stats);
void stats_free(struct stats *stats);

#if RC_STATS
/* Of each object. */
struct object_stats {
    uint32_t maker;     /* set once: the number of its thread; 0: nobody's */
    uint32_t entry;     /* set when made; once more when published, by who alone sees it */
    uint64_t queued_ns; /* who queues it, then who takes it from there; 0: it is not queued */
};

/* For object.h and object.c: it was just made; a reference was taken or dropped; it is about
 * to be published. */
void stats_made(struct object *o);
void stats_count(const struct object *o);
void stats_published(struct object *o);

/* For policies; `rc` begins an object. A failed compare-and-swap, or a lock that was held;
 * NULL if it was about no object: then it is in the sum alone. */
void rc_note_retry(const struct rc *rc);

/* Counts kept apart were put together: of one object, or of all that a thread had. */
void rc_note_merge(void);

/* It waits from now on; and until now, if it did. Both by who may touch the queue. */
void rc_note_queued(struct rc *rc);
void rc_note_drained(struct rc *rc);
#else
static inline void rc_note_retry(const struct rc *rc)
{
    (void)rc;
}

static inline void rc_note_merge(void)
{
}

static inline void rc_note_queued(struct rc *rc)
{
    (void)rc;
}

static inline void rc_note_drained(struct rc *rc)
{
    (void)rc;
}
#endif

/* mutex_lock, for the sake of the counts of `rc`; NULL: of no object, or of many. */
static inline void rc_lock(struct mutex *lock, const struct rc *rc) ACQUIRES(lock) NO_LOCK_ANALYSIS
{
#if RC_STATS
    if (pthread_mutex_trylock(&lock->os) == 0)
        return;
#endif
    rc_note_retry(rc);
    mutex_lock(lock);
}

#endif
