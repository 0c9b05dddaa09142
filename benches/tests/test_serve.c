/* test_serve.c - servers of each unit under a load: all is answered, and in the end all is gone; and
 * so when there is no memory somewhere.
 *
 * What real clients see, right ones and wrong ones, is in lab/tests/serve.sh.
 */
#include "benches/serve.h"

#include "benches/load/load.h"
#include "benches/served.h"
#include "coroutines/tests/threads.h"
#include "coroutines/tls/certificate.h"
#include "gil/tests/open_files.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>

enum { CONNECTIONS = 12, ENOUGH = 200, LOOKS_MOST = 60 };
enum { SOAKED = 1000000, AT_A_TIME = 5000 }; /* connections, of all policies, in `make soak` */

/* Among how many programs like this one they are divided. */
enum {
    POLICIES = 0
#define POLICY(name) +1
#include "gen/known_policies.h"
#undef POLICY
};

/* ---- a load, driven by what serve calls ---- */

static struct load *load; /* NULL: there is none */
static enum load_protocol protocol;
static bool idle;
static int exchanges, looks;
static uint64_t enough, limit_looks;
static bool datagrams, secure;
static struct tls_identity authority, localhost;

static void begin_load(const struct serve_order *order)
{
    struct load_plan plan = { .protocol = protocol, .connections = CONNECTIONS,
                              .message_bytes = protocol == LOAD_HTTP ? order->body_bytes : 64,
                              .trusted = secure ? authority.certificate : NULL,
                              .exchanges = exchanges, .idle = idle ? CONNECTIONS : 0,
                              .address_bytes = sizeof(struct sockaddr_in),
                              .life_ns = (uint64_t)TIMEOUT_S * NS_PER_S };
    char why[LOAD_WHY_BYTES];

    *(struct sockaddr_in *)&plan.address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)order->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    load = load_start(&plan, why);
    if (!load)
        fail_msg("%s", why);
    load_go(load);
    looks = 0;
}

static uint64_t answers(void)
{
    return atomic_load_explicit(load_answers(load), memory_order_relaxed);
}

static bool until_enough(const struct serve_order *order)
{
    bool alive = load_look(load, NS_PER_MS);

    (void)order;
    looks++;
    if (alive && (answers() < enough || load_opened(load) < CONNECTIONS) &&
        (!limit_looks || (uint64_t)looks < limit_looks))
        return true;
    load_ask_stop(load); /* what the server's end does to it is no error */
    return false;
}

static struct serve_order order_for(enum serve_unit unit, int threads, bool http)
{
    protocol = http ? LOAD_HTTP : datagrams ? LOAD_UDP : LOAD_TCP;
    return (struct serve_order){
        .datagrams = datagrams, .identity = secure ? &localhost : NULL, .http = http,
        .unit = unit, .threads = threads, .body_bytes = 50,
        .request_ns = (uint64_t)TIMEOUT_S * NS_PER_S, .idle_ns = (uint64_t)TIMEOUT_S * NS_PER_S,
        .begun = begin_load, .goes_on = until_enough,
    };
}

static void end_load(void)
{
    load_free(load);
    load = NULL;
}

/* ---- tests ---- */

