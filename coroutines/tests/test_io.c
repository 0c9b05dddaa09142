/* test_io.c - short reads and writes, signals, ends and errors; attached at the end of each. All of
 * it in a thread, and then in a greenlet of a thread that has a hub. */
#include "coroutines/hub.h"
#include "coroutines/interpose/interpose.h"
#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/tests/testing.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { SIGNALS = 20, BIG_BYTES = 1 << 20, TIMEOUT_S = 60 };

static _Atomic int signals; /* lock-free, so a handler may */
static unsigned char big[BIG_BYTES];

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add_explicit(&signals, 1, memory_order_relaxed);
}

/* The other end, in a thread that the runtime does not know. Its first act is to see
 * that the tester has detached, which then is in the kernel, or about to be. */
struct peer {
    pthread_t thread, tester_thread;
    struct thread *tester;
    void (*act)(struct peer *p);
    int fd;
    bool saw_detached;
    int64_t received;  /* bytes in order, of `big` */
    _Atomic bool stop; /* the tester's call has returned */
};

static bool stopped(struct peer *p)
{
    return atomic_load_explicit(&p->stop, memory_order_relaxed);
}

static void *peer_main(void *argument)
{
    struct peer *p = argument;

    while (!p->saw_detached && !stopped(p)) {
        p->saw_detached = atomic_load_explicit(&p->tester->state, memory_order_relaxed) ==
                          THREAD_DETACHED;
        sched_yield();
    }
    p->act(p);
    return NULL;
}

static void peer_start(struct peer *p)
{
    p->tester = thread_self;
    p->tester_thread = pthread_self();
    assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

/* The call has returned: it was detached, and is attached. */
static void peer_join(struct peer *p)
{
    assert_int_equal(thread_self->state, THREAD_ATTACHED);
    atomic_store_explicit(&p->stop, true, memory_order_relaxed);
    pthread_join(p->thread, NULL);
    assert_true(p->saw_detached);
}

/* Returns when it has been handled, so that none is merged with the one before. Sent
 * again until then: gcc 12's TSan keeps a signal that comes just before a system call
 * until that call returns. */
static void signal_tester(struct peer *p)
{
    int before = atomic_load_explicit(&signals, memory_order_relaxed);

    while (atomic_load_explicit(&signals, memory_order_relaxed) == before) {
        pthread_kill(p->tester_thread, SIGUSR1);
        sched_yield();
    }
}

static void interrupt_tester(struct peer *p)
{
    for (int i = 0; i < SIGNALS; i++)
        signal_tester(p);
}

static void make_pair(int pair[2])
{
    int size_bytes = 1; /* the kernel makes it the smallest that it allows */

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof size_bytes);
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static void expect_os_error(int error, const char *call)
{
    assert_int_equal(errno, error);
    assert_int_equal(thread_self->state, THREAD_ATTACHED);
    assert_true(exception_matches(&os_error));
    assert_non_null(strstr(exception_message(exception_pending()), call));
    exception_restore(NULL);
}

static void send_three_bytes(struct peer *p)
{
    interrupt_tester(p);
    p->received = send(p->fd, "abc", 3, MSG_NOSIGNAL);
}

static void test_read_waits_detached_and_survives_signals(void **state)
{
    struct peer p = { .act = send_three_bytes };
    char data[8] = "";
    int pair[2];

    (void)state;
    make_pair(pair);
    p.fd = pair[1];
    peer_start(&p);
    assert_int_equal(io_read(pair[0], data, sizeof data), 3);
    peer_join(&p);
    assert_string_equal(data, "abc");
    close_pair(pair);
}

/* In pieces, each of which is waited for. */
static void send_in_pieces(struct peer *p)
{
    for (int i = 0; i < 40; i++) {
        if (i % 8 == 0)
            interrupt_tester(p);
        p->received += send(p->fd, big + 7 * i, 7, MSG_NOSIGNAL);
    }
    shutdown(p->fd, SHUT_WR);
}

static void test_read_all_puts_pieces_together(void **state)
{
    struct peer p = { .act = send_in_pieces };
    unsigned char data[280];
    int pair[2];

    (void)state;
    make_pair(pair);
    p.fd = pair[1];
    peer_start(&p);
    assert_int_equal(io_read_all(pair[0], data, 273), 273);
    assert_int_equal(io_read_all(pair[0], data + 273, 100), 7); /* then the end */
    assert_int_equal(io_read(pair[0], data, 1), 0);
    peer_join(&p);
    assert_memory_equal(data, big, 280);
    close_pair(pair);
}

/* The writer fills the small buffer, and is interrupted in the middle of its send,
 * which then returns with a part; after that the buffer is emptied slowly. */
static void receive_all(struct peer *p)
{
    unsigned char data[3000];
    ssize_t got;

    interrupt_tester(p);
    while ((got = recv(p->fd, data, sizeof data, 0)) > 0) {
        if (memcmp(data, big + p->received, (size_t)got) != 0)
            return;
        p->received += got;
    }
}

static void test_write_goes_on_after_short_writes(void **state)
{
    struct peer p = { .act = receive_all };
    int pair[2];

    (void)state;
    make_pair(pair);
    p.fd = pair[1];
    peer_start(&p);
    assert_int_equal(io_write(pair[0], big, sizeof big), 0);
    shutdown(pair[0], SHUT_WR);
    peer_join(&p);
    assert_int_equal(p.received, sizeof big);
    close_pair(pair);
}

static void test_write_to_nobody_is_an_error_and_no_signal(void **state)
{
    int pair[2];

    (void)state;
    make_pair(pair);
    close(pair[1]);
    assert_int_equal(io_write(pair[0], big, 1), -1);
    expect_os_error(EPIPE, "send");
    close(pair[0]);
}

static void test_bad_files_are_errors(void **state)
{
    char data;

    (void)state;
    assert_int_equal(io_read(-1, &data, 1), -1);
    expect_os_error(EBADF, "read");
    assert_int_equal(io_read_all(-1, &data, 1), -1);
    expect_os_error(EBADF, "read");
    assert_int_equal(io_write(-1, "", 1), -1);
    expect_os_error(EBADF, "send");
    assert_int_equal(io_accept(-1), -1);
    expect_os_error(EBADF, "accept");
}

static void set_backlog_to_one(int listener)
{
    assert_int_equal(listen(listener, 0), 0); /* Linux queues one more than it is told */
}

/* Its own address, of any port; `listener` is bound, and listens if asked to. */
static int tcp_socket(struct sockaddr_in *address, bool listens)
{
    socklen_t size_bytes = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *address = (struct sockaddr_in){ .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)address, size_bytes), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size_bytes), 0);
    if (listens)
        set_backlog_to_one(fd);
    return fd;
}

