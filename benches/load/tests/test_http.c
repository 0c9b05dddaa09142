/* test_http.c - HTTP taken apart: what is right, what is refused and why, at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "benches/http.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_BYTES = 2000, LINE_BYTES = 64, HEAD_BYTES = 200, BODY_BYTES = 50 };

static const struct http_limits limits = {
    .line_bytes = LINE_BYTES,
    .head_bytes = HEAD_BYTES,
    .body_bytes = BODY_BYTES,
};

/* ---- what comes of bytes that come piece by piece ---- */

struct trace {
    char text[TRACE_BYTES];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void note(struct trace *t, const char *format, ...)
{
    va_list more;

    va_start(more, format);
    t->used += (size_t)vsnprintf(t->text + t->used, sizeof t->text - t->used, format, more);
    va_end(more);
    assert_true(t->used < sizeof t->text);
}

struct reader {
    enum http_kind kind;
    struct trace trace;
    bool in_body, failed;
    struct http_body body;
};

static void note_head(struct reader *r, const struct http_head *h)
{
    if (r->kind == HTTP_REQUEST)
        note(&r->trace, "%.*s %.*s", (int)h->method.bytes, h->method.data, (int)h->target.bytes,
             h->target.data);
    else
        note(&r->trace, "%d", h->status);
    note(&r->trace, " 1.%d%s%s[", h->minor, h->keep_alive ? " keep" : "",
         h->expects_continue ? " expects" : "");
}

/* One step: how many bytes it took, and what of it is told. */
static int64_t step(struct reader *r, const char *data, size_t size_bytes)
{
    struct http_head head;
    struct http_text piece;
    int64_t taken;

    if (!r->in_body) {
        taken = http_head(data, size_bytes, &limits, r->kind, &head);
        if (taken <= 0)
            return taken;
        note_head(r, &head);
        http_body_begin(&r->body, &head, &limits);
        r->in_body = true;
    } else {
        taken = http_body(&r->body, data, size_bytes, &piece);
        if (taken > 0)
            note(&r->trace, "%.*s", (int)piece.bytes, piece.data);
    }
    if (taken >= 0 && r->body.ended) {
        note(&r->trace, "] ");
        r->in_body = false;
    }
    return taken;
}

/* As much as can be taken. How much. */
static size_t feed(struct reader *r, const char *data, size_t size_bytes)
{
    size_t used = 0;
    int64_t taken = 1;

    while (!r->failed && taken > 0 && used < size_bytes) {
        /* In a place of its own, so that a sanitizer sees who looks behind it. */
        char *alone = malloc(size_bytes - used);

        assert_non_null(alone);
        memcpy(alone, data + used, size_bytes - used);
        taken = step(r, alone, size_bytes - used);
        free(alone);
        if (taken < 0) {
            note(&r->trace, "!%d", (int)-taken);
            r->failed = true;
        } else
            used += (size_t)taken;
    }
    return used;
}

/* All at once, or a first part and then the rest, or, of no first part, byte by byte. */
static void read_split(struct reader *r, enum http_kind kind, const char *data, size_t size_bytes,
                       size_t first)
{
    size_t used = 0, end = first;

    memset(r, 0, sizeof *r);
    r->kind = kind;
    for (; end < size_bytes; end = first ? size_bytes : end + 1)
        used += feed(r, data + used, end - used);
    used += feed(r, data + used, size_bytes - used);
    if (!r->failed && (r->in_body || used < size_bytes))
        note(&r->trace, "...");
}

static void expect_bytes(enum http_kind kind, const char *data, size_t size_bytes,
                         const char *expected)
{
    static struct reader r;

    for (size_t first = 0; first <= size_bytes; first++) {
        read_split(&r, kind, data, size_bytes, first);
        if (strcmp(r.trace.text, expected) != 0)
            fail_msg("split at %zu of %zu: '%s' instead of '%s', of:\n%.*s", first, size_bytes,
                     r.trace.text, expected, (int)size_bytes, data);
    }
}

static void expect_request(const char *text, const char *expected)
{
    expect_bytes(HTTP_REQUEST, text, strlen(text), expected);
}

static void expect_response(const char *text, const char *expected)
{
    expect_bytes(HTTP_RESPONSE, text, strlen(text), expected);
}

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST /x HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void test_requests(void **state)
{
    (void)state;
    expect_request(GET "\r\n", "GET / 1.1 keep[] ");
    expect_request(GET "\r\nGET", "GET / 1.1 keep[] ...");
    expect_request(GET "\r\n" GET "\r\n", "GET / 1.1 keep[] GET / 1.1 keep[] ");
    expect_request(POST "Content-Length: 5\r\n\r\nhello" GET "\r\n",
                   "POST /x 1.1 keep[hello] GET / 1.1 keep[] ");
    expect_request(POST "content-LENGTH:\t5 \r\n\r\nhel", "POST /x 1.1 keep[hel...");
    expect_request(POST "Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello",
                   "POST /x 1.1 keep[hello] ");
    expect_request(POST "Content-Length: 0\r\n\r\n", "POST /x 1.1 keep[] ");
    expect_request(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n!",
                   "POST /x 1.1 keep expects[!] ");
    expect_request("OPTIONS * HTTP/1.1\r\n" HOST "X: \xc3\xa4\t,\r\nY:\r\n\r\n",
                   "OPTIONS * 1.1 keep[] ");
    expect_request("", "");
}

static void test_keep_alive(void **state)
{
    (void)state;
    expect_request(GET "Connection: close\r\n\r\n", "GET / 1.1[] ");
    expect_request(GET "Connection: x, Close ,y\r\n\r\n", "GET / 1.1[] ");
    expect_request(GET "Connection: closed\r\n\r\n", "GET / 1.1 keep[] ");
    expect_request(GET "Connection: keep-alive\r\nConnection: close\r\n\r\n", "GET / 1.1[] ");
    expect_request("GET / HTTP/1.0\r\n\r\n", "GET / 1.0[] ");
    expect_request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0 keep[] ");
    expect_request("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET / 1.0[] ");
}

static void test_chunks(void **state)
{
    (void)state;
    expect_request(CHUNKED "0\r\n\r\n", "POST /x 1.1 keep[] ");
    expect_request(CHUNKED "5\r\nhello\r\n00A\r\n, you two!\r\n0\r\n\r\n" GET "\r\n",
                   "POST /x 1.1 keep[hello, you two!] GET / 1.1 keep[] ");
    expect_request(CHUNKED "5;name=\"a b\"\r\nhello\r\n0;x\r\n\r\n", "POST /x 1.1 keep[hello] ");
    expect_request(CHUNKED "5\r\nhello\r\n", "POST /x 1.1 keep[hello...");
    expect_request(CHUNKED "5\r\nhello!\r\n", "POST /x 1.1 keep[hello!400");
    expect_request(CHUNKED "5\r\nhello\n", "POST /x 1.1 keep[hello!400");
    expect_request(CHUNKED "\r\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED "5\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED "-5\r\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED "0x5\r\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED " 5\r\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED "5 \r\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED "5g\r\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED "00000000000000005\r\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED "0\r\nTrailer: x\r\n\r\n", "POST /x 1.1 keep[!400");
    expect_request(CHUNKED "FFFFFFFFFFFFFFF\r\n", "POST /x 1.1 keep[!413");
}

static void test_what_could_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    expect_request(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "!400");
    expect_request(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "!400");
    expect_request(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "!400");
    expect_request(POST "Content-Length: 5, 5\r\n\r\n", "!400");
    expect_request(POST "Content-Length: +5\r\n\r\n", "!400");
    expect_request(POST "Content-Length: 0x5\r\n\r\n", "!400");
    expect_request(POST "Content-Length: \r\n\r\n", "!400");
    expect_request(POST "Content-Length: 9999999999999999999\r\n\r\n", "!400");
    expect_request(POST "Content-Length : 5\r\n\r\n", "!400");
    expect_request(POST " Content-Length: 5\r\n\r\n", "!400");
    expect_request(POST "X: a\r\n b\r\n\r\n", "!400");
    expect_request(POST "X: a\r\n\tb\r\n\r\n", "!400");
    expect_request(POST ": a\r\n\r\n", "!400");
    expect_request(POST "X\r\n\r\n", "!400");
    expect_request(POST "X: a\n\r\n", "!400");
    expect_request(POST "X: a\rb\r\n\r\n", "!400");
    expect_request(POST "X: a\x7f\r\n\r\n", "!400");
    expect_request(POST "(X): a\r\n\r\n", "!400");
    expect_request(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "!501");
    expect_request(POST "Transfer-Encoding: identity\r\n\r\n", "!501");
    expect_request(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "!501");
    expect_request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "!400");
    expect_bytes(HTTP_REQUEST, POST "X: a\0b\r\n\r\n", sizeof POST "X: a\0b\r\n\r\n" - 1, "!400");
    expect_bytes(HTTP_REQUEST, POST "X\0: a\r\n\r\n", sizeof POST "X\0: a\r\n\r\n" - 1, "!400");
}

