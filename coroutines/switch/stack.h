/* stack.h - where stacks come from: slabs, guards, and a pool for each thread.
 *
 *      one of a slab:
 *
 *      low - guard      low                                         low + size
 *      +-----------+---------------------------------------+--------+
 *      |   guard   |            stack  <--- grows          | colour |
 *      +-----------+---------------------------------------+--------+
 *
 * *Guards.* Who runs off the low end meets a guard, and not its neighbour. Where the kernel has
 * guard pages without a map of their own (MADV_GUARD_INSTALL, Linux 6.13) a process may have as
 * many as it has memory for. Elsewhere a guard is a range without rights, which splits the map:
 * two maps a stack, and the kernel allows 65,530 in all. The guard is four pages, so that a frame
 * of some kilobytes does not step over it; a greater one may, if its function touches nothing above.
 *
 * *Colour.* Stacks that end at the same place of a page meet in the same sets of the first-level
 * cache. So each begins at another line, within half a page: then what a shallow stack needs is
 * still one page.
 *
 * *The pool.* Stacks that are given back are taken again, the last one first, for that is still in
 * the cache. Of each size `warm_most` keep their memory, and what is given back beyond that gives
 * its memory to the kernel. Slabs are never unmapped: a thread that ends leaves its stacks to the
 * others. No stack is ever cleared: the kernel's pages are zero, and others need not be.
 *
 * *The high-water mark* is asked of the kernel (mincore): the lowest page that is there. So it is
 * a multiple of the page, and of all who have used the stack since it last gave up its memory;
 * a page that was swapped out is not seen. To paint stacks would be exact, and make all
 * of each resident.
 *
 * Failure is NULL and errno, and pool->why says it in words. A pool belongs to one thread; a
 * stack may be given to another pool than it came from.
 */
#ifndef COROUTINES_SWITCH_STACK_H
#define COROUTINES_SWITCH_STACK_H

#include "gil/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STACK_LEAST_BYTES = 16 << 10,
    STACK_MOST_BYTES = 16 << 20,
    /* What a sanitizer needs to print a report does not fit into 64 KiB. */
    STACK_STANDARD_BYTES = SANITIZED ? 256 << 10 : 64 << 10,
    STACK_SIZES = 11, /* the powers of two between these, both included */
    STACK_COLOUR_BYTES = 9 * 64,   /* from one to the next: nine lines */
    STACK_COLOURS_BYTES = 32 * 64, /* all of them: half a page of 4 KiB */
    STACK_WHY_BYTES = 200,
};

_Static_assert(STACK_LEAST_BYTES << (STACK_SIZES - 1) == STACK_MOST_BYTES, "all powers of two");

/* How a guard is made. */
enum stack_guard {
    STACK_GUARD_ADVICE,  /* madvise(MADV_GUARD_INSTALL) */
    STACK_GUARD_PROTECT, /* mprotect(PROT_NONE) */
};

struct stack {
    char *low;             /* set once; the lowest byte that may be used */
    size_t size_bytes;     /* set once */
    uint32_t colour_bytes; /* set once; to be left free at the top */
    bool guarded;          /* owner; false: it has never been taken */
    unsigned valgrind;     /* owner; by this valgrind knows it */
    struct stack *next;    /* owner; in a pool, or among those that nobody owns */
};

struct stack_list {
    struct stack *first;
    size_t count;
};

struct stack_pool {
    struct stack_list warm[STACK_SIZES]; /* with their memory; the last one first */
    struct stack_list cold[STACK_SIZES]; /* without */
    size_t warm_most;                    /* of each size; may be changed at any time */
    bool valgrind;                       /* set once; it watches this process */
    char why[STACK_WHY_BYTES];           /* what failed last */
};

/* Empty. */
void stack_pool_init(struct stack_pool *pool);

/* Leaves its stacks to other threads, without their memory. */
void stack_pool_fini(struct stack_pool *pool);

/* A guarded stack of at least `size_bytes`, 0 for the standard size. It has in it what the last
 * one left there. EINVAL: more than STACK_MOST_BYTES; ENOMEM. */
struct stack *stack_take(struct stack_pool *pool, size_t size_bytes);

/* Nobody runs on it. */
void stack_give(struct stack_pool *pool, struct stack *stack);

static inline char *stack_high(const struct stack *stack)
{
    return stack->low + stack->size_bytes;
}

/* Where the first frame may begin: less the colour. */
static inline char *stack_top(const struct stack *stack)
{
    return stack_high(stack) - stack->colour_bytes;
}

/* Whether the address lies in the guard. Safe in a signal handler. */
bool stack_guards(const struct stack *stack, const void *address);

/* How many bytes from the top have been used: see above. */
size_t stack_high_water(const struct stack *stack);

/* How guards are made here; asked of the kernel once. */
enum stack_guard stack_guard(void);

/* From now on they are made so: for tests, and to compare. */
void stack_use_guard(enum stack_guard guard);

#endif
