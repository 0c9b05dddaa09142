/* echo.c - clients that send 64 bytes and wait for them, servers that send them back. */
#include "benches/echo.h"

#include "benches/hosted.h"
#include "benches/job_state.h"
#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/io.h"
#include "coroutines/net/address.h"
#include "gil/mutex.h"
#include "objects/int.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int end[2];                     /* set by setup; the client's and the server's; -1: none */
    char message[2][ECHO_MESSAGE_BYTES]; /* of each end's owner, if it awaits: a frame does not stay
                                       where it is */
};

struct state {
    int count;                 /* set by setup; of connections */
    _Atomic uint64_t answered; /* atomic; by the servers that have ended */
    struct connection connection[];
};

int echo_init(struct job *job, int connections)
{
    struct state *s = job_state_new(job, sizeof *s + (size_t)connections * sizeof *s->connection);

    if (!s)
        return -1;
    s->count = connections;
    for (int i = 0; i < connections; i++)
        s->connection[i].end[ECHO_CLIENT] = s->connection[i].end[ECHO_SERVER] = -1;
    return 0;
}

static struct connection *connection_of(const struct job *job, int number)
{
    struct state *s = job->state;

    return &s->connection[number];
}

int *echo_connection(const struct job *job, int number)
{
    return connection_of(job, number)->end;
}

static int fd_of(const struct worker *w, int end)
{
    return connection_of(w->job, w->index)->end[end];
}

/* What was opened stays in `fd` also after a failure. */
static int connect_pair(int listener, const struct address *a, int fd[2])
{
    fd[ECHO_CLIENT] = socket_open(a, SOCK_STREAM);
    if (fd[ECHO_CLIENT] < 0) {
        exception_set_errno("socket");
        return -1;
    }
    if (io_connect(fd[ECHO_CLIENT], &a->any, a->size_bytes) < 0)
        return -1;
    fd[ECHO_SERVER] = io_accept(listener);
    return fd[ECHO_SERVER] < 0 ? -1 : 0;
}

int echo_setup_at(struct job *job, struct address a)
{
    int result = echo_init(job, job->threads), listener;

    if (result < 0)
        return -1;
    listener = socket_listen(&a, 1, false);
    if (listener < 0) {
        exception_set_errno("listen");
        return -1;
    }
    for (int i = 0; i < job->threads && result == 0; i++)
        result = connect_pair(listener, &a, echo_connection(job, i));
    close(listener);
    return result;
}

int echo_setup_pair(struct job *job)
{
    if (echo_init(job, 1) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, echo_connection(job, 0)) < 0) {
        exception_set_errno("socketpair");
        return -1;
    }
    return 0;
}

void echo_teardown(struct job *job)
{
    struct state *s = job->state;

    for (int i = 0; s && i < s->count; i++)
        for (int end = 0; end < 2; end++)
            if (s->connection[i].end[end] >= 0)
                close(s->connection[i].end[end]);
    job_state_free(job);
}

int echo_ended(const struct worker *w)
{
    if (atomic_load_explicit(&w->job->stopping, memory_order_relaxed)) {
        exception_restore(NULL);
        return 0;
    }
    if (!exception_pending())
        exception_set(&os_error, "the connection has ended");
    return -1;
}

void echo_write_request(char *message, borrowed request)
{
    memcpy(message, &(int64_t){ int_value(request) }, sizeof(int64_t));
}

/* Sends 64 bytes that begin with the number, and reads as many. 0, or -1: the end, or
 * OSError pending. */
static int exchange(int fd, borrowed request, int64_t *answer)
{
    char message[ECHO_MESSAGE_BYTES] = { 0 };

    echo_write_request(message, request);
    if (io_write(fd, message, sizeof message) < 0 ||
        io_read_all(fd, message, sizeof message) != sizeof message)
        return -1;
    memcpy(answer, message, sizeof *answer);
    return 0;
}

int echo_take_answer(struct worker *w, int64_t asked, int64_t answer, uint64_t due_ns)
{
    if (answer != asked) {
        exception_set(&runtime_error, "asked %lld, was answered %lld", (long long)asked,
                      (long long)answer);
        return -1;
    }
    worker_latency(w, clock_ns() - due_ns);
    worker_count(w, 1);
    return 0;
}

/* A request is an object, as in any runtime, and stays alive while its answer is awaited. */
int echo_client_step_due(struct worker *w, uint64_t due_ns)
{
    struct object *request = int_new((int64_t)worker_random(w));
    int64_t answer, asked;
    int failed;

    if (!request)
        return -1;
    safepoint(w->thread);
    failed = exchange(fd_of(w, ECHO_CLIENT), request, &answer);
    asked = int_value(request);
    decref(request);
    return failed ? echo_ended(w) : echo_take_answer(w, asked, answer, due_ns);
}

int echo_client_step(struct worker *w)
{
    return echo_client_step_due(w, clock_ns());
}

int echo_server_step(struct worker *w)
{
    int fd = fd_of(w, ECHO_SERVER);
    char message[ECHO_MESSAGE_BYTES];

    safepoint(w->thread);
    if (io_read_all(fd, message, sizeof message) != sizeof message ||
        io_write(fd, message, sizeof message) < 0)
        return echo_ended(w);
    worker_count(w, 1);
    return 0;
}

