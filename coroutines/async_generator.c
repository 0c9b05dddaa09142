/* async_generator.c - the object around the frame, and what is awaited to step it. */
#include "coroutines/async_generator.h"

#include "coroutines/coroutine.h"
#include "objects/collector.h"
#include "objects/warning.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>

struct async_generator {
    struct object head;
    struct object *frame;               /* set once; owned */
    _Atomic bool used;                  /* atomic; its first use has been told */
    _Atomic bool running;               /* atomic; one of its awaitables is under way */
    _Atomic bool closed;                /* atomic */
    bool told, finished;                /* whoever ends it: the finalizer knows; it is closed, or
                                           another object is around its frame */
    struct async_generator_hooks hooks; /* set once, at its first use */
};

enum request { ASEND, ATHROW, ACLOSE };
enum progress { FRESH, STARTED, OVER };

/* What is awaited. */
struct awaitable {
    struct object head;
    struct object *generator; /* set once; owned */
    struct object *argument;  /* set once; owned: what is sent, or thrown */
    enum request request;     /* set once */
    _Atomic uint8_t progress; /* atomic; enum progress */
};

static _Thread_local struct async_generator_hooks hooks;

static const struct type asend_type, athrow_type;

static struct async_generator *as_async_generator(borrowed o)
{
    assert(type_of(o) == &async_generator_type);
    return (struct async_generator *)o;
}

static struct awaitable *as_awaitable(borrowed o)
{
    return (struct awaitable *)o;
}

struct async_generator_hooks async_generator_set_hooks(struct async_generator_hooks given)
{
    struct async_generator_hooks before = hooks;

    hooks = given;
    return before;
}

/* ---- the generator ---- */

static struct object *wrap(struct object *frame /* steals, also on failure */)
{
    struct async_generator *g;

    g = (struct async_generator *)container_new(&async_generator_type, sizeof *g);
    if (!g) {
        decref(frame);
        return NULL;
    }
    g->frame = frame;
    atomic_init(&g->used, false);
    atomic_init(&g->running, false);
    atomic_init(&g->closed, false);
    g->told = g->finished = false;
    g->hooks = (struct async_generator_hooks){ 0 };
    return &g->head;
}

struct object *async_generator_new(const struct body *body, borrowed const *arguments, size_t count)
{
    struct object *frame = generator_new(body, arguments, count);

    assert(body->kind == ASYNC_GENERATOR);
    return frame ? wrap(frame) : NULL;
}

borrowed async_generator_frame(borrowed o)
{
    return as_async_generator(o)->frame;
}

bool async_generator_running(borrowed o)
{
    return atomic_load_explicit(&as_async_generator(o)->running, memory_order_relaxed);
}

/* Its first use is told to the hooks of this thread, which are its own from now on. */
static int use(struct async_generator *g)
{
    if (atomic_exchange_explicit(&g->used, true, memory_order_relaxed))
        return 0;
    g->hooks = hooks;
    return hooks.firstiter ? hooks.firstiter(&g->head, hooks.argument) : 0;
}

static void set_running(struct async_generator *g, bool running)
{
    atomic_store_explicit(&g->running, running, memory_order_relaxed);
}

static bool is_closed(const struct async_generator *g)
{
    return atomic_load_explicit(&((struct async_generator *)g)->closed, memory_order_relaxed);
}

/* Whether its end is the hook's affair. */
static bool is_for_finalizer(const struct async_generator *g)
{
    return !g->told && g->hooks.finalizer && !is_closed(g) &&
           generator_state(g->frame) != GENERATOR_CLOSED;
}

static bool async_generator_unfinished(borrowed o)
{
    const struct async_generator *g = as_async_generator(o);

    return !g->finished &&
           (is_for_finalizer(g) || generator_state(g->frame) == GENERATOR_SUSPENDED);
}

static void tell_finalizer(struct async_generator *g)
{
    struct object *again = wrap(incref(g->frame));

    if (!again) {
        warning_unraisable(generator_body_of(g->frame)->name);
        return;
    }
    as_async_generator(again)->hooks = g->hooks;
    as_async_generator(again)->told = true; /* what is dropped twice is closed */
    atomic_store_explicit(&as_async_generator(again)->used, true, memory_order_relaxed);
    g->hooks.finalizer(again, g->hooks.argument);
    if (exception_pending())
        warning_unraisable(generator_body_of(g->frame)->name);
    decref(again);
}

static void async_generator_finish(struct object *o)
{
    struct async_generator *g = as_async_generator(o);
    struct object *pending = exception_take();

    g->finished = true;
    if (is_for_finalizer(g))
        tell_finalizer(g);
    else if (generator_close(g->frame, NULL) < 0)
        generator_tell_end(g->frame);
    exception_restore(pending);
}

