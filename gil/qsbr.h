/* qsbr.h - when has every thread that may have been reading stopped doing so?
 *
 * Quiescent-state-based reclamation. A reader pays nothing: it neither locks nor writes.
 * Instead a thread says now and then that it reads nothing at the moment, at a safe point
 * and only when asked, and a thread that is detached reads nothing all the while. Whoever
 * has made memory unreachable for new readers waits until all have said so since.
 *
 * To choose, above epochs, hazard pointers and the like, where readers are short and safe
 * points frequent. Its weakness is an attached thread that reaches none: it holds back all
 * memory that anyone gives up, and qsbr_late names it.
 *
 * Time is one number, which rises with each batch of memory; each thread keeps the one it
 * last saw while it read nothing (thread->seen), or 0 while it is detached. So a goal is a
 * number, and whether it has passed a comparison per thread.
 *
 * Source: M. Desnoyers et al., User-level implementations of read-copy update, IEEE TPDS
 * 23(2), 2012; the numbers are those of FreeBSD's smr(9), as in CPython's InternalDocs/qsbr.md.
 */
#ifndef GIL_QSBR_H
#define GIL_QSBR_H

#include "gil/thread.h"

/* `t`, the calling thread, may read from now on: before its first read. */
void qsbr_enter(struct thread *t);

/* `t`, the calling thread, reads nothing any more until it enters again. */
void qsbr_leave(struct thread *t);

/* `t`, the calling thread, has entered, and reads nothing at this moment. */
void qsbr_quiet(struct thread *t);

/* The goal of what the caller has made unreachable before this call. */
uint64_t qsbr_goal(void);

/* Whether every thread has left, entered or been quiet since qsbr_goal returned `goal`: what
 * it was asked for may be freed. If not, and `ask`, those that have not are asked with
 * BREAKER_QUIET. */
bool qsbr_passed(uint64_t goal, bool ask);

/* The thread that has held memory back the longest: it is attached, and has not been quiet
 * since the last goal was set. NULL: there is none. It may be gone when the caller looks at
 * it, unless the caller knows that it is not. */
const struct thread *qsbr_late(void);

#endif
