/* wait.c - waiting for some of many, and for one as long as one likes. */
#include "coroutines/wait.h"

#include "coroutines/coroutine.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/set.h"
#include "objects/tuple.h"

/* ---- what both need ---- */

static struct object *set_alarm(borrowed loop, int64_t timeout_ns, borrowed waiter)
{
    return loop_push_at(loop, loop_time_after(timeout_ns), future_act_release, waiter, none());
}

static void call_off(borrowed handle /* may be NULL */)
{
    if (handle)
        handle_cancel(handle);
}

static void keep(struct frame *f, int place, struct object *value /* steals */)
{
    struct object *before = f->reference[place];

    f->reference[place] = value;
    xdecref(before);
}

/* ---- wait ---- */

/* A future that is done when so many others are. */
struct waiting {
    struct future_object future;
    size_t left;
    enum wait_until until; /* set once */
};

static const struct type waiting_type = {
    .name = "_WaitingFuture", .size_bytes = sizeof(struct waiting), .destroy = future_destroy,
    .clear = future_clear, .traverse = future_traverse, .iterate = incref, .next = future_next,
    .await = incref,
};

static struct object *waiting_new(borrowed loop, size_t left, enum wait_until until)
{
    struct object *o = container_new(&waiting_type, sizeof(struct waiting));

    if (!o)
        return NULL;
    future_init(as_future(o), loop, future_cancel_plain);
    ((struct waiting *)o)->left = left;
    ((struct waiting *)o)->until = until;
    return o;
}

/* Who looks for an exception has retrieved it. */
static bool has_failed(borrowed future)
{
    if (future_cancelled(future) || !as_future(future)->exception)
        return false;
    as_future(future)->tells = false;
    return true;
}

static int one_is_done(borrowed loop, borrowed waiter, borrowed future)
{
    struct waiting *w = (struct waiting *)waiter;

    loop_enter(loop, "wait");
    w->left--;
    if (w->left && w->until != WAIT_FIRST_COMPLETED &&
        !(w->until == WAIT_FIRST_EXCEPTION && has_failed(future)))
        return 0;
    if (!future_done(waiter))
        future_finish(&w->future, none());
    return 0;
}

enum { FUTURES, TIMEOUT, UNTIL, WAITER, ALARM, WAIT_REFERENCES };

static int check_futures(borrowed futures)
{
    struct object *future;
    size_t cursor = 0;

    if (!set_length(futures)) {
        exception_set(&value_error, "Set of Tasks/Futures is empty.");
        return -1;
    }
    while ((future = set_next(futures, &cursor))) {
        bool is = future_is(future), coroutine = type_of(future) == &coroutine_type;

        decref(future);
        if (is)
            continue;
        exception_set(&type_error, coroutine
                                       ? "Passing coroutines is forbidden, use tasks explicitly."
                                       : "An asyncio.Future, a coroutine or an awaitable is "
                                         "required");
        return -1;
    }
    return 0;
}

static int listen_to_all(borrowed futures, borrowed waiter)
{
    struct object *future;
    size_t cursor = 0;
    int result = 0;

    while (result == 0 && (future = set_next(futures, &cursor))) {
        result = future_on_done(future, one_is_done, waiter, false);
        decref(future);
    }
    return result;
}

static void stop_listening(struct frame *f)
{
    struct object *future;
    size_t cursor = 0;

    call_off(f->reference[ALARM]);
    if (!f->reference[WAITER])
        return;
    while ((future = set_next(f->reference[FUTURES], &cursor))) {
        future_not_on_done(future, one_is_done, f->reference[WAITER]);
        decref(future);
    }
}

static int sort(borrowed futures, borrowed done, borrowed pending)
{
    struct object *future;
    size_t cursor = 0;
    int result = 0;

    while (result == 0 && (future = set_next(futures, &cursor))) {
        result = set_add(future_done(future) ? done : pending, future);
        decref(future);
    }
    return result;
}

static enum turn return_sorted(borrowed futures, struct object **result)
{
    struct object *set[2] = { set_new(), NULL };

    *result = NULL;
    set[1] = set[0] ? set_new() : NULL;
    if (set[1] && sort(futures, set[0], set[1]) == 0)
        *result = tuple_new(2, set);
    xdecref(set[0]);
    xdecref(set[1]);
    return *result ? TURN_RETURN : TURN_ERROR;
}

static enum turn begin_waiting(struct frame *f, struct object **result)
{
    borrowed futures = f->reference[FUTURES], loop = loop_running_needed();
    int64_t timeout_ns = int_value(f->reference[TIMEOUT]);
    enum wait_until until = (enum wait_until)int_value(f->reference[UNTIL]);

    if (!loop || check_futures(futures) < 0)
        return TURN_ERROR;
    keep(f, WAITER, waiting_new(loop, set_length(futures), until));
    if (!f->reference[WAITER] || listen_to_all(futures, f->reference[WAITER]) < 0)
        return TURN_ERROR;
    if (timeout_ns != WAIT_FOREVER)
        keep(f, ALARM, set_alarm(loop, timeout_ns, f->reference[WAITER]));
    if (timeout_ns != WAIT_FOREVER && !f->reference[ALARM])
        return TURN_ERROR;
    *result = incref(f->reference[WAITER]);
    return TURN_FROM;
}

static enum turn wait_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    if (how == RESUME_SEND && f->at == 0) {
        enum turn turn = begin_waiting(f, result);

        f->at = 1;
        if (turn == TURN_ERROR)
            stop_listening(f);
        return turn;
    }
    stop_listening(f);
    return how == RESUME_THROW ? frame_raise(argument)
                               : return_sorted(f->reference[FUTURES], result);
}

