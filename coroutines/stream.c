/* stream.c - a connection: bytes that come and go in order.
 *
 * Two objects. What the program has is a `stream_object`; the loop, while it watches the
 * descriptor, has the `connection`, which the stream holds and which does not hold the stream. So a
 * stream that nobody has is seen, although its descriptor is watched. Whoever drops it, on whatever
 * thread, then sends the connection home by a letter whose memory was there beforehand (inbox.h).
 *
 * Watching. For a read the descriptor is watched when it was found empty, and from then on it is
 * left watched: so a server that answers one request after the other calls the kernel no more than
 * for the poll, the receive and the send. Only when it is ready and nobody reads, the watch ends,
 * and the next read tries by itself first. Likewise a read that comes while the descriptor is
 * watched does not try, unless the last one found as much as it had room for.
 *
 * A need is what a read, a drain and the like wait for: an attempt that is made again whenever
 * something has changed. The future around it is for the await style; in implicit style it
 * stands on the caller's stack.
 */
#include "coroutines/stream.h"

#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "coroutines/wire.h"
#include "objects/bytes.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/tuple.h"
#include "objects/warning.h"

#include <assert.h>
#include <stdio.h>

enum { RECEIVES_MOST = 16 }; /* in one turn, for one reader */

struct connection;
struct need;

/* 1: *result is what it came to; 0: not yet; -1: an exception is pending. */
enum { WAITS = 0, DONE = 1 };

struct kind {
    const char *name; /* of the function that waits, in messages */
    const char *callback;
    bool reads; /* it waits for what comes; else for what goes out */
    int (*attempt)(struct connection *c, struct need *n, struct object **result);
};

struct need {
    const struct kind *kind; /* set once */
    size_t size_bytes;       /* set once; of what it needs, or of the separator */
    size_t looked;           /* up to there no separator begins */
    char separator[STREAM_SEPARATOR_MOST];
};

struct connection {
    struct object head;
    struct wire wire;
    struct object *loop;          /* set once; owned; NULL: implicit style */
    struct object *reader;        /* owned; the future that waits for what comes; NULL: none */
    struct waiting *waiting;      /* owned, each; those that wait for what goes out */
    struct object *read_error;    /* owned; NULL: none */
    struct object *write_error;   /* owned; NULL: none */
    struct object *closed_target; /* owned; NULL: none */
    loop_action *closed;
    size_t limit_bytes, high_bytes, low_bytes; /* set once */
    bool reads_watched, writes_watched;
    bool paused; /* more than high_bytes were to go out, and still are more than low_bytes */
    bool closing;
    bool ends_writing; /* write_eof was called */
    bool shaken;       /* hands; or there is no TLS */
    bool meets;        /* implicit style: somebody reads ... */
    bool puts;         /* ... or, over TLS, writes */
};

struct stream_object {
    struct object head;
    struct object *connection; /* set once; owned */
    struct mail *farewell;     /* NULL: implicit style, or it was sent */
    bool closing;              /* by whoever has it */
};

/* A future; of those that wait for what goes out, on the connection's list. */
struct waiting {
    struct future_object future;
    struct object *stream; /* owned */
    struct need need;
    struct waiting *next, *before;
};

static const struct type connection_type, stream_future_type;

static struct connection *as_connection(borrowed o)
{
    assert(type_of(o) == &connection_type);
    return (struct connection *)o;
}

static struct stream_object *as_stream(borrowed o)
{
    assert(type_of(o) == &stream_type);
    return (struct stream_object *)o;
}

static struct connection *of_stream(borrowed o)
{
    return as_connection(as_stream(o)->connection);
}

static struct waiting *as_waiting(borrowed o)
{
    assert(type_of(o) == &stream_future_type);
    return (struct waiting *)o;
}

static void set(struct connection *c, struct object **field, struct object *value /* steals */)
{
    struct object *before = *field;

    if (value)
        publish_into(&c->head, value);
    *field = value;
    xdecref(before);
}

/* ---- who waits ---- */

static void link_waiting(struct connection *c, struct waiting *w)
{
    publish_into(&c->head, &w->future.head);
    incref(&w->future.head);
    w->before = NULL;
    w->next = c->waiting;
    if (c->waiting)
        c->waiting->before = w;
    c->waiting = w;
}

static void unlink_waiting(struct connection *c, struct waiting *w)
{
    if (w->before)
        w->before->next = w->next;
    else
        c->waiting = w->next;
    if (w->next)
        w->next->before = w->before;
    w->next = w->before = NULL;
    decref(&w->future.head);
}

/* It does not wait any more. */
static void leave(struct connection *c, struct waiting *w)
{
    if (!w->need.kind->reads)
        unlink_waiting(c, w);
    else if (c->reader == &w->future.head)
        set(c, &c->reader, NULL);
}

/* With what came of it. */
static void end(struct waiting *w, int how, struct object *result)
{
    if (how == DONE)
        future_finish(&w->future, result);
    else
        future_fail(&w->future, exception_take());
}

