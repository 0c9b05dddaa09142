/* stream.h - a connection: bytes that come and go in order, over TCP, a Unix socket, or TLS.
 *
 * A stream has its descriptor, and two rows of bytes: what has come and nobody took yet, and what
 * was written and has not gone out. It reads only for who waits: while nobody does, the kernel's
 * buffer fills and the peer has to wait (that is the back-pressure of one direction); what is
 * written beyond what the kernel takes is kept, and who writes faster than the peer reads waits in
 * `drain` (that of the other).
 *
 * Two styles, one object:
 *
 *   await     made with a loop: what may have to wait returns a future of that loop, which a body
 *             awaits, or to which a callback is added. By the loop's thread.
 *   implicit  made without: the functions stream_io_... return when it is done, and the unit that
 *             the caller runs in waits meanwhile, as in io.h: a thread detached, a greenlet in
 *             its hub.
 *
 *     stream_write(s, "hello\n", 6);               stream_io_write(s, "hello\n", 6);
 *     await stream_drain(s);
 *     line = await stream_read_line(s);            line = stream_io_read_line(s);
 *     stream_close(s);                             stream_close(s);
 *     await stream_wait_closed(s);
 *
 * Nothing that came is lost. A read that is cancelled while it waits, or whose time is then over
 * (timeout.h, wait_for, hub_timeout_begin), or that finds no memory for its result, has taken
 * nothing: what came is for the next one. (One that is done has taken. If its task is asked to end,
 * or its timeout.h block ends, in that very turn, the bytes are in the future that it awaited;
 * wait_for returns them.) Exceptions are IncompleteReadError and LimitOverrunError, whose data is
 * not lost either: they say below where it is.
 *
 * One reads at a time, another is RuntimeError in asyncio's words; any number may drain. Whatever
 * the kernel says while reading, and of TLS the session, is raised by the read of now and by all
 * that follow, at once, and by drain and wait_closed. What it says while writing is raised by these
 * two alone, and ends the writing only: what the peer has sent before it went can still be read.
 * (In asyncio it ends both.)
 *
 * In implicit style over TLS one unit reads or writes at a time, another is RuntimeError: both move
 * the session. After a write that failed, or was ended from outside, such a stream is to be closed.
 * So is one whose other unit still waits in it, and it is then closed without TLS's own end.
 *
 * A stream that is dropped and was not closed is closed then, with a ResourceWarning. It may be
 * dropped by any thread.
 *
 * `stream` must be one, in all of these. Functions that return a future: NULL is RuntimeError (a
 * misuse, another thread's loop, or one that is closed), ValueError, or MemoryError.
 *
 * Source: CPython 3.11, Lib/asyncio/streams.py and selector_events.py, whose rules and messages
 * these are, where nothing else is said.
 */
#ifndef COROUTINES_STREAM_H
#define COROUTINES_STREAM_H

#include "coroutines/future.h"
#include "coroutines/net/address.h"

extern const struct type stream_type;

struct tls_session;

/* 0, each: what stands in the enum. */
struct stream_limits {
    size_t piece_bytes; /* of its receive buffer: what one receive takes */
    size_t limit_bytes; /* what read_until and fill look through at most */
    size_t high_bytes;  /* so much may be written and not have gone out, before drain waits */
    size_t low_bytes;   /* until it is no more than this; standard is a fourth of `high_bytes` */
};

enum {
    STREAM_PIECE_BYTES = 4096,
    STREAM_LIMIT_BYTES = 64 * 1024,
    STREAM_HIGH_BYTES = 64 * 1024,
    STREAM_SEPARATOR_MOST = 16,
};

/* Over a connected socket, which is the stream's from now on, and is closed if there is none.
 * `loop` NULL: in implicit style. With `tls` (tls.h) over TLS, and nothing may be written before
 * stream_handshake. `limits` may be NULL. NULL: MemoryError. */
struct object *stream_new(borrowed loop, int fd /* steals, also on failure */,
                          const struct stream_limits *limits,
                          struct tls_session *tls /* steals, also on failure; may be NULL */);

