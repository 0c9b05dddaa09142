/* test_http_h11.c - requests made by chance, taken apart by us and by h11, an independent parser.
 *
 * http_h11.py makes them, right ones and broken ones, and says what h11 makes of each. We must see
 * the same requests and the same end, or the bytes must have one of the properties in which we
 * differ on purpose: the table REASONS there. In all of these but one we refuse what h11 takes. (In
 * HTTP/1.0 we keep a connection that asks for it, which h11 does not.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "benches/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { COUNT = 3000, SAID_BYTES = 8192, SKIPPED = 77 };

static const struct http_limits limits = {
    .line_bytes = 4000,
    .head_bytes = 4000,
    .body_bytes = 100000,
};

struct said {
    char text[SAID_BYTES];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void say(struct said *s, const char *format, ...)
{
    va_list more;

    va_start(more, format);
    s->used += (size_t)vsnprintf(s->text + s->used, sizeof s->text - s->used, format, more);
    va_end(more);
    assert_true(s->used < sizeof s->text);
}

/* The body of a request whose head was taken. How many bytes, HTTP_MORE, or -status. */
static int64_t say_body(struct said *s, const struct http_head *h, const char *data,
                        size_t size_bytes)
{
    struct http_body body;
    struct http_text piece;
    size_t used = 0;

    http_body_begin(&body, h, &limits);
    while (!body.ended) {
        int64_t got = http_body(&body, data + used, size_bytes - used, &piece);

        if (got <= 0)
            return got;
        for (size_t i = 0; i < piece.bytes; i++)
            say(s, "%02x", (unsigned char)piece.data[i]);
        used += (size_t)got;
    }
    return (int64_t)used + 1; /* 0 would be HTTP_MORE */
}

/* In the words of http_h11.py. */
static void split(struct said *s, const char *data, size_t size_bytes)
{
    size_t used = 0;

    s->used = 0;
    *s->text = '\0';
    while (used < size_bytes) {
        struct http_head h;
        size_t before = s->used;
        int64_t head = http_head(data + used, size_bytes - used, &limits, HTTP_REQUEST, &h), body;

        body = head;
        if (head > 0) {
            say(s, "%.*s,%.*s,", (int)h.method.bytes, h.method.data, (int)h.target.bytes,
                h.target.data);
            body = say_body(s, &h, data + used + head, size_bytes - used - (size_t)head);
        }
        if (body <= 0) {
            s->used = before;
            say(s, body ? "!" : "...");
            return;
        }
        used += (size_t)(head + body - 1);
        say(s, ",%s ", h.keep_alive ? "keep" : "close");
        if (!h.keep_alive)
            return;
    }
}

static size_t from_hex(const char *hex, size_t length, char *data)
{
    for (size_t i = 0; i < length / 2; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        data[i] = (char)byte;
    }
    return length / 2;
}

static bool ends_in(const char *text, size_t length, const char *end)
{
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* We may refuse by now what h11 will refuse, or wait for the end of a line that it knows to be
 * wrong. */
static bool is_same(const char *ours, const char *theirs)
{
    size_t length = strlen(ours);

    if (strcmp(ours, theirs) == 0)
        return true;
    if (ends_in(ours, length, "..."))
        length -= 3;
    else if (ends_in(ours, length, "!"))
        length -= 1;
    else
        return false;
    return strncmp(ours, theirs, length) == 0 &&
           (strcmp(theirs + length, "...!") == 0 ||
            (ours[length] == '.' && strcmp(theirs + length, "!") == 0));
}

struct counts {
    int same, explained;
};

static void compare(char *line, struct counts *counts)
{
    static struct said ours;
    char *hex = strchr(line, ' '), *theirs = strchr(hex + 1, ' '), *data;
    size_t size_bytes;

    line[strcspn(line, "\n")] = '\0';
    *hex++ = *theirs++ = '\0';
    data = malloc(strlen(hex) / 2 + 1);
    assert_non_null(data);
    size_bytes = from_hex(hex, strlen(hex), data);
    split(&ours, data, size_bytes);
    if (is_same(ours.text, theirs))
        counts->same++;
    else if (strcmp(line, "-") != 0)
        counts->explained++;
    else
        fail_msg("we: '%s'; h11: '%s'; of:\n%.*s", ours.text, theirs, (int)size_bytes, data);
    free(data);
}

static void test_we_see_what_h11_sees(void **state)
{
    const char *seed = getenv("TEST_SEED");
    static char line[1 << 16];
    struct counts counts = { 0, 0 };
    char command[200];
    FILE *theirs;
    int status;

    (void)state;
    snprintf(command, sizeof command,
             "PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 benches/load/tests/http_h11.py %s %d",
             seed ? seed : "1", COUNT);
    theirs = popen(command, "r");
    assert_non_null(theirs);
    while (fgets(line, sizeof line, theirs))
        if (strchr(line, ' '))
            compare(line, &counts);
    status = pclose(theirs);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip(); /* python3-h11 is not installed */
    assert_int_equal(status, 0);
    assert_int_equal(counts.same + counts.explained, COUNT);
    assert_true(counts.same > COUNT / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_we_see_what_h11_sees) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
