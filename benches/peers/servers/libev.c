/* libev.c - a watcher for each connection. */
#include "benches/peers/servers/server.h"

#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void echo(struct ev_loop *loop, ev_io *watcher, int events)
{
    char data[SERVER_RECEIVE_BYTES];
    ssize_t got = recv(watcher->fd, data, sizeof data, 0);

    (void)events;
    if (got > 0 && send(watcher->fd, data, (size_t)got, MSG_NOSIGNAL) == got)
        return;
    ev_io_stop(loop, watcher);
    close(watcher->fd);
    free(watcher);
}

static void take_all(struct ev_loop *loop, ev_io *listener, int events)
{
    int fd, on = 1;

    (void)events;
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        ev_io *watcher = malloc(sizeof *watcher);

        if (!watcher || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
            free(watcher);
            close(fd);
            continue;
        }
        ev_io_init(watcher, echo, fd, EV_READ);
        ev_io_start(loop, watcher);
    }
}

static int serve(int listener)
{
    struct ev_loop *loop = ev_default_loop(0);
    ev_io first;

    if (!loop)
        return -1;
    ev_io_init(&first, take_all, listener, EV_READ);
    ev_io_start(loop, &first);
    ev_run(loop, 0);
    return -1;
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const struct peer_server server_libev = {
    .about = "libev " TEXT(EV_VERSION_MAJOR) "." TEXT(EV_VERSION_MINOR), .serve = serve,
};
