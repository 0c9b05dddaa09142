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
 * For clang's lock analysis there is one capability, `section_held`, for all containers,
 * since in C it cannot name the mutex beside a field. So it does not see that a section
 * of one container is used for another; but it does see a field that is touched outside
 * of any, and a section within a section. The bodies of section_begin and section_end are
 * the only code that is exempt from it.
 */
#ifndef OBJECTS_SECTION_H
#define OBJECTS_SECTION_H

#include "gil/attributes.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct CAPABILITY("section") section {
    char unused;
};

extern struct section section_held; /* for the analysis: there is no such object */

static inline void section_begin(struct mutex *m) ACQUIRES(section_held) NO_LOCK_ANALYSIS
{
    if (thread_self->locks_containers)
        mutex_lock(m);
}

static inline void section_end(struct mutex *m) RELEASES(section_held) NO_LOCK_ANALYSIS
{
    if (thread_self->locks_containers)
        mutex_unlock(m);
}

/* Tells the analysis that no other thread can reach the container: it is being made,
 * published or destroyed. */
static inline void section_alone(void) LOCK_ATTRIBUTE(assert_capability(section_held))
{
}

#endif