static void test_connect_and_accept(void **state)
{
    struct sockaddr_in address;
    int listener = tcp_socket(&address, true), client = socket(AF_INET, SOCK_STREAM, 0), server;
    char data;

    (void)state;
    assert_int_equal(io_connect(client, (struct sockaddr *)&address, sizeof address), 0);
    server = io_accept(listener);
    assert_true(server >= 0);
    assert_int_equal(io_write(client, "x", 1), 0);
    assert_int_equal(io_read(server, &data, 1), 1);
    assert_int_equal(data, 'x');
    close(client);
    assert_int_equal(io_read(server, &data, 1), 0);
    close(server);
    close(listener);
}

static void test_connect_to_nobody_is_an_error(void **state)
{
    struct sockaddr_in address;
    int deaf = tcp_socket(&address, false), client = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(io_connect(client, (struct sockaddr *)&address, sizeof address), -1);
    expect_os_error(ECONNREFUSED, "connect");
    close(client);
    close(deaf);
}

static void connect_from_outside(struct peer *p)
{
    struct sockaddr_in address;
    socklen_t size_bytes = sizeof address;
    int client = socket(AF_INET, SOCK_STREAM, 0);

    interrupt_tester(p);
    getsockname(p->fd, (struct sockaddr *)&address, &size_bytes);
    p->received = connect(client, (struct sockaddr *)&address, size_bytes);
    close(client);
}

static void test_accept_survives_signals(void **state)
{
    struct peer p = { .act = connect_from_outside };
    struct sockaddr_in address;
    int server;

    (void)state;
    p.fd = tcp_socket(&address, true);
    peer_start(&p);
    server = io_accept(p.fd);
    peer_join(&p);
    assert_true(server >= 0);
    close(server);
    close(p.fd);
}

static void accept_one(struct peer *p)
{
    interrupt_tester(p);
    close(accept(p->fd, NULL, NULL));
}

/* A socket of the file system's kind, in the abstract name space: where the queue is full its
 * connect waits for an accept; TCP's would send again only after a second. */
