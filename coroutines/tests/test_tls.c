/* test_tls.c - streams over TLS: who is trusted, ends that are said and ends that are not, peers
 * that leave, dawdle, or speak something else; and memory that OpenSSL does not get.
 */
#include "coroutines/tls.h"

#include "coroutines/connect.h"
#include "coroutines/hub.h"
#include "coroutines/run.h"
#include "coroutines/server.h"
#include "coroutines/tests/plays.h"
#include "coroutines/tls/certificate.h"
#include "objects/bytes.h"

#include <fcntl.h>
#include <openssl/crypto.h>

enum { TIMEOUT_S = 120, BIG_BYTES = 1 << 20 };

static char big[BIG_BYTES];

/* ---- OpenSSL's memory: the how-manieth that it asks for fails ---- */

static _Atomic int64_t openssl_failing; /* atomic; 0: none */

static bool openssl_fails(void)
{
    return atomic_load_explicit(&openssl_failing, memory_order_relaxed) > 0 &&
           atomic_fetch_sub_explicit(&openssl_failing, 1, memory_order_relaxed) == 1;
}

static void *openssl_malloc(size_t size_bytes, const char *file, int line)
{
    (void)file, (void)line;
    return openssl_fails() ? NULL : malloc(size_bytes);
}

static void *openssl_realloc(void *memory, size_t size_bytes, const char *file, int line)
{
    (void)file, (void)line;
    return openssl_fails() ? NULL : realloc(memory, size_bytes);
}

static void openssl_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

/* ---- what all need ---- */

static struct tls_identity authority, stranger, localhost, expired, early;
static struct tls_context *trusting, *serving;

static struct object *loop, *server, *client, *served;

static struct object *keep_stream(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)count;
    assert_null(served);
    served = incref(arguments[0]);
    return none();
}

static void serve(struct tls_context *context, int64_t handshake_ns)
{
    struct address a = address_loopback(0);
    struct object *f = function_new("handler", keep_stream, 1, NULL);

    server = server_start(loop, &a, f,
                          &(struct server_options){ .tls = context, .handshake_ns = handshake_ns });
    assert_non_null(server);
    decref(f);
}

static int set_up(void **state)
{
    (void)state;
    loop = make_loop();
    serve(serving, 0);
    return 0;
}

static void end_stream(struct object **stream)
{
    if (!*stream)
        return;
    stream_abort(*stream);
    decref(*stream);
    *stream = NULL;
}

static void end_server(void)
{
    struct object *closed;

    server_close(server);
    closed = server_wait_closed(server);
    decref(run_until_complete(loop, closed));
    decref(closed);
    decref(server);
    server = NULL;
}

static int tear_down(void **state)
{
    (void)state;
    end_stream(&client);
    end_stream(&served);
    end_server();
    end_loop(loop);
    return 0;
}

static struct object *complete(struct object *awaitable /* steals */)
{
    struct object *result;

    assert_non_null(awaitable);
    result = run_until_complete(loop, awaitable);
    decref(awaitable);
    return result;
}

static void assert_none(struct object *awaitable /* steals */)
{
    struct object *result = complete(awaitable);

    assert_ptr_equal(result, none());
    decref(result);
}

static struct object *calling(struct tls_context *context, const char *host)
{
    struct address a = server_address(server);

    return stream_connect_tls(&a, NULL, context, host);
}

static void connect_both(void)
{
    client = complete(calling(trusting, "localhost"));
    assert_non_null(client);
    while (!served)
        turns(loop, 1);
}

static void assert_gives(struct object *future /* steals */, const char *expected)
{
    struct object *bytes = complete(future);

    assert_non_null(bytes);
    assert_string_equal(bytes_data(bytes), expected);
    decref(bytes);
}

static void assert_call_fails(struct tls_context *context, const char *host,
                              const struct type *kind, const char *message)
{
    assert_error(!complete(calling(context, host)), kind, message);
    while (!server_rejected(server))
        turns(loop, 1);
    assert_int_equal(server_rejected(server), 1);
    while (server_connections(server))
        turns(loop, 1);
}

