/* test_async_io.c - I/O as futures: short reads, signals, ends, errors, cancellation; the same echo
 * by callbacks and by await. */
#include "coroutines/async_io.h"
#include "coroutines/run.h"
#include "coroutines/tests/plays.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/un.h>

enum { TIMEOUT_S = 60, SIGNALS = 20, BIG_BYTES = 1 << 20 };

static unsigned char big[BIG_BYTES];

/* ---- what all need ---- */

static struct object *loop;
static int pair[2]; /* sockets with the smallest buffers that there are */

static int set_up(void **state)
{
    int size_bytes = 1;

    (void)state;
    loop = make_loop();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof size_bytes);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end_loop(loop);
    close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
    return 0;
}

static struct object *reading(void *data, size_t size_bytes)
{
    struct object *f = async_io_read(loop, pair[0], data, size_bytes);

    assert_non_null(f);
    return f;
}

static void send_text(const char *text)
{
    assert_int_equal(send(pair[1], text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int64_t wait_number(struct object *f /* steals */)
{
    struct object *result = run_until_complete(loop, f);
    int64_t value;

    assert_non_null(result);
    value = int_value(result);
    decref(result);
    decref(f);
    return value;
}

static void wait_none(struct object *f /* steals */)
{
    struct object *result = run_until_complete(loop, f);

    assert_ptr_equal(result, none());
    decref(result);
    decref(f);
}

static void assert_os_error(struct object *f /* steals */, const char *message)
{
    assert_non_null(f);
    assert_error(!run_until_complete(loop, f), &os_error, message);
    decref(f);
}

/* ---- reading and writing ---- */

static void test_what_is_there_is_read_at_once(void **state)
{
    char data[8] = "";
    struct object *f;

    (void)state;
    send_text("abc");
    f = reading(data, sizeof data);
    assert_true(future_done(f));
    assert_result(f, 3);
    assert_string_equal(data, "abc");
    assert_false(loop_watches(loop, pair[0], READABLE));
    decref(f);
}

static void test_a_callback_is_called_in_a_later_turn_and_not_by_the_call(void **state)
{
    char data[8];
    struct object *f, *callback = noter("got");

    (void)state;
    send_text("abc");
    f = reading(data, sizeof data);
    future_add_done_callback(f, callback);
    assert_diary("");
    turns(loop, 1);
    assert_diary("got");
    decref(callback);
    decref(f);
}

static void test_a_short_read_is_what_is_there(void **state)
{
    char data[8] = "", text[40];
    struct object *f = reading(data, 2);

    (void)state;
    turns(loop, 2);
    assert_false(future_done(f));
    snprintf(text, sizeof text, "<Future read fd=%d pending>", pair[0]);
    assert_repr(f, text);
    send_text("abc");
    assert_int_equal(wait_number(f), 2);
    assert_int_equal(wait_number(reading(data + 2, 6)), 1);
    assert_string_equal(data, "abc");
    assert_false(loop_watches(loop, pair[0], READABLE));
}

/* The writer comes to EAGAIN again and again; both ends are the loop's. */
static void test_write_goes_on_where_the_buffer_was_full(void **state)
{
    struct object *written = async_io_write(loop, pair[1], big, sizeof big);
    unsigned char data[3000];
    int64_t have = 0;

    (void)state;
    assert_non_null(written);
    assert_false(future_done(written));
    while (have < BIG_BYTES) {
        int64_t got = wait_number(reading(data, sizeof data));

        assert_memory_equal(data, big + have, (size_t)got);
        have += got;
    }
    wait_none(written);
    assert_false(loop_watches(loop, pair[1], WRITABLE));
}

static void test_a_reader_and_a_writer_share_a_descriptor(void **state)
{
    struct object *written = async_io_write(loop, pair[0], big, sizeof big), *read;
    unsigned char data[4000];
    char answer[8] = "";

    (void)state;
    assert_non_null(written);
    read = reading(answer, sizeof answer);
    send_text("x");
    assert_int_equal(wait_number(read), 1);
    assert_false(future_done(written));
    for (int64_t have = 0; have < BIG_BYTES;)
        have += wait_number(async_io_read(loop, pair[1], data, sizeof data));
    wait_none(written);
}

static void test_a_pipe_is_read_although_it_blocks(void **state)
{
    char data[8] = "";
    struct object *f;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    f = async_io_read(loop, ends[0], data, sizeof data);
    turns(loop, 2);
    assert_false(future_done(f));
    assert_int_equal(write(ends[1], "ab", 2), 2);
    assert_int_equal(wait_number(f), 2);
    close(ends[1]);
    assert_int_equal(wait_number(async_io_read(loop, ends[0], data, sizeof data)), 0);
    close(ends[0]);
}

/* epoll would refuse it. */
static void test_a_regular_file_is_read_at_once(void **state)
{
    FILE *file = tmpfile();
    char data[8] = "";
    struct object *f;

    (void)state;
    assert_int_equal(write(fileno(file), "abc", 3), 3);
    lseek(fileno(file), 0, SEEK_SET);
    f = async_io_read(loop, fileno(file), data, sizeof data);
    assert_true(future_done(f));
    assert_result(f, 3);
    decref(f);
    fclose(file);
}

/* ---- waiting, and nothing else ---- */

static struct object *waiting(int fd, enum interest what)
{
    struct object *f = async_io_wait(loop, fd, what);

    assert_non_null(f);
    return f;
}

static void again(borrowed f)
{
    assert_int_equal(async_io_wait_again(f), 0);
    assert_false(future_done(f));
}

/* As wait_none, but it is kept. */
static void await_none(borrowed f)
{
    struct object *result = run_until_complete(loop, f);

    assert_ptr_equal(result, none());
    decref(result);
}

static void expect_text(const char *text)
{
    char data[8] = "";

    assert_int_equal(recv(pair[0], data, sizeof data - 1, MSG_DONTWAIT), strlen(text));
    assert_string_equal(data, text);
}

/* What is there when it begins is told as what comes later, by the same future; in between nothing
 * is watched, and nothing was made. */
static void test_a_wait_takes_nothing_and_can_be_made_again(void **state)
{
    struct object *f = waiting(pair[0], READABLE);
    int64_t before;

    (void)state;
    turns(loop, 3);
    assert_false(future_done(f));
    send_text("abc");
    await_none(f);
    assert_false(loop_watches(loop, pair[0], READABLE));
    again(f);
    await_none(f);
    expect_text("abc");
    settle_heap();
    before = live_blocks();
    for (int i = 0; i < 5; i++) {
        again(f);
        turns(loop, 2);
        assert_false(future_done(f));
        send_text("d");
        turns(loop, 3);
        assert_true(future_done(f));
        expect_text("d");
    }
    settle_heap();
    assert_int_equal(live_blocks(), before);
    decref(f);
}

static void test_who_waits_first_is_called_in_the_turn_that_finds_it(void **state)
{
    struct object *f = waiting(pair[0], READABLE), *first = noter("first"), *second = noter("second");

    (void)state;
    assert_int_equal(future_add_done_callback(f, first), 0);
    assert_int_equal(future_add_done_callback(f, second), 0);
    turns(loop, 1);
    send_text("abc");
    soon(loop, noter("soon"));
    turns(loop, 1);
    assert_diary("soon first");
    turns(loop, 1);
    assert_diary("second");
    decref(first);
    decref(second);
    decref(f);
}

static struct object *raise_interrupt(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    exception_set(&keyboard_interrupt, "%s", "");
    return NULL;
}

static void test_what_who_waits_raises_goes_to_the_loop(void **state)
{
    struct object *f = waiting(pair[0], READABLE), *other = noter("other"),
                  *callback = function_new("interrupt", raise_interrupt, ARGUMENTS_ANY, NULL);

    (void)state;
    assert_int_equal(future_add_done_callback(f, callback), 0);
    assert_int_equal(future_add_done_callback(f, other), 0);
    send_text("abc");
    assert_int_equal(loop_run_forever(loop), -1);
    assert_error(true, &keyboard_interrupt, "");
    assert_true(future_done(f));
    turns(loop, 1);
    assert_diary("other");
    decref(callback);
    decref(other);
    decref(f);
}

static void test_a_wait_for_room_ends_when_there_is_some(void **state)
{
    struct object *f = waiting(pair[1], WRITABLE);
    unsigned char data[4000];

    (void)state;
    await_none(f);
    while (send(pair[1], big, sizeof data, MSG_DONTWAIT) > 0)
        ;
    again(f);
    turns(loop, 3);
    assert_false(future_done(f));
    while (recv(pair[0], data, sizeof data, MSG_DONTWAIT) > 0)
        ;
    await_none(f);
    decref(f);
}

static void test_a_wait_is_told_of_the_end(void **state)
{
    struct object *f = waiting(pair[0], READABLE);

    (void)state;
    shutdown(pair[1], SHUT_WR);
    await_none(f);
    again(f);
    await_none(f);
    decref(f);
}

static void test_one_who_waits_is_the_reader(void **state)
{
    struct object *f = waiting(pair[0], READABLE), *other;
    char data[8];

    (void)state;
    assert_null(async_io_read(loop, pair[0], data, sizeof data));
    assert_error(true, &runtime_error, "Already reading");
    send_text("abc");
    await_none(f);
    assert_int_equal(wait_number(reading(data, sizeof data)), 3);
    other = reading(data, sizeof data);
    assert_int_equal(async_io_wait_again(f), -1);
    assert_error(true, &runtime_error, "Already reading");
    assert_true(future_done(f));
    assert_int_equal(future_cancel(other, NULL), 1);
    decref(other);
    decref(f);
}

static void test_a_wait_that_was_cancelled_can_be_made_again(void **state)
{
    struct object *f = waiting(pair[0], READABLE);

    (void)state;
    assert_int_equal(future_cancel(f, NULL), 1);
    assert_false(loop_watches(loop, pair[0], READABLE));
    again(f);
    assert_true(loop_watches(loop, pair[0], READABLE));
    send_text("abc");
    await_none(f);
    decref(f);
}

static void test_a_wait_for_what_is_closed_fails(void **state)
{
    struct object *f = waiting(pair[0], READABLE);

    (void)state;
    assert_int_equal(loop_forget(loop, pair[0]), 0);
    assert_error(!run_until_complete(loop, f), &os_error,
                 "[Errno 9] File descriptor was closed in another greenlet");
    again(f);
    send_text("abc");
    await_none(f);
    decref(f);
}

/* ---- ends and errors ---- */

static void test_a_peer_that_has_gone_is_the_end(void **state)
{
    char data[8];
    struct object *f = reading(data, sizeof data);

    (void)state;
    shutdown(pair[1], SHUT_WR);
    assert_int_equal(wait_number(f), 0);
    assert_int_equal(wait_number(reading(data, sizeof data)), 0);
}

static void test_to_write_to_nobody_is_an_error_and_no_signal(void **state)
{
    struct object *f = async_io_write(loop, pair[0], big, sizeof big);

    (void)state;
    assert_false(future_done(f));
    close(pair[1]);
    pair[1] = -1;
    assert_os_error(f, "send: Broken pipe");
    assert_false(loop_watches(loop, pair[0], WRITABLE));
    assert_os_error(async_io_write(loop, pair[0], "", 1), "send: Broken pipe");
}

static void test_an_error_that_nobody_asks_for_is_told(void **state)
{
    (void)state;
    decref(async_io_write(loop, -1, "", 1));
    settle_heap();
    assert_heard(1, "Future exception was never retrieved", "OSError: send: Bad file descriptor");
}

static void test_bad_files_are_errors_of_the_future(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char data;

    (void)state;
    assert_os_error(async_io_read(loop, -1, &data, 1), "read: Bad file descriptor");
    assert_os_error(async_io_accept(loop, -1), "accept: Bad file descriptor");
    assert_os_error(async_io_connect(loop, -1, (struct sockaddr *)&address, sizeof address),
                    "connect: Bad file descriptor");
}

static void on_signal(int number)
{
    (void)number;
}

static pthread_t tester;
static _Atomic bool arrived; /* atomic */

static void *interrupt_and_send(void *unused)
{
    (void)unused;
    while (!atomic_load(&arrived))
        sched_yield();
    for (int i = 0; i < SIGNALS; i++) {
        pthread_kill(tester, SIGUSR1);
        sched_yield();
    }
    if (send(pair[1], "x", 1, MSG_NOSIGNAL) != 1)
        abort();
    return NULL;
}

static struct object *arrive(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    atomic_store(&arrived, true);
    return none();
}

static void test_signals_end_no_wait(void **state)
{
    struct object *f, *callback = function_new("arrive", arrive, ARGUMENTS_ANY, NULL);
    pthread_t other;
    char data;

    (void)state;
    tester = pthread_self();
    f = reading(&data, 1);
    assert_int_equal(pthread_create(&other, NULL, interrupt_and_send, NULL), 0);
    soon(loop, callback);
    assert_int_equal(wait_number(f), 1);
    pthread_join(other, NULL);
}

/* ---- connections ---- */

/* Its own address, of any port; it listens if asked to. */
static int tcp_socket(struct sockaddr_in *address, bool listens)
{
    socklen_t size_bytes = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *address = (struct sockaddr_in){ .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)address, size_bytes), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size_bytes), 0);
    if (listens)
        assert_int_equal(listen(fd, 0), 0);
    return fd;
}

