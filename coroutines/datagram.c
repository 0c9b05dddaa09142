/* datagram.c - messages that come whole or not at all.
 *
 * Watching is as in stream.c: for a receive the socket stays watched until it is ready and nobody
 * receives. While it is watched the loop holds the endpoint. So one that was dropped meanwhile is
 * closed when the next message comes, or its loop ends.
 *
 * While messages are in the queue the socket is watched, or if nothing says when there is room
 * (busy.h) a timer is set.
 *
 * A message that has come, and for whose bytes there is no memory, is kept for the next receive.
 */
#include "coroutines/datagram.h"

#include "coroutines/busy.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "objects/bytes.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/warning.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* That could not be sent at once. */
struct message {
    struct message *next;
    struct address to; /* of no size: to the peer */
    size_t size_bytes;
    char data[];
};

struct receiving;

struct endpoint {
    struct object head;
    struct object *loop;   /* set once; owned; NULL: implicit style */
    struct object *reader; /* owned; the future that receives; NULL: none */
    struct object *drains; /* owned; a list of futures; NULL: none */
    struct object *error;  /* owned; of a message from the queue; NULL: none */
    struct object *timer;  /* owned; when it tries again to send; NULL: it does not */
    int64_t delay_ns;      /* of that, or of the last one; 0: something was sent since */
    struct message *first, **last;
    size_t unsent_bytes;
    char *buffer; /* NULL: size 0 */
    size_t buffer_bytes;
    int64_t kept;          /* so many bytes of it are a message; -1: none is there */
    struct address sender; /* of that */
    int fd;                /* -1: it is closed */
    bool has_peer;         /* set once */
    bool reads_watched, writes_watched, paused;
    bool receives; /* implicit style: somebody waits for a message */
};

struct receiving {
    struct future_object future;
    struct object *endpoint; /* owned */
    size_t size_bytes;       /* set once */
    struct address *sender;  /* the caller's, or NULL */
};

static const struct type receiving_type;

static struct endpoint *as_endpoint(borrowed o)
{
    assert(type_of(o) == &datagram_type);
    return (struct endpoint *)o;
}

static struct receiving *as_receiving(borrowed o)
{
    assert(type_of(o) == &receiving_type);
    return (struct receiving *)o;
}

static void set(struct endpoint *e, struct object **field, struct object *value /* steals */)
{
    struct object *before = *field;

    if (value)
        publish_into(&e->head, value);
    *field = value;
    xdecref(before);
}

/* ---- watching ---- */

static loop_action on_readable, on_writable, on_time;

static int watch(struct endpoint *e, enum interest what)
{
    bool *watched = what == READABLE ? &e->reads_watched : &e->writes_watched;

    if (*watched)
        return 0;
    if (loop_watch(e->loop, e->fd, what, what == READABLE ? on_readable : on_writable, &e->head) <
        0)
        return -1;
    *watched = true;
    return 0;
}

static void unwatch(struct endpoint *e, enum interest what)
{
    bool *watched = what == READABLE ? &e->reads_watched : &e->writes_watched;

    if (!*watched)
        return;
    *watched = false;
    loop_unwatch(e->loop, e->fd, what);
}

static void drop_timer(struct endpoint *e)
{
    struct object *timer = e->timer;

    e->timer = NULL;
    if (!timer)
        return;
    handle_cancel(timer);
    decref(timer);
}

static int set_timer(struct endpoint *e)
{
    struct object *timer;

    e->delay_ns = busy_delay_ns(e->delay_ns);
    timer = loop_push_at(e->loop, loop_time_after(e->delay_ns), on_time, &e->head, NULL);
    if (!timer)
        return -1;
    set(e, &e->timer, timer);
    return 0;
}

/* For who is told when there is room; `busy`: who is not looks again later, or if there is no
 * memory for a timer in each turn. */
static int wait_for_room(struct endpoint *e, bool busy)
{
    if (e->timer)
        return 0;
    if (!busy)
        return watch(e, WRITABLE);
    if (set_timer(e) < 0) {
        exception_restore(NULL);
        return watch(e, WRITABLE);
    }
    unwatch(e, WRITABLE);
    return 0;
}

/* ---- receiving ---- */

static int make_room(struct endpoint *e, size_t size_bytes)
{
    char *buffer;

    if (e->buffer_bytes >= size_bytes)
        return 0;
    buffer = heap_alloc_table(size_bytes);
    if (!buffer) {
        exception_set_no_memory();
        return -1;
    }
    if (e->buffer)
        heap_free_table(e->buffer, e->buffer_bytes);
    e->buffer = buffer;
    e->buffer_bytes = size_bytes;
    return 0;
}

static void free_buffer(struct endpoint *e)
{
    if (e->buffer)
        heap_free_table(e->buffer, e->buffer_bytes);
    e->buffer = NULL;
    e->buffer_bytes = 0;
}