/* ---- both know each other ---- */

static void echo_both(void)
{
    assert_int_equal(stream_write(client, "hello\n", 6), 0);
    assert_gives(stream_read_line(served), "hello\n");
    assert_int_equal(stream_write(served, "world\n", 6), 0);
    assert_gives(stream_read_line(client), "world\n");
}

static void test_a_line_there_and_back(void **state)
{
    (void)state;
    connect_both();
    echo_both();
    assert_string_equal(tls_version(stream_tls(client)), "TLSv1.3");
    assert_non_null(strstr(tls_cipher(stream_tls(client)), "_SHA"));
}

static void test_version_1_2(void **state)
{
    struct tls_context *old = tls_client(authority.certificate);

    (void)state;
    assert_int_equal(tls_context_only(old, 0x0303), 0);
    client = complete(calling(old, "localhost"));
    assert_non_null(client);
    while (!served)
        turns(loop, 1);
    echo_both();
    assert_string_equal(tls_version(stream_tls(served)), "TLSv1.2");
    tls_context_free(old);
}

static void test_older_versions_are_refused(void **state)
{
    struct tls_context *old = tls_client(authority.certificate);

    (void)state;
    assert_int_equal(tls_context_only(old, 0x0302), 0);
    assert_error(!complete(calling(old, "localhost")), &ssl_error, "tlsv1 alert protocol version");
    tls_context_free(old);
}

static void test_an_address_is_a_host(void **state)
{
    (void)state;
    client = complete(calling(trusting, "127.0.0.1"));
    assert_non_null(client);
    while (!served)
        turns(loop, 1);
    echo_both();
}

/* ---- certificates ---- */

static void test_another_host(void **state)
{
    (void)state;
    assert_call_fails(trusting, "example.org", &ssl_certificate_error,
                      "certificate verify failed: hostname mismatch, certificate is not valid for "
                      "'example.org'");
}

static void test_another_address(void **state)
{
    (void)state;
    assert_call_fails(trusting, "127.0.0.2", &ssl_certificate_error,
                      "certificate verify failed: IP address mismatch, certificate is not valid "
                      "for '127.0.0.2'");
}

static void test_an_authority_that_is_not_trusted(void **state)
{
    struct tls_context *other = tls_client(stranger.certificate);

    (void)state;
    assert_call_fails(other, "localhost", &ssl_certificate_error,
                      "certificate verify failed: unable to get local issuer certificate");
    tls_context_free(other);
}

static void fail_with_identity(const struct tls_identity *i, const char *message)
{
    struct tls_context *context = tls_server(i->certificate, i->key);

    end_server();
    serve(context, 0);
    assert_call_fails(trusting, "localhost", &ssl_certificate_error, message);
    tls_context_free(context);
}

static void test_a_certificate_out_of_its_time(void **state)
{
    (void)state;
    fail_with_identity(&expired, "certificate verify failed: certificate has expired");
    fail_with_identity(&early, "certificate verify failed: certificate is not yet valid");
}

static void test_contexts_of_what_is_no_certificate(void **state)
{
    (void)state;
    assert_error(!tls_client("rubbish"), &ssl_error, "no start line");
    assert_error(!tls_client(""), &ssl_error, "no start line");
    assert_error(!tls_server(localhost.certificate, "rubbish"), &ssl_error, "unsupported");
    assert_error(!tls_server(localhost.certificate, stranger.key), &ssl_error,
                 "key values mismatch");
}

/* ---- ends ---- */

static void test_half_close(void **state)
{
    (void)state;
    connect_both();
    assert_int_equal(stream_write(client, "question", 8), 0);
    assert_int_equal(stream_write_eof(client), 0);
    assert_gives(stream_read(served, STREAM_TO_END), "question");
    assert_int_equal(stream_write(served, "answer", 6), 0);
    stream_close(served);
    assert_gives(stream_read(client, STREAM_TO_END), "answer");
    assert_true(stream_at_eof(client));
}

#define CUT_OFF "EOF occurred in violation of protocol"

