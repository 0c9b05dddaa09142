/* test_stream.c - streams: asyncio's tests of them, under their names, over socket pairs; and what
 * is ours: cancellation, back-pressure, half-close, the implicit style, ends and errors.
 */
#include "coroutines/stream.h"

#include "coroutines/hub.h"
#include "coroutines/run.h"
#include "coroutines/tests/plays.h"
#include "coroutines/timeout.h"
#include "coroutines/wait.h"
#include "objects/bytes.h"
#include "objects/tuple.h"
#include "objects/warning.h"

#include <errno.h>
#include <fcntl.h>

enum { TIMEOUT_S = 60, BIG_BYTES = 1 << 20 };

#define DATA "line1\nline2\nline3\n"

static char big[BIG_BYTES];

/* ---- what all need ---- */

static struct object *loop, *stream;
static int peer; /* the other end; -1: closed */

static void open_stream(borrowed l, const struct stream_limits *limits)
{
    int pair[2], size_bytes = 1;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof size_bytes);
    peer = pair[1];
    stream = stream_new(l, pair[0], limits, NULL);
    assert_non_null(stream);
}

static void close_peer(void)
{
    if (peer >= 0)
        close(peer);
    peer = -1;
}

static void close_stream(void)
{
    stream_close(stream);
    decref(stream);
    close_peer();
}

static void reopen(const struct stream_limits *limits)
{
    close_stream();
    open_stream(loop, limits);
}

