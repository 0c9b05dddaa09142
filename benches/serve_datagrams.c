/* serve_datagrams.c - an echo of datagrams by itself, for clients of others.
 *
 * There is one socket, and each thread has one unit, which takes from it what comes next: as it is a
 * thread, a greenlet of a hub, or a task. Who waits in a reactor is woken by a datagram that another
 * may then have taken; so the last of them are called more than once when it ends.
 */
#include "benches/serve.h"

#include "coroutines/coroutine.h"
#include "coroutines/datagram.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "coroutines/net/address.h"
#include "coroutines/recruit.h"
#include "coroutines/run.h"
#include "gil/mutex.h"
#include "objects/bytes.h"
#include "objects/exception.h"
#include "objects/int.h"

#include <stdlib.h>
#include <unistd.h>

static const uint64_t call_again_ns = 5 * NS_PER_MS;

struct post {
    struct serve_order *order; /* set once */
    int fd;                    /* set once; the socket, which blocks */
    struct address address;    /* set once; its own */
    _Atomic bool stopping;     /* release, acquire */
    struct mutex lock;
    pthread_cond_t changed;
    int carriers;            /* lock; that have not ended */
    bool gave_up, no_memory; /* lock; one of them could not go on, and that is why */
};

static bool is_stopping(const struct post *p)
{
    return atomic_load_explicit(&p->stopping, memory_order_acquire);
}

static void count_answer(struct post *p)
{
    atomic_fetch_add_explicit(&p->order->counts.answers, 1, memory_order_relaxed);
}

/* After an error about one datagram, which is the client's affair, the next is taken. */
static int settle(struct post *p)
{
    if (!exception_matches(&os_error))
        return -1;
    exception_restore(NULL);
    if (!is_stopping(p))
        atomic_fetch_add_explicit(&p->order->counts.failed, 1, memory_order_relaxed);
    return 0;
}

/* ---- threads and greenlets ---- */

static int answer_all(struct post *p)
{
    char data[DATAGRAM_BYTES];
    struct address from;
    int result = 0;

    while (result == 0 && !is_stopping(p)) {
        int64_t got;

        safepoint(thread_self);
        got = io_receive(p->fd, data, sizeof data, &from);
        if (got < 0 || (got && io_send(p->fd, data, (size_t)got, &from) < 0))
            result = settle(p);
        else if (got)
            count_answer(p);
    }
    return result;
}

static int carry_greenlet(struct post *p)
{
    int result = hub_loop() ? answer_all(p) : -1;

    hub_end();
    return result;
}

/* ---- tasks ---- */

struct answering {
    struct object *endpoint; /* owned */
    struct address from;
};

enum { POST, PLACE, REFERENCES };
enum { RECEIVES, TAKES, SENT }; /* where the task stands */

static enum turn await_next(struct frame *f, int at, struct object *future, struct object **result)
{
    f->at = (uint16_t)at;
    *result = future;
    return future ? TURN_FROM : TURN_ERROR;
}

static void *at_address(borrowed number)
{
    return (void *)(uintptr_t)int_value(number);
}

static enum turn receive_next(struct frame *f, struct post *p, struct answering *a,
                              struct object **result)
{
    if (is_stopping(p))
        return frame_return(result);
    safepoint(thread_self);
    return await_next(f, TAKES, datagram_receive(a->endpoint, DATAGRAM_BYTES, &a->from), result);
}

static enum turn go_on(struct frame *f, struct post *p, struct answering *a, borrowed argument,
                       struct object **result)
{
    if (f->at == TAKES && bytes_length(argument)) {
        if (datagram_send(a->endpoint, bytes_data(argument), bytes_length(argument), &a->from) < 0)
            return settle(p) < 0 ? TURN_ERROR : receive_next(f, p, a, result);
        return await_next(f, SENT, datagram_drain(a->endpoint), result);
    }
    if (f->at == SENT)
        count_answer(p);
    return receive_next(f, p, a, result);
}

static enum turn answer_in_task(struct frame *f, enum resume how, borrowed argument,
                                struct object **result)
{
    struct post *p = at_address(f->reference[POST]);
    struct answering *a = at_address(f->reference[PLACE]);

    if (how != RESUME_THROW)
        return go_on(f, p, a, argument, result);
    exception_restore(incref(argument));
    return settle(p) < 0 ? TURN_ERROR : receive_next(f, p, a, result);
}

static const struct body answering_body = {
    .name = "answer", .kind = COROUTINE, .resume = answer_in_task, .references = REFERENCES,
};