/* ---- the same, awaited ---- */

enum { WORKER, REQUEST, REFERENCES }; /* of a frame; only the client's has a request */
enum { BEGINS, WROTE, READS };        /* where a client stands; a server reads first */

struct await {
    uint64_t due_ns;
    size_t have; /* bytes of the message that is read */
};

static char *message_of(const struct worker *w, int end)
{
    return connection_of(w->job, w->index)->message[end];
}

static enum turn await_write(struct worker *w, int end, struct object **result)
{
    *result = async_io_write(loop_running(), fd_of(w, end), message_of(w, end),
                             ECHO_MESSAGE_BYTES);
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn await_read(struct worker *w, int end, const struct await *a,
                            struct object **result)
{
    *result = async_io_read(loop_running(), fd_of(w, end), message_of(w, end) + a->have,
                            ECHO_MESSAGE_BYTES - a->have);
    return *result ? TURN_FROM : TURN_ERROR;
}

/* Some bytes have come, or the end. */
static enum turn end_await(struct worker *w, struct object **result)
{
    return echo_ended(w) < 0 ? TURN_ERROR : frame_return(result);
}

static enum turn begin_request(struct frame *f, struct worker *w, struct object **result)
{
    struct await *a = frame_locals(f);

    a->due_ns = clock_ns();
    f->reference[REQUEST] = int_new((int64_t)worker_random(w));
    if (!f->reference[REQUEST])
        return TURN_ERROR;
    safepoint(w->thread);
    echo_write_request(message_of(w, ECHO_CLIENT), f->reference[REQUEST]);
    return await_write(w, ECHO_CLIENT, result);
}

static enum turn end_request(struct frame *f, struct worker *w, struct object **result)
{
    const struct await *a = frame_locals(f);
    int64_t answer;

    memcpy(&answer, message_of(w, ECHO_CLIENT), sizeof answer);
    if (echo_take_answer(w, int_value(f->reference[REQUEST]), answer, a->due_ns) < 0)
        return TURN_ERROR;
    return frame_return(result);
}

/* What is thrown is an OSError when the connection has gone. */
static enum turn fail_await(struct worker *w, borrowed thrown, struct object **result)
{
    if (!exception_is(thrown, &os_error))
        return frame_raise(thrown);
    exception_restore(incref(thrown));
    return end_await(w, result);
}

static enum turn await_client(struct frame *f, enum resume how, borrowed argument,
                              struct object **result)
{
    struct worker *w = worker_at(f->reference[WORKER]);
    struct await *a = frame_locals(f);

    if (how == RESUME_THROW)
        return fail_await(w, argument, result);
    if (f->at == BEGINS) {
        f->at = WROTE;
        return begin_request(f, w, result);
    }
    if (f->at == READS && int_value(argument) == 0)
        return end_await(w, result);
    if (f->at == READS)
        a->have += (size_t)int_value(argument);
    f->at = READS;
    return a->have < ECHO_MESSAGE_BYTES ? await_read(w, ECHO_CLIENT, a, result)
                                   : end_request(f, w, result);
}

static enum turn await_server(struct frame *f, enum resume how, borrowed argument,
                              struct object **result)
{
    struct worker *w = worker_at(f->reference[WORKER]);
    struct await *a = frame_locals(f);

    if (how == RESUME_THROW)
        return fail_await(w, argument, result);
    if (f->at == WROTE) {
        worker_count(w, 1);
        return frame_return(result);
    }
    if (f->at == READS && int_value(argument) == 0)
        return end_await(w, result);
    if (f->at == READS)
        a->have += (size_t)int_value(argument);
    safepoint(w->thread);
    f->at = a->have < ECHO_MESSAGE_BYTES ? READS : WROTE;
    return f->at == READS ? await_read(w, ECHO_SERVER, a, result)
                          : await_write(w, ECHO_SERVER, result);
}

const struct body echo_client_await_step = {
    .name = "echo_client", .kind = COROUTINE, .resume = await_client, .references = REFERENCES,
    .locals_bytes = sizeof(struct await),
};

const struct body echo_server_await_step = {
    .name = "echo_server", .kind = COROUTINE, .resume = await_server, .references = REFERENCES,
    .locals_bytes = sizeof(struct await),
};

void echo_server_end(struct worker *w)
{
    struct state *s = w->job->state;

    atomic_fetch_add_explicit(&s->answered, atomic_load_explicit(&w->ops, memory_order_relaxed),
                              memory_order_relaxed);
}

void echo_interrupt(struct job *job)
{
    struct state *s = job->state;

    for (int i = 0; s && i < s->count; i++)
        for (int end = 0; end < 2; end++)
            if (s->connection[i].end[end] >= 0)
                shutdown(s->connection[i].end[end], SHUT_RDWR);
}

int echo_check(struct job *job, uint64_t ops)
{
    const struct state *s = job->state;
    uint64_t answers = atomic_load_explicit(&s->answered, memory_order_relaxed);

    if (answers >= ops && answers - ops <= (uint64_t)s->count)
        return 0;
    exception_set(&runtime_error, "%llu answers to %llu requests", (unsigned long long)answers,
                  (unsigned long long)ops);
    return -1;
}
