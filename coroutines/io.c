/* io.c - I/O of a thread: detach, block in the kernel, attach; and of a greenlet: try, switch to
 * the hub, try again. */
#include "coroutines/io.h"

#include "coroutines/async_file.h"
#include "coroutines/block.h"
#include "coroutines/busy.h"
#include "coroutines/hub.h"
#include "coroutines/net/address.h"
#include "coroutines/reactor/reactor.h"
#include "gil/mutex.h"
#include "gil/thread.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/none.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What one system call needs; each uses some of it. */
struct request {
    int fd;
    void *data;
    size_t size_bytes;
    const struct sockaddr *address;
    uint64_t offset;
    struct address *from;
    const struct address *to;
    struct timespec until;
    struct reactor *reactor;
    uint64_t until_ns;
    struct readiness *ready;
    int most;
};

/* The one place where a thread of this floor blocks. `call` is a system call: -1 and
 * errno. Signals are not the runtime's, so what they interrupt goes on detached. */
static int64_t block(int64_t (*call)(const struct request *r), const struct request *r,
                     const char *name)
{
    struct thread *t = thread_self;
    int64_t result;

    thread_detach(t);
    do
        result = call(r);
    while (result < 0 && errno == EINTR);
    thread_attach(t);
    if (result < 0)
        exception_set_errno(name);
    return result;
}

static int64_t call_read(const struct request *r)
{
    return read(r->fd, r->data, r->size_bytes);
}

static HOT_PATH int64_t read_by_hub(int fd, void *data, size_t size_bytes)
{
    int64_t result = IO_NOT_YET;

    if (!loop_take_emptied(hub_loop(), fd))
        result = io_try_read(fd, data, size_bytes);
    while (result == IO_NOT_YET) {
        if (hub_wait_file(fd, READABLE) < 0)
            return -1;
        result = io_try_read(fd, data, size_bytes);
    }
    if (result > 0)
        loop_set_emptied(hub_loop(), fd, (size_t)result < size_bytes);
    return result;
}

HOT_PATH int64_t io_read(int fd, void *data, size_t size_bytes)
{
    if (hub_cooperates())
        return read_by_hub(fd, data, size_bytes);
    return block(call_read, &(struct request){ .fd = fd, .data = data, .size_bytes = size_bytes },
                 "read");
}

