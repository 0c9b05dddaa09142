/* test_patch.c - code that knows nothing of greenlets, in greenlets and in threads.
 *
 * What is tested are pairs of ordinary functions, of which one waits for the other. They are run in
 * two threads, and in two greenlets of one: there a call that blocks the thread would never return,
 * for the other is on it.
 */
#include "coroutines/patch.h"

#include "coroutines/hub.h"
#include "coroutines/interpose/interpose.h"
#include "coroutines/io.h"
#include "coroutines/tests/plays.h"
#include "gil/mutex.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#ifdef GIL_TWIN
enum { TIMEOUT_S = 20 }; /* a twin may well wait for ever */
#else
enum { TIMEOUT_S = 100 };
#endif
enum {
    MS = NS_PER_MS, SHORT_MS = 5, LONG_MS = 60000,
    BIG_BYTES = 1 << 20, PIECES = 3, SLEEPERS = SANITIZED ? 200 : 10000, PIPES = 6, CONNECTIONS = 4,
    PARTS = 200, LETTERS = 100, IDLE_TURNS = 2000,
};

#define LONG ((int64_t)LONG_MS * MS)

/* ---- what went wrong, in whichever unit ---- */

static struct {
    int line, error;
    const char *what;
} wrong;

static void note_wrong(int line, const char *what)
{
    if (wrong.line)
        return;
    wrong.error = errno;
    wrong.line = line;
    wrong.what = what;
}

#define EXPECT(x) ((x) ? (void)0 : note_wrong(__LINE__, #x))
#define FAILS(x, number) (errno = 0, EXPECT((x) == -1), EXPECT(errno == (number)))

static void assert_right(void)
{
    if (wrong.line)
        print_error("line %d: %s (errno %d)\n", wrong.line, wrong.what, wrong.error);
    assert_int_equal(wrong.line, 0);
}

/* ---- pairs, in threads and in greenlets ---- */

typedef void code(void);

static int ends[2], more[PIPES][2], listener; /* descriptors */

static struct pair {
    const char *name;
    code *set_up, *first, *second;
} const *pair;

static void *run_code(void *argument)
{
    (*(code **)argument)();
    return NULL;
}

static void in_threads(void **state)
{
    pthread_t thread;
    code *second;

    pair = *state;
    second = pair->second;
    memset(&wrong, 0, sizeof wrong);
    if (pair->set_up)
        pair->set_up();
    thread_detach(thread_self);
    pthread_create(&thread, NULL, run_code, &second);
    pair->first();
    pthread_join(thread, NULL);
    thread_attach(thread_self);
    assert_false(patch_is_on());
    assert_right();
}

static struct object *run_patched(borrowed about, borrowed const *arguments, size_t count)
{
    struct patch p;

    (void)arguments, (void)count;
    if (patch_begin(&p) < 0)
        return NULL;
    EXPECT(patch_is_on());
    (*(code *const *)(uintptr_t)int_value(about))();
    return patch_end(&p) < 0 ? NULL : none();
}

static struct object *spawn(native *body, const void *about)
{
    struct object *number = int_new((int64_t)(uintptr_t)about);
    struct object *f = function_new("unit", body, ARGUMENTS_ANY, number);
    struct object *g = hub_spawn(f, NULL, 0);

    assert_non_null(g);
    decref(number);
    decref(f);
    return g;
}

static void end(struct object *g /* steals */)
{
    assert_int_equal(hub_join(g, HUB_NEVER), 1);
    assert_null(as_future(g)->exception);
    decref(g);
}

static void in_greenlets(void **state)
{
    struct object *first, *second;

    pair = *state;
    memset(&wrong, 0, sizeof wrong);
    if (pair->set_up)
        pair->set_up();
    first = spawn(run_patched, &pair->first);
    second = spawn(run_patched, &pair->second);
    end(first);
    end(second);
    assert_false(patch_is_on());
    assert_null(interposer_here);
    hub_end();
    assert_right();
}

static void make_sockets(void)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void make_pipe(void)
{
    assert_int_equal(pipe(ends), 0);
}

static void make_pipes(void)
{
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(pipe(more[i]), 0);
}

static void close_pipes(void)
{
    for (int i = 0; i < PIPES; i++) {
        close(more[i][0]);
        close(more[i][1]);
    }
}

/* ---- reading and writing ---- */

static unsigned char byte_of(size_t i)
{
    return (unsigned char)(i * 31 + i / 251);
}

static void read_hello(void)
{
    char text[8];

    errno = E2BIG;
    EXPECT(read(ends[0], text, sizeof text) == 5);
    EXPECT(errno == E2BIG); /* who succeeds keeps it */
    EXPECT(memcmp(text, "hello", 5) == 0);
    EXPECT(write(ends[0], "bye", 3) == 3);
    EXPECT(recv(ends[0], text, sizeof text, 0) == 0);
    close(ends[0]);
}

static void write_hello(void)
{
    char text[8];

    EXPECT(write(ends[1], "hello", 5) == 5);
    EXPECT(recvfrom(ends[1], text, sizeof text, 0, NULL, NULL) == 3);
    usleep(1000);
    close(ends[1]);
}

static void read_all_of_it(void)
{
    char text[16] = "";
    struct iovec pieces[2] = { { text, 2 }, { text + 2, 7 } };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };

    EXPECT(recv(ends[0], text, 9, MSG_WAITALL) == 9);
    EXPECT(memcmp(text, "abcabcabc", 9) == 0);
    EXPECT(send(ends[0], "x", 1, 0) == 1);
    EXPECT(recvmsg(ends[0], &message, 0) == 5);
    EXPECT(memcmp(text, "fghij", 5) == 0);
    EXPECT(recv(ends[0], text, 9, MSG_WAITALL) == 1); /* the end comes first */
    close(ends[0]);
}

