/* write.c - the calls that write, connect, and close.
 *
 * A blocking write to a stream takes all that it is given before it returns, so here it goes on
 * until it has. What fails after a part has been taken is that part.
 */
#include "coroutines/interpose/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static ssize_t try_sendto(const struct transfer *t)
{
    return real.sendto(t->fd, t->data, t->size_bytes, t->flags | MSG_DONTWAIT, t->address,
                       t->length_bytes);
}

static ssize_t try_sendmsg(const struct transfer *t)
{
    return real.sendmsg(t->fd, t->message, t->flags | MSG_DONTWAIT);
}

static ssize_t try_write(const struct transfer *t)
{
    if (transfer_is_ready(t->fd, POLLOUT))
        return real.write(t->fd, t->data, t->size_bytes);
    errno = EAGAIN;
    return -1;
}

static ssize_t try_writev(const struct transfer *t)
{
    if (transfer_is_ready(t->fd, POLLOUT))
        return real.writev(t->fd, t->pieces, t->count);
    errno = EAGAIN;
    return -1;
}

/* To a Unix socket the kernel waits for each of its buffers anew, whatever the waits before
 * (sock_alloc_send_pskb); to others it counts those of a call together. */
static void count_part(struct transfer *t)
{
    int domain = 0;
    socklen_t size_bytes = sizeof domain;

    if (t->deadline_ns && t->deadline_ns != INTERPOSE_NEVER &&
        getsockopt(t->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size_bytes) == 0 && domain == AF_UNIX)
        t->deadline_ns = 0;
}

/* On from `done`, by tries of `most` bytes. The peer that goes away after a part is told of by the
 * next call, and so is its signal. */
static ssize_t write_on(const struct interposer *i, attempt *try, struct transfer *t, size_t most,
                        size_t done)
{
    int before = errno;
    size_t total = t->size_bytes;
    char *data = t->data;

    do {
        ssize_t taken;

        t->data = data + done;
        t->size_bytes = total - done < most ? total - done : most;
        t->flags |= done ? MSG_NOSIGNAL : 0;
        taken = transfer_wait(i, try, t, POLLOUT, SO_SNDTIMEO);
        if (taken < 0 && !done)
            return -1;
        if (taken <= 0)
            break;
        done += (size_t)taken;
        count_part(t);
    } while (done < total);
    errno = before;
    return (ssize_t)done;
}

ssize_t interposed_sendto(int fd, const void *data, size_t size_bytes, int flags,
                          const struct sockaddr *address, socklen_t address_bytes)
{
    const struct interposer *i =
        flags & (MSG_DONTWAIT | MSG_FASTOPEN) ? NULL : interposer_asked();
    struct transfer t = { .fd = fd, .flags = flags, .data = (void *)data, .size_bytes = size_bytes,
                          .address = (struct sockaddr *)address, .length_bytes = address_bytes };

    if (likely(!i))
        return real.sendto(fd, data, size_bytes, flags, address, address_bytes);
    return write_on(i, try_sendto, &t, SSIZE_MAX, 0);
}

HOT_PATH ssize_t interposed_send(int fd, const void *data, size_t size_bytes, int flags)
{
    if (likely(!interposer_here))
        return real.send(fd, data, size_bytes, flags);
    return interposed_sendto(fd, data, size_bytes, flags, NULL, 0);
}

/* What is left of the pieces when so many bytes have been taken, by one after the other. */
static ssize_t write_pieces_on(const struct interposer *i, attempt *try, struct transfer *t,
                               size_t most, size_t done)
{
    size_t before = 0;
    int error = errno;

    for (int n = 0; n < t->count; before += t->pieces[n++].iov_len) {
        size_t size_bytes = t->pieces[n].iov_len;
        ssize_t all;

        if (before + size_bytes <= done)
            continue;
        t->data = t->pieces[n].iov_base;
        t->size_bytes = size_bytes;
        t->flags |= done ? MSG_NOSIGNAL : 0;
        all = write_on(i, try, t, most, done - before);
        if (all < 0 && !done)
            return -1;
        if (all > 0)
            done = before + (size_t)all;
        if (all < 0 || (size_t)all < size_bytes)
            break;
    }
    errno = error;
    return (ssize_t)done;
}

static size_t size_of(const struct iovec *pieces, size_t count)
{
    size_t size_bytes = 0;

    for (size_t n = 0; n < count; n++)
        size_bytes += pieces[n].iov_len;
    return size_bytes;
}

static ssize_t send_message(const struct interposer *i, int fd, const struct msghdr *message,
                            int flags)
{
    struct transfer t = { .fd = fd, .flags = flags, .message = (struct msghdr *)message,
                          .pieces = message->msg_iov, .count = (int)message->msg_iovlen };
    ssize_t sent = transfer_wait(i, try_sendmsg, &t, POLLOUT, SO_SNDTIMEO);

    if (sent <= 0 || (size_t)sent >= size_of(message->msg_iov, message->msg_iovlen))
        return sent;
    count_part(&t);
    return write_pieces_on(i, try_sendto, &t, SSIZE_MAX, (size_t)sent);
}

