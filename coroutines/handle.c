/* handle.c - a call that a loop will make later. */
#include "coroutines/handle.h"

#include <assert.h>

static struct handle_object *as_handle(borrowed o)
{
    assert(type_of(o) == &handle_type);
    return (struct handle_object *)o;
}

struct object *handle_new(uint64_t when_ns, loop_action *act, borrowed target, borrowed argument)
{
    struct object *o = object_new(&handle_type, sizeof(struct handle_object));
    struct handle_object *h;

    if (!o)
        return NULL;
    h = as_handle(o);
    h->timer.when_ns = when_ns;
    h->callback = callback_of(act, target, argument);
    h->cancelled_timers = NULL;
    h->cancelled = false;
    return o;
}

/* It is empty before anything is dropped: a destructor may come back to it. */
static void let_go(struct handle_object *h)
{
    struct callback callback = h->callback;

    h->callback = (struct callback){ NULL };
    if (callback.act)
        callback_drop(callback);
}

void handle_cancel(borrowed o)
{
    struct handle_object *h = as_handle(o);

    if (h->cancelled)
        return;
    h->cancelled = true;
    if (h->cancelled_timers)
        ++*h->cancelled_timers;
    let_go(h);
}

bool handle_cancelled(borrowed o)
{
    return as_handle(o)->cancelled;
}

uint64_t handle_when_ns(borrowed o)
{
    return as_handle(o)->timer.when_ns;
}

int handle_act(borrowed loop, borrowed target, borrowed argument)
{
    struct handle_object *h = as_handle(target);
    struct callback callback = h->callback;
    int result;

    (void)argument;
    if (!callback.act)
        return 0;
    h->callback = (struct callback){ NULL };
    result = callback.act(loop, callback.target, callback.argument);
    callback_drop(callback);
    return result;
}

static void handle_destroy(struct object *o)
{
    let_go(as_handle(o));
}

static void traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    if (as_handle(o)->callback.act)
        callback_traverse(&as_handle(o)->callback, visit, argument);
}

void handle_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    visit(o, argument);
    traverse(o, visit, argument);
}

const struct type handle_type = {
    .name = "handle", .size_bytes = sizeof(struct handle_object), .destroy = handle_destroy,
    .traverse = traverse,
};
