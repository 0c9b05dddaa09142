/* echo.c - loopback TCP: a blocking client and its blocking server, a thread each.
 *
 * I/O-bound: a lock is let go for every wait, so it should cost little, and many
 * connections should do more than one. Loopback wakes a thread per message and has no
 * wire: what is measured is the kernel, and how fast threads get the lock back.
 */
#include "benches/echo.h"
#include "coroutines/io.h"
#include "objects/exception.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

static int os_failure(const char *call)
{
    exception_set_errno(call);
    return -1;
}

/* Reads its address, of any free port. The listening socket, or -1. */
static int listen_on_loopback(struct sockaddr_in *address)
{
    socklen_t size_bytes = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return os_failure("socket");
    *address = (struct sockaddr_in){ .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(fd, (struct sockaddr *)address, size_bytes) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &size_bytes) < 0) {
        os_failure("listen");
        close(fd);
        return -1;
    }
    return fd;
}

/* Sent at once: a message is an answer, and Nagle's algorithm would wait for more. */
static int send_at_once(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        return os_failure("TCP_NODELAY");
    return 0;
}

/* What was opened stays in `fd` also after a failure. */
static int connect_pair(int listener, const struct sockaddr_in *address, int fd[2])
{
    fd[ECHO_CLIENT] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd[ECHO_CLIENT] < 0)
        return os_failure("socket");
    if (io_connect(fd[ECHO_CLIENT], (const struct sockaddr *)address, sizeof *address) < 0)
        return -1;
    fd[ECHO_SERVER] = io_accept(listener);
    if (fd[ECHO_SERVER] < 0 || send_at_once(fd[ECHO_CLIENT]) < 0)
        return -1;
    return send_at_once(fd[ECHO_SERVER]);
}

static int setup(struct job *job)
{
    struct sockaddr_in address;
    int result = echo_init(job->threads), listener;

    if (result < 0)
        return -1;
    listener = listen_on_loopback(&address);
    if (listener < 0)
        return -1;
    for (int i = 0; i < job->threads && result == 0; i++)
        result = connect_pair(listener, &address, echo_connection(i));
    close(listener);
    return result;
}

const struct workload workload_echo = {
    .about = "64 bytes over loopback TCP: a blocking client and its server, a thread each",
    .unit = "round trip", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .roles = {
        { .name = "client", .per_thread = 1, .records_latency = true, .step = echo_client_step },
        { .name = "server", .per_thread = 1, .step = echo_server_step, .end = echo_server_end },
    },
    .setup = setup, .interrupt = echo_interrupt, .check = echo_check, .teardown = echo_teardown,
};
