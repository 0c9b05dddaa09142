/* hub.c - greenlets that wait.
 *
 * *A wait* is an object, a waiter: it stands on the hub's list, and in what it waits for. Each of
 * those that may end it (a timer, a file, a future, somebody's hand) has the waiter as its target,
 * and the first one that comes switches to the greenlet; for those that come later it waits no
 * more. So nothing need be taken back in time, and no wait is ended by what an earlier one has left
 * behind.
 *   It is an object and no struct on the waiting stack, for a stack may be elsewhere while its
 * greenlet waits (switch/ways/copystack.c).
 *
 * *Who runs the loop.* A callback of the loop that switches to a greenlet leaves the loop in the
 * middle of a turn. What runs then does not run the loop (loop_leave), and may run one of its own.
 * When it waits, it switches to the hub, and so the callback returns. A greenlet that ends goes to
 * its parent, which is the hub: the same.
 */
#include "coroutines/hub.h"

#include "coroutines/greenlet.h"
#include "gil/mutex.h"
#include "objects/container.h"
#include "objects/function.h"
#include "objects/heap.h"
#include "objects/none.h"
#include "objects/tuple.h"
#include "objects/warning.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

struct waiter {
    struct object head;
    struct object *greenlet;      /* set once; owned */
    struct waiter *next, *before; /* on the hub's list while it waits */
    struct hub_place place;       /* in a line */
    bool waits;
    bool promised; /* a place in the loop, to wake it */
    bool woken;
    bool late;   /* the deadline has come */
    bool closed; /* what it waits for is no more */
};

struct hub {
    struct object *main;     /* owned; the thread's first greenlet */
    struct object *greenlet; /* owned; the hub */
    struct object *loop;     /* owned */
    struct object *begin;    /* owned; what all that are spawned begin with */
    struct waiter *spare;    /* owned; of a wait for a file that has ended; NULL: none */
    struct waiter waiting;   /* a ring of those that wait, with this as its end */
    size_t waits;            /* how many */
    uint64_t switches;       /* to and from it, since it was made */
    bool ending;
};

struct spawned {
    struct future_object future;
    struct object *greenlet;  /* set once; owned */
    struct object *function;  /* owned; NULL: it has begun, or never will */
    struct object *arguments; /* owned; a tuple; likewise */
    size_t joiners;           /* of several, that wait for another one of them now */
};

_Thread_local struct hub *hub_here;

static struct waiter *as_waiter(borrowed o)
{
    return (struct waiter *)o;
}

static struct spawned *as_spawned(borrowed o)
{
    assert(type_of(o) == &hub_greenlet_type);
    return (struct spawned *)o;
}

/* ---- switching ---- */

/* On to another greenlet: with None, or to raise this. What it is that comes back says nothing. -1:
 * what was thrown here. */
static HOT_PATH int go_to(borrowed greenlet, struct object *exception /* steals; may be NULL */)
{
    borrowed left = loop_leave();
    struct object *value;

    hub_here->switches++;
    value = exception ? greenlet_throw(greenlet, exception) : greenlet_switch(greenlet, none());
    loop_return(left);
    xdecref(value);
    return value ? 0 : -1;
}

static SLOW_PATH int refuse(const struct type *kind, const char *message)
{
    exception_set(kind, "%s", message);
    return -1;
}

/* ---- one wait ---- */

static void waiter_destroy(struct object *o)
{
    struct waiter *w = as_waiter(o);

    assert(!w->waits);
    decref(w->greenlet);
}

static void waiter_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                            void *argument)
{
    visit(as_waiter(o)->greenlet, argument);
}

static const struct type waiter_type = {
    .name = "waiter", .size_bytes = sizeof(struct waiter), .destroy = waiter_destroy,
    .traverse = waiter_traverse,
};

static struct hub *hub_needed(void);

/* A wait that has not begun, of the greenlet that runs. NULL: MemoryError, and it is dropped. */
static HOT_PATH struct waiter *begin_wait(struct waiter *w /* steals */)
{
    struct object *greenlet = greenlet_current();

    w->waits = w->promised = w->woken = w->late = w->closed = false;
    w->place = (struct hub_place){ NULL };
    w->greenlet = none();
    if (unlikely(!greenlet)) {
        decref(&w->head);
        return NULL;
    }
    publish_into(&w->head, greenlet);
    w->greenlet = greenlet;
    return w;
}

