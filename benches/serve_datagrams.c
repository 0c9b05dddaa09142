/* serve_datagrams.c - an echo of datagrams by itself, for clients of others.
 *
 * There is one socket, and each thread has one unit, which takes from it what comes next: as it is a
 * thread, a greenlet of a hub, or a task. Who waits in a reactor is woken by a datagram that another
 * may then have taken; so the last of them are called more than once when it ends.
 */
#include "benches/serve_crew.h"
#include "coroutines/coroutine.h"
#include "coroutines/datagram.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "coroutines/net/address.h"
#include "coroutines/run.h"
#include "objects/bytes.h"
#include "objects/exception.h"
#include "objects/int.h"

#include <stdlib.h>
#include <unistd.h>

static const uint64_t call_again_ns = 5 * NS_PER_MS;

struct post {
    struct crew crew;       /* first: who has it has the post */
    int fd;                 /* set once; the socket, which blocks */
    struct address address; /* set once; its own */
};

static void count_answer(struct post *p)
{
    atomic_fetch_add_explicit(&p->crew.order->counts.answers, 1, memory_order_relaxed);
}

/* After an error about one datagram, which is the client's affair, the next is taken. */
static int settle(struct post *p)
{
    if (!exception_matches(&os_error))
        return -1;
    exception_restore(NULL);
    if (!crew_is_stopping(&p->crew))
        atomic_fetch_add_explicit(&p->crew.order->counts.failed, 1, memory_order_relaxed);
    return 0;
}

/* ---- threads and greenlets ---- */

static int answer_all(struct post *p)
{
    char data[DATAGRAM_BYTES];
    struct address from;
    int result = 0;

    while (result == 0 && !crew_is_stopping(&p->crew)) {
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

static void *at_address(borrowed number)
{
    return (void *)(uintptr_t)int_value(number);
}

static enum turn receive_next(struct frame *f, struct post *p, struct answering *a,
                              struct object **result)
{
    if (crew_is_stopping(&p->crew))
        return frame_return(result);
    safepoint(thread_self);
    return frame_await(f, TAKES, datagram_receive(a->endpoint, DATAGRAM_BYTES, &a->from), result);
}

static enum turn go_on(struct frame *f, struct post *p, struct answering *a, borrowed argument,
                       struct object **result)
{
    if (f->at == TAKES && bytes_length(argument)) {
        if (datagram_send(a->endpoint, bytes_data(argument), bytes_length(argument), &a->from) < 0)
            return settle(p) < 0 ? TURN_ERROR : receive_next(f, p, a, result);
        return frame_await(f, SENT, datagram_drain(a->endpoint), result);
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

static int carry(struct crew *crew, struct recruit *r)
{
    static int (*const how[])(struct post * p) = {
        [SERVE_THREADS] = answer_all,
        [SERVE_GREENLETS] = carry_greenlet,
        [SERVE_TASKS] = carry_task,
    };

    recruit_ready(r);
    return how[crew->order->unit]((struct post *)crew);
}

/* A datagram of no bytes calls one of them. */
static void end_all(struct crew *crew)
{
    const struct post *p = (struct post *)crew;

    while (crew->carriers) {
        sendto(p->fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL, &p->address.any, p->address.size_bytes);
        cond_wait_until(&crew->changed, &crew->lock, clock_ns() + call_again_ns);
    }
}

int serve_datagrams(struct serve_order *order)
{
    struct post p = { .crew = { CREW_INIT, .order = order, .carry = carry, .end = end_all },
                      .address = address_loopback((uint16_t)order->port) };
    int result;

    p.fd = socket_bind(&p.address, SOCK_DGRAM);
    if (p.fd < 0) {
        exception_set_errno("bind");
        return -1;
    }
    order->port = address_port(&p.address);
    result = crew_run(&p.crew, "no datagram can be answered any more");
    close(p.fd);
    return result;
}
