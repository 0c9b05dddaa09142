/* task.c - a coroutine that a loop drives.
 *
 * A place in the loop's ring. While a task is not done one place is its own: its next step stands
 * in the ring, or a place is promised to it, or to what it awaits, for its sake. A step begins by
 * having the place that it was called from promised again; it ends by pushing the next step, by
 * adding itself to what it awaits, or by giving the place up.
 *
 * What it awaits. A step that follows what was awaited sends None, as the first does: the future
 * then returns its result or raises by itself. Only CancelledError, and what a task has yielded
 * wrongly, is thrown.
 */
#include "coroutines/task.h"

#include "coroutines/coroutine.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/none.h"
#include "objects/str.h"

#include <assert.h>
#include <stdio.h>

struct task_object {
    struct future_object future;
    struct task_link link;
    struct object *coroutine; /* owned; NULL: it was emptied */
    struct object *awaited;   /* owned; the future that wakes it; NULL: none */
    struct object *name;      /* owned; a str, or NULL: "Task-" and the number */
    struct object *message;   /* owned; of the request to cancel that is still to be delivered */
    uint64_t number;          /* set once */
    int requests;             /* to cancel it, that were not taken back */
    bool must_cancel;         /* the next step throws CancelledError */
    bool told;                /* that it was destroyed */
};

static struct task_object *as_task(borrowed o)
{
    assert(type_of(o) == &task_type);
    return (struct task_object *)o;
}

static loop_action step;

/* Stores it in a field of the task; what was there before is dropped. */
static void set(struct task_object *t, struct object **field, borrowed value /* may be NULL */)
{
    struct object *before = *field;

    if (value)
        publish_into(&t->future.head, value);
    *field = value ? incref(value) : NULL;
    xdecref(before);
}

/* ---- cancelling ---- */

static int task_cancel(borrowed o, borrowed message)
{
    struct task_object *t = as_task(o);
    int awaited;

    t->future.tells = false;
    if (future_done(o))
        return 0;
    t->requests++;
    awaited = t->awaited ? future_cancel(t->awaited, message) : 0;
    if (awaited)
        return awaited;
    t->must_cancel = true;
    set(t, &t->message, message);
    return 1;
}

int task_cancelling(borrowed o)
{
    return as_task(o)->requests;
}

int task_uncancel(borrowed o)
{
    struct task_object *t = as_task(o);

    if (t->requests > 0)
        t->requests--;
    return t->requests;
}

/* ---- its end ---- */

static void leave_loop(struct task_object *t)
{
    loop_unpromise(t->future.loop);
    loop_remove_task(t->future.loop, &t->link);
}

/* A request that came while it took its last step wins over what it returned. */
static void end_returned(struct task_object *t, struct object *result /* steals */)
{
    if (!t->must_cancel) {
        future_finish(&t->future, result);
        return;
    }
    t->must_cancel = false;
    decref(result);
    future_end_cancelled(&t->future, t->message, NULL);
}

/* What is pending becomes its outcome. -1: it leaves the loop as well. */
static int end_raised(struct task_object *t)
{
    bool leaves = exception_matches(&keyboard_interrupt) || exception_matches(&system_exit);
    bool cancelled = exception_matches(&cancelled_error);
    struct object *e = exception_take();

    if (cancelled) {
        future_end_cancelled(&t->future, NULL, e);
        decref(e);
        return 0;
    }
    future_fail(&t->future, e);
    if (!leaves)
        return 0;
    exception_restore(incref(e));
    return -1;
}

/* ---- what it has yielded ---- */

/* RuntimeError: `before`, what the task is, and if `between` is not NULL that and what was yielded.
 */
static int refuse(const struct task_object *t, const char *before, const char *between,
                  borrowed yielded, const char *behind)
{
    char self[80], other[60] = "";

    object_repr(&t->future.head, self, sizeof self);
    if (between)
        object_repr(yielded, other, sizeof other);
    exception_set(&runtime_error, "%s%s%s%s%s", before, self, between ? between : "", other,
                  behind);
    return -1;
}

static int refuse_yield(const struct task_object *t, borrowed yielded)
{
    char text[80];

    if (type_of(yielded) == &generator_type)
        return refuse(t, "yield was used instead of yield from for generator in task ", " with ",
                      yielded, "");
    object_repr(yielded, text, sizeof text);
    exception_set(&runtime_error, "Task got bad yield: %s", text);
    return -1;
}

/* It was asked to end while it ran. What it awaits may not be able to end, for want of memory: then
 * its next step, which is as late as that, throws. */
static SLOW_PATH void cancel_awaited(struct task_object *t, borrowed f)
{
    int cancelled = future_cancel(f, t->message);

    if (cancelled > 0)
        t->must_cancel = false;
    if (cancelled < 0)
        exception_restore(NULL);
}

