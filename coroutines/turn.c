/* turn.c - one turn of a loop: what is called, in which order, and how long it waits before.
 *
 * Files that are ready do not go through the ring: they are called from what the poll has found,
 * between what was in the ring then and what has become ready with it and comes behind them. What
 * of them is not called, for somebody has ended the turn, is told again by the next poll.
 */
#include "coroutines/turn.h"

#include "coroutines/future.h"
#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/exception.h"

enum {
    TIMERS_SWEPT = 100, /* if there are more, and more than half of them are cancelled */
};

/* ---- timers ---- */

static bool is_cancelled(struct timer *timer)
{
    struct handle_object *h = handle_of(timer);

    if (!h->cancelled)
        return false;
    h->cancelled_timers = NULL;
    decref(&h->head);
    return true;
}

/* As CPython does it: all of them if there are many, else those that stand in the way. */
static void forget_cancelled(struct loop_object *loop)
{
    /* cut 08: those that come first; all, if most are | (void)loop, (void)is_cancelled; */
    struct timers *t = &loop->timers;

    if (t->count > TIMERS_SWEPT && 2 * loop->cancelled_timers > t->count) {
        timers_sweep(t, is_cancelled);
        loop->cancelled_timers = 0;
    }
    while (loop->cancelled_timers && handle_of(timers_first(t))->cancelled) {
        is_cancelled(timers_pop(t));
        loop->cancelled_timers--;
    }
    /* end of cut */
}

static uint64_t poll_until_ns(struct loop_object *loop)
{
    /* cut 08: at once, until when, or for ever? | (void)loop;\nreturn REACTOR_AT_ONCE; */
    if (loop->ready.count || loop->stopping || loop->letters || !inbox_sleep(&loop->inbox))
        return REACTOR_AT_ONCE;
    return loop->timers.count ? timers_first(&loop->timers)->when_ns : REACTOR_FOREVER;
    /* end of cut */
}

/* Where nothing can wake it, it looks once more, and does not wait. */
static uint64_t poll_unless_idle(struct loop_object *loop, uint64_t until_ns)
{
    if (until_ns != REACTOR_FOREVER || loop->files.watched || loop->expected)
        return until_ns;
    loop->idle = true;
    return REACTOR_AT_ONCE;
}

/* ---- what becomes ready ---- */

/* As far as there is room; the rest in the next turn. */
static void receive(struct loop_object *loop, struct letter **letters)
{
    while (*letters) {
        struct mail *mail = (struct mail *)*letters;

        if (ready_reserve(&loop->ready) < 0) {
            exception_restore(NULL);
            return;
        }
        *letters = mail->letter.next;
        callback_publish_into(&loop->head, mail->callback.target, mail->callback.argument);
        ready_push(&loop->ready, mail->callback);
        heap_free(mail, sizeof *mail);
    }
}

static void take_letters(struct loop_object *loop)
{
    receive(loop, &loop->letters);
    if (!loop->letters) {
        loop->letters = inbox_take(&loop->inbox);
        receive(loop, &loop->letters);
    }
}

/* The list's reference to the target is the ring's from here on. */
static SLOW_PATH void take_operations(struct loop_object *loop)
{
    struct reactor *r = loop->reactor;
    struct loop_operation *op;

    while ((op = (struct loop_operation *)r->class->finished(r))) {
        struct object *target = turn_leave_operation(op);

        loop->expected--;
        ready_push_promised(&loop->ready, (struct callback){ op->act, target, NULL });
    }
}

static int poll_files(struct loop_object *loop, uint64_t until_ns)
{
    struct calls *calls = &loop->calls;

    loop->files.polls++;
    calls->next = 0;
    calls->count = io_poll(loop->reactor, until_ns, calls->file, READY_FILES_MOST);
    take_letters(loop);
    if (unlikely(loop->operations.next != &loop->operations))
        take_operations(loop);
    calls->before = loop->ready.count;
    return calls->count < 0 ? -1 : 0;
}

/* As far as there is room; the rest in the next turn. */
static void take_due(struct loop_object *loop, uint64_t now_ns)
{
    /* cut 08: how late was each, and whose is the handle now? | (void)loop, (void)now_ns; */
    /* The heap's reference to the handle is the ring's from here on. */
    while (timers_due(&loop->timers, now_ns)) {
        struct handle_object *h;

        if (ready_reserve(&loop->ready) < 0) {
            exception_restore(NULL);
            return;
        }
        h = handle_of(timers_pop(&loop->timers));
        loop->cancelled_timers -= h->cancelled;
        h->cancelled_timers = NULL;
        lag_late(loop->lag, now_ns - h->timer.when_ns);
        ready_push(&loop->ready, (struct callback){ handle_act, &h->head, NULL });
    }
    /* end of cut */
}

