/* echo_served_udp.c - 64 bytes and back over UDP: the clients are another process, and each has a
 * server with a socket of its own.
 *
 * A datagram that is not answered within a second is lost, and the next is sent: the row says how
 * many there were. On loopback none should be, for each client has one under way.
 */
#include "benches/hosted.h"
#include "benches/served.h"
#include "coroutines/coroutine.h"
#include "coroutines/datagram.h"
#include "objects/bytes.h"
#include "objects/exception.h"

#include <stdlib.h>
#include <unistd.h>

enum { RATE };
enum { MESSAGE_BYTES = 64 };

struct server {
    struct object *endpoint; /* owned; NULL: not yet */
    uint64_t answered;
    struct address client; /* who sent the last */
};

static int setup(struct job *job)
{
    struct load_plan plan = { .protocol = LOAD_UDP, .message_bytes = MESSAGE_BYTES,
                              .rate = job->param[RATE] };

    return served_setup(job, &plan, 0);
}

static int begin(struct worker *w)
{
    w->state = calloc(1, sizeof(struct server));
    if (w->state)
        return 0;
    exception_set_no_memory();
    return -1;
}

/* Over a copy of the descriptor, for the other one is the job's, to interrupt it by. */
static int open_endpoint(struct worker *w, borrowed loop)
{
    struct server *s = w->state;
    int fd = dup(served_connection(w->index));

    if (fd < 0) {
        exception_set_errno("dup");
        return -1;
    }
    s->endpoint = datagram_new(loop, fd);
    return s->endpoint ? 0 : -1;
}

static void count(struct worker *w, struct server *s)
{
    s->answered++;
    atomic_store_explicit(&w->ops, s->answered, memory_order_relaxed);
}

static int step(struct worker *w)
{
    struct server *s = w->state;
    struct object *message;
    int result = -1;

    if (!s->endpoint && open_endpoint(w, NULL) < 0)
        return -1;
    safepoint(w->thread);
    message = datagram_io_receive(s->endpoint, LOAD_RECEIVE_BYTES, &s->client);
    if (message && bytes_length(message))
        result = datagram_io_send(s->endpoint, bytes_data(message), bytes_length(message),
                                  &s->client);
    xdecref(message);
    if (result < 0)
        return served_ended(w);
    count(w, s);
    return 0;
}

enum { BEGINS, RECEIVES, DRAINS }; /* where the coroutine stands */

static enum turn go_on(struct frame *f, struct worker *w, borrowed argument, struct object **result)
{
    struct server *s = w->state;

    switch (f->at) {
    case BEGINS:
        if (!s->endpoint && open_endpoint(w, loop_running()) < 0)
            return TURN_ERROR;
        safepoint(w->thread);
        return frame_await(f, RECEIVES,
                           datagram_receive(s->endpoint, LOAD_RECEIVE_BYTES, &s->client), result);
    case RECEIVES:
        if (!bytes_length(argument))
            return served_ended(w) < 0 ? TURN_ERROR : frame_return(result);
        if (datagram_send(s->endpoint, bytes_data(argument), bytes_length(argument), &s->client) < 0)
            return TURN_ERROR;
        return frame_await(f, DRAINS, datagram_drain(s->endpoint), result);
    default: /* DRAINS */
        count(w, s);
        return frame_return(result);
    }
}

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);

    return how == RESUME_THROW ? served_fail(w, argument, result) : go_on(f, w, argument, result);
}

static const struct body await_step = {
    .name = "echo_served_udp", .kind = COROUTINE, .resume = await, .references = 1,
};

static void end(struct worker *w)
{
    struct server *s = w->state;

    if (!s)
        return;
    served_add_answers(s->answered);
    if (s->endpoint)
        datagram_close(s->endpoint);
    xdecref(s->endpoint);
    free(s);
    w->state = NULL;
}

const struct workload workload_echo_served_udp = {
    .about = "64 bytes over UDP and back: clients in another process, a server for each of them",
    .unit = "round trip", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .param = { { "rate", "requests a second, of all clients; 0: as soon as one is answered", 0, 0,
                 1000000 } },
    .roles = {
        { .name = "client", .fixed = 1, .records_latency = true, .outside = true,
          .begin = served_client_begin, .step = served_client_step, .end = served_client_end },
        { .name = "server", .per_thread = 1, .begin = begin, .step = step, .end = end,
          .await_step = &await_step },
    },
    .setup = setup, .interrupt = served_interrupt, .check = served_check,
    .teardown = served_teardown,
};
