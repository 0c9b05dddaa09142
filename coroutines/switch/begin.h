/* begin.h - what fiber.c and the ways have of each other.
 *
 * Where a fiber with a stack of its own stands on that stack:
 *
 *      low                                       top, less the colour
 *      +------------------------------+----------+--------------+
 *      |        frames  <--- grow     | what the | struct fiber |
 *      |                              | way keeps|              |
 *      +------------------------------+----------+--------------+
 *
 * So one page holds all of one that is shallow, and a switch needs one entry of the TLB.
 */
#ifndef COROUTINES_SWITCH_BEGIN_H
#define COROUTINES_SWITCH_BEGIN_H

#include "coroutines/switch/fiber.h"

/* The first function on a fiber's stack, of a struct fiber: runs it. `first`: what passes, unless
 * by the table. Does not return. */
context_function fiber_begin;

/* A fiber at the top of a stack of its own. */
struct fiber *fiber_on_own_stack(struct carrier *t, size_t stack_bytes);
void fiber_drop_own_stack(struct carrier *t, struct fiber *f);

/* It is switched by the table of its way. */
void fiber_goes_by_table(struct fiber *f);

/* Below it and what the way keeps: there that lies, and the frames begin. A multiple of 64. */
static inline void *fiber_frames(const struct fiber *f, size_t kept_bytes)
{
    return (char *)f - (kept_bytes + 63) / 64 * 64;
}

#if CONTEXT_NATIVE

static inline void *context_left_at(const struct context *c)
{
    return atomic_load_explicit(&c->sp, memory_order_relaxed);
}

/* By the table: from the resumer's stack to that of `to`, from where the fiber is gone on with;
 * and from the fiber's to that from where its resumer is. The caller is UNINSTRUMENTED. In
 * line: each function that returns after a switch is one more that is predicted wrong. */
static inline __attribute__((always_inline)) void fiber_swap_in(struct fiber *f,
                                                                const struct context *to)
{
    annotate_enter(&f->own_note, &f->back_note);
    context_swap(f->back, to, context_left_at(to), NULL);
    annotate_outside(&f->back_note);
}

static inline __attribute__((always_inline)) void fiber_swap_out(struct fiber *f,
                                                                 const struct context *to)
{
    annotate_leave(&f->own_note, &f->back_note, false);
    context_swap(&f->own, to, context_left_at(to), NULL);
    annotate_inside(&f->own_note, &f->back_note);
}

/* Between equals. The carrier knows who was left: only that one learns of its stack here. */
static inline __attribute__((always_inline)) void fiber_swap_over(struct fiber *from,
                                                                  struct fiber *to)
{
    annotate_transfer(&from->own_note, &to->own_note);
    context_swap(&from->own, &to->own, context_left_at(&to->own), NULL);
    annotate_inside(&from->own_note, &from->carrier->left->own_note);
}

#endif

#endif