int64_t io_read_all(int fd, void *data, size_t size_bytes)
{
    size_t have = 0;

    while (have < size_bytes) {
        int64_t got = io_read(fd, (char *)data + have, size_bytes - have);

        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (int64_t)have;
}

static int64_t call_send(const struct request *r)
{
    int64_t sent = send(r->fd, r->data, r->size_bytes, MSG_NOSIGNAL);

    return sent < 0 && errno == ENOTSOCK ? write(r->fd, r->data, r->size_bytes) : sent;
}

/* A signal that comes when a part has been taken makes even a blocking send return
 * with that part. */
static int write_by_thread(int fd, const void *data, size_t size_bytes)
{
    struct request r = { .fd = fd, .data = (void *)data, .size_bytes = size_bytes };

    while (r.size_bytes) {
        int64_t sent = block(call_send, &r, "send");

        if (sent < 0)
            return -1;
        r.data = (char *)r.data + sent;
        r.size_bytes -= (size_t)sent;
    }
    return 0;
}

static HOT_PATH int write_by_hub(int fd, const char *data, size_t size_bytes)
{
    while (size_bytes) {
        int64_t sent = io_try_write(fd, data, size_bytes);

        if (sent == IO_NOT_YET)
            sent = hub_wait_file(fd, WRITABLE);
        if (sent < 0)
            return -1;
        data += sent;
        size_bytes -= (size_t)sent;
    }
    return 0;
}

HOT_PATH int io_write(int fd, const void *data, size_t size_bytes)
{
    if (hub_cooperates())
        return write_by_hub(fd, data, size_bytes);
    return write_by_thread(fd, data, size_bytes);
}

int64_t io_write_some(int fd, const void *data, size_t size_bytes)
{
    struct request r = { .fd = fd, .data = (void *)data, .size_bytes = size_bytes };
    int64_t sent;

    if (!hub_cooperates())
        return block(call_send, &r, "send");
    while ((sent = io_try_write(fd, data, size_bytes)) == IO_NOT_YET)
        if (hub_wait_file(fd, WRITABLE) < 0)
            return -1;
    return sent;
}

/* ---- messages ---- */

static int64_t receive_message(const struct request *r, int flags)
{
    if (!r->from)
        return recv(r->fd, r->data, r->size_bytes, flags);
    r->from->size_bytes = sizeof *r->from - offsetof(struct address, any);
    return recvfrom(r->fd, r->data, r->size_bytes, flags, &r->from->any, &r->from->size_bytes);
}

static int64_t send_message(const struct request *r, int flags)
{
    return sendto(r->fd, r->data, r->size_bytes, flags | MSG_NOSIGNAL, r->to ? &r->to->any : NULL,
                  r->to ? r->to->size_bytes : 0);
}

static int64_t call_receive(const struct request *r)
{
    return receive_message(r, 0);
}

static int64_t call_send_message(const struct request *r)
{
    return send_message(r, 0);
}

int64_t io_receive(int fd, void *data, size_t size_bytes, struct address *from)
{
    struct request r = { .fd = fd, .data = data, .size_bytes = size_bytes, .from = from };
    int64_t result;

    if (!hub_cooperates())
        return block(call_receive, &r, "recv");
    while ((result = io_try_receive(fd, data, size_bytes, from)) == IO_NOT_YET)
        if (hub_wait_file(fd, READABLE) < 0)
            return -1;
    return result;
}

/* Until another try. */
static SLOW_PATH int wait_to_send(int fd, bool busy, int64_t *delay_ns)
{
    if (!busy)
        return hub_wait_file(fd, WRITABLE);
    *delay_ns = busy_delay_ns(*delay_ns);
    return hub_sleep_ns(*delay_ns);
}

int64_t io_send(int fd, const void *data, size_t size_bytes, const struct address *to)
{
    struct request r = { .fd = fd, .data = (void *)data, .size_bytes = size_bytes, .to = to };
    int64_t result, delay_ns = 0;

    if (!hub_cooperates())
        return block(call_send_message, &r, "send");
    while ((result = io_try_send(fd, data, size_bytes, to)) < -1)
        if (wait_to_send(fd, result == IO_BUSY, &delay_ns) < 0)
            return -1;
    return result;
}

static int64_t call_accept(const struct request *r)
{
    return accept4(r->fd, NULL, NULL, SOCK_CLOEXEC);
}

static SLOW_PATH int accept_by_hub(int listener)
{
    int result;

    while ((result = io_try_accept(listener)) == IO_NOT_YET)
        if (hub_wait_file(listener, READABLE) < 0)
            return -1;
    if (result >= 0)
        loop_know_new(hub_loop(), result);
    return result;
}

int io_accept(int listener)
{
    if (hub_cooperates())
        return accept_by_hub(listener);
    return (int)block(call_accept, &(struct request){ .fd = listener }, "accept");
}

/* Called again after EINTR, Linux goes on with the connection that is under way
 * (elsewhere it would be EALREADY, and one would have to poll). */
static int64_t call_connect(const struct request *r)
{
    return connect(r->fd, r->address, (socklen_t)r->size_bytes);
}

static SLOW_PATH int connect_by_hub(int fd, const struct sockaddr *address, socklen_t size_bytes)
{
    int64_t delay_ns = 0;
    int result;

    loop_know_new(hub_loop(), fd);
    while ((result = io_try_connect(fd, address, size_bytes)) == IO_BUSY) {
        delay_ns = busy_delay_ns(delay_ns);
        if (hub_sleep_ns(delay_ns) < 0)
            return -1;
    }
    if (result != IO_NOT_YET)
        return result;
    return hub_wait_file(fd, WRITABLE) < 0 ? -1 : io_try_connected(fd);
}

int io_connect(int fd, const struct sockaddr *address, socklen_t size_bytes)
{
    struct request r = { .fd = fd, .address = address, .size_bytes = size_bytes };

    if (hub_cooperates())
        return connect_by_hub(fd, address, size_bytes);
    return (int)block(call_connect, &r, "connect");
}

/* ---- files of a disk ---- */

/* What a future of the hub's loop comes to: None, which is 0, or how much is to be copied to
 * `data`. */
static SLOW_PATH int64_t await_file(struct object *future /* steals; may be NULL */, void *data)
{
    struct object *value = future ? hub_get(future, HUB_NEVER) : NULL;
    int64_t result = -1;

    if (value)
        result = value == none() ? 0 : int_value(value);
    else if (future)
        future_cancel(future, NULL);
    if (result > 0)
        memcpy(data, async_file_data(future), (size_t)result);
    xdecref(value);
    xdecref(future);
    return result;
}

static int64_t call_pread(const struct request *r)
{
    return pread(r->fd, r->data, r->size_bytes, (off_t)r->offset);
}

static int64_t call_pwrite(const struct request *r)
{
    return pwrite(r->fd, r->data, r->size_bytes, (off_t)r->offset);
}

static int64_t call_fsync(const struct request *r)
{
    return fsync(r->fd);
}

/* To where a call does nothing, at least one. How much. */
static int64_t do_all(int64_t (*call)(const struct request *r), struct request *r, const char *name)
{
    uint64_t first = r->offset;
    int64_t done;

    do {
        done = block(call, r, name);
        if (done < 0)
            return -1;
        r->data = (char *)r->data + done;
        r->size_bytes -= (size_t)done;
        r->offset += (uint64_t)done;
    } while (done && r->size_bytes);
    return (int64_t)(r->offset - first);
}

int64_t io_file_read(int fd, void *data, size_t size_bytes, uint64_t offset)
{
    struct request r = { .fd = fd, .data = data, .size_bytes = size_bytes, .offset = offset };

    if (hub_cooperates())
        return await_file(async_file_read(hub_loop(), fd, NULL, size_bytes, offset), data);
    return do_all(call_pread, &r, "read");
}

int io_file_write(int fd, const void *data, size_t size_bytes, uint64_t offset)
{
    struct request r = {
        .fd = fd, .data = (void *)data, .size_bytes = size_bytes, .offset = offset
    };

    if (hub_cooperates())
        return (int)await_file(async_file_write(hub_loop(), fd, data, size_bytes, offset), NULL);
    if (do_all(call_pwrite, &r, "write") < 0)
        return -1;
    if (r.size_bytes == 0)
        return 0;
    errno = EIO; /* it does nothing, and says nothing */
    exception_set_errno("write");
    return -1;
}

int io_file_fsync(int fd)
{
    if (hub_cooperates())
        return (int)await_file(async_file_fsync(hub_loop(), fd), NULL);
    return (int)block(call_fsync, &(struct request){ .fd = fd }, "fsync");
}

/* ---- closing ---- */

/* A signal, too, leaves it closed. */
static int64_t call_close(const struct request *r)
{
    int result = close(r->fd);

    return result < 0 && errno == EINTR ? 0 : result;
}

/* The loops of this thread: the hub's, and one that it runs. */
static int forget(int fd)
{
    if (hub_here && loop_forget(hub_loop(), fd) < 0)
        return -1;
    return loop_running() ? loop_forget(loop_running(), fd) : 0;
}

int io_close(int fd)
{
    if (forget(fd) < 0)
        return -1;
    return (int)block(call_close, &(struct request){ .fd = fd }, "close");
}

/* Until a point in time, not for a time: what a signal interrupts does not begin anew. */
static int64_t call_sleep(const struct request *r)
{
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &r->until, NULL);
    return errno ? -1 : 0;
}

