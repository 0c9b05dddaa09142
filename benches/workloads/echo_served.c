/* echo_served.c - 64 bytes and back: the clients are another process, a server for each.
 *
 * On this one the processor time of a server for each round trip is compared with that of a bare
 * epoll loop (`echo_bare`), for nearly all else of it is the kernel's. What is read, as much as there is
 * in 4096 bytes, is written.
 */
#include "benches/hosted.h"
#include "benches/served.h"
#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/io.h"
#include "objects/exception.h"

#include <stdlib.h>

enum { RATE, UNIX, IDLE };
enum { MESSAGE_BYTES = 64 };

struct server {
    int fd;
    uint64_t echoed;                /* bytes */
    char data[LOAD_RECEIVE_BYTES];
};

static int setup(struct job *job)
{
    struct load_plan plan = { .protocol = job->param[UNIX] ? LOAD_UNIX : LOAD_TCP,
                              .message_bytes = MESSAGE_BYTES, .rate = job->param[RATE],
                              .idle = (int)job->param[IDLE] };

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
    s->echoed = 0;
    return 0;
}

static void count(struct worker *w, struct server *s, int64_t bytes)
{
    s->echoed += (uint64_t)bytes;
    atomic_store_explicit(&w->ops, s->echoed / MESSAGE_BYTES, memory_order_relaxed);
}

static int step(struct worker *w)
{
    struct server *s = w->state;
    int64_t got;

    safepoint(w->thread);
    got = io_read(s->fd, s->data, sizeof s->data);
    if (got <= 0 || io_write(s->fd, s->data, (size_t)got) < 0)
        return served_ended(w);
    count(w, s, got);
    return 0;
}

enum { BEGINS, READS, WROTE }; /* where the coroutine stands */

static enum turn go_on(struct frame *f, struct worker *w, borrowed got, struct object **result)
{
    struct server *s = w->state;
    int64_t *bytes = frame_locals(f);

    switch (f->at++) {
    case BEGINS:
        safepoint(w->thread);
        *result = async_io_read(loop_running(), s->fd, s->data, sizeof s->data);
        return *result ? TURN_FROM : TURN_ERROR;
    case READS:
        *bytes = int_value(got);
        if (*bytes == 0)
            return served_ended(w) < 0 ? TURN_ERROR : frame_return(result);
        *result = async_io_write(loop_running(), s->fd, s->data, (size_t)*bytes);
        return *result ? TURN_FROM : TURN_ERROR;
    default: /* WROTE */
        count(w, s, *bytes);
        return frame_return(result);
    }
}

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);

    return how == RESUME_THROW ? served_fail(w, argument, result) : go_on(f, w, argument, result);
}

static const struct body await_step = {
    .name = "echo_served", .kind = COROUTINE, .resume = await, .references = 1,
    .locals_bytes = sizeof(int64_t),
};

static void end(struct worker *w)
{
    struct server *s = w->state;

    if (s)
        served_add_answers(s->echoed / MESSAGE_BYTES);
    free(s);
    w->state = NULL;
}

const struct workload workload_echo_served = {
    .about = "64 bytes and back: clients in another process, a server for each connection",
    .unit = "round trip", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .param = { { "rate", "requests a second, of all clients; 0: as soon as one is answered", 0, 0,
                 1000000 },
               { "unix", "1: over Unix sockets, not TCP", 0, 0, 1 },
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