static struct waiter *new_waiter(void)
{
    struct object *o = hub_needed() ? object_new(&waiter_type, sizeof(struct waiter)) : NULL;

    return o ? begin_wait(as_waiter(o)) : NULL;
}

struct object *hub_waiter_new(void)
{
    struct waiter *w = new_waiter();

    return w ? &w->head : NULL;
}

/* For a file: one that was kept, or a new one. */
static HOT_PATH struct waiter *take_waiter(void)
{
    struct waiter *w = hub_here ? hub_here->spare : NULL;

    if (unlikely(!w))
        return new_waiter();
    hub_here->spare = NULL;
    return begin_wait(w);
}

/* Its wait has ended by the file, which is watched no more: nothing knows of it that could take it for
 * the next. (The loop, which has called it, may hold it for a moment still.) */
static HOT_PATH void keep_waiter(struct waiter *w /* steals */)
{
    struct object *greenlet = w->greenlet;

    if (hub_here->spare) {
        decref(&w->head);
        return;
    }
    w->greenlet = none();
    hub_here->spare = w;
    decref(greenlet);
}

static inline int resume(borrowed loop, struct waiter *w, borrowed exception)
{
    loop_enter(loop, "greenlet");
    if (!w->waits)
        return 0;
    w->woken = true;
    return go_to(w->greenlet, exception ? incref(exception) : NULL);
}

/* What ends a wait: an action, with the waiter as its target. */
static int act_resume(borrowed loop, borrowed target, borrowed argument)
{
    (void)argument;
    return resume(loop, as_waiter(target), NULL);
}

/* The same, of a file; with an argument, it was closed (loop_forget). */
static HOT_PATH int act_ready(borrowed loop, borrowed target, borrowed argument)
{
    as_waiter(target)->closed |= argument != NULL;
    return resume(loop, as_waiter(target), argument);
}

static int act_late(borrowed loop, borrowed target, borrowed argument)
{
    struct waiter *w = as_waiter(target);

    (void)argument;
    loop_enter(loop, "greenlet");
    if (!w->waits || w->woken)
        return 0;
    w->late = true;
    return go_to(w->greenlet, NULL);
}

static void enter_list(struct hub *h, struct waiter *w)
{
    w->next = &h->waiting;
    w->before = h->waiting.before;
    w->before->next = h->waiting.before = w;
    w->waits = true;
    h->waits++;
}

static void leave_list(struct hub *h, struct waiter *w)
{
    w->before->next = w->next;
    w->next->before = w->before;
    w->waits = false;
    h->waits--;
}

static int check_wait(const struct hub *h)
{
    if (h->ending) {
        exception_raise(exception_kill());
        return -1;
    }
    if (!hub_may_wait())
        return refuse(&blocking_switch_out_error,
                      "Impossible to call blocking function in the event loop callback");
    return 0;
}

/* Until one of those that the caller has armed comes. */
static HOT_PATH int rest(struct hub *h, struct waiter *w)
{
    int result = check_wait(h);

    if (result < 0)
        return -1;
    enter_list(h, w);
    result = go_to(h->greenlet, NULL);
    leave_list(h, w);
    if (result == 0 && !w->woken && !w->late)
        return refuse(&invalid_switch_error, "Invalid switch into a greenlet that waits");
    return result < 0 ? -1 : w->woken;
}

static int rest_until(struct hub *h, struct waiter *w, uint64_t deadline_ns)
{
    struct object *timer;
    int result;

    if (deadline_ns == HUB_NEVER)
        return rest(h, w);
    timer = loop_push_at(h->loop, deadline_ns, act_late, &w->head, NULL);
    if (!timer)
        return -1;
    result = rest(h, w);
    handle_cancel(timer);
    decref(timer);
    return result;
}

int hub_waiter_wait(borrowed o, uint64_t deadline_ns)
{
    struct waiter *w = as_waiter(o);
    struct hub *h = hub_here;
    int result;

    if (loop_promise(h->loop) < 0)
        return -1;
    w->promised = true;
    result = rest_until(h, w, deadline_ns);
    if (w->promised)
        loop_unpromise(h->loop);
    w->promised = false;
    return result;
}

