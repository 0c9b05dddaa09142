/* serve.c - the servers of `echo_served` and `http` by themselves, for clients of others.
 *
 * Whoever serves a connection owns its caller, and takes it from the list, under the lock, before
 * it closes the descriptor. So who cuts one off, under the lock, never means another connection
 * that has got the same number.
 */
#include "benches/http_peer.h"
#include "benches/serve_crew.h"
#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "coroutines/stream.h"
#include "coroutines/task.h"
#include "coroutines/tls.h"
#include "coroutines/tls/certificate.h"
#include "objects/bytes.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE = 4096, DRAINED_MOST = 1 << 16 };

static const uint64_t full_ns = 10 * NS_PER_MS; /* until a descriptor is asked for again */

struct house;

struct caller {
    struct caller *next, *before; /* house->crew.lock */
    struct house *house;          /* set once */
    const void *owner;            /* set once; of a carrier; NULL: a thread of its own */
    struct object *stream;        /* set once; owned; over TLS, and has `fd`; NULL: there is none */
    int fd;                       /* set once */
    _Atomic bool cut;             /* relaxed; it was too slow */
    bool midway;                  /* owner; its request is due, not the next one */
    size_t drained;               /* owner; bytes after the last answer */
    _Atomic uint64_t due;         /* owner, read by who cuts off: twice the number of what must come
                                     now, and 1 if that is a request or goes out, not the next one */
    uint64_t seen, seen_ns;       /* house->crew.lock; what was due when last seen, since when */
    struct http_peer peer;        /* owner; an echo uses `in` and `have` alone */
};

struct house {
    struct crew crew;     /* first: who has it has the house */
    int listener;         /* set once */
    struct caller *first; /* crew.lock */
    int callers;          /* crew.lock */
};

static _Thread_local struct tls_context *context; /* of this carrier; NULL: no TLS */

static void tell(_Atomic uint64_t *count)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

/* ---- callers ---- */

enum due { DUE_NEXT, DUE_REQUEST };

/* Who cuts off sees that it is another one, and only he reads the clock: he may be a look late. */
static void set_due(struct caller *c, enum due what)
{
    uint64_t before = atomic_load_explicit(&c->due, memory_order_relaxed);

    atomic_store_explicit(&c->due, ((before | 1) + 1) | what, memory_order_relaxed);
}

/* By who cuts off. */
static bool is_late(struct caller *c, uint64_t now_ns) REQUIRES(c->house->crew.lock)
{
    const struct serve_order *o = c->house->crew.order;
    uint64_t due = atomic_load_explicit(&c->due, memory_order_relaxed);

    if (due != c->seen) {
        c->seen = due;
        c->seen_ns = now_ns;
    }
    return now_ns - c->seen_ns >= (due & 1 ? o->request_ns : o->idle_ns);
}

/* The first request. Over TLS, hands are shaken before. */
static void await_first(struct caller *c)
{
    set_due(c, c->house->crew.order->http ? DUE_REQUEST : DUE_NEXT);
}

/* What comes now must come in time: the rest of a request, or the next one. */
static HOT_PATH void await_more(struct caller *c)
{
    bool midway = c->house->crew.order->http && http_peer_is_midway(&c->peer);

    if (!midway || !c->midway)
        set_due(c, midway ? DUE_REQUEST : DUE_NEXT);
    c->midway = midway;
}

static void enter(struct caller *c)
{
    struct house *h = c->house;

    mutex_lock(&h->crew.lock);
    c->before = NULL;
    c->next = h->first;
    if (h->first)
        h->first->before = c;
    h->first = c;
    h->callers++;
    /* One that comes at the end is not seen by who shuts the others. */
    if (crew_is_stopping(&h->crew))
        shutdown(c->fd, SHUT_RDWR);
    mutex_unlock(&h->crew.lock);
}

static void leave(struct caller *c)
{
    struct house *h = c->house;

    mutex_lock(&h->crew.lock);
    if (c->next)
        c->next->before = c->before;
    if (c->before)
        c->before->next = c->next;
    else
        h->first = c->next;
    h->callers--;
    pthread_cond_broadcast(&h->crew.changed);
    mutex_unlock(&h->crew.lock);
}

/* Who serves it may be another thread. */
static struct object *new_stream(const struct house *h, int fd /* steals, also on failure */)
{
    borrowed loop = h->crew.order->unit == SERVE_TASKS ? loop_running() : NULL;
    struct tls_session *s = tls_session_start(context, NULL);
    struct object *stream = s ? stream_new(loop, fd, NULL, s) : NULL;

