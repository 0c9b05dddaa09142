/* greenlet.h - functions with a stack of their own that pass control to one another as equals.
 *
 * A greenlet runs when somebody switches to it, and until it switches to another, whichever that
 * is: there is no caller to go back to. What is passed on the way is what the other's own switch
 * returns. One that has not begun calls its function with it:
 *
 *      a: x = greenlet_switch(b, 1)  ------->  b: y = greenlet_switch(a, 2)     y is 3
 *         x is 2                     <-------
 *         greenlet_switch(b, 3)      ------->
 *
 * To choose before a generator where a function must be left from deep within others that know
 * nothing of it: so a library that blocks can be made to wait (coroutines/hub.h). The price is a
 * stack, some 4 KiB of it in use.
 *
 * *Parents.* Each greenlet but a thread's first has a parent, and together they are a tree. What
 * a function returns or raises goes to the parent, as if by a switch; if that has ended, to the
 * parent's parent. The first, the thread's *main* greenlet, is what ran before there was any; it
 * ends with the thread. GreenletExit is no error: a greenlet that ends with it has returned it.
 *
 *      UNSTARTED --switch--> STARTED (runs, or was left) --function ends--> DEAD
 *          |                                                                 ^
 *          +-----throw: the function is never called-------------------------+
 *
 * *Threads.* A greenlet belongs to its parent's thread, and never leaves it: others may hold it and
 * ask about it, and get greenlet.error if they switch to it. A thread takes its greenlets with it:
 * when it ends, those that are suspended get GreenletExit, held or not; so of one that has outlived
 * its thread no code is left to run.
 *
 * *What belongs to a stack* is left and found again with it: the exceptions that it handles
 * (struct handling), and its critical sections (objects/section.h). A switch gives up the locks of
 * the sections that it is in, as any wait does, and takes them again when it comes back; a
 * thread that keeps_sections keeps them.
 *
 * *The end.* When nobody holds a suspended greenlet any more, GreenletExit is raised where it
 * stands, at once and by whoever dropped it, who goes on when it has ended, or has switched
 * there. An error that it ends with goes to the hook of warning.h. It may handle the exception, and
 * go on. No object comes back to life here (type.h), but a stack may: the first greenlet_current
 * on it makes a new greenlet around it, and if somebody holds that by the time whoever dropped
 * the old one goes on, it lives. If nobody does, it has "ignored GreenletExit": the stack is
 * freed, without being unwound, and what only it held is leaked (greenlets_leaked).
 *   If the last reference is dropped on another thread, the stack waits for its own, which ends
 * it at its next call here, turn of a loop or end.
 *
 * *The collector* cannot look into stacks. A cycle that is held together by a reference on one,
 * in a variable, stays. What stands in slots that it is told of (greenlet_hold) it sees, and what
 * a struct handling has; and of a stack that is freed without being unwound those are dropped.
 *
 * All functions need an attached thread, and that nothing is pending. They are for the greenlet's
 * own thread, but for those that say "any thread". Whoever calls keeps the greenlet alive until
 * it is entered. NULL or -1: an exception is pending.
 *
 * Semantics are those of greenlet 2.0.2 for CPython 3.11, but for what is said here of threads that
 * end and of coming back to life, that set_parent refuses another thread's always, and that a
 * GreenletExit which is passed to one that begins is its argument (there it is lost).
 *
 * Sources: greenlet (A. Rigo, C. Tismer, J. Madden and others), docs/greenlet.rst, greenlet_gc.rst,
 * python_threads.rst; locks across a switch: its issues 513 and 518; symmetric transfer of
 * control: M. Conway, Design of a Separable Transition-Diagram Compiler, CACM 6(7), 1963.
 */
#ifndef COROUTINES_GREENLET_H
#define COROUTINES_GREENLET_H

#include "objects/exception.h"
#include "objects/object.h"

extern const struct type greenlet_type;

/* One that will call `function`. Any thread. `parent` may be NULL: the current greenlet. NULL:
 * MemoryError, or TypeError: the parent is none. */
struct object *greenlet_new(borrowed function, borrowed parent);

/* Goes on with `g`; if that has ended, with its parent. A new reference: what somebody switches
 * back with. `value` may be NULL: a function that begins gets no argument then, and any other
 * None. NULL: what is thrown here; greenlet.error, it is another thread's; MemoryError: no stack
 * for one that begins. */
struct object *greenlet_switch(borrowed g, borrowed value);

/* The same, but there the exception is raised; NULL: a GreenletExit. */
struct object *greenlet_throw(borrowed g, struct object *exception /* steals, also on failure */);

/* The one that runs. The thread's main greenlet is made when this, or greenlet_new without a
 * parent, is called for the first time. NULL: MemoryError. */
struct object *greenlet_current(void);

/* Any thread. Whether it has ended, and whether it has begun (and perhaps ended). */
bool greenlet_dead(borrowed g);
bool greenlet_started(borrowed g);

/* Any thread. NULL, and nothing is pending: it is a main greenlet. */
struct object *greenlet_parent(borrowed g);

/* -1: TypeError, `parent` is no greenlet; ValueError, "cyclic parent chain" or "parent cannot be
 * on a different thread"; AttributeError, `g` is a main greenlet. */
int greenlet_set_parent(borrowed g, borrowed parent);

/* Ends what other threads have dropped: for who runs for long without a call to the others. Does
 * nothing on a thread that has no greenlets. And whether there is any, by now; false as well. */
void greenlet_collect_foreign(void);
bool greenlet_foreign_waits(void);

/* From now on `wake` is called when another thread has dropped one, by that thread: so a loop that
 * sleeps is told to turn. It must not block, nor touch objects. NULL: nobody is told. A hub
 * (coroutines/hub.h) sets its own. 0, or -1: MemoryError. */
int greenlet_set_waker(void (*wake)(void *argument), void *argument);

/* By the main greenlet: ends all others of the thread, and forgets the main one, as the thread's
 * end does. Another call begins anew. Nothing where the thread has no greenlets. */
void greenlet_close(void);

/* How many stacks were freed without being unwound, since the process began. */
uint64_t greenlets_leaked(void);

/* How many suspended greenlets the calling thread has. */
size_t greenlets_suspended(void);

/* A word of the greenlet that runs, for who has something begin and end in it (patch.h); NULL at
 * first. NULL: the thread has no greenlets. */
void **greenlet_word(void);

/* Slots on a stack, of references that the collector is to see. */
struct greenlet_slots {
    struct object **slot; /* owned; NULL: none */
    size_t count;
    struct greenlet_slots *outer;
};

/* From now on until greenlet_let_go, by the greenlet that runs. Blocks nest: the last to begin is
 * the first to end. Nothing is dropped at the end. On a thread that has no greenlets yet: nothing.
 */
void greenlet_hold(struct greenlet_slots *s, struct object **slot, size_t count);
void greenlet_let_go(struct greenlet_slots *s);

#endif
