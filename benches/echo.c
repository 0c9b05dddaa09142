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

int echo_init(struct echo *e, int count)
{
    *e = (struct echo){ .fd = calloc((size_t)count, sizeof *e->fd) };
    if (!e->fd) {
        exception_set_no_memory();
        return -1;
    }
    e->count = count;
    for (int i = 0; i < count; i++)
        e->fd[i][ECHO_CLIENT] = e->fd[i][ECHO_SERVER] = -1;
    return 0;
}

int echo_init_pair(struct echo *e)
{
    if (echo_init(e, 1) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->fd[0]) < 0) {
        exception_set_errno("socketpair");
        return -1;
    }
    return 0;
}

void echo_fini(struct echo *e)
{
    for (int i = 0; i < e->count; i++)
        for (int end = 0; end < 2; end++)
            if (e->fd[i][end] >= 0)
                close(e->fd[i][end]);
    free(e->fd);
    *e = (struct echo){ 0 };
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
int echo_client_step_due(struct worker *w, const struct echo *e, uint64_t due_ns)
{
    struct object *request = int_new((int64_t)worker_random(w));
    int64_t answer, asked;
    int failed;

    if (!request)
        return -1;
    safepoint(w->thread);
    failed = exchange(e->fd[w->index][ECHO_CLIENT], request, &answer);
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

int echo_client_step(struct worker *w, const struct echo *e)
{
    return echo_client_step_due(w, e, clock_ns());
}

int echo_server_step(struct worker *w, const struct echo *e)
{
    int fd = e->fd[w->index][ECHO_SERVER];
    char message[MESSAGE_BYTES];

    safepoint(w->thread);
    if (io_read_all(fd, message, sizeof message) != sizeof message ||
        io_write(fd, message, sizeof message) < 0)
        return ended(w);
    worker_count(w, 1);
    return 0;
}

void echo_server_end(struct worker *w, struct echo *e)
{
    atomic_fetch_add_explicit(&e->answered, atomic_load_explicit(&w->ops, memory_order_relaxed),
                              memory_order_relaxed);
}

void echo_interrupt(const struct echo *e)
{
    for (int i = 0; i < e->count; i++)
        for (int end = 0; end < 2; end++)
            if (e->fd[i][end] >= 0)
                shutdown(e->fd[i][end], SHUT_RDWR);
}

int echo_check(struct echo *e, uint64_t ops)
{
    uint64_t answered = atomic_load_explicit(&e->answered, memory_order_relaxed);

    if (answered >= ops && answered - ops <= (uint64_t)e->count)
        return 0;
    exception_set(&runtime_error, "%llu answers to %llu requests", (unsigned long long)answered,
                  (unsigned long long)ops);
    return -1;
}
