/* poll.c - the calls that wait for several files.
 *
 * Each looks first, as the kernel answers at once; then it waits until one may be ready, and looks
 * again. What the real call says is what the caller gets.
 */
#include "coroutines/interpose/interpose.h"
#include "gil/mutex.h"

#include <errno.h>
#include <stdlib.h>

int interpose_look(struct pollfd *files, nfds_t count)
{
    int result;

    do
        result = real.poll(files, count, 0);
    while (result < 0 && errno == EINTR);
    return result;
}

int interpose_poll(const struct interposer *i, struct pollfd *files, nfds_t count,
                   uint64_t deadline_ns)
{
    int result;

    while ((result = interpose_look(files, count)) == 0 && clock_ns() < deadline_ns)
        if (i->wait(files, count, deadline_ns) < 0)
            return -1;
    return result;
}

static uint64_t deadline_of_ms(int timeout_ms)
{
    return timeout_ms < 0 ? INTERPOSE_NEVER : interpose_after_ns((int64_t)timeout_ms * NS_PER_MS);
}

/* NULL: for ever. */
static uint64_t deadline_of(const struct timespec *timeout)
{
    return timeout ? interpose_after_ns(interpose_ns(timeout)) : INTERPOSE_NEVER;
}

/* errno is left as it was by who succeeds. */
static int keep_errno(int result, int before)
{
    if (result >= 0)
        errno = before;
    return result;
}

int interposed_poll(struct pollfd *files, nfds_t count, int timeout_ms)
{
    const struct interposer *i = timeout_ms == 0 ? NULL : interposer_asked();
    int before = errno;

    if (likely(!i))
        return real.poll(files, count, timeout_ms);
    return keep_errno(interpose_poll(i, files, count, deadline_of_ms(timeout_ms)), before);
}

int interposed___poll_chk(struct pollfd *files, nfds_t count, int timeout_ms, size_t room_bytes)
{
    if (room_bytes / sizeof *files < count)
        return real.__poll_chk(files, count, timeout_ms, room_bytes); /* which ends the program */
    return interposed_poll(files, count, timeout_ms);
}

/* A mask of signals is for the kernel to set. */
int interposed_ppoll(struct pollfd *files, nfds_t count, const struct timespec *timeout,
                     const sigset_t *mask)
{
    const struct interposer *i = mask ? NULL : interposer_asked();
    int before = errno;

    if (likely(!i) || (timeout && interpose_ns(timeout) <= 0))
        return real.ppoll(files, count, timeout, mask);
    return keep_errno(interpose_poll(i, files, count, deadline_of(timeout)), before);
}

int interposed___ppoll_chk(struct pollfd *files, nfds_t count, const struct timespec *timeout,
                           const sigset_t *mask, size_t room_bytes)
{
    if (room_bytes / sizeof *files < count)
        return real.__ppoll_chk(files, count, timeout, mask, room_bytes);
    return interposed_ppoll(files, count, timeout, mask);
}

/* ---- select ---- */

struct sets {
    int count; /* of bits */
    fd_set *readable, *writable, *urgent; /* NULL: none of these */
};

enum {
    FEW = 16, /* have room on the stack */
    IS_READABLE = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
    IS_WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
    IS_URGENT = POLLPRI,
};

static bool has(int fd, const fd_set *set)
{
    return set && FD_ISSET(fd, set);
}

static short events_of(const struct sets *s, int fd)
{
    return (short)((has(fd, s->readable) ? POLLIN : 0) | (has(fd, s->writable) ? POLLOUT : 0) |
                   (has(fd, s->urgent) ? POLLPRI : 0));
}

/* How many; `files` NULL: they are only counted. */
static nfds_t list_files(const struct sets *s, struct pollfd *files)
{
    nfds_t count = 0;

    for (int fd = 0; fd < s->count; fd++) {
        short events = events_of(s, fd);

        if (!events)
            continue;
        if (files)
            files[count] = (struct pollfd){ .fd = fd, .events = events };
        count++;
    }
    return count;
}