/* Whether it is done. */
static bool try_again(struct connection *c, struct waiting *w)
{
    struct object *result = NULL;
    int how = w->need.kind->attempt(c, &w->need, &result);

    if (how == WAITS)
        return false;
    incref(&w->future.head);
    leave(c, w);
    end(w, how, result);
    decref(&w->future.head);
    return true;
}

static void try_writers(struct connection *c)
{
    for (struct waiting *w = c->waiting, *next; w; w = next) {
        next = w->next;
        try_again(c, w);
    }
}

static void fail_waiting(struct connection *c, struct waiting *w)
{
    incref(&w->future.head);
    leave(c, w);
    end(w, -1, NULL);
    decref(&w->future.head);
}

/* ---- watching ---- */

static loop_action on_readable, on_writable;

static int watch(struct connection *c, enum interest what)
{
    bool *watched = what == READABLE ? &c->reads_watched : &c->writes_watched;

    if (*watched)
        return 0;
    if (loop_watch(c->loop, c->wire.fd, what, what == READABLE ? on_readable : on_writable,
                   &c->head) < 0)
        return -1;
    *watched = true;
    return 0;
}

static void unwatch(struct connection *c, enum interest what)
{
    bool *watched = what == READABLE ? &c->reads_watched : &c->writes_watched;

    if (!*watched)
        return;
    *watched = false;
    loop_unwatch(c->loop, c->wire.fd, what);
}

/* ---- the end ---- */

static void tell_closed(struct connection *c)
{
    struct object *target = c->closed_target;

    c->closed_target = NULL;
    if (!target)
        return;
    loop_push_promised(c->loop, c->closed, target, NULL);
    decref(target);
}

/* The connection is over: those that wait see that. What is pending stays so. */
/* Of implicit style: somebody waits in it. */
static bool is_inside(const struct connection *c)
{
    return c->meets || c->puts;
}

static void hang_up(struct connection *c)
{
    struct object *pending;

    if (c->wire.fd < 0)
        return;
    pending = exception_take();
    unwatch(c, READABLE);
    unwatch(c, WRITABLE);
    if (!c->loop)
        hub_forget_file(c->wire.fd);
    wire_close(&c->wire, is_inside(c));
    c->closing = true;
    c->paused = false;
    if (c->reader)
        try_again(c, as_waiting(c->reader));
    try_writers(c);
    tell_closed(c);
    exception_restore(pending);
}

/* What is pending ends the writing. */
static void fail_writing(struct connection *c)
{
    struct object *e = exception_take();

    if (!c->write_error)
        set(c, &c->write_error, e);
    else
        decref(e);
    if (c->writes_watched)
        unwatch(c, WRITABLE);
    wire_drop_out(&c->wire);
    c->paused = false;
    if (c->closing)
        hang_up(c);
    else
        try_writers(c);
}

/* What is pending ends the reading, if the kernel or the session has said it; that there was no
 * memory, or what was thrown into a greenlet that waits, is for this reader alone. */
static void keep_read_error(struct connection *c)
{
    if (exception_matches(&os_error) && !exception_matches(&timeout_error) && !c->read_error)
        set(c, &c->read_error, incref(exception_pending()));
}

/* ---- going out ---- */

/* 0; -1: OSError, and nothing can be sent any more. */
static int end_writing(struct connection *c)
{
    if (c->wire.tls || shutdown(c->wire.fd, SHUT_WR) == 0)
        return 0;
    exception_set_errno("shutdown");
    return -1;
}

/* After something has gone out. -1: an exception is pending. */
static int went_out(struct connection *c)
{
    size_t left = wire_row_bytes(&c->wire.out);

    if (left > c->low_bytes)
        return 0;
    c->paused = false;
    if (left == 0) {
        unwatch(c, WRITABLE);
        wire_rest(&c->wire);
        if (c->closing)
            hang_up(c);
        else if (c->ends_writing && end_writing(c) < 0)
            return -1;
    }
    try_writers(c);
    return 0;
}

/* Sends what it can; the loop sends the rest. */
static void push_out(struct connection *c)
{
    int result = wire_flush(&c->wire, io_try_write);

    if (result == IO_NOT_YET)
        result = watch(c, WRITABLE);
    if (result == 0)
        result = went_out(c);
    if (result < 0)
        fail_writing(c);
}

static int on_writable(borrowed loop, borrowed target, borrowed argument)
{
    struct connection *c = as_connection(target);

    (void)argument;
    loop_enter(loop, "stream.write");
    if (c->writes_watched)
        push_out(c);
    return 0;
}

/* ---- coming in ---- */

/* Once, for this need. */
static int64_t receive(struct connection *c, wire_read *read, const struct need *n);

/* What the session had to say. */
static void push_said(struct connection *c)
{
    if (wire_row_bytes(&c->wire.out) && !c->writes_watched)
        push_out(c);
}

