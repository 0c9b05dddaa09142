/* recruit.h - a thread that becomes one of the runtime, like the one that starts it.
 *
 * Under the same global lock, with the same hooks. It belongs to nobody and is joined by
 * nobody: whoever must know that it has gone is told by `after`, when it is no thread of the
 * runtime any more. For the end of a program there is recruit_join_all.
 */
#ifndef COROUTINES_RECRUIT_H
#define COROUTINES_RECRUIT_H

#include "gil/thread.h"

/* Filled in by who starts it; the rest is recruit.c's. */
struct recruit {
    const char *name; /* copied, as far as it fits */

    /* What it does, attached. `r` may be gone after recruit_ready(r), which it must call. */
    void (*body)(struct thread *self, struct recruit *r);

    /* Called with `kept` when it has left the runtime; may be NULL. */
    void (*after)(void *kept);
    void *kept;

    const struct thread *like; /* set once; who starts it */
    int error;                 /* errno of the start; 0 */
    _Atomic uint32_t ready;    /* block.h */
};

/* Starts it and waits, detached, until it has said that it is ready. 0, or an errno, and
 * then neither function is called. */
int recruit_start(struct recruit *r);

/* By the body: it has taken from `r` what it needs. */
void recruit_ready(struct recruit *r);

/* Waits, detached, until all that were ever started have left. */
void recruit_join_all(void);

#endif