/* ---- a turn ---- */

static SLOW_PATH int tell_failure(struct loop_object *loop, borrowed source)
{
    /* cut 08: which end the loop, and who is told? | (void)loop, (void)source;\nreturn -1; */
    struct object *e;

    if (exception_matches(&keyboard_interrupt) || exception_matches(&system_exit))
        return -1;
    e = exception_take();
    loop_tell(&loop->head, "Exception in callback", e, source);
    decref(e);
    return 0;
    /* end of cut */
}

static SLOW_PATH void tell_slow(struct loop_object *loop)
{
    uint64_t took_ns = lag_took_ns(loop->lag);

    if (took_ns >= loop->slow_ns && loop->hooks.slow)
        loop->hooks.slow(lag_running(loop->lag), took_ns, loop->hooks.argument);
}

static inline int call_it(struct loop_object *loop, struct callback callback /* steals */)
{
    int result = callback.act(&loop->head, callback.target, callback.argument);

    if (unlikely(result < 0))
        result = tell_failure(loop, callback.target);
    callback_drop(callback);
    return result;
}

/* Of one that can be read and written, first who reads. */
static HOT_PATH int call_next_file(struct loop_object *loop)
{
    struct readiness *file = &loop->calls.file[loop->calls.next];
    enum interest what = file->ready & READABLE ? READABLE : WRITABLE;
    struct callback callback = files_due(&loop->files, loop->reactor, file->fd, what);

    file->ready &= ~(unsigned)what;
    loop->calls.next += !file->ready;
    return callback.act ? call_it(loop, callback) : 0;
}

static inline int call_next(struct loop_object *loop)
{
    struct calls *calls = &loop->calls;

    if (!calls->before && calls->next < calls->count)
        return call_next_file(loop);
    --*(calls->before ? &calls->before : &calls->behind);
    return call_it(loop, ready_pop(&loop->ready));
}

/* A file counts as one. */
static inline size_t calls_left(const struct calls *calls)
{
    return calls->before + (size_t)(calls->count - calls->next) + calls->behind;
}

static int call_group(struct loop_object *loop, size_t count)
{
    struct thread *t = thread_self;

    for (size_t i = 0; i < count; i++) {
        if (unlikely(call_next(loop) < 0))
            return -1;
        safepoint(t);
    }
    return 0;
}

static HOT_PATH int call_all(struct loop_object *loop)
{
    size_t left;

    while ((left = calls_left(&loop->calls))) {
        size_t count = unlikely(loop->debug) ? 1 : lag_group(loop->lag, left);
        int result = call_group(loop, count);

        lag_called(loop->lag, count);
        if (unlikely(loop->debug))
            tell_slow(loop);
        if (unlikely(result < 0))
            return -1;
    }
    return 0;
}

/* Of those that have come since the last look the first may be the main task's. */
static SLOW_PATH int be_interrupted(struct loop_object *loop)
{
    int before = loop->interrupts_seen;

    loop->interrupts_seen = loop_interrupts(&loop->head);
    if (before == 0 && loop->interrupts_seen == 1 && loop->main_task &&
        !future_done(loop->main_task))
        return future_cancel(loop->main_task, NULL) < 0 ? -1 : 0;
    exception_set(&keyboard_interrupt, "%s", "");
    return -1;
}

HOT_PATH int turn_run(struct loop_object *loop)
{
    uint64_t now_ns, until_ns;
    int result;

    forget_cancelled(loop);
    until_ns = poll_until_ns(loop);
    if (unlikely(loop->ends_idle))
        until_ns = poll_unless_idle(loop, until_ns);
    if (poll_files(loop, until_ns) < 0)
        return -1;
    now_ns = clock_ns();
    lag_turn_begins(loop->lag, now_ns);
    if (unlikely(loop_interrupts(&loop->head) != loop->interrupts_seen) && be_interrupted(loop) < 0)
        return -1;
    /* cut 08: what is called now, and what next time? | (void)take_due, loop->stopping = true; */
    take_due(loop, now_ns);
    loop->calls.behind = loop->ready.count - loop->calls.before;
    /* end of cut */
    if (calls_left(&loop->calls))
        loop->idle = false;
    result = call_all(loop);
    /* cut 08: how long the turn took */
    lag_turn_ends(loop->lag, clock_ns());
    /* end of cut */
    return result;
}
