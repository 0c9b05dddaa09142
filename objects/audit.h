/* audit.h - runs that are not safe: made harmless by parking, made countable by tallies.
 *
 * With `plain` counts and no lock, counts go wrong, and a wrong count that reaches
 * zero would free what others still use. So that such a run can be measured and does
 * not crash, while `parking` is on a published object is kept when its count reaches
 * zero: memory, type and contents intact, its destructor postponed. What was never
 * published is freed as ever, for only its own thread can see it.
 *
 * Every object that is published meanwhile is entered in a register, one per thread,
 * so that the end finds all of them again, leaked ones too, and gives them back. The
 * bound is therefore on what was published, not only on what was parked.
 *
 * The audited build of a policy (RC_AUDIT 1) also tallies, for each thread on its own,
 * what it did to each published object. No tally is shared, so the counts race as
 * they do without. At the end, for each object,
 *
 *   truth = its references when it was published + the sum of all tallies
 *   wrong = its count - truth
 *   early = it was freed, and then a thread counted it once more, or truth > 0
 *   leaked = it was never freed, though nobody holds it any more
 *
 * `early` is right because after a rightful free nobody has a reference that could be
 * dropped or copied; while after one that came too early a reference is left, and is
 * either dropped in the end, which is seen, or not, and then truth > 0. (Seen as early,
 * too, and no less an accident: a thread that took its reference from a place that had
 * just let go. Not seen: a last use in the very instant of the free.)
 */
#ifndef OBJECTS_AUDIT_H
#define OBJECTS_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object;

/* What went wrong in an unsafe run. */
struct damage {
    uint64_t published; /* objects that other threads could see */
    uint64_t freed;     /* of these: their count reached zero, and they were parked */
    uint64_t leaked;    /* the others */
    size_t kept_bytes;  /* of all published objects, and of the books on them */
    size_t bound_bytes;
    bool incomplete;    /* there was no memory for the books: there was more than this */

    /* Known to an audited build only, else 0. The net miscount is over - under. */
    uint64_t off;       /* objects whose count is wrong */
    uint64_t over;      /* references that wrong counts have too many, in sum */
    uint64_t under;     /* and too few */
    uint64_t early;     /* objects freed while somebody still used or held them */
};

enum { PARKING_BOUND_BYTES = 256 << 20 };

/* Set by parking_begin and parking_end, when there are no other threads. */
extern bool parking;

/* From now on published objects are kept. Before the first is published. */
void parking_begin(size_t bound_bytes);

/* Whether the bound has been reached, or memory for the books ran out, so that the
 * run should end. For any thread, attached or not. Nothing stops threads from going
 * on: ask every few milliseconds. */
bool parking_full(void);

/* The caller is attached, all other threads have stopped, and nobody holds a published
 * object: runs the destructors that were postponed, says what went wrong, and
 * gives all the memory back. Published objects do not exist any more. */
void parking_end(struct damage *damage);

/* For object.c and object.h, while parking: the object is about to be published; its
 * count has reached zero, true if it is kept; a reference was taken (1) or dropped
 * (-1), and it has a number in the tallies. */
void parking_enter(struct object *o);
bool park(struct object *o);
void audit_tally(struct object *o, int change);

#endif
