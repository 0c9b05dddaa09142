/* echo_tls.c - the same as echo, over TLS on loopback TCP.
 *
 * Each message is enciphered, deciphered, and authenticated, on both ways, which costs some 2 us
 * of computing per round trip: a workload that waits and computes. OpenSSL's own locks are in a
 * context, so each end has its own. The first step of a worker is its handshake, and is not
 * counted.
 */
#include "benches/echo.h"
#include "benches/hosted.h"
#include "coroutines/coroutine.h"
#include "coroutines/net/address.h"
#include "coroutines/stream.h"
#include "coroutines/tls.h"
#include "coroutines/tls/certificate.h"
#include "gil/mutex.h"
#include "objects/bytes.h"
#include "objects/exception.h"

#include <string.h>
#include <unistd.h>

static struct tls_identity authority, localhost; /* set by setup */

static int setup(struct job *job)
{
    if (tls_make_localhost(&authority, &localhost) < 0) {
        exception_set(&ssl_error, "no certificate could be made");
        return -1;
    }
    return echo_setup_at(job, address_loopback(0));
}

static void teardown(struct job *job)
{
    echo_teardown(job);
    tls_identity_free(&localhost);
    tls_identity_free(&authority);
}

/* ---- a worker's stream ---- */

static struct tls_session *session_of(const struct worker *w)
{
    struct tls_context *context = w->role == ECHO_CLIENT
                                      ? tls_client(authority.certificate)
                                      : tls_server(localhost.certificate, localhost.key);
    struct tls_session *s = context ? tls_session_start(context, "localhost") : NULL;

    tls_context_free(context);
    return s;
}

/* Over a copy of the descriptor, for the other one is the job's, to interrupt it by. */
static int open_stream(struct worker *w, borrowed loop)
{
    struct tls_session *s = session_of(w);
    int fd = s ? dup(echo_connection(w->job, w->index)[w->role]) : -1;

    if (s && fd < 0)
        exception_set_errno("dup");
    if (fd < 0) {
        tls_session_free(s);
        return -1;
    }
    w->state = stream_new(loop, fd, NULL, s);
    return w->state ? 0 : -1;
}

static void end(struct worker *w)
{
    if (w->role == ECHO_SERVER)
        echo_server_end(w);
    if (!w->state)
        return;
    stream_abort(w->state);
    decref(w->state);
    w->state = NULL;
}

/* ---- step after step ---- */

static int begin_step(struct worker *w)
{
    if (open_stream(w, NULL) < 0)
        return -1;
    return stream_io_handshake(w->state) < 0 ? echo_ended(w) : 0;
}

static int client_step(struct worker *w)
{
    char message[ECHO_MESSAGE_BYTES] = { 0 };
    uint64_t due_ns = clock_ns();
    struct object *request, *answer;
    int result = -1;

    if (!w->state)
        return begin_step(w);
    request = int_new((int64_t)worker_random(w));
    if (!request)
        return -1;
    safepoint(w->thread);
    echo_write_request(message, request);
    answer = stream_io_write(w->state, message, sizeof message) < 0
                 ? NULL
                 : stream_io_read_exactly(w->state, sizeof message);
    if (answer) {
        memcpy(message, bytes_data(answer), sizeof message);
        result = echo_take_answer(w, int_value(request), *(int64_t *)(void *)message, due_ns);
        decref(answer);
    }
    decref(request);
    return answer ? result : echo_ended(w);
}

static int server_step(struct worker *w)
{
    struct object *message;
    int result;

    if (!w->state)
        return begin_step(w);
    safepoint(w->thread);
    message = stream_io_read_exactly(w->state, ECHO_MESSAGE_BYTES);
    if (!message)
        return echo_ended(w);
    result = stream_io_write(w->state, bytes_data(message), ECHO_MESSAGE_BYTES);
    decref(message);
    if (result < 0)
        return echo_ended(w);
    worker_count(w, 1);
    return 0;
}

/* ---- the same, awaited ---- */

enum { WORKER, REQUEST, REFERENCES };
enum { BEGINS, SHAKES_HANDS, READS };

/* What the connection's end raises is an OSError. */
static enum turn fail(struct worker *w, borrowed thrown, struct object **result)
{
    if (!exception_is(thrown, &os_error))
        return frame_raise(thrown);
    exception_restore(incref(thrown));
    return echo_ended(w) < 0 ? TURN_ERROR : frame_return(result);
}

static enum turn begin_client(struct frame *f, struct worker *w, struct object **result)
{
    char message[ECHO_MESSAGE_BYTES] = { 0 };
    uint64_t *due_ns = frame_locals(f);

    *due_ns = clock_ns();
    f->reference[REQUEST] = int_new((int64_t)worker_random(w));
    if (!f->reference[REQUEST])
        return TURN_ERROR;
    safepoint(w->thread);
    echo_write_request(message, f->reference[REQUEST]);
    if (stream_write(w->state, message, sizeof message) < 0)
        return TURN_ERROR;
    return frame_await(f, READS, stream_read_exactly(w->state, sizeof message), result);
}

static enum turn end_client(struct frame *f, struct worker *w, borrowed message,
                            struct object **result)
{
    const uint64_t *due_ns = frame_locals(f);
    int64_t answer;

    memcpy(&answer, bytes_data(message), sizeof answer);
    if (echo_take_answer(w, int_value(f->reference[REQUEST]), answer, *due_ns) < 0)
        return TURN_ERROR;
    return frame_return(result);
}

static enum turn end_server(struct worker *w, borrowed message, struct object **result)
{
    if (stream_write(w->state, bytes_data(message), ECHO_MESSAGE_BYTES) < 0)
        return TURN_ERROR;
    worker_count(w, 1);
    return frame_return(result);
}

static enum turn turn(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[WORKER]);

    if (how == RESUME_THROW)
        return fail(w, argument, result);
    if (f->at == BEGINS && !w->state)
        return open_stream(w, loop_running()) < 0
                   ? TURN_ERROR
                   : frame_await(f, SHAKES_HANDS, stream_handshake(w->state), result);
    if (f->at == SHAKES_HANDS)
        return frame_return(result);
    if (f->at == READS)
        return w->role == ECHO_CLIENT ? end_client(f, w, argument, result)
                                      : end_server(w, argument, result);
    if (w->role == ECHO_CLIENT)
        return begin_client(f, w, result);
    safepoint(w->thread);
    return frame_await(f, READS, stream_read_exactly(w->state, ECHO_MESSAGE_BYTES), result);
}

static const struct body await_step = {
    .name = "echo_tls", .kind = COROUTINE, .resume = turn, .references = REFERENCES,
    .locals_bytes = sizeof(uint64_t),
};

const struct workload workload_echo_tls = {
    .about = "64 bytes over TLS on loopback TCP: a client and its server",
    .unit = "round trip", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 1,
    .roles = {
        { .name = "client", .per_thread = 1, .records_latency = true, .step = client_step,
          .end = end, .await_step = &await_step },
        { .name = "server", .per_thread = 1, .step = server_step, .end = end,
          .await_step = &await_step },
    },
    .setup = setup, .interrupt = echo_interrupt, .check = echo_check, .teardown = teardown,
};