static void test_connect_and_accept(void **state)
{
    struct sockaddr_in address;
    int listener = tcp_socket(&address, true), client = socket(AF_INET, SOCK_STREAM, 0), server;
    struct object *accepted = async_io_accept(loop, listener), *connected;
    char data;

    (void)state;
    assert_false(future_done(accepted));
    connected = async_io_connect(loop, client, (struct sockaddr *)&address, sizeof address);
    wait_none(connected);
    server = (int)wait_number(accepted);
    wait_none(async_io_write(loop, client, "x", 1));
    assert_int_equal(wait_number(async_io_read(loop, server, &data, 1)), 1);
    assert_int_equal(data, 'x');
    close(client);
    close(server);
    close(listener);
}

static void test_connect_to_nobody_is_an_error(void **state)
{
    struct sockaddr_in address;
    int deaf = tcp_socket(&address, false), client = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_os_error(async_io_connect(loop, client, (struct sockaddr *)&address, sizeof address),
                    "connect: Connection refused");
    close(client);
    close(deaf);
}

/* Of the file system's kind, in the abstract name space: where its queue is full, nothing says when
 * there is room again. */
static void test_connect_tries_again_where_the_queue_is_full(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client[2];
    socklen_t size_bytes = sizeof address;
    struct object *connected;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size_bytes), 0);
    assert_int_equal(listen(listener, 0), 0);
    for (int i = 0; i < 2; i++)
        client[i] = socket(AF_UNIX, SOCK_STREAM, 0);
    wait_none(async_io_connect(loop, client[0], (struct sockaddr *)&address, size_bytes));
    connected = async_io_connect(loop, client[1], (struct sockaddr *)&address, size_bytes);
    assert_non_null(connected);
    turns(loop, 3);
    assert_false(future_done(connected));
    close((int)wait_number(async_io_accept(loop, listener)));
    wait_none(connected);
    close(client[0]);
    close(client[1]);
    close(listener);
}

