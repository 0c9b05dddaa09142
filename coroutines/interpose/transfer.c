/* transfer.c - one try, and again when the file may be ready. */
#include "coroutines/interpose/transfer.h"

#include "coroutines/busy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Before a wait: then a few system calls more are cheap. */
static bool is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || (flags & O_NONBLOCK);
}

/* No time: for ever, as for what is no socket. */
static uint64_t deadline_of(int fd, int timeout)
{
    struct timeval time = { 0, 0 };
    socklen_t size_bytes = sizeof time;
    int64_t ns;

    if (getsockopt(fd, SOL_SOCKET, timeout, &time, &size_bytes) < 0)
        return INTERPOSE_NEVER;
    ns = interpose_ns(&(struct timespec){ time.tv_sec, time.tv_usec * NS_PER_US });
    return ns > 0 ? interpose_after_ns(ns) : INTERPOSE_NEVER;
}

static bool is_unix(const struct sockaddr *address, socklen_t size_bytes)
{
    return address && size_bytes >= sizeof address->sa_family && address->sa_family == AF_UNIX;
}

/* What has no room is not the file's own, but that of the address which it connects or sends to. */
static bool is_busy(const struct transfer *t, short events)
{
    if (events != POLLOUT)
        return false;
    return is_unix(t->address, t->length_bytes) ||
           (t->message && is_unix(t->message->msg_name, t->message->msg_namelen));
}

/* 1; 0: it is the deadline; -1. */
static int sleep_busy(const struct interposer *i, const struct transfer *t, int64_t *delay_ns)
{
    uint64_t until_ns;

    *delay_ns = busy_delay_ns(*delay_ns);
    until_ns = interpose_after_ns(*delay_ns);
    if (until_ns < t->deadline_ns)
        return i->sleep(until_ns) < 0 ? -1 : 1;
    return i->sleep(t->deadline_ns) < 0 ? -1 : 0;
}

static SLOW_PATH ssize_t wait_and_try(const struct interposer *i, attempt *try, struct transfer *t,
                                      short events, int timeout)
{
    struct pollfd file = { .fd = t->fd, .events = events };
    int64_t delay_ns = 0;
    ssize_t result;

    if (!t->deadline_ns)
        t->deadline_ns = deadline_of(t->fd, timeout);
    do {
        int ready = is_busy(t, events) ? sleep_busy(i, t, &delay_ns)
                                       : i->wait(&file, 1, t->deadline_ns);

        if (ready < 0)
            return -1;
        result = try(t);
        if (ready == 0)
            break;
    } while (result < 0 && errno == EAGAIN);
    return result;
}

ssize_t transfer_wait(const struct interposer *i, attempt *try, struct transfer *t, short events,
                      int timeout)
{
    int before = errno;
    ssize_t result = try(t);

    if (result < 0 && errno == EAGAIN) {
        if (!is_nonblocking(t->fd))
            result = wait_and_try(i, try, t, events, timeout);
        else
            errno = EAGAIN;
    }
    if (result >= 0)
        errno = before;
    return result;
}

/* A regular file is always ready, and then takes its time. */
bool transfer_blocks(int fd, int never)
{
    int before = errno, flags = fcntl(fd, F_GETFL);
    struct stat about;
    bool blocks = flags >= 0 && !(flags & O_NONBLOCK) && (flags & O_ACCMODE) != never &&
                  fstat(fd, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode) &&
                  !S_ISBLK(about.st_mode);

    errno = before;
    return blocks;
}