    if (!s)
        close(fd);
    if (stream)
        publish(stream);
    return stream;
}

/* Of a connection that was accepted, and is closed if this fails. NULL: MemoryError, SSLError. */
static struct caller *caller_new(struct house *h, int fd, const void *owner)
{
    struct caller *c = malloc(sizeof *c);
    int on = 1;

    if (!c || http_peer_init(&c->peer, h->crew.order->body_bytes) < 0) {
        exception_set_no_memory();
        free(c);
        close(fd);
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->stream = context ? new_stream(h, fd) : NULL;
    if (context && !c->stream) {
        http_peer_fini(&c->peer);
        free(c);
        return NULL;
    }
    c->house = h;
    c->owner = owner;
    c->fd = fd;
    atomic_init(&c->cut, false);
    c->midway = false;
    c->drained = 0;
    atomic_init(&c->due, h->crew.order->http || c->stream ? DUE_REQUEST : DUE_NEXT);
    c->seen = atomic_load_explicit(&c->due, memory_order_relaxed);
    c->seen_ns = clock_ns();
    tell(&h->crew.order->counts.connections);
    tell(&h->crew.order->counts.open);
    enter(c);
    return c;
}

/* What TLS has to say at the end goes out if it can at once. What is pending stays so. */
static void end_stream(struct object *stream /* steals */)
{
    struct object *pending = exception_take();

    stream_close(stream);
    stream_abort(stream);
    decref(stream);
    exception_restore(pending);
}

static void caller_free(struct caller *c)
{
    struct house *h = c->house;

    leave(c);
    if (c->stream)
        end_stream(c->stream);
    else
        close(c->fd);
    http_peer_fini(&c->peer);
    free(c);
    atomic_fetch_sub_explicit(&h->crew.order->counts.open, 1, memory_order_relaxed);
}

static bool was_cut(const struct caller *c)
{
    return atomic_load_explicit(&c->cut, memory_order_relaxed);
}

/* What a connection ends with: an error of its own is the client's affair, and is counted; others
 * are passed on. */
static int settle(struct caller *c, int result)
{
    struct house *h = c->house;

    if (result < 0 && exception_matches(&os_error)) {
        exception_restore(NULL);
        if (!was_cut(c) && !crew_is_stopping(&h->crew))
            tell(&h->crew.order->counts.failed);
        result = 0;
    }
    return result;
}

/* Whose unit has never begun, since its carrier has ended before. */
static void free_those_of(struct house *h, const void *owner)
{
    struct caller *c;

    do {
        mutex_lock(&h->crew.lock);
        for (c = h->first; c && c->owner != owner; c = c->next)
            ;
        mutex_unlock(&h->crew.lock);
        if (c)
            caller_free(c);
    } while (c);
}

/* Those that are too slow. Their units see the end, as if the peer had gone. */
static void cut_off(struct crew *crew)
{
    struct house *h = (struct house *)crew;
    uint64_t now_ns;

    mutex_lock(&h->crew.lock);
    now_ns = clock_ns(); /* behind the lock: nobody in the list has come later than that */
    for (struct caller *c = h->first; c; c = c->next) {
        if (was_cut(c) || !is_late(c, now_ns))
            continue;
        atomic_store_explicit(&c->cut, true, memory_order_relaxed);
        shutdown(c->fd, SHUT_RDWR);
        tell(&h->crew.order->counts.cut_off);
    }
    mutex_unlock(&h->crew.lock);
}

/* ---- what is said, without waiting ---- */

/* `out` is to be written, if it is PEER_ANSWERS. */
static HOT_PATH enum peer_turn next_word(struct caller *c, const char **out, size_t *size_bytes)
{
    struct http_peer *p = &c->peer;
    enum peer_turn turn = PEER_READS;

    if (c->house->crew.order->http) {
        turn = http_peer_next(p);
        *out = p->out;
        *size_bytes = p->out_bytes;
    } else if (p->have) {
        turn = PEER_ANSWERS;
        *out = p->in;
        *size_bytes = p->have;
        p->have = 0;
    }
    return turn;
}

static HOT_PATH void count_word(struct caller *c)
{
    struct serve_counts *counts = &c->house->crew.order->counts;

    if (!c->house->crew.order->http || c->peer.answers_request)
        tell(&counts->answers);
    else if (c->peer.ends)
        tell(&counts->refused);
    c->midway = false;
}

/* A peer that was refused may still be sending what nobody wants. If it were closed now, the kernel
 * would reset the connection, and the word might be lost on the way. */
static bool is_to_drain(const struct caller *c)
{
    return !c->peer.answers_request;
}

static void begin_drain(struct caller *c)
{
    set_due(c, DUE_REQUEST);
    if (!c->stream)
        shutdown(c->fd, SHUT_WR);
    else if (stream_write_eof(c->stream) < 0)
        exception_restore(NULL); /* it has gone, as reading will say */
    c->peer.have = 0;
}

/* False: it has been enough. */
static bool drain(struct caller *c, int64_t got)
{
    c->drained += (size_t)got;
    return got > 0 && c->drained < DRAINED_MOST;
}

/* What a stream has read, at most as much as there is room for. */
static int64_t take_in(struct caller *c, borrowed data)
{
    memcpy(c->peer.in + c->peer.have, bytes_data(data), bytes_length(data));
    return (int64_t)bytes_length(data);
}

/* ---- threads and greenlets ---- */

static int64_t read_stream(struct caller *c, size_t size_bytes)
{
    struct object *data = stream_io_read(c->stream, size_bytes);
    int64_t got = data ? take_in(c, data) : -1;

    xdecref(data);
    return got;
}

static HOT_PATH int64_t read_more(struct caller *c)
{
    size_t room;
    char *where = http_peer_room(&c->peer, &room);

    safepoint(thread_self);
    return c->stream ? read_stream(c, room) : io_read(c->fd, where, room);
}

static int write_word(struct caller *c, const char *out, size_t size_bytes)
{
    return c->stream ? stream_io_write(c->stream, out, size_bytes)
                     : io_write(c->fd, out, size_bytes);
}

/* All that has come. PEER_READS, PEER_ENDS; PEER_ANSWERS: it failed. */
static HOT_PATH enum peer_turn answer(struct caller *c)
{
    const char *out;
    size_t size_bytes;
    enum peer_turn turn;

    while ((turn = next_word(c, &out, &size_bytes)) == PEER_ANSWERS) {
        set_due(c, DUE_REQUEST);
        if (write_word(c, out, size_bytes) < 0)
            break;
        count_word(c);
    }
    return turn;
}

static HOT_PATH int converse(struct caller *c)
{
    enum peer_turn turn = PEER_READS;
    int64_t got = 1;

    if (c->stream && stream_io_handshake(c->stream) < 0)
        return -1;
    await_first(c);
    while (turn == PEER_READS && (got = read_more(c)) > 0) {
        c->peer.have += (size_t)got;
        turn = answer(c);
        await_more(c);
    }
    if (got < 0 || turn == PEER_ANSWERS)
        return -1;
    if (turn == PEER_ENDS && is_to_drain(c)) {
        begin_drain(c);
        do
            got = read_more(c);
        while (drain(c, got < 0 ? 0 : got));
        return got < 0 ? -1 : 0;
    }
    return 0;
}

/* Of accept: whether it may be tried again. The exception is dropped then. */
static bool may_accept_again(struct house *h, int error, bool *full)
{
    *full = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    if (*full)
        tell(&h->crew.order->counts.full);
    if (crew_is_stopping(&h->crew) || (!*full && error != ECONNABORTED && error != EPROTO))
        return false;
    exception_restore(NULL);
    return true;
}

/* -1: an exception is pending, or it stops. */
static int accept_next(struct house *h)
{
    int fd;

    while ((fd = io_accept(h->listener)) < 0) {
        bool full;

        if (!may_accept_again(h, errno, &full) || (full && io_sleep_ns(full_ns) < 0))
            break;
    }
    if (fd < 0 && crew_is_stopping(&h->crew))
        exception_restore(NULL);
    return fd;
}

/* Accepts until it stops. What `start` cannot begin is closed, and counted. */
static int accept_callers(struct house *h, int start(struct caller *c), const void *owner)
{
    int fd;

    while ((fd = accept_next(h)) >= 0) {
        struct caller *c = caller_new(h, fd, owner);

        if (c && start(c) < 0) {
            caller_free(c);
            c = NULL;
        }
        if (!c) {
            exception_restore(NULL);
            tell(&h->crew.order->counts.full);
        }
    }
    return exception_pending() ? -1 : 0;
}

/* A thread for each. */
static void serve_in_thread(struct thread *self, struct recruit *r)
{
    struct caller *c = r->kept;
    bool secure = c->stream != NULL;

    (void)self;
    recruit_ready(r);
    if (settle(c, converse(c)) < 0)
        exception_restore(NULL); /* no memory: its connection ends */
    caller_free(c);
    if (secure)
        tls_thread_end();
}

static int start_thread(struct caller *c)
{
    struct recruit r = { .name = "connection", .body = serve_in_thread, .kept = c };

    errno = recruit_start(&r);
    if (!errno)
        return 0;
    exception_set_errno("pthread_create");
    return -1;
}

static int carry_threads(struct house *h)
{
    return accept_callers(h, start_thread, NULL);
}

/* A greenlet for each, and one that accepts. */
static _Thread_local int greenlets; /* of this carrier, that serve */

static struct object *serve_in_greenlet(borrowed closure, borrowed const *arguments, size_t count)
{
    struct caller *c = (struct caller *)(uintptr_t)int_value(arguments[0]);
    int result = settle(c, converse(c));