bool hub_waiter_wake(borrowed o)
{
    struct waiter *w = as_waiter(o);

    if (!w->waits || w->woken || w->late)
        return false;
    w->woken = true;
    w->promised = false;
    loop_push_promised(hub_here->loop, act_resume, o, NULL);
    return true;
}

/* ---- lines of them ---- */

void hub_line_init(struct hub_line *line)
{
    line->end.next = line->end.before = &line->end;
}

static void enter_line(struct hub_line *line, struct hub_place *place)
{
    place->next = &line->end;
    place->before = line->end.before;
    place->before->next = place->next->before = place;
}

static void leave_line(struct hub_place *place)
{
    if (!place->next)
        return;
    place->before->next = place->next;
    place->next->before = place->before;
    place->next = place->before = NULL;
}

int hub_line_wait(struct hub_line *line, uint64_t deadline_ns)
{
    struct object *w = hub_waiter_new();
    int result;

    if (!w)
        return -1;
    enter_line(line, &as_waiter(w)->place);
    result = hub_waiter_wait(w, deadline_ns);
    leave_line(&as_waiter(w)->place);
    decref(w);
    return result;
}

bool hub_line_wake(struct hub_line *line)
{
    while (line->end.next != &line->end) {
        struct hub_place *place = line->end.next;

        leave_line(place);
        if (hub_waiter_wake((borrowed)((char *)place - offsetof(struct waiter, place))))
            return true;
    }
    return false;
}

static int act_switch(borrowed loop, borrowed target, borrowed argument)
{
    (void)argument;
    loop_enter(loop, "greenlet");
    return go_to(target, NULL);
}

int hub_switch_soon(borrowed greenlet)
{
    return hub_needed() ? loop_push(hub_here->loop, act_switch, greenlet, NULL) : -1;
}

uint64_t hub_switches(void)
{
    return hub_here ? hub_here->switches : 0;
}

size_t hub_waiting(void)
{
    return hub_here ? hub_here->waits : 0;
}

/* ---- the hub ---- */

HOT_PATH bool hub_may_wait(void)
{
    return loop_running() != hub_here->loop;
}

/* In the main greenlet, which waits. -1: something was thrown at the hub itself. */
static int raise_in_main(struct hub *h)
{
    return go_to(h->main, exception_take());
}

/* Until hub_end. */
static int run_loop(struct hub *h)
{
    while (!h->ending) {
        int result = loop_run_until_idle(h->loop);

        if (h->ending)
            break;
        if (result == 0)
            exception_set(&loop_exit, "This operation would block forever");
        if (raise_in_main(h) < 0)
            return -1;
    }
    exception_restore(NULL);
    return 0;
}

/* What they still do runs to its end here, since each wait raises. */
static void end_waiting(struct hub *h)
{
    while (h->waits) {
        struct object *w = incref(&h->waiting.next->head);

        if (go_to(as_waiter(w)->greenlet, exception_kill()) < 0)
            warning_unraisable("hub");
        if (as_waiter(w)->waits) /* it has gone away to where nobody ends it */
            leave_list(h, as_waiter(w));
        decref(w);
    }
}

static struct object *run_hub(borrowed closure, borrowed const *arguments, size_t count)
{
    struct hub *h = hub_here;

    (void)closure, (void)arguments, (void)count;
    if (run_loop(h) < 0)
        return NULL;
    end_waiting(h);
    return none();
}

static struct object *main_greenlet(void)
{
    struct object *g = greenlet_current(), *parent;

    while (g && (parent = greenlet_parent(g))) {
        decref(g);
        g = parent;
    }
    return g;
}

static struct object *begin_spawned(borrowed closure, borrowed const *arguments, size_t count);

/* What goes wrong where nobody waits: a greenlet that is the hub's child and was not spawned. */
static void tell(const struct trouble *trouble, void *unused)
{
    (void)unused;
    if (!trouble->exception)
        return;
    exception_restore(incref(trouble->exception));
    warning_unraisable(trouble->message);
}

static struct object *make_loop(void)
{
    struct object *loop = loop_new();

    if (loop)
        loop_set_hooks(loop, &(struct loop_hooks){ .told = tell });
    return loop;
}

