/* way.h - a way to save a stack and to go on with another: the contract.
 *
 * One file in ways/ is one way: it defines `const struct way way_<file name>`. To choose:
 *
 *   native     registers swapped in line, a stack for each fiber: where the machine is known
 *   strict     the same, and each fiber keeps its rounding mode
 *   ucontext   the same by swapcontext of libc, which asks the kernel each time: anywhere
 *   copystack  one stack for all of a thread's fibers, from which each is copied and to which it is
 *              copied back: as greenlet does; the least memory, any depth, and no migration
 *
 * A way is called through this table, but native and strict, unless a sanitizer must be told of each
 * switch: they are inlined in fiber.h, and their tables are used for making fibers alone.
 *
 * fiber.c keeps the books: who runs, who resumed whom, what passes. A way moves stacks.
 */
#ifndef COROUTINES_SWITCH_WAY_H
#define COROUTINES_SWITCH_WAY_H

#include <stdbool.h>
#include <stddef.h>

struct carrier;
struct fiber;

struct way {
    const char *about;  /* one line */
    const char *source; /* paper, system, or file that it follows */
    bool migrates;      /* a fiber may be resumed by another thread than the last */
    bool keeps_control; /* a fiber has its own control words of floating point: the rounding mode
                           and which errors trap; else they are the thread's */

    /* Why it cannot be used in this process; NULL: it can. */
    const char *(*refusal)(void);

    /* The memory of a fiber and its stack: `stack` and what the way keeps have been filled in,
     * all else is zero. NULL and errno, and t->stacks.why. */
    struct fiber *(*make)(struct carrier *t, size_t stack_bytes);
    void (*drop)(struct carrier *t, struct fiber *f);

    /* Optional: whether `f`, which is now the caller's alone, can be entered by this thread. 0, or
     * -1 and errno. */
    int (*admit)(struct carrier *t, struct fiber *f);

    /* Goes into the fiber, and returns when that has left. */
    void (*enter)(struct fiber *f);

    /* On its own stack: goes back to who resumed it, and returns when it has been resumed. 0;
     * -1 and errno: it has not left. */
    int (*leave)(struct fiber *f);

    /* The same for the last time. Does not return. */
    void (*end)(struct fiber *f);

    /* Optional: leaves `from`, on which the caller runs, for `to`, one of this way or the thread's
     * root, and returns when `from` is gone on with. NULL: no fiber can be transferred to. */
    void (*transfer)(struct fiber *from, struct fiber *to);

    /* Optional: gives up what the way keeps in a carrier that is closed. */
    void (*close)(struct carrier *t);
};

struct named_way {
    const char *name;
    const struct way *way;
};

/* Every way there is, by name; ends with a NULL name. */
extern const struct named_way way_list[];

/* The one that is used where none is asked for: native, or ucontext where that is refused. */
const struct way *way_standard(void);

/* From now on it is this one, which is not refused; NULL: as before. No other thread makes a
 * fiber meanwhile. */
void way_use(const struct way *way);

/* NULL: there is none of that name. */
const struct way *way_named(const char *name);

#endif
