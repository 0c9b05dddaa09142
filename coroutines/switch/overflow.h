/* overflow.h - the name of the fiber that has run off its stack.
 *
 * A fiber that touches its guard gets SIGSEGV, and where it stands there is no room for a
 * handler. So each thread that wants to know has another stack for signals, and on it
 * a handler says on standard error
 *
 *      coroutine 'fetch' has overflowed its stack of 64 KiB
 *
 * and hands the signal to who had it before, or else to the kernel, by which the process dies as
 * it would have, with the same status and a core dump of the same place. Any other SIGSEGV is
 * handed on without a word.
 *
 * The signal is the process's, so nothing of this happens unless it is asked for.
 */
#ifndef COROUTINES_SWITCH_OVERFLOW_H
#define COROUTINES_SWITCH_OVERFLOW_H

struct carrier;

/* Of the calling thread's fibers an overflow is reported from now on. The thread keeps the stack
 * for signals that it has, if any. 0; -1 and errno: no memory for one. */
int overflow_watch(struct carrier *t);

/* Before the thread ends: gives up the stack for signals that overflow_watch has made. */
void overflow_unwatch(struct carrier *t);

#endif
