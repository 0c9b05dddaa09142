/* native.c - registers swapped in line, a stack for each fiber.
 *
 * The fast path is fiber.h's; what stands here makes the fibers, and switches where a sanitizer
 * must be told. The argument for what is saved, and when, stands in context.h.
 */
#include "coroutines/switch/begin.h"

#if CONTEXT_NATIVE

static const char *native_refusal(void)
{
    return context_shadowed() ? "native: this process has a shadow stack, which it does not switch"
                              : NULL;
}

static struct fiber *native_make(struct carrier *t, size_t stack_bytes)
{
    struct fiber *f = fiber_on_own_stack(t, stack_bytes);

    if (!f)
        return NULL;
    if (!FIBER_INLINE)
        fiber_goes_by_table(f);
    context_begin(&f->own, fiber_frames(f, 0), fiber_begin, f);
    return f;
}

UNINSTRUMENTED static void native_enter(struct fiber *f)
{
    fiber_swap_in(f, &f->own);
}

UNINSTRUMENTED static int native_leave(struct fiber *f)
{
    fiber_swap_out(f, f->back);
    return 0;
}

UNINSTRUMENTED static void native_transfer(struct fiber *from, struct fiber *to)
{
    fiber_swap_over(from, to);
}

UNINSTRUMENTED static void native_end(struct fiber *f)
{
    annotate_leave(&f->own_note, &f->back_note, true);
    context_swap(&f->carrier->grave, f->back, context_left_at(f->back), NULL);
}

#else

static const char *native_refusal(void)
{
    return "native: this machine is not one of x86-64 and aarch64";
}

#endif

extern const struct way way_native;

const struct way way_native = {
    .about = "registers swapped in line, and a stack for each fiber",
    .source = "the clobber lists of libfringe and corosensei",
    .migrates = true, .refusal = native_refusal,
#if CONTEXT_NATIVE
    .make = native_make, .drop = fiber_drop_own_stack,
    .enter = native_enter, .leave = native_leave, .end = native_end,
    .transfer = native_transfer,
#endif
};
