/* io.h - waiting for the kernel, as the unit that the caller runs in does it.
 *
 * A workload calls these and does not know what it runs in. If the unit is a thread, it
 * detaches, so that others run, blocks in the kernel, and attaches.
 *
 * If it is a greenlet of a thread that has a hub (hub.h; the thread's main greenlet is one, too),
 * each call first tries without waiting (but for a read after one that got less than it had room
 * for), and only if it would have to wait the hub watches the descriptor, and lets the thread's
 * other greenlets run. The descriptor may be a blocking one, and stays so. What cannot be tried,
 * blocks: a regular file, detached. (What the hub itself calls blocks as in a thread.) Of one
 * descriptor one greenlet may be the reader and one the writer; another is
 * ConcurrentObjectUseError. Close it by io_close: who waits for it is told. There a call may also
 * end with what is thrown into the greenlet: GreenletExit, Timeout, LoopExit; of what it was to
 * read it has then read nothing, but io_read_all and io_write may have done a part.
 *
 * All need an attached thread, which is attached again when they return, and other
 * threads, or greenlets, will have run meanwhile. A call that a signal interrupts is begun again.
 * Failure is -1 with OSError pending, or MemoryError, or what is said above. In a thread errno is
 * then the kernel's. In a greenlet it is so if the call was tried last; EBADF if it waited until the
 * descriptor was closed, and ECANCELED if until something was thrown; else, and always of
 * io_file_*, it says nothing.
 */
#ifndef COROUTINES_IO_H
#define COROUTINES_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Waits until there is something to read. The number of bytes read, at most
 * `size_bytes`; 0: the end. */
int64_t io_read(int fd, void *data, size_t size_bytes);

/* Reads on until there are `size_bytes`. The number read: fewer only at the end. */
int64_t io_read_all(int fd, void *data, size_t size_bytes);

/* Writes all of it to a socket, or to a pipe. A peer that has gone is an OSError, and of a socket
 * never SIGPIPE. */
int io_write(int fd, const void *data, size_t size_bytes);

/* The same of as much as goes out at once when there is room: the number of bytes, 1 or more. If
 * the wait is ended from outside, none has. */
int64_t io_write_some(int fd, const void *data, size_t size_bytes);

/* One message, of which what is longer is cut off; who sent it is in *from, if that is not NULL.
 * Its size, which may be 0. And one to `to`, or, if that is NULL, to the socket's peer. */
struct address;
int64_t io_receive(int fd, void *data, size_t size_bytes, struct address *from);
int64_t io_send(int fd, const void *data, size_t size_bytes, const struct address *to);

/* Waits for a peer. A new socket, closed on exec, which the caller closes. */
int io_accept(int listener);

int io_connect(int fd, const struct sockaddr *address, socklen_t size_bytes);

/* Files of a disk, at a place in them. A greenlet has it done elsewhere (async_file.h), and lets
 * others run; if it is killed meanwhile it may be done all the same. What is short is gone on
 * with.
 *
 * The number of bytes read; fewer than `size_bytes` only at the end of the file. */
int64_t io_file_read(int fd, void *data, size_t size_bytes, uint64_t offset);

/* Writes all of it. */
int io_file_write(int fd, const void *data, size_t size_bytes, uint64_t offset);

/* Returns when what was written to it is on the disk. */
int io_file_fsync(int fd);

/* Closes it. Greenlets and futures (async_io.h) of this thread that wait for it get OSError,
 * "[Errno 9] File descriptor was closed in another greenlet", in the next turn; other threads that
 * wait for it in the kernel do not hear of it. -1: MemoryError, and it is open; OSError, of which
 * only EBADF says that it was not. */
int io_close(int fd);

/* Returns no earlier than after `ns`; how much later is the kernel's affair and that
 * of the lock. */
int io_sleep_ns(uint64_t ns);

/* ---- one try that does not wait, for who waits in the reactor ----
 *
 * Whether the descriptor blocks or not. The thread stays attached, as the kernel answers at once;
 * but what is no socket is asked first whether it is ready, and then read detached: a regular file,
 * which is always ready, may take its time, and from a pipe another may read meanwhile. So it is
 * with accept; who lets several threads accept from one listener makes it O_NONBLOCK. */

enum {
    IO_NOT_YET = -2, /* no exception: try again when the reactor says that it is ready */
    IO_BUSY = -3,    /* the same, but nothing will say when: try again later (busy.h) */
};

int64_t io_try_read(int fd, void *data, size_t size_bytes);

/* The number of bytes written, 1 or more. */
int64_t io_try_write(int fd, const void *data, size_t size_bytes);

int64_t io_try_receive(int fd, void *data, size_t size_bytes, struct address *from);

/* IO_BUSY: to the address of a Unix socket whose queue is full, or the own one is. */
int64_t io_try_send(int fd, const void *data, size_t size_bytes, const struct address *to);

int io_try_accept(int listener);

/* IO_NOT_YET: it is under way, and when `fd` is writable io_try_connected says what came of it.
 * IO_BUSY: the queue of a Unix socket is full. */
int io_try_connect(int fd, const struct sockaddr *address, socklen_t size_bytes);
int io_try_connected(int fd);

struct reactor;
struct readiness;

/* As poll of the reactor (reactor/reactor.h), for an event loop. It is a call that blocks like the
 * others, but for REACTOR_AT_ONCE: then the thread stays attached, as the kernel answers sooner
 * than another thread could take over. */
int io_poll(struct reactor *reactor, uint64_t until_ns, struct readiness *ready, int most);

/* As drain of the reactor, detached, too. Whether it has failed says the next one, at once. */
void io_drain(struct reactor *reactor);

#endif
