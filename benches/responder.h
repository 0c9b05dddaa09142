/* responder.h - slow sites: a process that answers each request by HTTP after a while.
 *
 * It listens on loopback and answers `GET /NAME` with NAME and then RESPONDER_PAGE, `delay_ns`
 * after the request has been read. So many requests that are made at the same time are answered at
 * the same time. A connection is kept until the client ends it, or asks for its end. What is no
 * such request ends it.
 *
 * It is forked, knows no objects, and allocates nothing after the fork but a mapping; it keeps no
 * descriptor of its parent but standard error; it ends with the thread that started it, and in any
 * case after RESPONDER_MOST_S.
 */
#ifndef BENCHES_RESPONDER_H
#define BENCHES_RESPONDER_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

#define RESPONDER_PAGE "patience\n"

enum {
    RESPONDER_MOST_S = 3600,
    RESPONDER_CONNECTIONS_MOST = 16384, /* a few less, for its descriptors are among them */
    RESPONDER_NAME_BYTES = 24,          /* of a name, so much comes back */
    RESPONDER_BUSY_PERCENT = 95,        /* from here on it is the bottleneck */
};

struct responder {
    pid_t process;
    uint64_t from_ns, used_ns; /* when its share was last begun, and what it had used by then */
    uint16_t port; /* of 127.0.0.1 */
};

/* 0; -1 and errno. */
int responder_start(struct responder *r, int64_t delay_ns);

static inline struct sockaddr_in responder_address(const struct responder *r)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(r->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* From here on responder_busy counts; at first, from its start. */
void responder_begin(struct responder *r);

/* For how much of the time it ran, or would have if others had not had its processor, 0 to 1; -1:
 * not known. */
double responder_busy(const struct responder *r);

void responder_stop(struct responder *r);

#endif
