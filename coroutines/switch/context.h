/* context.h - where a stack was left, and how to go on there.
 *
 * A context is what a thread has to load to go on where it left a stack: the stack pointer, the
 * address of the next instruction, and the few registers that a compiler cannot be told will be
 * lost. Of all others it is told just that, by the list of clobbers of the inline assembly: it
 * saves those that it needs at this place, and mostly that is none. A function in assembly must
 * save the six or twenty of the ABI each time, and its `ret` is never where the processor's
 * return predictor expects it. (The idea is that of edef's libfringe, and of corosensei.)
 *
 * The stack pointer is stored last, and with release: who has loaded it from another thread,
 * with acquire, finds all else in place, and may run on that stack at once. From then on the
 * thread that stored it touches neither the stack nor the context. So the pointer is also the
 * word that says whether a stack may be gone on with: fiber.h makes it that.
 *
 * machine/X.h defines for a machine X
 *
 *     struct context, which begins with the stack pointer;
 *     CONTEXT_RED_ZONE_BYTES: how far below the stack pointer a function may keep things;
 *     context_swap: saves into `from`, and goes on at `to` with the stack pointer `sp`, which
 *         was to->sp; where that was left by context_swap, it returns `value` there;
 *     context_begin: makes one that begins with a function on an empty stack;
 *     control_get, control_set: the control words of floating point, which a call preserves and
 *         context_swap does not;
 *     context_shadowed: whether return addresses are kept on a second stack, which we would
 *         have to switch, too.
 *
 * To add a machine, add its file and a line here, and context_start in context.c.
 */
#ifndef COROUTINES_SWITCH_CONTEXT_H
#define COROUTINES_SWITCH_CONTEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a stack runs: `argument` of context_begin, and the value of the first context_swap. Does
 * not return. */
typedef void context_function(void *argument, void *value);

/* Where a stack begins to run, in context.c: goes on with the function. */
extern void context_start(void);

#if defined(__x86_64__) && defined(__LP64__)
#define CONTEXT_NATIVE 1
#include "coroutines/switch/machine/x86_64.h"
#elif defined(__aarch64__) && defined(__LP64__)
#define CONTEXT_NATIVE 1
#include "coroutines/switch/machine/aarch64.h"
#else
#define CONTEXT_NATIVE 0
struct context {
    _Atomic(void *) sp;
};
#endif

#endif