int io_sleep_ns(uint64_t ns)
{
    struct request r;

    if (hub_cooperates())
        return hub_sleep_ns(ns < INT64_MAX ? (int64_t)ns : INT64_MAX);
    r.until = timespec_of_ns(block_deadline(ns));
    return (int)block(call_sleep, &r, "clock_nanosleep");
}

/* ---- one try ---- */

/* What a system call has come to that was not to wait. */
static int64_t outcome(int64_t result, const char *name)
{
    if (likely(result >= 0))
        return result;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return IO_NOT_YET;
    exception_set_errno(name);
    return -1;
}

/* An error of the descriptor is for who then uses it. (poll passes over one below 0; and a signal
 * that is pending ends even a poll that does not wait.) */
static bool is_ready(int fd, short events)
{
    struct pollfd file = { .fd = fd, .events = events };
    int result = -1;

    if (fd >= 0)
        do
            result = poll(&file, 1, 0);
        while (result < 0 && errno == EINTR);
    return result != 0;
}

static SLOW_PATH int64_t try_read_other(int fd, void *data, size_t size_bytes)
{
    struct request r = { .fd = fd, .data = data, .size_bytes = size_bytes };
    int64_t result;

    if (!is_ready(fd, POLLIN))
        return IO_NOT_YET;
    result = block(call_read, &r, "read");
    if (result < 0 && errno == EAGAIN) {
        exception_restore(NULL);
        return IO_NOT_YET;
    }
    return result;
}

