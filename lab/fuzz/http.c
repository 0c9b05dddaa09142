/* http.c - whatever bytes come, and however they are cut, HTTP is taken apart in the same way.
 *
 * The first byte says whether requests or responses, and where the rest is cut. What is taken of
 * the whole must be what is taken of two pieces, and of single bytes; and a piece of a body lies in
 * the bytes that were given.
 */
#include "benches/http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const struct http_limits limits = { .line_bytes = 60, .head_bytes = 150, .body_bytes = 100 };

/* What was taken: a digest of all that was said. */
struct taken {
    uint64_t digest;
    int64_t error; /* 0: none */
    size_t used, messages;
    bool in_body;
    struct http_body body;
};

static void mix(struct taken *t, const char *data, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        t->digest = (t->digest ^ (unsigned char)data[i]) * 0x100000001b3u;
}

static void mix_number(struct taken *t, uint64_t number)
{
    mix(t, (const char *)&number, sizeof number);
}

static void check(const struct http_text *text, const char *data, size_t size_bytes)
{
    if (text->bytes && (text->data < data || text->data + text->bytes > data + size_bytes))
        abort();
}

static int64_t take_head(struct taken *t, const char *data, size_t size_bytes, enum http_kind kind)
{
    struct http_head h;
    int64_t got = http_head(data, size_bytes, &limits, kind, &h);

    if (got <= 0)
        return got;
    check(&h.method, data, (size_t)got);
    check(&h.target, data, (size_t)got);
    if ((h.chunked && h.has_length) || h.length > limits.body_bytes || h.minor > 1)
        abort();
    mix(t, h.method.data, h.method.bytes);
    mix(t, h.target.data, h.target.bytes);
    mix_number(t, (uint64_t)h.status << 8 | (uint64_t)h.minor << 4 | (uint64_t)h.keep_alive << 1 |
                      h.chunked);
    mix_number(t, h.length);
    http_body_begin(&t->body, &h, &limits);
    t->in_body = true;
    return got;
}

static int64_t take_body(struct taken *t, const char *data, size_t size_bytes)
{
    struct http_text piece;
    int64_t got = http_body(&t->body, data, size_bytes, &piece);

    if (got >= 0) {
        check(&piece, data, size_bytes);
        mix(t, piece.data, piece.bytes);
    }
    return got;
}

static void take(struct taken *t, const uint8_t *data, size_t size_bytes, enum http_kind kind)
{
    while (!t->error && t->used < size_bytes) {
        const char *rest = (const char *)data + t->used;
        int64_t got = t->in_body ? take_body(t, rest, size_bytes - t->used)
                                 : take_head(t, rest, size_bytes - t->used, kind);

        if (got > (int64_t)(size_bytes - t->used))
            abort();
        if (got == HTTP_MORE)
            return;
        if (got < 0) {
            t->error = got;
            return;
        }
        t->used += (size_t)got;
        if (t->body.ended) {
            t->in_body = t->body.ended = false;
            mix_number(t, ++t->messages);
        }
    }
}

/* Returns 0, always: as libFuzzer wants it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct taken whole = { 0 }, halves = { 0 }, bytes = { 0 };
    enum http_kind kind;
    size_t cut;

    if (!size_bytes)
        return 0;
    kind = *data & 1 ? HTTP_RESPONSE : HTTP_REQUEST;
    cut = (size_t)(*data++ >> 1) % size_bytes;
    size_bytes--;
    take(&whole, data, size_bytes, kind);
    take(&halves, data, cut, kind);
    take(&halves, data, size_bytes, kind);
    for (size_t i = 1; i <= size_bytes; i++)
        take(&bytes, data, i, kind);
    if (whole.digest != halves.digest || whole.error != halves.error || whole.used != halves.used ||
        whole.digest != bytes.digest || whole.error != bytes.error || whole.used != bytes.used)
        abort();
    return 0;
}