static uint64_t value_of(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void expect_so_many_answered(enum serve_unit unit, int threads, bool http, uint64_t count)
{
    struct serve_order order = order_for(unit, threads, http);
    int64_t before = live_blocks();
    int files = open_files();
    char why[LOAD_WHY_BYTES];

    enough = count;
    limit_looks = 0;
    assert_int_equal(serve(&order), 0);
    load_stop(load);
    if (load_tell(load, why, sizeof why))
        fail_msg("%s", why);
    assert_true(answers() >= count);
    assert_in_range(value_of(&order.counts.answers), answers(), answers() + CONNECTIONS);
    assert_int_equal(value_of(&order.counts.open), 0);
    assert_int_equal(value_of(&order.counts.refused), 0);
    assert_int_equal(value_of(&order.counts.cut_off), 0);
    assert_int_equal(value_of(&order.counts.full), 0);
    end_load();
    assert_int_equal(open_files(), files);
    assert_int_equal(live_blocks(), before);
}

static void expect_all_answered(enum serve_unit unit, int threads, bool http)
{
    expect_so_many_answered(unit, threads, http, ENOUGH);
}

static void test_every_unit_answers_all(void **state)
{
    (void)state;
    exchanges = 0;
    expect_all_answered(SERVE_THREADS, 1, true);
    expect_all_answered(SERVE_GREENLETS, 1, true);
    expect_all_answered(SERVE_GREENLETS, 2, false);
    expect_all_answered(SERVE_TASKS, 1, false);
    expect_all_answered(SERVE_TASKS, 2, true);
}

static void test_connections_come_and_go(void **state)
{
    (void)state;
    exchanges = 3;
    expect_all_answered(SERVE_THREADS, 2, true);
    expect_all_answered(SERVE_GREENLETS, 2, true);
    expect_all_answered(SERVE_TASKS, 2, true);
}

/* A million, and neither a descriptor nor an object is left; a few of them at other times. */
static void test_a_million_connections_leave_nothing(void **state)
{
    int times = getenv("SOAK_SECONDS") ? (SOAKED + POLICIES * AT_A_TIME - 1) / POLICIES / AT_A_TIME : 1;

    (void)state;
    exchanges = 1;
    for (int i = 0; i < times; i++) {
        alarm(TIMEOUT_S);
        expect_so_many_answered((enum serve_unit)(i % 3), 2, i % 2,
                                times > 1 ? AT_A_TIME : ENOUGH);
    }
}

/* Where a fork in the midst of others' allocating is safe: what a load does over TLS needs memory. */
static void test_the_same_over_tls(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    secure = true;
    exchanges = 0;
    expect_all_answered(SERVE_THREADS, 1, false);
    expect_all_answered(SERVE_GREENLETS, 2, true);
    expect_all_answered(SERVE_TASKS, 2, true);
    exchanges = 3;
    expect_all_answered(SERVE_TASKS, 1, false);
    secure = false;
}

static void test_datagrams_are_answered(void **state)
{
    (void)state;
    datagrams = true;
    exchanges = 0;
    expect_all_answered(SERVE_THREADS, 2, false);
    expect_all_answered(SERVE_GREENLETS, 2, false);
    expect_all_answered(SERVE_TASKS, 2, false);
    datagrams = false;
}

/* Whatever cannot be made: the others go on, or all ends, and nothing is left. */
static void expect_nothing_left(enum serve_unit unit, int64_t failing)
{
    struct serve_order order = order_for(unit, 1, !datagrams);
    int64_t before = live_blocks();
    int files = open_files();

    enough = 2 * CONNECTIONS;
    limit_looks = LOOKS_MOST;
    fail_allocation(failing);
    if (serve(&order) < 0)
        assert_raises(&memory_error);
    fail_allocation(0);
    end_load();
    assert_int_equal(value_of(&order.counts.open), 0);
    assert_int_equal(open_files(), files);
    assert_int_equal(live_blocks(), before);
}

static void test_no_memory_leaves_nothing(void **state)
{
    (void)state;
    exchanges = 0;
    for (int64_t n = 1; n < 40; n += n < 24 ? 1 : 5) {
        expect_nothing_left(SERVE_TASKS, n);
        expect_nothing_left(SERVE_GREENLETS, n);
    }
    for (int64_t n = 1; n < 4; n++)
        expect_nothing_left(SERVE_THREADS, n);
}

static void test_no_memory_leaves_nothing_over_tls_and_of_datagrams(void **state)
{
    (void)state;
    exchanges = 0;
    datagrams = true;
    for (int64_t n = 1; n < 24; n += 3)
        for (enum serve_unit unit = SERVE_THREADS; unit <= SERVE_TASKS; unit++)
            expect_nothing_left(unit, n);
    datagrams = false;
    if (SANITIZED)
        return;
    secure = true;
    for (int64_t n = 1; n < 48; n += n < 30 ? 3 : 6)
        for (enum serve_unit unit = SERVE_THREADS; unit <= SERVE_TASKS; unit++)
            expect_nothing_left(unit, n);
    secure = false;
}

static bool until_all_are_cut_off(const struct serve_order *order)
{
    load_look(load, NS_PER_MS);
    return value_of(&order->counts.cut_off) < CONNECTIONS;
}

static void test_who_is_silent_is_cut_off(void **state)
{
    (void)state;
    idle = true;
    for (enum serve_unit unit = SERVE_THREADS; unit <= SERVE_TASKS; unit++) {
        struct serve_order order = order_for(unit, 1, false);

        order.idle_ns = 20 * NS_PER_MS;
        order.goes_on = until_all_are_cut_off;
        assert_int_equal(serve(&order), 0);
        assert_int_equal(value_of(&order.counts.cut_off), CONNECTIONS);
        assert_int_equal(value_of(&order.counts.failed), 0);
        end_load();
    }
    idle = false;
}

/* ---- a workload's server of datagrams ---- */

static _Atomic uint64_t echoed, dropped;

/* Of two sockets; each third message is passed over. One of no bytes is the end. */
static void *lose_some(void *argument)
{
    struct pollfd file[2] = { { served_connection(0), POLLIN, 0 },
                              { served_connection(1), POLLIN, 0 } };
    int number = 0;

    (void)argument;
    while (poll(file, 2, -1) > 0) {
        int fd = file[file[0].revents == 0].fd;
        char data[LOAD_RECEIVE_BYTES];
        struct sockaddr_storage from;
        socklen_t from_bytes = sizeof from;
        ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &from_bytes);

        if (got == 0)
            break;
        if (got < 0 || ++number % 3 == 0) {
            atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
            continue;
        }
        sendto(fd, data, (size_t)got, 0, (struct sockaddr *)&from, from_bytes);
        atomic_fetch_add_explicit(&echoed, 1, memory_order_relaxed);
    }
    return NULL;
}