static int set_up(void **state)
{
    (void)state;
    loop = make_loop();
    open_stream(loop, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stream_abort(stream);
    decref(stream);
    end_loop(loop);
    close_peer();
    return 0;
}

static void feed(const char *text)
{
    assert_int_equal(send(peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void feed_eof(void)
{
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
}

static struct object *feed_it(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)arguments, (void)count;
    feed(str_text(closure));
    return none();
}

/* In a later turn. */
static void feed_soon(const char *text)
{
    struct object *closure = str_new(text);

    soon(loop, function_new("feed", feed_it, ARGUMENTS_ANY, closure));
    decref(closure);
}

static struct object *end_it(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    feed_eof();
    return none();
}

static void feed_eof_soon(void)
{
    soon(loop, function_new("end", end_it, ARGUMENTS_ANY, NULL));
}

static struct object *complete(struct object *future /* steals */)
{
    struct object *result;

    assert_non_null(future);
    result = run_until_complete(loop, future);
    decref(future);
    return result;
}

static void assert_bytes(struct object *bytes /* steals */, const char *expected)
{
    assert_non_null(bytes);
    assert_int_equal(bytes_length(bytes), strlen(expected));
    assert_string_equal(bytes_data(bytes), expected);
    decref(bytes);
}

static void assert_gives(struct object *future /* steals */, const char *expected)
{
    assert_bytes(complete(future), expected);
}

static void assert_future_fails(struct object *future /* steals */, const struct type *kind,
                                const char *message)
{
    assert_error(!complete(future), kind, message);
}

static void assert_done(struct object *future /* steals */)
{
    struct object *result = complete(future);

    assert_ptr_equal(result, none());
    decref(result);
}

static void assert_buffered(const char *expected)
{
    const char *data;
    size_t have = stream_buffered(stream, &data);

    assert_int_equal(have, strlen(expected));
    assert_memory_equal(data ? data : "", expected, have);
}

static struct object *until(const char *separator)
{
    return stream_read_until(stream, separator, strlen(separator));
}

/* What is pending, with its value, taken. */
static struct object *raised(struct object *result, const struct type *kind)
{
    assert_null(result);
    assert_true(exception_matches(kind));
    return exception_take();
}

/* What the peer reads next. */
static void assert_peer_gets(const char *expected)
{
    char data[100] = "";

    assert_int_equal(recv(peer, data, strlen(expected), MSG_WAITALL), strlen(expected));
    assert_string_equal(data, expected);
}

/* ---- test_streams.py: reading ---- */

static void test_read_zero(void **state)
{
    (void)state;
    feed(DATA);
    assert_gives(stream_read(stream, 0), "");
    assert_gives(stream_read(stream, 100), DATA);
}

static void test_read(void **state)
{
    struct object *f = stream_read(stream, 30);

    (void)state;
    feed_soon(DATA);
    assert_gives(f, DATA);
    assert_buffered("");
}

static void test_read_line_breaks(void **state)
{
    (void)state;
    feed("line1");
    feed("line2");
    assert_gives(stream_read(stream, 5), "line1");
    assert_buffered("line2");
}

static void test_read_eof(void **state)
{
    struct object *f = stream_read(stream, 1024);

    (void)state;
    feed_eof_soon();
    assert_gives(f, "");
    assert_buffered("");
}

static void test_read_until_eof(void **state)
{
    struct object *f = stream_read(stream, STREAM_TO_END);

    (void)state;
    feed_soon("chunk1\n");
    feed_soon("chunk2");
    feed_eof_soon();
    assert_gives(f, "chunk1\nchunk2");
    assert_buffered("");
}

static void set_error(const struct type *kind, const char *message)
{
    struct object *e = exception_new(kind, "%s", message);

    stream_set_exception(stream, e);
    decref(e);
}

static void test_read_exception(void **state)
{
    (void)state;
    feed("line\n");
    assert_gives(stream_read(stream, 2), "li");
    set_error(&value_error, "x");
    assert_future_fails(stream_read(stream, 2), &value_error, "x");
}

static void test_read_limit(void **state)
{
    (void)state;
    reopen(&(struct stream_limits){ .limit_bytes = 3 });
    feed("chunk");
    assert_gives(stream_read(stream, 5), "chunk");
    assert_buffered("");
}

static void test_readline(void **state)
{
    struct object *f;

    (void)state;
    feed("chunk1 ");
    f = stream_read_line(stream);
    feed_soon("chunk2 ");
    feed_soon("chunk3 ");
    feed_soon("\n chunk4");
    assert_gives(f, "chunk1 chunk2 chunk3 \n");
    assert_buffered(" chunk4");
}

#define FOUND_TEXT "Separator is found, but chunk is longer than limit"
#define NOT_FOUND_TEXT "Separator is not found, and chunk exceed the limit"

static void test_readline_limit_with_existing_data(void **state)
{
    (void)state;
    reopen(&(struct stream_limits){ .limit_bytes = 3 });
    feed("li");
    feed("ne1\nline2\n");
    assert_future_fails(stream_read_line(stream), &value_error, FOUND_TEXT);
    assert_buffered("line2\n");

    reopen(&(struct stream_limits){ .limit_bytes = 3 });
    feed("li");
    feed("ne1");
    feed("li");
    assert_future_fails(stream_read_line(stream), &value_error, NOT_FOUND_TEXT);
    assert_buffered("");
}

static void test_at_eof(void **state)
{
    (void)state;
    assert_false(stream_at_eof(stream));
    feed("some data\n");
    assert_gives(stream_read_line(stream), "some data\n");
    assert_false(stream_at_eof(stream));
    feed("some data\n");
    feed_eof();
    assert_gives(stream_read_line(stream), "some data\n");
    assert_gives(stream_read_line(stream), "");
    assert_true(stream_at_eof(stream));
}

static void test_readline_limit(void **state)
{
    const struct stream_limits seven = { .limit_bytes = 7 };
    struct object *f;

    (void)state;
    reopen(&seven);
    f = stream_read_line(stream);
    feed_soon("chunk1chunk2chunk3\n");
    feed_eof_soon();
    assert_future_fails(f, &value_error, FOUND_TEXT);
    assert_buffered("");

    reopen(&seven);
    f = stream_read_line(stream);
    feed_soon("chunk1chunk2\nchunk3\n");
    feed_eof_soon();
    assert_future_fails(f, &value_error, FOUND_TEXT);
    assert_buffered("chunk3\n");

    reopen(&seven); /* the limit is strict */
    feed("1234567\n");
    assert_gives(stream_read_line(stream), "1234567\n");
    feed("12345678\n");
    assert_future_fails(stream_read_line(stream), &value_error, FOUND_TEXT);
    assert_buffered("");
    feed("12345678");
    assert_future_fails(stream_read_line(stream), &value_error, NOT_FOUND_TEXT);
    assert_buffered("");
}

static void test_readline_nolimit_nowait(void **state)
{
    (void)state;
    feed("line1\n");
    feed("line2\nline3\n");
    assert_gives(stream_read_line(stream), "line1\n");
    assert_buffered("line2\nline3\n");
}

static void test_readline_eof(void **state)
{
    (void)state;
    feed("some data");
    feed_eof();
    assert_gives(stream_read_line(stream), "some data");
}

static void test_readline_empty_eof(void **state)
{
    (void)state;
    feed_eof();
    assert_gives(stream_read_line(stream), "");
}

static void test_readline_read_byte_count(void **state)
{
    (void)state;
    feed(DATA);
    assert_gives(stream_read_line(stream), "line1\n");
    assert_gives(stream_read(stream, 7), "line2\nl");
    assert_buffered("ine3\n");
}

static void test_readline_exception(void **state)
{
    (void)state;
    feed("line\n");
    assert_gives(stream_read_line(stream), "line\n");
    set_error(&value_error, "");
    assert_future_fails(stream_read_line(stream), &value_error, "");
    assert_buffered("");
}

static void test_readuntil_separator(void **state)
{
    (void)state;
    assert_error(!until(""), &value_error, "Separator should be at least one-byte string");
    assert_error(!until("12345678901234567"), &value_error, "Separator should be at most 16 bytes");
}

static void test_readuntil_multi_chunks(void **state)
{
    (void)state;
    feed("lineAAA");
    assert_gives(until("AAA"), "lineAAA");
    assert_buffered("");
    feed("lineAAA");
    assert_gives(until("AAA"), "lineAAA");
    feed("lineAAAxxx");
    assert_gives(until("AAA"), "lineAAA");
    assert_buffered("xxx");
}

/* Each piece comes in a turn of its own, so that the search goes on where it was. */
static void assert_found(const char *const *pieces, const char *expected)
{
    struct object *f = until("aaa");

    for (; *pieces; pieces++) {
        assert_false(future_done(f));
        feed(*pieces);
        turns(loop, 2);
    }
    assert_gives(f, expected);
    assert_buffered("");
}

static void test_readuntil_multi_chunks_1(void **state)
{
    (void)state;
    assert_found((const char *const[]){ "QWEaa", "XYaa", "a", NULL }, "QWEaaXYaaa");
    assert_found((const char *const[]){ "QWEaa", "XYa", "aa", NULL }, "QWEaaXYaaa");
    assert_found((const char *const[]){ "aaa", NULL }, "aaa");
    assert_found((const char *const[]){ "Xaaa", NULL }, "Xaaa");
    assert_found((const char *const[]){ "XXX", "a", "a", "a", NULL }, "XXXaaa");
}

/* A tuple of what there was and what was wanted. */
static void assert_incomplete(struct object *future /* steals */, const char *partial,
                              const char *expected, const char *message)
{
    struct object *e = raised(complete(future), &incomplete_read_error);

    assert_string_equal(exception_message(e), message);
    assert_bytes(incref(tuple_get(exception_value(e), 0)), partial);
    assert_repr(tuple_get(exception_value(e), 1), expected);
    assert_true(exception_is(e, &eof_error));
    decref(e);
    assert_buffered("");
}

static void test_readuntil_eof(void **state)
{
    (void)state;
    feed("some dataAA");
    feed_eof();
    assert_incomplete(until("AAA"), "some dataAA", "None",
                      "11 bytes read on a total of undefined expected bytes");
}

static void assert_overrun(struct object *future /* steals */, const char *message,
                           int64_t consumed)
{
    struct object *e = raised(complete(future), &limit_overrun_error);

    assert_string_equal(exception_message(e), message);
    assert_int_equal(int_value(exception_value(e)), consumed);
    decref(e);
}

static void test_readuntil_limit_found_sep(void **state)
{
    (void)state;
    reopen(&(struct stream_limits){ .limit_bytes = 3 });
    feed("some dataAA");
    assert_overrun(until("AAA"), NOT_FOUND_TEXT, 9);
    assert_buffered("some dataAA");
    reopen(&(struct stream_limits){ .limit_bytes = 3 });
    feed("some dataAAA");
    assert_overrun(until("AAA"), FOUND_TEXT, 9);
    assert_buffered("some dataAAA");
}

static void test_readexactly_zero_or_less(void **state)
{
    (void)state;
    feed(DATA);
    assert_gives(stream_read_exactly(stream, 0), "");
    assert_gives(stream_read(stream, 100), DATA);
}

static void test_readexactly(void **state)
{
    struct object *f = stream_read_exactly(stream, 2 * strlen(DATA));

    (void)state;
    feed_soon(DATA);
    feed_soon(DATA);
    feed_soon(DATA);
    assert_gives(f, DATA DATA);
    assert_buffered(DATA);
}

static void test_readexactly_limit(void **state)
{
    (void)state;
    reopen(&(struct stream_limits){ .limit_bytes = 3 });
    feed("chunk");
    assert_gives(stream_read_exactly(stream, 5), "chunk");
    assert_buffered("");
}

static void test_readexactly_eof(void **state)
{
    struct object *f = stream_read_exactly(stream, 2 * strlen(DATA));

    (void)state;
    feed_soon(DATA);
    feed_eof_soon();
    assert_incomplete(f, DATA, "36", "18 bytes read on a total of 36 expected bytes");
}

static void test_readexactly_exception(void **state)
{
    (void)state;
    feed("line\n");
    assert_gives(stream_read_exactly(stream, 2), "li");
    set_error(&value_error, "");
    assert_future_fails(stream_read_exactly(stream, 2), &value_error, "");
}

static void test_exception(void **state)
{
    struct object *e = exception_new(&value_error, "%s", "");

    (void)state;
    assert_null(stream_exception(stream));
    stream_set_exception(stream, e);
    assert_ptr_equal(stream_exception(stream), e);
    decref(e);
}

static void test_exception_waiter(void **state)
{
    struct object *f = stream_read_line(stream);

    (void)state;
    set_error(&value_error, "");
    assert_future_fails(f, &value_error, "");
}

static void test_exception_cancel(void **state)
{
    struct object *f = stream_read_line(stream);

    (void)state;
    turns(loop, 1);
    assert_int_equal(future_cancel(f, NULL), 1);
    turns(loop, 1);
    set_error(&runtime_error, "message");
    turns(loop, 1);
    assert_cancelled(f);
    decref(f);
}

static void assert_stream_repr(const char *behind)
{
    char text[200];

    snprintf(text, sizeof text, "<Stream fd=%d%s>", stream_descriptor(stream), behind);
    assert_repr(stream, text);
}

static void test___repr__(void **state)
{
    (void)state;
    assert_stream_repr("");
}

static void test___repr__nondefault_limit(void **state)
{
    (void)state;
    reopen(&(struct stream_limits){ .limit_bytes = 123 });
    assert_stream_repr(" limit=123");
}

static void test___repr__eof(void **state)
{
    (void)state;
    feed_eof();
    assert_gives(stream_read(stream, 1), "");
    assert_stream_repr(" eof");
}

static void test___repr__data(void **state)
{
    (void)state;
    feed("1data");
    assert_gives(stream_read(stream, 1), "1");
    assert_stream_repr(" 4 bytes");
}

static void test___repr__exception(void **state)
{
    (void)state;
    set_error(&runtime_error, "");
    assert_stream_repr(" exception=RuntimeError()");
}

static void test___repr__waiter(void **state)
{
    struct object *f = stream_read(stream, 1);

    (void)state;
    assert_stream_repr(" waiter=<Future read pending>");
    future_cancel(f, NULL);
    assert_stream_repr("");
    decref(f);
}

/* ---- test_streams.py: writing and closing ---- */

static void test_wait_closed_on_close(void **state)
{
    (void)state;
    feed("answer");
    assert_gives(stream_read(stream, 100), "answer");
    assert_false(stream_is_closing(stream));
    stream_close(stream);
    assert_true(stream_is_closing(stream));
    assert_done(stream_wait_closed(stream));
    assert_int_equal(stream_descriptor(stream), -1);
}

static void test_wait_closed_on_close_with_unread_data(void **state)
{
    (void)state;
    feed("one\ntwo");
    assert_gives(stream_read_line(stream), "one\n");
    stream_close(stream);
    assert_done(stream_wait_closed(stream));
    assert_buffered("two");
}

static void test_async_writer_api(void **state)
{
    (void)state;
    assert_int_equal(stream_write(stream, "hello", 5), 0);
    assert_done(stream_drain(stream));
    assert_peer_gets("hello");
    feed("answer");
    assert_gives(stream_read(stream, 100), "answer");
    stream_close(stream);
    assert_done(stream_wait_closed(stream));
}

static void test_async_writer_api_exception_after_close(void **state)
{
    (void)state;
    stream_close(stream);
    assert_int_equal(stream_write(stream, "data", 4), 0);
    assert_future_fails(stream_drain(stream), &connection_reset_error, "Connection lost");
}

static void test_eof_feed_when_closing_writer(void **state)
{
    struct object *f = stream_read_line(stream);

    (void)state;
    stream_close(stream);
    assert_done(stream_wait_closed(stream));
    assert_gives(f, "");
    assert_true(stream_at_eof(stream));
    assert_gives(stream_read(stream, 1), "");
}

static char warned[200];

static void hear_warning(const struct type *kind, const char *message)
{
    snprintf(warned, sizeof warned, "%s: %s", kind->name, message);
}

static const struct warning_hooks warning_hooks = { .warn = hear_warning };

static void test_unclosed_resource_warnings(void **state)
{
    const struct warning_hooks *before = warning_set_hooks(&warning_hooks);
    int fd = stream_descriptor(stream);

    (void)state;
    decref(complete(stream_drain(stream)));
    feed("x");
    assert_gives(stream_read(stream, 1), "x");
    decref(stream);
    settle_heap();
    warning_set_hooks(before);
    assert_non_null(strstr(warned, "ResourceWarning: unclosed <Stream fd="));
    turns(loop, 2);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    close_peer();
    open_stream(loop, NULL);
}

static void test_loop_is_closed_resource_warnings(void **state)
{
    const struct warning_hooks *before = warning_set_hooks(&warning_hooks);
    struct object *other = make_loop();
    int fd;

    (void)state;
    close_stream();
    open_stream(other, NULL);
    fd = stream_descriptor(stream);
    end_loop(other);
    decref(stream);
    settle_heap();
    warning_set_hooks(before);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    close_peer();
    open_stream(loop, NULL);
}

/* Ten drains wait; then the peer reads, and all go on. */
static void test_multiple_drain(void **state)
{
    struct object *drains[10];

    (void)state;
    assert_int_equal(stream_write(stream, big, sizeof big), 0);
    for (int i = 0; i < 10; i++) {
        drains[i] = stream_drain(stream);
        assert_false(future_done(drains[i]));
    }
    for (size_t have = 0; have < sizeof big;) {
        char data[4096];
        ssize_t got = recv(peer, data, sizeof data, MSG_DONTWAIT);

        if (got > 0) {
            assert_memory_equal(data, big + have, (size_t)got);
            have += (size_t)got;
        }
        turns(loop, 1);
    }
    for (int i = 0; i < 10; i++)
        assert_done(drains[i]);
    assert_int_equal(stream_unsent(stream), 0);
}

static void test_drain_raises(void **state)
{
    struct object *result = none();

    (void)state;
    close_peer();
    for (int i = 0; i < 3 && result; i++) {
        stream_write(stream, "foo\n", 4);
        result = complete(stream_drain(stream));
    }
    assert_error(!result, &broken_pipe_error, "send: Broken pipe");
}

/* ---- cancellation, time ---- */

static void test_a_read_that_is_cancelled_has_taken_nothing(void **state)
{
    struct object *f = stream_read_exactly(stream, 10);

    (void)state;
    feed("12345");
    turns(loop, 2);
    assert_false(future_done(f));
    assert_buffered("12345");
    assert_int_equal(future_cancel(f, NULL), 1);
    assert_buffered("12345");
    decref(f);
    feed("6");
    assert_gives(stream_read_exactly(stream, 6), "123456");
}

static void test_a_read_whose_time_is_over_has_taken_nothing(void **state)
{
    struct object *f = stream_read_exactly(stream, 10), *timed = wait_for_new(f, NS_PER_MS);

    (void)state;
    decref(f);
    feed("12345");
    assert_error(!complete(timed), &timeout_error, "");
    assert_buffered("12345");
    assert_gives(stream_read(stream, 100), "12345");
}

static void test_a_drain_that_is_cancelled_leaves_what_was_written(void **state)
{
    struct object *f;
    size_t have = 0;

    (void)state;
    assert_int_equal(stream_write(stream, big, sizeof big), 0);
    f = stream_drain(stream);
    assert_int_equal(future_cancel(f, NULL), 1);
    decref(f);
    stream_close(stream);
    assert_true(stream_descriptor(stream) >= 0);
    while (have < sizeof big) {
        char data[4096];
        ssize_t got = recv(peer, data, sizeof data, MSG_DONTWAIT);

        have += got > 0 ? (size_t)got : 0;
        turns(loop, 1);
    }
    assert_done(stream_wait_closed(stream));
}

/* ---- who may ---- */

static void test_another_reader_is_refused(void **state)
{
    struct object *f = stream_read(stream, 1);

    (void)state;
    assert_error(!stream_read_exactly(stream, 1), &runtime_error,
                 "readexactly() called while another coroutine is already waiting for incoming "
                 "data");
    assert_error(!stream_read_line(stream), &runtime_error,
                 "readuntil() called while another coroutine is already waiting for incoming data");
    feed("x");
    assert_gives(f, "x");
}

/* What is there is given to who asks, also while another waits for more; that one looks again. */
static void test_a_search_begins_anew_when_another_took_of_it(void **state)
{
    struct object *f = until("END");

    (void)state;
    feed("12345");
    turns(loop, 2);
    assert_gives(stream_read(stream, 4), "1234");
    feed("END");
    assert_gives(f, "5END");
}

static void test_write_after_write_eof_is_refused(void **state)
{
    (void)state;
    assert_int_equal(stream_write_eof(stream), 0);
    assert_refused(stream_write(stream, "x", 1), "Cannot call write() after write_eof()");
}

/* ---- ends ---- */

static void test_half_close(void **state)
{
    char data[8];

    (void)state;
    assert_int_equal(stream_write(stream, "question", 8), 0);
    assert_int_equal(stream_write_eof(stream), 0);
    assert_int_equal(stream_write_eof(stream), 0);
    assert_peer_gets("question");
    assert_int_equal(recv(peer, data, sizeof data, 0), 0);
    feed("answer");
    assert_gives(stream_read(stream, 100), "answer");
}

/* The end comes behind what could not be sent at once. */
static void test_half_close_waits_for_what_was_written(void **state)
{
    size_t have = 0;
    ssize_t got = 1;

    (void)state;
    assert_int_equal(stream_write(stream, big, sizeof big), 0);
    assert_int_equal(stream_write_eof(stream), 0);
    while (got) {
        char data[4096];

        got = recv(peer, data, sizeof data, MSG_DONTWAIT);
        have += got > 0 ? (size_t)got : 0;
        turns(loop, 1);
    }
    assert_int_equal(have, sizeof big);
}

/* Nobody has read what it sent, so the kernel resets. */
static void test_a_reset_is_an_error_of_reading(void **state)
{
    struct address a = address_loopback(0);
    struct linger hard = { .l_onoff = 1 };
    int listener = socket_listen(&a, 1, false), client = socket_open(&a, SOCK_STREAM), server;

    (void)state;
    close_stream();
    assert_int_equal(connect(client, &a.any, a.size_bytes), 0);
    server = accept(listener, NULL, NULL);
    peer = -1;
    stream = stream_new(loop, client, NULL, NULL);
    setsockopt(server, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(server);
    close(listener);
    assert_future_fails(stream_read(stream, 1), &connection_reset_error,
                        "read: Connection reset by peer");
    assert_future_fails(stream_read(stream, 1), &connection_reset_error,
                        "read: Connection reset by peer");
    stream_close(stream);
    assert_future_fails(stream_wait_closed(stream), &connection_reset_error,
                        "read: Connection reset by peer");
}

/* The peer answered and went: writing fails, but the answer can be read. */
static void test_what_came_before_the_peer_went_can_be_read(void **state)
{
    (void)state;
    feed("too large");
    close_peer();
    assert_int_equal(stream_write(stream, "more", 4), 0);
    assert_future_fails(stream_drain(stream), &broken_pipe_error, "send: Broken pipe");
    assert_gives(stream_read(stream, 100), "too large");
    stream_close(stream);
    assert_future_fails(stream_wait_closed(stream), &broken_pipe_error, "send: Broken pipe");
}

static void test_abort_does_not_wait_for_the_peer(void **state)
{
    struct object *f, *drain;

    (void)state;
    assert_int_equal(stream_write(stream, big, sizeof big), 0);
    drain = stream_drain(stream);
    stream_close(stream);
    f = stream_wait_closed(stream);
    turns(loop, 2);
    assert_false(future_done(f));
    stream_abort(stream);
    assert_done(f);
    assert_done(drain);
}

/* ---- the buffer ---- */

static void test_fill_shows_what_has_come(void **state)
{
    struct object *f;

    (void)state;
    feed("abc");
    assert_result(f = stream_fill(stream), 3);
    decref(f);
    assert_buffered("abc");
    f = stream_fill(stream);
    turns(loop, 2);
    assert_false(future_done(f));
    feed("de");
    decref(complete(f));
    assert_buffered("abcde");
    stream_consume(stream, 4);
    assert_buffered("e");
    feed_eof();
    f = stream_fill(stream);
    decref(complete(incref(f)));
    assert_result(f, 0);
    decref(f);
    assert_buffered("e");
}

static void test_fill_has_a_limit(void **state)
{
    (void)state;
    reopen(&(struct stream_limits){ .limit_bytes = 3 });
    feed("abcde");
    decref(complete(stream_fill(stream)));
    assert_overrun(stream_fill(stream), NOT_FOUND_TEXT, 5);
    assert_buffered("abcde");
}

/* While nobody reads, the kernel keeps it, and the loop does not run in circles. */
static void test_nothing_is_read_for_nobody(void **state)
{
    struct object *f;

    (void)state;
    feed("abc");
    assert_gives(stream_read(stream, 3), "abc");
    f = stream_read(stream, 1);
    future_cancel(f, NULL);
    decref(f);
    assert_true(loop_watches(loop, stream_descriptor(stream), READABLE));
    feed("de");
    turns(loop, 3);
    assert_buffered("");
    assert_false(loop_watches(loop, stream_descriptor(stream), READABLE));
    assert_gives(stream_read(stream, 3), "de");
}

/* One receive takes a piece; what is longer comes in several. */
static void test_a_receive_takes_a_piece(void **state)
{
    (void)state;
    reopen(&(struct stream_limits){ .piece_bytes = 4 });
    feed("abcdefghij");
    assert_gives(stream_read(stream, 100), "abcd");
    assert_gives(stream_read_exactly(stream, 5), "efghi");
    assert_gives(stream_read(stream, 100), "j");
    reopen(&(struct stream_limits){ .piece_bytes = 1 });
    feed("xy");
    assert_gives(stream_read(stream, 100), "x");
    assert_gives(stream_read(stream, 100), "y");
}

static struct object *send_big(borrowed closure, borrowed const *arguments, size_t count)
{
    static size_t sent;
    ssize_t result;

    (void)closure, (void)arguments, (void)count;
    result = send(peer, big + sent, sizeof big - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    sent += result > 0 ? (size_t)result : 0;
    if (sent < sizeof big)
        soon(loop, function_new("send", send_big, ARGUMENTS_ANY, NULL));
    return none();
}

static void test_a_large_read_comes_whole(void **state)
{
    struct object *f = stream_read_exactly(stream, sizeof big), *all;

    (void)state;
    soon(loop, function_new("send", send_big, ARGUMENTS_ANY, NULL));
    all = complete(f);
    assert_non_null(all);
    assert_memory_equal(bytes_data(all), big, sizeof big);
    decref(all);
}

/* ---- the implicit style ---- */

static int set_up_implicit(void **state)
{
    (void)state;
    open_stream(NULL, NULL);
    return 0;
}

static int tear_down_implicit(void **state)
{
    (void)state;
    close_stream();
    return 0;
}

static void test_a_thread_reads_and_writes(void **state)
{
    struct object *e;

    (void)state;
    feed("line1\nline2\nabcdefghi");
    assert_bytes(stream_io_read_line(stream), "line1\n");
    assert_bytes(stream_io_read_until(stream, "2\n", 2), "line2\n");
    assert_bytes(stream_io_read_exactly(stream, 3), "abc");
    assert_bytes(stream_io_read(stream, 2), "de");
    assert_buffered("fghi");
    feed("jk");
    assert_int_equal(stream_io_fill(stream), 6);
    assert_int_equal(stream_io_write(stream, "answer", 6), 0);
    assert_peer_gets("answer");
    feed_eof();
    e = raised(stream_io_read_exactly(stream, 100), &incomplete_read_error);
    decref(e);
    assert_bytes(stream_io_read(stream, 1), "");
}

static struct object *read_in_greenlet(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *line = stream_io_read_line(stream);

    (void)closure, (void)arguments, (void)count;
    note(line ? bytes_data(line) : "nothing");
    return line;
}

static struct object *write_in_greenlet(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    return stream_io_write(stream, big, sizeof big) < 0 ? NULL : none();
}

static struct object *spawn(native *body)
{
    struct object *f = function_new("body", body, 0, NULL), *g = hub_spawn(f, NULL, 0);

    decref(f);
    assert_non_null(g);
    return g;
}

/* One greenlet writes more than the kernel takes, another reads; the main one is the peer. */
static void test_greenlets_read_and_write(void **state)
{
    struct object *writer = spawn(write_in_greenlet), *reader = spawn(read_in_greenlet);
    char data[4096];
    size_t have = 0;

    (void)state;
    *diary = '\0';
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_diary("");
    while (have < sizeof big) {
        ssize_t got = recv(peer, data, sizeof data, MSG_DONTWAIT);

        have += got > 0 ? (size_t)got : 0;
        assert_int_equal(hub_sleep_ns(0), 0);
    }
    feed("line");
    assert_int_equal(hub_sleep_ns(0), 0);
    feed("1\n");
    decref(hub_get(reader, HUB_NEVER));
    decref(hub_get(writer, HUB_NEVER));
    assert_diary("line1\n");
    decref(reader);
    decref(writer);
    hub_end();
}

static void test_a_greenlet_whose_time_is_over_has_taken_nothing(void **state)
{
    struct hub_timeout t;

    (void)state;
    feed("12345");
    assert_int_equal(hub_timeout_begin(&t, NS_PER_MS, NULL), 0);
    assert_null(stream_io_read_exactly(stream, 10));
    assert_int_equal(hub_timeout_end(&t), 1);
    assert_bytes(stream_io_read(stream, 100), "12345");
    hub_end();
}

/* ---- memory ---- */

/* A scripted session: each allocation of it fails once. What a read had to leave is read by the
 * next one. */
static int session(void)
{
    struct object *l = loop_new(), *s = NULL, *f = NULL, *line = NULL;
    int pair[2], result = -1;

    if (!l)
        return -1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    s = stream_new(l, pair[0], NULL, NULL);
    if (!s)
        goto end;
    f = stream_read_line(s);
    if (!f || stream_write(s, big, sizeof big) < 0)
        goto end;
    assert_int_equal(send(pair[1], "a\nb", 3, MSG_NOSIGNAL), 3);
    line = run_until_complete(l, f);
    if (!line) {
        struct object *pending = exception_take(), *again;

        future_cancel(f, NULL);
        again = stream_read_line(s);
        if (again)
            line = run_until_complete(l, again);
        xdecref(again);
        assert_bytes(line, "a\n");
        line = NULL;
        exception_restore(pending);
        goto end;
    }
    assert_bytes(line, "a\n");
    decref(f);
    shutdown(pair[1], SHUT_WR);
    f = stream_read_exactly(s, 5);
    line = f ? run_until_complete(l, f) : NULL;
    assert_null(line);
    if (exception_matches(&incomplete_read_error)) {
        exception_restore(NULL);
        result = 0;
    }
end:
    if (s) {
        stream_abort(s);
        decref(s);
    }
    xdecref(f);
    loop_close(l);
    decref(l);
    close(pair[1]);
    return result;
}

static int implicit_session(void)
{
    int pair[2], result = -1;
    struct object *s, *line;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    s = stream_new(NULL, pair[0], NULL, NULL);
    if (!s) {
        close(pair[1]);
        return -1;
    }
    assert_int_equal(send(pair[1], "a\nb", 3, MSG_NOSIGNAL), 3);
    line = stream_io_read_line(s);
    if (line) {
        assert_bytes(line, "a\n");
        result = stream_io_write(s, "x", 1);
    }
    stream_close(s);
    decref(s);
    close(pair[1]);
    return result;
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    fail_everywhere(session);
    fail_everywhere(implicit_session);
}

#define with_stream(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define implicit(test) cmocka_unit_test_setup_teardown(test, set_up_implicit, tear_down_implicit)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_stream(test_read_zero),
        with_stream(test_read),
        with_stream(test_read_line_breaks),
        with_stream(test_read_eof),
        with_stream(test_read_until_eof),
        with_stream(test_read_exception),
        with_stream(test_read_limit),
        with_stream(test_readline),
        with_stream(test_readline_limit_with_existing_data),
        with_stream(test_at_eof),
        with_stream(test_readline_limit),
        with_stream(test_readline_nolimit_nowait),
        with_stream(test_readline_eof),
        with_stream(test_readline_empty_eof),
        with_stream(test_readline_read_byte_count),
        with_stream(test_readline_exception),
        with_stream(test_readuntil_separator),
        with_stream(test_readuntil_multi_chunks),
        with_stream(test_readuntil_multi_chunks_1),
        with_stream(test_readuntil_eof),
        with_stream(test_readuntil_limit_found_sep),
        with_stream(test_readexactly_zero_or_less),
        with_stream(test_readexactly),
        with_stream(test_readexactly_limit),
        with_stream(test_readexactly_eof),
        with_stream(test_readexactly_exception),
        with_stream(test_exception),
        with_stream(test_exception_waiter),
        with_stream(test_exception_cancel),
        with_stream(test___repr__),
        with_stream(test___repr__nondefault_limit),
        with_stream(test___repr__eof),
        with_stream(test___repr__data),
        with_stream(test___repr__exception),
        with_stream(test___repr__waiter),
        with_stream(test_wait_closed_on_close),
        with_stream(test_wait_closed_on_close_with_unread_data),
        with_stream(test_async_writer_api),
        with_stream(test_async_writer_api_exception_after_close),
        with_stream(test_eof_feed_when_closing_writer),
        with_stream(test_unclosed_resource_warnings),
        with_stream(test_loop_is_closed_resource_warnings),
        with_stream(test_multiple_drain),
        with_stream(test_drain_raises),
        with_stream(test_a_read_that_is_cancelled_has_taken_nothing),
        with_stream(test_a_read_whose_time_is_over_has_taken_nothing),
        with_stream(test_a_drain_that_is_cancelled_leaves_what_was_written),
        with_stream(test_another_reader_is_refused),
        with_stream(test_a_search_begins_anew_when_another_took_of_it),
        with_stream(test_write_after_write_eof_is_refused),
        with_stream(test_half_close),
        with_stream(test_half_close_waits_for_what_was_written),
        with_stream(test_a_reset_is_an_error_of_reading),
        with_stream(test_what_came_before_the_peer_went_can_be_read),
        with_stream(test_abort_does_not_wait_for_the_peer),
        with_stream(test_fill_shows_what_has_come),
        with_stream(test_fill_has_a_limit),
        with_stream(test_nothing_is_read_for_nobody),
        with_stream(test_a_receive_takes_a_piece),
        with_stream(test_a_large_read_comes_whole),
        implicit(test_a_thread_reads_and_writes),
        implicit(test_greenlets_read_and_write),
        implicit(test_a_greenlet_whose_time_is_over_has_taken_nothing),
        cmocka_unit_test(test_every_allocation_failing),
    };

    alarm(TIMEOUT_S); /* a wait that never ends ends the program */
    for (int i = 0; i < BIG_BYTES; i++)
        big[i] = (char)(i * 31 + i / 251);
    return run_attached(tests);
}