static void write_in_pieces(void)
{
    struct timespec time = { 0, 1 * MS };
    struct iovec pieces[2] = { { (char *)"fg", 2 }, { (char *)"hij", 3 } };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
    char c;

    for (int i = 0; i < PIECES; i++) {
        EXPECT(send(ends[1], "abc", 3, 0) == 3);
        EXPECT(nanosleep(&time, NULL) == 0);
    }
    EXPECT(read(ends[1], &c, 1) == 1);
    EXPECT(sendmsg(ends[1], &message, 0) == 5);
    EXPECT(nanosleep(&time, NULL) == 0);
    EXPECT(sendto(ends[1], "k", 1, 0, NULL, 0) == 1);
    close(ends[1]);
}

/* One after the other: a write, a writev, and for sockets a sendmsg. */
static void write_big(void)
{
    unsigned char *big = malloc(BIG_BYTES);
    struct iovec pieces[PIECES] = {
        { big, 10 }, { big + 10, BIG_BYTES / 2 }, { big + 10 + BIG_BYTES / 2, BIG_BYTES / 2 - 10 }
    };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = PIECES };

    for (size_t i = 0; i < BIG_BYTES; i++)
        big[i] = byte_of(i);
    EXPECT(write(ends[1], big, BIG_BYTES) == BIG_BYTES);
    EXPECT(writev(ends[1], pieces, PIECES) == BIG_BYTES);
    if (sendmsg(ends[1], &message, 0) != BIG_BYTES)
        EXPECT(errno == ENOTSOCK);
    close(ends[1]);
    free(big);
}

static void read_big(void)
{
    unsigned char some[5000];
    struct iovec pieces[2] = { { some, 1000 }, { some + 1000, 4000 } };
    ssize_t got;
    size_t at = 0;

    while ((got = readv(ends[0], pieces, 2)) > 0)
        for (ssize_t i = 0; i < got; i++, at++)
            EXPECT(some[i] == byte_of(at % BIG_BYTES));
    EXPECT(got == 0);
    EXPECT(at == 2 * BIG_BYTES || at == 3 * BIG_BYTES);
    close(ends[0]);
}

/* In both units the same at once: nothing has to be waited for. */
static void nothing(void)
{
}

static void fail_at_once(void)
{
    int fds[2], flags;
    char c;

    FAILS(read(-1, &c, 1), EBADF);
    FAILS(recv(-1, &c, 1, 0), EBADF);
    FAILS(write(-1, &c, 1), EBADF);
    FAILS(accept(ends[0], NULL, NULL), EINVAL);
    FAILS(recv(ends[0], &c, 1, MSG_DONTWAIT), EAGAIN);
    flags = fcntl(ends[0], F_GETFL);
    fcntl(ends[0], F_SETFL, flags | O_NONBLOCK);
    FAILS(read(ends[0], &c, 1), EAGAIN);
    fcntl(ends[0], F_SETFL, flags);
    EXPECT(pipe(fds) == 0);
    FAILS(read(fds[1], &c, 1), EBADF);
    FAILS(write(fds[0], &c, 1), EBADF);
    FAILS(recv(fds[0], &c, 1, 0), ENOTSOCK);
    EXPECT(read(fds[0], &c, 0) == 0);
    close(fds[0]);
    FAILS(write(fds[1], &c, 1), EPIPE);
    close(fds[1]);
    close(ends[1]);
    FAILS(send(ends[0], &c, 1, 0), EPIPE);
    close(ends[0]);
    FAILS(close(ends[0]), EBADF);
}

static void wait_in_vain(void)
{
    struct timeval time = { 0, SHORT_MS * 1000 };
    uint64_t begin_ns = clock_ns();
    char c;

    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    FAILS(recv(ends[0], &c, 1, 0), EAGAIN);
    EXPECT(clock_ns() - begin_ns >= (SHORT_MS - 1) * MS); /* the kernel counts in ticks */
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
    while (send(ends[0], ends, sizeof ends, 0) > 0) { }
    EXPECT(errno == EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

/* ---- connecting ---- */

static struct sockaddr_storage address;
static socklen_t address_bytes;

static void listen_at(const void *where, socklen_t size_bytes, sa_family_t family)
{
    listener = socket(family, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, where, size_bytes), 0);
    assert_int_equal(listen(listener, family == AF_UNIX ? 0 : CONNECTIONS), 0);
    address_bytes = sizeof address;
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &address_bytes), 0);
}

static void listen_on_loopback(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    listen_at(&any, sizeof any, AF_INET);
}

static void listen_in_files(void)
{
    struct sockaddr_un any = { .sun_family = AF_UNIX };

    listen_at(&any, sizeof(sa_family_t), AF_UNIX);
}

static void accept_some(void)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = i % 2 ? accept(listener, NULL, NULL) : accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        EXPECT(fd >= 0);
        EXPECT(write(fd, "!", 1) == 1);
        close(fd);
    }
    close(listener);
}

static void connect_some(void)
{
    int fds[CONNECTIONS];
    char c;

    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = socket(address.ss_family, SOCK_STREAM, 0);
        EXPECT(connect(fds[i], (struct sockaddr *)&address, address_bytes) == 0);
        EXPECT(!(fcntl(fds[i], F_GETFL) & O_NONBLOCK));
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        EXPECT(read(fds[i], &c, 1) == 1);
        close(fds[i]);
    }
}