static const struct body wait_body = {
    .name = "wait", .kind = COROUTINE, .resume = wait_turn, .references = WAIT_REFERENCES,
};

static struct object *set_of(borrowed const *o, size_t count)
{
    struct object *set = set_new();

    for (size_t i = 0; set && i < count; i++)
        if (set_add(set, o[i]) < 0) {
            decref(set);
            return NULL;
        }
    return set;
}

struct object *wait_new(borrowed const *futures, size_t count, int64_t timeout_ns,
                        enum wait_until until)
{
    struct object *set = set_of(futures, count), *timeout = int_new(timeout_ns);
    struct object *mode = int_new(until), *coroutine = NULL;

    if (set && timeout && mode)
        coroutine = generator_new(&wait_body, (borrowed[]){ set, timeout, mode }, 3);
    xdecref(set);
    xdecref(timeout);
    xdecref(mode);
    return coroutine;
}

/* ---- wait_for ---- */

enum { AWAITABLE, FOR_TIMEOUT, FUTURE, FOR_WAITER, FOR_ALARM, RAISED, FOR_REFERENCES };
enum { BEGINS, PASSES, WAITS, ENDS_CANCELLED, ENDS_LATE };

/* What came of it; of its own cancellation TimeoutError. */
static enum turn return_or_time_out(struct frame *f, struct object **result)
{
    struct object *cancelled, *e;

    *result = future_result(f->reference[FUTURE]);
    if (*result)
        return TURN_RETURN;
    if (f->at != ENDS_LATE || !exception_matches(&cancelled_error))
        return TURN_ERROR;
    cancelled = exception_take();
    e = exception_new(&timeout_error, "%s", "");
    if (e) {
        exception_set_cause(e, cancelled);
        exception_raise(e);
    }
    decref(cancelled);
    return TURN_ERROR;
}

static enum turn await_waiter(struct frame *f, borrowed loop, struct object **result)
{
    keep(f, FOR_WAITER, future_new(loop));
    if (!f->reference[FOR_WAITER] || future_on_done(f->reference[FUTURE], future_act_release,
                                                    f->reference[FOR_WAITER], false) < 0)
        return TURN_ERROR;
    *result = incref(f->reference[FOR_WAITER]);
    return TURN_FROM;
}

static void stop_listening_to_it(struct frame *f)
{
    if (f->reference[FUTURE] && f->reference[FOR_WAITER])
        future_not_on_done(f->reference[FUTURE], future_act_release, f->reference[FOR_WAITER]);
}

static enum turn cancel_and_wait(struct frame *f, int next, struct object **result)
{
    enum turn turn;

    f->at = (uint16_t)next;
    stop_listening_to_it(f);
    turn = await_waiter(f, future_loop(f->reference[FUTURE]), result);
    if (turn == TURN_FROM && future_cancel(f->reference[FUTURE], NULL) < 0) {
        decref(*result);
        return TURN_ERROR;
    }
    return turn;
}

static enum turn begin_for(struct frame *f, struct object **result)
{
    int64_t timeout_ns = int_value(f->reference[FOR_TIMEOUT]);
    borrowed loop = loop_running_needed();

    if (!loop)
        return TURN_ERROR;
    if (timeout_ns == WAIT_FOREVER) {
        return frame_await(f, PASSES, await_iterator(f->reference[AWAITABLE]), result);
    }
    keep(f, FUTURE, ensure_future(loop, f->reference[AWAITABLE]));
    if (!f->reference[FUTURE])
        return TURN_ERROR;
    if (timeout_ns <= 0)
        return future_done(f->reference[FUTURE]) ? return_or_time_out(f, result)
                                                 : cancel_and_wait(f, ENDS_LATE, result);
    f->at = WAITS;
    if (await_waiter(f, loop, result) == TURN_ERROR)
        return TURN_ERROR;
    keep(f, FOR_ALARM, set_alarm(loop, timeout_ns, f->reference[FOR_WAITER]));
    if (f->reference[FOR_ALARM])
        return TURN_FROM;
    decref(*result);
    return TURN_ERROR;
}

static enum turn go_on_for(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    bool cancelled = how == RESUME_THROW && exception_is(argument, &cancelled_error);

    if (f->at == WAITS && (how == RESUME_SEND || cancelled)) {
        if (future_done(f->reference[FUTURE]))
            return return_or_time_out(f, result);
        if (cancelled)
            keep(f, RAISED, incref(argument));
        return cancel_and_wait(f, cancelled ? ENDS_CANCELLED : ENDS_LATE, result);
    }
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at == PASSES) {
        *result = incref(argument);
        return TURN_RETURN;
    }
    return f->at == ENDS_CANCELLED ? frame_raise(f->reference[RAISED])
                                   : return_or_time_out(f, result);
}

static enum turn wait_for_turn(struct frame *f, enum resume how, borrowed argument,
                               struct object **result)
{
    enum turn turn = how == RESUME_SEND && f->at == BEGINS ? begin_for(f, result)
                                                           : go_on_for(f, how, argument, result);

    if (turn != TURN_FROM) {
        call_off(f->reference[FOR_ALARM]);
        stop_listening_to_it(f);
    }
    return turn;
}

static const struct body wait_for_body = {
    .name = "wait_for", .kind = COROUTINE, .resume = wait_for_turn, .references = FOR_REFERENCES,
};

struct object *wait_for_new(borrowed awaitable, int64_t timeout_ns)
{
    struct object *timeout = int_new(timeout_ns), *coroutine;

    if (!timeout)
        return NULL;
    coroutine = generator_new(&wait_for_body, (borrowed[]){ awaitable, timeout }, 2);
    decref(timeout);
    return coroutine;
}
