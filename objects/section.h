/* section.h - a container locks itself, if no GIL does it already.
 *
 * Between section_begin and section_end no other thread is in a section of the same
 * container: by its mutex where threads have locks_containers, and else because a GIL
 * lets one thread run at a time and the section has no safe point. Where there is
 * neither (plain counts, no lock: the accident that the lab measures) nothing is
 * excluded, and containers say what then still holds.
 *
 * In a section: no decref of what the container held, since a destructor may run
 * anything, also an operation on this container; so no exception either, for setting
 * one drops the last. No safe point, and no call that waits.
 *
 * The bodies of these two are the only code that is exempt from the lock analysis.
 */
#ifndef OBJECTS_SECTION_H
#define OBJECTS_SECTION_H

#include "gil/attributes.h"
#include "gil/mutex.h"
#include "gil/thread.h"

static inline void section_begin(struct mutex *m) ACQUIRES(m) NO_LOCK_ANALYSIS
{
    if (thread_self->locks_containers)
        mutex_lock(m);
}

static inline void section_end(struct mutex *m) RELEASES(m) NO_LOCK_ANALYSIS
{
    if (thread_self->locks_containers)
        mutex_unlock(m);
}

/* Tells the analysis that no other thread can reach the container: it is being made,
 * published or destroyed. */
static inline void section_alone(const struct mutex *m) LOCK_ATTRIBUTE(assert_capability(m))
{
    (void)m;
}

#endif
