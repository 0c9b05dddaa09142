/* echo_udp.c - the same as echo, over UDP: a message is a datagram.
 *
 * Both ends are connected to each other, so the kernel need not look for the receiver anew, and
 * each has one message under way at most: none is lost, for the queue of a socket holds more.
 */
#include "benches/echo.h"
#include "coroutines/io.h"
#include "coroutines/net/address.h"
#include "objects/exception.h"

static int os_failure(const char *call)
{
    exception_set_errno(call);
    return -1;
}

static int bind_end(int *fd, struct address *a)
{
    *a = address_loopback(0);
    *fd = socket_bind(a, SOCK_DGRAM);
    return *fd < 0 ? os_failure("bind") : 0;
}

static int connect_end(int fd, const struct address *to)
{
    return io_connect(fd, &to->any, to->size_bytes);
}

/* What was opened stays in `fd` also after a failure. */
static int connect_pair(int fd[2])
{
    struct address client, server;

    if (bind_end(&fd[ECHO_CLIENT], &client) < 0 || bind_end(&fd[ECHO_SERVER], &server) < 0)
        return -1;
    if (connect_end(fd[ECHO_CLIENT], &server) < 0)
        return -1;
    return connect_end(fd[ECHO_SERVER], &client);
}

/* A message of no bytes is the end. To shut the socket down is none for who does not block: the
 * kernel then says that it is ready, and that there is nothing. */
static void interrupt(struct job *job)
{
    for (int i = 0; i < job->threads; i++)
        for (int end = 0; end < 2; end++)
            send(echo_connection(job, i)[end], "", 0, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int setup(struct job *job)
{
    int result = echo_init(job, job->threads);

    for (int i = 0; i < job->threads && result == 0; i++)
        result = connect_pair(echo_connection(job, i));
    return result;
}

const struct workload workload_echo_udp = {
    .about = "64 bytes over loopback UDP: a client and its server",
    .unit = "round trip", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .roles = {
        { .name = "client", .per_thread = 1, .records_latency = true, .step = echo_client_step,
          .await_step = &echo_client_await_step },
        { .name = "server", .per_thread = 1, .step = echo_server_step, .end = echo_server_end,
          .await_step = &echo_server_await_step },
    },
    .isolated = true,
    .setup = setup, .interrupt = interrupt, .check = echo_check, .teardown = echo_teardown,
};