/* The connection ends, but the peer has not said that it ends: somebody else may have cut it. */
static void test_what_is_cut_off_is_no_end(void **state)
{
    (void)state;
    connect_both();
    assert_int_equal(stream_write(served, "ans", 3), 0);
    stream_abort(served);
    assert_gives(stream_read(client, 100), "ans");
    assert_error(!complete(stream_read(client, 100)), &ssl_eof_error, CUT_OFF);
    assert_error(!complete(stream_read_line(client)), &ssl_eof_error, CUT_OFF);
    assert_false(stream_at_eof(client) && !stream_exception(client));
}

static void test_close_says_the_end(void **state)
{
    (void)state;
    connect_both();
    stream_close(served);
    assert_none(stream_wait_closed(served));
    assert_gives(stream_read(client, 100), "");
}

/* ---- much ---- */

static struct object *read_some(borrowed stream, size_t *have)
{
    struct object *data = complete(stream_read(stream, 100000));

    assert_non_null(data);
    assert_memory_equal(bytes_data(data), big + *have, bytes_length(data));
    *have += bytes_length(data);
    return data;
}

static void test_much_in_both_directions(void **state)
{
    size_t there = 0, back = 0;

    (void)state;
    connect_both();
    assert_int_equal(stream_write(client, big, sizeof big), 0);
    assert_int_equal(stream_write(served, big, sizeof big), 0);
    while (there < sizeof big || back < sizeof big) {
        if (there < sizeof big)
            decref(read_some(served, &there));
        if (back < sizeof big)
            decref(read_some(client, &back));
    }
    assert_none(stream_drain(client));
    assert_int_equal(stream_unsent(client), 0);
}

/* They come in one piece, and then the kernel has nothing more to tell of. */
static void test_many_small_records_at_once(void **state)
{
    enum { RECORDS = 100, RECORD_BYTES = 10 };
    struct object *whole;

    (void)state;
    connect_both();
    for (int i = 0; i < RECORDS; i++)
        assert_int_equal(stream_write(served, big + i * RECORD_BYTES, RECORD_BYTES), 0);
    whole = complete(stream_read_exactly(client, RECORDS * RECORD_BYTES));
    assert_memory_equal(bytes_data(whole), big, RECORDS * RECORD_BYTES);
    decref(whole);
}

/* What one record brings stays with the session until it is asked for. */
static void test_a_record_is_read_piece_by_piece(void **state)
{
    struct object *whole;

    (void)state;
    connect_both();
    assert_int_equal(stream_write(served, big, 16000), 0);
    for (size_t have = 0; have < 10000;) {
        struct object *piece = complete(stream_read(client, 7));

        assert_memory_equal(bytes_data(piece), big + have, bytes_length(piece));
        have += bytes_length(piece);
        decref(piece);
        if (have >= 10000) {
            whole = complete(stream_read_exactly(client, 16000 - have));
            assert_memory_equal(bytes_data(whole), big + have, 16000 - have);
            decref(whole);
        }
    }
}

/* ---- peers that do not do as they should ---- */

static int call_plainly(void)
{
    struct address a = server_address(server);
    int fd = socket_open(&a, SOCK_STREAM);

    assert_int_equal(connect(fd, &a.any, a.size_bytes), 0);
    return fd;
}

static void wait_for_rejection(void)
{
    while (!server_rejected(server) || server_connections(server))
        turns(loop, 1);
    assert_int_equal(server_rejected(server), 1);
    assert_null(served);
}

static void test_a_client_that_vanishes_in_its_handshake(void **state)
{
    (void)state;
    loop_set_debug(loop, true);
    close(call_plainly());
    wait_for_rejection();
    assert_heard(1, "SSL handshake failed", "SSLEOFError: " CUT_OFF);
}

static void test_a_client_that_vanishes_amid_a_message(void **state)
{
    const char half[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, (char)0xfc, 3, 3 };
    int fd;

    (void)state;
    loop_set_debug(loop, true);
    fd = call_plainly();
    assert_int_equal(send(fd, half, sizeof half, 0), sizeof half);
    turns(loop, 5);
    close(fd);
    wait_for_rejection();
    assert_heard(1, "SSL handshake failed", "SSLEOFError: " CUT_OFF);
}

