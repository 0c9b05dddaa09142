/* turn.h - one turn of a loop, and what a loop is made of.
 *
 * For loop.c and turn.c alone; loop.h says what others may do with a loop.
 */
#ifndef COROUTINES_TURN_H
#define COROUTINES_TURN_H

#include "coroutines/closing.h"
#include "coroutines/files.h"
#include "coroutines/inbox.h"
#include "coroutines/loop.h"
#include "coroutines/timers.h"
#include "objects/section.h"

enum {
#ifdef NDEBUG
    READY_FILES_MOST = 64, /* of one poll */
#else
    READY_FILES_MOST = 2,
#endif
};

/* What is left to be called in this turn, in this order. */
struct calls {
    size_t before; /* of the ring: what was ready before the files */
    struct readiness file[READY_FILES_MOST];
    int next, count; /* of the files */
    size_t behind;   /* of the ring */
};

struct loop_object {
    struct object head;
    struct ready ready;
    struct timers timers;    /* of handles, owned */
    size_t cancelled_timers; /* of them */
    struct files files;
    struct calls calls;
    struct reactor *reactor;          /* set once; open until it is destroyed */
    struct loop_operation operations; /* a ring of those under way; this is its end */
    struct inbox inbox;               /* atomic */
    struct letter *letters;           /* taken, but not yet ready */
    _Atomic(struct thread *) owner;   /* atomic */
    struct lag *lag;                  /* set once */
    struct loop_hooks hooks;          /* set before it runs */
    struct task_link tasks GUARDED_BY(section_held); /* a ring of all, with this as its end */
    struct closing closing;
    struct default_executor executor;
    struct async_generator_hooks outer_hooks; /* of its thread, before it ran */
    borrowed current_task, main_task;
    _Atomic int interrupts; /* atomic; that have come */
    int interrupts_seen;
    uint64_t tasks_made;
    uint64_t slow_ns;
    int64_t expected; /* letters that are announced */
    bool stopping, debug;
    bool ends_idle;      /* it ends where it would wait for ever */
    bool idle;           /* it would */
    _Atomic bool closed; /* atomic */
    bool guarded;        /* who calls must be looked at: it is closed, or threads are checked */
};

/* A call from another thread, on its way. */
struct mail {
    struct letter letter;
    struct callback callback;
};

/* Forgets timers that are cancelled, polls, and calls what is ready then; what becomes ready
 * meanwhile is for the next turn. By the thread that runs it. Sets `idle`, if `ends_idle` and
 * nothing could wake it. 0; -1 with an exception: OSError of the poll, KeyboardInterrupt of an
 * interrupt, or what a callback raised that ends the loop (also SystemExit). */
int turn_run(struct loop_object *loop);

/* Takes out one that is not under way any more; who holds its target now is the caller. */
static inline struct object *turn_leave_operation(struct loop_operation *op)
{
    op->before->next = op->next;
    op->next->before = op->before;
    return op->target;
}

#endif
