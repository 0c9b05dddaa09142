/* connect.h - streams that begin here: to somebody who listens, and from one who has called.
 *
 * Source: CPython 3.11, Lib/asyncio/streams.py, open_connection and open_unix_connection.
 */
#ifndef COROUTINES_CONNECT_H
#define COROUTINES_CONNECT_H

#include "coroutines/stream.h"

struct tls_context;

/* A coroutine that returns a stream of the loop that runs. It raises OSError, "connect: Connection
 * refused"; cancelled, it leaves no socket. `address` and `limits` (which may be NULL) are copied.
 * NULL: MemoryError. */
struct object *stream_connect(const struct address *address, const struct stream_limits *limits);

/* The same over TLS: what it returns has shaken hands with `host` (tls.h), which is copied; a name
 * of at most STREAM_HOST_MOST bytes, else ValueError. The context is the caller's until it is done.
 */
enum { STREAM_HOST_MOST = 253 };
struct object *stream_connect_tls(const struct address *address, const struct stream_limits *limits,
                                  struct tls_context *context, const char *host);

/* The same, as the caller's unit waits: a stream in implicit style, or NULL. */
struct object *stream_io_connect(const struct address *address, const struct stream_limits *limits);
struct object *stream_io_connect_tls(const struct address *address,
                                     const struct stream_limits *limits,
                                     struct tls_context *context, const char *host);

/* And of who calls next at a listening socket. */
struct object *stream_io_accept(int listener, const struct stream_limits *limits);
struct object *stream_io_accept_tls(int listener, const struct stream_limits *limits,
                                    struct tls_context *context);

#endif