HOT_PATH int64_t io_try_read(int fd, void *data, size_t size_bytes)
{
    int64_t result;

    do
        result = recv(fd, data, size_bytes, MSG_DONTWAIT);
    while (result < 0 && errno == EINTR);
    if (unlikely(result < 0 && errno == ENOTSOCK))
        return try_read_other(fd, data, size_bytes);
    return outcome(result, "read");
}

/* Of a pipe that is ready for writing, so much does not wait. */
static SLOW_PATH int64_t try_write_other(int fd, const void *data, size_t size_bytes)
{
    struct request r = { .fd = fd, .data = (void *)data, .size_bytes = size_bytes };
    int64_t result;

    if (!is_ready(fd, POLLOUT))
        return IO_NOT_YET;
    if (r.size_bytes > PIPE_BUF)
        r.size_bytes = PIPE_BUF;
    result = block(call_send, &r, "write");
    if (result < 0 && errno == EAGAIN) {
        exception_restore(NULL);
        return IO_NOT_YET;
    }
    return result;
}

HOT_PATH int64_t io_try_write(int fd, const void *data, size_t size_bytes)
{
    int64_t result;

    do
        result = send(fd, data, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (result < 0 && errno == EINTR);
    if (unlikely(result < 0 && errno == ENOTSOCK))
        return try_write_other(fd, data, size_bytes);
    return outcome(result, "send");
}

int64_t io_try_receive(int fd, void *data, size_t size_bytes, struct address *from)
{
    struct request r = { .fd = fd, .data = data, .size_bytes = size_bytes, .from = from };
    int64_t result;

    do
        result = receive_message(&r, MSG_DONTWAIT);
    while (result < 0 && errno == EINTR);
    return outcome(result, "recv");
}

int64_t io_try_send(int fd, const void *data, size_t size_bytes, const struct address *to)
{
    struct request r = { .fd = fd, .data = (void *)data, .size_bytes = size_bytes, .to = to };
    int64_t result;

    do
        result = send_message(&r, MSG_DONTWAIT);
    while (result < 0 && errno == EINTR);
    result = outcome(result, "send");
    return result == IO_NOT_YET && to && to->any.sa_family == AF_UNIX ? IO_BUSY : result;
}

int io_try_accept(int listener)
{
    struct request r = { .fd = listener };
    int64_t result;

    if (!is_ready(listener, POLLIN))
        return IO_NOT_YET;
    result = block(call_accept, &r, "accept");
    if (result < 0 && errno == EAGAIN) {
        exception_restore(NULL);
        return IO_NOT_YET;
    }
    return (int)result;
}

/* EAGAIN is that of sockets of the file system: the listener's queue is full. Linux says to nobody
 * when there is room. */
static int connect_outcome(int result)
{
    if (result == 0)
        return 0;
    if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR)
        return IO_NOT_YET;
    if (errno == EAGAIN)
        return IO_BUSY;
    exception_set_errno("connect");
    return -1;
}

/* There is no flag of the call, so for its time there is one of the socket, which nobody else can
 * use before it is connected. */
int io_try_connect(int fd, const struct sockaddr *address, socklen_t size_bytes)
{
    int flags = fcntl(fd, F_GETFL), result, error;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return connect_outcome(-1);
    result = connect(fd, address, size_bytes);
    error = errno;
    fcntl(fd, F_SETFL, flags);
    errno = error;
    return connect_outcome(result);
}

int io_try_connected(int fd)
{
    int error = 0;
    socklen_t size_bytes = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) < 0)
        error = errno;
    if (error == 0)
        return 0;
    errno = error;
    exception_set_errno("connect");
    return -1;
}

/* ---- for an event loop ---- */

static int64_t call_poll(const struct request *r)
{
    return r->reactor->class->poll(r->reactor, r->until_ns, r->ready, r->most);
}

int io_poll(struct reactor *reactor, uint64_t until_ns, struct readiness *ready, int most)
{
    struct request r = { .reactor = reactor, .until_ns = until_ns, .ready = ready, .most = most };
    int count;

    if (until_ns != REACTOR_AT_ONCE)
        return (int)block(call_poll, &r, reactor->class->polls);
    count = reactor->class->poll(reactor, until_ns, ready, most);
    if (count < 0)
        exception_set_errno(reactor->class->polls);
    return count;
}

/* A failure is for who drops what is left: here errno may be EINTR, and is not to begin it anew. */
static int64_t call_drain(const struct request *r)
{
    r->reactor->class->drain(r->reactor);
    return 0;
}

void io_drain(struct reactor *reactor)
{
    block(call_drain, &(struct request){ .reactor = reactor }, reactor->class->polls);
}
