/* future.c - WRONG: who comes when a future is done is never called.
 *
 * Its callback is kept with the others, and they have been called. Whoever awaits what was
 * already there waits for ever.
 *
 * Score: 55
 * Says: "test_callbacks_invoked_on_set_exception_and_cancel" did not pass
 * Caught by: coroutines/tests/test_future (debug)
 */
#include "coroutines/future.h"

#include "objects/container.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/none.h"
#include "objects/str.h"

#include <assert.h>
#include <stdio.h>

#ifdef NDEBUG
enum { LEAST_CAPACITY = 4 };
#else
enum { LEAST_CAPACITY = 1 };
#endif

/* ---- its life ---- */

void future_init(struct future_object *f, borrowed loop,
                 int (*cancel)(borrowed future, borrowed message))
{
    f->loop = incref(loop);
    f->result = f->exception = NULL;
    f->first = (struct future_callback){ NULL };
    f->more = NULL;
    f->count = f->capacity = 0;
    f->cancel = cancel;
    f->state = FUTURE_PENDING;
    f->awaited = f->tells = false;
}

struct object *future_new(borrowed loop)
{
    struct object *o = container_new(&future_type, sizeof(struct future_object));

    if (o)
        future_init(as_future(o), loop, future_cancel_plain);
    return o;
}

HOT_PATH bool future_is(borrowed o)
{
    return type_of(o)->next == future_next;
}

HOT_PATH borrowed future_loop(borrowed o)
{
    return as_future(o)->loop;
}

struct callbacks {
    struct future_callback first, *more;
    uint32_t count, capacity;
};

/* They are the caller's from now on: to drop one may run anything, also what adds another. */
static struct callbacks take_callbacks(struct future_object *f)
{
    struct callbacks taken = { f->first, f->more, f->count, f->capacity };

    f->first = (struct future_callback){ NULL };
    f->more = NULL;
    f->count = f->capacity = 0;
    return taken;
}

static void free_more(const struct callbacks *taken)
{
    if (taken->more)
        heap_free_table(taken->more, taken->capacity * sizeof *taken->more);
}

static void drop_callback(struct future_object *f, struct future_callback callback)
{
    loop_unpromise(f->loop);
    decref(callback.target);
}

void future_forget_callbacks(borrowed o)
{
    struct future_object *f = as_future(o);
    struct callbacks taken = take_callbacks(f);

    if (taken.first.act)
        drop_callback(f, taken.first);
    for (uint32_t i = 0; i < taken.count; i++)
        drop_callback(f, taken.more[i]);
    free_more(&taken);
}

static void drop_outcome(struct future_object *f)
{
    struct object *result = f->result, *exception = f->exception;

    f->result = f->exception = NULL;
    xdecref(result);
    xdecref(exception);
}

bool future_unfinished(borrowed o)
{
    return as_future(o)->tells && as_future(o)->exception;
}

void future_tell_lost(struct object *o, const char *message)
{
    struct future_object *f = as_future(o);

    f->tells = false;
    loop_tell(f->loop, message, f->exception, o);
}

void future_finish_unseen(struct object *o)
{
    future_tell_lost(o, "Future exception was never retrieved");
}

void future_destroy(struct object *o)
{
    struct future_object *f = as_future(o);

    future_forget_callbacks(o);
    drop_outcome(f);
    decref(f->loop);
}

/* The loop stays, for it must be told; it can be emptied itself. */
void future_clear(struct object *o)
{
    future_forget_callbacks(o);
    drop_outcome(as_future(o));
}

void future_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct future_object *f = as_future(o);

    visit(f->loop, argument);
    if (f->result)
        visit(f->result, argument);
    if (f->exception)
        visit(f->exception, argument);
    if (f->first.act)
        visit(f->first.target, argument);
    for (uint32_t i = 0; i < f->count; i++)
        visit(f->more[i].target, argument);
}

/* ---- callbacks ---- */

static int grow(struct future_object *f)
{
    uint32_t capacity = f->capacity ? 2 * f->capacity : LEAST_CAPACITY;
    struct future_callback *more = heap_alloc_table(capacity * sizeof *more);

    if (!more) {
        exception_set_no_memory();
        return -1;
    }
    if (f->more) {
        memcpy(more, f->more, f->count * sizeof *more);
        heap_free_table(f->more, f->capacity * sizeof *more);
    }
    f->more = more;
    f->capacity = capacity;
    return 0;
}

static int append(struct future_object *f, loop_action *act, borrowed target)
{
    if (!f->first.act) {
        f->first = (struct future_callback){ act, incref(target) };
        return 0;
    }
    if (f->count == f->capacity && grow(f) < 0)
        return -1;
    f->more[f->count++] = (struct future_callback){ act, incref(target) };
    return 0;
}

HOT_PATH int future_on_done(borrowed o, loop_action *act, borrowed target, bool promised)
{
    struct future_object *f = as_future(o);

    if (!promised && loop_promise(f->loop) < 0)
        return -1;
    publish_into(o, target);
    if (append(f, act, target) == 0)
        return 0;
    if (!promised)
        loop_unpromise(f->loop);
    return -1;
}