    (void)closure, (void)count;
    caller_free(c);
    greenlets--;
    return result < 0 ? NULL : none();
}

static int start_greenlet(struct caller *c)
{
    struct object *address = int_new((int64_t)(uintptr_t)c), *f = NULL, *g = NULL;

    if (address)
        f = function_new("connection", serve_in_greenlet, 1, NULL);
    if (f)
        g = hub_spawn(f, (borrowed[]){ address }, 1);
    xdecref(address);
    xdecref(f);
    xdecref(g);
    greenlets += g != NULL;
    return g ? 0 : -1;
}

/* The thread's main greenlet accepts, and stays until the others have ended. */
static int carry_greenlets(struct house *h)
{
    int result = -1;

    greenlets = 0;
    if (hub_loop())
        result = accept_callers(h, start_greenlet, &greenlets);
    if (result < 0)
        crew_give_up(&h->crew);
    while (greenlets && hub_sleep_ns(NS_PER_MS) == 0)
        ;
    exception_restore(NULL);
    hub_end();
    free_those_of(h, &greenlets);
    return 0;
}

/* ---- tasks ---- */

static _Thread_local int tasks; /* of this carrier: those that serve, and the one that accepts */

static enum turn end_task(struct object **result)
{
    if (--tasks == 0 && loop_running())
        loop_stop(loop_running());
    return frame_return(result);
}

enum { CALLER, INPUT, REFERENCES }; /* what its frame holds: where its caller is; how it waits */
enum { BEGINS, SHAKES_HANDS, READS, WROTE, DRAINS }; /* and where it stands */

static enum turn await_handshake(struct frame *f, struct caller *c, struct object **result)
{
    return frame_await(f, SHAKES_HANDS, stream_handshake(c->stream), result);
}

static enum turn end_call(struct caller *c, int result, struct object **returned)
{
    if (settle(c, result) < 0)
        exception_restore(NULL); /* no memory: its connection ends */
    caller_free(c);
    return end_task(returned);
}

static enum turn await_record(struct caller *c, struct object **result)
{
    size_t room;

