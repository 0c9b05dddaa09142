/* async_io.c - I/O and time as futures. */
#include "coroutines/async_io.h"

#include "coroutines/busy.h"
#include "coroutines/io.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/none.h"

#include <assert.h>
#include <stdio.h>

struct request;

/* One kind of them. `attempt` is a try that does not wait: 0 or more, -1, IO_NOT_YET, IO_BUSY. */
struct operation {
    const char *name;
    enum interest what;
    int64_t (*attempt)(struct request *r);
    loop_action *ready; /* when the descriptor is; NULL: it tries again */
};

struct request {
    struct future_object future;
    const struct operation *operation; /* set once */
    int fd;                            /* set once; -1: it is only about time */
    void *data;                        /* the caller's; what is left of it */
    size_t size_bytes;
    const struct sockaddr *address;    /* the caller's */
    struct object *number;             /* owned; what it will come to; NULL: None */
    struct object *timer;              /* owned; a handle that is to be called; NULL: none */
    int64_t delay_ns; /* of the last try, if nothing says when; 0: there was none */
    bool watched;                      /* by the loop */
    bool under_way;                    /* of a connect: the kernel has it */
};

static const struct type io_future_type;

static struct request *as_request(borrowed o)
{
    assert(type_of(o) == &io_future_type);
    return (struct request *)o;
}

/* ---- its end ---- */

static void drop_timer(struct request *r)
{
    struct object *timer = r->timer;

    r->timer = NULL;
    if (!timer)
        return;
    handle_cancel(timer);
    decref(timer);
}

/* Nothing calls it any more. */
static void let_go(struct request *r)
{
    drop_timer(r);
    if (!r->watched)
        return;
    r->watched = false;
    loop_unwatch_for(r->future.loop, r->fd, r->operation->what, &r->future.head);
}

static void succeed(struct request *r, int64_t value)
{
    struct object *number = r->number;

    let_go(r);
    r->number = NULL;
    if (number)
        ((struct int_object *)number)->value = value; /* nobody else has seen it yet */
    future_finish(&r->future, number ? number : none());
}

/* With what is pending. */
static void fail(struct request *r)
{
    struct object *e = exception_take();

    let_go(r);
    future_fail(&r->future, e);
}

static int cancel(borrowed o, borrowed message)
{
    int result = future_cancel_plain(o, message);

    if (result == 1)
        let_go(as_request(o));
    return result;
}

/* ---- its way ---- */

static loop_action go_on;

static HOT_PATH int watch(struct request *r)
{
    const struct operation *op = r->operation;

    if (r->watched)
        return 0;
    if (loop_watch_once(r->future.loop, r->fd, op->what, op->ready ? op->ready : go_on,
                        &r->future.head) < 0)
        return -1;
    r->watched = true;
    return 0;
}

static int wait_until(struct request *r, uint64_t when_ns)
{
    drop_timer(r);
    r->timer = loop_push_at(r->future.loop, when_ns, go_on, &r->future.head, NULL);
    if (!r->timer)
        return -1;
    publish_into(&r->future.head, r->timer);
    return 0;
}

static int wait_a_little(struct request *r)
{
    r->delay_ns = busy_delay_ns(r->delay_ns);
    return wait_until(r, loop_time_after(r->delay_ns));
}

/* -1: it cannot wait. */
static int try(struct request *r)
{
    int64_t result = r->operation->attempt(r);

    if (result == IO_NOT_YET)
        return watch(r);
    if (result == IO_BUSY)
        return wait_a_little(r);
    if (result < 0)
        fail(r);
    else
        succeed(r, result);
    return 0;
}

static int go_on(borrowed loop, borrowed target, borrowed argument)
{
    struct request *r = as_request(target);

    loop_enter(loop, r->operation->name);
    r->watched = false;
    if (future_done(target))
        return 0;
    if (argument)
        exception_restore(incref(argument));
    if (argument || try(r) < 0)
        fail(r);
    return 0;
}

/* ---- its life ---- */

static void destroy(struct object *o)
{
    struct request *r = as_request(o);

    drop_timer(r);
    xdecref(r->number);
    future_destroy(o);
}

static void clear(struct object *o)
{
    drop_timer(as_request(o));
    future_clear(o);
}

static void traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct request *r = as_request(o);

    future_traverse(o, visit, argument);
    if (r->number)
        visit(r->number, argument);
    if (r->timer)
        visit(r->timer, argument);
}

static void repr(borrowed o, char *text, size_t size_bytes)
{
    const struct request *r = as_request(o);
    size_t used;

    if (r->fd < 0)
        snprintf(text, size_bytes, "<Future %s %s", r->operation->name, future_state_name(o));
    else
        snprintf(text, size_bytes, "<Future %s fd=%d %s", r->operation->name, r->fd,
                 future_state_name(o));
    used = strlen(text);
    future_write_state(o, text + used, size_bytes - used);
}

static const struct type io_future_type = {
    .name = "Future", .size_bytes = sizeof(struct request), .destroy = destroy, .clear = clear,
    .unfinished = future_unfinished, .finish = future_finish_unseen, .traverse = traverse,
    .iterate = incref, .next = future_next, .await = incref, .repr = repr,
};

static struct request *make(borrowed loop, const struct operation *operation, int fd)
{
    struct object *o = container_new(&io_future_type, sizeof(struct request));
    struct request *r = (struct request *)o;

    if (!o)
        return NULL;
    future_init(&r->future, loop, cancel);
    r->operation = operation;
    r->fd = fd;
    r->data = NULL;
    r->size_bytes = 0;
    r->address = NULL;
    r->number = r->timer = NULL;
    r->delay_ns = 0;
    r->watched = r->under_way = false;
    return r;
}