static char last_trouble[300]; /* without what led to it */

static void hear_last(const struct trouble *trouble, void *argument)
{
    (void)argument;
    snprintf(last_trouble, sizeof last_trouble, "%s: %s: %s", trouble->message,
             type_of(trouble->exception)->name, exception_message(trouble->exception));
}

static void test_a_client_that_says_nothing(void **state)
{
    int fd;

    (void)state;
    end_server();
    serve(serving, 3 * NS_PER_MS);
    loop_set_debug(loop, true);
    loop_set_hooks(loop, &(struct loop_hooks){ .told = hear_last });
    fd = call_plainly();
    wait_for_rejection();
    assert_string_equal(last_trouble,
                        "SSL handshake failed: ConnectionAbortedError: SSL handshake is "
                        "taking longer than 0.0 seconds: aborting the connection");
    close(fd);
}

static void test_a_client_that_speaks_something_else(void **state)
{
    char data[100];
    int fd;

    (void)state;
    loop_set_debug(loop, true);
    fd = call_plainly();
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    wait_for_rejection();
    assert_heard(1, "SSL handshake failed", "SSLError: http request");
    assert_true(recv(fd, data, sizeof data, 0) >= 0);
    close(fd);
}

/* Nobody is told, unless the loop is in debug mode. */
static void test_strangers_are_no_errors_of_ours(void **state)
{
    (void)state;
    close(call_plainly());
    wait_for_rejection();
    assert_heard(0, NULL, NULL);
}

static void test_a_server_that_speaks_something_else(void **state)
{
    struct address a = address_loopback(0);
    int listener = socket_listen(&a, 1, false), fd;
    struct object *coroutine = stream_connect_tls(&a, NULL, trusting, "localhost"),
                  *task = task_new(loop, coroutine, NULL);

    (void)state;
    decref(coroutine);
    turns(loop, 3);
    fd = accept(listener, NULL, NULL);
    assert_int_equal(send(fd, "220 welcome\r\n", 13, 0), 13);
    assert_error(!complete(task), &ssl_error, "wrong version number");
    close(fd);
    close(listener);
}

static void test_a_handshake_that_is_cancelled(void **state)
{
    struct address a = address_loopback(0);
    int listener = socket_listen(&a, 1, false), fd;
    struct object *coroutine = stream_connect_tls(&a, NULL, trusting, "localhost"),
                  *task = task_new(loop, coroutine, NULL);
    char data[2000];
    ssize_t got;

    (void)state;
    decref(coroutine);
    turns(loop, 5);
    future_cancel(task, NULL);
    turns(loop, 5);
    assert_cancelled(task);
    decref(task);
    fd = accept(listener, NULL, NULL);
    do
        got = recv(fd, data, sizeof data, 0);
    while (got > 0);
    assert_int_equal(got, 0);
    close(fd);
    close(listener);
}

/* ---- the implicit style ---- */

static struct object *serve_here(borrowed closure, borrowed const *arguments, size_t count)
{
    int listener = (int)int_value(closure);
    struct object *stream = stream_io_accept_tls(listener, NULL, serving), *line;

    (void)arguments, (void)count;
    if (!stream)
        return NULL;
    line = stream_io_read_line(stream);
    assert_int_equal(stream_io_write(stream, bytes_data(line), bytes_length(line)), 0);
    assert_int_equal(stream_write_eof(stream), 0);
    stream_close(stream);
    decref(stream);
    return line;
}

