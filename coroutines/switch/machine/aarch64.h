/* aarch64.h - contexts of the procedure call standard of 64-bit ARM. Included by context.h alone.
 *
 * Besides the stack pointer x29 and x19 are saved by hand: the one is the frame pointer, the other
 * is kept by clang for frames that it aligns. x18 is one more scratch register on Linux.
 *
 * One goes on by a branch, not a `ret`: no function returns here. Where branches are checked (BTI)
 * they land on `hint #36`, which is `bti j` and on older machines does nothing.
 */
#ifndef COROUTINES_SWITCH_CONTEXT_H
#error "include coroutines/switch/context.h"
#endif

enum { CONTEXT_RED_ZONE_BYTES = 0 };

struct context {
    _Atomic(void *) sp;
    void *pc, *fp, *x19;
};

_Static_assert(offsetof(struct context, pc) == 8 && offsetof(struct context, fp) == 16 &&
                   offsetof(struct context, x19) == 24,
               "the numbers in context_swap");

#ifdef __ARM_FEATURE_SVE
#define CLOBBERS_OF_SVE                                                                            \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13",      \
        "p14", "p15"
#else
#define CLOBBERS_OF_SVE
#endif

static inline __attribute__((always_inline)) void *
context_swap(struct context *from, const struct context *to, void *sp, void *value)
{
    register void *x0 __asm__("x0") = value;
    register struct context *x1 __asm__("x1") = from;
    register const struct context *x2 __asm__("x2") = to;
    register void *x3 __asm__("x3") = sp;

    /* All of `to` is read before the stack pointer is stored: after that, who goes on with the
     * stack that is being left may write there. */
    __asm__ volatile("adr x4, 1f\n\t"
                     "stp x4, x29, [x1, #8]\n\t"
                     "str x19, [x1, #24]\n\t"
                     "ldp x4, x29, [x2, #8]\n\t"
                     "ldr x19, [x2, #24]\n\t"
                     "mov x5, sp\n\t"
                     "stlr x5, [x1]\n\t"
                     "mov sp, x3\n\t"
                     "br x4\n"
                     "1:\n\t"
                     "hint #36\n\t"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "x18", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27",
                       "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9",
                       "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20",
                       "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31",
                       "cc", "memory" CLOBBERS_OF_SVE);
    return x0;
}

#undef CLOBBERS_OF_SVE

/* `top` is a multiple of 16. */
static inline void context_begin(struct context *c, void *top, context_function *function,
                                 void *argument)
{
    c->pc = (void *)context_start;
    c->fp = (void *)function;
    c->x19 = argument;
    atomic_store_explicit(&c->sp, top, memory_order_release);
}

/* How floating-point numbers are rounded, and which errors trap. */
struct control {
    uint64_t fpcr;
};

static inline void control_get(struct control *control)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(control->fpcr));
}

static inline void control_set(const struct control *control)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(control->fpcr));
}

/* The guarded control stack of Armv9.4 is switched on by who links a program with it, and what
 * has been compiled of this is not marked for it. */
static inline bool context_shadowed(void)
{
    return false;
}
