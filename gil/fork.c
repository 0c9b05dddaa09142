/* fork.c - what is taken before a fork, and made anew after it.
 *
 *   1. world.lock and the buckets of the lot are held by the caller while it forks. So in both
 *      processes nobody is in the middle of them, and it is the caller that lets go;
 *   2. conditions have no holder, but they count who waits, and in the child those are gone:
 *      they are made anew there. So are the lists, for who stands on them is gone;
 *   3. the global lock can not be taken so: the caller may hold it, or another, and for long.
 *      Its memory in the child is given up, and nothing there points to it any more.
 *
 * Of other locks of this floor the watchdog's is left alone, and the child with it: it guards a
 * thread that the child has not. gil/qsbr.c looks at numbers, and at the list of threads;
 * gil/bytelock.c has bytes in objects, which the child must not touch.
 */
#include "gil/fork.h"

#include "gil/gil.h"
#include "gil/lot.h"
#include "gil/thread.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

/* No lock is held, so it may be one that starts a thread of its own. */
static void begin_anew(struct gil **gil)
{
    *gil = gil_new((*gil)->class, (*gil)->param);
    if (*gil && thread_self)
        thread_begin_anew(thread_self, *gil);
}

pid_t thread_fork(struct gil **gil)
{
    pid_t child;
    int error;

    assert(!thread_self || thread_self->gil == *gil);
    world_before_fork();
    lot_before_fork();
    child = fork();
    error = errno;
    lot_after_fork(child == 0);
    world_after_fork(child == 0);
    errno = error;
    if (child == 0)
        begin_anew(gil);
    return child;
}