static void test_greenlets_over_tls(void **state)
{
    struct address a = address_loopback(0);
    int listener = socket_listen(&a, 5, false);
    struct object *closure = int_new(listener), *f = function_new("serve", serve_here, 0, closure),
                  *g = hub_spawn(f, NULL, 0), *stream, *line;

    (void)state;
    stream = stream_io_connect_tls(&a, NULL, trusting, "localhost");
    assert_non_null(stream);
    assert_int_equal(stream_io_write(stream, "hello\n", 6), 0);
    line = stream_io_read_line(stream);
    assert_non_null(line);
    assert_string_equal(bytes_data(line), "hello\n");
    decref(line);
    line = stream_io_read(stream, 1);
    assert_int_equal(bytes_length(line), 0);
    decref(line);
    stream_close(stream);
    decref(stream);
    decref(hub_get(g, HUB_NEVER));
    decref(g);
    g = hub_spawn(f, NULL, 0);
    assert_error(!stream_io_connect_tls(&a, NULL, trusting, "example.org"), &ssl_certificate_error,
                 "certificate verify failed: hostname mismatch, certificate is not valid for "
                 "'example.org'");
    assert_error(!hub_get(g, HUB_NEVER), &ssl_error, "sslv3 alert bad certificate");
    decref(g);
    decref(f);
    decref(closure);
    close(listener);
    hub_end();
}

/* One that writes more than the kernel takes, to one that reads only when it is let. */
static struct object *poured;
static bool let;

static struct object *pour(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    return stream_io_write(poured, big, sizeof big) < 0 ? NULL : none();
}

/* All that comes until the end, or until the connection is cut off. */
static struct object *swallow(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *stream = stream_io_accept_tls((int)int_value(closure), NULL, serving), *all;

    (void)arguments, (void)count;
    assert_non_null(stream);
    while (!let)
        assert_int_equal(hub_sleep_ns(NS_PER_MS), 0);
    all = stream_io_read(stream, STREAM_TO_END);
    stream_abort(stream);
    decref(stream);
    return all;
}

static struct object *spawn(const char *name, native *body, borrowed closure)
{
    struct object *f = function_new(name, body, 0, closure), *g = hub_spawn(f, NULL, 0);

    assert_non_null(g);
    decref(f);
    return g;
}

struct pouring {
    struct object *writer, *reader; /* owned */
};

/* The writer waits. */
static struct pouring begin_pouring(void)
{
    struct address a = address_loopback(0);
    int listener = socket_listen(&a, 5, false);
    struct object *closure = int_new(listener);
    struct pouring p = { .reader = spawn("swallow", swallow, closure) };
    int least = 4096; /* of the kernel's buffers, or it would take all */