static void connect_to_nobody(void)
{
    int fd = socket(address.ss_family, SOCK_STREAM, 0);

    close(listener);
    FAILS(connect(fd, (struct sockaddr *)&address, address_bytes), ECONNREFUSED);
    close(fd);
}

/* ---- the time of a call ---- */

/* A peer that does a little again and again: each time soon enough, but all of it takes many times
 * as long as the call may wait. */
static _Atomic int parts; /* atomic */
static _Atomic bool over; /* atomic; the call has returned */

static bool goes_on(void)
{
    usleep(SHORT_MS * 1000);
    return !atomic_load(&over) && atomic_fetch_add(&parts, 1) < PARTS;
}

static void make_slow(void)
{
    atomic_store(&parts, 0);
    atomic_store(&over, false);
}

static void make_slow_sockets(void)
{
    make_slow();
    make_sockets();
}

static void limit_time(int fd, int which)
{
    struct timeval time = { 0, 10 * SHORT_MS * 1000 };

    EXPECT(setsockopt(fd, SOL_SOCKET, which, &time, sizeof time) == 0);
}

static void end_in_time(void)
{
    EXPECT(atomic_load(&parts) < PARTS);
    atomic_store(&over, true);
}

static void receive_in_vain(void)
{
    char *big = malloc(BIG_BYTES);
    ssize_t got;

    limit_time(ends[0], SO_RCVTIMEO);
    got = recv(ends[0], big, BIG_BYTES, MSG_WAITALL);
    EXPECT(got < PARTS && (got > 0 || errno == EAGAIN));
    end_in_time();
    close(ends[0]);
    free(big);
}

static void send_slowly(void)
{
    while (goes_on() && send(ends[1], "x", 1, 0) == 1) {
    }
    close(ends[1]);
}

static void connect_narrowly(void)
{
    int size_bytes = 4096;

    make_slow();
    listen_on_loopback();
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size_bytes, sizeof size_bytes),
                     0);
    ends[1] = socket(address.ss_family, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof size_bytes), 0);
    assert_int_equal(connect(ends[1], (struct sockaddr *)&address, address_bytes), 0);
    ends[0] = accept(listener, NULL, NULL);
    assert_true(ends[0] >= 0);
    close(listener);
}

static void send_in_vain(void)
{
    char *big = calloc(1, BIG_BYTES);
    struct iovec pieces[2] = { { big, BIG_BYTES / 2 }, { big, BIG_BYTES / 2 } };
    ssize_t taken;

    limit_time(ends[1], SO_SNDTIMEO);
    taken = send(ends[1], big, BIG_BYTES, 0);
    EXPECT(taken > 0 && taken < BIG_BYTES);
    taken = writev(ends[1], pieces, 2);
    EXPECT(taken < BIG_BYTES && (taken > 0 || errno == EAGAIN));
    end_in_time();
    close(ends[1]);
    free(big);
}

static void take_slowly(void)
{
    char some[4096];

    while (goes_on() && recv(ends[0], some, sizeof some, 0) > 0) {
    }
    close(ends[0]);
}

/* Of a Unix socket it is the time of each buffer: all takes longer. Where the peer is kept from
 * running, one may be late; then again. */
static void send_on(void)
{
    char *big = calloc(1, BIG_BYTES);
    ssize_t taken;

    limit_time(ends[1], SO_SNDTIMEO);
    do
        taken = send(ends[1], big, BIG_BYTES, 0);
    while (taken < BIG_BYTES && atomic_load(&parts) < PARTS);
    EXPECT(taken == BIG_BYTES);
    atomic_store(&over, true);
    close(ends[1]);
    free(big);
}

static void take_in_parts(void)
{
    char *some = malloc(BIG_BYTES / 32);

    while (goes_on() && recv(ends[0], some, BIG_BYTES / 32, MSG_WAITALL) > 0) {
    }
    close(ends[0]);
    free(some);
}

static void listen_slowly(void)
{
    make_slow();
    listen_in_files();
}

static void connect_in_vain(void)
{
    int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);

    EXPECT(connect(first, (struct sockaddr *)&address, address_bytes) == 0);
    limit_time(second, SO_SNDTIMEO);
    FAILS(connect(second, (struct sockaddr *)&address, address_bytes), EAGAIN);
    end_in_time();
    close(first);
    close(second);
}

static void accept_too_late(void)
{
    while (goes_on()) {
    }
    close(accept(listener, NULL, NULL));
    close(listener);
}

/* ---- messages to an address ---- */

static _Atomic int tries; /* atomic; to send one */
static struct real_calls before_counting;

static ssize_t counting_sendto(int fd, const void *data, size_t size_bytes, int flags,
                               const struct sockaddr *to, socklen_t to_bytes)
{
    atomic_fetch_add(&tries, 1);
    return before_counting.sendto(fd, data, size_bytes, flags, to, to_bytes);
}

static ssize_t counting_sendmsg(int fd, const struct msghdr *message, int flags)
{
    atomic_fetch_add(&tries, 1);
    return before_counting.sendmsg(fd, message, flags);
}