static void test_first_lines(void **state)
{
    (void)state;
    expect_request("GET / HTTP/1.1\r\n\r\n", "!400");
    expect_request("GET / HTTP/1.1\r\n" HOST HOST "\r\n", "!400");
    expect_request("GET / HTTP/1.0\r\n" HOST HOST "\r\n", "!400");
    expect_request("\r\n" GET "\r\n", "!400");
    expect_request("GET  / HTTP/1.1\r\n", "!400");
    expect_request("GET /  HTTP/1.1\r\n", "!400");
    expect_request("GET / HTTP/1.1 \r\n", "!400");
    expect_request(" GET / HTTP/1.1\r\n", "!400");
    expect_request("GET\t/ HTTP/1.1\r\n", "!400");
    expect_request("GET / HTTP/1.1\n", "!400");
    expect_request("GET /\xc3\xa4 HTTP/1.1\r\n", "!400");
    expect_request("GET / http/1.1\r\n", "!400");
    expect_request("GET / HTTP/11\r\n", "!400");
    expect_request("GET /\r\n", "!400");
    expect_request("GET\r\n", "!400");
    expect_request("G(T / HTTP/1.1\r\n", "!400");
    expect_request("GET / HTTP/2.0\r\n", "!505");
    expect_request("GET / HTTP/1.2\r\n", "!505");
    expect_request("GET / HTTP/0.9\r\n", "!505");
}

