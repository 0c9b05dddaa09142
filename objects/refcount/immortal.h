/* immortal.h - plain counts, and objects that are not counted at all.
 *
 * What everybody uses (a class, a function, a constant) is written by everybody who
 * counts it, though nobody changes it: its cache line travels, and the pages that a
 * forked child shares are copied. So a count above a threshold means that the object
 * lives for ever: it is compared, and never written. That comparison is paid at every
 * count of every object: it made the first form of PEP 683 2 to 4 % slower.
 *
 * To choose beside `plain`, to see what the test costs; and without a GIL, to see a hot
 * object scale whose users all leave its count alone. CPython 3.13t made functions, code,
 * classes and modules immortal as soon as a second thread started. The price is memory:
 * what has been marked hot is given back when the runtime ends, and not before.
 *
 * Source: E. Snow, E. Elizarov, PEP 683, Immortal Objects, Using a Fixed Refcount, 2021.
 *
 * The threshold. PEP 683 tests one bit of a count of 32 bits, 2^31, and starts
 * immortal objects at 3 * 2^30, amid those that have it. Our word has 64, so both are free:
 *
 *   1. RC_COUNT_MOST is 2^30. A reference that is held is a pointer that stands somewhere,
 *      so that many fill 8 GiB: who gets there pays with one object that is not freed. And
 *      it fits the 32 bits of an instruction's constant: the test takes no register.
 *   2. Below it counts are as `plain`'s. The increment that passes it is the last
 *      write: incref saturates. A count below zero, which comes of lost updates only, is
 *      no sign of immortality, as it would be if the test were of the sign.
 *   3. Immortal objects have IMMORTAL, as far from the threshold as from overflow: not
 *      every addition is of a thread that has seen it. Without a GIL a thread may
 *      compare, then another make the object immortal, then the first add 1 to memory. Each
 *      thread can do so once, and 2^62 have room.
 *   4. Without a GIL a thread may also store a count that it had loaded before another made
 *      the object immortal. No distance helps: the object is mortal again, with a count
 *      that is right but for what was lost since, and may be freed while it is in use
 *      and again at the end. That is what the lack of a lock does to any plain count; what
 *      keeps such a run from crashing is the parking of published objects (audit.h), which
 *      takes a second end for the first. Saturation undone so is harmless: there are 2^30
 *      references to drop before it matters.
 *
 * Invariant (under a GIL): count is the number of references held, and 0 means being
 * destroyed; or it is above RC_COUNT_MOST, and nothing changes it any more.
 */
#ifndef OBJECTS_REFCOUNT_IMMORTAL_H
#define OBJECTS_REFCOUNT_IMMORTAL_H

#include "gil/attributes.h"
#include "objects/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RC_NEEDS_GIL 1
#define RC_HAS_HOT 1
#define RC_HAS_FINISH 1

/* In test builds no more than a test can take, and none but the one for it takes. */
#ifdef NDEBUG
#define RC_COUNT_MOST (1 << 30)
#else
#define RC_COUNT_MOST (1 << 27)
#endif
#define IMMORTAL (INT64_MAX / 2)

static const struct policy rc_policy = {
    .about = "one ordinary counter per object; what is marked hot is not counted any more",
    .cost = "a compare and one add to memory; immortal: the compare",
    .space = "8 bytes, and 8 for each object that was marked hot",
    .threads = "one at a time; destructors run where the last reference is dropped, or at the end",
    .needs = "a GIL",
    .paper = "E. Snow, E. Elizarov, Immortal Objects, PEP 683, 2021",
};

typedef struct rc {
    int64_t count; /* gil */
} rc_t;

SLOW_PATH void immortal_keep(rc_t *rc);
SLOW_PATH void immortal_give_back(void);

static inline bool is_immortal(const rc_t *rc)
{
    return rc->count > RC_COUNT_MOST;
}

static inline void rc_init(rc_t *rc)
{
    rc->count = 1;
}

static inline void rc_immortal(rc_t *rc)
{
    rc->count = IMMORTAL;
}

static inline void rc_incref(rc_t *rc)
{
    if (likely(!is_immortal(rc)))
        rc->count++;
}

static inline bool rc_decref(rc_t *rc)
{
    return likely(!is_immortal(rc)) && --rc->count == 0;
}

static inline bool rc_try_incref(rc_t *rc)
{
    if (rc->count == 0)
        return false;
    rc_incref(rc);
    return true;
}

static inline int64_t rc_count(const rc_t *rc)
{
    return is_immortal(rc) ? INT64_MAX : rc->count;
}

/* If there is no memory to remember it by, the object stays mortal. */
static inline void rc_mark_hot(rc_t *rc)
{
    immortal_keep(rc);
}

static inline void rc_finish(void)
{
    immortal_give_back();
}

#if RC_IMPLEMENTATION

#include "gil/mutex.h"

#include <stdlib.h>

/* object.c provides it (refcount.h). */
void rc_destroy_all(rc_t *const *all, size_t count);

/* What has been marked hot. A mutex, and not the GIL, for without one counts may go
 * wrong but nothing may crash. */
static struct {
    struct mutex lock; /* held while one is added; takes no other */
    rc_t **all;        /* lock */
    size_t count;      /* lock */
    size_t room;       /* lock */
} hot = { .lock = MUTEX_INIT };

static bool hot_has_room(void) REQUIRES(hot.lock)
{
    size_t room = hot.room ? 2 * hot.room : 64;
    rc_t **more;

    if (hot.count < hot.room)
        return true;
    more = realloc(hot.all, room * sizeof *more);
    if (!more)
        return false;
    hot.all = more;
    hot.room = room;
    return true;
}

void immortal_keep(rc_t *rc)
{
    mutex_lock(&hot.lock);
    if (!is_immortal(rc) && hot_has_room()) {
        hot.all[hot.count++] = rc;
        rc->count = IMMORTAL;
    }
    mutex_unlock(&hot.lock);
}

/* They stay immortal to the end: they may hold one another, and a destructor that drops
 * such a reference must find nothing to do. No other thread is left. */
void immortal_give_back(void) NO_LOCK_ANALYSIS
{
    rc_destroy_all(hot.all, hot.count);
    free(hot.all);
    hot.all = NULL;
    hot.count = hot.room = 0;
}

#endif

#endif
