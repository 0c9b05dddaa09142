/* http.c - HTTP/1.1 with keep-alive: the clients are another process, a server for each.
 *
 * Each request is split strictly (http.h), becomes a str while it is handled, for so long as the
 * handler computes, and is answered by so many bytes. The parsing is some hundred nanoseconds of a
 * round trip; HTTP is here as work of the usual shape, not as a product.
 */
#include "benches/countdown.h"
#include "benches/hosted.h"
#include "benches/http_peer.h"
#include "benches/served.h"
#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/io.h"
#include "objects/exception.h"
#include "objects/str.h"

#include <stdlib.h>

enum { RATE, BODY_BYTES, CPU_US, IDLE };

static int64_t loops; /* set by setup; of a handler */

struct server {
    int fd;
    uint64_t answered;
    struct countdown numbers;
    struct http_peer peer;
};

static int setup(struct job *job)
{
    struct load_plan plan = { .protocol = LOAD_HTTP, .rate = job->param[RATE],
                              .message_bytes = (int)job->param[BODY_BYTES],
                              .idle = (int)job->param[IDLE] };

    if (countdown_loops_in(job->param[CPU_US] * 1000, &loops) < 0)
        return -1;
    return served_setup(job, &plan, 0);
}

static int begin(struct worker *w)
{
    struct server *s = malloc(sizeof *s);

    w->state = s;
    if (!s) {
        exception_set_no_memory();
        return -1;
    }
    s->fd = served_connection(w->index);
    s->answered = 0;
    s->numbers = (struct countdown){ 0 };
    if (http_peer_init(&s->peer, (int)w->job->param[BODY_BYTES]) < 0)
        return -1;
    return countdown_init(&s->numbers);
}

/* What a program would do with it. */
static int handle(struct worker *w)
{
    struct server *s = w->state;
    struct object *name = str_new(s->peer.name);
    int result = name ? 0 : -1;

    if (result == 0 && loops)
        result = countdown_run(w->thread, &s->numbers, loops);
    xdecref(name);
    return result;
}

static void count(struct worker *w, struct server *s)
{
    s->answered += s->peer.answers_request;
    atomic_store_explicit(&w->ops, s->answered, memory_order_relaxed);
}

/* All requests that have come. */
static int answer(struct worker *w, struct server *s)
{
    while (http_peer_next(&s->peer) == PEER_ANSWERS) {
        if (handle(w) < 0)
            return -1;
        if (io_write(s->fd, s->peer.out, s->peer.out_bytes) < 0)
            return served_ended(w);
        count(w, s);
    }
    return 0;
}

static int step(struct worker *w)
{
    struct server *s = w->state;
    size_t room;
    char *where = http_peer_room(&s->peer, &room);
    int64_t got;

    safepoint(w->thread);
    got = io_read(s->fd, where, room);
    if (got <= 0)
        return served_ended(w);
    s->peer.have += (size_t)got;
    return answer(w, s);
}

/* ---- the same, awaited ---- */

enum { BEGINS, READS, COMPUTES, WROTE }; /* where the coroutine stands */

static enum turn await_read(struct frame *f, struct server *s, struct object **result)
{
    size_t room;
    char *where = http_peer_room(&s->peer, &room);

    return frame_await(f, READS, async_io_read(loop_running(), s->fd, where, room), result);
}

static enum turn await_write(struct frame *f, struct server *s, struct object **result)
{
    return frame_await(
        f, WROTE, async_io_write(loop_running(), s->fd, s->peer.out, s->peer.out_bytes), result);
}

/* One that takes no time is not sent to another thread for it. */
static enum turn await_handler(struct frame *f, struct worker *w, struct object **result)
{
    if (!loops)
        return handle(w) < 0 ? TURN_ERROR : await_write(f, w->state, result);
    return frame_await(f, COMPUTES, unit_compute(w, handle), result);
}

/* A step ends where all that has come is answered. */
static enum turn go_on(struct frame *f, struct worker *w, borrowed argument,
                       struct object **result)
{
    struct server *s = w->state;

    if (f->at == BEGINS) {
        safepoint(w->thread);
        return await_read(f, s, result);
    }
    if (f->at == COMPUTES)
        return await_write(f, s, result);
    if (f->at == READS && int_value(argument) == 0)
        return served_ended(w) < 0 ? TURN_ERROR : frame_return(result);
    if (f->at == READS)
        s->peer.have += (size_t)int_value(argument);
    else
        count(w, s);
    if (http_peer_next(&s->peer) != PEER_ANSWERS)
        return frame_return(result);
    return await_handler(f, w, result);
}

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);

    return how == RESUME_THROW ? served_fail(w, argument, result) : go_on(f, w, argument, result);
}

static const struct body await_step = {
    .name = "http", .kind = COROUTINE, .resume = await, .references = 1,
};

static void end(struct worker *w)
{
    struct server *s = w->state;

    if (!s)
        return;
    served_add_answers(s->answered);
    http_peer_fini(&s->peer);
    countdown_fini(&s->numbers);
    free(s);
    w->state = NULL;
}

const struct workload workload_http = {
    .about = "HTTP/1.1 with keep-alive: clients in another process, a server for each connection",
    .unit = "request", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 1,
    .param = { { "rate", "requests a second, of all clients; 0: as soon as one is answered", 0, 0,
                 1000000 },
               { "body_bytes", "of an answer", 100, 0, LOAD_MESSAGE_MOST },
               { "cpu_us", "that a handler computes", 0, 0, 1000000 },
               { "idle", "connections that are asked nothing", 0, 0, LOAD_CONNECTIONS_MOST - 1 } },
    .roles = {
        { .name = "client", .fixed = 1, .records_latency = true, .outside = true,
          .begin = served_client_begin, .step = served_client_step, .end = served_client_end },
        { .name = "server", .per_thread = 1, .begin = begin, .step = step, .end = end,
          .await_step = &await_step },
    },
    .setup = setup, .interrupt = served_interrupt, .check = served_check,
    .teardown = served_teardown,
};
