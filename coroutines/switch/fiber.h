/* fiber.h - functions that have a stack of their own, and can be left in the middle.
 *
 * A fiber runs when it is resumed, on the thread of who resumes it, until it yields or its
 * function returns; then its resumer goes on. A pointer passes each way:
 *
 *      value = fiber_resume(t, f, first)   ----->   entry(f, first)
 *                                          <-----   next = fiber_yield(f, value)
 *      value = fiber_resume(t, f, next)    ----->   ...
 *                                          <-----   return value
 *
 * What runs, when, and what the values mean is for the floors above; so is unwinding: a fiber
 * that is destroyed while it is suspended simply loses its stack, with all that stands on it.
 *
 * A *carrier* is a thread as fibers see it (the word is that of Java's virtual threads). It is
 * passed to who resumes, and a fiber that runs knows its own, f->carrier. Neither is looked up in
 * thread-local storage: compilers keep the address of that from before a switch, and after it
 * the fiber may be on another thread (gcc bug 26461, llvm issue 98479). For that reason a
 * function that yields must not use errno or any _Thread_local after it, either, but in a
 * function that is called then and not inlined.
 *
 * *Symmetric.* fiber_transfer leaves the stack that the caller runs on, whoever has resumed that,
 * and goes on with any that was left in this way, or has not begun. The thread's own stack takes
 * part, as `root` of its carrier. Who was the resumer of either stays as it was, so a fiber that
 * is entered and left by transfers alone has none, and before its function returns it must say
 * who goes on (fiber_bequeath). One switch instead of a yield and a resume, and no chain of
 * resumers: for those that pass control to each other as equals (coroutines/greenlet.h).
 *
 *      SUSPENDED --- resume ---> RUNNING (also while it waits for another that it has resumed)
 *          ^                      |   |
 *          +------ yield ---------+   +--- its function returns ---> FINISHED
 *
 * *Between threads.* Any thread may resume any suspended fiber, but those of the way `copystack`;
 * what was done on it before is visible then. Who takes it from a queue, or has its lock, is alone
 * in that. Where several may try to resume one at the same time it must be shared before
 * (fiber_share): then one succeeds, and the others are told that it runs. That takes an atomic
 * exchange, which waits for all stores before it, and costs twice what the two switches do.
 *
 * *The fast path.* Both switches are inline, and whether a fiber may be resumed and where its stack
 * was left are one word, own.sp: resuming sets it to NULL, and the last store of leaving a
 * stack sets it again. No function returns between a switch and the caller; each that does is
 * predicted wrong, for the processor pairs it with a call that was made on the other stack. In
 * builds with a sanitizer, and for other ways, both go by the table of way.h, `state` is the
 * word, and each fiber is as if it were shared.
 *
 * Errors: NULL, -1 or FIBER_FAILED, and errno; where memory or the machine is short,
 * t->stacks.why says in words of what.
 */
#ifndef COROUTINES_SWITCH_FIBER_H
#define COROUTINES_SWITCH_FIBER_H

#include "coroutines/switch/annotate.h"
#include "coroutines/switch/context.h"
#include "coroutines/switch/stack.h"
#include "coroutines/switch/way.h"

#include <assert.h>

/* Whether the switch of native fibers is in line. */
#define FIBER_INLINE (CONTEXT_NATIVE && !SANITIZED)

struct carrier;
struct fiber;

/* Gets what the first resume passes; what it returns the last resume returns. */
typedef void *fiber_entry(struct fiber *self, void *first);

/* See fiber_yield_then. */
typedef void fiber_after(void *argument);

enum fiber_state { FIBER_SUSPENDED, FIBER_RUNNING, FIBER_FINISHED };

/* How it is switched; bits. None: in line, nothing but registers, by one thread at a time. */
enum fiber_kind {
    FIBER_SHARED = 1,   /* several threads may try to resume it */
    FIBER_STRICT = 2,   /* the control words of floating point are its own */
    FIBER_BY_TABLE = 4, /* alone: not in line */
};

/* No value: the call has failed. */
#define FIBER_FAILED ((void *)-1)