/* What is pending stays so. */
static void push_said_behind_error(struct connection *c)
{
    struct object *e = exception_take();

    push_said(c);
    exception_restore(e);
}

static loop_action on_readable;

/* Receives until the reader is done, or there is nothing. 1: it is done; 0: it waits; -1: it could
 * not, and waits no more. */
static int receive_for(struct connection *c, struct waiting *w)
{
    int i;

    for (i = 0; i < RECEIVES_MOST; i++) {
        int64_t got = receive(c, io_try_read, &w->need);
        bool done;

        if (got == IO_NOT_YET)
            break;
        if (got < 0) {
            keep_read_error(c);
            push_said_behind_error(c);
            return -1;
        }
        done = try_again(c, w);
        push_said(c);
        if (done)
            return 1;
        if (!c->wire.more)
            break;
    }
    if (!wire_row_bytes(&c->wire.in))
        wire_rest(&c->wire);
    if (watch(c, READABLE) < 0)
        return -1;
    /* What the session holds, no descriptor tells of. */
    return i == RECEIVES_MOST && c->wire.tls ? loop_push(c->loop, on_readable, &c->head, NULL) : 0;
}

static int on_readable(borrowed loop, borrowed target, borrowed argument)
{
    struct connection *c = as_connection(target);

    (void)argument;
    loop_enter(loop, c->reader ? as_waiting(c->reader)->need.kind->callback : "stream.read");
    if (!c->reads_watched)
        return 0;
    if (!c->reader)
        unwatch(c, READABLE);
    else if (receive_for(c, as_waiting(c->reader)) < 0)
        fail_waiting(c, as_waiting(c->reader));
    return 0;
}

/* ---- needs ---- */

static int raise_again(borrowed e)
{
    exception_raise(incref(e));
    return -1;
}

static int give(struct object *made /* steals; may be NULL */, struct object **result)
{
    *result = made;
    return made ? DONE : -1;
}

/* The reader that waits has to look again from the beginning. */
static void taken_from(struct connection *c)
{
    if (c->reader)
        as_waiting(c->reader)->need.looked = 0;
}

static int give_taken(struct connection *c, size_t size_bytes, struct object **result)
{
    taken_from(c);
    return give(wire_take(&c->wire, size_bytes), result);
}

/* IncompleteReadError with all that there is, which is taken. */
static int refuse_incomplete(struct connection *c, struct object *expected /* steals; or NULL */)
{
    size_t have = wire_row_bytes(&c->wire.in);
    struct object *items[2] = { expected ? bytes_new(have ? wire_data(&c->wire) : "", have) : NULL,
                                expected };
    struct object *value = items[0] ? tuple_new(2, items) : NULL, *e = NULL;
    char text[24] = "undefined";

    if (value && expected != none())
        snprintf(text, sizeof text, "%lld", (long long)int_value(expected));
    if (value)
        e = exception_new_with(&incomplete_read_error, value,
                               "%zu bytes read on a total of %s expected bytes", have, text);
    xdecref(items[0]);
    xdecref(expected);
    if (!e)
        return -1;
    wire_drop(&c->wire, have);
    taken_from(c);
    exception_raise(e);
    return -1;
}

static int attempt_read(struct connection *c, struct need *n, struct object **result)
{
    size_t have = wire_row_bytes(&c->wire.in);

    if (c->read_error)
        return raise_again(c->read_error);
    if (n->size_bytes && !c->wire.ended && (!have || n->size_bytes == STREAM_TO_END))
        return WAITS;
    return give_taken(c, have < n->size_bytes ? have : n->size_bytes, result);
}

static int attempt_exactly(struct connection *c, struct need *n, struct object **result)
{
    if (c->read_error)
        return raise_again(c->read_error);
    if (wire_row_bytes(&c->wire.in) >= n->size_bytes)
        return give_taken(c, n->size_bytes, result);
    return c->wire.ended ? refuse_incomplete(c, int_new((int64_t)n->size_bytes)) : WAITS;
}

/* How a separator was looked for: where it begins, or how much comes before it at least. */
enum finding { FOUND, FOUND_TOO_FAR, TOO_FAR, NO_MORE, NOT_YET };

static enum finding look_for(const struct connection *c, struct need *n, size_t *where)
{
    size_t have = wire_row_bytes(&c->wire.in);
    int64_t found = wire_find(&c->wire, n->separator, n->size_bytes, n->looked);

    if (found >= 0) {
        *where = (size_t)found;
        return *where > c->limit_bytes ? FOUND_TOO_FAR : FOUND;
    }
    if (have >= n->size_bytes)
        n->looked = have + 1 - n->size_bytes;
    *where = n->looked;
    if (n->looked > c->limit_bytes)
        return TOO_FAR;
    return c->wire.ended ? NO_MORE : NOT_YET;
}