/* Adds itself to the future, by the place that it has. The reference to it is the task's then. */
static HOT_PATH int await_future(struct task_object *t, struct object *f)
{
    if (future_loop(f) != t->future.loop)
        return refuse(t, "Task ", " got Future ", f, " attached to a different loop");
    if (!as_future(f)->awaited)
        return refuse(t, "yield was used instead of yield from in task ", " with ", f, "");
    as_future(f)->awaited = false;
    if (f == &t->future.head)
        return refuse(t, "Task cannot await on itself: ", NULL, f, "");
    if (future_on_done(f, step, &t->future.head, true) < 0)
        return -1;
    publish_into(&t->future.head, f);
    t->awaited = f;
    if (unlikely(t->must_cancel))
        cancel_awaited(t, f);
    return 0;
}

/* It could not go on as it wished: what is pending is raised in the coroutine, in the next turn. */
static void step_with_pending(struct task_object *t)
{
    struct object *e = exception_take();

    loop_push_promised(t->future.loop, step, &t->future.head, e);
    decref(e);
}

static HOT_PATH void go_on(struct task_object *t, struct object *yielded /* steals */)
{
    int result = 0;

    if (likely(future_is(yielded))) {
        result = await_future(t, yielded);
        if (likely(result == 0))
            return;
    } else if (yielded == none()) {
        loop_push_promised(t->future.loop, step, &t->future.head, NULL);
    } else {
        result = refuse_yield(t, yielded);
    }
    decref(yielded);
    if (unlikely(result < 0))
        step_with_pending(t);
}

/* ---- a step ---- */

/* What a step is to throw, owned: what was given with it, unless it was asked to end meanwhile. */
static struct object *thrown(struct task_object *t, borrowed given)
{
    struct object *e;

    if (likely(!t->must_cancel))
        return given && !future_is(given) ? incref(given) : NULL;
    t->must_cancel = false;
    if (given && !future_is(given) && exception_is(given, &cancelled_error))
        return incref(given);
    e = cancelled_error_new(t->message);
    return e ? e : exception_take();
}

static enum step resume(struct task_object *t, borrowed given, struct object **result)
{
    struct object *e = thrown(t, given);

    set(t, &t->awaited, NULL);
    return e ? generator_throw(t->coroutine, e, result)
             : generator_send(t->coroutine, none(), result);
}

static const char *name_of(borrowed task)
{
    return generator_body_of(as_task(task)->coroutine)->name;
}

/* Of the task that was begun eagerly within another one's step, that one is the outer. */
static enum step resume_within(struct task_object *t, borrowed given, struct object **result)
{
    borrowed loop = t->future.loop, outer = loop_current_task(loop);
    enum step how;

    loop_enter(loop, name_of(&t->future.head));
    loop_set_current_task(loop, &t->future.head);
    how = resume(t, given, result);
    loop_set_current_task(loop, outer);
    if (unlikely(outer))
        loop_enter(loop, name_of(outer));
    return how;
}

/* A place is promised to the task. */
static HOT_PATH int take_step(struct task_object *t, borrowed given)
{
    struct object *result;
    int outcome = 0;

    switch (resume_within(t, given, &result)) {
    case STEP_NEXT:
        go_on(t, result);
        return 0;
    case STEP_RETURN:
        end_returned(t, result);
        break;
    default:
        outcome = end_raised(t);
    }
    leave_loop(t);
    return outcome;
}

/* `given` is an exception; or the future that was awaited, which says by itself what came of it; or
 * NULL. */
static HOT_PATH int step(borrowed loop, borrowed o, borrowed given)
{
    struct task_object *t = as_task(o);

    loop_promise_again(loop);
    if (likely(!future_done(o) && t->coroutine))
        return take_step(t, given);
    loop_unpromise(loop); /* it was emptied */
    return 0;
}

/* ---- its life ---- */

static bool is_unfinished(borrowed o)
{
    return (!future_done(o) && !as_task(o)->told) || future_unfinished(o);
}

/* Told once, of what nobody can drive to its end any more, or of what nobody asked for. */
static void finish(struct object *o)
{
    struct task_object *t = as_task(o);

    if (future_done(o)) {
        future_tell_lost(o, "Task exception was never retrieved");
        return;
    }
    t->told = true;
    loop_tell(t->future.loop, "Task was destroyed but it is pending!", NULL, o);
}

static void let_go(struct task_object *t)
{
    set(t, &t->coroutine, NULL);
    set(t, &t->awaited, NULL);
    set(t, &t->name, NULL);
    set(t, &t->message, NULL);
}

static void destroy(struct object *o)
{
    let_go(as_task(o));
    future_destroy(o);
}

static void clear(struct object *o)
{
    let_go(as_task(o));
    future_clear(o);
}

static void traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct task_object *t = as_task(o);

    future_traverse(o, visit, argument);
    if (t->coroutine)
        visit(t->coroutine, argument);
    if (t->awaited)
        visit(t->awaited, argument);
    if (t->name)
        visit(t->name, argument);
    if (t->message)
        visit(t->message, argument);
}

