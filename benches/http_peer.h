/* http_peer.h - a server's end of a connection that speaks HTTP/1.1: bytes in, answers out.
 *
 * It neither reads nor writes: so threads, greenlets and coroutines use the same.
 *
 *     where = http_peer_room(p, &size);  p->have += what was read there;
 *     while (http_peer_next(p) == PEER_ANSWERS)  write p->out, of p->out_bytes;
 *
 * Every request is answered by 200 and so many bytes: what its target names behind the first
 * slash, then x's (load.h). What a request brings is taken and dropped. What http.h refuses is
 * answered by its status, and is the last of its connection.
 */
#ifndef BENCHES_HTTP_PEER_H
#define BENCHES_HTTP_PEER_H

#include "benches/http.h"
#include "benches/load/load.h"

enum {
    PEER_NAME_BYTES = 64,       /* of a target, so much is answered */
    PEER_HEAD_BYTES = 4000,     /* the most that a head may have, and a line of it */
    PEER_BODY_BYTES = 16 << 20, /* of a request */
};

enum peer_turn {
    PEER_READS,   /* it needs more bytes */
    PEER_ANSWERS, /* there is an answer to be written */
    PEER_ENDS,    /* the last answer was written; nothing that comes is of interest */
};

struct http_peer {
    size_t have;           /* bytes of `in` */
    struct http_head head; /* of the request that is being taken; its texts are not kept */
    struct http_body body;
    bool in_body, is_head; /* the method HEAD: only the head is sent */
    bool ends;
    bool answers_request; /* what is in `out` is an answer, and no interim or refusing word */
    char name[PEER_NAME_BYTES];
    size_t out_bytes;
    int body_bytes; /* of an answer; set once */
    char *out;      /* owned */
    char in[LOAD_RECEIVE_BYTES];
};

/* 0, or -1 with MemoryError pending; to be undone in both cases. */
int http_peer_init(struct http_peer *p, int body_bytes);
void http_peer_fini(struct http_peer *p);

/* Where to read, and how much; never 0. */
static inline char *http_peer_room(struct http_peer *p, size_t *size_bytes)
{
    *size_bytes = sizeof p->in - p->have;
    return p->in + p->have;
}

/* What is to be done next. */
enum peer_turn http_peer_next(struct http_peer *p);

/* Whether a request has come in part: its end is awaited. */
static inline bool http_peer_is_midway(const struct http_peer *p)
{
    return p->have || p->in_body;
}

#endif
