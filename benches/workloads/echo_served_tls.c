/* echo_served_tls.c - the same as echo_served, over TLS: the clients are another process, and check
 * whom they speak to.
 *
 * So of TLS only the server's half is in its processor time, where `echo_tls` has both. Hands are
 * shaken before anything is measured.
 */
#include "benches/hosted.h"
#include "benches/served.h"
#include "coroutines/coroutine.h"
#include "coroutines/stream.h"
#include "coroutines/tls.h"
#include "objects/bytes.h"
#include "objects/exception.h"

#include <stdlib.h>
#include <unistd.h>

enum { RATE, IDLE };
enum { MESSAGE_BYTES = 64 };

struct server {
    struct object *stream; /* owned; NULL: not yet */
    uint64_t echoed;       /* bytes */
};

static int setup(struct job *job)
{
    struct load_plan plan = { .protocol = LOAD_TCP, .message_bytes = MESSAGE_BYTES,
                              .rate = job->param[RATE], .idle = (int)job->param[IDLE] };

    return served_setup_secure(job, &plan);
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
static int open_stream(struct worker *w, borrowed loop)
{
    struct server *s = w->state;
    int fd = dup(served_connection(w->index));

    if (fd < 0) {
        exception_set_errno("dup");
        return -1;
    }
    s->stream = stream_new(loop, fd, NULL, served_session(w->index));
    return s->stream ? 0 : -1;
}

static void count(struct worker *w, struct server *s, size_t bytes)
{
    s->echoed += bytes;
    atomic_store_explicit(&w->ops, s->echoed / MESSAGE_BYTES, memory_order_relaxed);
}

/* The first step of a worker is to open its stream. */
static int step(struct worker *w)
{
    struct server *s = w->state;
    struct object *data;
    int result = -1;

    if (!s->stream)
        return open_stream(w, NULL) < 0 ? -1 : stream_io_handshake(s->stream);
    safepoint(w->thread);
    data = stream_io_read(s->stream, LOAD_RECEIVE_BYTES);
    if (data && bytes_length(data))
        result = stream_io_write(s->stream, bytes_data(data), bytes_length(data));
    if (result == 0)
        count(w, s, bytes_length(data));
    xdecref(data);
    return result == 0 ? 0 : served_ended(w);
}

enum { BEGINS, SHAKES_HANDS, READS, DRAINS }; /* where the coroutine stands */

static enum turn await_read(struct frame *f, struct worker *w, struct object **result)
{
    struct server *s = w->state;

    safepoint(w->thread);
    return frame_await(f, READS, stream_read(s->stream, LOAD_RECEIVE_BYTES), result);
}

static enum turn go_on(struct frame *f, struct worker *w, borrowed argument, struct object **result)
{
    struct server *s = w->state;
    int64_t *bytes = frame_locals(f);

    if (f->at == BEGINS && !s->stream)
        return open_stream(w, loop_running()) < 0
                   ? TURN_ERROR
                   : frame_await(f, SHAKES_HANDS, stream_handshake(s->stream), result);
    if (f->at == BEGINS)
        return await_read(f, w, result);
    if (f->at == DRAINS)
        count(w, s, (size_t)*bytes);
    if (f->at != READS)
        return frame_return(result);
    *bytes = (int64_t)bytes_length(argument);
    if (*bytes == 0)
        return served_ended(w) < 0 ? TURN_ERROR : frame_return(result);
    if (stream_write(s->stream, bytes_data(argument), (size_t)*bytes) < 0)
        return TURN_ERROR;
    return frame_await(f, DRAINS, stream_drain(s->stream), result);
}

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);

    return how == RESUME_THROW ? served_fail(w, argument, result) : go_on(f, w, argument, result);
}

static const struct body await_step = {
    .name = "echo_served_tls", .kind = COROUTINE, .resume = await, .references = 1,
    .locals_bytes = sizeof(int64_t),
};

static void end(struct worker *w)
{
    struct server *s = w->state;

    if (!s)
        return;
    served_add_answers(s->echoed / MESSAGE_BYTES);
    if (s->stream)
        stream_abort(s->stream);
    xdecref(s->stream);
    free(s);
    w->state = NULL;
}

const struct workload workload_echo_served_tls = {
    .about = "64 bytes over TLS and back: clients in another process, a server for each connection",
    .unit = "round trip", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 1,
    .param = { { "rate", "requests a second, of all clients; 0: as soon as one is answered", 0, 0,
                 1000000 },
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