/* Leaves it in the set if it was asked for and has come. */
static int answer(fd_set *set, const struct pollfd *file, short asked, int comes)
{
    if (!set || !(file->events & asked))
        return 0;
    if (file->revents & comes)
        return 1;
    FD_CLR(file->fd, set);
    return 0;
}

/* How many bits; -1: EBADF, and the sets are as they were. */
static int answer_all(const struct sets *s, const struct pollfd *files, nfds_t count)
{
    int bits = 0;

    for (nfds_t n = 0; n < count; n++)
        if (files[n].revents & POLLNVAL) {
            errno = EBADF;
            return -1;
        }
    for (nfds_t n = 0; n < count; n++)
        bits += answer(s->readable, &files[n], POLLIN, IS_READABLE) +
                answer(s->writable, &files[n], POLLOUT, IS_WRITABLE) +
                answer(s->urgent, &files[n], POLLPRI, IS_URGENT);
    return bits;
}

static int select_by(const struct interposer *i, const struct sets *s, uint64_t deadline_ns)
{
    nfds_t count = list_files(s, NULL);
    struct pollfd few[FEW], *files = count <= FEW ? few : malloc(count * sizeof *files);
    int result, before = errno;

    if (!files)
        return -1;
    list_files(s, files);
    result = interpose_poll(i, files, count, deadline_ns);
    if (result >= 0)
        result = answer_all(s, files, count);
    if (files != few)
        free(files);
    return keep_errno(result, before);
}

/* As Linux does: what is left of it. */
static void write_left(struct timeval *timeout, uint64_t deadline_ns)
{
    uint64_t now_ns = clock_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

    if (!timeout)
        return;
    timeout->tv_sec = (time_t)(left_ns / NS_PER_S);
    timeout->tv_usec = (suseconds_t)(left_ns % NS_PER_S / NS_PER_US);
}

int interposed_select(int count, fd_set *readable, fd_set *writable, fd_set *urgent,
                      struct timeval *timeout)
{
    const struct interposer *i = interposer_asked();
    struct sets s = { count, readable, writable, urgent };
    struct timespec time;
    uint64_t deadline_ns;
    int result;

    if (timeout)
        time = (struct timespec){ timeout->tv_sec, timeout->tv_usec * NS_PER_US };
    if (likely(!i) || count < 0 || count > FD_SETSIZE || (timeout && interpose_ns(&time) <= 0))
        return real.select(count, readable, writable, urgent, timeout);
    deadline_ns = deadline_of(timeout ? &time : NULL);
    result = select_by(i, &s, deadline_ns);
    write_left(timeout, deadline_ns);
    return result;
}

int interposed_pselect(int count, fd_set *readable, fd_set *writable, fd_set *urgent,
                       const struct timespec *timeout, const sigset_t *mask)
{
    const struct interposer *i = mask ? NULL : interposer_asked();
    struct sets s = { count, readable, writable, urgent };

    if (likely(!i) || count < 0 || count > FD_SETSIZE || (timeout && interpose_ns(timeout) <= 0))
        return real.pselect(count, readable, writable, urgent, timeout, mask);
    return select_by(i, &s, deadline_of(timeout));
}

/* ---- epoll, which is a file itself ---- */

int interposed_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms)
{
    const struct interposer *i = timeout_ms == 0 ? NULL : interposer_asked();
    struct pollfd file = { .fd = epoll, .events = POLLIN };
    int result, before = errno;
    uint64_t deadline_ns;

    if (likely(!i))
        return real.epoll_wait(epoll, events, most, timeout_ms);
    deadline_ns = deadline_of_ms(timeout_ms);
    while ((result = real.epoll_wait(epoll, events, most, 0)) == 0 && clock_ns() < deadline_ns)
        if (i->wait(&file, 1, deadline_ns) < 0)
            return -1;
    return keep_errno(result, before);
}

int interposed_epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout_ms,
                           const sigset_t *mask)
{
    if (mask)
        return real.epoll_pwait(epoll, events, most, timeout_ms, mask);
    return interposed_epoll_wait(epoll, events, most, timeout_ms);
}