static int fill(struct hub *h)
{
    struct object *function;

    h->main = main_greenlet();
    h->loop = h->main ? make_loop() : NULL;
    h->begin = h->loop ? function_new("Greenlet", begin_spawned, 1, NULL) : NULL;
    function = h->begin ? function_new("hub", run_hub, ARGUMENTS_ANY, NULL) : NULL;
    h->greenlet = function ? greenlet_new(function, h->main) : NULL;
    xdecref(function);
    return h->greenlet ? 0 : -1;
}

static void drop(struct hub *h)
{
    if (h->spare)
        decref(&h->spare->head);
    xdecref(h->greenlet);
    xdecref(h->begin);
    xdecref(h->loop);
    xdecref(h->main);
    heap_free(h, sizeof *h);
}

static _Thread_local struct last_act at_stop;
static _Thread_local bool stops; /* it is among the last acts */

/* It was taken off before it was called. */
static void end_at_stop(struct last_act *a)
{
    (void)a;
    stops = false;
    hub_end();
}

/* After what greenlets have to do then, which is done after it: so of each hub anew, for they may
 * have been closed since the last one. */
static void enter_last_acts(void)
{
    stops = true;
    at_stop.call = end_at_stop;
    object_at_stop(&at_stop);
}

static void leave_last_acts(void)
{
    if (stops)
        object_not_at_stop(&at_stop);
    stops = false;
}

/* By another thread, which has dropped a greenlet of this one. */
static void wake_loop(void *loop)
{
    loop_wake(loop);
}

static SLOW_PATH struct hub *hub_make(void)
{
    struct hub *h = heap_alloc(sizeof *h);

    if (!h) {
        exception_set_no_memory();
        return NULL;
    }
    *h = (struct hub){ .waiting = { .next = &h->waiting, .before = &h->waiting } };
    if (fill(h) < 0 || greenlet_set_waker(wake_loop, h->loop) < 0) {
        drop(h);
        return NULL;
    }
    enter_last_acts();
    hub_here = h;
    return h;
}

static struct hub *hub_needed(void)
{
    return likely(hub_here != NULL) ? hub_here : hub_make();
}

struct object *hub_self(void)
{
    return hub_needed() ? incref(hub_here->greenlet) : NULL;
}

HOT_PATH borrowed hub_loop(void)
{
    return hub_needed() ? hub_here->loop : NULL;
}

int hub_expect(int change)
{
    if (!hub_needed())
        return -1;
    loop_expect(hub_here->loop, change);
    return 0;
}

/* It comes back here also when one has ended whose parent is not the hub. */
static void let_end(struct hub *h)
{
    while (!greenlet_dead(h->greenlet))
        if (go_to(h->greenlet, NULL) < 0)
            warning_unraisable("hub");
}

void hub_end(void)
{
    struct hub *h = hub_here;
    struct object *pending;

    if (!h || h->ending)
        return;
    pending = exception_take();
    h->ending = true;
    loop_stop(h->loop);
    if (greenlet_started(h->greenlet))
        let_end(h);
    if (greenlet_set_waker(NULL, NULL) < 0) /* they have been closed */
        exception_restore(NULL);
    loop_close(h->loop);
    leave_last_acts();
    hub_here = NULL;
    drop(h);
    exception_restore(pending);
}

/* ---- waiting ---- */

static int sleep_until(struct hub *h, struct waiter *w, int64_t ns)
{
    struct object *timer;
    int result;

    if (ns <= 0)
        return loop_push(h->loop, act_resume, &w->head, NULL) < 0 ? -1 : rest(h, w);
    timer = loop_push_at(h->loop, loop_time_after(ns), act_resume, &w->head, NULL);
    if (!timer)
        return -1;
    result = rest(h, w);
    handle_cancel(timer);
    decref(timer);
    return result;
}

int hub_sleep_ns(int64_t ns)
{
    struct object *w = hub_waiter_new();
    int result;

    if (!w)
        return -1;
    result = sleep_until(hub_here, as_waiter(w), ns);
    decref(w);
    return result < 0 ? -1 : 0;
}

static int watch(struct hub *h, struct waiter *w, int fd, enum interest what)
{
    if (!loop_watches(h->loop, fd, what))
        return loop_watch_once(h->loop, fd, what, act_ready, &w->head);
    return refuse(&concurrent_object_use_error,
                  "This socket is already used by another greenlet");
}

