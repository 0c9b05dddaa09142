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
 * have to wait does the loop watch the descriptor. (A read after one that got less than it had room
 * for waits first: there is likely nothing yet.) To finish such a future takes no memory, and a
 * connection that was accepted is never lost.
 *
 * What `data` and `address` point to stays until the future is done, or the loop is closed; then
 * it is not touched any more. One that is cancelled is done at once, and watches nothing: what
 * comes after is for who reads next.
 *
 * While a future that reads (or accepts) is pending nobody else may: another call is RuntimeError
 * "Already reading"; so is it for what writes or connects, "Already writing". It is the
 * descriptor's reader or writer in the eyes of the loop (loop_add_reader). Close the descriptor by
 * async_io_close, or cancel it before.
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

/* None, when all of it was written to a socket, or a pipe. If it is cancelled, a part may have been. A
 * peer that has gone is an OSError, and of a socket never SIGPIPE. */
struct object *async_io_write(borrowed loop, int fd, const void *data, size_t size_bytes);

/* An int: a new socket, closed on exec, which is the caller's to close. */
struct object *async_io_accept(borrowed loop, int listener);

/* None, when `fd` can do `what`, or has an error or an end to tell; nothing is done with it. For who
 * then calls io_try_read or io_try_write (io.h) by himself: one that waits needs no room to read
 * into, and does at once all that is to be done. So that the descriptor is not told of again before
 * that, who has added the first callback, or awaits it first, is called in the same turn, when the
 * loop comes to the descriptor; the others in the next, as always. */
struct object *async_io_wait(borrowed loop, int fd, enum interest what);

/* The same again, and by the same future, which is done, and which nobody else asks any more: it is
 * pending, as a new one is. So who waits for a descriptor time and again makes no object. 0; -1, as
 * NULL above, and it is as it was. (The operations of .NET's sockets can be awaited again in this
 * way: S. Toub, Understanding the Whys, Whats, and Whens of ValueTask, 2018.) */
int async_io_wait_again(borrowed future);

/* None. After a failure or a cancellation the socket is good for nothing. */
struct object *async_io_connect(borrowed loop, int fd, const struct sockaddr *address,
                                socklen_t size_bytes);

/* Closes it. Futures of the loop that wait for it fail, in its next turn, with OSError "[Errno 9] File
 * descriptor was closed in another greenlet"; readers and writers are removed. As io_close for all
 * else. 0; -1. */
int async_io_close(borrowed loop, int fd);

/* None, when that time has passed; a delay below 0 is none, and takes a turn. */
struct object *async_io_sleep(borrowed loop, int64_t delay_ns);

#endif
