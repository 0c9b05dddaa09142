/* http.h - takes HTTP/1.1 messages apart, strictly.
 *
 * A workload's server and its clients need to know where a message ends, and little else. So this
 * knows the request line, the lines of the head, and the two framings of a body, and refuses what
 * two programs could read in two ways (request smuggling): what no client sends that means well.
 * To choose a real parser before this for whatever the internet may send (docs/decisions/34).
 *
 * It holds no memory. The caller keeps the bytes of a message until they were taken, in one piece,
 * and calls again when there are more. What comes of a message is the same however it was cut.
 *
 *     got = http_head(data, size, &limits, HTTP_REQUEST, &head);    its bytes, HTTP_MORE, -status
 *     http_body_begin(&body, &head, &limits);
 *     while (!body.ended) got = http_body(&body, data, size, &piece);
 *
 * Refused, and with which status. 400: a line that ends in a bare LF, or has a CR, a NUL or another
 * control character in it; a line that begins with a blank (obs-fold); a blank before a colon, or
 * no name; a target with a blank or what is not ASCII; two lengths that differ, or in one line; a
 * length and chunks; chunks in HTTP/1.0; no Host in 1.1, or two; a size of a chunk that is no
 * hexadecimal number of at most 15 digits; a chunk that does not end where that says; a trailer
 * that is not empty. 413: a body that is too large. 431: a line or a head that is. 501: another
 * transfer coding than chunked. 505: a version that is not 1.0 or 1.1.
 *
 * Source: RFC 9110 and 9112 (R. Fielding, M. Nottingham, J. Reschke, 2022).
 */
#ifndef BENCHES_HTTP_H
#define BENCHES_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_limits {
    size_t line_bytes, head_bytes; /* with their ends; the latter also of a trailer */
    uint64_t body_bytes;
};

enum { HTTP_MORE = 0 }; /* else a number of bytes, or -status */

struct http_text {
    const char *data; /* in the caller's bytes */
    size_t bytes;
};

/* What of a head matters here. */
struct http_head {
    struct http_text method, target; /* of a request */
    int status;                      /* of a response */
    int minor;                       /* HTTP/1.minor */
    bool keep_alive;                 /* another message may follow */
    bool expects_continue;           /* the body comes when it was told to */
    bool chunked, has_length;
    uint64_t length;    /* of the body, if it has_length; else 0 */
    bool closes, keeps; /* words of Connection */
    int hosts;          /* lines of this name */
};

enum http_kind { HTTP_REQUEST, HTTP_RESPONSE };

/* The head of a message. How many bytes it has, HTTP_MORE, or -status. */
int64_t http_head(const char *data, size_t size_bytes, const struct http_limits *limits,
                  enum http_kind kind, struct http_head *head);

/* Of a body that is being taken. */
struct http_body {
    bool chunked, ended;
    enum { HTTP_SIZE, HTTP_DATA, HTTP_DATA_END, HTTP_BODY_END } part; /* what comes next */
    uint64_t left;     /* of the data, or of a chunk */
    uint64_t may_come; /* before it is too large */
    size_t line_bytes; /* of a chunk's size, at most */
};

/* After a head. A response without a length and without chunks has no body here: one that ends with
 * its connection is not known. */
void http_body_begin(struct http_body *body, const struct http_head *head,
                     const struct http_limits *limits);

/* One step: how many bytes it took, of which `piece` is payload; HTTP_MORE, and none; or -status.
 * At its end it has `ended`, and what follows belongs to the next message. */
int64_t http_body(struct http_body *body, const char *data, size_t size_bytes,
                  struct http_text *piece);

#endif