static void async_generator_destroy(struct object *o)
{
    decref(as_async_generator(o)->frame);
}

static void async_generator_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                                     void *argument)
{
    visit(as_async_generator(o)->frame, argument);
}

static void async_generator_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "<async_generator object %s>",
             generator_body_of(async_generator_frame(o))->name);
}

/* ---- what is awaited ---- */

static struct object *awaitable_new(borrowed generator, enum request request, borrowed argument)
{
    const struct type *type = request == ASEND ? &asend_type : &athrow_type;
    struct awaitable *a;

    if (use(as_async_generator(generator)) < 0)
        return NULL;
    a = (struct awaitable *)container_new(type, sizeof *a);
    if (!a)
        return NULL;
    a->generator = incref(generator);
    a->argument = incref(argument);
    a->request = request;
    atomic_init(&a->progress, FRESH);
    return &a->head;
}

struct object *async_generator_next(borrowed g)
{
    return awaitable_new(g, ASEND, none());
}

struct object *async_generator_send(borrowed g, borrowed value)
{
    return awaitable_new(g, ASEND, value);
}

struct object *async_generator_throw(borrowed g, borrowed exception)
{
    return awaitable_new(g, ATHROW, exception);
}

struct object *async_generator_close(borrowed g)
{
    return awaitable_new(g, ACLOSE, none());
}

static enum progress progress_of(const struct awaitable *a)
{
    return atomic_load_explicit(&((struct awaitable *)a)->progress, memory_order_relaxed);
}

static void set_progress(struct awaitable *a, enum progress progress)
{
    atomic_store_explicit(&a->progress, (uint8_t)progress, memory_order_relaxed);
}

static enum step say_reused(const struct awaitable *a)
{
    exception_set(&runtime_error, "cannot reuse already awaited %s",
                  a->request == ASEND ? "__anext__()/asend()" : "aclose()/athrow()");
    return STEP_ERROR;
}

static enum step say_running(const struct awaitable *a)
{
    static const char *const names[] = { "anext", "athrow", "aclose" };

    exception_set(&runtime_error, "%s(): asynchronous generator is already running",
                  names[a->request]);
    return STEP_ERROR;
}

static enum step over(struct awaitable *a, enum step step)
{
    set_progress(a, OVER);
    set_running(as_async_generator(a->generator), false);
    return step;
}

static bool ends_generator(void)
{
    return exception_matches(&stop_async_iteration) || exception_matches(&generator_exit);
}

/* What a step of the frame is to who awaits the next item. */
static enum step answer_item(struct awaitable *a, enum step step, struct object **result)
{
    struct async_generator *g = as_async_generator(a->generator);

    if (step == STEP_NEXT)
        return generator_yielded(g->frame) ? over(a, STEP_RETURN) : STEP_NEXT;
    if (step == STEP_RETURN) {
        decref(*result);
        exception_set(&stop_async_iteration, "%s", "");
    }
    if (ends_generator())
        atomic_store_explicit(&g->closed, true, memory_order_relaxed);
    return over(a, STEP_ERROR);
}

/* And to who awaits its end. */
static enum step answer_close(struct awaitable *a, enum step step, struct object **result)
{
    if (step == STEP_NEXT && !generator_yielded(as_async_generator(a->generator)->frame))
        return STEP_NEXT;
    if (step != STEP_ERROR)
        decref(*result);
    if (step == STEP_NEXT) {
        exception_set(&runtime_error, "async generator ignored GeneratorExit");
        return over(a, STEP_ERROR);
    }
    if (step == STEP_ERROR && !ends_generator())
        return over(a, STEP_ERROR);
    exception_restore(NULL);
    *result = none();
    return over(a, STEP_RETURN);
}

static enum step answer(struct awaitable *a, enum step step, struct object **result)
{
    return a->request == ACLOSE ? answer_close(a, step, result) : answer_item(a, step, result);
}

/* From here on it is under way. False: another one is. */
static bool start(struct awaitable *a)
{
    if (atomic_exchange_explicit(&as_async_generator(a->generator)->running, true,
                                 memory_order_relaxed))
        return false;
    set_progress(a, STARTED);
    return true;
}

static enum step asend_send(struct object *o, borrowed value, struct object **result)
{
    struct awaitable *a = as_awaitable(o);
    struct async_generator *g = as_async_generator(a->generator);

    if (progress_of(a) == OVER)
        return say_reused(a);
    if (progress_of(a) == FRESH) {
        if (!start(a))
            return say_running(a);
        if (value == none())
            value = a->argument;
    }
    return answer_item(a, generator_send(g->frame, value, result), result);
}

