/* echo_bare.c - the control of `echo_served`: the same clients, and epoll loops without objects.
 *
 * Each thread waits for its share of the connections in a level-triggered epoll, reads once what has
 * come, in 4096 bytes, and writes it. No lock, no runtime, no back-pressure: an echo cannot cost less
 * on this machine. What `echo_served` takes of a processor for each round trip is to be compared with
 * what this takes, in the same block.
 */
#include "benches/served.h"
#include "objects/exception.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { RATE, CONNECTIONS };
enum { MESSAGE_BYTES = 64, EVENTS_MOST = 256, LOOK_MS = 20 };

struct server {
    int epoll; /* -1: none */
    uint64_t echoed; /* bytes */
    struct epoll_event event[EVENTS_MOST];
    char data[LOAD_RECEIVE_BYTES];
};

static int setup(struct job *job)
{
    struct load_plan plan = { .protocol = LOAD_TCP, .message_bytes = MESSAGE_BYTES,
                              .rate = job->param[RATE] };
    int connections = (int)job->param[CONNECTIONS];

    return served_setup(job, &plan, connections < job->threads ? job->threads : connections);
}

static int watch(struct server *s, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int begin(struct worker *w)
{
    struct server *s = malloc(sizeof *s);
    int connections = (int)w->job->param[CONNECTIONS], result = 0;

    w->state = s;
    if (!s) {
        exception_set_no_memory();
        return -1;
    }
    s->echoed = 0;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (connections < w->job->threads)
        connections = w->job->threads;
    for (int i = w->index; s->epoll >= 0 && i < connections && result == 0; i += w->job->threads)
        result = watch(s, served_connection(i));
    if (s->epoll >= 0 && result == 0)
        return 0;
    exception_set_errno("epoll");
    return -1;
}

/* False: the other end has gone, or the answer cannot be written at once, which with one message
 * under way on a connection must not be. */
static bool echo(struct server *s, int fd)
{
    ssize_t got = recv(fd, s->data, sizeof s->data, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0 || send(fd, s->data, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL) != got)
        return false;
    s->echoed += (uint64_t)got;
    return true;
}

static int fail(struct worker *w)
{
    int result;

    thread_attach(w->thread);
    result = served_ended(w);
    thread_detach(w->thread);
    return result;
}

/* Detached. */
static int step(struct worker *w)
{
    struct server *s = w->state;
    int ready = epoll_wait(s->epoll, s->event, EVENTS_MOST, LOOK_MS);

    for (int i = 0; i < ready; i++)
        if (!echo(s, s->event[i].data.fd))
            return fail(w);
    atomic_store_explicit(&w->ops, s->echoed / MESSAGE_BYTES, memory_order_relaxed);
    return 0;
}

static void end(struct worker *w)
{
    struct server *s = w->state;

    if (!s)
        return;
    served_add_answers(s->echoed / MESSAGE_BYTES);
    if (s->epoll >= 0)
        close(s->epoll);
    free(s);
    w->state = NULL;
}

const struct workload workload_echo_bare = {
    .about = "64 bytes and back: clients in another process, bare epoll loops: a control",
    .unit = "round trip", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .alone = "wait in an epoll of their own",
    .param = { { "rate", "requests a second, of all clients; 0: as soon as one is answered", 0, 0,
                 1000000 },
               { "connections", "of all threads", 100, 1, LOAD_CONNECTIONS_MOST } },
    .roles = {
        { .name = "client", .fixed = 1, .records_latency = true, .outside = true,
          .begin = served_client_begin, .step = served_client_step, .end = served_client_end },
        { .name = "server", .per_thread = 1, .outside = true, .begin = begin, .step = step,
          .end = end },
    },
    .setup = setup, .interrupt = served_interrupt, .check = served_check,
    .teardown = served_teardown,
};