static const char *overrun_text(enum finding how)
{
    return how == TOO_FAR ? "Separator is not found, and chunk exceed the limit"
                          : "Separator is found, but chunk is longer than limit";
}

static int refuse_overrun(enum finding how, size_t consumed)
{
    struct object *value = int_new((int64_t)consumed), *e;

    e = value ? exception_new_with(&limit_overrun_error, value, "%s", overrun_text(how)) : NULL;
    if (e)
        exception_raise(e);
    return -1;
}

static int attempt_until(struct connection *c, struct need *n, struct object **result)
{
    size_t where;
    enum finding how;

    if (c->read_error)
        return raise_again(c->read_error);
    how = look_for(c, n, &where);
    if (how == FOUND)
        return give_taken(c, where + n->size_bytes, result);
    if (how == NOT_YET)
        return WAITS;
    return how == NO_MORE ? refuse_incomplete(c, none()) : refuse_overrun(how, where);
}

static int attempt_line(struct connection *c, struct need *n, struct object **result)
{
    size_t where;
    enum finding how;

    if (c->read_error)
        return raise_again(c->read_error);
    how = look_for(c, n, &where);
    if (how == FOUND)
        return give_taken(c, where + 1, result);
    if (how == NOT_YET)
        return WAITS;
    if (how == NO_MORE)
        return give_taken(c, wire_row_bytes(&c->wire.in), result);
    wire_drop(&c->wire, how == FOUND_TOO_FAR ? where + 1 : wire_row_bytes(&c->wire.in));
    taken_from(c);
    exception_set(&value_error, "%s", overrun_text(how));
    return -1;
}

/* n->looked is how many there were when it began. */
static int attempt_fill(struct connection *c, struct need *n, struct object **result)
{
    size_t have = wire_row_bytes(&c->wire.in);

    if (c->read_error)
        return raise_again(c->read_error);
    if (have > n->looked)
        return give(int_new((int64_t)have), result);
    if (c->wire.ended)
        return give(int_new(0), result);
    if (have < c->limit_bytes)
        return WAITS;
    return refuse_overrun(TOO_FAR, have);
}

static int attempt_handshake(struct connection *c, struct need *n, struct object **result)
{
    int how = DONE;

    (void)n;
    if (c->read_error)
        return raise_again(c->read_error);
    if (!c->shaken && c->wire.fd < 0) {
        exception_set(&connection_reset_error, "Connection lost");
        return -1;
    }
    if (!c->shaken)
        how = wire_shake_hands(&c->wire);
    if (how < 0)
        keep_read_error(c);
    if (how <= 0)
        return how;
    c->shaken = true;
    return give(none(), result);
}

/* n->looked: it has waited, and then the end of the connection is the end of its wait. */
static int attempt_drain(struct connection *c, struct need *n, struct object **result)
{
    if (c->read_error)
        return raise_again(c->read_error);
    if (c->write_error)
        return raise_again(c->write_error);
    if (c->paused) {
        n->looked = 1;
        return WAITS;
    }
    if (c->wire.fd >= 0 || n->looked)
        return give(none(), result);
    exception_set(&connection_reset_error, "Connection lost");
    return -1;
}

static int attempt_closed(struct connection *c, struct need *n, struct object **result)
{
    (void)n;
    if (c->wire.fd >= 0)
        return WAITS;
    if (c->write_error)
        return raise_again(c->write_error);
    if (c->read_error)
        return raise_again(c->read_error);
    return give(none(), result);
}

static const struct kind kind_read = { "read", "stream.read", true, attempt_read },
                         kind_exactly = { "readexactly", "stream.readexactly", true,
                                          attempt_exactly },
                         kind_until = { "readuntil", "stream.readuntil", true, attempt_until },
                         kind_line = { "readuntil", "stream.readline", true, attempt_line },
                         kind_fill = { "fill", "stream.fill", true, attempt_fill },
                         kind_handshake = { "handshake", "stream.handshake", true,
                                            attempt_handshake },
                         kind_drain = { "drain", "stream.drain", false, attempt_drain },
                         kind_closed = { "wait_closed", "stream.wait_closed", false,
                                         attempt_closed };

static int64_t receive(struct connection *c, wire_read *read, const struct need *n)
{
    if (n->kind == &kind_handshake && !c->shaken)
        return wire_receive_raw(&c->wire, read);
    return wire_receive(&c->wire, read, n->kind == &kind_exactly ? n->size_bytes : 0);
}

/* ---- the future around a need ---- */

static int cancel(borrowed o, borrowed message)
{
    struct waiting *w = as_waiting(o);
    int result = future_cancel_plain(o, message);

    if (result == 1)
        leave(of_stream(w->stream), w);
    return result;
}

static struct waiting *make(borrowed stream, const struct need *n)
{
    struct object *o = container_new(&stream_future_type, sizeof(struct waiting));
    struct waiting *w = (struct waiting *)o;