static void make_mailbox(void)
{
    struct sockaddr_un any = { .sun_family = AF_UNIX };

    ends[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
    ends[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(ends[0], (struct sockaddr *)&any, sizeof(sa_family_t)), 0);
    address_bytes = sizeof address;
    assert_int_equal(getsockname(ends[0], (struct sockaddr *)&address, &address_bytes), 0);
    atomic_store(&tries, 0);
    if (before_counting.sendto)
        return;
    before_counting = real;
    real.sendto = counting_sendto;
    real.sendmsg = counting_sendmsg;
}

static ssize_t send_letter(int number)
{
    struct iovec piece = { &number, sizeof number };
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = address_bytes, .msg_iov = &piece, .msg_iovlen = 1
    };

    if (number % 2)
        return sendmsg(ends[1], &message, 0);
    return sendto(ends[1], &number, sizeof number, 0, (struct sockaddr *)&address, address_bytes);
}

/* Of its own socket poll says all the while that it is writable. */
static void send_letters(void)
{
    for (int i = 0; i < LETTERS; i++)
        EXPECT(send_letter(i) == sizeof i);
    EXPECT(atomic_load(&tries) < 2 * LETTERS + IDLE_TURNS / 4);
    close(ends[1]);
}

static void receive_letters_late(void)
{
    int number;

    for (int i = 0; i < IDLE_TURNS; i++)
        usleep(0);
    for (int i = 0; i < LETTERS; i++) {
        EXPECT(recv(ends[0], &number, sizeof number, 0) == sizeof number);
        EXPECT(number == i);
    }
    close(ends[0]);
}

/* Its queue is full, and it reads nothing before the time of a sender is over. */
static void send_letters_in_vain(void)
{
    int i = 0;

    limit_time(ends[1], SO_SNDTIMEO);
    while (i < 100000 && send_letter(i) > 0)
        i++;
    EXPECT(i > 0 && i < 100000 && errno == EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

/* ---- several files ---- */

static void poll_two(void)
{
    struct pollfd files[3] = {
        { .fd = more[0][0], .events = POLLIN }, { .fd = -1, .events = POLLIN },
        { .fd = more[1][0], .events = POLLIN },
    };

    EXPECT(poll(files, 3, -1) == 1);
    EXPECT(files[0].revents == 0 && files[1].revents == 0 && files[2].revents == POLLIN);
    EXPECT(write(more[2][1], "?", 1) == 1);
    EXPECT(ppoll(files, 1, NULL, NULL) == 1);
    EXPECT(files[0].revents == POLLHUP);
}

static void ready_second(void)
{
    char c;

    EXPECT(write(more[1][1], "!", 1) == 1);
    EXPECT(read(more[2][0], &c, 1) == 1);
    close(more[0][1]);
}

/* More than a loop watches by itself; one of them twice. */
static void poll_many(void)
{
    struct pollfd files[PIPES + 1];

    for (int i = 0; i < PIPES; i++)
        files[i] = (struct pollfd){ .fd = more[i][0], .events = POLLIN };
    files[PIPES] = (struct pollfd){ .fd = more[PIPES - 1][0], .events = POLLRDNORM };
    EXPECT(poll(files, PIPES + 1, LONG_MS) == 2);
    EXPECT(files[PIPES - 1].revents == POLLIN && files[PIPES].revents == POLLRDNORM);
    EXPECT(poll(files, 2, SHORT_MS) == 0);
}

static void ready_last(void)
{
    EXPECT(write(more[PIPES - 1][1], "!", 1) == 1);
}

/* What is urgent, and that the peer writes no more: no reader is told of these. */
static void poll_other_events(void)
{
    struct pollfd file = { .fd = ends[0], .events = POLLRDHUP };

    EXPECT(poll(&file, 1, -1) == 1);
    EXPECT(file.revents & POLLRDHUP);
    close(ends[0]);
}

static void write_no_more(void)
{
    EXPECT(write(ends[1], "!", 1) == 1); /* readable it is before */
    usleep(1000);
    shutdown(ends[1], SHUT_WR);
    close(ends[1]);
}

static void poll_what_never_waits(void)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct pollfd files[2] = { { .fd = file, .events = POLLIN }, { .fd = 9999, .events = POLLIN } };
    char bytes[4];

    EXPECT(poll(files, 1, -1) == 1);
    EXPECT(poll(files, 2, -1) == 2);
    EXPECT(files[1].revents == POLLNVAL);
    files[0].events = POLLPRI; /* which never comes */
    EXPECT(poll(files, 1, SHORT_MS) == 0);
    EXPECT(read(file, bytes, 4) == 4);
    EXPECT(memcmp(bytes, "\177ELF", 4) == 0);
    close(file);
}

static void time_out(void)
{
    struct timespec time = { 0, SHORT_MS * MS };
    struct timeval val = { 0, SHORT_MS * 1000 };
    uint64_t begin_ns = clock_ns();
    fd_set set;

    EXPECT(poll(NULL, 0, SHORT_MS) == 0);
    EXPECT(clock_ns() - begin_ns >= SHORT_MS * MS);
    begin_ns = clock_ns();
    EXPECT(ppoll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, &time, NULL) == 0);
    EXPECT(clock_ns() - begin_ns >= SHORT_MS * MS);
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    begin_ns = clock_ns();
    EXPECT(select(ends[0] + 1, &set, NULL, NULL, &val) == 0);
    EXPECT(clock_ns() - begin_ns >= SHORT_MS * MS);
    EXPECT(!FD_ISSET(ends[0], &set) && val.tv_sec == 0 && val.tv_usec == 0);
    time.tv_nsec = -1;
    FAILS(ppoll(NULL, 0, &time, NULL), EINVAL);
    close(ends[0]);
    close(ends[1]);
}