ssize_t interposed_sendmsg(int fd, const struct msghdr *message, int flags)
{
    const struct interposer *i =
        flags & (MSG_DONTWAIT | MSG_FASTOPEN) ? NULL : interposer_asked();

    if (likely(!i) || !message)
        return real.sendmsg(fd, message, flags);
    return send_message(i, fd, message, flags);
}

/* A pipe that is writable has room for PIPE_BUF bytes, which it takes in one piece; of another kind
 * of file, such as a terminal, nobody says how much it takes. */
static size_t most_of(int fd)
{
    struct stat about;

    return fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode) ? PIPE_BUF : SSIZE_MAX;
}

/* First as if it were a socket, which most are. */
static ssize_t write_pieces(const struct interposer *i, int fd, const struct iovec *pieces,
                            int count)
{
    struct msghdr message = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count };
    struct transfer t = { .fd = fd, .pieces = pieces, .count = count };
    int before = errno;
    ssize_t result = send_message(i, fd, &message, 0);
    size_t most;

    if (result >= 0 || errno != ENOTSOCK)
        return result;
    errno = before;
    if (!transfer_blocks(fd, O_RDONLY))
        return real.writev(fd, pieces, count);
    most = most_of(fd);
    if (size_of(pieces, (size_t)count) <= most)
        return transfer_wait(i, try_writev, &t, POLLOUT, SO_SNDTIMEO);
    return write_pieces_on(i, try_write, &t, most, 0);
}

ssize_t interposed_write(int fd, const void *data, size_t size_bytes)
{
    const struct interposer *i = interposer_asked();

    if (likely(!i) || size_bytes == 0)
        return real.write(fd, data, size_bytes);
    return write_pieces(i, fd, &(struct iovec){ (void *)data, size_bytes }, 1);
}

ssize_t interposed_writev(int fd, const struct iovec *pieces, int count)
{
    const struct interposer *i = interposer_asked();

    if (likely(!i) || count <= 0)
        return real.writev(fd, pieces, count);
    return write_pieces(i, fd, pieces, count);
}

/* ---- connect ---- */

/* There is no flag of the call, so for its time there is one of the socket, which nobody else can
 * use before it is connected. */
static ssize_t try_connect(const struct transfer *t)
{
    int result, error;

    if (fcntl(t->fd, F_SETFL, t->flags | O_NONBLOCK) < 0)
        return -1;
    result = real.connect(t->fd, t->address, t->length_bytes);
    error = errno;
    fcntl(t->fd, F_SETFL, t->flags);
    errno = error;
    return result;
}

/* SO_SNDTIMEO is that of a connection, too. */
static ssize_t try_connected(const struct transfer *t)
{
    int error = 0;
    socklen_t size_bytes = sizeof error;

    if (!transfer_is_ready(t->fd, POLLOUT))
        error = EAGAIN;
    else if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) < 0)
        error = errno;
    errno = error;
    return error ? -1 : 0;
}

static int wait_connected(const struct interposer *i, struct transfer *t)
{
    int result = (int)transfer_wait(i, try_connected, t, POLLOUT, SO_SNDTIMEO);

    if (result < 0 && errno == EAGAIN)
        errno = EINPROGRESS; /* the time has passed */
    return result;
}

/* A listener of the file system may have no room. */
static int connect_by(const struct interposer *i, struct transfer *t)
{
    int result = (int)try_connect(t);

    if (result < 0 && errno == EAGAIN && t->address->sa_family == AF_UNIX)
        result = (int)transfer_wait(i, try_connect, t, POLLOUT, SO_SNDTIMEO);
    if (result < 0 && (errno == EINPROGRESS || errno == EALREADY))
        return wait_connected(i, t);
    return result;
}

int interposed_connect(int fd, const struct sockaddr *address, socklen_t address_bytes)
{
    const struct interposer *i = interposer_asked();
    int before = errno, flags = i ? fcntl(fd, F_GETFL) : -1, result;
    struct transfer t = { .fd = fd, .flags = flags, .address = (struct sockaddr *)address,
                          .length_bytes = address_bytes };

    if (likely(!i) || flags < 0 || flags & O_NONBLOCK)
        return real.connect(fd, address, address_bytes);
    result = connect_by(i, &t);
    if (result == 0)
        errno = before;
    return result;
}

/* ---- close ---- */

int interposed_close(int fd)
{
    const struct interposer *i = interposer_asked();

    if (unlikely(i != NULL))
        i->close(fd);
    return real.close(fd);
}