int future_add_done_callback(borrowed o, borrowed callable)
{
    return future_on_done(o, loop_act_call, callable, false);
}

/* Takes out the one at `index`, where 0 is the first; its reference is the caller's. */
static struct object *take_out(struct future_object *f, uint32_t index)
{
    struct future_callback *at = index ? &f->more[index - 1] : &f->first;
    struct object *target = at->target;

    if (index == 0 && f->count == 0) {
        f->first = (struct future_callback){ NULL };
        return target;
    }
    if (index == 0) {
        f->first = f->more[0];
        index = 1;
    }
    f->count--;
    memmove(&f->more[index - 1], &f->more[index], (f->count - (index - 1)) * sizeof *f->more);
    return target;
}

/* UINT32_MAX: there is none from `from` on. */
static uint32_t find(const struct future_object *f, loop_action *act, borrowed target,
                     uint32_t from)
{
    uint32_t count = f->first.act ? f->count + 1 : 0;

    for (uint32_t i = from; i < count; i++) {
        const struct future_callback *at = i ? &f->more[i - 1] : &f->first;

        if (at->act == act && object_equal(at->target, target))
            return i;
    }
    return UINT32_MAX;
}

/* `from` is where to go on: to drop a target may run anything, that adds or takes out others, and
 * then some may be missed that were added meanwhile. */
int future_remove_done_callback(borrowed o, borrowed callable)
{
    struct future_object *f = as_future(o);
    uint32_t from = 0;
    int removed = 0;

    while ((from = find(f, loop_act_call, callable, from)) != UINT32_MAX) {
        struct object *target = take_out(f, from);

        loop_unpromise(f->loop);
        decref(target);
        removed++;
    }
    return removed;
}

void future_not_on_done(borrowed o, loop_action *act, borrowed target)
{
    struct future_object *f = as_future(o);
    uint32_t index = find(f, act, target, 0);
    struct object *taken;

    if (index == UINT32_MAX)
        return;
    taken = take_out(f, index);
    loop_unpromise(f->loop);
    decref(taken);
}

static void pass_on_more(struct future_object *f, const struct callbacks *taken)
{
    for (uint32_t i = 0; i < taken->count; i++)
        loop_pass_on(f->loop, taken->more[i].act, taken->more[i].target, &f->head);
    free_more(taken);
}

static void call_callbacks(struct future_object *f)
{
    struct callbacks taken;

    if (!f->first.act)
        return;
    taken = take_callbacks(f);
    loop_pass_on(f->loop, taken.first.act, taken.first.target, &f->head);
    pass_on_more(f, &taken);
}

/* The place that was promised to the first is free, as it is for one that is called from there. */
static int call_first(struct future_object *f)
{
    struct callbacks taken = take_callbacks(f);
    int result;

    if (unlikely(taken.count))
        pass_on_more(f, &taken);
    loop_unpromise(f->loop);
    result = taken.first.act(f->loop, taken.first.target, &f->head);
    decref(taken.first.target);
    return result;
}

/* ---- its end ---- */

HOT_PATH void future_finish(struct future_object *f, struct object *result)
{
    publish_into(&f->head, result);
    f->result = result;
    f->state = FUTURE_FINISHED;
    call_callbacks(f);
}

HOT_PATH int future_finish_here(struct future_object *f, struct object *result)
{
    publish_into(&f->head, result);
    f->result = result;
    f->state = FUTURE_FINISHED;
    return f->first.act ? call_first(f) : 0;
}

void future_fail(struct future_object *f, struct object *exception)
{
    publish_into(&f->head, exception);
    f->exception = exception;
    f->state = FUTURE_FINISHED;
    f->tells = true;
    call_callbacks(f);
}

void future_end_cancelled(struct future_object *f, borrowed message, borrowed cause)
{
    if (message)
        publish_into(&f->head, message);
    if (cause)
        publish_into(&f->head, cause);
    f->result = message ? incref(message) : NULL;
    f->exception = cause ? incref(cause) : NULL;
    f->state = FUTURE_CANCELLED;
    f->tells = false;
    call_callbacks(f);
}

HOT_PATH void future_begin_again(struct future_object *f)
{
    drop_outcome(f);
    f->state = FUTURE_PENDING;
    f->awaited = f->tells = false;
}

int future_act_release(borrowed loop, borrowed target, borrowed argument)
{
    (void)argument;
    loop_enter(loop, "future");
    if (!future_done(target))
        future_finish(as_future(target), none());
    return 0;
}

static SLOW_PATH int invalid_state(const char *message)
{
    exception_set(&invalid_state_error, "%s", message);
    return -1;
}

/* It is pending, it is no task, and its callbacks can be called. */
static int check(const struct future_object *f)
{
    if (unlikely(type_of(&f->head) != &future_type))
        return -1;
    if (unlikely(f->state != FUTURE_PENDING))
        return invalid_state("invalid state");
    return f->first.act ? loop_check(f->loop) : 0;
}

