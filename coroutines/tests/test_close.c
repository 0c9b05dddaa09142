/* test_close.c - descriptors that are closed while somebody waits for them, and whose numbers are
 * taken by others; and reads that wait before they try. */
#include "coroutines/async_io.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "coroutines/run.h"
#include "coroutines/tests/plays.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

enum { TIMEOUT_S = 60, BIG_BYTES = 1 << 20 };

static const char *const closed = "[Errno 9] File descriptor was closed in another greenlet";
static char big[BIG_BYTES];

/* ---- what all need ---- */

static struct object *loop;
static int pair[2];

static int set_up(void **state)
{
    (void)state;
    loop = make_loop();
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int tear_down(void **state)
{
    (void)state;
    hub_end();
    end_loop(loop);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static void assert_open(int fd, bool open)
{
    assert_int_equal(fcntl(fd, F_GETFD) >= 0, open);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The file gets the number of pair[0], which is closed, or was. (It need not be the lowest that is free:
 * under some policies loops of earlier tests live on for a while.) */
static void have_number(int fd /* steals */)
{
    if (fd == pair[0])
        return;
    assert_int_equal(dup2(fd, pair[0]), pair[0]);
    close(fd);
}

/* Another socket gets the number of pair[0], which is closed; its other end takes the place of
 * pair[1]. */
static void take_number(void)
{
    int other[2], mine;

    assert_open(pair[0], false);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    mine = other[1] == pair[0];
    have_number(other[mine]);
    close(pair[1]);
    pair[1] = other[!mine];
}

static void assert_number(struct object *f /* steals */, int64_t expected)
{
    struct object *result = run_until_complete(loop, f);

    assert_non_null(result);
    assert_int_equal(int_value(result), expected);
    decref(result);
    decref(f);
}

static void assert_closed(struct object *f /* steals */)
{
    assert_error(!run_until_complete(loop, f), &os_error, closed);
    decref(f);
}

/* ---- futures ---- */

static void test_futures_that_wait_fail_in_the_next_turn(void **state)
{
    char data[8];
    struct object *read = async_io_read(loop, pair[0], data, sizeof data),
                  *written = async_io_write(loop, pair[0], big, sizeof big);

    (void)state;
    turns(loop, 1);
    assert_int_equal(async_io_close(loop, pair[0]), 0);
    assert_open(pair[0], false);
    assert_false(loop_watches(loop, pair[0], READABLE));
    assert_false(loop_watches(loop, pair[0], WRITABLE));
    assert_false(future_done(read));
    turns(loop, 1);
    assert_closed(read);
    assert_closed(written);
}

static void test_whoever_has_the_number_next_is_left_alone(void **state)
{
    char data[8] = "", later[8] = "";
    struct object *before = async_io_read(loop, pair[0], data, sizeof data),
                  *cancelled = async_io_write(loop, pair[0], big, sizeof big), *read, *written;

    (void)state;
    turns(loop, 1);
    assert_int_equal(async_io_close(loop, pair[0]), 0);
    take_number();
    read = async_io_read(loop, pair[0], later, sizeof later);
    written = async_io_write(loop, pair[0], big, sizeof big);
    assert_int_equal(future_cancel(cancelled, NULL), 1);
    assert_closed(before);
    assert_true(loop_watches(loop, pair[0], READABLE));
    assert_true(loop_watches(loop, pair[0], WRITABLE));
    send_text(pair[1], "abc");
    assert_number(read, 3);
    assert_string_equal(data, "");
    assert_false(future_done(written));
    assert_int_equal(future_cancel(written, NULL), 1);
    decref(written);
    decref(cancelled);
}

/* It stands in the ring, about to read. */
static void test_one_that_is_ready_reads_nothing_of_the_next(void **state)
{
    char data[8] = "";
    struct object *f = async_io_read(loop, pair[0], data, sizeof data);

    (void)state;
    turns(loop, 1);
    send_text(pair[1], "abc");
    assert_int_equal(async_io_close(loop, pair[0]), 0);
    take_number();
    send_text(pair[1], "def");
    assert_closed(f);
    assert_string_equal(data, "");
}

static void test_readers_and_writers_are_removed(void **state)
{
    struct object *reader = noter("reads");

    (void)state;
    assert_int_equal(loop_add_reader(loop, pair[0], reader, NULL), 0);
    send_text(pair[1], "abc");
    assert_int_equal(async_io_close(loop, pair[0]), 0);
    turns(loop, 3);
    assert_diary("");
    assert_int_equal(loop_remove_reader(loop, pair[0]), 0);
    decref(reader);
}

static void test_what_is_not_open_is_an_error(void **state)
{
    (void)state;
    assert_error(async_io_close(loop, -1) < 0, &os_error, "close: Bad file descriptor");
    assert_int_equal(async_io_close(loop, pair[0]), 0);
    assert_error(async_io_close(loop, pair[0]) < 0, &os_error, "close: Bad file descriptor");
    assert_int_equal(loop_close(loop), 0);
    assert_int_equal(async_io_close(loop, pair[1]), 0);
}

/* The other end hears of it at once, whatever the reactor still had. */
static void test_the_other_end_sees_it(void **state)
{
    char data[8];
    struct object *f = async_io_read(loop, pair[0], data, sizeof data);

    (void)state;
    turns(loop, 1);
    assert_int_equal(async_io_close(loop, pair[0]), 0);
    assert_number(async_io_read(loop, pair[1], data, sizeof data), 0);
    assert_closed(f);
}

/* ---- memory ---- */

static int close_session(void)
{
    struct object *l = loop_new(), *f = NULL;
    int ends[2], result = -1;
    char data;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    if (l)
        f = async_io_read(l, ends[0], &data, 1);
    if (f && loop_watches(l, ends[0], READABLE)) {
        result = async_io_close(l, ends[0]);
        assert_int_equal(loop_watches(l, ends[0], READABLE), result < 0);
        assert_open(ends[0], result < 0);
        if (result < 0)
            close(ends[0]);
    } else {
        close(ends[0]);
    }
    close(ends[1]);
    xdecref(f);
    if (l)
        loop_close(l);
    xdecref(l);
    return result;
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    fail_everywhere(close_session);
}

/* ---- greenlets ---- */

static struct object *spawn(native *body)
{
    struct object *f = function_new("body", body, ARGUMENTS_ANY, NULL), *g;

    assert_non_null(f);
    g = hub_spawn(f, NULL, 0);
    decref(f);
    assert_non_null(g);
    return g;
}

static void end(struct object *g /* steals */)
{
    assert_int_equal(hub_join(g, HUB_NEVER), 1);
    decref(g);
}

static struct object *say_how_it_ended(int64_t result)
{
    char text[120] = "done";

    if (result < 0)
        snprintf(text, sizeof text, "%s(%s)", type_of(exception_pending())->name,
                 exception_message(exception_pending()));
    exception_restore(NULL);
    note(text);
    return none();
}

static struct object *read_some(borrowed closure, borrowed const *arguments, size_t count)
{
    char data[8];

    (void)closure, (void)arguments, (void)count;
    return say_how_it_ended(io_read(pair[0], data, sizeof data));
}

static struct object *write_big(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    return say_how_it_ended(io_write(pair[0], big, sizeof big));
}

static void test_greenlets_that_wait_are_told(void **state)
{
    struct object *reader = spawn(read_some), *writer = spawn(write_big);

    (void)state;
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_waiting(), 2);
    assert_int_equal(io_close(pair[0]), 0);
    assert_open(pair[0], false);
    end(reader);
    end(writer);
    assert_diary("OSError([Errno 9] File descriptor was closed in another greenlet) "
                 "OSError([Errno 9] File descriptor was closed in another greenlet)");
}

static struct object *end_the_wait(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)arguments, (void)count;
    assert_int_equal(hub_kill(closure, NULL, false), 0);
    assert_int_equal(io_close(pair[0]), 0);
    take_number();
    return none();
}

/* Killed first, it goes away; the number is the next one's. */
static void test_one_that_is_killed_leaves_the_next_alone(void **state)
{
    struct object *first = spawn(read_some), *second,
                  *f = function_new("end", end_the_wait, ARGUMENTS_ANY, first), *ending;

    (void)state;
    assert_int_equal(hub_sleep_ns(0), 0);
    ending = hub_spawn(f, NULL, 0);
    second = spawn(read_some);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_true(loop_watches(hub_loop(), pair[0], READABLE));
    send_text(pair[1], "x");
    end(second);
    end(first);
    end(ending);
    assert_diary("GreenletExit() done");
    decref(f);
}

static void test_a_thread_without_a_hub_closes(void **state)
{
    (void)state;
    assert_int_equal(io_close(pair[0]), 0);
    assert_open(pair[0], false);
    assert_error(io_close(pair[0]) < 0, &os_error, "close: Bad file descriptor");
}

/* ---- reads that wait before they try ---- */

/* Two bytes, which are waited for, where there is room for four. */
static void read_short(void)
{
    char data[4];
    struct object *f = async_io_read(loop, pair[0], data, sizeof data);

    turns(loop, 1);
    send_text(pair[1], "ab");
    assert_number(f, 2);
}

static void test_after_a_short_read_the_next_one_waits_first(void **state)
{
    char data[4] = "";
    struct object *f;

    (void)state;
    read_short();
    send_text(pair[1], "cd");
    f = async_io_read(loop, pair[0], data, sizeof data);
    assert_false(future_done(f));
    assert_number(f, 2);
    assert_memory_equal(data, "cd", 2);
}

static void test_after_a_full_read_the_next_one_tries(void **state)
{
    char data[2];
    struct object *f;

    (void)state;
    read_short();
    send_text(pair[1], "abcd");
    assert_number(async_io_read(loop, pair[0], data, sizeof data), 2);
    f = async_io_read(loop, pair[0], data, sizeof data);
    assert_true(future_done(f));
    assert_number(f, 2);
}

/* It is no file that can be waited for. */
static void test_a_regular_file_that_has_the_number_is_read(void **state)
{
    char data[4] = "";
    (void)state;
    read_short();
    close(pair[0]);
    have_number(open("/proc/self/comm", O_RDONLY));
    assert_number(async_io_read(loop, pair[0], data, 2), 2);
    assert_memory_equal(data, "te", 2);
}

static struct object *read_after_short(borrowed closure, borrowed const *arguments, size_t count)
{
    char data[8] = "";

    (void)closure, (void)arguments, (void)count;
    assert_int_equal(io_read(pair[0], data, sizeof data), 2);
    close(pair[0]);
    have_number(open("/proc/self/comm", O_RDONLY));
    assert_int_equal(io_read(pair[0], data, 2), 2);
    assert_memory_equal(data, "te", 2);
    return none();
}

static void test_a_regular_file_is_read_by_a_greenlet(void **state)
{
    struct object *g = spawn(read_after_short);

    (void)state;
    assert_int_equal(hub_sleep_ns(0), 0);
    send_text(pair[1], "ab");
    end(g);
}

/* Closed without a word, its number taken, and waited for again and again. */
static void test_a_number_used_again_is_waited_for_rightly(void **state)
{
    char data[4];

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct object *f = async_io_read(loop, pair[0], data, sizeof data);

        assert_false(future_done(f));
        turns(loop, i % 3);
        send_text(pair[1], "ab");
        assert_number(f, 2);
        if (i % 4 == 0) {
            close(pair[0]);
            take_number();
        }
    }
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_futures_that_wait_fail_in_the_next_turn),
        with_loop(test_whoever_has_the_number_next_is_left_alone),
        with_loop(test_one_that_is_ready_reads_nothing_of_the_next),
        with_loop(test_readers_and_writers_are_removed),
        with_loop(test_what_is_not_open_is_an_error),
        with_loop(test_the_other_end_sees_it),
        with_loop(test_every_allocation_failing),
        with_loop(test_greenlets_that_wait_are_told),
        with_loop(test_one_that_is_killed_leaves_the_next_alone),
        with_loop(test_a_thread_without_a_hub_closes),
        with_loop(test_after_a_short_read_the_next_one_waits_first),
        with_loop(test_after_a_full_read_the_next_one_tries),
        with_loop(test_a_regular_file_that_has_the_number_is_read),
        with_loop(test_a_regular_file_is_read_by_a_greenlet),
        with_loop(test_a_number_used_again_is_waited_for_rightly),
    };

    alarm(TIMEOUT_S);
    return run_attached(tests);
}