    if (!o)
        return NULL;
    future_init(&w->future, of_stream(stream)->loop, cancel);
    w->stream = incref(stream);
    w->need = *n;
    w->next = w->before = NULL;
    return w;
}

static int refuse_second_reader(const struct need *n)
{
    exception_set(&runtime_error,
                  "%s() called while another coroutine is already waiting for incoming data",
                  n->kind->name);
    return -1;
}

/* It was tried, and has to wait. 0 or 1; -1: it cannot, and does not. */
static int begin_reading(struct connection *c, struct waiting *w)
{
    if (c->reader)
        return refuse_second_reader(&w->need);
    set(c, &c->reader, incref(&w->future.head));
    if (c->closing)
        return 0;
    if (!c->reads_watched || c->wire.more)
        return receive_for(c, w);
    if (!wire_row_bytes(&c->wire.in))
        wire_rest(&c->wire);
    return 0;
}

static int begin_waiting(struct connection *c, struct waiting *w)
{
    if (w->need.kind->reads)
        return begin_reading(c, w);
    link_waiting(c, w);
    return 0;
}

static struct object *begin(borrowed stream, const struct need *n)
{
    struct connection *c = of_stream(stream);
    struct object *result = NULL;
    struct waiting *w;
    int how;

    assert(c->loop && "the stream is in await style");
    if (loop_check(c->loop) < 0)
        return NULL;
    w = make(stream, n);
    if (!w)
        return NULL;
    how = n->kind->attempt(c, &w->need, &result);
    if (how != WAITS) {
        end(w, how, result);
        push_said(c);
        return &w->future.head;
    }
    push_said(c);
    how = begin_waiting(c, w);
    if (how >= 0)
        return &w->future.head;
    if (c->reader == &w->future.head) {
        fail_waiting(c, w);
        return &w->future.head;
    }
    decref(&w->future.head);
    return NULL;
}

static void waiting_destroy(struct object *o)
{
    struct waiting *w = as_waiting(o);

    xdecref(w->stream);
    future_destroy(o);
}

static void waiting_clear(struct object *o)
{
    struct waiting *w = as_waiting(o);
    struct object *stream = w->stream;

    w->stream = NULL;
    xdecref(stream);
    future_clear(o);
}

static void waiting_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                             void *argument)
{
    const struct waiting *w = as_waiting(o);

    future_traverse(o, visit, argument);
    if (w->stream)
        visit(w->stream, argument);
}

static void waiting_repr(borrowed o, char *text, size_t size_bytes)
{
    size_t used;

    snprintf(text, size_bytes, "<Future %s %s", as_waiting(o)->need.kind->name,
             future_state_name(o));
    used = strlen(text);
    future_write_state(o, text + used, size_bytes - used);
}

static const struct type stream_future_type = {
    .name = "Future", .size_bytes = sizeof(struct waiting), .destroy = waiting_destroy,
    .clear = waiting_clear, .unfinished = future_unfinished, .finish = future_finish_unseen,
    .traverse = waiting_traverse, .iterate = incref, .next = future_next, .await = incref,
    .repr = waiting_repr,
};

/* ---- implicit: the caller waits ---- */

static int64_t write_all(int fd, const void *data, size_t size_bytes)
{
    return io_write(fd, data, size_bytes) < 0 ? -1 : (int64_t)size_bytes;
}

/* If the wait is ended from outside, what is left goes out with what is written next. */
static int flush_here(struct connection *c)
{
    return wire_row_bytes(&c->wire.out) ? wire_flush(&c->wire, io_write_some) : 0;
}

/* What the session says by itself goes out if it can at once: who reads does not wait for it, and
 * what is pending stays so. */
static void flush_aside(struct connection *c)
{
    struct object *e = exception_take();

    if (wire_row_bytes(&c->wire.out) && wire_flush(&c->wire, io_try_write) == -1)
        exception_restore(NULL);
    exception_restore(e);
}

/* Receives as the caller's unit does it, once. */
static int receive_here(struct connection *c, const struct need *n)
{
    if (flush_here(c) < 0)
        return -1;
    if (!wire_row_bytes(&c->wire.in))
        wire_rest(&c->wire);
    if (receive(c, io_read, n) >= 0)
        return 0;
    keep_read_error(c);
    flush_aside(c);
    return -1;
}

/* Only a handshake needs that all has gone out. */
static struct object *meet_alone(struct connection *c, struct need n)
{
    struct object *result = NULL;
    int how;

    while ((how = n.kind->attempt(c, &n, &result)) == WAITS)
        if (receive_here(c, &n) < 0)
            return NULL;
    if (how >= 0 && n.kind == &kind_handshake && flush_here(c) < 0) {
        decref(result);
        return NULL;
    }
    flush_aside(c);
    return how < 0 ? NULL : result;
}

static struct object *meet(borrowed stream, struct need n)
{
    struct connection *c = of_stream(stream);
    struct object *result;

