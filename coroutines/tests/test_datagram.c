/* test_datagram.c - messages: who sent them, queues and their limits, nobody at the other end. */
#include "coroutines/datagram.h"

#include "coroutines/hub.h"
#include "coroutines/interpose/interpose.h"
#include "coroutines/run.h"
#include "coroutines/tests/plays.h"
#include "objects/bytes.h"
#include "objects/warning.h"

#include <fcntl.h>

enum { TIMEOUT_S = 60, LETTERS = 100, IDLE_TURNS = 2000 };

static struct object *loop, *here, *there; /* `there` has `here` as its peer */
static struct address at_here;

static struct object *opened(borrowed l, const struct address *own, const struct address *peer)
{
    struct object *o = datagram_open(l, own, peer);

    assert_non_null(o);
    return o;
}

static void open_both(borrowed l)
{
    struct address any = address_loopback(0);

    here = opened(l, &any, NULL);
    assert_int_equal(socket_own_address(datagram_descriptor(here), &at_here), 0);
    there = opened(l, NULL, &at_here);
}

static void close_both(void)
{
    datagram_close(here);
    datagram_close(there);
    decref(here);
    decref(there);
}

static int set_up(void **state)
{
    (void)state;
    loop = make_loop();
    open_both(loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_both();
    end_loop(loop);
    return 0;
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

static void send_text(borrowed from, const char *text, const struct address *to)
{
    assert_int_equal(datagram_send(from, text, strlen(text), to), 0);
}

/* ---- there and back ---- */

static void test_a_message_and_its_answer(void **state)
{
    struct address sender, own;

    (void)state;
    send_text(there, "question", NULL);
    assert_bytes(complete(datagram_receive(here, DATAGRAM_BYTES, &sender)), "question");
    assert_int_equal(socket_own_address(datagram_descriptor(there), &own), 0);
    assert_true(address_equal(&sender, &own));
    send_text(here, "answer", &sender);
    assert_bytes(complete(datagram_receive(there, DATAGRAM_BYTES, NULL)), "answer");
}

static void test_messages_keep_their_bounds(void **state)
{
    (void)state;
    send_text(there, "abc", NULL);
    send_text(there, "", NULL);
    send_text(there, "defgh", NULL);
    assert_bytes(complete(datagram_receive(here, 10, NULL)), "abc");
    assert_bytes(complete(datagram_receive(here, 10, NULL)), "");
    assert_bytes(complete(datagram_receive(here, 2, NULL)), "de"); /* the rest is cut off */
    send_text(there, "i", NULL);
    assert_bytes(complete(datagram_receive(here, 10, NULL)), "i");
}

static void test_a_receive_that_waits(void **state)
{
    struct object *f = datagram_receive(here, 10, NULL);

    (void)state;
    turns(loop, 2);
    assert_false(future_done(f));
    assert_error(!datagram_receive(here, 10, NULL), &runtime_error, "Already receiving");
    send_text(there, "x", NULL);
    assert_bytes(complete(f), "x");
    f = datagram_receive(here, 10, NULL); /* the socket is still watched */
    assert_false(future_done(f));
    send_text(there, "y", NULL);
    assert_bytes(complete(f), "y");
}

static void test_a_receive_that_is_cancelled_takes_nothing(void **state)
{
    struct object *f = datagram_receive(here, 10, NULL);

    (void)state;
    assert_int_equal(future_cancel(f, NULL), 1);
    decref(f);
    send_text(there, "x", NULL);
    turns(loop, 3);
    assert_false(loop_watches(loop, datagram_descriptor(here), READABLE));
    assert_bytes(complete(datagram_receive(here, 10, NULL)), "x");
}

static void test_unix_sockets(void **state)
{
    struct address a, any;
    struct object *other, *caller;

    (void)state;
    assert_int_equal(address_abstract(&any, ""), 0);
    other = opened(loop, &any, NULL);
    assert_int_equal(socket_own_address(datagram_descriptor(other), &a), 0);
    caller = opened(loop, &any, &a);
    send_text(caller, "x", NULL);
    assert_bytes(complete(datagram_receive(other, 10, NULL)), "x");
    datagram_close(other);
    datagram_close(caller);
    decref(other);
    decref(caller);
}

/* ---- who may ---- */

static void test_addresses_are_checked(void **state)
{
    struct address other = address_loopback(9);

    (void)state;
    assert_error(datagram_send(there, "x", 1, &other) < 0, &value_error,
                 "Invalid address: must be None or that of the peer");
    assert_int_equal(datagram_send(there, "x", 1, &at_here), 0);
    assert_error(datagram_send(here, "x", 1, NULL) < 0, &value_error,
                 "the endpoint has no peer, so an address is needed");
}

static void test_what_is_too_long_is_refused(void **state)
{
    static char big[100000];

    (void)state;
    assert_error(datagram_send(there, big, sizeof big, NULL) < 0, &os_error,
                 "send: Message too long");
}

/* ---- nobody there ---- */

/* The kernel tells of it later, once, and the endpoint goes on. */
static void test_nobody_there_is_told(void **state)
{
    struct object *f;

    (void)state;
    datagram_close(here);
    send_text(there, "x", NULL);
    f = datagram_receive(there, 10, NULL);
    assert_error(!complete(f), &connection_refused_error, "recv: Connection refused");
    send_text(there, "x", NULL);
    assert_error(datagram_send(there, "y", 1, NULL) < 0, &connection_refused_error,
                 "send: Connection refused");
    f = datagram_receive(there, 10, NULL);
    turns(loop, 2);
    assert_false(future_done(f));
    future_cancel(f, NULL);
    decref(f);
}

static void test_a_closed_endpoint(void **state)
{
    struct object *f = datagram_receive(here, 10, NULL);

    (void)state;
    datagram_close(here);
    datagram_close(here);
    assert_error(!complete(f), &os_error, "the endpoint is closed");
    assert_error(!complete(datagram_receive(here, 10, NULL)), &os_error, "the endpoint is closed");
    assert_error(datagram_send(here, "x", 1, &at_here) < 0, &os_error, "the endpoint is closed");
    assert_int_equal(datagram_descriptor(here), -1);
}

static char warned[200];

static void hear_warning(const struct type *kind, const char *message)
{
    snprintf(warned, sizeof warned, "%s: %s", kind->name, message);
}

static void test_one_that_is_dropped_is_closed(void **state)
{
    static const struct warning_hooks hooks = { .warn = hear_warning };
    const struct warning_hooks *before = warning_set_hooks(&hooks);
    struct address any = address_loopback(0);
    struct object *lost = opened(loop, &any, NULL);
    int fd = datagram_descriptor(lost);

    (void)state;
    decref(lost);
    settle_heap();
    warning_set_hooks(before);
    assert_non_null(strstr(warned, "ResourceWarning: unclosed <Datagram fd="));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* ---- a queue ---- */

/* Over a Unix socket, whose sender has to wait while its receiver's queue is full. */
static void test_a_queue_has_a_limit(void **state)
{
    static const char text[1000] = { 'x' };
    struct address any, a;
    struct object *slow, *sender, *drain;
    int sent = 0, received = 0;

    (void)state;
    assert_int_equal(address_abstract(&any, ""), 0);
    slow = opened(loop, &any, NULL);
    assert_int_equal(socket_own_address(datagram_descriptor(slow), &a), 0);
    sender = opened(loop, NULL, &a);
    while (datagram_unsent(sender) <= DATAGRAM_HIGH_BYTES) {
        assert_int_equal(datagram_send(sender, text, sizeof text, NULL), 0);
        sent++;
    }
    drain = datagram_drain(sender);
    turns(loop, 3);
    assert_false(future_done(drain));
    while (received < sent) {
        decref(complete(datagram_receive(slow, DATAGRAM_BYTES, NULL)));
        received++;
    }
    decref(complete(drain));
    assert_int_equal(datagram_unsent(sender), 0);
    datagram_close(slow);
    datagram_close(sender);
    decref(slow);
    decref(sender);
}

/* ---- a full queue of somebody else's ---- */

static int64_t tries; /* to send */
static ssize_t (*sends)(int fd, const void *data, size_t size_bytes, int flags,
                        const struct sockaddr *to, socklen_t to_bytes);

static ssize_t counting_sendto(int fd, const void *data, size_t size_bytes, int flags,
                               const struct sockaddr *to, socklen_t to_bytes)
{
    tries++;
    return sends(fd, data, size_bytes, flags, to, to_bytes);
}

/* Of two Unix sockets `here` is at an address, and `there` has no peer. */
static void open_letters(borrowed l)
{
    struct address any;

    assert_int_equal(address_abstract(&any, ""), 0);
    here = opened(l, &any, NULL);
    there = opened(l, &any, NULL);
    assert_int_equal(socket_own_address(datagram_descriptor(here), &at_here), 0);
    tries = 0;
    if (real.sendto != counting_sendto)
        sends = real.sendto;
    real.sendto = counting_sendto;
}

static void close_letters(void)
{
    real.sendto = sends;
    close_both();
}

static void assert_letter(struct object *bytes /* steals */, int number)
{
    char text[16];

    snprintf(text, sizeof text, "%d", number);
    assert_bytes(bytes, text);
}

/* Nobody says when there is room, and the loop does not turn until there is. */
static void test_who_sends_to_a_full_queue_looks_now_and_then(void **state)
{
    char text[16];

    (void)state;
    loop = make_loop();
    open_letters(loop);
    for (int i = 0; i < LETTERS; i++) {
        snprintf(text, sizeof text, "%d", i);
        send_text(there, text, &at_here);
    }
    assert_true(datagram_unsent(there) > 0);
    turns(loop, IDLE_TURNS);
    assert_false(loop_watches(loop, datagram_descriptor(there), WRITABLE));
    assert_int_equal(loop_timers(loop), 1);
    for (int i = 0; i < LETTERS; i++)
        assert_letter(complete(datagram_receive(here, DATAGRAM_BYTES, NULL)), i);
    assert_int_equal(datagram_unsent(there), 0);
    assert_true(tries < 2 * LETTERS + IDLE_TURNS / 4);
    close_letters();
    end_loop(loop);
}

static void test_one_that_is_closed_meanwhile_sends_no_more(void **state)
{
    (void)state;
    loop = make_loop();
    open_letters(loop);
    while (!datagram_unsent(there))
        send_text(there, "x", &at_here);
    assert_int_equal(loop_timers(loop), 1);
    close_letters();
    while (loop_timers(loop))
        turns(loop, 1);
    end_loop(loop);
    assert_heard(0, NULL, NULL);
}

static struct object *send_letters(borrowed closure, borrowed const *arguments, size_t count)
{
    char text[16];

    (void)closure, (void)arguments, (void)count;
    for (int i = 0; i < LETTERS; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(datagram_io_send(there, text, strlen(text), &at_here), 0);
    }
    return none();
}

static void test_a_greenlet_that_sends_to_a_full_queue(void **state)
{
    struct object *f = function_new("send", send_letters, 0, NULL), *g = hub_spawn(f, NULL, 0);

    (void)state;
    open_letters(NULL);
    for (int i = 0; i < IDLE_TURNS; i++)
        assert_int_equal(hub_sleep_ns(0), 0);
    for (int i = 0; i < LETTERS; i++)
        assert_letter(datagram_io_receive(here, DATAGRAM_BYTES, NULL), i);
    decref(hub_get(g, HUB_NEVER));
    assert_true(tries < 2 * LETTERS + IDLE_TURNS / 4);
    decref(g);
    decref(f);
    close_letters();
    hub_end();
}

/* ---- the implicit style ---- */

static struct object *answer(borrowed closure, borrowed const *arguments, size_t count)
{
    struct address sender;
    struct object *message = datagram_io_receive(here, DATAGRAM_BYTES, &sender);

    (void)closure, (void)arguments, (void)count;
    if (message)
        datagram_io_send(here, bytes_data(message), bytes_length(message), &sender);
    return message;
}

static void test_greenlets(void **state)
{
    struct object *f = function_new("answer", answer, 0, NULL), *g = hub_spawn(f, NULL, 0);

    (void)state;
    open_both(NULL);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(datagram_io_send(there, "hello", 5, NULL), 0);
    assert_bytes(datagram_io_receive(there, 10, NULL), "hello");
    decref(hub_get(g, HUB_NEVER));
    decref(g);
    decref(f);
    close_both();
    hub_end();
}

/* The buffer is the endpoint's. */
static void test_one_receives_at_a_time(void **state)
{
    struct object *f = function_new("answer", answer, 0, NULL), *g = hub_spawn(f, NULL, 0);

    (void)state;
    open_both(NULL);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_error(!datagram_io_receive(here, 2 * DATAGRAM_BYTES, NULL), &runtime_error,
                 "Already receiving");
    assert_int_equal(datagram_io_send(there, "hello", 5, NULL), 0);
    assert_bytes(datagram_io_receive(there, 10, NULL), "hello");
    decref(hub_get(g, HUB_NEVER));
    decref(g);
    decref(f);
    close_both();
    hub_end();
}

static void test_threads(void **state)
{
    (void)state;
    open_both(NULL);
    assert_int_equal(datagram_io_send(there, "hello", 5, NULL), 0);
    assert_bytes(datagram_io_receive(here, 10, NULL), "hello");
    close_both();
}

/* ---- memory ---- */

static int session(void)
{
    struct address any = address_loopback(0), at;
    struct object *l = loop_new(), *a = l ? datagram_open(l, &any, NULL) : NULL, *b = NULL,
                  *f = NULL, *message = NULL;

    if (a && socket_own_address(datagram_descriptor(a), &at) == 0)
        b = datagram_open(l, NULL, &at);
    if (b && datagram_send(b, "x", 1, NULL) == 0)
        f = datagram_receive(a, 10, NULL);
    if (f)
        message = run_until_complete(l, f);
    if (f && !message && (!future_done(f) || as_future(f)->exception)) { /* it is still there */
        struct object *e = exception_take(), *again;

        future_cancel(f, NULL);
        again = datagram_receive(a, 10, NULL);
        assert_non_null(again);
        assert_bytes(run_until_complete(l, again), "x");
        decref(again);
        exception_restore(e);
    }
    if (a)
        datagram_close(a);
    if (b)
        datagram_close(b);
    xdecref(f);
    xdecref(a);
    xdecref(b);
    if (l)
        loop_close(l);
    xdecref(l);
    xdecref(message);
    return message ? 0 : -1;
}

static void await_try(void)
{
    int64_t before = tries;

    while (tries == before)
        turns(loop, 1);
}

/* What was queued is sent in the end, whatever there is no memory for: without a timer it is tried
 * in each turn. */
static void test_a_full_queue_and_no_memory(void **state)
{
    bool failed = true;

    (void)state;
    loop = make_loop();
    open_letters(loop);
    while (!datagram_unsent(there))
        send_text(there, "0", &at_here);
    await_try(); /* the loop has its own memory by then */
    for (int64_t n = 1; failed; n++) {
        fail_allocation(n);
        await_try();
        failed = !failure_waits();
        fail_allocation(0);
        assert_true(loop_watches(loop, datagram_descriptor(there), WRITABLE) || loop_timers(loop));
    }
    while (datagram_unsent(there))
        assert_letter(complete(datagram_receive(here, DATAGRAM_BYTES, NULL)), 0);
    close_letters();
    end_loop(loop);
    assert_heard(0, NULL, NULL);
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    fail_everywhere(session);
}

#define with_both(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_both(test_a_message_and_its_answer),
        with_both(test_messages_keep_their_bounds),
        with_both(test_a_receive_that_waits),
        with_both(test_a_receive_that_is_cancelled_takes_nothing),
        with_both(test_unix_sockets),
        with_both(test_addresses_are_checked),
        with_both(test_what_is_too_long_is_refused),
        with_both(test_nobody_there_is_told),
        with_both(test_a_closed_endpoint),
        with_both(test_one_that_is_dropped_is_closed),
        with_both(test_a_queue_has_a_limit),
        cmocka_unit_test(test_who_sends_to_a_full_queue_looks_now_and_then),
        cmocka_unit_test(test_one_that_is_closed_meanwhile_sends_no_more),
        cmocka_unit_test(test_a_greenlet_that_sends_to_a_full_queue),
        cmocka_unit_test(test_greenlets),
        cmocka_unit_test(test_one_receives_at_a_time),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_a_full_queue_and_no_memory),
        cmocka_unit_test(test_every_allocation_failing),
    };

    alarm(TIMEOUT_S); /* a wait that never ends ends the program */
    return run_attached(tests);
}