static void select_some(void)
{
    fd_set readable, writable;
    struct timeval time = { LONG_MS / 1000, 0 };
    int closed;

    FD_ZERO(&readable);
    FD_ZERO(&writable);
    for (int i = 0; i < PIPES; i++)
        FD_SET(more[i][0], &readable);
    EXPECT(select(FD_SETSIZE, &readable, NULL, NULL, &time) == 1);
    EXPECT(FD_ISSET(more[1][0], &readable) && !FD_ISSET(more[0][0], &readable));
    EXPECT(time.tv_sec < LONG_MS / 1000);
    FD_SET(more[0][0], &readable);
    FD_SET(more[1][1], &writable);
    EXPECT(pselect(FD_SETSIZE, &readable, &writable, NULL, NULL, NULL) == 2);
    EXPECT(FD_ISSET(more[1][1], &writable) && !FD_ISSET(more[0][0], &readable));
    EXPECT(write(more[2][1], "?", 1) == 1);
    closed = dup(more[0][0]);
    close(closed);
    FD_SET(closed, &readable);
    FAILS(select(FD_SETSIZE, &readable, NULL, NULL, NULL), EBADF);
}

static void epoll_one(void)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = 7 };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    char c;

    EXPECT(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
    EXPECT(epoll_wait(epoll, &event, 1, SHORT_MS) == 0);
    EXPECT(write(ends[0], "!", 1) == 1);
    EXPECT(epoll_wait(epoll, &event, 1, -1) == 1);
    EXPECT(event.data.fd == 7);
    EXPECT(epoll_pwait(epoll, &event, 1, -1, NULL) == 1);
    EXPECT(read(ends[0], &c, 1) == 1);
    close(epoll);
    close(ends[0]);
}

static void answer_one(void)
{
    char c;

    EXPECT(read(ends[1], &c, 1) == 1);
    EXPECT(write(ends[1], &c, 1) == 1);
    close(ends[1]);
}

/* ---- time ---- */

static void sleep_in_every_way(void)
{
    struct timespec time = { 0, SHORT_MS * MS }, until, left = { 7, 7 };
    uint64_t begin_ns = clock_ns();

    EXPECT(nanosleep(&time, &left) == 0);
    EXPECT(left.tv_sec == 7);
    EXPECT(usleep(SHORT_MS * 1000) == 0);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL) == 0);
    EXPECT(clock_ns() - begin_ns >= 3 * SHORT_MS * MS);
    clock_gettime(CLOCK_REALTIME, &until);
    until = timespec_of_ns((uint64_t)interpose_ns(&until) + SHORT_MS * MS);
    EXPECT(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL) == 0);
    until = timespec_of_ns(clock_ns() + SHORT_MS * MS);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    EXPECT(clock_ns() - begin_ns >= 5 * SHORT_MS * MS);
    EXPECT(sleep(0) == 0);
    time.tv_nsec = NS_PER_S;
    FAILS(nanosleep(&time, NULL), EINVAL);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL) == EINVAL);
    EXPECT(clock_nanosleep(999, 0, &until, NULL) == EINVAL);
}

#define PAIR(name, set_up, first, second) { #name, set_up, first, second }

static const struct pair pairs[] = {
    PAIR(read, make_sockets, read_hello, write_hello),
    PAIR(wait_all, make_sockets, read_all_of_it, write_in_pieces),
    PAIR(big_by_socket, make_sockets, write_big, read_big),
    PAIR(big_by_pipe, make_pipe, write_big, read_big),
    PAIR(fail_at_once, make_sockets, fail_at_once, nothing),
    PAIR(time_of_socket, make_sockets, wait_in_vain, nothing),
    PAIR(connect, listen_on_loopback, accept_some, connect_some),
    PAIR(connect_busy, listen_in_files, accept_some, connect_some),
    PAIR(connect_refused, listen_on_loopback, connect_to_nobody, nothing),
    PAIR(time_of_receive, make_slow_sockets, receive_in_vain, send_slowly),
    PAIR(time_of_send, connect_narrowly, send_in_vain, take_slowly),
    PAIR(time_of_each_buffer, make_slow_sockets, send_on, take_in_parts),
    PAIR(time_of_connect, listen_slowly, connect_in_vain, accept_too_late),
    PAIR(letters, make_mailbox, send_letters, receive_letters_late),
    PAIR(time_of_letters, make_mailbox, send_letters_in_vain, nothing),
    PAIR(poll, make_pipes, poll_two, ready_second),
    PAIR(poll_many, make_pipes, poll_many, ready_last),
    PAIR(poll_other_events, make_sockets, poll_other_events, write_no_more),
    PAIR(poll_what_never_waits, NULL, poll_what_never_waits, nothing),
    PAIR(time_out, make_sockets, time_out, nothing),
    PAIR(select, make_pipes, select_some, ready_second),
    PAIR(epoll, make_sockets, epoll_one, answer_one),
    PAIR(sleep, NULL, sleep_in_every_way, nothing),
};

enum { PAIRS = sizeof pairs / sizeof *pairs };

/* ---- who has asked, and who has not ---- */

static int asleep;

/* A turn of the loop begins them all before it looks at the clock again. */
static void sleep_with_all(void)
{
    struct timespec time = { 0, SHORT_MS * MS };
    uint64_t begin_ns = clock_ns();

    asleep++;
    EXPECT(nanosleep(&time, NULL) == 0);
    EXPECT(clock_ns() - begin_ns >= SHORT_MS * MS);
    EXPECT(asleep == SLEEPERS);
}

