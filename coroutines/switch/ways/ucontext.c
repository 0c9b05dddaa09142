/* ucontext.c - swapcontext of the C library, and a stack for each fiber.
 *
 * It works wherever there is libc; the price is a system call in each switch, for the mask of
 * signals, which is saved and restored as well.
 */
#include "coroutines/switch/begin.h"

#include <ucontext.h>

/* Stands below the struct fiber. */
struct kept {
    ucontext_t own, back;
};

static const char *ucontext_refusal(void)
{
    return NULL;
}

static struct kept *kept_of(const struct fiber *f)
{
    return fiber_frames(f, sizeof(struct kept));
}

/* makecontext passes ints. */
UNINSTRUMENTED static void begin(unsigned high, unsigned low)
{
    fiber_begin((void *)(((uintptr_t)high << 16 << 16) | low), NULL);
}

static struct fiber *ucontext_make(struct carrier *t, size_t stack_bytes)
{
    struct fiber *f = fiber_on_own_stack(t, stack_bytes);
    uintptr_t bits = (uintptr_t)f;
    struct kept *kept;

    if (!f)
        return NULL;
    fiber_goes_by_table(f);
    kept = kept_of(f);
    getcontext(&kept->own);
    kept->own.uc_link = NULL;
    kept->own.uc_stack.ss_sp = f->stack->low;
    kept->own.uc_stack.ss_size = (size_t)((char *)kept - f->stack->low);
    makecontext(&kept->own, (void (*)(void))begin, 2, (unsigned)(bits >> 16 >> 16),
                (unsigned)bits);
    return f;
}

UNINSTRUMENTED static void ucontext_enter(struct fiber *f)
{
    struct kept *kept = kept_of(f);

    annotate_enter(&f->own_note, &f->back_note);
    swapcontext(&kept->back, &kept->own);
    annotate_outside(&f->back_note);
}

UNINSTRUMENTED static int ucontext_leave(struct fiber *f)
{
    struct kept *kept = kept_of(f);

    annotate_leave(&f->own_note, &f->back_note, false);
    swapcontext(&kept->own, &kept->back);
    annotate_inside(&f->own_note, &f->back_note);
    return 0;
}

/* Of the calling thread, which stays the same while its own stack is left. */
static __attribute__((noinline)) ucontext_t *of_root(void)
{
    static _Thread_local ucontext_t context;

    return &context;
}

/* A root has no stack of ours, and so no place for what this way keeps. */
static ucontext_t *own_of(const struct fiber *f)
{
    return f->stack ? &kept_of(f)->own : of_root();
}

UNINSTRUMENTED static void ucontext_transfer(struct fiber *from, struct fiber *to)
{
    annotate_transfer(&from->own_note, &to->own_note);
    swapcontext(own_of(from), own_of(to));
    annotate_inside(&from->own_note, &from->carrier->left->own_note);
}

UNINSTRUMENTED static void ucontext_end(struct fiber *f)
{
    annotate_leave(&f->own_note, &f->back_note, true);
    setcontext(f->heir ? own_of(f->heir) : &kept_of(f)->back);
}

extern const struct way way_ucontext;

const struct way way_ucontext = {
    .about = "swapcontext of libc, and a stack for each fiber", .source = "POSIX, issue 6",
    .migrates = true, .keeps_control = true, .refusal = ucontext_refusal,
    .make = ucontext_make, .drop = fiber_drop_own_stack,
    .enter = ucontext_enter, .leave = ucontext_leave, .end = ucontext_end,
    .transfer = ucontext_transfer,
};