/* ---- time ---- */

static void test_sleep_is_done_when_its_time_has_come(void **state)
{
    uint64_t start_ns = clock_ns();

    (void)state;
    wait_none(async_io_sleep(loop, 5 * NS_PER_MS));
    assert_true(clock_ns() - start_ns >= 5 * NS_PER_MS);
    wait_none(async_io_sleep(loop, 0));
    wait_none(async_io_sleep(loop, -1));
}

static void test_a_sleep_that_is_cancelled_leaves_no_timer(void **state)
{
    struct object *f = async_io_sleep(loop, LONG_S * (int64_t)NS_PER_S);

    (void)state;
    assert_int_equal(loop_timers(loop), 1);
    assert_int_equal(future_cancel(f, NULL), 1);
    turns(loop, 1);
    assert_int_equal(loop_timers(loop), 0);
    assert_cancelled(f);
    decref(f);
}

/* ---- cancelling ---- */

static void test_cancel_removes_the_reader_and_takes_nothing(void **state)
{
    char data[8] = "", later[8] = "";
    struct object *f = reading(data, sizeof data);

    (void)state;
    assert_true(loop_watches(loop, pair[0], READABLE));
    assert_int_equal(future_cancel(f, NULL), 1);
    assert_false(loop_watches(loop, pair[0], READABLE));
    assert_int_equal(future_cancel(f, NULL), 0);
    send_text("abc");
    turns(loop, 3);
    assert_string_equal(data, "");
    assert_int_equal(wait_number(reading(later, sizeof later)), 3);
    assert_cancelled(f);
    decref(f);
}