struct fiber {
    /* One line: all that a switch reads. Who has the fiber may touch it: its resumer before the
     * switch, itself while it runs. */
    _Alignas(64) struct context own; /* where it was left. own.sp: atomic; in line NULL: it runs, or
                                        has finished */
    struct carrier *carrier;         /* the thread that it runs on, or ran on last */
    struct fiber *resumer;           /* NULL: the thread itself */
    struct context *back;            /* where the resumer was left: its `away` */
    uint8_t kind;                    /* of enum fiber_kind; set before others see it */
    bool ended;                      /* the last switch is the last */
    _Atomic int state;               /* atomic; enum fiber_state. In line, RUNNING while it is not
                                        FINISHED, for own.sp says the rest */
    /* And one more. */
    struct context away;             /* where it was left when it resumed another */
    void *value;                     /* passes by the table */
    fiber_entry *entry;              /* set once */
    const struct way *way;           /* set once */
    const struct stack *stack;       /* set once, by the way */
    const char *name;                /* set once */
    void *owner;                     /* of the floor above; NULL at first */
    struct fiber *heir;              /* of fiber_bequeath; NULL: whoever has resumed it */
    struct annotation own_note, back_note;
};

struct carrier {
    /* One line, which stays in the cache while fibers come and go. */
    _Alignas(64) struct fiber *current; /* owner; who runs on this thread, NULL: itself */
    struct { fiber_after *call; void *argument; } after; /* owner; call NULL: nothing to do */
    struct context away;      /* owner; where the thread itself was left when it resumed a fiber */
    struct context grave;     /* owner; where fibers that end leave their registers */
    struct stage *stage;      /* owner; of ways/copystack.c: NULL: none has been used */
    struct stack_pool stacks; /* owner */
    void *signals;            /* owner; of overflow.c: the alternate stack that it has made */
    struct fiber *left;       /* owner; by the table: who has transferred, and is to be let go of */
    struct fiber root;        /* owner; the thread's own stack, as transfers see it */
};

/* The calling thread's, NULL before carrier_open. Not inlined: see above. */
struct carrier *carrier_self(void);

/* The calling thread may run fibers. `t` must stay where it is until carrier_close, by the same
 * thread. */
void carrier_open(struct carrier *t);

/* No fiber runs, and none of the way `copystack` that was made here exists. Others may be
 * suspended; another carrier goes on with them. */
void carrier_close(struct carrier *t);

/* A suspended fiber, to run `entry`. `name` must outlive it. NULL: no stack. */
struct fiber *fiber_new(struct carrier *t, const char *name, fiber_entry *entry);

/* The same, the way and the size of the stack chosen; NULL and 0 for the standard ones. Errno may
 * also be ENOTSUP: the way cannot be used here. */
struct fiber *fiber_new_with(struct carrier *t, const char *name, fiber_entry *entry,
                             const struct way *way, size_t stack_bytes);

/* Several threads may try to resume it at the same time, and to destroy it; before others see
 * it. */
void fiber_share(struct fiber *f);

/* Finished or suspended; `t` is the calling thread's, and gets the stack. What a suspended
 * fiber has on its stack is lost. -1: EBUSY, it runs; EPERM, copystack of another thread. */
int fiber_destroy(struct carrier *t, struct fiber *f);

/* At this moment; if others may resume it, it is over when one reads it, but for FINISHED. */
enum fiber_state fiber_state(const struct fiber *f);

/* Whether a variable at `address` stands on its stack. It is suspended: it has left that itself, or
 * has resumed others, of which `left` is the last one. */
bool fiber_has_variable(const struct fiber *f, const struct fiber *left, const void *address);

/* stack_high_water of its stack. */
size_t fiber_high_water(const struct fiber *f);

/* What fiber_resume and fiber_yield do for the ways that are not in line, and where they fail. */
void *fiber_resume_by_table(struct carrier *t, struct fiber *f, void *value);
void *fiber_yield_by_table(struct fiber *self, void *value);
void *fiber_transfer_by_table(struct carrier *t, struct fiber *to, void *value);
void carrier_do_after(struct carrier *t);

/* In line: where a suspended fiber was left, and now it runs; NULL: it runs, has finished, or goes
 * by the table. Acquire, with the release of the store that ends context_swap. */
static inline void *fiber_claim(struct fiber *f)
{
    void *sp;

    if (unlikely(f->kind & (FIBER_SHARED | FIBER_BY_TABLE)))
        return f->kind & FIBER_SHARED
                   ? atomic_exchange_explicit(&f->own.sp, NULL, memory_order_acquire) : NULL;
    sp = atomic_load_explicit(&f->own.sp, memory_order_acquire);
    if (likely(sp))
        atomic_store_explicit(&f->own.sp, NULL, memory_order_relaxed);
    return sp;
}

