/* watchdog.h - names the threads that pass no safe point.
 *
 * A thread that computes and passes no safe point keeps the lock from all others, and no
 * stopped world, no merge and no signal reaches it; from outside, the program hangs. Who
 * it is can be seen without a word in the fast path: the watchdog asks each attached
 * thread by a bit of its breaker, as anybody asks for anything, and looks later whether
 * it was answered. A safe point answers it, and so does detaching; a thread that is
 * detached need not.
 *
 * One at a time.
 */
#ifndef GIL_WATCHDOG_H
#define GIL_WATCHDOG_H

#include <stdint.h>

struct thread;

/* `since_ns`: for so long it has passed none, and at most a quarter of the patience more.
 * Runs with world.lock held: it may read the thread's name. */
typedef void watchdog_tell(const struct thread *late, uint64_t since_ns);

/* A thread of its own, which looks four times in the time of `patience_ns`, but at least
 * once a second; and tells of each thread that has passed none for so long, again when that
 * time has doubled. 0; -1 and errno: no such thread. */
int watchdog_start(uint64_t patience_ns, watchdog_tell *tell);

/* If it runs. */
void watchdog_stop(void);

/* One look, at this moment of the clock: what the thread does, for those who have a clock of
 * their own. */
void watchdog_look(uint64_t now_ns, uint64_t patience_ns, watchdog_tell *tell);

#endif