    let = false;
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    poured = stream_io_connect_tls(&a, NULL, trusting, "localhost");
    assert_non_null(poured);
    close(listener);
    decref(closure);
    setsockopt(stream_descriptor(poured), SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    p.writer = spawn("pour", pour, NULL);
    while (!stream_unsent(poured))
        assert_int_equal(hub_sleep_ns(0), 0);
    return p;
}

static void end_pouring(struct pouring *p)
{
    decref(p->writer);
    decref(p->reader);
    decref(poured);
    hub_end();
}

static void test_one_at_a_time_moves_the_session(void **state)
{
    struct pouring p = begin_pouring();
    struct object *all;

    (void)state;
    assert_error(!stream_io_read(poured, 1), &runtime_error,
                 "Cannot read over TLS while another writes");
    assert_error(stream_io_write(poured, "x", 1) < 0, &runtime_error,
                 "Cannot write over TLS while another reads or writes");
    assert_error(stream_write_eof(poured) < 0, &runtime_error,
                 "Cannot end writing over TLS while another reads or writes");
    let = true;
    decref(hub_get(p.writer, HUB_NEVER));
    stream_close(poured);
    all = hub_get(p.reader, HUB_NEVER);
    assert_non_null(all);
    assert_int_equal(bytes_length(all), BIG_BYTES);
    assert_memory_equal(bytes_data(all), big, BIG_BYTES);
    decref(all);
    end_pouring(&p);
}

/* What had been enciphered goes out before what is written next, once. */
static void test_a_write_that_is_ended_leaves_whole_records(void **state)
{
    struct pouring p = begin_pouring();
    struct object *all;
    size_t have;

    (void)state;
    assert_int_equal(hub_kill(p.writer, NULL, true), 0);
    assert_true(stream_unsent(poured) > 0);
    let = true;
    assert_int_equal(stream_io_write(poured, "end", 3), 0);
    stream_close(poured);
    all = hub_get(p.reader, HUB_NEVER);
    assert_non_null(all);
    have = bytes_length(all) - 3;
    assert_true(have > 0 && have < BIG_BYTES && have % 16384 == 0);
    assert_memory_equal(bytes_data(all), big, have);
    assert_memory_equal(bytes_data(all) + have, "end", 3);
    decref(all);
    end_pouring(&p);
}

static void test_closed_by_another_while_it_writes(void **state)
{
    struct pouring p = begin_pouring();

    (void)state;
    stream_close(poured);
    assert_error(!hub_get(p.writer, HUB_NEVER), &os_error,
                 "[Errno 9] File descriptor was closed in another greenlet");
    let = true;
    assert_error(!hub_get(p.reader, HUB_NEVER), &ssl_eof_error,
                 "EOF occurred in violation of protocol");
    end_pouring(&p);
}

static void test_a_host_that_is_no_name(void **state)
{
    (void)state;
    assert_error(!tls_session_start(trusting, ""), &value_error,
                 "server_hostname cannot be an empty string or start with a leading dot.");
    assert_error(!tls_session_start(trusting, ".example.org"), &value_error,
                 "server_hostname cannot be an empty string or start with a leading dot.");
}

/* ---- memory ---- */

static bool told_of_memory;

static void hear_of_memory(const struct trouble *trouble, void *argument)
{
    (void)argument;
    told_of_memory |= trouble->exception && exception_is(trouble->exception, &memory_error);
}

/* Both ends on one loop, without a server: handshakes, a line, the end. */
static int session(void)
{
    struct tls_session *tls[2] = { NULL };
    struct object *l = loop_new(), *end[2] = { NULL }, *shaking[2] = { NULL }, *f = NULL,
                  *line = NULL;
    int pair[2], done = 0;

    told_of_memory = false;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    if (l)
        loop_set_hooks(l, &(struct loop_hooks){ .told = hear_of_memory });
    for (int i = 0; i < 2; i++) {
        tls[i] = l ? tls_session_start(i ? serving : trusting, i ? NULL : "localhost") : NULL;
        if (tls[i])
            end[i] = stream_new(l, pair[i], NULL, tls[i]);
        else
            close(pair[i]);
    }
    for (int i = 0; i < 2 && end[0] && end[1]; i++) {
        struct object *handshake = tls_handshake(end[i], LONG_S * (int64_t)NS_PER_S);

        shaking[i] = handshake ? task_new(l, handshake, NULL) : NULL;
        xdecref(handshake);
    }
    for (int i = 0; i < 2 && shaking[0] && shaking[1]; i++) {
        struct object *result = run_until_complete(l, shaking[i]);

        done += result != NULL;
        xdecref(result);
        if (!result)
            break;
    }
    if (done == 2 && stream_write(end[0], "x\n", 2) == 0)
        f = stream_read_line(end[1]);
    if (f)
        line = run_until_complete(l, f);
    for (int i = 0; i < 2; i++) {
        if (shaking[i] && !future_done(shaking[i]))
            future_cancel(shaking[i], NULL);
        if (shaking[i])
            as_future(shaking[i])->tells = false;
        xdecref(shaking[i]);
        if (end[i])
            stream_abort(end[i]);
        xdecref(end[i]);
    }
    xdecref(f);
    if (l)
        loop_close(l);
    xdecref(l);
    collect(GENERATION_ALL);
    settle_heap();
    xdecref(line);
    return line ? 0 : -1;
}

/* It ended well although an allocation failed, for the loop got over it; or its error is what the
 * other end's failure looks like from here. */
static int forgiving_session(void)
{
    int result = session();

    if (result == 0 ? !failure_waits() : exception_matches(&os_error))
        exception_set_no_memory();
    return failure_waits() ? result : -1;
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    fail_everywhere(forgiving_session);
}

/* Whatever OpenSSL does not get, one of both ends says MemoryError or SSLError, and nothing is
 * left. There are some thousands of them: each run looks at some. */
static void test_every_allocation_of_openssl_failing(void **state)
{
    int64_t before = live_blocks();
    int failures = 0;

    (void)state;
    seed_random();
    for (int64_t n = 1;; n += 1 + (int64_t)random_below(32)) {
        int result;

        atomic_store(&openssl_failing, n);
        result = session();
        if (atomic_load(&openssl_failing) > 0) {
            atomic_store(&openssl_failing, 0);
            assert_int_equal(result, 0);
            break;
        }
        failures += result < 0;
        if (result < 0)
            assert_true(exception_matches(&memory_error) || exception_matches(&ssl_error) ||
                        exception_matches(&connection_error));
        exception_restore(NULL);
        assert_int_equal(live_blocks(), before);
    }
    assert_true(failures > 20);
}

static void make_identities(void)
{
    const struct tls_wish wishes[] = {
        { .name = "an authority" },
        { .name = "another" },
    };
    bool fine = tls_make_identity(&authority, &wishes[0]) == 0 &&
                tls_make_identity(&stranger, &wishes[1]) == 0;
    struct tls_wish localhosts = { .name = "localhost",
                                   .address = "127.0.0.1",
                                   .issuer = &authority };

    fine = fine && tls_make_identity(&localhost, &localhosts) == 0;
    localhosts.from_s = -1000;
    localhosts.until_s = -10;
    fine = fine && tls_make_identity(&expired, &localhosts) == 0;
    localhosts.from_s = 1000;
    localhosts.until_s = 2000;
    fine = fine && tls_make_identity(&early, &localhosts) == 0;
    if (!fine)
        abort();
}

static void free_identities(void)
{
    tls_identity_free(&authority);
    tls_identity_free(&stranger);
    tls_identity_free(&localhost);
    tls_identity_free(&expired);
    tls_identity_free(&early);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_server(test_a_line_there_and_back),
        with_server(test_version_1_2),
        with_server(test_older_versions_are_refused),
        with_server(test_an_address_is_a_host),
        with_server(test_another_host),
        with_server(test_another_address),
        with_server(test_an_authority_that_is_not_trusted),
        with_server(test_a_certificate_out_of_its_time),
        with_server(test_contexts_of_what_is_no_certificate),
        with_server(test_half_close),
        with_server(test_what_is_cut_off_is_no_end),
        with_server(test_close_says_the_end),
        with_server(test_much_in_both_directions),
        with_server(test_many_small_records_at_once),
        with_server(test_a_record_is_read_piece_by_piece),
        with_server(test_a_client_that_vanishes_in_its_handshake),
        with_server(test_a_client_that_vanishes_amid_a_message),
        with_server(test_a_client_that_says_nothing),
        with_server(test_a_client_that_speaks_something_else),
        with_server(test_strangers_are_no_errors_of_ours),
        with_server(test_a_server_that_speaks_something_else),
        with_server(test_a_handshake_that_is_cancelled),
        cmocka_unit_test(test_greenlets_over_tls),
        cmocka_unit_test(test_one_at_a_time_moves_the_session),
        cmocka_unit_test(test_a_write_that_is_ended_leaves_whole_records),
        cmocka_unit_test(test_closed_by_another_while_it_writes),
        cmocka_unit_test(test_a_host_that_is_no_name),
        cmocka_unit_test(test_every_allocation_failing),
        cmocka_unit_test(test_every_allocation_of_openssl_failing),
    };
    struct tls_error e;
    int result;

    alarm(TIMEOUT_S); /* a wait that never ends ends the program */
    CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free);
    for (int i = 0; i < BIG_BYTES; i++)
        big[i] = (char)(i * 31 + i / 251);
    make_identities();
    trusting = tls_client_context(authority.certificate, &e);
    serving = tls_server_context(localhost.certificate, localhost.key, &e);
    result = trusting && serving ? run_attached(tests) : 1;
    tls_context_free(trusting);
    tls_context_free(serving);
    free_identities();
    return result;
}