static void test_responses(void **state)
{
    (void)state;
    expect_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 1.1 keep[hi] ");
    expect_response("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "404 1.1 keep[] ");
    expect_response("HTTP/1.0 503 a b c\r\n\r\n", "503 1.0[] ");
    expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n!\r\n0\r\n\r\n",
                    "200 1.1 keep[!] ");
    expect_response("HTTP/1.1 2000 OK\r\n", "!400");
    expect_response("HTTP/1.1 099 OK\r\n", "!400");
    expect_response("HTTP/1.1  200 OK\r\n", "!400");
    expect_response("HTTP/1.1\r\n", "!400");
    expect_response("HTTP/3.1 200 OK\r\n", "!505");
    expect_response("GET / HTTP/1.1\r\n", "!400");
}

/* Of exactly the limit it goes, with one byte more it does not. */
static void test_limits(void **state)
{
    char text[600], expected[100], *end;

    (void)state;
    end = text + sprintf(text, "GET /%0*d HTTP/1.1\r\n", LINE_BYTES - 16, 7);
    assert_int_equal(end - text, LINE_BYTES);
    strcpy(end, HOST "\r\n");
    sprintf(expected, "GET /%0*d 1.1 keep[] ", LINE_BYTES - 16, 7);
    expect_request(text, expected);
    end = text + sprintf(text, "GET /%0*d HTTP/1.1\r\n", LINE_BYTES - 15, 7);
    expect_request(text, "!431");
    text[LINE_BYTES] = '\0'; /* no end in sight */
    expect_request(text, "!431");
    end = text + sprintf(text, GET);
    while (end - text < HEAD_BYTES - 24)
        end += sprintf(end, "X: 6789\r\n");
    end += sprintf(end, "X: %0*d\r\n\r\n", (int)(HEAD_BYTES - (end - text) - 7), 7);
    assert_int_equal(end - text, HEAD_BYTES);
    expect_request(text, "GET / 1.1 keep[] ");
    sprintf(end - 2, "Y:\r\n\r\n");
    expect_request(text, "!431");
    sprintf(end - 4, "1\r\n\r\n");
    expect_request(text, "!431");
    expect_request(POST "Content-Length: 51\r\n\r\n", "!413");
    expect_request(CHUNKED "33\r\n", "POST /x 1.1 keep[!413");
    expect_request(CHUNKED "32\r\n", "POST /x 1.1 keep[...");
    expect_request(CHUNKED "3\r\nabc\r\n30\r\n", "POST /x 1.1 keep[abc!413");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(test_first_lines),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
