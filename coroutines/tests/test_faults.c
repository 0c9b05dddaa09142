/* test_faults.c - what the kernel may answer at any point: every system call of a session between a
 * server and its client is interrupted, cut short, refused, or finds the connection reset.
 *
 * The calls are interposed: those that the program defines anyway (coroutines/interpose/) go on to
 * functions of this test, and it has two of the kernel's names. They call the kernel themselves, but
 * the one whose turn it is.
 */
#include "coroutines/connect.h"
#include "coroutines/interpose/interpose.h"
#include "coroutines/run.h"
#include "coroutines/server.h"
#include "coroutines/tests/plays.h"
#include "coroutines/tls.h"
#include "coroutines/tls/certificate.h"
#include "objects/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

enum { TIMEOUT_S = 100, LINES = 3 };

/* ---- the calls ---- */

enum call { RECV = 1, SEND = 2, ACCEPT = 4, CONNECT = 8, SOCKET = 16, SHUTDOWN = 32 };

static struct {
    unsigned calls; /* of enum call: which are counted */
    int64_t nth;    /* the how-manieth has its turn; below 1: none, or it has been */
    int error;      /* what it then says; 0: it is cut short, to one byte */
} fault;

/* Whether this call is the one. */
static bool strikes(enum call what)
{
    return fault.calls & what && fault.nth > 0 && --fault.nth == 0;
}

static bool fails(enum call what)
{
    if (!fault.error || !strikes(what))
        return false;
    errno = fault.error;
    return true;
}

static size_t shortened(enum call what, size_t size_bytes)
{
    return !fault.error && size_bytes > 1 && strikes(what) ? 1 : size_bytes;
}

/* A connection that is reset is so for both. */
static bool fails_on(enum call what, int fd)
{
    if (!fails(what))
        return false;
    if (fault.error == ECONNRESET)
        syscall(SYS_shutdown, fd, SHUT_RDWR);
    errno = fault.error;
    return true;
}

static ssize_t faulty_recv(int fd, void *data, size_t size_bytes, int flags)
{
    if (fails_on(RECV, fd))
        return -1;
    return syscall(SYS_recvfrom, fd, data, shortened(RECV, size_bytes), flags, NULL, NULL);
}

static ssize_t faulty_send(int fd, const void *data, size_t size_bytes, int flags)
{
    if (fails_on(SEND, fd))
        return -1;
    return syscall(SYS_sendto, fd, data, shortened(SEND, size_bytes), flags, NULL, 0);
}

static int faulty_accept4(int fd, struct sockaddr *address, socklen_t *size_bytes, int flags)
{
    return fails(ACCEPT) ? -1 : (int)syscall(SYS_accept4, fd, address, size_bytes, flags);
}

static int faulty_connect(int fd, const struct sockaddr *address, socklen_t size_bytes)
{
    bool failed = fails(CONNECT);
    int error = errno;

    if (failed && error == EINTR) /* it is under way all the same */
        syscall(SYS_connect, fd, address, size_bytes);
    errno = error;
    return failed ? -1 : (int)syscall(SYS_connect, fd, address, size_bytes);
}

