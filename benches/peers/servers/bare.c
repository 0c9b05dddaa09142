/* bare.c - a level-triggered epoll loop and nothing else: what an echo costs at least. */
#include "benches/peers/servers/bare.h"
#include "benches/peers/servers/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MOST = 256 };

static int epolls[BARE_LOOPS_MOST], loops, taken; /* the first loop's, once they run */

static void take_all(int listener)
{
    int fd, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
            epoll_ctl(epolls[taken++ % loops], EPOLL_CTL_ADD, fd, &event) < 0)
            close(fd);
    }
}

static void echo(int fd)
{
    char data[SERVER_RECEIVE_BYTES];
    ssize_t got = recv(fd, data, sizeof data, 0);

    if (got <= 0 || send(fd, data, (size_t)got, MSG_NOSIGNAL) != got)
        close(fd);
}

static void turn_for_ever(int epoll, int listener)
{
    struct epoll_event event[EVENTS_MOST];
    int count;

    while ((count = epoll_wait(epoll, event, EVENTS_MOST, -1)) >= 0)
        for (int i = 0; i < count; i++)
            if (event[i].data.fd == listener)
                take_all(listener);
            else
                echo(event[i].data.fd);
}

static void *carry(void *argument)
{
    turn_for_ever((int)(intptr_t)argument, -1);
    return NULL;
}

int bare_serve(int listener, int loops_wanted)
{
    struct epoll_event first = { .events = EPOLLIN, .data.fd = listener };
    pthread_t thread;

    for (loops = 0; loops < loops_wanted; loops++) {
        epolls[loops] = epoll_create1(EPOLL_CLOEXEC);
        if (epolls[loops] < 0)
            return -1;
        if (loops && pthread_create(&thread, NULL, carry, (void *)(intptr_t)epolls[loops]))
            return -1;
    }
    if (epoll_ctl(epolls[0], EPOLL_CTL_ADD, listener, &first) == 0)
        turn_for_ever(epolls[0], listener);
    return -1;
}

static int serve(int listener)
{
    return bare_serve(listener, 1);
}

const struct peer_server server_bare = { .about = "epoll", .serve = serve };