static enum step throw_first(struct awaitable *a, struct object **result)
{
    struct async_generator *g = as_async_generator(a->generator);

    if (a->request == ATHROW)
        return generator_throw(g->frame, incref(a->argument), result);
    atomic_store_explicit(&g->closed, true, memory_order_relaxed);
    return generator_throw(g->frame, exception_exit(), result);
}

static enum step end_fresh(struct awaitable *a, enum step step)
{
    set_progress(a, OVER);
    return step;
}

/* The first step of athrow() and aclose(). */
static enum step athrow_start(struct awaitable *a, borrowed value, struct object **result)
{
    struct async_generator *g = as_async_generator(a->generator);

    if (generator_state(g->frame) == GENERATOR_CLOSED) {
        *result = none();
        return end_fresh(a, STEP_RETURN);
    }
    if (async_generator_running(a->generator))
        return end_fresh(a, say_running(a));
    if (atomic_load_explicit(&g->closed, memory_order_relaxed)) {
        exception_set(&stop_async_iteration, "%s", "");
        return end_fresh(a, STEP_ERROR);
    }
    if (value != none()) {
        exception_set(&runtime_error, "can't send non-None value to a just-started coroutine");
        return STEP_ERROR;
    }
    if (!start(a))
        return end_fresh(a, say_running(a));
    return answer(a, throw_first(a, result), result);
}

static enum step athrow_send(struct object *o, borrowed value, struct object **result)
{
    struct awaitable *a = as_awaitable(o);
    struct async_generator *g = as_async_generator(a->generator);

    if (progress_of(a) == OVER)
        return say_reused(a);
    if (progress_of(a) == FRESH)
        return athrow_start(a, value, result);
    return answer(a, generator_send(g->frame, value, result), result);
}

/* What whoever drives the coroutine throws goes on to what the generator awaits. */
static enum step awaitable_throw(struct object *o, struct object *exception /* steals */,
                                 struct object **result)
{
    struct awaitable *a = as_awaitable(o);

    if (progress_of(a) == OVER) {
        decref(exception);
        return say_reused(a);
    }
    if (progress_of(a) == FRESH && !start(a)) {
        decref(exception);
        return end_fresh(a, say_running(a));
    }
    return answer(a, generator_throw(as_async_generator(a->generator)->frame, exception, result),
                  result);
}

static int awaitable_close(struct object *o)
{
    struct object *result;

    if (progress_of(as_awaitable(o)) != STARTED) {
        set_progress(as_awaitable(o), OVER);
        return 0;
    }
    switch (awaitable_throw(o, exception_exit(), &result)) {
    case STEP_NEXT:
        decref(result);
        exception_set(&runtime_error, "coroutine ignored GeneratorExit");
        return -1;
    case STEP_RETURN:
        decref(result);
        return 0;
    default:
        if (!ends_generator())
            return -1;
        exception_restore(NULL);
        return 0;
    }
}

static enum step asend_next(struct object *o, struct object **result)
{
    return asend_send(o, none(), result);
}

static enum step athrow_next(struct object *o, struct object **result)
{
    return athrow_send(o, none(), result);
}

static void awaitable_destroy(struct object *o)
{
    decref(as_awaitable(o)->generator);
    decref(as_awaitable(o)->argument);
}

static void awaitable_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                               void *argument)
{
    visit(as_awaitable(o)->generator, argument);
    visit(as_awaitable(o)->argument, argument);
}

/* None of these can be emptied: what they hold is older, so a cycle leads through a frame. */
static const struct type asend_type = {
    .name = "async_generator_asend", .size_bytes = sizeof(struct awaitable),
    .destroy = awaitable_destroy, .traverse = awaitable_traverse, .iterate = incref,
    .next = asend_next, .send = asend_send, .throw = awaitable_throw, .close = awaitable_close,
    .await = incref,
};

static const struct type athrow_type = {
    .name = "async_generator_athrow", .size_bytes = sizeof(struct awaitable),
    .destroy = awaitable_destroy, .traverse = awaitable_traverse, .iterate = incref,
    .next = athrow_next, .send = athrow_send, .throw = awaitable_throw, .close = awaitable_close,
    .await = incref,
};

static const struct async_slots slots = { .iterate = incref, .next = async_generator_next };

const struct type async_generator_type = {
    .name = "async_generator", .size_bytes = sizeof(struct async_generator),
    .destroy = async_generator_destroy, .traverse = async_generator_traverse,
    .unfinished = async_generator_unfinished, .finish = async_generator_finish,
    .async = &slots, .repr = async_generator_repr,
};