static void test_many_sleep_at_once(void **state)
{
    static struct object *sleepers[SLEEPERS];
    static code *const nap = sleep_with_all;

    (void)state;
    asleep = 0;
    memset(&wrong, 0, sizeof wrong);
    for (int i = 0; i < SLEEPERS; i++)
        sleepers[i] = spawn(run_patched, &nap);
    assert_int_equal(hub_join_all((borrowed const *)sleepers, SLEEPERS, HUB_NEVER), 1);
    for (int i = 0; i < SLEEPERS; i++)
        decref(sleepers[i]);
    hub_end();
    assert_right();
}

static struct object *wait_for_byte(borrowed about, borrowed const *arguments, size_t count)
{
    struct patch p;
    char c;
    int result;

    (void)about, (void)arguments, (void)count;
    if (patch_begin(&p) < 0)
        return NULL;
    EXPECT(read(ends[0], &c, 1) == 1);
    result = patch_end(&p);
    return result < 0 ? NULL : none();
}

static struct object *do_not_ask(borrowed about, borrowed const *arguments, size_t count)
{
    uint64_t switches = hub_switches();

    (void)about, (void)arguments, (void)count;
    EXPECT(!patch_is_on());
    EXPECT(interposer_here); /* another one has asked */
    usleep(1000);
    EXPECT(write(ends[1], "!", 1) == 1);
    EXPECT(hub_switches() == switches);
    return none();
}

static void test_who_has_not_asked_blocks(void **state)
{
    struct object *first, *second;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    make_sockets();
    first = spawn(wait_for_byte, NULL);
    second = spawn(do_not_ask, NULL);
    end(first);
    end(second);
    close(ends[0]);
    close(ends[1]);
    hub_end();
    assert_right();
}

static void test_who_is_detached_blocks(void **state)
{
    struct patch p;
    uint64_t switches;

    (void)state;
    assert_int_equal(patch_begin(&p), 0);
    switches = hub_switches();
    thread_detach(thread_self);
    assert_false(patch_is_on());
    usleep(1000);
    thread_attach(thread_self);
    assert_int_equal(hub_switches(), switches);
    assert_true(patch_is_on());
    usleep(1000);
    assert_int_equal(hub_switches(), switches + 2);
    assert_int_equal(patch_end(&p), 0);
    assert_false(patch_is_on());
    hub_end();
}

static struct object *nap_in_loop(borrowed closure, borrowed const *arguments, size_t count)
{
    uint64_t switches = hub_switches();

    (void)closure, (void)arguments, (void)count;
    EXPECT(!patch_is_on());
    usleep(1000);
    EXPECT(hub_switches() == switches);
    return none();
}

static void test_what_the_loop_calls_blocks(void **state)
{
    struct object *f = function_new("nap", nap_in_loop, ARGUMENTS_ANY, NULL);
    struct patch p;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    assert_int_equal(patch_begin(&p), 0);
    assert_int_equal(loop_call_soon(hub_loop(), f, NULL), 0);
    usleep(1000);
    assert_int_equal(patch_end(&p), 0);
    decref(f);
    hub_end();
    assert_right();
}

/* io.h is as it was, in a block or not. */
static void test_what_knows_the_hub_works_in_a_block(void **state)
{
    struct patch outer, inner;
    char c;

    (void)state;
    make_pipe();
    assert_int_equal(patch_begin(&outer), 0);
    assert_int_equal(patch_begin(&inner), 0);
    assert_int_equal(io_sleep_ns(1 * MS), 0);
    assert_int_equal(write(ends[1], "!", 1), 1);
    assert_int_equal(io_read(ends[0], &c, 1), 1);
    assert_int_equal(patch_end(&inner), 0);
    assert_true(patch_is_on());
    assert_int_equal(patch_end(&outer), 0);
    close(ends[0]);
    close(ends[1]);
    hub_end();
}

static struct object *read_one(borrowed about, borrowed const *arguments, size_t count)
{
    struct object *done = wait_for_byte(about, arguments, count);

    note("read");
    return done;
}

/* As threads may; the second waits elsewhere than in the loop. */
static void test_two_wait_for_one_descriptor(void **state)
{
    struct object *first, *second;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    make_sockets();
    first = spawn(read_one, NULL);
    second = spawn(read_one, NULL);
    assert_int_equal(hub_sleep_ns(1 * MS), 0);
    assert_diary("");
    assert_int_equal(write(ends[1], "12", 2), 2);
    end(first);
    end(second);
    assert_diary("read read");
    close(ends[0]);
    close(ends[1]);
    hub_end();
    assert_right();
}

static struct object *read_closed(borrowed about, borrowed const *arguments, size_t count)
{
    struct patch p;
    char c;
    int result;

    (void)about, (void)arguments, (void)count;
    if (patch_begin(&p) < 0)
        return NULL;
    FAILS(read(ends[0], &c, 1), EBADF);
    result = patch_end(&p);
    return result < 0 ? NULL : none();
}

/* The number is another's at once, who then waits for it undisturbed. */
static struct object *close_and_reuse(borrowed about, borrowed const *arguments, size_t count)
{
    struct patch p;
    int number = ends[0], fds[2];
    char c;