static void write_name(const struct task_object *t, char *text, size_t size_bytes)
{
    if (t->name)
        snprintf(text, size_bytes, "%s", str_text(t->name));
    else
        snprintf(text, size_bytes, "Task-%llu", (unsigned long long)t->number);
}

static void repr(borrowed o, char *text, size_t size_bytes)
{
    const struct task_object *t = as_task(o);
    char name[40];
    size_t used;

    write_name(t, name, sizeof name);
    snprintf(text, size_bytes, "<Task %s name='%s' coro=<%s()>",
             !future_done(o) && t->requests ? "cancelling" : future_state_name(o), name,
             t->coroutine ? generator_body_of(t->coroutine)->name : "");
    used = strlen(text);
    future_write_state(o, text + used, size_bytes - used);
}

const struct type task_type = {
    .name = "Task", .size_bytes = sizeof(struct task_object), .destroy = destroy, .clear = clear,
    .unfinished = is_unfinished, .finish = finish, .traverse = traverse, .iterate = incref,
    .next = future_next, .await = incref, .repr = repr,
};

static struct object *make(borrowed loop, borrowed coroutine, borrowed name)
{
    struct object *o = container_new(&task_type, sizeof(struct task_object));
    struct task_object *t;

    if (!o)
        return NULL;
    t = as_task(o);
    future_init(&t->future, loop, task_cancel);
    t->link = (struct task_link){ NULL, NULL, o };
    t->coroutine = incref(coroutine);
    t->name = name ? incref(name) : NULL;
    t->awaited = t->message = NULL;
    t->number = loop_next_number(loop);
    t->requests = 0;
    t->must_cancel = t->told = false;
    return o;
}

/* On the loop's list, with a place promised to it. */
static struct object *make_listed(borrowed loop, borrowed coroutine, borrowed name)
{
    struct object *o;

    if (type_of(coroutine) != &coroutine_type) {
        char text[80];

        object_repr(coroutine, text, sizeof text);
        exception_set(&type_error, "a coroutine was expected, got %s", text);
        return NULL;
    }
    if (loop_promise(loop) < 0)
        return NULL;
    o = make(loop, coroutine, name);
    if (o)
        loop_add_task(loop, &as_task(o)->link);
    else
        loop_unpromise(loop);
    return o;
}

struct object *task_new(borrowed loop, borrowed coroutine, borrowed name)
{
    struct object *o = make_listed(loop, coroutine, name);

    if (o)
        loop_push_promised(loop, step, o, NULL);
    return o;
}

struct object *task_new_eager(borrowed loop, borrowed coroutine, borrowed name)
{
    struct object *o = make_listed(loop, coroutine, name);

    assert(loop == loop_running());
    if (!o || take_step(as_task(o), NULL) == 0)
        return o;
    decref(o);
    return NULL;
}

void task_hush(borrowed o)
{
    as_task(o)->told = true;
}

borrowed task_current(void)
{
    borrowed loop = loop_running();

    return loop ? loop_current_task(loop) : NULL;
}

struct object *task_name(borrowed o)
{
    char text[40];

    if (as_task(o)->name)
        return incref(as_task(o)->name);
    write_name(as_task(o), text, sizeof text);
    return str_new(text);
}

void task_set_name(borrowed o, borrowed name)
{
    set(as_task(o), &as_task(o)->name, name);
}

borrowed task_coroutine(borrowed o)
{
    return as_task(o)->coroutine;
}

/* ---- ensure_future ---- */

static enum turn await_it(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ == 0) {
        *result = await_iterator(f->reference[0]);
        return *result ? TURN_FROM : TURN_ERROR;
    }
    *result = incref(argument);
    return TURN_RETURN;
}

static const struct body await_body = {
    .name = "_wrap_awaitable", .kind = COROUTINE, .resume = await_it, .references = 1,
};

static struct object *task_of_awaitable(borrowed loop, borrowed awaitable)
{
    struct object *coroutine = generator_new(&await_body, &awaitable, 1), *task;

    if (!coroutine)
        return NULL;
    task = task_new(loop, coroutine, NULL);
    decref(coroutine);
    return task;
}

struct object *ensure_future(borrowed loop, borrowed awaitable)
{
    if (future_is(awaitable)) {
        if (future_loop(awaitable) == loop)
            return incref(awaitable);
        exception_set(&value_error, "The future belongs to a different loop than the one specified "
                                    "as the loop argument");
        return NULL;
    }
    if (type_of(awaitable) == &coroutine_type)
        return task_new(loop, awaitable, NULL);
    if (type_of(awaitable)->await)
        return task_of_awaitable(loop, awaitable);
    exception_set(&type_error, "An asyncio.Future, a coroutine or an awaitable is required");
    return NULL;
}
