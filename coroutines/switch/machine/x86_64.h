/* x86_64.h - contexts of the System V ABI of x86-64. Included by context.h alone.
 *
 * Besides the stack pointer only rbp and rbx are saved by hand: neither compiler lets the one be
 * clobbered where it is the frame pointer, and clang keeps the other for frames that it aligns.
 * The control words of SSE and of the x87 a call preserves, too. To read them takes three times as
 * long as all else (docs/decisions/24-switch.md), so that is apart: ways/strict.c.
 *
 * Nothing is pushed: below the stack pointer of the function around there may be its red zone.
 */
#ifndef COROUTINES_SWITCH_CONTEXT_H
#error "include coroutines/switch/context.h"
#endif

enum { CONTEXT_RED_ZONE_BYTES = 128 };

struct context {
    _Atomic(void *) sp;
    void *pc, *bp, *bx;
};

_Static_assert(offsetof(struct context, pc) == 8 && offsetof(struct context, bp) == 16 &&
                   offsetof(struct context, bx) == 24,
               "the numbers in context_swap");

/* Where indirect branches are checked, they may land only on this. */
#if defined(__CET__) && (__CET__ & 1)
#define LANDING "endbr64\n\t"
#else
#define LANDING
#endif

/* What a compiler for AVX-512 may keep beyond what the others do. */
#ifdef __AVX512F__
#define CLOBBERS_OF_AVX512                                                                         \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5",  \
        "k6", "k7"
#else
#define CLOBBERS_OF_AVX512
#endif

static inline __attribute__((always_inline)) void *
context_swap(struct context *from, const struct context *to, void *sp, void *value)
{
    /* All of `to` is read before the stack pointer is stored: after that, who goes on with the
     * stack that is being left may write there. On this machine every store is a release. */
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n\t"
                     "movq %%rcx, 8(%[from])\n\t"
                     "movq %%rbp, 16(%[from])\n\t"
                     "movq %%rbx, 24(%[from])\n\t"
                     "movq 8(%[to]), %%rcx\n\t"
                     "movq 16(%[to]), %%rbp\n\t"
                     "movq 24(%[to]), %%rbx\n\t"
                     "movq %%rsp, (%[from])\n\t"
                     "movq %[sp], %%rsp\n\t"
                     "jmpq *%%rcx\n"
                     "1:\n\t" LANDING
                     : "+D"(value), [from] "+S"(from), [to] "+d"(to), [sp] "+a"(sp)
                     :
                     : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
                       "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                       "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)",
                       "st(4)", "st(5)", "st(6)", "st(7)", "cc", "memory" CLOBBERS_OF_AVX512);
    return value;
}

#undef CLOBBERS_OF_AVX512
#undef LANDING

/* `top` is a multiple of 16. */
static inline void context_begin(struct context *c, void *top, context_function *function,
                                 void *argument)
{
    c->pc = (void *)context_start;
    c->bp = (void *)function;
    c->bx = argument;
    atomic_store_explicit(&c->sp, top, memory_order_release);
}

/* How floating-point numbers are rounded, and which errors trap. */
struct control {
    uint32_t mxcsr;
    uint16_t x87;
};

/* By address: as a value it would be copied as one word where it has just been stored as two, and
 * a processor waits for that. */
static inline void control_get(struct control *control)
{
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(control->mxcsr), "=m"(control->x87));
}

static inline void control_set(const struct control *control)
{
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(control->mxcsr), "m"(control->x87));
}

/* The instruction does nothing where there are no shadow stacks, or they are off. */
static inline bool context_shadowed(void)
{
    uint64_t shadow = 0;

    __asm__ volatile("rdsspq %0" : "+r"(shadow));
    return shadow != 0;
}
