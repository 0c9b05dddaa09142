/* copystack.c - one stack for all fibers of a thread, copied out and in.
 *
 * All run at the same addresses, on the carrier's *stage*. Whoever is entered stays on the stage
 * when it leaves, as its *occupant*, until another must be there: then the bytes between its stack
 * pointer and the top are copied out, and those of the other in. So a fiber costs memory for
 * what it has on its stack, and may go as deep as the stage; who is resumed again and again
 * pays nothing more than elsewhere, and who takes turns with others pays by the depth.
 *
 * What does not work: a pointer to something on the stack of a fiber that is suspended points into
 * another's frames. And a fiber belongs to the thread that made it, where its stage is: on any
 * other EPERM.
 *
 * A stack cannot be replaced by who stands on it. If the resumer is itself on the stage, a third
 * stack, the *mover's*, does the copying:
 *
 *      resumer, on the stage --> mover: resumer out, fiber in --> fiber, on the stage
 *
 * and the same on the way back. Between two fibers of this way that wait for each other there
 * may be none of another way: such a one would go back to frames that are not there. Who tries
 * to resume a third in there gets ENOTSUP.
 *
 * Memory is asked for before anything is moved: the buffer of who must leave the stage is made
 * large enough for its depth now, and SLACK_BYTES for the few calls until its stack pointer
 * is stored.
 *
 * Source: greenlet (A. Rigo, C. Tismer, after Stackless Python), whose fibers share the thread's
 * own stack; with a stack apart, and left in place while nobody needs it, as in Tencent's libaco.
 */
#include "coroutines/switch/begin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

extern const struct way way_native, way_copystack;

#if CONTEXT_NATIVE

enum { STAGE_BYTES = 4 * STACK_STANDARD_BYTES, SLACK_BYTES = 4096 };

struct copied {
    struct fiber fiber;
    char *data;        /* the bytes below the top, unless it is the occupant */
    size_t size_bytes; /* of them */
    size_t room_bytes;
};

/* What the mover has to do: to copy out who was left at a context, and another in, and to go on. */
struct move {
    struct copied *out; /* NULL: nobody */
    const struct context *left;
    struct copied *in;
    const struct context *then;
};

/* All of it the carrier's thread's. */
struct stage {
    struct stack *stack, *mover_stack;
    struct copied *occupant; /* whose frames stand there; NULL: nobody's that are needed */
    struct context mover;
    struct move move;
};

static const char *copystack_refusal(void)
{
    return way_native.refusal();
}

static char *top_of(const struct stage *stage)
{
    return stack_top(stage->stack);
}

static bool is_copied(const struct fiber *f)
{
    return f && f->way == &way_copystack;
}

static struct copied *copied(struct fiber *f)
{
    return (struct copied *)f;
}

/* ---- Copying. */

/* Of a stack that nobody stands on: what its frames have told the tools is forgotten. */
static void make_accessible(const char *low, size_t size_bytes)
{
    annotate_fresh(low, size_bytes);
    (void)VALGRIND_MAKE_MEM_DEFINED(low, size_bytes);
}

/* `sp` is at most SLACK_BYTES below that for which the room was made. */
static void copy_out(struct stage *stage, struct copied *c, const void *sp)
{
    const char *low = (const char *)sp - CONTEXT_RED_ZONE_BYTES;

    c->size_bytes = (size_t)(top_of(stage) - low);
    assert(c->size_bytes <= c->room_bytes);
    make_accessible(low, c->size_bytes);
    memcpy(c->data, low, c->size_bytes);
}

static void copy_in(struct stage *stage, struct copied *c)
{
    char *low = top_of(stage) - c->size_bytes;

    make_accessible(low, c->size_bytes);
    if (c->size_bytes)
        memcpy(low, c->data, c->size_bytes);
    stage->occupant = c;
}

UNINSTRUMENTED static void run_mover(void *argument, void *value)
{
    struct stage *stage = argument;

    (void)value;
    for (;;) {
        if (stage->move.out)
            copy_out(stage, stage->move.out, context_left_at(stage->move.left));
        copy_in(stage, stage->move.in);
        context_swap(&stage->mover, stage->move.then, context_left_at(stage->move.then), NULL);
    }
}

/* What is in the buffer is old: who has to leave the stage has its frames there. */
static int reserve(struct stage *stage, struct copied *c, const void *sp)
{
    size_t needed_bytes = (size_t)(top_of(stage) - (const char *)sp) + CONTEXT_RED_ZONE_BYTES;

    if (needed_bytes <= c->room_bytes)
        return 0;
    free(c->data);
    c->data = malloc(needed_bytes);
    c->room_bytes = c->data ? needed_bytes : 0;
    return c->data ? 0 : -1;
}

static int reserve_from_here(struct stage *stage, struct copied *c)
{
    return reserve(stage, c, (const char *)__builtin_frame_address(0) - SLACK_BYTES);
}

/* ---- The stage. */

