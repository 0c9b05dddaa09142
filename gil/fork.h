/* fork.h - a new process out of a running one, though its threads are gone.
 *
 * After fork the child has one thread and a copy of all memory, locks included. A lock that
 * another thread held at that moment is held for ever, by nobody. So the child gets a global
 * lock of its own, new and free, and what this floor has of locks, the list of threads and the
 * parking lot, is taken before the fork and so in order after it, in both processes.
 *
 * In the child
 *   - the caller is the one thread: of the runtime, if it was, attached if it was, and then it
 *     holds the new lock. Whoever else was attached, detached, queued, stopped, or had stopped
 *     the world is gone, and so is what they had asked of the caller. The world runs, even if
 *     the caller had stopped it, which then must not start it;
 *   - it may attach and detach, pass safe points, stop the world, start threads under the new
 *     lock and wait for them. (POSIX promises less: only what a signal handler may do. glibc and
 *     jemalloc put their own locks in order.)
 *   - it has no hooks and must not touch an object, for what the floors above guard by mutexes,
 *     or own by thread, may have been in somebody's hands: an object's count may be owed to a
 *     thread that is gone. It may make no new ones either. So a child that is to do more than
 *     report, wait or exec must exec;
 *   - it has no watchdog (gil/watchdog.h), and must not start or stop one;
 *   - the old lock must not be used, nor deleted: it lies where it lay, as it was.
 *
 * That is what CPython does (PyOS_AfterFork_Child), but that it makes the old lock anew in place
 * and keeps the objects of the child's thread.
 */
#ifndef GIL_FORK_H
#define GIL_FORK_H

#include <sys/types.h>

struct gil;

/* Forks. The caller is any thread; `*gil` is a lock that nobody watches (gil/watch.h), and if the
 * caller is a thread of the runtime, its own. Returns as fork does: -1 and errno, with nothing
 * changed. In the child `*gil` is the new lock, of the class and the parameters of the old one; or
 * NULL, with errno, if that could not be made, and then the child must not call this floor any
 * more. In the parent all is as before. */
pid_t thread_fork(struct gil **gil);

#endif
