/* timeout.c - a block that is to end by a deadline. */
#include "coroutines/timeout.h"

#include "gil/mutex.h"
#include "objects/container.h"
#include "objects/exception.h"

#include <assert.h>
#include <stdio.h>

enum state { CREATED, ENTERED, EXPIRING, EXPIRED, EXITED };

static const char *const state_names[] = {
    [CREATED] = "created", [ENTERED] = "active",  [EXPIRING] = "expiring",
    [EXPIRED] = "expired", [EXITED] = "finished",
};

struct timeout_object {
    struct object head;
    uint64_t when_ns;
    struct object *task;   /* owned; NULL: it was not entered, or has been left */
    struct object *handle; /* owned; of what cancels the task; NULL: nothing will */
    int cancelling;        /* requests to cancel the task, when it was entered */
    enum state state;
};

static struct timeout_object *as_timeout(borrowed o)
{
    assert(type_of(o) == &timeout_type);
    return (struct timeout_object *)o;
}

struct object *timeout_at(uint64_t when_ns)
{
    struct object *o = container_new(&timeout_type, sizeof(struct timeout_object));

    if (!o)
        return NULL;
    as_timeout(o)->when_ns = when_ns;
    as_timeout(o)->task = as_timeout(o)->handle = NULL;
    as_timeout(o)->cancelling = 0;
    as_timeout(o)->state = CREATED;
    return o;
}

struct object *timeout_after(int64_t delay_ns)
{
    return timeout_at(loop_time_after(delay_ns));
}

static void call_off(struct timeout_object *t)
{
    struct object *handle = t->handle;

    t->handle = NULL;
    if (!handle)
        return;
    handle_cancel(handle);
    decref(handle);
}

static int expire(borrowed loop, borrowed o, borrowed unused)
{
    struct timeout_object *t = as_timeout(o);
    struct object *handle = t->handle;

    (void)unused;
    loop_enter(loop, "timeout");
    t->handle = NULL;
    xdecref(handle);
    if (t->state != ENTERED)
        return 0;
    t->state = EXPIRING;
    return future_cancel(t->task, NULL) < 0 ? -1 : 0;
}

/* A deadline that has passed comes before all that becomes ready from now on; a timer would come
 * behind it. */
static struct object *expire_next(borrowed loop, struct timeout_object *t)
{
    struct object *handle = handle_new(t->when_ns, expire, &t->head, NULL);

    if (handle && loop_push(loop, handle_act, handle, NULL) < 0) {
        decref(handle);
        return NULL;
    }
    return handle;
}

static struct object *expire_at(struct timeout_object *t)
{
    borrowed loop = future_loop(t->task);

    if (t->when_ns <= clock_ns())
        return expire_next(loop, t);
    return loop_push_at(loop, t->when_ns, expire, &t->head, NULL);
}

static int schedule(struct timeout_object *t)
{
    struct object *handle = NULL;

    if (t->when_ns != TIMEOUT_NEVER) {
        handle = expire_at(t);
        if (!handle)
            return -1;
        publish_into(&t->head, handle);
    }
    call_off(t);
    t->handle = handle;
    return 0;
}

static int refuse(const char *format, const char *state)
{
    exception_set(&runtime_error, format, state);
    return -1;
}

static void leave(struct timeout_object *t)
{
    struct object *task = t->task;

    t->task = NULL;
    xdecref(task);
}

int timeout_enter(borrowed o)
{
    struct timeout_object *t = as_timeout(o);
    borrowed task = task_current();

    if (t->state != CREATED)
        return refuse("%s", "Timeout has already been entered");
    if (!task)
        return refuse("%s", "Timeout should be used inside a task");
    publish_into(o, task);
    t->task = incref(task);
    t->cancelling = task_cancelling(task);
    if (schedule(t) < 0) {
        leave(t);
        return -1;
    }
    t->state = ENTERED;
    return 0;
}

/* Others may have asked the task to end, too: then that is what it does. */
static bool is_the_time(struct timeout_object *t)
{
    return task_uncancel(t->task) <= t->cancelling && exception_matches(&cancelled_error);
}

static void raise_timeout(void)
{
    struct object *cancelled = exception_take(), *e = exception_new(&timeout_error, "%s", "");

    if (e) {
        exception_set_cause(e, cancelled);
        exception_raise(e);
    }
    decref(cancelled);
}

int timeout_exit(borrowed o)
{
    struct timeout_object *t = as_timeout(o);

    assert(t->state == ENTERED || t->state == EXPIRING);
    call_off(t);
    if (t->state == EXPIRING && is_the_time(t))
        raise_timeout();
    t->state = t->state == EXPIRING ? EXPIRED : EXITED;
    leave(t);
    return exception_pending() ? -1 : 0;
}

int timeout_reschedule(borrowed o, uint64_t when_ns)
{
    struct timeout_object *t = as_timeout(o);
    uint64_t before_ns = t->when_ns;

    if (t->state == CREATED)
        return refuse("%s", "Timeout has not been entered");
    if (t->state != ENTERED)
        return refuse("Cannot change state of %s Timeout", state_names[t->state]);
    t->when_ns = when_ns;
    if (schedule(t) == 0)
        return 0;
    t->when_ns = before_ns;
    return -1;
}

uint64_t timeout_when_ns(borrowed o)
{
    return as_timeout(o)->when_ns;
}

bool timeout_expired(borrowed o)
{
    return as_timeout(o)->state == EXPIRING || as_timeout(o)->state == EXPIRED;
}

static void timeout_clear(struct object *o)
{
    call_off(as_timeout(o));
    leave(as_timeout(o));
}

static void timeout_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                             void *argument)
{
    const struct timeout_object *t = as_timeout(o);

    if (t->task)
        visit(t->task, argument);
    if (t->handle)
        visit(t->handle, argument);
}

/* Python's round(seconds, 3): no more digits than are needed, but one. */
static void write_seconds(uint64_t ns, char *text, size_t size_bytes)
{
    uint64_t ms = (ns + NS_PER_MS / 2) / NS_PER_MS;
    int used = snprintf(text, size_bytes, "%llu.%03u", (unsigned long long)(ms / 1000),
                        (unsigned)(ms % 1000));

    while (text[used - 1] == '0' && text[used - 2] != '.')
        text[--used] = '\0';
}

static void timeout_repr(borrowed o, char *text, size_t size_bytes)
{
    const struct timeout_object *t = as_timeout(o);
    char when[40] = "None";

    if (t->state == ENTERED && t->when_ns != TIMEOUT_NEVER)
        write_seconds(t->when_ns, when, sizeof when);
    snprintf(text, size_bytes, "<Timeout [%s]%s%s>", state_names[t->state],
             t->state == ENTERED ? " when=" : "", t->state == ENTERED ? when : "");
}

const struct type timeout_type = {
    .name = "Timeout", .size_bytes = sizeof(struct timeout_object), .destroy = timeout_clear,
    .clear = timeout_clear, .traverse = timeout_traverse, .repr = timeout_repr,
};