static struct object *cancel_it(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)arguments, (void)count;
    assert_int_equal(future_cancel(closure, NULL), 1);
    return none();
}

/* The descriptor is ready, and its reader is about to be called: it reads nothing all the same. */
static void test_cancel_between_ready_and_read_takes_nothing(void **state)
{
    char data[8] = "";
    struct object *f = reading(data, sizeof data);

    (void)state;
    send_text("abc");
    soon(loop, function_new("cancel", cancel_it, ARGUMENTS_ANY, f));
    turns(loop, 2);
    assert_string_equal(data, "");
    assert_true(future_cancelled(f));
    decref(f);
    assert_int_equal(wait_number(reading(data, sizeof data)), 3);
}

static void test_a_task_that_is_cancelled_cancels_what_it_awaits(void **state)
{
    char data[8];
    struct object *f = reading(data, sizeof data), *task;
    const struct act acts[] = { { AWAIT, .object = f }, { END } };
    struct play p = { acts };

    (void)state;
    task = start(loop, &p);
    turns(loop, 2);
    assert_int_equal(future_cancel(task, NULL), 1);
    assert_false(loop_watches(loop, pair[0], READABLE));
    run_ready(loop);
    assert_cancelled(task);
    decref(task);
    decref(f);
    play_end(&p);
}

