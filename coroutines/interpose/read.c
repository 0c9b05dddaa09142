/* read.c - the calls that read, and accept. */
#include "coroutines/interpose/transfer.h"

#include <errno.h>
#include <fcntl.h>

static ssize_t try_recvfrom(const struct transfer *t)
{
    return real.recvfrom(t->fd, t->data, t->size_bytes, t->flags | MSG_DONTWAIT, t->address,
                         t->address_bytes);
}

static ssize_t try_recvmsg(const struct transfer *t)
{
    return real.recvmsg(t->fd, t->message, t->flags | MSG_DONTWAIT);
}

/* What is no socket has no flag of the call. */
static ssize_t try_readv(const struct transfer *t)
{
    if (transfer_is_ready(t->fd, POLLIN))
        return real.readv(t->fd, t->pieces, t->count);
    errno = EAGAIN;
    return -1;
}

static ssize_t try_accept(const struct transfer *t)
{
    if (transfer_is_ready(t->fd, POLLIN))
        return real.accept4(t->fd, t->address, t->address_bytes, t->flags);
    errno = EAGAIN;
    return -1;
}

static ssize_t receive(const struct interposer *i, struct transfer *t)
{
    return transfer_wait(i, try_recvfrom, t, POLLIN, SO_RCVTIMEO);
}

static bool is_stream(int fd)
{
    int type = 0;
    socklen_t size_bytes = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size_bytes) == 0 && type == SOCK_STREAM;
}

/* MSG_WAITALL: until all is there, or the end; an error that comes after a part is for the next
 * call. */
static ssize_t receive_all(const struct interposer *i, struct transfer t)
{
    int before = errno;
    size_t wanted = t.size_bytes;
    ssize_t got;

    do {
        got = receive(i, &t);
        if (got <= 0)
            break;
        t.data = (char *)t.data + got;
        t.size_bytes -= (size_t)got;
    } while (t.size_bytes);
    if (t.size_bytes == wanted)
        return got;
    errno = before;
    return (ssize_t)(wanted - t.size_bytes);
}

/* With these it never waits, and what is there may be something else. */
enum { NEVER_WAITS = MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB };

ssize_t interposed_recvfrom(int fd, void *data, size_t size_bytes, int flags,
                            struct sockaddr *address, socklen_t *address_bytes)
{
    const struct interposer *i = flags & NEVER_WAITS ? NULL : interposer_asked();
    struct transfer t = { .fd = fd, .flags = flags, .data = data, .size_bytes = size_bytes,
                          .address = address, .address_bytes = address_bytes };

    if (likely(!i) || (flags & (MSG_WAITALL | MSG_PEEK)) == (MSG_WAITALL | MSG_PEEK))
        return real.recvfrom(fd, data, size_bytes, flags, address, address_bytes);
    if (flags & MSG_WAITALL && is_stream(fd))
        return receive_all(i, t);
    return receive(i, &t);
}

ssize_t interposed___recvfrom_chk(int fd, void *data, size_t size_bytes, size_t room_bytes,
                                  int flags, struct sockaddr *address, socklen_t *address_bytes)
{
    if (size_bytes > room_bytes) /* which ends the program */
        return real.__recvfrom_chk(fd, data, size_bytes, room_bytes, flags, address, address_bytes);
    return interposed_recvfrom(fd, data, size_bytes, flags, address, address_bytes);
}

HOT_PATH ssize_t interposed_recv(int fd, void *data, size_t size_bytes, int flags)
{
    if (likely(!interposer_here))
        return real.recv(fd, data, size_bytes, flags);
    return interposed_recvfrom(fd, data, size_bytes, flags, NULL, NULL);
}

ssize_t interposed___recv_chk(int fd, void *data, size_t size_bytes, size_t room_bytes, int flags)
{
    if (size_bytes > room_bytes)
        return real.__recv_chk(fd, data, size_bytes, room_bytes, flags);
    return interposed_recv(fd, data, size_bytes, flags);
}

/* All pieces of MSG_WAITALL at once: the real call alone can. */
ssize_t interposed_recvmsg(int fd, struct msghdr *message, int flags)
{
    const struct interposer *i = flags & NEVER_WAITS ? NULL : interposer_asked();
    struct transfer t = { .fd = fd, .flags = flags, .message = message };

    if (likely(!i) || flags & MSG_WAITALL)
        return real.recvmsg(fd, message, flags);
    return transfer_wait(i, try_recvmsg, &t, POLLIN, SO_RCVTIMEO);
}

/* First as if it were a socket, which most are. */
static ssize_t read_pieces(const struct interposer *i, int fd, const struct iovec *pieces,
                           int count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count };
    struct transfer t = { .fd = fd, .message = &message, .pieces = pieces, .count = count };
    int before = errno;
    ssize_t result = transfer_wait(i, try_recvmsg, &t, POLLIN, SO_RCVTIMEO);

    if (result >= 0 || errno != ENOTSOCK)
        return result;
    errno = before;
    if (!transfer_blocks(fd, O_WRONLY))
        return real.readv(fd, pieces, count);
    return transfer_wait(i, try_readv, &t, POLLIN, SO_RCVTIMEO);
}

ssize_t interposed_read(int fd, void *data, size_t size_bytes)
{
    const struct interposer *i = interposer_asked();

    if (likely(!i) || size_bytes == 0)
        return real.read(fd, data, size_bytes);
    return read_pieces(i, fd, &(struct iovec){ data, size_bytes }, 1);
}

ssize_t interposed___read_chk(int fd, void *data, size_t size_bytes, size_t room_bytes)
{
    if (size_bytes > room_bytes)
        return real.__read_chk(fd, data, size_bytes, room_bytes);
    return interposed_read(fd, data, size_bytes);
}

ssize_t interposed_readv(int fd, const struct iovec *pieces, int count)
{
    const struct interposer *i = interposer_asked();

    if (likely(!i) || count <= 0)
        return real.readv(fd, pieces, count);
    return read_pieces(i, fd, pieces, count);
}

static bool listens(int fd)
{
    int before = errno, does = 0;
    socklen_t size_bytes = sizeof does;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &does, &size_bytes) < 0)
        errno = before;
    return does;
}

int interposed_accept4(int listener, struct sockaddr *address, socklen_t *address_bytes, int flags)
{
    const struct interposer *i = interposer_asked();
    struct transfer t = { .fd = listener, .flags = flags, .address = address,
                          .address_bytes = address_bytes };

    if (likely(!i) || !listens(listener))
        return real.accept4(listener, address, address_bytes, flags);
    return (int)transfer_wait(i, try_accept, &t, POLLIN, SO_RCVTIMEO);
}

int interposed_accept(int listener, struct sockaddr *address, socklen_t *address_bytes)
{
    if (likely(!interposer_here))
        return real.accept(listener, address, address_bytes);
    return interposed_accept4(listener, address, address_bytes, 0);
}
