/* async_io.h - I/O and time as futures: a call returns at once, what it came to is said later.
 *
 * This is the explicit style: who calls says what is to go on, by future_add_done_callback, as
 * programs of Tornado and Node do, or awaits the future in a coroutine. Both may be done with the
 * same future. (The implicit one is io.h in a greenlet: hub.h.)
 *
 *     struct object *got = async_io_read(loop, fd, data, sizeof data);
 *     future_add_done_callback(got, go_on);               or, in a body, TURN_FROM
 *
 * Each call tries at once, without waiting, whether the descriptor blocks or not. Only if it would
 * have to wait does the loop watch the descriptor. To finish such a future takes no memory, and a
 * connection that was accepted is never lost.
 *
 * What `data` and `address` point to stays until the future is done, or the loop is closed; then
 * it is not touched any more. One that is cancelled is done at once, and watches nothing: what
 * comes after is for who reads next.
 *
 * While a future that reads (or accepts) is pending nobody else may: another call is RuntimeError
 * "Already reading"; so is it for what writes or connects, "Already writing". It is the
 * descriptor's reader or writer in the eyes of the loop (loop_add_reader). Cancel it before you
 * close the descriptor.
 *
 * All return a future of `loop`, by whose thread they are called. NULL: RuntimeError, also of a
 * loop that is closed; MemoryError; OSError if the descriptor cannot be watched. What the kernel
 * says is the future's exception, an OSError.
 *
 * Source: sock_recv, sock_sendall, sock_accept and sock_connect of CPython's
 * Lib/asyncio/selector_events.py; the messages are those of Tornado's iostream.py.
 */
#ifndef COROUTINES_ASYNC_IO_H
#define COROUTINES_ASYNC_IO_H

#include "coroutines/future.h"

#include <sys/socket.h>

/* An int: the number of bytes read, at most `size_bytes`; 0: the end. */
struct object *async_io_read(borrowed loop, int fd, void *data, size_t size_bytes);

/* None, when all of it was written to a socket. If it is cancelled, a part may have been. A peer
 * that has gone is an OSError, never SIGPIPE. */
struct object *async_io_write(borrowed loop, int fd, const void *data, size_t size_bytes);

/* An int: a new socket, closed on exec, which is the caller's to close. */
struct object *async_io_accept(borrowed loop, int listener);

/* None. After a failure or a cancellation the socket is good for nothing. */
struct object *async_io_connect(borrowed loop, int fd, const struct sockaddr *address,
                                socklen_t size_bytes);

/* None, when that time has passed; a delay below 0 is none, and takes a turn. */
struct object *async_io_sleep(borrowed loop, int64_t delay_ns);

#endif