static void test_connect_survives_signals(void **state)
{
    struct peer p = { .act = accept_one };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size_bytes = sizeof address;

    (void)state;
    p.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(p.fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(p.fd, (struct sockaddr *)&address, &size_bytes), 0);
    set_backlog_to_one(p.fd);
    assert_int_equal(io_connect(first, (struct sockaddr *)&address, size_bytes), 0);
    peer_start(&p);
    assert_int_equal(io_connect(second, (struct sockaddr *)&address, size_bytes), 0);
    peer_join(&p);
    close(second);
    close(first);
    close(p.fd);
}

static void interrupt_until_stopped(struct peer *p)
{
    while (!stopped(p))
        signal_tester(p);
}

/* Nor begun anew, for then it would not end while they come. */
static void test_sleep_is_not_cut_short_by_signals(void **state)
{
    struct peer p = { .act = interrupt_until_stopped };
    uint64_t start_ns;

    (void)state;
    peer_start(&p);
    start_ns = clock_ns();
    assert_int_equal(io_sleep_ns(50 * NS_PER_MS), 0);
    assert_true(clock_ns() - start_ns >= 50 * NS_PER_MS);
    peer_join(&p);
}

static struct timespec slept_until;

static int note_sleep(clockid_t clock, int flags, const struct timespec *time,
                      struct timespec *left)
{
    (void)left;
    assert_int_equal(clock, CLOCK_MONOTONIC);
    assert_int_equal(flags, TIMER_ABSTIME);
    slept_until = *time;
    return 0;
}

/* What the kernel is asked for lies ahead, also where the sum would be more than there is. */
static void test_a_sleep_for_ever_has_no_end(void **state)
{
    static const uint64_t longest[] = { UINT64_MAX, UINT64_MAX - 1, INT64_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
        int (*before)(clockid_t, int, const struct timespec *, struct timespec *) =
            real.clock_nanosleep;

        real.clock_nanosleep = note_sleep;
        assert_int_equal(io_sleep_ns(longest[i]), 0);
        real.clock_nanosleep = before;
        assert_true(slept_until.tv_sec >= INT64_MAX / NS_PER_S);
        assert_in_range(slept_until.tv_nsec, 0, NS_PER_S - 1);
    }
}

/* ---- units ---- */

typedef void test_body(void **state);

/* The other greenlets go on while one waits. */
static struct object *count_turns(borrowed turns, borrowed const *arguments, size_t count)
{
    (void)arguments, (void)count;
    while (hub_sleep_ns(NS_PER_MS) == 0)
        ++*(int *)(uintptr_t)int_value(turns);
    return NULL;
}

static struct object *run_body(borrowed body, borrowed const *arguments, size_t count)
{
    (void)arguments, (void)count;
    ((test_body *)(uintptr_t)int_value(body))(NULL);
    return none();
}

static struct object *spawn(native *function, const void *about)
{
    struct object *number = int_new((int64_t)(uintptr_t)about);
    struct object *f = function_new("unit", function, 0, number), *g = hub_spawn(f, NULL, 0);

    assert_non_null(g);
    decref(number);
    decref(f);
    return g;
}

static void by_greenlet(void **state)
{
    int turns = 0;
    struct object *other = spawn(count_turns, &turns), *g = spawn(run_body, *state);

    assert_int_equal(hub_join(g, HUB_NEVER), 1);
    assert_false(as_future(g)->exception != NULL);
    assert_int_equal(hub_kill(other, NULL, true), 0);
    decref(g);
    decref(other);
    hub_end();
}

#define in_both(test) \
    cmocka_unit_test(test), { .name = #test "_in_a_greenlet", .test_func = by_greenlet, \
                              .initial_state = (void *)(test_body *){ test } }

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_both(test_read_waits_detached_and_survives_signals),
        in_both(test_read_all_puts_pieces_together),
        in_both(test_write_goes_on_after_short_writes),
        in_both(test_write_to_nobody_is_an_error_and_no_signal),
        in_both(test_bad_files_are_errors),
        in_both(test_connect_and_accept),
        in_both(test_connect_to_nobody_is_an_error),
        in_both(test_accept_survives_signals),
        in_both(test_connect_survives_signals),
        in_both(test_sleep_is_not_cut_short_by_signals),
        cmocka_unit_test(test_a_sleep_for_ever_has_no_end),
    };
    /* Without SA_RESTART: the kernel restarts nothing by itself. */
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGUSR1, &action, NULL);
    alarm(TIMEOUT_S); /* a call that never returns ends the program */
    for (int i = 0; i < BIG_BYTES; i++)
        big[i] = (unsigned char)(i * 31 + i / 251);
    return run_attached(tests);
}