    (void)about, (void)arguments, (void)count;
    if (patch_begin(&p) < 0)
        return NULL;
    close(number);
    EXPECT(pipe(fds) == 0);
    EXPECT(fds[0] == number);
    EXPECT(poll(&(struct pollfd){ .fd = number, .events = POLLIN }, 1, SHORT_MS) == 0);
    EXPECT(write(fds[1], "!", 1) == 1);
    EXPECT(read(number, &c, 1) == 1);
    close(fds[0]);
    close(fds[1]);
    return patch_end(&p) < 0 ? NULL : none();
}

static void test_who_waits_for_what_is_closed_is_told(void **state)
{
    struct object *first, *second;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    make_sockets();
    first = spawn(read_closed, NULL);
    second = spawn(close_and_reuse, NULL);
    end(first);
    end(second);
    close(ends[1]);
    hub_end();
    assert_right();
}

/* ---- what is thrown ---- */

/* A library that gives up step by step. */
static struct object *give_up(borrowed about, borrowed const *arguments, size_t count)
{
    struct timespec left = { 0, 0 };
    struct patch p;
    char c;

    (void)about, (void)arguments, (void)count;
    if (patch_begin(&p) < 0)
        return NULL;
    FAILS(recv(ends[0], &c, 1, 0), ECANCELED);
    assert_null(exception_pending());
    FAILS(poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, -1), ECANCELED);
    FAILS(nanosleep(&(struct timespec){ LONG_MS / 1000, 0 }, &left), ECANCELED);
    EXPECT(left.tv_sec >= LONG_MS / 1000 - 1);
    EXPECT(sleep(10) == 10);
    EXPECT(write(ends[0], "x", 1) == 1); /* that need not wait */
    if (patch_end(&p) < 0)
        note(type_of(exception_pending())->name);
    return NULL;
}

static void test_kill_ends_a_call_and_is_raised_at_the_end(void **state)
{
    struct object *g;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    make_sockets();
    g = spawn(give_up, NULL);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(g, NULL, true), 0);
    assert_diary("GreenletExit");
    end(g);
    close(ends[0]);
    close(ends[1]);
    hub_end();
    assert_right();
}

static void test_a_timeout_ends_a_call(void **state)
{
    struct hub_timeout t;
    struct patch p;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    make_pipe();
    assert_int_equal(hub_timeout_begin(&t, 2 * MS, NULL), 0);
    assert_int_equal(patch_begin(&p), 0);
    FAILS(poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, -1), ECANCELED);
    assert_int_equal(patch_end(&p), -1);
    assert_int_equal(hub_timeout_end(&t), 1);
    assert_int_equal(patch_begin(&p), 0);
    assert_int_equal(usleep(1000), 0); /* and that was all */
    assert_int_equal(patch_end(&p), 0);
    close(ends[0]);
    close(ends[1]);
    hub_end();
    assert_right();
}

/* What was taken is said; the rest of the big write is not waited for. */
static struct object *write_until_killed(borrowed about, borrowed const *arguments, size_t count)
{
    char *big = calloc(1, BIG_BYTES);
    struct patch p;
    ssize_t taken;

    (void)about, (void)arguments, (void)count;
    if (patch_begin(&p) < 0)
        return NULL;
    taken = write(ends[1], big, BIG_BYTES);
    EXPECT(taken > 0 && taken < BIG_BYTES);
    FAILS(write(ends[1], big, BIG_BYTES), ECANCELED);
    free(big);
    return patch_end(&p) < 0 ? NULL : none();
}

static void test_a_write_that_is_killed_says_how_much(void **state)
{
    struct object *g;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    make_sockets();
    g = spawn(write_until_killed, NULL);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(g, NULL, true), 0);
    end(g);
    close(ends[0]);
    close(ends[1]);
    hub_end();
    assert_right();
}

/* With an exception on its way one may still clean up. */
static void test_what_is_pending_stays_pending(void **state)
{
    struct patch p;

    (void)state;
    assert_int_equal(patch_begin(&p), 0);
    exception_set(&value_error, "wrong");
    assert_int_equal(usleep(1000), 0);
    assert_int_equal(patch_end(&p), -1);
    assert_error(true, &value_error, "wrong");
    hub_end();
}

/* ---- without memory ---- */

static int finish_session(struct patch *p, int result)
{
    if (patch_end(p) < 0)
        result = -1;
    return result;
}

static int nap_session(void)
{
    struct patch p;
    int result;

    if (patch_begin(&p) < 0)
        return -1;
    result = usleep(1000);
    return finish_session(&p, result);
}

static int read_session(void)
{
    struct pollfd files[PIPES];
    struct patch p;
    int result;

    for (int i = 0; i < PIPES; i++)
        files[i] = (struct pollfd){ .fd = more[i][0], .events = POLLIN };
    if (patch_begin(&p) < 0)
        return -1;
    result = poll(files, 1, 1);
    if (result == 0)
        result = poll(files, PIPES, 1);
    return finish_session(&p, result);
}

/* First a turn, for room in the loop's ring: without that a timer only comes later. */
static int with_hub(int (*session)(void))
{
    int result = hub_sleep_ns(0) < 0 ? -1 : session();
    struct object *pending = exception_take();

    hub_end();
    greenlet_close();
    exception_restore(pending);
    return result;
}

static int nap_and_end(void)
{
    return with_hub(nap_session);
}

static int read_and_end(void)
{
    return with_hub(read_session);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    greenlet_close();
    make_pipes();
    fail_everywhere(nap_and_end);
    fail_everywhere(read_and_end);
    close_pipes();
}