/* A number that nobody else sees until it is known: then to say it takes no memory. */
static struct request *make_with_number(borrowed loop, const struct operation *operation, int fd)
{
    struct object *number = int_new(0);
    struct request *r = number ? make(loop, operation, fd) : NULL;

    if (r)
        r->number = number;
    else
        xdecref(number);
    return r;
}

static HOT_PATH int check(borrowed loop, const struct operation *operation, int fd)
{
    if (loop_check(loop) < 0)
        return -1;
    if (fd < 0 || !loop_watches(loop, fd, operation->what))
        return 0;
    exception_set(&runtime_error, "Already %s",
                  operation->what == READABLE ? "reading" : "writing");
    return -1;
}

static struct object *begin(struct request *r /* steals; may be NULL */)
{
    if (!r)
        return NULL;
    if (check(r->future.loop, r->operation, r->fd) == 0 && try(r) == 0)
        return &r->future.head;
    decref(&r->future.head);
    return NULL;
}

/* ---- the operations ---- */

/* What cannot be watched is always ready, as its number is by now another file's. */
static bool waits_first(struct request *r)
{
    if (!loop_take_emptied(r->future.loop, r->fd))
        return false;
    if (watch(r) == 0)
        return true;
    exception_restore(NULL);
    return false;
}

static int64_t attempt_read(struct request *r)
{
    int64_t result;

    if (waits_first(r))
        return IO_NOT_YET;
    result = io_try_read(r->fd, r->data, r->size_bytes);
    if (result > 0)
        loop_set_emptied(r->future.loop, r->fd, (size_t)result < r->size_bytes);
    return result;
}

struct object *async_io_read(borrowed loop, int fd, void *data, size_t size_bytes)
{
    static const struct operation operation = { "read", READABLE, attempt_read };
    struct request *r = make_with_number(loop, &operation, fd);

    if (r) {
        r->data = data;
        r->size_bytes = size_bytes;
    }
    return begin(r);
}

static int64_t attempt_write(struct request *r)
{
    while (r->size_bytes) {
        int64_t sent = io_try_write(r->fd, r->data, r->size_bytes);

        if (sent < 0)
            return sent;
        r->data = (char *)r->data + sent;
        r->size_bytes -= (size_t)sent;
    }
    return 0;
}

struct object *async_io_write(borrowed loop, int fd, const void *data, size_t size_bytes)
{
    static const struct operation operation = { "write", WRITABLE, attempt_write };
    struct request *r = make(loop, &operation, fd);

    if (r) {
        r->data = (void *)data;
        r->size_bytes = size_bytes;
    }
    return begin(r);
}

static int64_t attempt_wait(struct request *r)
{
    (void)r;
    return IO_NOT_YET;
}

static HOT_PATH int act_ready(borrowed loop, borrowed target, borrowed argument)
{
    struct request *r = as_request(target);

    if (unlikely(argument || future_done(target)))
        return go_on(loop, target, argument);
    loop_enter(loop, r->operation->name);
    r->watched = false;
    return future_finish_here(&r->future, none());
}

static const struct operation waits_to[] = {
    [READABLE] = { "wait", READABLE, attempt_wait, act_ready },
    [WRITABLE] = { "wait", WRITABLE, attempt_wait, act_ready },
};

struct object *async_io_wait(borrowed loop, int fd, enum interest what)
{
    return begin(make(loop, &waits_to[what], fd));
}

HOT_PATH int async_io_wait_again(borrowed future)
{
    struct request *r = as_request(future);

    assert(r->operation == &waits_to[r->operation->what] && future_done(future));
    if (check(r->future.loop, r->operation, r->fd) < 0 || watch(r) < 0)
        return -1;
    future_begin_again(&r->future);
    return 0;
}

static int64_t attempt_accept(struct request *r)
{
    int fd = io_try_accept(r->fd);

    if (fd >= 0)
        loop_know_new(r->future.loop, fd);
    return fd;
}

struct object *async_io_accept(borrowed loop, int listener)
{
    static const struct operation operation = { "accept", READABLE, attempt_accept };

    return begin(make_with_number(loop, &operation, listener));
}

int async_io_close(borrowed loop, int fd)
{
    return loop_forget(loop, fd) < 0 ? -1 : io_close(fd);
}

static int64_t attempt_connect(struct request *r)
{
    int result;

    if (r->under_way)
        return io_try_connected(r->fd);
    loop_know_new(r->future.loop, r->fd);
    result = io_try_connect(r->fd, r->address, (socklen_t)r->size_bytes);
    r->under_way = result == IO_NOT_YET;
    return result;
}

struct object *async_io_connect(borrowed loop, int fd, const struct sockaddr *address,
                                socklen_t size_bytes)
{
    static const struct operation operation = { "connect", WRITABLE, attempt_connect };
    struct request *r = make(loop, &operation, fd);

    if (r) {
        r->address = address;
        r->size_bytes = size_bytes;
    }
    return begin(r);
}

/* It is called when its time has come, and not before. */
static int64_t attempt_sleep(struct request *r)
{
    (void)r;
    return 0;
}

struct object *async_io_sleep(borrowed loop, int64_t delay_ns)
{
    static const struct operation operation = { "sleep", READABLE, attempt_sleep };
    struct request *r = make(loop, &operation, -1);

    if (!r)
        return NULL;
    if (wait_until(r, loop_time_after(delay_ns)) == 0)
        return &r->future.head;
    decref(&r->future.head);
    return NULL;
}
