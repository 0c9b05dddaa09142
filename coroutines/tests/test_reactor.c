/* test_reactor.c - what epoll tells, deadlines, and being woken. */
#include "coroutines/io.h"
#include "coroutines/reactor/reactor.h"
#include "objects/tests/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_S = 60, MOST = 8 };

static struct reactor r;
static struct readiness ready[MOST];
static int pair[2];

static int open_all(void **state)
{
    (void)state;
    return reactor_open(&r) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    reactor_close(&r);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int poll_now(void)
{
    return reactor_poll(&r, REACTOR_AT_ONCE, ready, MOST);
}

static void expect_ready(int fd, unsigned what)
{
    assert_int_equal(poll_now(), 1);
    assert_int_equal(ready[0].fd, fd);
    assert_int_equal(ready[0].ready, what);
}

static void test_tells_what_is_watched_and_ready_again_and_again(void **state)
{
    char byte;

    (void)state;
    assert_int_equal(reactor_watch(&r, pair[0], 0, READABLE), 0);
    assert_int_equal(poll_now(), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    expect_ready(pair[0], READABLE);
    expect_ready(pair[0], READABLE);
    assert_int_equal(reactor_watch(&r, pair[0], READABLE, READABLE | WRITABLE), 0);
    expect_ready(pair[0], READABLE | WRITABLE);
    assert_int_equal(read(pair[0], &byte, 1), 1);
    expect_ready(pair[0], WRITABLE);
    assert_int_equal(reactor_watch(&r, pair[0], READABLE | WRITABLE, 0), 0);
    assert_int_equal(poll_now(), 0);
}

static void test_a_hang_up_is_told_to_who_reads_and_who_writes(void **state)
{
    (void)state;
    assert_int_equal(reactor_watch(&r, pair[0], 0, READABLE | WRITABLE), 0);
    close(pair[1]);
    expect_ready(pair[0], READABLE | WRITABLE);
    pair[1] = dup(pair[0]);
}

/* Its number is used again, by a file that the kernel does not watch. */
static void test_a_closed_file_is_watched_no_more(void **state)
{
    int number = pair[0], other[2];

    (void)state;
    assert_int_equal(reactor_watch(&r, number, 0, READABLE), 0);
    close(number);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    assert_int_equal(other[0], number);
    assert_int_equal(reactor_watch(&r, number, READABLE, WRITABLE), 0);
    expect_ready(number, WRITABLE);
    assert_int_equal(reactor_watch(&r, number, WRITABLE, 0), 0);
    assert_int_equal(reactor_watch(&r, number, WRITABLE, 0), 0);
    close(other[1]);
}

static void test_what_cannot_be_watched_is_an_error(void **state)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(reactor_watch(&r, -1, 0, READABLE), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(reactor_watch(&r, file, 0, READABLE), -1);
    assert_int_equal(errno, EPERM);
    close(file);
}

static void test_a_deadline_is_not_early(void **state)
{
    uint64_t until_ns = clock_ns() + 3 * NS_PER_MS;

    (void)state;
    assert_int_equal(reactor_poll(&r, until_ns, ready, MOST), 0);
    assert_true(clock_ns() >= until_ns);
    assert_int_equal(reactor_poll(&r, until_ns, ready, MOST), 0);
}

static void *wake_when_detached(void *argument)
{
    struct thread *t = argument;

    while (atomic_load_explicit(&t->state, memory_order_relaxed) != THREAD_DETACHED)
        usleep(100);
    reactor_wake(&r);
    return NULL;
}

static void test_another_thread_wakes_it_and_it_waits_detached(void **state)
{
    pthread_t other;

    (void)state;
    assert_int_equal(pthread_create(&other, NULL, wake_when_detached, thread_self), 0);
    assert_int_equal(io_poll(&r, REACTOR_FOREVER, ready, MOST), 0);
    assert_int_equal(thread_self->state, THREAD_ATTACHED);
    pthread_join(other, NULL);
}

/* It is kept until the next poll, and is gone then. */
static void test_a_wake_up_that_comes_early_is_kept(void **state)
{
    (void)state;
    reactor_wake(&r);
    reactor_wake(&r);
    assert_int_equal(reactor_poll(&r, REACTOR_FOREVER, ready, MOST), 0);
    test_a_deadline_is_not_early(state);
}

static void test_more_is_ready_than_was_asked_for(void **state)
{
    (void)state;
    assert_int_equal(reactor_watch(&r, pair[0], 0, WRITABLE), 0);
    assert_int_equal(reactor_watch(&r, pair[1], 0, WRITABLE), 0);
    assert_int_equal(reactor_poll(&r, REACTOR_AT_ONCE, ready, 1), 1);
    assert_int_equal(reactor_poll(&r, REACTOR_AT_ONCE, ready + 1, 1), 1);
    assert_int_not_equal(ready[0].fd, ready[1].fd);
}

#define with_reactor(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_reactor(test_tells_what_is_watched_and_ready_again_and_again),
        with_reactor(test_a_hang_up_is_told_to_who_reads_and_who_writes),
        with_reactor(test_a_closed_file_is_watched_no_more),
        with_reactor(test_what_cannot_be_watched_is_an_error),
        with_reactor(test_a_deadline_is_not_early),
        with_reactor(test_another_thread_wakes_it_and_it_waits_detached),
        with_reactor(test_a_wake_up_that_comes_early_is_kept),
        with_reactor(test_more_is_ready_than_was_asked_for),
    };

    alarm(TIMEOUT_S);
    return run_attached(tests);
}