/* ---- who may ---- */

static void assert_refused_future(borrowed f, const char *message)
{
    assert_refused(f ? 0 : -1, message);
}

static void test_two_readers_of_one_descriptor_are_refused(void **state)
{
    char data[8] = "";
    struct object *f = reading(data, sizeof data);

    (void)state;
    assert_refused_future(async_io_read(loop, pair[0], data, 1), "Already reading");
    assert_refused_future(async_io_accept(loop, pair[0]), "Already reading");
    send_text("abc");
    assert_int_equal(wait_number(f), 3); /* the first one goes on unharmed */
}

static void test_two_writers_of_one_descriptor_are_refused(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct object *f = async_io_write(loop, pair[0], big, sizeof big);

    (void)state;
    assert_refused_future(async_io_write(loop, pair[0], "", 1), "Already writing");
    assert_refused_future(
        async_io_connect(loop, pair[0], (struct sockaddr *)&address, sizeof address),
        "Already writing");
    future_cancel(f, NULL);
    decref(f);
}

static void test_who_has_added_a_reader_is_not_pushed_aside(void **state)
{
    struct object *reader = noter("reader");
    char data;

    (void)state;
    assert_int_equal(loop_add_reader(loop, pair[0], reader, NULL), 0);
    assert_refused_future(async_io_read(loop, pair[0], &data, 1), "Already reading");
    decref(reader);
}

