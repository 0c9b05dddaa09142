/* http.c - takes HTTP/1.1 messages apart, strictly. */
#include "benches/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { BAD = -400, TOO_LARGE = -413, TOO_LONG = -431, NO_CODING = -501, NO_VERSION = -505 };

#define TOKEN "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define VISIBLE TOKEN "\"(),/:;<=>?@[\\]{}"

/* Whether it has characters, and these only. */
static bool is_of(struct http_text t, const char *set)
{
    for (size_t i = 0; i < t.bytes; i++)
        if (!t.data[i] || !strchr(set, t.data[i]))
            return false;
    return t.bytes > 0;
}

static bool is_word(struct http_text t, const char *word)
{
    return t.bytes == strlen(word) && strncasecmp(t.data, word, t.bytes) == 0;
}

static bool is_number(struct http_text t, int base, size_t digits_most, uint64_t *value)
{
    static const char digits[] = "0123456789abcdef";
    const char *at;

    *value = 0;
    for (size_t i = 0; i < t.bytes; i++, *value = *value * (unsigned)base + (uint64_t)(at - digits))
        if (!(at = memchr(digits, tolower((unsigned char)t.data[i]), (size_t)base)))
            return false;
    return t.bytes > 0 && t.bytes <= digits_most;
}

/* What stands before the character, and *rest behind it; all, and nothing, if it is not there. */
static struct http_text before(struct http_text t, char c, struct http_text *rest)
{
    const char *at = t.bytes ? memchr(t.data, c, t.bytes) : NULL;
    size_t bytes = at ? (size_t)(at - t.data) : t.bytes, with = bytes + (at != NULL);

    *rest = (struct http_text){ t.data + with, t.bytes - with };
    return (struct http_text){ t.data, bytes };
}

static struct http_text trimmed(struct http_text t)
{
    for (; t.bytes && (*t.data == ' ' || *t.data == '\t'); t.data++)
        t.bytes--;
    while (t.bytes && (t.data[t.bytes - 1] == ' ' || t.data[t.bytes - 1] == '\t'))
        t.bytes--;
    return t;
}

/* A line, without its end. Its bytes with that, HTTP_MORE, or -status. */
static int64_t take_line(const char *data, size_t size_bytes, size_t most, struct http_text *line)
{
    const char *end = size_bytes ? memchr(data, '\n', size_bytes < most ? size_bytes : most) : NULL;

    if (!end)
        return size_bytes >= most ? TOO_LONG : HTTP_MORE;
    if (end == data || end[-1] != '\r')
        return BAD;
    *line = (struct http_text){ data, (size_t)(end - 1 - data) };
    for (size_t i = 0; i < line->bytes; i++)
        if (iscntrl((unsigned char)data[i]) && data[i] != '\t')
            return BAD;
    return end + 1 - data;
}

static int take_version(struct http_text t, struct http_head *h)
{
    if (t.bytes != 8 || memcmp(t.data, "HTTP/", 5) != 0 || t.data[6] != '.' ||
        !isdigit((unsigned char)t.data[5]) || !isdigit((unsigned char)t.data[7]))
        return BAD;
    h->minor = t.data[7] - '0';
    return t.data[5] == '1' && h->minor <= 1 ? 0 : NO_VERSION;
}

static int take_first(struct http_text line, enum http_kind kind, struct http_head *h)
{
    struct http_text rest, first = before(line, ' ', &rest), second = before(rest, ' ', &rest);
    uint64_t status;

    if (kind == HTTP_RESPONSE) {
        if (second.bytes != 3 || !is_number(second, 10, 3, &status) || status < 100)
            return BAD;
        h->status = (int)status;
        return take_version(first, h);
    }
    h->method = first;
    h->target = second;
    return is_of(first, TOKEN) && is_of(second, VISIBLE) ? take_version(rest, h) : BAD;
}

static int take_length(struct http_text value, struct http_head *h)
{
    uint64_t length;

    if (!is_number(value, 10, 18, &length) || (h->has_length && length != h->length))
        return BAD;
    h->has_length = true;
    h->length = length;
    return 0;
}