    assert(!c->loop && "the stream is in implicit style");
    if (c->puts) {
        exception_set(&runtime_error, "%s", "Cannot read over TLS while another writes");
        return NULL;
    }
    if (c->meets) {
        refuse_second_reader(&n);
        return NULL;
    }
    c->meets = true;
    result = meet_alone(c, n);
    c->meets = false;
    return result;
}

/* ---- reading ---- */

/* ValueError: there is no such separator. */
static int set_separator(struct need *n, const char *separator, size_t length)
{
    if (!length || length > STREAM_SEPARATOR_MOST) {
        exception_set(&value_error,
                      length ? "Separator should be at most %d bytes"
                             : "Separator should be at least one-byte string",
                      STREAM_SEPARATOR_MOST);
        return -1;
    }
    memcpy(n->separator, separator, length);
    n->size_bytes = length;
    return 0;
}

static const struct need need_line = { .kind = &kind_line, .size_bytes = 1, .separator = "\n" };

static struct need need_fill(borrowed stream)
{
    return (struct need){ .kind = &kind_fill,
                          .looked = wire_row_bytes(&of_stream(stream)->wire.in) };
}

struct object *stream_read(borrowed stream, size_t size_bytes)
{
    return begin(stream, &(struct need){ .kind = &kind_read, .size_bytes = size_bytes });
}

struct object *stream_read_exactly(borrowed stream, size_t size_bytes)
{
    return begin(stream, &(struct need){ .kind = &kind_exactly, .size_bytes = size_bytes });
}

struct object *stream_read_until(borrowed stream, const char *separator, size_t length)
{
    struct need n = { .kind = &kind_until };

    return set_separator(&n, separator, length) < 0 ? NULL : begin(stream, &n);
}

struct object *stream_read_line(borrowed stream)
{
    return begin(stream, &need_line);
}

struct object *stream_fill(borrowed stream)
{
    struct need n = need_fill(stream);

    return begin(stream, &n);
}

struct object *stream_handshake(borrowed stream)
{
    return begin(stream, &(struct need){ .kind = &kind_handshake });
}

struct object *stream_io_read(borrowed stream, size_t size_bytes)
{
    return meet(stream, (struct need){ .kind = &kind_read, .size_bytes = size_bytes });
}

struct object *stream_io_read_exactly(borrowed stream, size_t size_bytes)
{
    return meet(stream, (struct need){ .kind = &kind_exactly, .size_bytes = size_bytes });
}

struct object *stream_io_read_until(borrowed stream, const char *separator, size_t length)
{
    struct need n = { .kind = &kind_until };

    return set_separator(&n, separator, length) < 0 ? NULL : meet(stream, n);
}

struct object *stream_io_read_line(borrowed stream)
{
    return meet(stream, need_line);
}

int64_t stream_io_fill(borrowed stream)
{
    struct object *result = meet(stream, need_fill(stream));
    int64_t have = result ? int_value(result) : -1;

    xdecref(result);
    return have;
}

int stream_io_handshake(borrowed stream)
{
    struct object *result = meet(stream, (struct need){ .kind = &kind_handshake });

    xdecref(result);
    return result ? 0 : -1;
}

size_t stream_buffered(borrowed stream, const char **data)
{
    const struct wire *w = &of_stream(stream)->wire;
    size_t have = wire_row_bytes(&w->in);

    *data = have ? wire_data(w) : NULL;
    return have;
}

void stream_consume(borrowed stream, size_t size_bytes)
{
    wire_drop(&of_stream(stream)->wire, size_bytes);
    taken_from(of_stream(stream));
}

bool stream_at_eof(borrowed stream)
{
    const struct wire *w = &of_stream(stream)->wire;

    return w->ended && !wire_row_bytes(&w->in);
}

borrowed stream_exception(borrowed stream)
{
    return of_stream(stream)->read_error;
}

void stream_set_exception(borrowed stream, borrowed e)
{
    struct connection *c = of_stream(stream);

    set(c, &c->read_error, incref(e));
    if (c->reader)
        try_again(c, as_waiting(c->reader));
}

/* ---- writing ---- */

struct object *stream_drain(borrowed stream)
{
    return begin(stream, &(struct need){ .kind = &kind_drain });
}

static int refuse_write(const char *message)
{
    exception_set(&runtime_error, "%s", message);
    return -1;
}

static int put(struct connection *c, const void *data, size_t size_bytes)
{
    if (wire_put(&c->wire, data, size_bytes, io_try_write) < 0)
        return -1;
    if (!wire_row_bytes(&c->wire.out))
        return 0;
    c->paused |= wire_row_bytes(&c->wire.out) > c->high_bytes;
    return watch(c, WRITABLE);
}

