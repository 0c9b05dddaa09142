/* io.h - waiting for the kernel, as the unit that the caller runs in does it.
 *
 * A workload calls these and does not know what it runs in. Here the unit is a
 * thread: it detaches, so that others run, blocks in the kernel, and attaches.
 *
 * All need an attached thread, which is attached again when they return, and other
 * threads will have run meanwhile. A call that a signal interrupts is begun again.
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

struct reactor;
struct readiness;

/* As reactor_poll (reactor/reactor.h), for an event loop. It is a call that blocks like the
 * others, but for REACTOR_AT_ONCE: then the thread stays attached, as the kernel answers sooner
 * than another thread could take over. */
int io_poll(struct reactor *reactor, uint64_t until_ns, struct readiness *ready, int most);

#endif