    http_peer_room(&c->peer, &room);
    *result = stream_read(c->stream, room);
    return *result ? TURN_FROM : TURN_ERROR;
}

/* The same future each time. It is stepped here, as the generator that delegates to it would do: a
 * fourth of the instructions of a round trip are saved by that. */
static HOT_PATH enum turn await_input(struct frame *f, struct caller *c, struct object **result)
{
    struct object **input = &f->reference[INPUT];

    safepoint(thread_self);
    if (f->at != DRAINS)
        f->at = READS;
    if (c->stream)
        return await_record(c, result);
    if (*input && async_io_wait_again(*input) < 0)
        return TURN_ERROR;
    if (!*input)
        *input = async_io_wait(loop_running(), c->fd, READABLE);
    return *input && future_next(*input, result) == STEP_NEXT ? TURN_YIELD : TURN_ERROR;
}

/* What came of the wait: bytes, 0, -1, or IO_NOT_YET. */
static HOT_PATH int64_t read_input(struct frame *f, struct caller *c)
{
    struct object *outcome;
    size_t room;
    char *where = http_peer_room(&c->peer, &room);

    if (unlikely(future_next(f->reference[INPUT], &outcome) != STEP_RETURN))
        return -1;
    decref(outcome);
    return io_try_read(c->fd, where, room);
}

/* 1: all has gone; 0: *rest is a future of what has not; -1. */
static HOT_PATH int send_word(struct caller *c, const char *out, size_t size_bytes,
                              struct object **rest)
{
    int64_t sent;

