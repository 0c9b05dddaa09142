/* server.c - who listens. */
#include "coroutines/server.h"

#include "coroutines/coroutine.h"
#include "coroutines/io.h"
#include "coroutines/task.h"
#include "coroutines/tls.h"
#include "gil/mutex.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/list.h"
#include "objects/none.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKLOG = 100 };

struct server_object {
    struct object head;
    struct object *loop;           /* set once; owned */
    struct object *handler;        /* owned; NULL: it was emptied */
    struct object *waiters;        /* owned; a list of futures */
    struct object *timer;          /* owned; when it tries again to accept; NULL: it does not */
    struct server_options options; /* set once */
    struct address address;        /* set once */
    int listener;                  /* -1: it is closed */
    int connections;
    uint64_t accepted, rejected;
    bool watched;
};

static struct server_object *as_server(borrowed o)
{
    assert(type_of(o) == &server_type);
    return (struct server_object *)o;
}

/* ---- listening, or not ---- */

static loop_action on_ready;

static bool is_full(const struct server_object *s)
{
    return s->options.most_connections && s->connections >= s->options.most_connections;
}

static int listen_on(struct server_object *s)
{
    if (s->listener < 0 || s->watched || is_full(s))
        return 0;
    if (loop_watch(s->loop, s->listener, READABLE, on_ready, &s->head) < 0)
        return -1;
    s->watched = true;
    return 0;
}

static void pause_listening(struct server_object *s)
{
    if (!s->watched)
        return;
    s->watched = false;
    loop_unwatch(s->loop, s->listener, READABLE);
}

static void drop_timer(struct server_object *s)
{
    struct object *timer = s->timer;

    s->timer = NULL;
    if (!timer)
        return;
    handle_cancel(timer);
    decref(timer);
}

static int listen_again(borrowed loop, borrowed target, borrowed argument)
{
    struct server_object *s = as_server(target);

    (void)argument;
    loop_enter(loop, "server.accept");
    drop_timer(s);
    return listen_on(s);
}

/* Without a timer, nobody would ever listen again: then it stays watched, and is tried in the next
 * turn. */
static int listen_later(struct server_object *s)
{
    uint64_t when_ns = loop_time_after((int64_t)s->options.retry_ns);

    s->timer = loop_push_at(s->loop, when_ns, listen_again, &s->head, NULL);
    if (!s->timer)
        return -1;
    pause_listening(s);
    return 0;
}

/* ---- its end ---- */

static void wake_waiters(struct server_object *s)
{
    struct object *waiters = s->waiters;

    if (s->listener >= 0 || s->connections || !waiters)
        return;
    s->waiters = NULL;
    for (size_t i = 0; i < list_length(waiters); i++) {
        struct object *waiter = list_get(waiters, (int64_t)i);

        if (waiter && !future_done(waiter))
            future_finish(as_future(waiter), none());
        xdecref(waiter);
    }
    decref(waiters);
}

static int on_closed(borrowed loop, borrowed target, borrowed argument)
{
    struct server_object *s = as_server(target);

    (void)argument;
    loop_enter(loop, "server.connection");
    s->connections--;
    wake_waiters(s);
    return s->timer ? 0 : listen_on(s);
}

void server_close(borrowed o)
{
    struct server_object *s = as_server(o);

    if (s->listener < 0)
        return;
    pause_listening(s);
    drop_timer(s);
    close(s->listener);
    s->listener = -1;
    wake_waiters(s);
}

struct object *server_wait_closed(borrowed o)
{
    struct server_object *s = as_server(o);
    struct object *f = future_new(s->loop);

    if (!f)
        return NULL;
    if (s->listener < 0 && !s->connections) {
        future_finish(as_future(f), none());
        return f;
    }
    if (!s->waiters) {
        s->waiters = list_new();
        if (s->waiters)
            publish_into(o, s->waiters);
    }
    if (s->waiters && list_append(s->waiters, f) == 0)
        return f;
    decref(f);
    return NULL;
}

