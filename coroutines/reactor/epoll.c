/* epoll.c - the reactor on Linux: epoll for files, an eventfd to be woken by. */
#include "coroutines/reactor/reactor.h"

#include "gil/mutex.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MOST = 256 };

static int watch_wake(struct reactor *r)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.fd = r->wake };

    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->wake, &event);
}

int reactor_open(struct reactor *r)
{
    int error;

    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll < 0)
        return -1;
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake < 0)
        goto close_epoll;
    if (watch_wake(r) < 0)
        goto close_wake;
    return 0;

close_wake:
    error = errno;
    close(r->wake);
    errno = error;
close_epoll:
    error = errno;
    close(r->epoll);
    errno = error;
    return -1;
}

void reactor_close(struct reactor *r)
{
    close(r->wake);
    close(r->epoll);
}

static uint32_t events_of(unsigned interest)
{
    return (interest & READABLE ? EPOLLIN : 0u) | (interest & WRITABLE ? EPOLLOUT : 0u);
}

/* The kernel forgets a file by itself when the last descriptor of it is closed, so what was
 * watched may not be, and its number may be another file's by now. */
int reactor_watch(struct reactor *r, int fd, unsigned before, unsigned after)
{
    struct epoll_event event = { .events = events_of(after), .data.fd = fd };

    if (!after) {
        if (before)
            epoll_ctl(r->epoll, EPOLL_CTL_DEL, fd, &event);
        return 0;
    }
    if (before && epoll_ctl(r->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    if (before && errno != ENOENT)
        return -1;
    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int wait_until(int epoll, struct epoll_event *events, int most, uint64_t deadline_ns)
{
    uint64_t now_ns;
    struct timespec left;

    if (deadline_ns == REACTOR_AT_ONCE)
        return epoll_wait(epoll, events, most, 0);
    if (deadline_ns == REACTOR_FOREVER)
        return epoll_wait(epoll, events, most, -1);
    now_ns = clock_ns();
    left = timespec_of_ns(now_ns < deadline_ns ? deadline_ns - now_ns : 0);
    return epoll_pwait2(epoll, events, most, &left, NULL);
}

/* An error or a hang-up is for both: whoever reads or writes then is told which. */
static unsigned interest_of(uint32_t events)
{
    return (events & ~(uint32_t)EPOLLOUT ? READABLE : 0u) |
           (events & ~(uint32_t)EPOLLIN ? WRITABLE : 0u);
}

int reactor_poll(struct reactor *r, uint64_t deadline_ns, struct readiness *ready, int most)
{
    struct epoll_event events[EVENTS_MOST];
    int found, count = 0;

    assert(most > 0);
    found = wait_until(r->epoll, events, most < EVENTS_MOST ? most : EVENTS_MOST, deadline_ns);
    if (found < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < found; i++)
        if (events[i].data.fd != r->wake)
            ready[count++] = (struct readiness){ events[i].data.fd, interest_of(events[i].events) };
    return count;
}

/* It fails only if the counter is full, at 2^64 - 2. */
void reactor_wake(struct reactor *r)
{
    int error = errno;
    uint64_t one = 1;
    ssize_t written = write(r->wake, &one, sizeof one);

    assert(written == sizeof one);
    (void)written;
    errno = error;
}