typedef int64_t message_receive(int fd, void *data, size_t size_bytes, struct address *from);

static int raise_closed(void)
{
    exception_set(&os_error, "the endpoint is closed");
    return -1;
}

/* The kept message as a bytes, with its sender. */
static struct object *take_kept(struct endpoint *e, size_t size_bytes, struct address *sender)
{
    size_t length = (uint64_t)e->kept < size_bytes ? (size_t)e->kept : size_bytes;
    struct object *message = bytes_new(length ? e->buffer : "", length);

    if (!message)
        return NULL;
    e->kept = -1;
    if (sender)
        *sender = e->sender;
    return message;
}

/* 1: *message; 0: nothing has come; -1. */
static int receive(struct endpoint *e, message_receive *by, size_t size_bytes,
                   struct address *sender, struct object **message)
{
    if (e->error) {
        exception_raise(incref(e->error));
        set(e, &e->error, NULL);
        return -1;
    }
    if (e->fd < 0)
        return raise_closed();
    if (e->kept < 0) {
        int64_t got = make_room(e, size_bytes) < 0
                          ? -1
                          : by(e->fd, e->buffer, size_bytes, &e->sender);

        if (got < 0)
            return got == IO_NOT_YET ? 0 : -1;
        e->kept = got;
    }
    *message = take_kept(e, size_bytes, sender);
    return *message ? 1 : -1;
}

static void end(struct receiving *r, int how, struct object *message)
{
    if (how > 0)
        future_finish(&r->future, message);
    else
        future_fail(&r->future, exception_take());
}

/* 1: it is done; 0: nothing has come. */
static int try_receiving(struct endpoint *e, struct receiving *r)
{
    struct object *message = NULL;
    int how = receive(e, io_try_receive, r->size_bytes, r->sender, &message);

    if (how == 0)
        how = watch(e, READABLE);
    if (how == 0)
        return 0;
    incref(&r->future.head);
    if (e->reader == &r->future.head)
        set(e, &e->reader, NULL);
    end(r, how, message);
    decref(&r->future.head);
    return 1;
}

static int on_readable(borrowed loop, borrowed target, borrowed argument)
{
    struct endpoint *e = as_endpoint(target);

    (void)argument;
    loop_enter(loop, "datagram.receive");
    if (e->reader)
        try_receiving(e, as_receiving(e->reader));
    else
        unwatch(e, READABLE);
    return 0;
}

static int cancel(borrowed o, borrowed message)
{
    int result = future_cancel_plain(o, message);
    struct endpoint *e;

    if (result != 1)
        return result;
    e = as_endpoint(as_receiving(o)->endpoint);
    if (e->reader == o)
        set(e, &e->reader, NULL);
    return 1;
}

static void refuse_second_receiver(void)
{
    exception_set(&runtime_error, "%s", "Already receiving");
}

struct object *datagram_receive(borrowed endpoint, size_t size_bytes, struct address *sender)
{
    struct endpoint *e = as_endpoint(endpoint);
    struct object *o;
    struct receiving *r;

    assert(e->loop && "the endpoint is in await style");
    if (loop_check(e->loop) < 0)
        return NULL;
    if (e->reader) {
        refuse_second_receiver();
        return NULL;
    }
    o = container_new(&receiving_type, sizeof *r);
    if (!o)
        return NULL;
    r = (struct receiving *)o;
    future_init(&r->future, e->loop, cancel);
    r->endpoint = incref(endpoint);
    r->size_bytes = size_bytes;
    r->sender = sender;
    if (e->reads_watched && e->kept < 0 && !e->error)
        set(e, &e->reader, incref(o));
    else if (!try_receiving(e, r))
        set(e, &e->reader, incref(o));
    return o;
}

struct object *datagram_io_receive(borrowed endpoint, size_t size_bytes, struct address *sender)
{
    struct endpoint *e = as_endpoint(endpoint);
    struct object *message = NULL;

    assert(!e->loop && "the endpoint is in implicit style");
    if (e->receives) {
        refuse_second_receiver();
        return NULL;
    }
    e->receives = true;
    receive(e, io_receive, size_bytes, sender, &message);
    e->receives = false;
    return message;
}

/* ---- sending ---- */

static void drop_first(struct endpoint *e)
{
    struct message *m = e->first;

    e->first = m->next;
    if (!e->first)
        e->last = &e->first;
    e->unsent_bytes -= m->size_bytes;
    heap_free_table(m, sizeof *m + m->size_bytes);
}