static void test_it_cannot_be_set(void **state)
{
    char data[8];
    struct object *f = reading(data, sizeof data), *value = none();

    (void)state;
    assert_refused(future_set_result(f, value), "Future does not support set_result operation");
    decref(f);
}

static void test_of_a_closed_loop_nothing_is_asked(void **state)
{
    struct object *closed = make_loop();
    char data;

    (void)state;
    loop_close(closed);
    assert_refused_future(async_io_read(closed, pair[0], &data, 1), "Event loop is closed");
    assert_refused_future(async_io_write(closed, pair[0], &data, 1), "Event loop is closed");
    assert_refused_future(async_io_sleep(closed, 1), "Event loop is closed");
    decref(closed);
}

static void test_a_loop_that_closes_lets_go_of_what_is_pending(void **state)
{
    char data[8];
    struct object *f = reading(data, sizeof data);

    (void)state;
    decref(async_io_sleep(loop, LONG_S * (int64_t)NS_PER_S)); /* nobody but the loop has it */
    assert_int_equal(loop_close(loop), 0);
    assert_false(future_done(f));
    assert_int_equal(future_cancel(f, NULL), 1);
    decref(f);
}

/* The loop holds it as long as it waits. */
static void test_one_that_nobody_holds_goes_on(void **state)
{
    struct object *written = async_io_write(loop, pair[1], big, sizeof big);
    unsigned char data[4000];

    (void)state;
    decref(written);
    for (int64_t have = 0; have < BIG_BYTES;)
        have += wait_number(reading(data, sizeof data));
    assert_false(loop_watches(loop, pair[1], WRITABLE));
}

static void test_a_cycle_through_a_pending_one_is_collected(void **state)
{
    struct object *other = make_loop(), *f;
    char data;

    (void)state;
    f = async_io_read(other, pair[0], &data, 1);
    assert_non_null(f);
    future_add_done_callback(f, f); /* no callable, but it is held */
    decref(f);
    decref(other);
    collect(GENERATION_ALL);
}

/* ---- the same echo twice ---- */

enum { ROUNDS = 3 };

struct echo {
    char data[16];
    int64_t size_bytes;
    int callbacks;
};

static struct echo echo;

static struct object *echo_read(borrowed closure, borrowed const *arguments, size_t count);
static struct object *echo_written(borrowed closure, borrowed const *arguments, size_t count);

static struct object *then(struct object *f /* steals */, native *body)
{
    struct object *callback = function_new("then", body, 1, NULL);

    assert_non_null(f);
    assert_int_equal(future_add_done_callback(f, callback), 0);
    decref(callback);
    decref(f);
    return none();
}

static struct object *echo_written(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)count;
    echo.callbacks++;
    assert_false(future_cancelled(arguments[0]));
    return then(async_io_read(loop, pair[0], echo.data, sizeof echo.data), echo_read);
}

static struct object *echo_read(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *result = future_result(arguments[0]);
    int64_t size_bytes = int_value(result);

    (void)closure, (void)count;
    echo.callbacks++;
    decref(result);
    if (size_bytes == 0)
        return stop_running(NULL, NULL, 0);
    return then(async_io_write(loop, pair[0], echo.data, (size_t)size_bytes), echo_written);
}

static struct object *await_it(struct object *f /* steals */)
{
    struct object *it = await_iterator(f);

    decref(f);
    return it;
}