/* ---- a connection ---- */

/* The handler's task is done. */
static int on_handled(borrowed loop, borrowed stream, borrowed task)
{
    loop_enter(loop, "server.handler");
    if (future_cancelled(task)) {
        stream_close(stream);
    } else if (as_future(task)->exception) {
        as_future(task)->tells = false;
        loop_tell(loop, "Unhandled exception in client_connected_cb", as_future(task)->exception,
                  task);
        stream_close(stream);
    }
    return 0;
}

static int start_task(borrowed loop, borrowed coroutine, borrowed stream)
{
    struct object *task = task_new(loop, coroutine, NULL);
    int result;

    if (!task)
        return -1;
    result = future_on_done(task, on_handled, stream, false);
    if (result < 0)
        future_cancel(task, NULL);
    decref(task);
    return result;
}

static int handle(struct server_object *s, borrowed stream)
{
    struct object *made = call(s->handler, &stream, 1);
    int result = made ? 0 : -1;

    if (made && is_generator(made, COROUTINE))
        result = start_task(s->loop, made, stream);
    xdecref(made);
    return result;
}

/* What is pending has ended it before the handler began. */
static void tell_of(const struct server_object *s, const char *message)
{
    struct object *e = exception_take();

    loop_tell(s->loop, message, e, &s->head);
    decref(e);
}

/* ---- over TLS: hands are shaken before the handler begins ---- */

enum { SERVER, STREAM, REFERENCES };

/* Its peer may be anybody, so what it does wrong is nobody's error here. */
static void reject(struct server_object *s, borrowed e)
{
    s->rejected++;
    if (loop_debug(s->loop))
        loop_tell(s->loop, "SSL handshake failed", e, &s->head);
}

static enum turn secure_turn(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    struct server_object *s = as_server(f->reference[SERVER]);
    struct object *handshake;

    if (f->at++ == 0) {
        handshake = tls_handshake(f->reference[STREAM], s->options.handshake_ns);
        *result = handshake ? await_iterator(handshake) : NULL;
        xdecref(handshake);
        return *result ? TURN_FROM : TURN_ERROR;
    }
    if (how == RESUME_SEND)
        return handle(s, f->reference[STREAM]) < 0 ? TURN_ERROR : frame_return(result);
    if (!exception_is(argument, &os_error))
        return frame_raise(argument);
    reject(s, argument);
    return frame_return(result);
}

static const struct body secure_body = {
    .name = "server.handshake", .kind = COROUTINE, .resume = secure_turn, .references = REFERENCES,
};

static int secure(struct server_object *s, borrowed stream)
{
    struct object *coroutine = generator_new(&secure_body, (borrowed[]){ &s->head, stream }, 2);
    int result = coroutine ? start_task(s->loop, coroutine, stream) : -1;

    xdecref(coroutine);
    return result;
}

/* ---- its beginning ---- */

static int welcome(struct server_object *s, struct object *stream)
{
    if (stream_on_closed(stream, on_closed, &s->head) < 0)
        return -1;
    s->connections++;
    s->accepted++;
    return s->options.tls ? secure(s, stream) : handle(s, stream);
}

static struct object *make_stream(struct server_object *s, int fd /* steals */)
{
    struct tls_session *tls = NULL;

    if (s->options.tls) {
        tls = tls_session_start(s->options.tls, NULL);
        if (!tls) {
            close(fd);
            return NULL;
        }
    }
    return stream_new(s->loop, fd, &s->options.limits, tls);
}

static void begin_connection(struct server_object *s, int fd)
{
    struct object *stream = make_stream(s, fd);

    if (!stream || welcome(s, stream) < 0) {
        tell_of(s, stream ? "Unhandled exception in client_connected_cb"
                          : "Error on transport creation for incoming connection");
        if (stream)
            stream_close(stream);
    }
    xdecref(stream);
}

/* ---- accepting ---- */