static int take_field(struct http_text line, struct http_head *h)
{
    struct http_text value, word, name = before(line, ':', &value);

    if (!is_of(name, TOKEN) || name.bytes == line.bytes)
        return BAD;
    value = trimmed(value);
    if (is_word(name, "content-length"))
        return take_length(value, h);
    if (is_word(name, "transfer-encoding") && (h->chunked || !is_word(value, "chunked")))
        return NO_CODING;
    h->chunked |= is_word(name, "transfer-encoding");
    h->hosts += is_word(name, "host");
    h->expects_continue |= is_word(name, "expect") && is_word(value, "100-continue");
    while (is_word(name, "connection") && value.bytes) {
        word = trimmed(before(value, ',', &value));
        h->closes |= is_word(word, "close");
        h->keeps |= is_word(word, "keep-alive");
    }
    return 0;
}

/* What only the whole head shows. */
static int judge(struct http_head *h, const struct http_limits *limits, enum http_kind kind)
{
    h->keep_alive = !h->closes && (h->minor == 1 || h->keeps);
    h->expects_continue &= h->minor == 1;
    if (h->chunked && (h->has_length || h->minor == 0))
        return BAD;
    if (kind == HTTP_REQUEST && (h->hosts > 1 || h->hosts < h->minor))
        return BAD;
    return h->length > limits->body_bytes ? TOO_LARGE : 0;
}

int64_t http_head(const char *data, size_t size_bytes, const struct http_limits *limits,
                  enum http_kind kind, struct http_head *h)
{
    struct http_text line;
    size_t used = 0, most = limits->line_bytes;
    int result = 0;

    memset(h, 0, sizeof *h);
    do {
        int64_t got = take_line(data + used, size_bytes - used, most, &line);

        if (got <= 0)
            return got;
        if (line.bytes || !used)
            result = used ? take_field(line, h) : take_first(line, kind, h);
        used += (size_t)got;
        if (limits->head_bytes - used < most)
            most = limits->head_bytes - used;
    } while (line.bytes && result == 0);
    if (result == 0)
        result = judge(h, limits, kind);
    return result < 0 ? result : (int64_t)used;
}

void http_body_begin(struct http_body *b, const struct http_head *h,
                     const struct http_limits *limits)
{
    *b = (struct http_body){ .chunked = h->chunked,
                             .part = h->chunked ? HTTP_SIZE : HTTP_DATA,
                             .left = h->length,
                             .may_come = limits->body_bytes,
                             .line_bytes = limits->line_bytes,
                             .ended = !h->chunked && !h->length };
}

static int64_t take_size(struct http_body *b, const char *data, size_t size_bytes)
{
    struct http_text line, extension;
    int64_t got = take_line(data, size_bytes, b->line_bytes, &line);

    if (got <= 0)
        return got;
    if (!is_number(before(line, ';', &extension), 16, 15, &b->left))
        return BAD;
    if (b->left > b->may_come)
        return TOO_LARGE;
    b->may_come -= b->left;
    b->part = b->left ? HTTP_DATA : HTTP_BODY_END;
    return got;
}

static int64_t take_end(struct http_body *b, const char *data, size_t size_bytes)
{
    struct http_text line;
    int64_t got = take_line(data, size_bytes, 2, &line);

    if (got <= 0)
        return got == HTTP_MORE ? HTTP_MORE : BAD;
    b->ended = b->part == HTTP_BODY_END;
    b->part = HTTP_SIZE;
    return got;
}

int64_t http_body(struct http_body *b, const char *data, size_t size_bytes, struct http_text *piece)
{
    *piece = (struct http_text){ data, 0 };
    if (b->part == HTTP_SIZE)
        return take_size(b, data, size_bytes);
    if (b->part != HTTP_DATA)
        return take_end(b, data, size_bytes);
    piece->bytes = size_bytes < b->left ? size_bytes : (size_t)b->left;
    b->left -= piece->bytes;
    if (!b->left) {
        b->ended = !b->chunked;
        b->part = HTTP_DATA_END;
    }
    return (int64_t)piece->bytes;
}
