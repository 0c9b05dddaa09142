/* interpreter.h - threads with a lock, a register of containers and a collector of their own.
 *
 * Several runtimes in one address space: no thread of one ever touches an object of another, so
 * each may have a global lock to itself, and they compute at the same time. To choose where
 * processes would do, but for their memory, their start and their messages.
 *
 * The threads of one lock are an interpreter, from interpreter_begin to interpreter_end; those of
 * all other locks are one together. An interpreter's containers stand in parts of the register
 * that only its threads take, and its collector looks at no others and stops no other threads.
 * What all have in common is guarded by other means than a global lock, or written once: see
 * docs/decisions/35-isolation.md. That no object gets from one to another is for the program to
 * see to, and nothing looks.
 *
 * Where the books of a policy are everybody's (RC_HAS_QUIESCE), only a stop of all threads makes
 * its counts exact. Under those the interpreters have locks of their own, and one register and
 * one collector, which counts with the world stopped. It then ends what it found on the thread that
 * collects, under that one's lock: so a finally block of one interpreter must not change containers
 * that another one's threads use, if their locks exclude (no isolated workload does).
 *
 * Source: E. Snow, PEP 684: A Per-Interpreter GIL, 2022.
 */
#ifndef OBJECTS_INTERPRETER_H
#define OBJECTS_INTERPRETER_H

#include "gil/gil.h"
#include "gil/thread.h"
#include "objects/collector.h"

#include <stdatomic.h>

/* What collector.c keeps of each. */
struct collector_books {
    _Atomic bool busy;      /* atomic; what says `busy` belongs to who has set it */
    _Atomic uint64_t young; /* atomic; slots that became young since the last collection */
    uint64_t grown_old;     /* busy; survivors of young collections since the last of all */
    uint64_t old;           /* busy; survivors of the last of all */
    struct pauses pauses[GENERATIONS]; /* busy */
};

struct interpreter {
    struct thread_world world; /* first: gil->world points to it */
    struct part *parts, *idle; /* the register's lock (container.c): all of its; those that no
                                  thread owns */
    struct collector_books collector;
    struct interpreter *next, **link; /* interpreters.lock; of those that have begun */
};

/* That of all locks that have none of their own. */
extern struct interpreter interpreter_main;

/* The calling thread's, which is one of the runtime. */
static inline struct interpreter *interpreter_self(void)
{
    struct thread_world *world = thread_self->gil->world;

    return world ? (struct interpreter *)world : &interpreter_main;
}

/* The threads of this lock, of which there are none yet, are to be an interpreter. 0, or -1 and
 * ENOMEM. */
int interpreter_begin(struct gil *gil);

/* The last of them has left. What it has not freed is the main interpreter's; so is what it tells
 * of its collections. May be called if it never began. */
void interpreter_end(struct gil *gil);

/* Calls `visit` for the main one and all that have begun, none of which ends meanwhile. */
void interpreter_each(void (*visit)(struct interpreter *i, void *argument), void *argument);

#endif