static void stage_free(struct carrier *t, struct stage *stage)
{
    if (stage->mover_stack)
        stack_give(&t->stacks, stage->mover_stack);
    if (stage->stack)
        stack_give(&t->stacks, stage->stack);
    free(stage);
}

/* That of the carrier; made, if there is none. */
static struct stage *stage_of(struct carrier *t)
{
    struct stage *stage = t->stage ? t->stage : calloc(1, sizeof *stage);

    if (!stage || t->stage)
        return stage;
    stage->stack = stack_take(&t->stacks, STAGE_BYTES);
    stage->mover_stack = stage->stack ? stack_take(&t->stacks, 0) : NULL;
    if (!stage->mover_stack) {
        stage_free(t, stage);
        return NULL;
    }
    context_begin(&stage->mover, stack_top(stage->mover_stack), run_mover, stage);
    t->stage = stage;
    return stage;
}

static void copystack_close(struct carrier *t)
{
    if (t->stage)
        stage_free(t, t->stage);
    t->stage = NULL;
}

/* ---- Fibers. */

static struct fiber *copystack_make(struct carrier *t, size_t stack_bytes)
{
    struct stage *stage = stage_of(t);
    struct copied *c = stage ? aligned_alloc(_Alignof(struct copied), sizeof *c) : NULL;

    (void)stack_bytes; /* the stage's */
    if (!c)
        return NULL;
    *c = (struct copied){ .fiber = { .stack = stage->stack } };
    fiber_goes_by_table(&c->fiber);
    context_begin(&c->fiber.own, top_of(stage), fiber_begin, c);
    return &c->fiber;
}

static void copystack_drop(struct carrier *t, struct fiber *f)
{
    struct copied *c = copied(f);

    if (t->stage->occupant == c)
        t->stage->occupant = NULL;
    free(c->data);
    free(c);
}

static int refuse(int error)
{
    errno = error;
    return -1;
}

/* The occupant has been left either by itself, or in the middle of this very call. */
static int copystack_admit(struct carrier *t, struct fiber *f)
{
    struct copied *occupant;

    if (f->carrier != t)
        return refuse(EPERM);
    occupant = t->stage->occupant;
    if (!occupant || &occupant->fiber == f)
        return 0;
    if (&occupant->fiber == t->current)
        return reserve_from_here(t->stage, occupant);
    if (fiber_state(&occupant->fiber) == FIBER_RUNNING)
        return refuse(ENOTSUP);
    return reserve(t->stage, occupant, context_left_at(&occupant->fiber.own));
}

/* From a stack that is not the stage. */
static void put_on_stage(struct stage *stage, struct copied *c)
{
    struct copied *occupant = stage->occupant;

    if (occupant == c)
        return;
    if (occupant)
        copy_out(stage, occupant, context_left_at(&occupant->fiber.own));
    copy_in(stage, c);
}

UNINSTRUMENTED static void copystack_enter(struct fiber *f)
{
    struct stage *stage = f->carrier->stage;
    const struct context *to = &f->own;
    struct control control;

    control_get(&control);
    if (is_copied(f->resumer)) {
        stage->move = (struct move){ copied(f->resumer), f->back, copied(f), to };
        to = &stage->mover;
    } else {
        put_on_stage(stage, copied(f));
    }
    fiber_swap_in(f, to);
    control_set(&control);
}

/* Where to go when `out`, or nobody that is needed, leaves the stage to the resumer of `f`. */
static const struct context *way_back(struct fiber *f, struct copied *out)
{
    struct stage *stage = f->carrier->stage;

    if (!is_copied(f->resumer))
        return f->back;
    stage->move = (struct move){ out, &f->own, copied(f->resumer), f->back };
    return &stage->mover;
}

UNINSTRUMENTED static int copystack_leave(struct fiber *f)
{
    struct copied *c = copied(f);
    const struct context *to;
    struct control control;

    control_get(&control);
    if (is_copied(f->resumer) && reserve_from_here(f->carrier->stage, c) < 0)
        return -1;
    to = way_back(f, c);
    fiber_swap_out(f, to);
    control_set(&control);
    return 0;
}

UNINSTRUMENTED static void copystack_end(struct fiber *f)
{
    const struct context *to = way_back(f, NULL);

    f->carrier->stage->occupant = NULL;
    annotate_leave(&f->own_note, &f->back_note, true);
    context_swap(&f->carrier->grave, to, context_left_at(to), NULL);
}

#else

static const char *copystack_refusal(void)
{
    return "copystack: this machine is not one of x86-64 and aarch64";
}

#endif

const struct way way_copystack = {
    .about = "one stack for all fibers of a thread, from which they are copied, and to it",
    .source = "greenlet, libaco", .migrates = false, .keeps_control = true,
    .refusal = copystack_refusal,
#if CONTEXT_NATIVE
    .make = copystack_make, .drop = copystack_drop, .admit = copystack_admit,
    .enter = copystack_enter, .leave = copystack_leave, .end = copystack_end,
    .close = copystack_close,
#endif
};
