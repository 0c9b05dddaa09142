/* serve.h - the servers of `echo_served` and `http` by themselves, for clients of others.
 *
 * For wrk, curl and other real programs: they may be slow, wrong or gone, and many. Loopback only.
 *
 * A unit serves a connection: a thread of its own, a greenlet of one of so many threads, or a task
 * of one of so many loops. A request that is not whole some seconds after its first byte (a
 * slow-loris client), a peer that does not read its answer, and one that is silent for long are cut
 * off: by the thread that called serve, which looks at all of them now and then. So whoever waits
 * on a connection waits for the kernel alone. Where there are no descriptors left, new connections
 * wait in the listener's queue.
 *
 * Both may go over TLS; hands must then be shaken in the time of a request. An echo of datagrams
 * has no connections: each thread has one unit, and they share a socket.
 */
#ifndef BENCHES_SERVE_H
#define BENCHES_SERVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum serve_unit { SERVE_THREADS, SERVE_GREENLETS, SERVE_TASKS };

struct tls_identity;

/* Written by all units, relaxed; whole when serve has returned. */
struct serve_counts {
    _Atomic uint64_t connections, open;
    _Atomic uint64_t answers; /* requests; of an echo, times something was sent back */
    _Atomic uint64_t refused; /* requests that are no HTTP, or too large */
    _Atomic uint64_t cut_off; /* connections that were too slow */
    _Atomic uint64_t failed;  /* connections that ended in an error: reset, or no TLS */
    _Atomic uint64_t full;    /* times that there was no descriptor, thread or memory for one */
};

struct serve_order {
    bool http;      /* or an echo */
    bool datagrams; /* of these, over UDP */
    const struct tls_identity *identity; /* over TLS, as who; NULL: as it is */
    enum serve_unit unit;
    int threads;         /* that carry greenlets or loops, or accept for threads */
    int port;            /* 0: any; the port that it is, when `begun` is called */
    int body_bytes;      /* of an answer of HTTP */
    uint64_t request_ns; /* for a request, from its first byte, and for its answer */
    uint64_t idle_ns;    /* between two requests */
    struct serve_counts counts;

    void (*begun)(const struct serve_order *order);   /* it listens */
    bool (*goes_on)(const struct serve_order *order); /* waits, detached, for at most some 100 ms */
};

/* serve.c's: the same of datagrams. */
int serve_datagrams(struct serve_order *order);

/* Serves until goes_on says no; then all connections are closed, and all units have ended. The
 * caller is attached. 0, or -1: OSError, MemoryError. */
int serve(struct serve_order *order);

#endif