    if (c->stream) {
        *rest = stream_write(c->stream, out, size_bytes) < 0 ? NULL : stream_drain(c->stream);
        return *rest ? 0 : -1;
    }
    sent = io_try_write(c->fd, out, size_bytes);
    if (sent == IO_NOT_YET)
        sent = 0;
    if (sent < 0 || (size_t)sent == size_bytes)
        return sent < 0 ? -1 : 1;
    *rest = async_io_write(loop_running(), c->fd, out + sent, size_bytes - (size_t)sent);
    return *rest ? 0 : -1;
}

/* Writes what there is to say, then waits for more. */
static HOT_PATH enum turn go_on(struct frame *f, struct caller *c, struct object **result)
{
    enum peer_turn turn;
    const char *out;
    size_t size_bytes;

    while ((turn = next_word(c, &out, &size_bytes)) == PEER_ANSWERS) {
        int sent;

        set_due(c, DUE_REQUEST);
        sent = send_word(c, out, size_bytes, result);
        if (sent <= 0) {
            f->at = WROTE;
            return sent < 0 ? TURN_ERROR : TURN_FROM;
        }
        count_word(c);
    }
    if (turn == PEER_ENDS) {
        if (!is_to_drain(c))
            return end_call(c, 0, result);
        begin_drain(c);
        f->at = DRAINS;
    } else {
        await_more(c);
    }
    return await_input(f, c, result);
}

static HOT_PATH enum turn take_input(struct frame *f, struct caller *c, int64_t got,
                                     struct object **result)
{
    if (got == IO_NOT_YET || (f->at == DRAINS && got > 0 && drain(c, got)))
        return await_input(f, c, result);
    if (got < 0)
        return TURN_ERROR;
    if (got == 0 || f->at == DRAINS)
        return end_call(c, 0, result);
    c->peer.have += (size_t)got;
    return go_on(f, c, result);
}

static HOT_PATH enum turn take_turn(struct frame *f, struct caller *c, borrowed argument,
                                    struct object **result)
{
    if (f->at == BEGINS && c->stream)
        return await_handshake(f, c, result);
    if (f->at == BEGINS || f->at == SHAKES_HANDS) {
        await_first(c);
        return await_input(f, c, result);
    }
    if (f->at == WROTE) {
        count_word(c);
        return go_on(f, c, result);
    }
    return take_input(f, c, c->stream ? take_in(c, argument) : read_input(f, c), result);
}

static HOT_PATH enum turn serve_in_task(struct frame *f, enum resume how, borrowed argument,
                                        struct object **result)
{
    struct caller *c = (struct caller *)(uintptr_t)int_value(f->reference[CALLER]);
    enum turn turn = TURN_ERROR;

    if (how == RESUME_THROW)
        exception_restore(incref(argument));
    else
        turn = take_turn(f, c, argument, result);
    return turn == TURN_ERROR ? end_call(c, -1, result) : turn;
}

static const struct body serving = {
    .name = "connection",
    .kind = COROUTINE,
    .resume = serve_in_task,
    .references = REFERENCES,
};

static int start_task(const struct body *body, void *about)
{
    struct object *address = int_new((int64_t)(uintptr_t)about), *coroutine = NULL, *task = NULL;

    if (address)
        coroutine = generator_new(body, (borrowed[]){ address }, 1);
    if (coroutine)
        task = task_new(loop_running(), coroutine, NULL);
    xdecref(address);
    xdecref(coroutine);
    xdecref(task); /* the loop holds it */
    tasks += task != NULL;
    return task ? 0 : -1;
}

static void take_connection(struct house *h, int fd)
{
    struct caller *c = caller_new(h, fd, &tasks);

    if (c && start_task(&serving, c) == 0)
        return;
    if (c)
        caller_free(c);
    exception_restore(NULL);
    tell(&h->crew.order->counts.full);
}

enum { PAUSES, ACCEPTS }; /* where it stands */

/* Whatever it is that accept was told, there may be room a little later. */
static struct object *await_room(struct frame *f, struct house *h)
{
    tell(&h->crew.order->counts.full);
    f->at = PAUSES;
    return async_io_sleep(loop_running(), (int64_t)full_ns);
}

static struct object *await_another(struct frame *f, struct house *h)
{
    f->at = ACCEPTS;
    return async_io_accept(loop_running(), h->listener);
}

static enum turn accept_in_task(struct frame *f, enum resume how, borrowed argument,
                                struct object **result)
{
    struct house *h = (struct house *)(uintptr_t)int_value(f->reference[0]);