static enum turn echo_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at && argument != none()) {
        echo.size_bytes = int_value(argument);
        if (echo.size_bytes == 0)
            return frame_return(result);
        *result = await_it(async_io_write(loop, pair[0], echo.data, (size_t)echo.size_bytes));
        return TURN_FROM;
    }
    f->at = 1;
    *result = await_it(async_io_read(loop, pair[0], echo.data, sizeof echo.data));
    return TURN_FROM;
}

static const struct body echo_body = { .name = "echo", .kind = COROUTINE, .resume = echo_turn };

/* The client is a play: it writes, reads, says what it has read. */
static char heard_back[16];

static struct object *send_round(struct play *p)
{
    char text[16];

    snprintf(text, sizeof text, "round%d", (int)p->number++);
    return async_io_write(loop, pair[1], text, strlen(text));
}

static struct object *read_back(struct play *p)
{
    (void)p;
    memset(heard_back, 0, sizeof heard_back);
    return async_io_read(loop, pair[1], heard_back, sizeof heard_back - 1);
}

static int note_back(struct play *p)
{
    note(heard_back);
    if (p->number == ROUNDS)
        shutdown(pair[1], SHUT_WR);
    return 0;
}

static const struct act client_acts[] = {
    { AWAIT, .made = send_round }, { AWAIT, .made = read_back }, { DO, .done = note_back },
    { AWAIT, .made = send_round }, { AWAIT, .made = read_back }, { DO, .done = note_back },
    { AWAIT, .made = send_round }, { AWAIT, .made = read_back }, { DO, .done = note_back },
    { END },
};

static void test_an_echo_by_callbacks(void **state)
{
    struct play p = { client_acts };
    struct object *client = start(loop, &p);

    (void)state;
    echo.callbacks = 0;
    decref(then(async_io_read(loop, pair[0], echo.data, sizeof echo.data), echo_read));
    assert_int_equal(loop_run_forever(loop), 0);
    assert_diary("round0 round1 round2");
    assert_int_equal(echo.callbacks, 2 * ROUNDS + 1);
    assert_true(future_done(client));
    decref(client);
    play_end(&p);
}

static void test_the_same_echo_by_await(void **state)
{
    struct play p = { client_acts };
    struct object *client = start(loop, &p), *server = generator_new(&echo_body, NULL, 0);

    (void)state;
    decref(run_until_complete(loop, server));
    assert_diary("round0 round1 round2");
    decref(server);
    decref(client);
    play_end(&p);
}

/* ---- memory ---- */

static int read_session(void)
{
    struct object *l = loop_new(), *f = NULL, *callback = NULL, *result = NULL;
    char data[8];

    if (l)
        f = async_io_read(l, pair[0], data, sizeof data);
    if (f)
        callback = function_new("stopper", stop_running, ARGUMENTS_ANY, NULL);
    if (callback && future_add_done_callback(f, callback) == 0) {
        send_text("abc");
        if (loop_run_forever(l) == 0)
            result = future_result(f);
    }
    while (recv(pair[0], data, sizeof data, MSG_DONTWAIT) > 0)
        ;
    xdecref(f);
    xdecref(callback);
    if (l)
        loop_close(l);
    xdecref(l);
    xdecref(result);
    return result ? 0 : -1;
}

static int wait_session(void)
{
    struct object *l = loop_new(), *f = NULL, *result = NULL;
    char data[8];

    send_text("abc");
    if (l)
        f = async_io_wait(l, pair[0], READABLE);
    if (f)
        result = run_until_complete(l, f);
    if (result) {
        decref(result);
        result = async_io_wait_again(f) == 0 ? run_until_complete(l, f) : NULL;
    }
    while (recv(pair[0], data, sizeof data, MSG_DONTWAIT) > 0)
        ;
    xdecref(f);
    if (l)
        loop_close(l);
    xdecref(l);
    xdecref(result);
    return result ? 0 : -1;
}

