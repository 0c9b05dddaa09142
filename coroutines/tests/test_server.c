/* test_server.c - servers and who connects to them: asyncio's tests, under their names; a full
 * house, descriptors that run out, and callers that leave.
 */
#include "coroutines/server.h"

#include "coroutines/connect.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "coroutines/run.h"
#include "coroutines/tests/plays.h"
#include "objects/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

enum { TIMEOUT_S = 60, CLIENTS = 20 };

/* ---- what all need ---- */

static struct object *loop, *server;

static int set_up(void **state)
{
    (void)state;
    loop = make_loop();
    server = NULL;
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

static int tear_down(void **state)
{
    (void)state;
    if (server) {
        server_close(server);
        assert_none(server_wait_closed(server));
        decref(server);
    }
    end_loop(loop);
    return 0;
}

static int count_descriptors(void)
{
    int count = 0;

    settle_heap(); /* what is destroyed late has descriptors, too */
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* ---- handlers, as coroutines ---- */

enum { STREAM, REFERENCES };

/* A line comes back; then it closes. */
static enum turn handle_turn(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    borrowed stream = f->reference[STREAM];

    if (how == RESUME_THROW)
        return frame_raise(argument);
    switch (f->at++) {
    case 0:
        *result = stream_read_line(stream);
        break;
    case 1:
        if (stream_write(stream, bytes_data(argument), bytes_length(argument)) < 0)
            return TURN_ERROR;
        *result = stream_drain(stream);
        break;
    case 2:
        stream_close(stream);
        *result = stream_wait_closed(stream);
        break;
    default:
        return frame_return(result);
    }
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn fail_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    (void)f, (void)how, (void)argument, (void)result;
    exception_set(&exception, "test");
    return TURN_ERROR;
}

static const struct body handle_body = { .name = "handle_client",
                                         .kind = COROUTINE,
                                         .resume = handle_turn,
                                         .references = REFERENCES },
                         fail_body = { .name = "handle_echo",
                                       .kind = COROUTINE,
                                       .resume = fail_turn,
                                       .references = REFERENCES };

static struct object *handle_client(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    return generator_new(&handle_body, arguments, count);
}

static struct object *handle_client_callback(borrowed closure, borrowed const *arguments,
                                             size_t count)
{
    struct object *coroutine = handle_client(closure, arguments, count),
                  *task = task_new(loop_running(), coroutine, NULL);

    decref(coroutine);
    decref(task);
    return none();
}

static struct object *handle_wrongly(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    return generator_new(&fail_body, arguments, count);
}

static struct object *refuse_to_handle(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    exception_set(&exception, "test");
    return NULL;
}

static void serve(struct address a, native *handler, const struct server_options *options)
{
    struct object *f = function_new("handler", handler, 1, NULL);

    server = server_start(loop, &a, f, options);
    assert_non_null(server);
    decref(f);
}

static void close_server(void)
{
    server_close(server);
    assert_none(server_wait_closed(server));
    decref(server);
    server = NULL;
}

static struct object *connected(void)
{
    struct address a = server_address(server);
    struct object *stream = complete(stream_connect(&a, NULL));

    assert_non_null(stream);
    return stream;
}

static void assert_line(borrowed stream, const char *expected)
{
    struct object *line = complete(stream_read_line(stream));

    assert_non_null(line);
    assert_string_equal(bytes_data(line), expected);
    decref(line);
}

static void leave(struct object *stream /* steals */)
{
    stream_close(stream);
    assert_none(stream_wait_closed(stream));
    decref(stream);
}

/* asyncio's client: it sends a line and reads it back. */
static void assert_served(void)
{
    struct object *stream = connected();

    assert_int_equal(stream_write(stream, "hello world!\n", 13), 0);
    assert_line(stream, "hello world!\n");
    leave(stream);
}

/* ---- test_streams.py ---- */

static void test_start_server(void **state)
{
    (void)state;
    serve(address_loopback(0), handle_client, NULL);
    assert_served();
    close_server();
    serve(address_loopback(0), handle_client_callback, NULL);
    assert_served();
    close_server();
    assert_heard(0, NULL, NULL);
}

static void serve_path(native *handler)
{
    char directory[] = "/tmp/server-XXXXXX", path[64];
    struct address a;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
    assert_int_equal(address_path(&a, path), 0);
    serve(a, handler, NULL);
    assert_served();
    close_server();
    unlink(path);
    rmdir(directory);
}

static void test_start_unix_server(void **state)
{
    (void)state;
    serve_path(handle_client);
    serve_path(handle_client_callback);
    assert_heard(0, NULL, NULL);
}

static void test_abstract_names(void **state)
{
    struct address a;
    char text[120];

    (void)state;
    assert_int_equal(address_abstract(&a, ""), 0); /* the kernel chooses one */
    serve(a, handle_client, NULL);
    a = server_address(server);
    address_write(&a, text, sizeof text);
    assert_int_equal(text[0], '@');
    assert_served();
}

static void test_unhandled_exceptions(void **state)
{
    struct object *stream;

    (void)state;
    serve(address_loopback(0), handle_wrongly, NULL);
    stream = connected();
    assert_line(stream, "");
    leave(stream);
    assert_heard(1, "Unhandled exception in client_connected_cb", "Exception: test");
    close_server();
    serve(address_loopback(0), refuse_to_handle, NULL);
    stream = connected();
    assert_line(stream, "");
    leave(stream);
    assert_heard(1, "Unhandled exception in client_connected_cb", "Exception: test");
}

/* ---- connecting ---- */

static void test_to_connect_to_nobody_is_an_error(void **state)
{
    struct address a = address_loopback(0);
    int deaf = socket_bind(&a, SOCK_STREAM), before = count_descriptors();

    (void)state;
    assert_error(!complete(stream_connect(&a, NULL)), &connection_refused_error,
                 "connect: Connection refused");
    assert_int_equal(count_descriptors(), before);
    close(deaf);
}

/* Its queue is full, so it waits, until it is cancelled. */
static void test_a_connect_that_is_cancelled_leaves_no_socket(void **state)
{
    struct address a;
    struct object *coroutine, *task, *first;
    int listener, before;

    (void)state;
    address_abstract(&a, "");
    listener = socket_listen(&a, 0, false);
    first = complete(stream_connect(&a, NULL));
    before = count_descriptors();
    coroutine = stream_connect(&a, NULL);
    task = task_new(loop, coroutine, NULL);
    decref(coroutine);
    turns(loop, 3);
    assert_false(future_done(task));
    assert_int_equal(count_descriptors(), before + 1);
    future_cancel(task, NULL);
    turns(loop, 3);
    assert_cancelled(task);
    assert_int_equal(count_descriptors(), before);
    decref(task);
    leave(first);
    close(listener);
}

static void test_only_this_machine_is_listened_on(void **state)
{
    struct address a = address_loopback(0);
    struct object *handler = noter("handler");

    (void)state;
    a.internet.sin_addr.s_addr = htonl(INADDR_ANY);
    assert_error(!server_start(loop, &a, handler, NULL), &os_error,
                 "listen: Cannot assign requested address");
    decref(handler);
}

static void test_addresses(void **state)
{
    struct address a = address_loopback_host(0x102, 80), own, other;
    struct object *stream;
    char text[60], path[200];

    (void)state;
    address_write(&a, text, sizeof text);
    assert_string_equal(text, "127.0.1.2:80");
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(address_path(&a, path), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(address_path(&a, ""), -1);
    serve(address_loopback(0), handle_client, NULL);
    stream = connected();
    a = server_address(server);
    assert_int_equal(socket_peer_address(stream_descriptor(stream), &other), 0);
    assert_true(address_equal(&a, &other));
    assert_int_equal(socket_own_address(stream_descriptor(stream), &own), 0);
    assert_false(address_equal(&a, &own));
    leave(stream);
}

/* ---- a full house ---- */

static void test_most_connections(void **state)
{
    struct object *stream[3];

    (void)state;
    serve(address_loopback(0), handle_client, &(struct server_options){ .most_connections = 2 });
    for (int i = 0; i < 3; i++)
        stream[i] = connected();
    turns(loop, 5);
    assert_int_equal(server_connections(server), 2);
    assert_int_equal(stream_write(stream[2], "c\n", 2), 0); /* it waits in the queue */
    turns(loop, 5);
    assert_int_equal(stream_write(stream[0], "a\n", 2), 0);
    assert_line(stream[0], "a\n");
    assert_line(stream[2], "c\n");
    assert_int_equal(server_accepted(server), 3);
    assert_int_equal(stream_write(stream[1], "b\n", 2), 0);
    assert_line(stream[1], "b\n");
    for (int i = 0; i < 3; i++)
        leave(stream[i]);
}

static void test_many_at_once(void **state)
{
    struct object *stream[CLIENTS];

    (void)state;
    serve(address_loopback(0), handle_client, &(struct server_options){ .backlog = CLIENTS });
    for (int i = 0; i < CLIENTS; i++)
        stream[i] = connected();
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(stream_write(stream[i], "x\n", 2), 0);
    for (int i = 0; i < CLIENTS; i++)
        assert_line(stream[i], "x\n");
    for (int i = 0; i < CLIENTS; i++)
        leave(stream[i]);
    assert_int_equal(server_accepted(server), CLIENTS);
}

static struct rlimit descriptors;

/* A caller is in the queue of a server that tries again every 2 ms, and there is no descriptor to
 * accept with. The caller's. */
static int call_without_descriptors(void)
{
    struct rlimit none_left;
    struct address a;
    int client;

    serve(address_loopback(0), handle_client,
          &(struct server_options){ .retry_ns = 2 * NS_PER_MS });
    a = server_address(server);
    client = socket_open(&a, SOCK_STREAM);
    assert_int_equal(io_connect(client, &a.any, a.size_bytes), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    none_left = (struct rlimit){ .rlim_cur = 0, .rlim_max = descriptors.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    return client;
}

static void await_accepted(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
    while (!server_accepted(server))
        turns(loop, 1);
}

/* Without a descriptor to accept with it tells, and watches the listener no more until the time has
 * come. */
static void test_descriptors_that_run_out(void **state)
{
    int client = call_without_descriptors();

    (void)state;
    assert_true(loop_watches(loop, server_descriptor(server), READABLE));
    turns(loop, 1);
    assert_false(loop_watches(loop, server_descriptor(server), READABLE));
    assert_heard(1, "socket.accept() out of system resource",
                 "OSError: accept: Too many open files");
    await_accepted();
    assert_heard(0, NULL, NULL);
    close(client);
}

/* Whatever there is no memory for meanwhile, it is going to try again. */
static void test_descriptors_and_memory_that_run_out(void **state)
{
    int client = call_without_descriptors(), listener = server_descriptor(server);
    bool failed = true;

    (void)state;
    for (int64_t n = 1; failed; n++) {
        while (!loop_watches(loop, listener, READABLE))
            turns(loop, 1);
        fail_allocation(n);
        turns(loop, 1);
        failed = !failure_waits();
        fail_allocation(0);
        assert_true(loop_watches(loop, listener, READABLE) || loop_timers(loop));
    }
    assert_true(heard.told > 0);
    await_accepted();
    memset(&heard, 0, sizeof heard);
    close(client);
}

/* ---- its end ---- */

static void test_wait_closed_waits_for_connections(void **state)
{
    struct object *stream, *closed;

    (void)state;
    serve(address_loopback(0), handle_client, NULL);
    stream = connected();
    turns(loop, 3);
    assert_int_equal(server_connections(server), 1);
    closed = server_wait_closed(server);
    server_close(server);
    server_close(server);
    turns(loop, 3);
    assert_false(future_done(closed));
    assert_int_equal(stream_write(stream, "x\n", 2), 0);
    assert_line(stream, "x\n");
    leave(stream);
    assert_none(closed);
    assert_none(server_wait_closed(server));
}

static void test_a_caller_that_leaves_at_once(void **state)
{
    struct object *stream;

    (void)state;
    serve(address_loopback(0), handle_client, NULL);
    stream = connected();
    stream_abort(stream);
    decref(stream);
    while (!server_accepted(server) || server_connections(server))
        turns(loop, 1);
    assert_heard(0, NULL, NULL);
}

/* A loop that closes with a server, a caller, and a handler that waits. */
static void test_a_loop_that_closes_lets_go(void **state)
{
    struct object *stream;
    int before = count_descriptors();

    (void)state;
    serve(address_loopback(0), handle_client, NULL);
    stream = connected();
    turns(loop, 3);
    assert_int_equal(loop_close(loop), 0);
    stream_close(stream);
    decref(stream);
    decref(server);
    server = NULL;
    settle_heap();
    collect(GENERATION_ALL);
    settle_heap();
    assert_true(count_descriptors() <= before);
    memset(&heard, 0, sizeof heard);
}

/* ---- the implicit style ---- */

static struct object *serve_one(borrowed closure, borrowed const *arguments, size_t count)
{
    int listener = (int)int_value(closure);
    struct object *stream = stream_io_accept(listener, NULL), *line;

    (void)arguments, (void)count;
    if (!stream)
        return NULL;
    line = stream_io_read_line(stream);
    if (line)
        stream_io_write(stream, bytes_data(line), bytes_length(line));
    stream_close(stream);
    decref(stream);
    return line;
}

static void test_greenlets_connect_and_accept(void **state)
{
    struct address a = address_loopback(0);
    int listener = socket_listen(&a, 5, false);
    struct object *closure = int_new(listener), *f = function_new("serve", serve_one, 0, closure),
                  *g = hub_spawn(f, NULL, 0), *stream, *line;

    (void)state;
    stream = stream_io_connect(&a, NULL);
    assert_non_null(stream);
    assert_int_equal(stream_io_write(stream, "hello\n", 6), 0);
    line = stream_io_read_line(stream);
    assert_string_equal(bytes_data(line), "hello\n");
    decref(line);
    stream_close(stream);
    decref(stream);
    decref(hub_get(g, HUB_NEVER));
    decref(g);
    decref(f);
    decref(closure);
    close(listener);
    hub_end();
}

/* ---- memory ---- */

static bool told_of_memory;

static void hear_of_memory(const struct trouble *trouble, void *argument)
{
    (void)argument;
    told_of_memory |= trouble->exception && exception_is(trouble->exception, &memory_error);
}

/* A server, a caller, an answer. What fails on the server's side is told, and closes the
 * connection: then the caller sees the end, or a reset, instead of its line. */
static int session(void)
{
    struct address a = address_loopback(0);
    struct object *l = loop_new(), *f = NULL, *s = NULL, *stream = NULL, *read = NULL, *line = NULL;

    told_of_memory = false;
    if (l) {
        loop_set_hooks(l, &(struct loop_hooks){ .told = hear_of_memory });
        f = function_new("handler", handle_client, 1, NULL);
    }
    if (f)
        s = server_start(l, &a, f, NULL);
    if (s) {
        struct object *coroutine;

        a = server_address(s);
        coroutine = stream_connect(&a, NULL);
        stream = coroutine ? run_until_complete(l, coroutine) : NULL;
        xdecref(coroutine);
    }
    if (stream && stream_write(stream, "x\n", 2) == 0)
        read = stream_read_line(stream);
    if (read)
        line = run_until_complete(l, read);
    xdecref(read);
    if (stream) {
        stream_close(stream);
        decref(stream);
    }
    if (s) {
        server_close(s);
        decref(s);
    }
    xdecref(f);
    if (l)
        loop_close(l);
    xdecref(l);
    settle_heap();
    collect(GENERATION_ALL); /* a handler that waits for a stream that waits for its loop */
    settle_heap();
    if (line && !bytes_length(line) && !told_of_memory)
        fail_msg("the connection was closed, and nobody was told");
    xdecref(line);
    if (line ? !failure_waits() : told_of_memory)
        exception_set_no_memory(); /* the server has told, or the loop got over it by itself */
    return line && failure_waits() ? 0 : -1;
}

static void test_every_allocation_failing(void **state)
{
    int before = count_descriptors();

    (void)state;
    fail_everywhere(session);
    assert_int_equal(count_descriptors(), before);
}

#define with_loop(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_loop(test_start_server),
        with_loop(test_start_unix_server),
        with_loop(test_abstract_names),
        with_loop(test_unhandled_exceptions),
        with_loop(test_to_connect_to_nobody_is_an_error),
        with_loop(test_a_connect_that_is_cancelled_leaves_no_socket),
        with_loop(test_only_this_machine_is_listened_on),
        with_loop(test_addresses),
        with_loop(test_most_connections),
        with_loop(test_many_at_once),
        with_loop(test_descriptors_that_run_out),
        with_loop(test_descriptors_and_memory_that_run_out),
        with_loop(test_wait_closed_waits_for_connections),
        with_loop(test_a_caller_that_leaves_at_once),
        with_loop(test_a_loop_that_closes_lets_go),
        cmocka_unit_test(test_greenlets_connect_and_accept),
        cmocka_unit_test(test_every_allocation_failing),
    };

    alarm(TIMEOUT_S); /* a wait that never ends ends the program */
    return run_attached(tests);
}
