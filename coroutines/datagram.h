/* datagram.h - messages that come whole or not at all: UDP, and datagrams over Unix sockets.
 *
 * An endpoint is a bound socket, and, if it has a peer, connected to it: then the kernel takes
 * messages from that peer only, and tells when nobody is there (ECONNREFUSED). A message is sent at
 * once if the kernel takes it, or is kept in a queue that has a limit: the back-pressure is
 * `drain`. Nothing is received for nobody: the kernel keeps what comes, up to its own limit,
 * and drops the rest, as is UDP's way.
 *
 * Two styles, as of streams (stream.h): made with a loop its waits are futures; without, the
 * functions datagram_io_... wait as the caller's unit does.
 *
 * An error that the kernel has noted (ECONNREFUSED: an earlier message found nobody) is raised
 * once, by the next receive or by drain, and the endpoint goes on: it is about a message, not about
 * the endpoint. One that is dropped and was not closed is closed with a ResourceWarning.
 *
 * Source: CPython 3.11, Lib/asyncio/selector_events.py, _SelectorDatagramTransport.
 */
#ifndef COROUTINES_DATAGRAM_H
#define COROUTINES_DATAGRAM_H

#include "coroutines/future.h"
#include "coroutines/net/address.h"

extern const struct type datagram_type;

enum {
    DATAGRAM_BYTES = 4096,           /* of a message that is received, unless said otherwise */
    DATAGRAM_HIGH_BYTES = 64 * 1024, /* may be in the queue before drain waits; until a fourth */
};

/* Bound to `own` (NULL: the kernel chooses where), connected to `peer` (NULL: to nobody). One of
 * them is needed. `loop` NULL: in implicit style. NULL: OSError, MemoryError. */
struct object *datagram_open(borrowed loop, const struct address *own, const struct address *peer);

/* Over a socket that is bound and has no peer. NULL: MemoryError. */
struct object *datagram_new(borrowed loop, int fd /* steals, also on failure */);

/* A future: a bytes, the next message, of which what is longer than `size_bytes` is cut off. Who
 * sent it is in *sender, if that is not NULL, which stays where it is until the future is done.
 * NULL: also RuntimeError, another receives. */
struct object *datagram_receive(borrowed endpoint, size_t size_bytes, struct address *sender);

/* To `to`; NULL: to its peer. 0; -1: ValueError, it has a peer and that is another, or it has none
 * and `to` is NULL; OSError, EMSGSIZE, say; MemoryError: it was not sent. */
int datagram_send(borrowed endpoint, const void *data, size_t size_bytes, const struct address *to);

/* A future: None, when the queue is short again. Raises what an earlier message met with. */
struct object *datagram_drain(borrowed endpoint);

/* As the caller's unit waits. Here, too, one receives at a time. */
struct object *datagram_io_receive(borrowed endpoint, size_t size_bytes, struct address *sender);
int datagram_io_send(borrowed endpoint, const void *data, size_t size_bytes,
                     const struct address *to);

/* At once; what is in the queue is dropped. Who receives gets OSError, "the endpoint is closed". */
void datagram_close(borrowed endpoint);

/* What is in the queue. */
size_t datagram_unsent(borrowed endpoint);

/* Its socket; -1: it is closed. */
int datagram_descriptor(borrowed endpoint);

#endif