static bool lacks_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* What is pending is of accept. 0; -1: it stays so, for the loop's hook. */
static int refuse(struct server_object *s, int error)
{
    if (lacks_resources(error)) {
        tell_of(s, "socket.accept() out of system resource");
        return listen_later(s);
    }
    if (error != ECONNABORTED && error != EINTR)
        return -1;
    exception_restore(NULL);
    return 0;
}

static int on_ready(borrowed loop, borrowed target, borrowed argument)
{
    struct server_object *s = as_server(target);

    (void)argument;
    loop_enter(loop, "server.accept");
    for (int i = 0; i < s->options.backlog && s->watched && !is_full(s); i++) {
        int fd = io_try_accept(s->listener);

        if (fd == IO_NOT_YET)
            return 0;
        if (fd < 0)
            return refuse(s, errno);
        begin_connection(s, fd);
    }
    if (is_full(s))
        pause_listening(s);
    return 0;
}

/* ---- its life ---- */

static void server_clear(struct object *o)
{
    struct server_object *s = as_server(o);
    struct object *handler = s->handler, *waiters = s->waiters;

    drop_timer(s);
    s->handler = s->waiters = NULL;
    xdecref(handler);
    xdecref(waiters);
}

static void server_destroy(struct object *o)
{
    struct server_object *s = as_server(o);

    server_clear(o);
    if (s->listener >= 0)
        close(s->listener);
    decref(s->loop);
}

static void server_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                            void *argument)
{
    const struct server_object *s = as_server(o);

    visit(s->loop, argument);
    if (s->handler)
        visit(s->handler, argument);
    if (s->waiters)
        visit(s->waiters, argument);
    if (s->timer)
        visit(s->timer, argument);
}

static void server_repr(borrowed o, char *text, size_t size_bytes)
{
    const struct server_object *s = as_server(o);
    char address[120];

    address_write(&s->address, address, sizeof address);
    snprintf(text, size_bytes, "<Server %s%s connections=%d>", address,
             s->listener < 0 ? " closed" : "", s->connections);
}

const struct type server_type = {
    .name = "Server", .size_bytes = sizeof(struct server_object), .destroy = server_destroy,
    .clear = server_clear, .traverse = server_traverse, .repr = server_repr,
};

static struct object *make(borrowed loop, const struct address *address, borrowed handler,
                           const struct server_options *options)
{
    struct object *o = container_new(&server_type, sizeof(struct server_object));
    struct server_object *s = (struct server_object *)o;

    if (!o)
        return NULL;
    memset(o + 1, 0, sizeof *s - sizeof *o);
    s->loop = incref(loop);
    s->handler = incref(handler);
    s->address = *address;
    s->listener = -1;
    if (options)
        s->options = *options;
    if (!s->options.backlog)
        s->options.backlog = BACKLOG;
    if (!s->options.retry_ns)
        s->options.retry_ns = NS_PER_S;
    if (!s->options.handshake_ns)
        s->options.handshake_ns = TLS_HANDSHAKE_NS;
    return o;
}

static int open_listener(struct server_object *s)
{
    s->listener = socket_listen(&s->address, s->options.backlog, s->options.shared);
    if (s->listener >= 0)
        return listen_on(s);
    exception_set_errno("listen");
    return -1;
}

struct object *server_start(borrowed loop, const struct address *address, borrowed handler,
                            const struct server_options *options)
{
    struct object *o;

    if (loop_check(loop) < 0)
        return NULL;
    o = make(loop, address, handler, options);
    if (!o || open_listener(as_server(o)) == 0)
        return o;
    decref(o);
    return NULL;
}

struct address server_address(borrowed o)
{
    return as_server(o)->address;
}

int server_descriptor(borrowed o)
{
    return as_server(o)->listener;
}

int server_connections(borrowed o)
{
    return as_server(o)->connections;
}

uint64_t server_rejected(borrowed o)
{
    return as_server(o)->rejected;
}

uint64_t server_accepted(borrowed o)
{
    return as_server(o)->accepted;
}