int stream_write(borrowed stream, const void *data, size_t size_bytes)
{
    struct connection *c = of_stream(stream);
    bool no_memory;

    if (!c->loop)
        return refuse_write("Cannot call write() of a stream without a loop");
    if (loop_check(c->loop) < 0)
        return -1;
    if (c->ends_writing)
        return refuse_write("Cannot call write() after write_eof()");
    if (!size_bytes || c->closing || c->write_error || put(c, data, size_bytes) == 0)
        return 0;
    no_memory = exception_matches(&memory_error);
    fail_writing(c);
    if (no_memory)
        exception_set_no_memory();
    return no_memory ? -1 : 0;
}

/* By records, so that no more than one is there twice. What does not go out at once is kept first:
 * then a wait that is ended from outside leaves all in order. */
static int put_enciphered_here(struct connection *c, const char *data, size_t size_bytes)
{
    int result = flush_here(c);

    while (result == 0 && size_bytes) {
        size_t part = size_bytes < WIRE_RECORD_BYTES ? size_bytes : WIRE_RECORD_BYTES;

        result = wire_put(&c->wire, data, part, io_try_write);
        if (result == 0)
            result = flush_here(c);
        data += part;
        size_bytes -= part;
    }
    return result;
}

int stream_io_write(borrowed stream, const void *data, size_t size_bytes)
{
    struct connection *c = of_stream(stream);
    int result;

    assert(!c->loop && "the stream is in implicit style");
    if (c->ends_writing)
        return refuse_write("Cannot call write() after write_eof()");
    if (!c->wire.tls)
        return size_bytes ? wire_put(&c->wire, data, size_bytes, write_all) : 0;
    if (is_inside(c))
        return refuse_write("Cannot write over TLS while another reads or writes");
    c->puts = true;
    result = put_enciphered_here(c, data, size_bytes);
    c->puts = false;
    return result;
}

size_t stream_unsent(borrowed stream)
{
    return wire_row_bytes(&of_stream(stream)->wire.out);
}

int stream_write_eof(borrowed stream)
{
    struct connection *c = of_stream(stream);

    if (c->closing || c->ends_writing)
        return 0;
    if (c->wire.tls && is_inside(c))
        return refuse_write("Cannot end writing over TLS while another reads or writes");
    c->ends_writing = true;
    if (c->write_error)
        return 0;
    if (c->wire.tls && wire_put_end(&c->wire) < 0)
        return -1;
    if (!c->loop && flush_here(c) < 0)
        return -1;
    if (!wire_row_bytes(&c->wire.out))
        return end_writing(c);
    push_said(c);
    return 0;
}

/* ---- its end ---- */

static void close_connection(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (c->loop)
        unwatch(c, READABLE);
    if (c->wire.tls && c->shaken && !c->ends_writing && !c->write_error && !is_inside(c) &&
        wire_put_end(&c->wire) < 0)
        exception_restore(NULL);
    if (c->loop && wire_row_bytes(&c->wire.out) && !c->writes_watched)
        push_out(c);
    if (!c->loop && !is_inside(c) && wire_flush(&c->wire, io_try_write) == -1)
        exception_restore(NULL);
    if (!c->loop || !wire_row_bytes(&c->wire.out))
        hang_up(c);
}

void stream_close(borrowed stream)
{
    as_stream(stream)->closing = true;
    close_connection(of_stream(stream));
}

void stream_abort(borrowed stream)
{
    as_stream(stream)->closing = true;
    hang_up(of_stream(stream));
}

bool stream_is_closing(borrowed stream)
{
    return of_stream(stream)->closing;
}

struct object *stream_wait_closed(borrowed stream)
{
    return begin(stream, &(struct need){ .kind = &kind_closed });
}

int stream_on_closed(borrowed stream, loop_action *done, borrowed target)
{
    struct connection *c = of_stream(stream);

    assert(!c->closed_target);
    if (c->wire.fd < 0)
        return loop_push(c->loop, done, target, NULL);
    if (loop_promise(c->loop) < 0)
        return -1;
    c->closed = done;
    set(c, &c->closed_target, incref(target));
    return 0;
}

int stream_descriptor(borrowed stream)
{
    return of_stream(stream)->wire.fd;
}

const struct tls_session *stream_tls(borrowed stream)
{
    return of_stream(stream)->wire.tls;
}

/* ---- a connection ---- */

static void drop_waiting(struct connection *c)
{
    set(c, &c->reader, NULL);
    while (c->waiting)
        unlink_waiting(c, c->waiting);
}

static void connection_clear(struct object *o)
{
    struct connection *c = as_connection(o);

    drop_waiting(c);
    set(c, &c->read_error, NULL);
    set(c, &c->write_error, NULL);
    if (c->closed_target)
        loop_unpromise(c->loop);
    set(c, &c->closed_target, NULL);
}

static void connection_destroy(struct object *o)
{
    struct connection *c = as_connection(o);

    connection_clear(o);
    wire_fini(&c->wire);
    xdecref(c->loop);
}

static void connection_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                                void *argument)
{
    const struct connection *c = as_connection(o);
    borrowed held[] = { c->loop, c->reader, c->read_error, c->write_error, c->closed_target };

    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i])
            visit(held[i], argument);
    for (const struct waiting *w = c->waiting; w; w = w->next)
        visit(&w->future.head, argument);
}

