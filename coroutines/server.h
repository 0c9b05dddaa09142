/* server.h - who listens: each connection becomes a stream, and the handler's task.
 *
 * The handler is called with the new stream. If it returns a coroutine, that runs as a task; what
 * else it returns is dropped. It closes the stream when it has done; if it raises instead, that is
 * told by the loop's hook, "Unhandled exception in client_connected_cb", and the stream is closed.
 *
 * Backlog. The kernel keeps as many callers waiting; beyond that they have to call again. In one
 * turn no more than that are accepted. With `most_connections` open no more are accepted until one
 * has ended.
 *
 * When there are no descriptors left (EMFILE and the like) the caller stays in the queue, the
 * loop's hook is told "socket.accept() out of system resource", and a second later it is tried
 * again: the listener would stay ready, and the loop run in circles.
 *
 * By the loop's thread. While it listens the loop holds it.
 *
 * Source: CPython 3.11, Lib/asyncio/base_events.py, Server, and selector_events.py,
 * _accept_connection; but server_wait_closed waits for the connections, as it does since 3.12.
 */
#ifndef COROUTINES_SERVER_H
#define COROUTINES_SERVER_H

#include "coroutines/stream.h"

extern const struct type server_type;

struct tls_context;

/* 0, each: what stands behind. */
struct server_options {
    int backlog;                 /* 100 */
    int most_connections;        /* any number */
    uint64_t retry_ns;           /* a second */
    bool shared;                 /* several servers may listen at one port: one of each loop */
    struct stream_limits limits; /* of each stream */
    struct tls_context *tls;     /* none; the caller's until the server is closed. The handler gets
                                    streams that have shaken hands */
    int64_t handshake_ns;        /* so long may that take: TLS_HANDSHAKE_NS */
};

/* Listens there. NULL: OSError, RuntimeError, MemoryError. `options` may be NULL. */
struct object *server_start(borrowed loop, const struct address *address, borrowed handler,
                            const struct server_options *options);

/* Where it listens; with the port that it got. */
struct address server_address(borrowed server);

/* The socket that listens; -1: it is closed. */
int server_descriptor(borrowed server);

/* No more are accepted. Connections go on. */
void server_close(borrowed server);

/* A future: None, when it is closed and its connections are, too. NULL: MemoryError. */
struct object *server_wait_closed(borrowed server);

/* How many are open now; how many were accepted; and how many of them have not come through their
 * handshake: of those the loop's hook is told in debug mode only, "SSL handshake failed". */
int server_connections(borrowed server);
uint64_t server_accepted(borrowed server);
uint64_t server_rejected(borrowed server);

#endif
