/* echo.c - clients that send 64 bytes and wait for them, servers that send them back. */
#include "benches/echo.h"

#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 64 };

static int count;                 /* set by setup; of connections */
static int (*ends)[2];            /* set by setup; the client's and the server's; -1: none */
static _Atomic uint64_t answered; /* atomic; by the servers that have ended */

int echo_init(int connections)
{
    ends = calloc((size_t)connections, sizeof *ends);
    if (!ends) {
        exception_set_no_memory();
        return -1;
    }
    atomic_store_explicit(&answered, 0, memory_order_relaxed);
    count = connections;
    for (int i = 0; i < count; i++)
        ends[i][ECHO_CLIENT] = ends[i][ECHO_SERVER] = -1;
    return 0;
}

int *echo_connection(int number)
{
    return ends[number];
}

int echo_setup_pair(struct job *job)
{
    (void)job;
    if (echo_init(1) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[0]) < 0) {
        exception_set_errno("socketpair");
        return -1;
    }
    return 0;
}

void echo_teardown(struct job *job)
{
    (void)job;
    for (int i = 0; i < count; i++)
        for (int end = 0; end < 2; end++)
            if (ends[i][end] >= 0)
                close(ends[i][end]);
    free(ends);
    ends = NULL;
    count = 0;
}

/* The other end has gone: so it must when the window is over, and never before. */
static int ended(const struct worker *w)
{
    if (atomic_load_explicit(&w->job->stopping, memory_order_relaxed)) {
        exception_restore(NULL);
        return 0;
    }
    if (!exception_pending())
        exception_set(&os_error, "the connection has ended");
    return -1;
}

/* Sends 64 bytes that begin with the number, and reads as many. 0, or -1: the end, or
 * OSError pending. */
static int exchange(int fd, borrowed request, int64_t *answer)
{
    char message[MESSAGE_BYTES] = { 0 };

    memcpy(message, &(int64_t){ int_value(request) }, sizeof *answer);
    if (io_write(fd, message, sizeof message) < 0 ||
        io_read_all(fd, message, sizeof message) != sizeof message)
        return -1;
    memcpy(answer, message, sizeof *answer);
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
    failed = exchange(ends[w->index][ECHO_CLIENT], request, &answer);
    asked = int_value(request);
    decref(request);
    if (failed)
        return ended(w);
    if (answer != asked) {
        exception_set(&runtime_error, "asked %lld, was answered %lld", (long long)asked,
                      (long long)answer);
        return -1;
    }
    worker_latency(w, clock_ns() - due_ns);
    worker_count(w, 1);
    return 0;
}

int echo_client_step(struct worker *w)
{
    return echo_client_step_due(w, clock_ns());
}

int echo_server_step(struct worker *w)
{
    int fd = ends[w->index][ECHO_SERVER];
    char message[MESSAGE_BYTES];

    safepoint(w->thread);
    if (io_read_all(fd, message, sizeof message) != sizeof message ||
        io_write(fd, message, sizeof message) < 0)
        return ended(w);
    worker_count(w, 1);
    return 0;
}

void echo_server_end(struct worker *w)
{
    atomic_fetch_add_explicit(&answered, atomic_load_explicit(&w->ops, memory_order_relaxed),
                              memory_order_relaxed);
}

void echo_interrupt(struct job *job)
{
    (void)job;
    for (int i = 0; i < count; i++)
        for (int end = 0; end < 2; end++)
            if (ends[i][end] >= 0)
                shutdown(ends[i][end], SHUT_RDWR);
}

int echo_check(struct job *job, uint64_t ops)
{
    uint64_t answers = atomic_load_explicit(&answered, memory_order_relaxed);

    (void)job;
    if (answers >= ops && answers - ops <= (uint64_t)count)
        return 0;
    exception_set(&runtime_error, "%llu answers to %llu requests", (unsigned long long)answers,
                  (unsigned long long)ops);
    return -1;
}
