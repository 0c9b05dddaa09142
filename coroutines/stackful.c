/* stackful.c - the turns of a function that has a fiber.
 *
 * The frame holds one pointer, to a struct stackful at the top of the fiber's stack; NULL: there is
 * none, before the first turn and after the last. A turn is described on the resumer's stack, and
 * that description passes through the switch; back comes how the turn has ended.
 *
 *   1. Whoever calls stackful_turn has claimed the generator (generator.c), and keeps it until
 *      that returns, on its own stack: then the fiber has been left. So no fiber is resumed
 *      twice at a time, and fibers need not be shared.
 *   2. What belongs to a stack is exchanged by the resumer, on its stack, before and after. It
 *      stays on one thread meanwhile. The fiber's side touches nothing that is a thread's
 *      after the switch, but in functions that are called then.
 */
#include "coroutines/stackful.h"

#include "coroutines/switch/carriers.h"
#include "objects/iterator.h"

#include <assert.h>

static _Atomic uint64_t lost; /* atomic */

uint64_t stackful_lost(void)
{
    return atomic_load_explicit(&lost, memory_order_relaxed);
}

static struct stackful **place_in(const struct frame *f)
{
    return (struct stackful **)((char *)frame_locals((struct frame *)f) +
                                stackful_offset(f->body));
}

bool stackful_stands(const struct frame *f)
{
    return f->body->stackful && *place_in(f);
}

/* ---- the function's side ---- */

/* Whether the innermost block would go with the stack. Not inlined: see fact 2. */
static __attribute__((noinline, unused)) bool leaves_a_block(const struct stack *stack)
{
    const char *block = (const char *)exception_innermost;

    return block >= stack->low && block < stack_high(stack);
}

static void *begin(struct fiber *fiber, void *turn)
{
    struct stackful self = { .fiber = fiber, .turn = turn };
    struct object *returned;

    fiber->owner = &self;
    *place_in(self.turn->frame) = &self;
    returned = self.turn->frame->body->stackful(&self);
    assert(!leaves_a_block(fiber->stack) && "what it has begun to handle is to be ended first");
    *place_in(self.turn->frame) = NULL;
    if (!returned)
        return (void *)TURN_ERROR;
    *self.turn->result = returned;
    return (void *)TURN_RETURN;
}

static __attribute__((noinline)) struct object *answer(const struct stackful *self)
{
    if (likely(self->turn->how == RESUME_SEND))
        return incref(self->turn->argument);
    exception_restore(incref(self->turn->argument));
    return NULL;
}

static struct object *leave_by(struct stackful *self, enum turn turn,
                               struct object *result /* steals; may be NULL */)
{
    assert(self->fiber->carrier->current == self->fiber && "it yields for itself alone");
    if (unlikely(!result))
        return NULL;
    *self->turn->result = result;
    self->turn = fiber_yield(self->fiber, (void *)(uintptr_t)turn);
    return answer(self);
}

struct object *stackful_yield(struct stackful *self, struct object *value /* steals; may be NULL */)
{
    return leave_by(self, TURN_YIELD, value);
}

struct object *stackful_from(struct stackful *self,
                             struct object *iterator /* steals; may be NULL */)
{
    return leave_by(self, TURN_FROM, iterator);
}

struct object *stackful_await(struct stackful *self, borrowed awaitable)
{
    return stackful_from(self, await_iterator(awaitable));
}

struct object *stackful_from_iterable(struct stackful *self, borrowed iterable)
{
    return stackful_from(self, iterate(iterable));
}

struct stackful *stackful_self(void)
{
    const struct carrier *t = carrier_self();

    return t && t->current && t->current->entry == begin ? t->current->owner : NULL;
}

/* ---- the resumer's side ---- */

static SLOW_PATH struct fiber *take_stack(struct carrier *t, const struct body *body)
{
    struct fiber *fiber = fiber_new_with(t, body->name, begin, NULL, body->stack_bytes);

    if (!fiber)
        exception_set(&memory_error, "%s", t->stacks.why);
    return fiber;
}

static void give_stack(struct fiber *fiber)
{
    int failed = fiber_destroy(carrier_here(), fiber);

    assert(!failed && "it has finished, or nobody has it");
    (void)failed;
}

enum turn stackful_turn(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    struct stackful_turn turn = { f, how, argument, result };
    struct stackful *self = *place_in(f);
    struct carrier *t = carrier_here();
    struct fiber *fiber = likely(self) ? self->fiber : take_stack(t, f->body);
    struct execution resumer;
    void *ended;

    if (unlikely(!fiber))
        return TURN_ERROR;
    execution_leave(&resumer);
    if (likely(self))
        execution_enter(&self->execution);
    ended = fiber_resume(t, fiber, &turn);
    assert(ended != FIBER_FAILED && "who has claimed it is alone");
    self = *place_in(f);
    if (likely(self))
        execution_leave(&self->execution);
    else
        give_stack(fiber);
    execution_enter(&resumer);
    return (enum turn)(uintptr_t)ended;
}

void stackful_drop(struct frame *f)
{
    struct stackful *self = *place_in(f);

    *place_in(f) = NULL;
    execution_abandon(&self->execution);
    give_stack(self->fiber);
    atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
}