    if (how == RESUME_SEND && f->at == ACCEPTS) /* also at the end, or nobody would close it */
        take_connection(h, (int)int_value(argument));
    if (crew_is_stopping(&h->crew))
        return end_task(result);
    *result = how == RESUME_THROW ? await_room(f, h) : await_another(f, h);
    if (*result)
        return TURN_FROM;
    crew_give_up(&h->crew);
    return end_task(result);
}

static const struct body accepting = {
    .name = "accept",
    .kind = COROUTINE,
    .resume = accept_in_task,
    .references = 1,
};

/* The loop's first callback: only there is it the one that runs. */
static struct object *begin_to_accept(borrowed closure, borrowed const *arguments, size_t count)
{
    struct house *h = (struct house *)(uintptr_t)int_value(closure);

    (void)arguments, (void)count;
    if (start_task(&accepting, h) < 0) {
        crew_give_up(&h->crew);
        loop_stop(loop_running());
    }
    return none();
}

static int carry_tasks(struct house *h)
{
    struct object *loop = loop_new(), *address = NULL, *f = NULL;
    int result = -1;

    tasks = 0;
    if (loop)
        address = int_new((int64_t)(uintptr_t)h);
    if (address)
        f = function_new("begin", begin_to_accept, 0, address);
    if (f && loop_call_soon(loop, f, NULL) == 0)
        result = loop_run_forever(loop);
    xdecref(f);
    xdecref(address);
    if (result < 0)
        crew_give_up(&h->crew);
    if (loop)
        loop_close(loop);
    xdecref(loop);
    free_those_of(h, &tasks);
    return 0;
}

/* ---- all of it ---- */

/* OpenSSL takes locks in a context, so each carrier has one. */
static int open_context(const struct house *h)
{
    const struct tls_identity *i = h->crew.order->identity;

    context = i ? tls_server(i->certificate, i->key) : NULL;
    return i && !context ? -1 : 0;
}

static int carry(struct crew *crew, struct recruit *r)
{
    static int (*const how[])(struct house * h) = {
        [SERVE_THREADS] = carry_threads,
        [SERVE_GREENLETS] = carry_greenlets,
        [SERVE_TASKS] = carry_tasks,
    };
    struct house *h = (struct house *)crew;
    int result = open_context(h); /* before it is ready: later a load may be forked */

    recruit_ready(r);
    if (result == 0)
        result = how[crew->order->unit](h);
    tls_context_free(context);
    context = NULL;
    if (crew->order->identity)
        tls_thread_end();
    return result;
}

/* Several threads accept from it, so it must not block those that find nothing any more; threads
 * that do nothing else may. */
static int listen_on_loopback(struct serve_order *o)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)o->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size_bytes = sizeof address;
    int type = SOCK_STREAM | SOCK_CLOEXEC | (o->unit == SERVE_THREADS ? 0 : SOCK_NONBLOCK);
    int fd = socket(AF_INET, type, 0), on = 1;

    if (fd < 0) {
        exception_set_errno("socket");
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, QUEUE) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size_bytes) == 0) {
        o->port = ntohs(address.sin_port);
        return fd;
    }
    exception_set_errno("listen");
    close(fd);
    return -1;
}

/* Whoever waits for a connection, or on one, sees its end. */
static void end_all(struct crew *crew)
{
    struct house *h = (struct house *)crew;

    shutdown(h->listener, SHUT_RDWR);
    for (struct caller *c = h->first; c; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
    while (h->callers || crew->carriers)
        cond_wait(&crew->changed, &crew->lock);
}

int serve(struct serve_order *order)
{
    struct house h = { .crew = { CREW_INIT, .order = order, .carry = carry, .look = cut_off,
                                 .end = end_all } };
    int result;

    if (order->datagrams)
        return serve_datagrams(order);
    h.listener = listen_on_loopback(order);
    if (h.listener < 0)
        return -1;
    result = crew_run(&h.crew, "no connection can be accepted any more");
    close(h.listener);
    return result;
}