static int refuse_task(borrowed o, const char *operation)
{
    if (!exception_pending())
        exception_set(&runtime_error, "%s does not support %s operation", type_of(o)->name,
                      operation);
    return -1;
}

int future_set_result(borrowed o, borrowed result)
{
    if (unlikely(check(as_future(o)) < 0))
        return refuse_task(o, "set_result");
    future_finish(as_future(o), incref(result));
    return 0;
}

int future_set_exception(borrowed o, borrowed e)
{
    if (unlikely(check(as_future(o)) < 0))
        return refuse_task(o, "set_exception");
    if (exception_is(e, &stop_iteration)) {
        exception_set(&type_error, "StopIteration interacts badly with generators and cannot be "
                                   "raised into a Future");
        return -1;
    }
    future_fail(as_future(o), incref(e));
    return 0;
}

int future_cancel_plain(borrowed o, borrowed message)
{
    struct future_object *f = as_future(o);

    f->tells = false;
    if (f->state != FUTURE_PENDING)
        return 0;
    if (f->first.act && loop_check(f->loop) < 0)
        return -1;
    future_end_cancelled(f, message, NULL);
    return 1;
}

int future_cancel(borrowed o, borrowed message)
{
    return as_future(o)->cancel(o, message);
}

/* ---- what came ---- */

struct object *cancelled_error_new(borrowed message)
{
    char text[80] = "";

    if (!message)
        return exception_new(&cancelled_error, "%s", "");
    if (type_of(message) == &str_type)
        return exception_new_with(&cancelled_error, incref(message), "%s", str_text(message));
    object_repr(message, text, sizeof text);
    return exception_new_with(&cancelled_error, incref(message), "%s", text);
}

/* The one that ended it is raised once, for it grows a context each time it is. */
struct object *future_cancelled_error(borrowed o)
{
    struct future_object *f = as_future(o);
    struct object *e = f->exception;

    if (!e)
        return cancelled_error_new(f->result);
    f->exception = NULL;
    return e;
}

static SLOW_PATH void raise_cancelled(borrowed o)
{
    struct object *e = future_cancelled_error(o);

    if (e)
        exception_raise(e);
}

HOT_PATH struct object *future_result(borrowed o)
{
    struct future_object *f = as_future(o);

    if (f->state == FUTURE_PENDING) {
        invalid_state("Result is not set.");
        return NULL;
    }
    f->tells = false;
    if (likely(f->state == FUTURE_FINISHED && !f->exception))
        return incref(f->result);
    if (f->state == FUTURE_CANCELLED)
        raise_cancelled(o);
    else
        exception_raise(incref(f->exception));
    return NULL;
}

struct object *future_exception(borrowed o)
{
    struct future_object *f = as_future(o);

    if (f->state == FUTURE_PENDING) {
        invalid_state("Exception is not set.");
        return NULL;
    }
    if (f->state == FUTURE_CANCELLED) {
        raise_cancelled(o);
        return NULL;
    }
    f->tells = false;
    return f->exception ? incref(f->exception) : none();
}

HOT_PATH enum step future_next(struct object *o, struct object **result)
{
    struct future_object *f = as_future(o);

    if (f->state == FUTURE_PENDING) {
        if (unlikely(f->awaited)) {
            exception_set(&runtime_error, "await wasn't used with future");
            return STEP_ERROR;
        }
        f->awaited = true;
        *result = incref(o);
        return STEP_NEXT;
    }
    *result = future_result(o);
    return *result ? STEP_RETURN : STEP_ERROR;
}

/* ---- repr ---- */

static const char *const state_names[] = {
    [FUTURE_PENDING] = "pending",
    [FUTURE_CANCELLED] = "cancelled",
    [FUTURE_FINISHED] = "finished",
};

void future_write_state(borrowed o, char *text, size_t size_bytes)
{
    const struct future_object *f = as_future(o);
    char outcome[80] = "";

    if (f->state != FUTURE_FINISHED)
        snprintf(text, size_bytes, ">");
    else if (f->exception)
        snprintf(text, size_bytes, " exception=%s('%.80s')>", type_of(f->exception)->name,
                 exception_message(f->exception));
    else if (f->result) {
        object_repr(f->result, outcome, sizeof outcome);
        snprintf(text, size_bytes, " result=%s>", outcome);
    }
}

const char *future_state_name(borrowed o)
{
    return state_names[as_future(o)->state];
}

void future_repr(borrowed o, char *text, size_t size_bytes)
{
    size_t used;

    snprintf(text, size_bytes, "<Future %s", future_state_name(o));
    used = strlen(text);
    future_write_state(o, text + used, size_bytes - used);
}

const struct type future_type = {
    .name = "Future", .size_bytes = sizeof(struct future_object), .destroy = future_destroy,
    .clear = future_clear, .unfinished = future_unfinished, .finish = future_finish_unseen,
    .traverse = future_traverse, .iterate = incref, .next = future_next, .await = incref,
    .repr = future_repr,
};
