/* http_peer.c - a server's end of a connection that speaks HTTP/1.1: bytes in, answers out. */
#include "benches/http_peer.h"

#include "objects/exception.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_HEAD_BYTES = 200 };

static const struct http_limits limits = {
    .line_bytes = PEER_HEAD_BYTES,
    .head_bytes = PEER_HEAD_BYTES,
    .body_bytes = PEER_BODY_BYTES,
};

int http_peer_init(struct http_peer *p, int body_bytes)
{
    p->have = 0;
    p->in_body = p->ends = false;
    p->body_bytes = body_bytes;
    p->out = malloc((size_t)body_bytes + OUT_HEAD_BYTES);
    if (p->out)
        return 0;
    exception_set_no_memory();
    return -1;
}

void http_peer_fini(struct http_peer *p)
{
    free(p->out);
    p->out = NULL;
}

static const char *words_of(int status)
{
    switch (status) {
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Bad Request";
    }
}

static void refuse(struct http_peer *p, int status)
{
    p->out_bytes = (size_t)snprintf(p->out, OUT_HEAD_BYTES,
                                    "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n"
                                    "Connection: close\r\n\r\n",
                                    status, words_of(status));
    p->ends = true;
    p->answers_request = false;
}

static void let_continue(struct http_peer *p)
{
    p->out_bytes = (size_t)snprintf(p->out, OUT_HEAD_BYTES, "HTTP/1.1 100 Continue\r\n\r\n");
    p->answers_request = false;
}

/* Who speaks 1.0 is told that the connection stays, too. */
static const char *says_of_connection(const struct http_head *h)
{
    if (!h->keep_alive)
        return "Connection: close\r\n";
    return h->minor == 0 ? "Connection: keep-alive\r\n" : "";
}

static void answer(struct http_peer *p)
{
    size_t length = strlen(p->name);

    p->out_bytes = (size_t)snprintf(p->out, OUT_HEAD_BYTES,
                                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                    "Content-Length: %d\r\n%s\r\n",
                                    p->body_bytes, says_of_connection(&p->head));
    for (size_t i = 0; i < (size_t)p->body_bytes && !p->is_head; i++)
        p->out[p->out_bytes++] = load_body_byte(p->name, length, i);
    p->ends = !p->head.keep_alive;
    p->answers_request = true;
}

/* The texts of the head stand in bytes that will be dropped. */
static void begin_body(struct http_peer *p)
{
    const struct http_text *target = &p->head.target;
    size_t skipped = *target->data == '/', length = target->bytes - skipped;

    if (length >= sizeof p->name)
        length = sizeof p->name - 1;
    memcpy(p->name, target->data + skipped, length);
    p->name[length] = '\0';
    p->is_head = p->head.method.bytes == 4 && memcmp(p->head.method.data, "HEAD", 4) == 0;
    http_body_begin(&p->body, &p->head, &limits);
    p->in_body = true;
}

/* Bytes that it took, HTTP_MORE, or -status. */
static int64_t take(struct http_peer *p)
{
    struct http_text dropped;
    int64_t taken;

    if (p->in_body)
        return http_body(&p->body, p->in, p->have, &dropped);
    taken = http_head(p->in, p->have, &limits, HTTP_REQUEST, &p->head);
    if (taken > 0)
        begin_body(p);
    return taken;
}

/* After the bytes were taken: whether they complete something that is answered. */
static bool has_word(struct http_peer *p)
{
    if (p->body.ended) {
        p->in_body = false;
        answer(p);
        return true;
    }
    if (!p->head.expects_continue || p->have)
        return false;
    p->head.expects_continue = false;
    let_continue(p);
    return true;
}

enum peer_turn http_peer_next(struct http_peer *p)
{
    int64_t taken;

    if (p->ends)
        return PEER_ENDS;
    while (p->have && (taken = take(p)) != HTTP_MORE) {
        if (taken < 0) {
            refuse(p, (int)-taken);
            return PEER_ANSWERS;
        }
        p->have -= (size_t)taken;
        memmove(p->in, p->in + taken, p->have);
        if (has_word(p))
            return PEER_ANSWERS;
    }
    return PEER_READS;
}