/* The fiber of `t`, the calling thread's, that runs now is `f`. */
static inline void fiber_board(struct carrier *t, struct fiber *f)
{
    f->carrier = t;
    f->resumer = t->current;
    f->back = t->current ? &t->current->away : &t->away;
    t->current = f;
}

#if FIBER_INLINE
/* Whoever leaves a stack keeps the control words on it; when this returns, `f` may be gone. */
static inline __attribute__((always_inline)) void *
fiber_swap(const struct fiber *f, struct context *from, const struct context *to, void *sp,
           void *value)
{
    struct control control;

    if (likely(!(f->kind & FIBER_STRICT)))
        return context_swap(from, to, sp, value);
    control_get(&control);
    value = context_swap(from, to, sp, value);
    control_set(&control);
    return value;
}
#endif

/* Runs `f` on the calling thread, whose carrier is `t`, until it yields or ends; what it passes
 * then. `f` may have been resumed by others and be gone when this returns, unless the program knows
 * that it is not. FIBER_FAILED: EBUSY, it runs; EINVAL, it has finished; for copystack also EPERM,
 * it is another thread's, ENOMEM, and ENOTSUP, as that file says. */
static inline void *fiber_resume(struct carrier *t, struct fiber *f, void *value)
{
    assert(t == carrier_self());
#if FIBER_INLINE
    void *sp = fiber_claim(f);

    if (likely(sp)) {
        fiber_board(t, f);
        value = fiber_swap(f, f->back, &f->own, sp, value);
        if (unlikely(t->after.call))
            carrier_do_after(t);
        return value;
    }
#endif
    return fiber_resume_by_table(t, f, value);
}

/* Suspends `self`, the fiber that calls it; `value` is returned to its resumer. Returns what it
 * is resumed with, perhaps on another thread. FIBER_FAILED, only for copystack: ENOMEM. */
static inline void *fiber_yield(struct fiber *self, void *value)
{
    assert(self->carrier->current == self && "a fiber suspends itself");
#if FIBER_INLINE
    if (likely(!(self->kind & FIBER_BY_TABLE))) {
        void *sp = atomic_load_explicit(&self->back->sp, memory_order_relaxed);

        self->carrier->current = self->resumer;
        return fiber_swap(self, &self->own, self->back, sp, value);
    }
#endif
    return fiber_yield_by_table(self, value);
}

/* The same, and then calls `call` on the resumer's stack: `self` is suspended when that begins.
 * It lets go of the lock under which the fiber has been entered where others find it and resume
 * it: let go of earlier, they would find it running. `call` switches to no fiber. (TSan takes the
 * resumer for another thread, and reports a mutex that is unlocked so: use an atomic lock.) */
static inline void *fiber_yield_then(struct fiber *self, void *value, fiber_after *call,
                                     void *argument)
{
    self->carrier->after.call = call;
    self->carrier->after.argument = argument;
    return fiber_yield(self, value);
}

/* ---- symmetric ---- */

/* The stack that the calling thread runs on: a fiber, or the thread's own. */
static inline struct fiber *fiber_here(struct carrier *t)
{
    return t->current ? t->current : &t->root;
}

/* Leaves the stack that the caller runs on, and goes on with `to`, which was left in this way too,
 * or has not begun. Returns what somebody transfers to it later, or bequeaths it. `t` is the
 * calling thread's. FIBER_FAILED: EBUSY, `to` runs, or is `root` and waits in fiber_resume; EINVAL,
 * it has finished; ENOTSUP, its way cannot, or not from here. */
static inline __attribute__((always_inline)) void *
fiber_transfer(struct carrier *t, struct fiber *to, void *value)
{
    assert(t == carrier_self());
#if FIBER_INLINE
    struct fiber *from = fiber_here(t);
    void *sp;

    if (likely(!((from->kind | to->kind) & FIBER_BY_TABLE) && (sp = fiber_claim(to)))) {
        to->carrier = t;
        t->current = to == &t->root ? NULL : to;
        value = fiber_swap(to->kind & FIBER_STRICT ? to : from, &from->own, &to->own, sp, value);
        if (unlikely(from->carrier->after.call))
            carrier_do_after(from->carrier);
        return value;
    }
#endif
    return fiber_transfer_by_table(t, to, value);
}

/* When the function of `self`, which runs, returns, `to` goes on with its value, as by a transfer;
 * nothing else is switched between. 0, or -1 and errno as above. */
int fiber_bequeath(struct fiber *self, struct fiber *to);

/* Whether fibers of this way can be transferred to. */
static inline bool way_transfers(const struct way *way)
{
    return way->transfer;
}

#endif