static int watch_all(struct hub *h, struct waiter *w, const struct hub_file *files, size_t count)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        if (files[i].what & READABLE)
            result = watch(h, w, files[i].fd, READABLE);
        if (result == 0 && files[i].what & WRITABLE)
            result = watch(h, w, files[i].fd, WRITABLE);
    }
    return result;
}

/* Those that were closed may be another's by now. */
static void unwatch_all(struct hub *h, struct waiter *w, const struct hub_file *files, size_t count)
{
    int error = errno;

    for (size_t i = 0; i < count; i++) {
        loop_unwatch_for(h->loop, files[i].fd, READABLE, &w->head);
        loop_unwatch_for(h->loop, files[i].fd, WRITABLE, &w->head);
    }
    errno = error;
}

/* 1; 0: the deadline came; -1. */
static int wait_files(struct waiter *w, const struct hub_file *files, size_t count,
                      uint64_t deadline_ns)
{
    int result = watch_all(hub_here, w, files, count);

    if (result == 0) {
        result = hub_waiter_wait(&w->head, deadline_ns);
        if (result < 0)
            errno = w->closed ? EBADF : ECANCELED; /* what was thrown says nothing of errno */
    }
    unwatch_all(hub_here, w, files, count);
    return result;
}

int hub_wait_files(const struct hub_file *files, size_t count, uint64_t deadline_ns)
{
    struct object *w = hub_waiter_new();
    int result;

    if (!w)
        return -1;
    result = wait_files(as_waiter(w), files, count, deadline_ns);
    if (result < 0 && as_waiter(w)->closed) {
        exception_restore(NULL);
        result = HUB_CLOSED;
    }
    decref(w);
    return result;
}

static SLOW_PATH int end_wait_early(struct waiter *w, int fd, enum interest what)
{
    loop_unwatch_for(hub_here->loop, fd, what, &w->head);
    errno = w->closed ? EBADF : ECANCELED; /* what was thrown says nothing of errno */
    return -1;
}

/* As of wait_files. Nobody else knows of it, so none of its wake-ups need be promised a place. */
static HOT_PATH int wait_file(struct hub *h, struct waiter *w, int fd, enum interest what)
{
    if (watch(h, w, fd, what) < 0)
        return -1;
    return likely(rest(h, w) > 0) ? 1 : end_wait_early(w, fd, what);
}

/* What cannot be watched is always ready: a regular file. */
HOT_PATH int hub_wait_file(int fd, enum interest what)
{
    struct waiter *w = take_waiter();
    int result;

    if (unlikely(!w))
        return -1;
    result = wait_file(hub_here, w, fd, what);
    if (likely(result > 0)) {
        keep_waiter(w);
        return 0;
    }
    if (errno == EPERM && exception_matches(&os_error)) {
        exception_restore(NULL);
        result = 0;
    }
    decref(&w->head);
    return result;
}

void hub_forget_file(int fd)
{
    struct object *pending;
    int error = errno;

    if (!hub_here || fd < 0)
        return;
    pending = exception_take();
    if (loop_forget(hub_here->loop, fd) < 0)
        exception_restore(NULL);
    if (loop_running() && loop_forget(loop_running(), fd) < 0)
        exception_restore(NULL);
    exception_restore(pending);
    errno = error;
}

static int wait_for(struct hub *h, borrowed future, uint64_t deadline_ns)
{
    struct object *w = hub_waiter_new();
    int result;

    if (!w)
        return -1;
    result = future_on_done(future, act_resume, w, false);
    if (result == 0) {
        result = rest_until(h, as_waiter(w), deadline_ns);
        future_not_on_done(future, act_resume, w);
    }
    decref(w);
    return result < 0 ? -1 : future_done(future);
}

int hub_join(borrowed future, uint64_t deadline_ns)
{
    struct hub *h = hub_needed();

    if (!h)
        return -1;
    if (future_loop(future) != h->loop)
        return refuse(&value_error, "The future belongs to a different loop than the hub's");
    if (future_done(future))
        return 1;
    if (deadline_ns != HUB_NEVER && deadline_ns <= clock_ns())
        return 0;
    return wait_for(h, future, deadline_ns);
}

static void note_joiner(borrowed const *futures, size_t count, int change)
{
    for (size_t i = 0; i < count; i++)
        if (type_of(futures[i]) == &hub_greenlet_type)
            as_spawned(futures[i])->joiners += (size_t)change;
}

