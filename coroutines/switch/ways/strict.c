/* strict.c - as native, and each fiber keeps its control words of floating point.
 *
 * By the ABI a call preserves them, so a function that sets the rounding mode may expect it to
 * be still that after it has yielded. Hardly any does, and reading these words is what takes
 * longest in a switch: so this is for those that do. As with native the fast path is fiber.h's, and
 * what stands here is for the builds in which a sanitizer must be told.
 */
#include "coroutines/switch/begin.h"

extern const struct way way_native, way_strict;

static const char *strict_refusal(void)
{
    return way_native.refusal();
}

#if CONTEXT_NATIVE

static struct fiber *strict_make(struct carrier *t, size_t stack_bytes)
{
    struct fiber *f = way_native.make(t, stack_bytes);

    if (f)
        f->kind |= FIBER_STRICT;
    return f;
}

UNINSTRUMENTED static void strict_enter(struct fiber *f)
{
    struct control control;

    control_get(&control);
    fiber_swap_in(f, &f->own);
    control_set(&control);
}

UNINSTRUMENTED static int strict_leave(struct fiber *f)
{
    struct control control;

    control_get(&control);
    fiber_swap_out(f, f->back);
    control_set(&control);
    return 0;
}

UNINSTRUMENTED static void strict_transfer(struct fiber *from, struct fiber *to)
{
    struct control control;

    control_get(&control);
    fiber_swap_over(from, to);
    control_set(&control);
}

static void strict_end(struct fiber *f)
{
    way_native.end(f);
}

#endif

const struct way way_strict = {
    .about = "as native, and each fiber keeps its rounding mode", .source = "the ABIs",
    .migrates = true, .keeps_control = true, .refusal = strict_refusal,
#if CONTEXT_NATIVE
    .make = strict_make, .drop = fiber_drop_own_stack,
    .enter = strict_enter, .leave = strict_leave, .end = strict_end,
    .transfer = strict_transfer,
#endif
};