static int run_in(borrowed loop, struct post *p, struct answering *a)
{
    struct object *post = int_new((int64_t)(uintptr_t)p), *place = NULL, *coroutine = NULL,
                  *returned = NULL;

    if (post)
        place = int_new((int64_t)(uintptr_t)a);
    if (place)
        coroutine = generator_new(&answering_body, (borrowed[]){ post, place }, REFERENCES);
    if (coroutine)
        returned = run_until_complete(loop, coroutine);
    xdecref(post);
    xdecref(place);
    xdecref(coroutine);
    xdecref(returned);
    return returned ? 0 : -1;
}

/* The endpoint has a copy of the descriptor. */
static int answer_by(borrowed loop, struct post *p)
{
    struct answering a;
    int fd = dup(p->fd), result;

    if (fd < 0) {
        exception_set_errno("dup");
        return -1;
    }
    a.endpoint = datagram_new(loop, fd);
    if (!a.endpoint)
        return -1;
    result = run_in(loop, p, &a);
    datagram_close(a.endpoint);
    decref(a.endpoint);
    return result;
}

static int carry_task(struct post *p)
{
    struct object *loop = loop_new();
    int result = loop ? answer_by(loop, p) : -1;

    if (loop)
        loop_close(loop);
    xdecref(loop);
    return result;
}

/* ---- all of it ---- */

static void end_carrier(struct post *p, int result)
{
    bool no_memory = result < 0 && exception_matches(&memory_error);

    if (result < 0)
        exception_restore(NULL);
    mutex_lock(&p->lock);
    p->gave_up |= result < 0;
    p->no_memory |= no_memory;
    p->carriers--;
    pthread_cond_broadcast(&p->changed);
    mutex_unlock(&p->lock);
}

static void carry(struct thread *self, struct recruit *r)
{
    static int (*const how[])(struct post * p) = {
        [SERVE_THREADS] = answer_all,
        [SERVE_GREENLETS] = carry_greenlet,
        [SERVE_TASKS] = carry_task,
    };
    struct post *p = r->kept;

    (void)self;
    recruit_ready(r);
    end_carrier(p, how[p->order->unit](p));
}

static int start_carriers(struct post *p)
{
    for (int i = 0; i < p->order->threads; i++) {
        struct recruit r = { .name = "carrier", .body = carry, .kept = p };
        int error;

        mutex_lock(&p->lock);
        p->carriers++;
        mutex_unlock(&p->lock);
        error = recruit_start(&r);
        if (!error)
            continue;
        errno = error;
        exception_set_errno("pthread_create");
        mutex_lock(&p->lock);
        p->carriers--;
        mutex_unlock(&p->lock);
        return -1;
    }
    return 0;
}

static bool has_given_up(struct post *p)
{
    bool gave_up;

    mutex_lock(&p->lock);
    gave_up = p->gave_up;
    mutex_unlock(&p->lock);
    return gave_up;
}

/* Detached. A datagram of no bytes calls one of them. */
static void end_all(struct post *p)
{
    mutex_lock(&p->lock);
    atomic_store_explicit(&p->stopping, true, memory_order_release);
    while (p->carriers) {
        sendto(p->fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL, &p->address.any, p->address.size_bytes);
        cond_wait_until(&p->changed, &p->lock, clock_ns() + call_again_ns);
    }
    mutex_unlock(&p->lock);
}

static int run_all(struct post *p)
{
    struct serve_order *o = p->order;
    int result = start_carriers(p);

    thread_detach(thread_self);
    if (result == 0) {
        o->begun(o);
        while (!has_given_up(p) && o->goes_on(o))
            ;
    }
    end_all(p);
    thread_attach(thread_self);
    recruit_join_all();
    if (result == 0 && p->no_memory)
        exception_set_no_memory();
    else if (result == 0 && p->gave_up)
        exception_set(&os_error, "no datagram can be answered any more");
    return p->gave_up ? -1 : result;
}

int serve_datagrams(struct serve_order *order)
{
    struct post p = { .order = order, .lock = MUTEX_INIT, .changed = PTHREAD_COND_INITIALIZER,
                      .address = address_loopback((uint16_t)order->port) };
    int result;

    p.fd = socket_bind(&p.address, SOCK_DGRAM);
    if (p.fd < 0) {
        exception_set_errno("bind");
        return -1;
    }
    order->port = address_port(&p.address);
    result = run_all(&p);
    close(p.fd);
    mutex_fini(&p.lock);
    return result;
}