static int join_each(borrowed const *futures, size_t count, uint64_t deadline_ns)
{
    int all = 1;

    for (size_t i = 0; i < count; i++) {
        int result = hub_join(futures[i], deadline_ns);

        if (result < 0)
            return -1;
        all &= result;
    }
    return all;
}

int hub_join_all(borrowed const *futures, size_t count, uint64_t deadline_ns)
{
    int result;

    note_joiner(futures, count, 1);
    result = join_each(futures, count, deadline_ns);
    note_joiner(futures, count, -1);
    return result;
}

static struct object *timeout_new(int64_t ns)
{
    double seconds = (double)ns / NS_PER_S;

    return exception_new(&greenlet_timeout, "%g second%s", seconds, ns == NS_PER_S ? "" : "s");
}

struct object *hub_get(borrowed future, uint64_t deadline_ns)
{
    uint64_t begin_ns = clock_ns();
    int result = hub_join(future, deadline_ns);
    struct object *e;

    if (result > 0)
        return future_result(future);
    if (result == 0) {
        e = timeout_new(deadline_ns > begin_ns ? (int64_t)(deadline_ns - begin_ns) : 0);
        if (e)
            exception_raise(e);
    }
    return NULL;
}

/* ---- timeouts ---- */

/* The greenlet that is in the block is the target. If it does not wait here, it has switched to
 * another by itself, and there the exception is raised as well. */
static int act_timeout(borrowed loop, borrowed target, borrowed argument)
{
    loop_enter(loop, "timeout");
    return greenlet_dead(target) ? 0 : go_to(target, incref(argument));
}

static int set_alarm(struct hub_timeout *t, int64_t ns)
{
    struct object *current = greenlet_current();

    if (!current)
        return -1;
    t->timer = loop_push_at(hub_here->loop, loop_time_after(ns), act_timeout, current,
                            t->exception);
    decref(current);
    return t->timer ? 0 : -1;
}

int hub_timeout_begin(struct hub_timeout *t, int64_t ns, struct object *e)
{
    t->exception = e ? e : timeout_new(ns);
    t->timer = NULL;
    if (t->exception && hub_needed() && set_alarm(t, ns) == 0)
        return 0;
    xdecref(t->exception);
    return -1;
}

int hub_timeout_end(struct hub_timeout *t)
{
    struct object *pending = exception_take();
    bool own = pending == t->exception;

    handle_cancel(t->timer);
    decref(t->timer);
    decref(t->exception);
    if (own)
        decref(pending);
    else
        exception_restore(pending);
    return own;
}

/* ---- greenlets ---- */

static void drop_call(struct spawned *s)
{
    struct object *function = s->function, *arguments = s->arguments;

    s->function = s->arguments = NULL;
    xdecref(function);
    xdecref(arguments);
}

/* What is pending is what it ends with. Told to nobody it would be lost, for many are spawned and
 * forgotten. */
static void end_raised(struct spawned *s)
{
    struct object *e = exception_take();
    bool lonely;

    if (exception_is(e, &greenlet_exit)) {
        future_finish(&s->future, e);
        return;
    }
    lonely = !s->future.first.act && !s->joiners;
    future_fail(&s->future, e);
    if (!lonely)
        return;
    s->future.tells = false;
    exception_restore(incref(e));
    warning_unraisable("Greenlet");
}

/* NULL: it ends the program, or the main greenlet knows better. */
static struct object *end_spawned(struct spawned *s, struct object *result /* steals */)
{
    struct object *leaves = NULL;

    if (!result && (exception_matches(&keyboard_interrupt) || exception_matches(&system_exit)))
        leaves = incref(exception_pending());
    if (result)
        future_finish(&s->future, result);
    else
        end_raised(s);
    exception_restore(leaves);
    return leaves ? NULL : none();
}

/* The function of all of them; the first switch passes who it is. */
static struct object *begin_spawned(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *self = incref(arguments[0]), *result;
    struct spawned *s = as_spawned(self);
    struct object *function = s->function, *row = s->arguments;

    (void)closure, (void)count;
    s->function = s->arguments = NULL;
    result = call(function, (borrowed const *)((struct tuple_object *)row)->item,
                  tuple_length(row));
    decref(function);
    decref(row);
    result = end_spawned(s, result);
    decref(self);
    return result;
}

