/* transfer.h - reading, writing and accepting: one try that does not wait, and again when the file
 * may be ready.
 */
#ifndef COROUTINES_INTERPOSE_TRANSFER_H
#define COROUTINES_INTERPOSE_TRANSFER_H

#include "coroutines/interpose/interpose.h"

#include <sys/socket.h>

/* What one system call needs; each uses some of it. */
struct transfer {
    int fd, flags;
    void *data;
    size_t size_bytes;
    struct sockaddr *address;
    socklen_t *address_bytes, length_bytes; /* of what is read; of what is written */
    struct msghdr *message;
    const struct iovec *pieces;
    int count;
    uint64_t deadline_ns; /* of all that is waited in one call; 0: the socket was not asked yet */
};

/* -1 with EAGAIN: it would have to wait. */
typedef ssize_t attempt(const struct transfer *t);

/* Until the try is something else, or the time of the socket's `timeout` (SO_RCVTIMEO, SO_SNDTIMEO)
 * has passed since the first wait of the call. A descriptor that is O_NONBLOCK does not wait. errno
 * is kept by who succeeds. */
ssize_t transfer_wait(const struct interposer *i, attempt *try, struct transfer *t, short events,
                      int timeout);

/* Whether one that is no socket has to be waited for before such a use (O_WRONLY: it cannot be
 * read); else the real call answers at once, or blocks as it would have. */
bool transfer_blocks(int fd, int never);

/* EAGAIN, or goes on. */
static inline bool transfer_is_ready(int fd, short events)
{
    struct pollfd file = { .fd = fd, .events = events };

    return interpose_look(&file, 1) != 0;
}

#endif