/* ---- await: futures ---- */

#define STREAM_TO_END SIZE_MAX

/* A bytes of at least one byte, and at most `size_bytes`; an empty one at the end. STREAM_TO_END:
 * all until the end. */
struct object *stream_read(borrowed stream, size_t size_bytes);

/* A bytes of so many. IncompleteReadError at the end: its exception_value is a tuple of what there
 * was, which is taken, and `size_bytes`. */
struct object *stream_read_exactly(borrowed stream, size_t size_bytes);

/* A bytes that ends with the separator, of at most STREAM_SEPARATOR_MOST bytes. IncompleteReadError
 * as above, with None. LimitOverrunError: more than the limit comes before the separator; its value
 * is how many bytes can be dropped, and they all stay in the buffer. ValueError: it is empty. */
struct object *stream_read_until(borrowed stream, const char *separator, size_t length);

/* A bytes up to a newline, or to the end. ValueError: it is longer than the limit; then it has
 * been dropped. */
struct object *stream_read_line(borrowed stream);

/* An int: how many bytes are in the buffer (stream_buffered) when at least one has come to them, or
 * 0 at the end. For who looks at them where they are. LimitOverrunError if there are as many as the
 * limit. */
struct object *stream_fill(borrowed stream);

/* None, when what was written is below the mark again. */
struct object *stream_drain(borrowed stream);

/* None, when all is sent and the descriptor is closed. Raises what kept it from being sent. */
struct object *stream_wait_closed(borrowed stream);

/* None, when both sides know each other; at once without TLS. SSLError and its kinds; then the
 * stream is good for nothing. */
struct object *stream_handshake(borrowed stream);

/* ---- implicit: they return when it is done ----
 *
 * As those above, and NULL or -1 with what those raise. What is written has gone out when it
 * returns. */

struct object *stream_io_read(borrowed stream, size_t size_bytes);
struct object *stream_io_read_exactly(borrowed stream, size_t size_bytes);
struct object *stream_io_read_until(borrowed stream, const char *separator, size_t length);
struct object *stream_io_read_line(borrowed stream);
int64_t stream_io_fill(borrowed stream);
int stream_io_write(borrowed stream, const void *data, size_t size_bytes);
int stream_io_handshake(borrowed stream);

/* ---- both, at once ---- */

/* Sends what it can and keeps the rest; of one that is closed, or cannot write any more, it drops
 * it: drain says so. 0; -1: RuntimeError, after write_eof, or implicit style; MemoryError: a part
 * may have gone, and nothing can be written any more. */
int stream_write(borrowed stream, const void *data, size_t size_bytes);

/* Half-close: when all is sent the peer sees the end, and what it sends can still be read. 0; -1:
 * OSError. */
int stream_write_eof(borrowed stream);

/* Nothing more is read from the descriptor, and when all is sent it is closed. With stream_abort it
 * is closed now. */
void stream_close(borrowed stream);
void stream_abort(borrowed stream);

bool stream_is_closing(borrowed stream);

/* All that came has been taken, and nothing more will come. */
bool stream_at_eof(borrowed stream);

/* What has come; *data lives until the next call on the stream, and may be NULL. The first of them
 * are then taken by stream_consume. */
size_t stream_buffered(borrowed stream, const char **data);
void stream_consume(borrowed stream, size_t size_bytes);

/* What was written and has not gone out. */
size_t stream_unsent(borrowed stream);

/* What reading raises; NULL: nothing. */
borrowed stream_exception(borrowed stream);

/* From now on reading raises this; who waits to read, too. */
void stream_set_exception(borrowed stream, borrowed exception);

/* -1: it is closed. */
int stream_descriptor(borrowed stream);

/* NULL: there is no TLS. Lives as long as the stream. */
const struct tls_session *stream_tls(borrowed stream);

/* For servers: `done` is called, once, when the descriptor is closed; in the next turn. 0 or -1. */
int stream_on_closed(borrowed stream, loop_action *done, borrowed target);

#endif
