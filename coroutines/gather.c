/* gather.c - futures made of futures. */
#include "coroutines/gather.h"

#include "objects/container.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tuple.h"

struct gathering {
    struct future_object future;
    struct object *children; /* set once; owned: a tuple of futures */
    size_t left;             /* children that are not done, each counted once */
    bool exceptions;         /* set once; they stand in the list */
    bool cancelled;          /* somebody has cancelled it, and a child at least was not done */
};

static const struct type gathering_type;

static struct gathering *as_gathering(borrowed o)
{
    return (struct gathering *)o;
}

static int gathering_cancel(borrowed o, borrowed message)
{
    struct gathering *g = as_gathering(o);
    size_t length = tuple_length(g->children);
    bool any = false;

    if (future_done(o))
        return 0;
    for (size_t i = 0; i < length; i++) {
        int cancelled = future_cancel(tuple_get(g->children, i), message);

        if (cancelled < 0)
            return -1;
        any |= cancelled;
    }
    g->cancelled |= any;
    return any;
}

static void gathering_destroy(struct object *o)
{
    decref(as_gathering(o)->children);
    future_destroy(o);
}

static void gathering_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                               void *argument)
{
    visit(as_gathering(o)->children, argument);
    future_traverse(o, visit, argument);
}

static const struct type gathering_type = {
    .name = "_GatheringFuture", .size_bytes = sizeof(struct gathering),
    .destroy = gathering_destroy, .clear = future_clear, .unfinished = future_unfinished,
    .finish = future_finish_unseen, .traverse = gathering_traverse, .iterate = incref,
    .next = future_next, .await = incref,
};

/* ---- its end ---- */

/* The exception as an object, or what it returned; NULL: MemoryError. */
static struct object *outcome_of(borrowed child)
{
    struct object *e;

    if (future_cancelled(child))
        return future_cancelled_error(child);
    e = future_exception(child);
    if (e != none())
        return e;
    decref(e);
    return future_result(child);
}

static struct object *outcomes_of(borrowed children)
{
    struct object *list = list_new();
    size_t length = tuple_length(children);

    for (size_t i = 0; list && i < length; i++) {
        struct object *outcome = outcome_of(tuple_get(children, i));

        if (!outcome || list_append(list, outcome) < 0) {
            decref(list);
            list = NULL;
        }
        xdecref(outcome);
    }
    return list;
}

static void fail_with_pending(struct gathering *g)
{
    future_fail(&g->future, exception_take());
}

static void fail_as(struct gathering *g, borrowed child)
{
    struct object *e =
        future_cancelled(child) ? future_cancelled_error(child) : future_exception(child);

    if (e)
        future_fail(&g->future, e);
    else
        fail_with_pending(g);
}

static bool failed(borrowed child)
{
    return future_cancelled(child) || as_future(child)->exception;
}

/* That of the last child, when the whole was cancelled. */
static void end_cancelled(struct gathering *g, borrowed child)
{
    struct object *e = future_cancelled(child) ? future_cancelled_error(child)
                                               : exception_new(&cancelled_error, "%s", "");

    if (e)
        future_fail(&g->future, e);
    else
        fail_with_pending(g);
}

static void finish(struct gathering *g, borrowed last)
{
    struct object *list;

    if (g->cancelled) {
        end_cancelled(g, last);
        return;
    }
    list = outcomes_of(g->children);
    if (list)
        future_finish(&g->future, list);
    else
        fail_with_pending(g);
}

static int child_is_done(borrowed loop, borrowed outer, borrowed child)
{
    struct gathering *g = as_gathering(outer);

    loop_enter(loop, "gather");
    g->left--;
    if (future_done(outer))
        as_future(child)->tells = false; /* the outer one has another's, and that is what counts */
    else if (!g->exceptions && failed(child))
        fail_as(g, child);
    else if (!g->left)
        finish(g, child);
    return 0;
}

/* ---- its beginning ---- */

/* It was made here, and nobody else knows of it. What is pending stays so. */
static void give_up(struct object *task /* steals */)
{
    struct object *pending = exception_take();

    if (future_cancel(task, NULL) < 0)
        exception_restore(NULL);
    decref(task);
    exception_restore(pending);
}

/* The future of an awaitable: the same one if it has come before. */
static struct object *future_of(borrowed loop, borrowed awaitable, borrowed known)
{
    struct object *future;
    int found = dict_find(known, awaitable, &future);