static int enqueue(struct endpoint *e, const void *data, size_t size_bytes,
                   const struct address *to, bool busy)
{
    struct message *m = heap_alloc_table(sizeof *m + size_bytes);

    if (!m) {
        exception_set_no_memory();
        return -1;
    }
    if (wait_for_room(e, busy) < 0) {
        heap_free_table(m, sizeof *m + size_bytes);
        return -1;
    }
    m->next = NULL;
    m->to = to ? *to : (struct address){ .size_bytes = 0 };
    m->size_bytes = size_bytes;
    memcpy(m->data, data, size_bytes);
    *e->last = m;
    e->last = &m->next;
    e->unsent_bytes += size_bytes;
    e->paused |= e->unsent_bytes > DATAGRAM_HIGH_BYTES;
    return 0;
}

static int64_t send_first(struct endpoint *e)
{
    struct message *m = e->first;

    return io_try_send(e->fd, m->data, m->size_bytes, m->to.size_bytes ? &m->to : NULL);
}

/* Those that wait for a short queue; the first hears of an error. */
static void wake_drains(struct endpoint *e)
{
    struct object *drains = e->drains;

    e->drains = NULL;
    for (size_t i = 0; drains && i < list_length(drains); i++) {
        struct object *f = list_get(drains, i);

        if (f && !future_done(f) && e->error) {
            future_fail(as_future(f), incref(e->error));
            set(e, &e->error, NULL);
        } else if (f && !future_done(f)) {
            future_finish(as_future(f), none());
        }
        xdecref(f);
    }
    xdecref(drains);
}

/* A message that could not be sent is dropped: its error is told, and the next one has its turn. */
static int send_queued(struct endpoint *e)
{
    int64_t sent = 0;
    int result = 0;

    while (e->first && (sent = send_first(e)) >= -1) {
        if (sent < 0)
            set(e, &e->error, exception_take());
        e->delay_ns = 0;
        drop_first(e);
    }
    if (e->first)
        result = wait_for_room(e, sent == IO_BUSY);
    else
        unwatch(e, WRITABLE);
    if (e->unsent_bytes <= DATAGRAM_HIGH_BYTES / 4) {
        e->paused = false;
        wake_drains(e);
    }
    return result;
}

static int on_writable(borrowed loop, borrowed target, borrowed argument)
{
    (void)argument;
    loop_enter(loop, "datagram.send");
    return send_queued(as_endpoint(target));
}

static int on_time(borrowed loop, borrowed target, borrowed argument)
{
    (void)argument;
    loop_enter(loop, "datagram.send");
    drop_timer(as_endpoint(target));
    return send_queued(as_endpoint(target));
}

static int check_receiver(const struct endpoint *e, const struct address *to)
{
    struct address peer;

    if (e->fd < 0)
        return raise_closed();
    if (to && e->has_peer && socket_peer_address(e->fd, &peer) == 0 && !address_equal(to, &peer)) {
        exception_set(&value_error, "Invalid address: must be None or that of the peer");
        return -1;
    }
    if (to || e->has_peer)
        return 0;
    exception_set(&value_error, "the endpoint has no peer, so an address is needed");
    return -1;
}

int datagram_send(borrowed endpoint, const void *data, size_t size_bytes, const struct address *to)
{
    struct endpoint *e = as_endpoint(endpoint);
    int64_t sent = IO_NOT_YET;

    assert(e->loop && "the endpoint is in await style");
    if (loop_check(e->loop) < 0 || check_receiver(e, to) < 0)
        return -1;
    if (e->has_peer)
        to = NULL;
    if (!e->first)
        sent = io_try_send(e->fd, data, size_bytes, to);
    if (sent < -1)
        return enqueue(e, data, size_bytes, to, sent == IO_BUSY);
    return sent < 0 ? -1 : 0;
}

int datagram_io_send(borrowed endpoint, const void *data, size_t size_bytes,
                     const struct address *to)
{
    struct endpoint *e = as_endpoint(endpoint);

    assert(!e->loop && "the endpoint is in implicit style");
    if (check_receiver(e, to) < 0)
        return -1;
    return io_send(e->fd, data, size_bytes, e->has_peer ? NULL : to) < 0 ? -1 : 0;
}

static int add_drain(struct endpoint *e, borrowed future)
{
    if (!e->drains) {
        struct object *drains = list_new();

        if (!drains)
            return -1;
        set(e, &e->drains, drains);
    }
    return list_append(e->drains, future);
}

struct object *datagram_drain(borrowed endpoint)
{
    struct endpoint *e = as_endpoint(endpoint);
    struct object *f;

    assert(e->loop && "the endpoint is in await style");
    f = future_new(e->loop);
    if (!f)
        return NULL;
    if (e->error) {
        future_fail(as_future(f), incref(e->error));
        set(e, &e->error, NULL);
    } else if (!e->paused) {
        future_finish(as_future(f), none());
    } else if (add_drain(e, f) < 0) {
        decref(f);
        return NULL;
    }
    return f;
}

