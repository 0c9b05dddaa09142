/* biased_suspend.h - biased, but nobody waits for an owner that is detached.
 *
 * In `biased` what others drop waits for its owner, and an owner that is blocked in a call
 * lets it wait for as long as that takes: memory is held back without bound. Here whoever
 * finds the owner detached holds it there (thread_hold, the step by which a world is
 * stopped), merges everything that waits for it, in its name, and lets it go.
 *
 * To choose where threads that make objects for others also wait. The price is paid by
 * who drops: beside the queue's lock a compare-and-swap of the owner's state and the
 * world's lock, for each object that is dropped while its maker is detached.
 *
 * So at any time at most those objects wait which were dropped since their owner, being
 * attached, last passed a safe point.
 *
 * Source: the cure that CPython gh-157838 (2026) proposes for PEP 703's queue. All else is
 * biased.h, and so is the code.
 */
#ifndef OBJECTS_REFCOUNT_BIASED_SUSPEND_H
#define OBJECTS_REFCOUNT_BIASED_SUSPEND_H

#include "objects/policy.h"

#define RC_SUSPENDS 1
#include "objects/refcount/biased.h"

static const struct policy rc_policy = {
    .about = "biased; what waits for an owner that is detached is merged by those who drop",
    .cost = "owner: a compare and one add to memory; others: one locked read-modify-write",
    .space = "24 bytes",
    .threads = "any; destructors run where the last reference is dropped, or later in the owner",
    .needs = "safe points, thread hooks, and to hold a detached thread",
    .paper = "CPython gh-157838, 2026, on top of biased",
};

#endif