static const struct type connection_type = {
    .name = "connection", .size_bytes = sizeof(struct connection), .destroy = connection_destroy,
    .clear = connection_clear, .traverse = connection_traverse,
};

static size_t or_standard(size_t given, size_t standard)
{
    return given ? given : standard;
}

static struct object *connection_new(borrowed loop, int fd, const struct stream_limits *limits,
                                     struct tls_session *tls)
{
    struct object *o = container_new(&connection_type, sizeof(struct connection));
    struct connection *c = (struct connection *)o;
    struct stream_limits l = limits ? *limits : (struct stream_limits){ 0 };

    if (!o)
        return NULL;
    memset(o + 1, 0, sizeof *c - sizeof *o);
    wire_init(&c->wire, fd, or_standard(l.piece_bytes, STREAM_PIECE_BYTES), tls);
    c->loop = loop ? incref(loop) : NULL;
    c->limit_bytes = or_standard(l.limit_bytes, STREAM_LIMIT_BYTES);
    c->high_bytes = or_standard(l.high_bytes, STREAM_HIGH_BYTES);
    c->low_bytes = or_standard(l.low_bytes, c->high_bytes / 4);
    c->shaken = !tls;
    return o;
}

/* ---- a stream ---- */

/* Nobody has the stream. */
static int act_drop(borrowed loop, borrowed target, borrowed argument)
{
    (void)argument;
    loop_enter(loop, "stream.close");
    close_connection(as_connection(target));
    return 0;
}

static bool stream_unfinished(borrowed o)
{
    return !as_stream(o)->closing;
}

static void stream_repr(borrowed o, char *text, size_t size_bytes);

static void stream_finish(struct object *o)
{
    struct stream_object *s = as_stream(o);
    struct connection *c = as_connection(s->connection);
    struct mail *farewell = s->farewell;
    char text[120];

    s->closing = true;
    stream_repr(o, text, sizeof text);
    warn(&resource_warning, "unclosed %s", text);
    s->farewell = NULL;
    if (!farewell || !loop_send(c->loop, farewell, act_drop, &c->head, NULL))
        wire_close(&c->wire, false);
}

static void stream_destroy(struct object *o)
{
    struct stream_object *s = as_stream(o);

    mail_free(s->farewell);
    decref(s->connection);
}

static void stream_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                            void *argument)
{
    visit(as_stream(o)->connection, argument);
}

static void stream_repr(borrowed o, char *text, size_t size_bytes)
{
    const struct connection *c = of_stream(o);
    char bytes[32] = "", limit[32] = "", waiter[60] = "", error[60] = "", part[40];

    if (wire_row_bytes(&c->wire.in))
        snprintf(bytes, sizeof bytes, " %zu bytes", wire_row_bytes(&c->wire.in));
    if (c->limit_bytes != STREAM_LIMIT_BYTES)
        snprintf(limit, sizeof limit, " limit=%zu", c->limit_bytes);
    if (c->reader) {
        object_repr(c->reader, part, sizeof part);
        snprintf(waiter, sizeof waiter, " waiter=%s", part);
    }
    if (c->read_error)
        snprintf(error, sizeof error, " exception=%s(%.30s)", type_of(c->read_error)->name,
                 exception_message(c->read_error));
    snprintf(text, size_bytes, "<Stream fd=%d%s%s%s%s%s%s>", c->wire.fd, bytes,
             c->wire.ended ? " eof" : "", limit, waiter, error, c->closing ? " closing" : "");
}

const struct type stream_type = {
    .name = "Stream", .size_bytes = sizeof(struct stream_object), .destroy = stream_destroy,
    .unfinished = stream_unfinished, .finish = stream_finish, .traverse = stream_traverse,
    .repr = stream_repr,
};

/* `connection` and `farewell` are the stream's, or are dropped. */
static struct object *stream_around(struct object *connection, struct mail *farewell)
{
    struct object *o = container_new(&stream_type, sizeof(struct stream_object));

    if (!o) {
        decref(connection);
        mail_free(farewell);
        return NULL;
    }
    as_stream(o)->connection = connection;
    as_stream(o)->farewell = farewell;
    as_stream(o)->closing = false;
    return o;
}

struct object *stream_new(borrowed loop, int fd, const struct stream_limits *limits,
                          struct tls_session *tls)
{
    struct object *connection = connection_new(loop, fd, limits, tls);
    struct mail *farewell = NULL;

    if (!connection) {
        struct wire w;

        wire_init(&w, fd, STREAM_PIECE_BYTES, tls);
        wire_fini(&w);
        return NULL;
    }
    if (loop)
        farewell = mail_new();
    if (loop && !farewell) {
        decref(connection);
        return NULL;
    }
    if (loop)
        loop_know_new(loop, fd);
    return stream_around(connection, farewell);
}
