/* wire.h - what has come over a descriptor and was not taken yet, and what is to go out.
 *
 * The part of a stream (stream.h) that waits for nothing: two rows of bytes, one for each
 * direction, and, if the stream has one, the TLS session (tls/session.h) that stands between them
 * and the descriptor. Which way it is read and written is the caller's: who waits in a loop gives
 * io_try_read, who lets the unit wait io_read.
 *
 * One receive takes at most WIRE_PIECE_BYTES, unless more is needed to go on: large buffers measure
 * the allocator, and each idle one takes memory. A row has memory only while it has bytes, so a
 * connection that is idle has none.
 *
 * What was received stays until somebody takes it, whatever fails meanwhile. Failure is -1 with an
 * exception pending. MemoryError of a receive has taken nothing from the descriptor.
 */
#ifndef COROUTINES_WIRE_H
#define COROUTINES_WIRE_H

#include "objects/object.h"

enum { WIRE_PIECE_BYTES = 4096, WIRE_RECORD_BYTES = 16384 }; /* of TLS: the largest */

struct tls_session;

struct wire_row {
    char *data; /* NULL: capacity is 0 */
    size_t start, end, capacity;
};

struct wire {
    int fd;                  /* -1: it is closed */
    struct wire_row in, out; /* of `out`: as it goes out, enciphered if there is a session */
    struct wire_row raw;     /* what the session has not deciphered yet */
    struct tls_session *tls; /* owned; NULL: none */
    size_t piece_bytes;      /* set once */
    bool ended;              /* nothing more comes in */
    bool raw_ended;          /* the descriptor's end was read; that need not be the session's */
    bool cut;                /* of what was enciphered a part is lost: nothing may follow it */
    bool more;               /* the last receive got all that it had room for: there may be more */
};

/* `fd` may be -1. `tls` is the wire's from now on. */
void wire_init(struct wire *w, int fd, size_t piece_bytes,
               struct tls_session *tls /* steals; may be NULL */);

/* Closes the descriptor. What has come stays; the rest is dropped, unless it is in use: then
 * somebody still waits in a read or a write of this wire. */
void wire_close(struct wire *w, bool in_use);

/* What is to go out is dropped. */
void wire_drop_out(struct wire *w);

/* All of it. */
void wire_fini(struct wire *w);

static inline size_t wire_row_bytes(const struct wire_row *row)
{
    return row->end - row->start;
}

/* What has come and was not taken; its address is good until the next call. */
static inline const char *wire_data(const struct wire *w)
{
    return w->in.data + w->in.start;
}

/* io_try_read or io_read; io_try_write, io_write_some or io_write (of which nothing may be kept).
 */
typedef int64_t wire_read(int fd, void *data, size_t size_bytes);
typedef int64_t wire_write(int fd, const void *data, size_t size_bytes);

/* Makes the session's error pending. */
struct tls_error;
void wire_raise(const struct tls_error *e);

/* Receives once, behind what has come; it has room for `wanted` bytes in all, if that is more than
 * a piece. How many bytes came, 1 or more; 0: `w->ended` is set, or it was TLS's own and is no byte
 * of anybody's; IO_NOT_YET; -1. Of TLS it may be that something is to go out now. */
int64_t wire_receive(struct wire *w, wire_read *read, size_t wanted);

/* The same during a handshake: what comes is the session's. 0: the end, which it will say. */
int64_t wire_receive_raw(struct wire *w, wire_read *read);

/* A new bytes of the first of them, which are taken. NULL: MemoryError, and nothing was. */
struct object *wire_take(struct wire *w, size_t size_bytes);

/* They are dropped. */
void wire_drop(struct wire *w, size_t size_bytes);

/* Gives back the memory of rows that are empty. */
void wire_rest(struct wire *w);

/* Where `sought` begins, not before `from`; -1: nowhere. */
int64_t wire_find(const struct wire *w, const char *sought, size_t size_bytes, size_t from);

/* Sends what it can at once, if nothing waits to go out, and keeps the rest. -1: MemoryError, or
 * the kernel's; in both cases a part may have gone, and of TLS nothing more can. */
int wire_put(struct wire *w, const void *data, size_t size_bytes, wire_write *write);

/* Sends of what is to go out. 0: nothing is left; IO_NOT_YET; -1. */
int wire_flush(struct wire *w, wire_write *write);

/* A turn of the handshake. 1: it is done; 0: something must be received first; -1: SSLError. In all
 * cases something may be to go out. */
int wire_shake_hands(struct wire *w);

/* TLS's own end of what goes out, if there is TLS. */
int wire_put_end(struct wire *w);

#endif