static int sleep_session(void)
{
    struct object *l = loop_new(), *f = l ? async_io_sleep(l, 0) : NULL, *result = NULL;

    if (f)
        result = run_until_complete(l, f);
    xdecref(f);
    if (l)
        loop_close(l);
    xdecref(l);
    xdecref(result);
    return result ? 0 : -1;
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    fail_everywhere(read_session);
    fail_everywhere(wait_session);
    fail_everywhere(sleep_session);
}

static void test_to_finish_needs_no_memory(void **state)
{
    char data[8];
    struct object *f = reading(data, sizeof data), *callback = stopper();

    (void)state;
    turns(loop, 1);
    assert_int_equal(future_add_done_callback(f, callback), 0);
    send_text("abc");
    for (int i = 0; i < 3 && !future_done(f); i++) {
        fail_allocation(1);
        turns(loop, 1);
        assert_true(failure_waits());
        fail_allocation(0);
    }
    assert_result(f, 3);
    decref(callback);
    decref(f);
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_what_is_there_is_read_at_once),
        with_loop(test_a_callback_is_called_in_a_later_turn_and_not_by_the_call),
        with_loop(test_a_short_read_is_what_is_there),
        with_loop(test_write_goes_on_where_the_buffer_was_full),
        with_loop(test_a_reader_and_a_writer_share_a_descriptor),
        with_loop(test_a_pipe_is_read_although_it_blocks),
        with_loop(test_a_regular_file_is_read_at_once),
        with_loop(test_a_wait_takes_nothing_and_can_be_made_again),
        with_loop(test_who_waits_first_is_called_in_the_turn_that_finds_it),
        with_loop(test_what_who_waits_raises_goes_to_the_loop),
        with_loop(test_a_wait_for_room_ends_when_there_is_some),
        with_loop(test_a_wait_is_told_of_the_end),
        with_loop(test_one_who_waits_is_the_reader),
        with_loop(test_a_wait_that_was_cancelled_can_be_made_again),
        with_loop(test_a_wait_for_what_is_closed_fails),
        with_loop(test_a_peer_that_has_gone_is_the_end),
        with_loop(test_to_write_to_nobody_is_an_error_and_no_signal),
        with_loop(test_an_error_that_nobody_asks_for_is_told),
        with_loop(test_bad_files_are_errors_of_the_future),
        with_loop(test_signals_end_no_wait),
        with_loop(test_connect_and_accept),
        with_loop(test_connect_to_nobody_is_an_error),
        with_loop(test_connect_tries_again_where_the_queue_is_full),
        with_loop(test_sleep_is_done_when_its_time_has_come),
        with_loop(test_a_sleep_that_is_cancelled_leaves_no_timer),
        with_loop(test_cancel_removes_the_reader_and_takes_nothing),
        with_loop(test_cancel_between_ready_and_read_takes_nothing),
        with_loop(test_a_task_that_is_cancelled_cancels_what_it_awaits),
        with_loop(test_two_readers_of_one_descriptor_are_refused),
        with_loop(test_two_writers_of_one_descriptor_are_refused),
        with_loop(test_who_has_added_a_reader_is_not_pushed_aside),
        with_loop(test_it_cannot_be_set),
        with_loop(test_of_a_closed_loop_nothing_is_asked),
        with_loop(test_a_loop_that_closes_lets_go_of_what_is_pending),
        with_loop(test_one_that_nobody_holds_goes_on),
        with_loop(test_a_cycle_through_a_pending_one_is_collected),
        with_loop(test_an_echo_by_callbacks),
        with_loop(test_the_same_echo_by_await),
        with_loop(test_every_allocation_failing),
        with_loop(test_to_finish_needs_no_memory),
    };

    signal(SIGUSR1, on_signal);
    alarm(TIMEOUT_S); /* a wait that never ends ends the program */
    for (int i = 0; i < BIG_BYTES; i++)
        big[i] = (unsigned char)(i * 31 + i / 251);
    return run_attached(tests);
}
