/* as_completed.c - each of many as it comes: as_completed of wait.h.
 *
 * What is done stands in a row; who waits stands in another. Whoever is released takes the first of
 * what is done; if he is cancelled meanwhile, he releases the next.
 */
#include "coroutines/wait.h"

#include "coroutines/coroutine.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/set.h"

struct completing {
    struct object head;
    struct object *loop; /* set once; owned */
    struct object *todo; /* owned; a set of futures */
    struct object *done; /* owned; a list of those that are done, None for one that came too late */
    struct object *waiters; /* owned; a list of futures, of those that wait or have waited */
    struct object *alarm;   /* owned; a handle; NULL: none */
    size_t taken, released; /* of `done`, of `waiters`: the first so many */
    size_t left;            /* coroutines that are still to be given */
};

static const struct type completing_type;

static struct completing *as_completing(borrowed o)
{
    return (struct completing *)o;
}

static void completing_clear(struct object *o)
{
    struct completing *c = as_completing(o);
    struct object *held[] = { c->todo, c->done, c->waiters, c->alarm };

    c->todo = c->done = c->waiters = c->alarm = NULL;
    if (held[3])
        handle_cancel(held[3]);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        xdecref(held[i]);
}

static void completing_destroy(struct object *o)
{
    completing_clear(o);
    decref(as_completing(o)->loop);
}

static void completing_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                                void *argument)
{
    const struct completing *c = as_completing(o);
    borrowed held[] = { c->loop, c->todo, c->done, c->waiters, c->alarm };

    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i])
            visit(held[i], argument);
}

/* The first who waits and is not done may take one. */
static void release_next(struct completing *c)
{
    while (c->released < list_length(c->waiters)) {
        struct object *waiter = list_get(c->waiters, c->released++);
        bool waits = !future_done(waiter);

        if (waits)
            future_finish(as_future(waiter), none());
        decref(waiter);
        if (waits)
            return;
    }
}

static int put(struct completing *c, borrowed future)
{
    if (list_append(c->done, future) < 0)
        return -1;
    release_next(c);
    return 0;
}

static int one_is_done(borrowed loop, borrowed o, borrowed future)
{
    struct completing *c = as_completing(o);

    loop_enter(loop, "as_completed");
    if (!c->todo || set_discard(c->todo, future) != 1)
        return 0; /* the time was over before */
    if (!set_length(c->todo) && c->alarm)
        handle_cancel(c->alarm);
    return put(c, future);
}

static int time_is_over(borrowed loop, borrowed o, borrowed unused)
{
    struct completing *c = as_completing(o);
    struct object *future;
    size_t cursor = 0;
    int result = 0;

    (void)unused;
    loop_enter(loop, "as_completed");
    while (c->todo && result == 0 && (future = set_next(c->todo, &cursor))) {
        future_not_on_done(future, one_is_done, o);
        set_discard(c->todo, future);
        decref(future);
        result = put(c, none());
    }
    return result;
}

/* ---- one coroutine ---- */

enum { COMPLETING, WAITER, REFERENCES };

static enum turn take(struct completing *c, struct object **result)
{
    struct object *future = list_get(c->done, c->taken++);

    if (future == none()) {
        exception_set(&timeout_error, "%s", "");
        return TURN_ERROR;
    }
    *result = future_result(future);
    decref(future);
    return *result ? TURN_RETURN : TURN_ERROR;
}

static enum turn wait_for_next(struct frame *f, struct completing *c, struct object **result)
{
    struct object *before = f->reference[WAITER], *waiter = future_new(c->loop);

    f->reference[WAITER] = waiter;
    xdecref(before);
    if (!waiter || list_append(c->waiters, waiter) < 0)
        return TURN_ERROR;
    *result = incref(waiter);
    return TURN_FROM;
}

/* Released and cancelled in one turn: it is another's turn. */
static enum turn give_up(struct frame *f, struct completing *c, borrowed e)
{
    if (f->reference[WAITER] && !future_cancelled(f->reference[WAITER]) &&
        c->taken < list_length(c->done))
        release_next(c);
    return frame_raise(e);
}

static enum turn next_one(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    struct completing *c = as_completing(f->reference[COMPLETING]);

    if (how == RESUME_THROW)
        return give_up(f, c, argument);
    return c->taken < list_length(c->done) ? take(c, result) : wait_for_next(f, c, result);
}

static const struct body next_body = {
    .name = "_wait_for_one", .kind = COROUTINE, .resume = next_one, .references = REFERENCES,
};

static enum step completing_next(struct object *o, struct object **result)
{
    struct completing *c = as_completing(o);

    if (!c->left) {
        *result = none();
        return STEP_RETURN;
    }
    *result = generator_new(&next_body, (borrowed[]){ o }, 1);
    if (!*result)
        return STEP_ERROR;
    c->left--;
    return STEP_NEXT;
}

static const struct type completing_type = {
    .name = "as_completed", .size_bytes = sizeof(struct completing), .destroy = completing_destroy,
    .clear = completing_clear, .traverse = completing_traverse, .iterate = incref,
    .next = completing_next,
};

/* ---- its beginning ---- */

static struct object *completing_new(borrowed loop)
{
    struct object *o = container_new(&completing_type, sizeof(struct completing));
    struct completing *c;

    if (!o)
        return NULL;
    c = as_completing(o);
    c->loop = incref(loop);
    c->todo = c->done = c->waiters = c->alarm = NULL;
    c->taken = c->released = c->left = 0;
    if ((c->todo = set_new()) && (c->done = list_new()) && (c->waiters = list_new()))
        return o;
    decref(o);
    return NULL;
}

static int add(struct completing *c, borrowed awaitable)
{
    struct object *future = ensure_future(c->loop, awaitable);
    int result;

    if (!future)
        return -1;
    result = set_add(c->todo, future);
    if (result == 0)
        result = future_on_done(future, one_is_done, &c->head, false);
    decref(future);
    return result;
}

/* One that comes twice is awaited once. */
static int add_all(struct completing *c, borrowed const *awaitables, size_t count)
{
    struct object *set = set_new(), *awaitable;
    size_t cursor = 0;
    int result = set ? 0 : -1;

    for (size_t i = 0; result == 0 && i < count; i++)
        result = set_add(set, awaitables[i]);
    while (result == 0 && (awaitable = set_next(set, &cursor))) {
        result = add(c, awaitable);
        decref(awaitable);
    }
    xdecref(set);
    return result;
}

static int set_alarm(struct completing *c, int64_t timeout_ns)
{
    if (timeout_ns == WAIT_FOREVER || !c->left)
        return 0;
    c->alarm = loop_push_at(c->loop, loop_time_after(timeout_ns), time_is_over, &c->head, NULL);
    return c->alarm ? 0 : -1;
}

struct object *as_completed(borrowed loop, borrowed const *awaitables, size_t count,
                            int64_t timeout_ns)
{
    struct object *o = completing_new(loop);

    if (!o)
        return NULL;
    if (add_all(as_completing(o), awaitables, count) == 0) {
        as_completing(o)->left = set_length(as_completing(o)->todo);
        if (set_alarm(as_completing(o), timeout_ns) == 0)
            return o;
    }
    decref(o);
    return NULL;
}