/* No descriptor for the epoll of a wait: the call says so, and nothing else happens. */
static void test_without_descriptors_a_call_says_so(void **state)
{
    static int fds[100000];
    struct pollfd files[PIPES];
    struct patch p;
    int count = 0;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    make_pipes();
    for (int i = 0; i < PIPES; i++)
        files[i] = (struct pollfd){ .fd = more[i][0], .events = POLLIN };
    assert_int_equal(patch_begin(&p), 0);
    while (count < 100000 && (fds[count] = dup(more[0][0])) >= 0)
        count++;
    if (count < 100000) {
        FAILS(poll(files, PIPES, SHORT_MS), EMFILE);
        EXPECT(poll(files, 1, SHORT_MS) == 0);
    }
    while (count > 0)
        close(fds[--count]);
    EXPECT(poll(files, PIPES, SHORT_MS) == 0);
    assert_int_equal(patch_end(&p), 0);
    close_pipes();
    hub_end();
    assert_right();
}

/* ---- signals, processes, names ---- */

static void on_signal(int number)
{
    (void)number;
}

static void set_alarm_clock(int ms)
{
    struct itimerval timer = { .it_value = { 0, ms * 1000 }, .it_interval = { 0, ms * 1000 } };

    setitimer(ITIMER_REAL, &timer, NULL);
}

static void test_a_signal_interrupts_a_thread_and_no_greenlet(void **state)
{
    struct sigaction action = { .sa_handler = on_signal }, before;
    struct timespec time = { 0, 20 * MS }, left;
    struct patch p;

    (void)state;
    memset(&wrong, 0, sizeof wrong);
    sigaction(SIGALRM, &action, &before);
    set_alarm_clock(2);
    FAILS(nanosleep(&(struct timespec){ LONG_MS / 1000, 0 }, &left), EINTR);
    FAILS(poll(NULL, 0, LONG_MS), EINTR);
    EXPECT(left.tv_sec > 0);
    assert_int_equal(patch_begin(&p), 0);
    EXPECT(nanosleep(&time, NULL) == 0);
    EXPECT(poll(NULL, 0, 10) == 0);
    assert_int_equal(patch_end(&p), 0);
    set_alarm_clock(0);
    sigaction(SIGALRM, &before, NULL);
    alarm(TIMEOUT_S);
    hub_end();
    assert_right();
}

static void test_in_a_forked_child_nothing_is_patched(void **state)
{
    struct patch p;
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(patch_begin(&p), 0);
    child = fork();
    if (child == 0) {
        usleep(1000);
        _exit(interposer_here ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(usleep(1000), 0);
    assert_int_equal(patch_end(&p), 0);
    hub_end();
}

/* What a library finds, when it looks for the name, is ours. */
static void test_libraries_find_what_is_patched(void **state)
{
    Dl_info ours, theirs;

    (void)state;
    assert_true(dladdr(interposed_names, &ours));
    for (int i = 0; interposed_names[i]; i++) {
        assert_true(dladdr(dlsym(RTLD_DEFAULT, interposed_names[i]), &theirs));
        assert_ptr_equal(theirs.dli_fbase, ours.dli_fbase);
    }
    assert_true(dladdr((void *)(uintptr_t)real.poll, &theirs));
    assert_ptr_not_equal(theirs.dli_fbase, ours.dli_fbase);
}

static void test_one_can_ask_what_is_patched(void **state)
{
    (void)state;
    assert_true(patch_is_patched("poll"));
    assert_true(patch_is_patched("clock_nanosleep"));
    assert_false(patch_is_patched("getaddrinfo"));
    assert_false(patch_is_patched("socket"));
    assert_false(patch_is_on());
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_many_sleep_at_once),
        cmocka_unit_test(test_who_has_not_asked_blocks),
        cmocka_unit_test(test_who_is_detached_blocks),
        cmocka_unit_test(test_what_the_loop_calls_blocks),
        cmocka_unit_test(test_what_knows_the_hub_works_in_a_block),
        cmocka_unit_test(test_two_wait_for_one_descriptor),
        cmocka_unit_test(test_who_waits_for_what_is_closed_is_told),
        cmocka_unit_test(test_kill_ends_a_call_and_is_raised_at_the_end),
        cmocka_unit_test(test_a_timeout_ends_a_call),
        cmocka_unit_test(test_a_write_that_is_killed_says_how_much),
        cmocka_unit_test(test_what_is_pending_stays_pending),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_without_descriptors_a_call_says_so),
        cmocka_unit_test(test_a_signal_interrupts_a_thread_and_no_greenlet),
        cmocka_unit_test(test_in_a_forked_child_nothing_is_patched),
        cmocka_unit_test(test_libraries_find_what_is_patched),
        cmocka_unit_test(test_one_can_ask_what_is_patched),
    };
    enum { OTHERS = sizeof others / sizeof *others };
    static struct CMUnitTest tests[2 * PAIRS + OTHERS];
    static char names[2 * PAIRS][40];

    for (int i = 0; i < 2 * PAIRS; i++) {
        snprintf(names[i], sizeof names[i], "%s_in_%s", pairs[i / 2].name,
                 i % 2 ? "greenlets" : "threads");
        tests[i] = (struct CMUnitTest){ .name = names[i],
                                        .test_func = i % 2 ? in_greenlets : in_threads,
                                        .initial_state = (void *)&pairs[i / 2] };
    }
    memcpy(tests + 2 * PAIRS, others, sizeof others);
    signal(SIGPIPE, SIG_IGN);
    alarm(TIMEOUT_S); /* a call that never returns ends the program */
    return run_attached(tests);
}
