/* load.h - clients in another process, which drive a server on loopback.
 *
 * A server that is measured must not share its processor time, its lock or its descriptors with
 * who asks it. So a load is a forked process of one thread, which opens its connections, sends
 * requests and checks each answer, and tells what came of it by memory that both processes see.
 *
 *     load_start --> load_wait_open --> load_go --> load_record ... --> load_stop --> load_free
 *
 * A closed loop (rate 0) has on each connection one request under way, always. An open loop has so
 * many requests a second due, whatever becomes of them: one that finds no connection free waits,
 * and its latency counts from when it was due (G. Tene calls the alternative coordinated omission).
 * Idle connections are opened and kept, and asked nothing.
 *
 * What is asked. An echo: so many bytes, of which the first are a number, come back as they were.
 * HTTP: `GET /NUMBER` is answered by 200 and a body that load_body_byte describes. Either may go
 * over TLS: then a connection is open when both sides know each other, and the server's certificate
 * has been checked.
 *
 * A connection that fails is counted by kind, and not opened again. A load without connections
 * ends. A datagram that is not answered is lost, and the next is sent.
 *
 * The process allocates nothing after the fork but descriptors, and over TLS what OpenSSL needs:
 * so nobody else may be in OpenSSL at that moment. It reads 4096 bytes at a time, since with large
 * buffers one measures malloc; ends when it is asked to, when the thread that started it ends, and
 * when its time is over. It keeps no descriptor of its parent but standard error.
 *
 * Nothing here knows the runtime: who waits should be detached. Of one load one thread at a time
 * calls these, but for load_ask_stop and what says so.
 */
#ifndef BENCHES_LOAD_LOAD_H
#define BENCHES_LOAD_LOAD_H

#include "gil/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum load_protocol { LOAD_TCP, LOAD_UNIX, LOAD_UDP, LOAD_HTTP };

enum {
    LOAD_CONNECTIONS_MOST = 20000,
    LOAD_RECEIVE_BYTES = 4096,
    LOAD_MESSAGE_LEAST = 8,      /* of an echo: the number */
    LOAD_MESSAGE_MOST = 1 << 16, /* of a datagram LOAD_RECEIVE_BYTES */
    LOAD_WHY_BYTES = 240,
    LOAD_BUSY_PERCENT = 95, /* from here on the load is the bottleneck */
};

struct load_plan {
    enum load_protocol protocol;
    struct sockaddr_storage address; /* the server's */
    socklen_t address_bytes;
    int connections;   /* from as many of 127.0.0.2 .. 127.0.0.251 as there are */
    int idle;          /* so many of them are asked nothing */
    bool spread;       /* the first calls the server at that address, each other one host further */
    const char *trusted; /* whom to trust, certificates as PEM: over TLS, with `localhost`. NULL: as
                            it is. Is not kept */
    int message_bytes; /* of an echo; of HTTP, of an answer's body, which may be 0 */
    int64_t rate;      /* requests a second, of all connections; 0: a closed loop */
    int exchanges;        /* after so many a connection is closed, and another opened; 0: kept */
    uint64_t patience_ns; /* for an answer; then it is lost or has failed. 0: ten seconds, and
                             one second for a datagram */
    uint64_t life_ns;     /* then it ends by itself */
};

/* What can go wrong on a connection. */
enum load_error {
    LOAD_REFUSED,   /* connecting failed */
    LOAD_RESET,     /* ECONNRESET, EPIPE */
    LOAD_CLOSED,    /* the server ended it */
    LOAD_WRONG,     /* an answer to something else, or too much of it */
    LOAD_INSECURE,  /* TLS: the server is not who it should be, or has broken the protocol */
    LOAD_MALFORMED, /* no HTTP */
    LOAD_STATUS,    /* HTTP, but not 200 */
    LOAD_LATE,      /* no answer in time */
    LOAD_LOST,      /* the same, of a datagram: the connection goes on */
    LOAD_SYSTEM,    /* another error of a system call */
    LOAD_ERRORS
};

extern const char *const load_error_names[LOAD_ERRORS];

struct load;

/* Lets this process have so many descriptors beside those that it has: raises RLIMIT_NOFILE up to
 * the hard limit. 0; or -1, errno is EMFILE, and `why` a line that names the limit. */
int load_make_room(int descriptors, char why[LOAD_WHY_BYTES]);

/* Starts the process, which begins to open its connections, to a server that listens already. The
 * calling thread must outlive it. NULL: errno, and `why`, a line. */
struct load *load_start(const struct load_plan *plan, char why[LOAD_WHY_BYTES]);

/* Waits until all connections are open: the kernel has them, the server perhaps not yet. 0; or -1
 * and `why`: it has ended, or that time (of clock_ns) has come. */
int load_wait_open(struct load *load, uint64_t deadline_ns, char why[LOAD_WHY_BYTES]);

/* Now it asks. */
void load_go(struct load *load);

/* From now on, or no longer, latencies are kept, and its share of a processor is looked at. While
 * it records it does so to the end: each answer that is counted has its latency. */
void load_record(struct load *load, bool record);

/* Waits for so long, or until the process has ended: then false. */
bool load_look(struct load *load, uint64_t ns);

/* Asks it to end, and does not wait. By any thread, also more than once. What then fails is no
 * error. */
void load_ask_stop(struct load *load);

/* The same, and waits until it has ended; after five seconds it is killed. */
void load_stop(struct load *load);

/* Stops it. Its memory goes, and with it what the functions below have returned. */
void load_free(struct load *load /* may be NULL */);

/* ---- what came of it; those by any thread, at any time ---- */

/* Answers that were right, since it began. In memory that the process writes. */
const _Atomic uint64_t *load_answers(const struct load *load);

pid_t load_process(const struct load *load);   /* for who places it, or looks at it */
uint64_t load_asked(const struct load *load);  /* requests of which something was sent */
uint64_t load_open(const struct load *load);   /* connections that are open now */
uint64_t load_opened(const struct load *load); /* and that ever were */
uint64_t load_errors(const struct load *load, enum load_error kind);
uint64_t load_errors_of_all_kinds(const struct load *load);

/* Of an open loop: requests that are due by now and were not sent. */
uint64_t load_overdue(const struct load *load);

/* What the process has used of processors, in ns. */
uint64_t load_cpu_ns(const struct load *load);

/* ---- and when it has stopped ---- */

const struct histogram *load_latency(const struct load *load);

/* Of the time in which it recorded, 0 to 1: for how much it ran, and for how much it would have, if
 * others had not had its processor. -1: not known. */
double load_busy(const struct load *load);
double load_held_up(const struct load *load);

/* Writes a line about what a reader must know: errors by kind, and that the load was the
 * bottleneck. False, and "": nothing. */
bool load_tell(const struct load *load, char *text, size_t size_bytes);

/* What stands in the body of an answer to `GET /NUMBER`: the number's text, then x's. */
static inline char load_body_byte(const char *number, size_t length, size_t at)
{
    return at < length ? number[at] : 'x';
}

#endif