static void ask_until_some_are_lost(struct worker *client)
{
    thread_detach(thread_self);
    while (value_of(&dropped) < 4 || value_of(&client->ops) < 20)
        if (served_client_step(client) < 0)
            break;
    thread_attach(thread_self);
}

/* What is lost is no error, but a line. */
static void test_a_row_tells_what_was_lost(void **state)
{
    struct load_plan plan = { .protocol = LOAD_UDP, .message_bytes = 64,
                              .patience_ns = 20 * NS_PER_MS };
    struct job job = { .threads = 2 };
    struct worker client = { .job = &job, .thread = thread_self };
    int files = open_files();
    pthread_t server;

    (void)state;
    assert_int_equal(served_setup(&job, &plan, 0), 0);
    assert_int_equal(served_client_begin(&client), 0);
    assert_int_equal(pthread_create(&server, NULL, lose_some, NULL), 0);
    ask_until_some_are_lost(&client);
    assert_false(exception_pending());
    atomic_store_explicit(&job.stopping, true, memory_order_relaxed);
    served_interrupt(&job);
    pthread_join(server, NULL);
    served_client_end(&client);
    served_add_answers(value_of(&echoed));
    assert_int_equal(served_check(&job, value_of(&client.ops)), 0);
    assert_non_null(strstr(job.note, " lost"));
    served_teardown(&job);
    assert_int_equal(open_files(), files);
}

static void test_not_all_connections_of_a_row_may_be_idle(void **state)
{
    struct load_plan plan = { .protocol = LOAD_TCP, .message_bytes = 64, .idle = 2 };
    struct job job = { .threads = 2 };

    (void)state;
    assert_int_equal(served_setup(&job, &plan, 0), -1);
    assert_raises(&value_error);
    served_teardown(&job);
}

static void test_a_port_that_is_taken_is_an_error(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct serve_order order = order_for(SERVE_TASKS, 1, true);
    socklen_t size_bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0), files = open_files();

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size_bytes), 0);
    order.port = ntohs(address.sin_port);
    assert_int_equal(serve(&order), -1);
    assert_raises(&os_error);
    assert_int_equal(open_files(), files);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_unit_answers_all),
        cmocka_unit_test(test_the_same_over_tls),
        cmocka_unit_test(test_datagrams_are_answered),
        cmocka_unit_test(test_connections_come_and_go),
        cmocka_unit_test(test_a_million_connections_leave_nothing),
        cmocka_unit_test(test_no_memory_leaves_nothing),
        cmocka_unit_test(test_no_memory_leaves_nothing_over_tls_and_of_datagrams),
        cmocka_unit_test(test_who_is_silent_is_cut_off),
        cmocka_unit_test(test_a_row_tells_what_was_lost),
        cmocka_unit_test(test_not_all_connections_of_a_row_may_be_idle),
        cmocka_unit_test(test_a_port_that_is_taken_is_an_error),
    };

    int failed;

    if (tls_make_localhost(&authority, &localhost) < 0)
        return 1;
    failed = run_with_threads(tests);
    tls_identity_free(&authority);
    tls_identity_free(&localhost);
    return failed;
}