/* ---- its life ---- */

size_t datagram_unsent(borrowed endpoint)
{
    return as_endpoint(endpoint)->unsent_bytes;
}

int datagram_descriptor(borrowed endpoint)
{
    return as_endpoint(endpoint)->fd;
}

static void close_socket(struct endpoint *e)
{
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
    while (e->first)
        drop_first(e);
    e->paused = false;
}

void datagram_close(borrowed endpoint)
{
    struct endpoint *e = as_endpoint(endpoint);

    if (e->fd < 0)
        return;
    unwatch(e, READABLE);
    unwatch(e, WRITABLE);
    drop_timer(e);
    if (!e->loop)
        hub_forget_file(e->fd);
    close_socket(e);
    if (e->reader)
        try_receiving(e, as_receiving(e->reader));
    wake_drains(e);
}

static bool is_open(borrowed o)
{
    return as_endpoint(o)->fd >= 0;
}

static void endpoint_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "<Datagram fd=%d>", as_endpoint(o)->fd);
}

static void endpoint_finish(struct object *o)
{
    warn(&resource_warning, "unclosed <Datagram fd=%d>", as_endpoint(o)->fd);
    close_socket(as_endpoint(o));
}

static void endpoint_clear(struct object *o)
{
    struct endpoint *e = as_endpoint(o);

    drop_timer(e);
    set(e, &e->reader, NULL);
    set(e, &e->drains, NULL);
    set(e, &e->error, NULL);
}

static void endpoint_destroy(struct object *o)
{
    struct endpoint *e = as_endpoint(o);

    endpoint_clear(o);
    close_socket(e);
    free_buffer(e);
    xdecref(e->loop);
}

static void endpoint_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                              void *argument)
{
    const struct endpoint *e = as_endpoint(o);
    borrowed held[] = { e->loop, e->reader, e->drains, e->error, e->timer };

    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i])
            visit(held[i], argument);
}

const struct type datagram_type = {
    .name = "Datagram", .size_bytes = sizeof(struct endpoint), .destroy = endpoint_destroy,
    .clear = endpoint_clear, .unfinished = is_open, .finish = endpoint_finish,
    .traverse = endpoint_traverse, .repr = endpoint_repr,
};

static void receiving_destroy(struct object *o)
{
    xdecref(as_receiving(o)->endpoint);
    future_destroy(o);
}

static void receiving_clear(struct object *o)
{
    struct object *endpoint = as_receiving(o)->endpoint;

    as_receiving(o)->endpoint = NULL;
    xdecref(endpoint);
    future_clear(o);
}

static void receiving_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                               void *argument)
{
    future_traverse(o, visit, argument);
    if (as_receiving(o)->endpoint)
        visit(as_receiving(o)->endpoint, argument);
}

static const struct type receiving_type = {
    .name = "Future", .size_bytes = sizeof(struct receiving), .destroy = receiving_destroy,
    .clear = receiving_clear, .unfinished = future_unfinished, .finish = future_finish_unseen,
    .traverse = receiving_traverse, .iterate = incref, .next = future_next, .await = incref,
    .repr = future_repr,
};

static int open_socket(const struct address *own, const struct address *peer)
{
    struct address bound = own ? *own : *peer;
    int fd = own ? socket_bind(&bound, SOCK_DGRAM) : socket_open(peer, SOCK_DGRAM);

    if (fd < 0) {
        exception_set_errno(own ? "bind" : "socket");
        return -1;
    }
    if (!peer || io_connect(fd, &peer->any, peer->size_bytes) == 0)
        return fd;
    close(fd);
    return -1;
}

/* That has no socket yet. */
static struct endpoint *endpoint_new(borrowed loop, bool has_peer)
{
    struct object *o = container_new(&datagram_type, sizeof(struct endpoint));
    struct endpoint *e = (struct endpoint *)o;

    if (!o)
        return NULL;
    memset(o + 1, 0, sizeof *e - sizeof *o);
    e->loop = loop ? incref(loop) : NULL;
    e->last = &e->first;
    e->kept = -1;
    e->has_peer = has_peer;
    e->fd = -1;
    return e;
}

struct object *datagram_open(borrowed loop, const struct address *own, const struct address *peer)
{
    struct endpoint *e = endpoint_new(loop, peer != NULL);

    assert(own || peer);
    if (!e)
        return NULL;
    e->fd = open_socket(own, peer);
    if (e->fd >= 0)
        return &e->head;
    decref(&e->head);
    return NULL;
}

struct object *datagram_new(borrowed loop, int fd)
{
    struct endpoint *e = endpoint_new(loop, false);

    if (e)
        e->fd = fd;
    else
        close(fd);
    return e ? &e->head : NULL;
}