/* Where there is no stack for it, that is what it ends with. */
static int act_begin(borrowed loop, borrowed target, borrowed argument)
{
    struct spawned *s = as_spawned(target);
    borrowed left;
    struct object *value;

    (void)argument;
    loop_enter(loop, "Greenlet");
    if (!s->function)
        return 0;
    hub_here->switches++;
    left = loop_leave();
    value = greenlet_switch(s->greenlet, target);
    loop_return(left);
    xdecref(value);
    if (likely(value != NULL))
        return 0;
    if (!s->function)
        return -1;
    drop_call(s);
    end_raised(s);
    return 0;
}

static int act_kill(borrowed loop, borrowed target, borrowed argument)
{
    loop_enter(loop, "kill");
    return future_done(target) ? 0 : go_to(as_spawned(target)->greenlet, incref(argument));
}

/* It never begins: it has ended, as if it had raised this. */
static void kill_before(struct spawned *s, struct object *e /* steals */)
{
    drop_call(s);
    exception_restore(e);
    end_raised(s);
}

int hub_kill(borrowed g, struct object *e, bool wait)
{
    struct spawned *s = as_spawned(g);
    int result;

    if (!e)
        e = exception_kill();
    if (future_done(g)) {
        decref(e);
        return 0;
    }
    if (s->function) {
        kill_before(s, e);
        return 0;
    }
    result = loop_push(s->future.loop, act_kill, g, e);
    decref(e);
    if (result < 0 || !wait)
        return result;
    return hub_join(g, HUB_NEVER) < 0 ? -1 : 0;
}

static int cancel_spawned(borrowed o, borrowed message)
{
    (void)message;
    if (future_done(o))
        return 0;
    return hub_kill(o, NULL, false) < 0 ? -1 : 1;
}

static void spawned_destroy(struct object *o)
{
    struct spawned *s = as_spawned(o);

    drop_call(s);
    xdecref(s->greenlet);
    future_destroy(o);
}

static void spawned_clear(struct object *o)
{
    drop_call(as_spawned(o));
    future_clear(o);
}

static void spawned_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                             void *argument)
{
    const struct spawned *s = as_spawned(o);

    future_traverse(o, visit, argument);
    if (s->greenlet)
        visit(s->greenlet, argument);
    if (s->function)
        visit(s->function, argument);
    if (s->arguments)
        visit(s->arguments, argument);
}

static void spawned_repr(borrowed o, char *text, size_t size_bytes)
{
    size_t used;

    snprintf(text, size_bytes, "<Greenlet %s", future_state_name(o));
    used = strlen(text);
    future_write_state(o, text + used, size_bytes - used);
}

const struct type hub_greenlet_type = {
    .name = "Greenlet", .size_bytes = sizeof(struct spawned), .destroy = spawned_destroy,
    .clear = spawned_clear, .unfinished = future_unfinished, .finish = future_finish_unseen,
    .traverse = spawned_traverse, .iterate = incref, .next = future_next, .await = incref,
    .repr = spawned_repr,
};

static struct spawned *spawned_new(struct hub *h, borrowed function)
{
    struct object *o = container_new(&hub_greenlet_type, sizeof(struct spawned));
    struct spawned *s = (struct spawned *)o;

    if (!o)
        return NULL;
    future_init(&s->future, h->loop, cancel_spawned);
    s->greenlet = s->arguments = NULL;
    s->function = incref(function);
    s->joiners = 0;
    return s;
}

static int prepare(struct hub *h, struct spawned *s, borrowed const *arguments, size_t count)
{
    s->arguments = tuple_new(count, (struct object *const *)arguments);
    s->greenlet = s->arguments ? greenlet_new(h->begin, h->greenlet) : NULL;
    return s->greenlet ? loop_push(h->loop, act_begin, &s->future.head, NULL) : -1;
}

struct object *hub_spawn(borrowed function, borrowed const *arguments, size_t count)
{
    struct hub *h = hub_needed();
    struct spawned *s = h ? spawned_new(h, function) : NULL;

    if (!s)
        return NULL;
    if (prepare(h, s, arguments, count) == 0)
        return &s->future.head;
    decref(&s->future.head);
    return NULL;
}
