/* io.h - waiting for the kernel, as the unit that the caller runs in does it.
 *
 * A workload calls these and does not know what it runs in. If the unit is a thread, it
 * detaches, so that others run, blocks in the kernel, and attaches.
 *
 * If it is a greenlet of a thread that has a hub (hub.h; the thread's main greenlet is one, too),
 * each call first tries without waiting, and only if it would have to wait the hub watches the
 * descriptor, and lets the thread's other greenlets run. The descriptor may be a blocking one, and
 * stays so. What cannot be tried, blocks: a regular file, detached. (What the hub itself calls
 * blocks as in a thread.) Of one descriptor one greenlet may be the reader and one the writer;
 * another is ConcurrentObjectUseError. It must not be closed while one waits for it. There a call
 * may also end with what is thrown into the greenlet: GreenletExit, Timeout, LoopExit; of what it
 * was to read it has then read nothing, but io_read_all and io_write may have done a part.
 *
 * All need an attached thread, which is attached again when they return, and other
 * threads, or greenlets, will have run meanwhile. A call that a signal interrupts is begun again.
 * Failure is -1 with OSError pending; errno is then the kernel's.
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

/* Writes all of it to a socket. A peer that has gone is an OSError, never SIGPIPE. */
int io_write(int fd, const void *data, size_t size_bytes);

/* Waits for a peer. A new socket, closed on exec, which the caller closes. */
int io_accept(int listener);

int io_connect(int fd, const struct sockaddr *address, socklen_t size_bytes);

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
    IO_BUSY = -3,    /* only connect: nothing will say when; try again later */
};

int64_t io_try_read(int fd, void *data, size_t size_bytes);

/* The number of bytes written, 1 or more. */
int64_t io_try_write(int fd, const void *data, size_t size_bytes);

int io_try_accept(int listener);

/* IO_NOT_YET: it is under way, and when `fd` is writable io_try_connected says what came of it. */
int io_try_connect(int fd, const struct sockaddr *address, socklen_t size_bytes);
int io_try_connected(int fd);

struct reactor;
struct readiness;

/* As reactor_poll (reactor/reactor.h), for an event loop. It is a call that blocks like the
 * others, but for REACTOR_AT_ONCE: then the thread stays attached, as the kernel answers sooner
 * than another thread could take over. */
int io_poll(struct reactor *reactor, uint64_t until_ns, struct readiness *ready, int most);

#endif