    if (found)
        return found > 0 ? future : NULL;
    future = ensure_future(loop, awaitable);
    if (future && future != awaitable)
        task_hush(future);
    if (!future || dict_set(known, awaitable, future) == 0)
        return future;
    if (future != awaitable)
        give_up(future);
    else
        decref(future);
    return NULL;
}

static int append_futures(borrowed loop, borrowed const *awaitables, size_t count, borrowed known,
                          borrowed list)
{
    for (size_t i = 0; i < count; i++) {
        struct object *future = future_of(loop, awaitables[i], known);
        int result = future ? list_append(list, future) : -1;

        xdecref(future);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* A tuple. */
static struct object *futures_of(borrowed loop, borrowed const *awaitables, size_t count,
                                 borrowed known)
{
    struct object *list = list_new(), *tuple = NULL;

    if (list && append_futures(loop, awaitables, count, known, list) == 0)
        tuple = list_to_tuple(list);
    xdecref(list);
    return tuple;
}

static struct object *gathering_new(borrowed loop, struct object *children /* steals */,
                                    bool exceptions)
{
    struct object *o = container_new(&gathering_type, sizeof(struct gathering));

    if (!o) {
        decref(children);
        return NULL;
    }
    future_init(as_future(o), loop, gathering_cancel);
    as_gathering(o)->children = children;
    as_gathering(o)->left = 0;
    as_gathering(o)->exceptions = exceptions;
    as_gathering(o)->cancelled = false;
    return o;
}

/* Of each future once. */
static int listen_to_all(struct object *outer, borrowed known)
{
    struct object *awaitable, *child;
    size_t cursor = 0;

    while (dict_next(known, &cursor, &awaitable, &child)) {
        int result = future_on_done(child, child_is_done, outer, false);

        decref(awaitable);
        decref(child);
        if (result < 0)
            return -1;
        as_gathering(outer)->left++;
    }
    return 0;
}

static struct object *gather_known(borrowed loop, borrowed const *awaitables, size_t count,
                                   bool exceptions, borrowed known)
{
    struct object *children = futures_of(loop, awaitables, count, known);
    struct object *outer = children ? gathering_new(loop, children, exceptions) : NULL;

    if (!outer)
        return NULL;
    if (listen_to_all(outer, known) < 0) {
        for (size_t i = 0; i < count; i++)
            future_not_on_done(tuple_get(children, i), child_is_done, outer);
        decref(outer);
        return NULL;
    }
    return outer;
}

static struct object *gather_none(borrowed loop)
{
    struct object *future = future_new(loop), *list = future ? list_new() : NULL;

    if (!list) {
        xdecref(future);
        return NULL;
    }
    future_finish(as_future(future), list);
    return future;
}

struct object *gather(borrowed loop, borrowed const *awaitables, size_t count, bool exceptions)
{
    struct object *known, *outer;

    if (!count)
        return gather_none(loop);
    known = dict_new();
    outer = known ? gather_known(loop, awaitables, count, exceptions, known) : NULL;
    xdecref(known);
    return outer;
}

/* ---- shield ---- */

/* What the inner one raises when nobody waits for the outer one any more is nobody's. */
static int inner_is_done(borrowed loop, borrowed outer, borrowed inner)
{
    struct object *e;

    loop_enter(loop, "shield");
    if (future_done(outer)) {
        as_future(inner)->tells = false;
        return 0;
    }
    if (future_cancelled(inner))
        return future_cancel(outer, NULL) < 0 ? -1 : 0;
    e = future_exception(inner);
    if (e != none())
        future_fail(as_future(outer), e);
    else
        future_finish(as_future(outer), future_result(inner));
    return 0;
}

/* The inner one need not tell it any more. */
static int outer_is_done(borrowed loop, borrowed inner, borrowed outer)
{
    loop_enter(loop, "shield");
    if (!future_done(inner))
        future_not_on_done(inner, inner_is_done, outer);
    return 0;
}

static struct object *shield_future(borrowed loop, borrowed inner)
{
    struct object *outer = future_new(loop);

    if (!outer)
        return NULL;
    if (future_on_done(inner, inner_is_done, outer, false) == 0) {
        if (future_on_done(outer, outer_is_done, inner, false) == 0)
            return outer;
        future_not_on_done(inner, inner_is_done, outer);
    }
    decref(outer);
    return NULL;
}

struct object *shield(borrowed loop, borrowed awaitable)
{
    struct object *inner = ensure_future(loop, awaitable), *outer;

    if (!inner || future_done(inner))
        return inner;
    outer = shield_future(loop, inner);
    decref(inner);
    return outer;
}