int socket(int domain, int type, int protocol)
{
    return fails(SOCKET) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int shutdown(int fd, int how)
{
    return fails(SHUTDOWN) ? -1 : (int)syscall(SYS_shutdown, fd, how);
}

/* ---- a session ---- */

static struct tls_identity authority, localhost;
static struct tls_context *trusting, *serving;

static int told;

static void count_told(const struct trouble *trouble, void *argument)
{
    (void)trouble, (void)argument;
    told++;
}

enum { BEGINS, READS, DRAINS };

/* Lines come back, until the end; then it closes. */
static enum turn serve_turn(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    borrowed stream = f->reference[0];

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at != READS) {
        f->at = READS;
        *result = stream_read_line(stream);
        return *result ? TURN_FROM : TURN_ERROR;
    }
    if (!bytes_length(argument)) {
        stream_close(stream);
        return frame_return(result);
    }
    if (stream_write(stream, bytes_data(argument), bytes_length(argument)) < 0)
        return TURN_ERROR;
    f->at = DRAINS;
    *result = stream_drain(stream);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body serve_body = {
    .name = "serve", .kind = COROUTINE, .resume = serve_turn, .references = 1
};

static struct object *handle(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    return generator_new(&serve_body, arguments, count);
}

static struct object *complete(borrowed loop, struct object *awaitable /* steals; may be NULL */)
{
    struct object *result = awaitable ? run_until_complete(loop, awaitable) : NULL;

    xdecref(awaitable);
    return result;
}

static int send_lines(borrowed loop, borrowed stream)
{
    for (int i = 0; i < LINES; i++) {
        char text[20];
        struct object *line;
        size_t came;

        snprintf(text, sizeof text, "line %d\n", i);
        if (stream_write(stream, text, strlen(text)) < 0)
            return -1;
        line = complete(loop, stream_drain(stream));
        if (!line)
            return -1;
        decref(line);
        line = complete(loop, stream_read_line(stream));
        if (!line)
            return -1;
        came = bytes_length(line);
        if (came) /* else the server's end has failed */
            assert_string_equal(bytes_data(line), text);
        decref(line);
        if (!came)
            return -1;
    }
    return stream_write_eof(stream);
}

static int end_session(borrowed loop, borrowed stream)
{
    struct object *rest = complete(loop, stream_read(stream, STREAM_TO_END)), *closed;

    if (!rest)
        return -1;
    decref(rest);
    stream_close(stream);
    closed = complete(loop, stream_wait_closed(stream));
    xdecref(closed);
    return closed ? 0 : -1;
}

static bool over_tls;

/* 0, or -1, perhaps with what is pending. */
static int session(void)
{
    struct address a = address_loopback(0);
    struct object *loop = loop_new(), *f = function_new("handle", handle, 1, NULL), *server,
                  *stream;
    struct object *closed;
    int result = -1;

    told = 0;
    loop_set_hooks(loop, &(struct loop_hooks){ .told = count_told });
    server = server_start(
        loop, &a, f,
        &(struct server_options){ .tls = over_tls ? serving : NULL, .retry_ns = NS_PER_MS });
    decref(f);
    if (server) {
        a = server_address(server);
        stream = complete(loop, over_tls ? stream_connect_tls(&a, NULL, trusting, "localhost")
                                         : stream_connect(&a, NULL));
        if (stream) {
            result = send_lines(loop, stream);
            if (result == 0)
                result = end_session(loop, stream);
            stream_abort(stream);
            decref(stream);
        }
        server_close(server);
        closed = exception_take();
        xdecref(complete(loop, server_wait_closed(server)));
        exception_restore(closed);
        decref(server);
    }
    assert_int_equal(loop_close(loop), 0);
    decref(loop);
    return result;
}

static int count_descriptors(void)
{
    int count = 0;

    settle_heap();
    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The n-th call is struck, for each n, until a session has fewer. */
static void strike_each(unsigned calls, int error, bool harmless)
{
    int64_t blocks = live_blocks();
    int descriptors = count_descriptors(), struck = 0;

    for (int64_t n = 1;; n++) {
        int result;
        bool was;

        fault.calls = calls;
        fault.error = error;
        fault.nth = n;
        result = session();
        was = fault.nth <= 0;
        fault.nth = 0;
        if (!was || harmless) {
            assert_int_equal(result, 0);
            assert_int_equal(told, 0);
        }
        if (result < 0 && exception_pending())
            assert_true(exception_matches(&os_error) || exception_matches(&eof_error));
        assert_true(result == 0 || exception_pending() || told);
        exception_restore(NULL);
        collect(GENERATION_ALL);
        assert_int_equal(live_blocks(), blocks);
        assert_int_equal(count_descriptors(), descriptors);
        if (!was)
            break;
        struck++;
    }
    assert_true(struck > 0);
}

static void test_every_call_interrupted(void **state)
{
    (void)state;
    strike_each(RECV | SEND | ACCEPT | CONNECT, EINTR, true);
}

static void test_every_read_and_write_cut_short(void **state)
{
    (void)state;
    strike_each(RECV | SEND, 0, true);
}

static void test_every_read_and_write_told_to_come_again(void **state)
{
    (void)state;
    strike_each(RECV | SEND | ACCEPT, EAGAIN, true);
}

static void test_every_call_reset(void **state)
{
    (void)state;
    strike_each(RECV | SEND | SHUTDOWN, ECONNRESET, false);
    strike_each(CONNECT, ECONNREFUSED, false);
}

static void test_callers_that_left_before_they_were_accepted(void **state)
{
    (void)state;
    strike_each(ACCEPT, ECONNABORTED, true);
}

static void test_descriptors_that_run_out(void **state)
{
    (void)state;
    strike_each(ACCEPT, EMFILE, false);
    strike_each(SOCKET, EMFILE, false);
    strike_each(ACCEPT, ENOBUFS, false);
}

static int set_up_tls(void **state)
{
    (void)state;
    over_tls = true;
    return 0;
}

static int tear_down_tls(void **state)
{
    (void)state;
    over_tls = false;
    return 0;
}

#define with_tls(test) cmocka_unit_test_setup_teardown(test, set_up_tls, tear_down_tls)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call_interrupted),
        cmocka_unit_test(test_every_read_and_write_cut_short),
        cmocka_unit_test(test_every_read_and_write_told_to_come_again),
        cmocka_unit_test(test_every_call_reset),
        cmocka_unit_test(test_callers_that_left_before_they_were_accepted),
        cmocka_unit_test(test_descriptors_that_run_out),
        with_tls(test_every_call_interrupted),
        with_tls(test_every_read_and_write_cut_short),
        with_tls(test_every_read_and_write_told_to_come_again),
        with_tls(test_every_call_reset),
    };
    struct tls_error e;
    int result;

    real.recv = faulty_recv;
    real.send = faulty_send;
    real.accept4 = faulty_accept4;
    real.connect = faulty_connect;
    alarm(TIMEOUT_S); /* a wait that never ends ends the program */
    if (tls_make_identity(&authority, &(struct tls_wish){ .name = "an authority" }) < 0 ||
        tls_make_identity(&localhost,
                          &(struct tls_wish){ .name = "localhost", .issuer = &authority }) < 0)
        return 1;
    trusting = tls_client_context(authority.certificate, &e);
    serving = tls_server_context(localhost.certificate, localhost.key, &e);
    result = trusting && serving ? run_attached(tests) : 1;
    tls_context_free(trusting);
    tls_context_free(serving);
    tls_identity_free(&authority);
    tls_identity_free(&localhost);
    return result;
}
