/* test_load.c - a load asks, checks what it is told, and says what went wrong. */
#include "benches/load/tests/testing.h"
#include "gil/tests/open_files.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { CONNECTIONS = 10, BODY_BYTES = 100, ENOUGH = 500 };

static int set_watchdog(void **state)
{
    (void)state;
    alarm(WATCHDOG_S);
    return 0;
}

/* As many answers as the server has given, but for those that were on their way at the end. */
static void expect_agreement(uint64_t answers, uint64_t answered, int connections)
{
    assert_in_range(answers, 1, answered);
    if (answered - answers > (uint64_t)connections)
        fail_msg("%llu answered, %llu seen, of %d", (unsigned long long)answered,
                 (unsigned long long)answers, connections);
}

/* Also over TLS, and then too nothing is left. */
static struct tls_identity authority, localhost;
static bool secure;

static struct server *start(enum load_protocol protocol, enum manner manner, int body_bytes)
{
    return start_server_as(protocol, manner, body_bytes, secure ? &localhost : NULL,
                           secure ? authority.certificate : NULL);
}

static void drive(enum load_protocol protocol, enum manner manner, int connections,
                  int message_bytes)
{
    struct server *server = start(protocol, manner, message_bytes);
    struct load_plan plan = plan_for(server, connections);
    int files = open_files();
    struct load *load;
    uint64_t answers;

    plan.message_bytes = message_bytes;
    load = start_load(&plan);
    wait_for_answers(load, ENOUGH);
    assert_int_equal(load_open(load), connections);
    load_stop(load);
    answers = answers_of(load);
    assert_true(answers >= ENOUGH);
    assert_int_equal(load_errors_of_all_kinds(load), 0);
    assert_int_equal(load_latency(load)->count, answers);
    assert_in_range(load_asked(load) - answers, 0, connections);
    load_free(load);
    if (manner == RIGHT && message_bytes <= LOAD_RECEIVE_BYTES)
        expect_agreement(answers, stop_server(server), connections);
    else
        stop_server(server);
    assert_true(open_files() < files);
}

static void test_every_protocol_is_asked_and_answered(void **state)
{
    (void)state;
    drive(LOAD_TCP, RIGHT, 1, 64);
    drive(LOAD_TCP, RIGHT, CONNECTIONS, 64);
    drive(LOAD_UNIX, RIGHT, CONNECTIONS, LOAD_MESSAGE_LEAST);
    drive(LOAD_UDP, RIGHT, CONNECTIONS, 64);
    drive(LOAD_HTTP, RIGHT, CONNECTIONS, BODY_BYTES);
    drive(LOAD_HTTP, RIGHT, CONNECTIONS, 0);
}

static void test_large_messages_and_answers_in_bytes(void **state)
{
    (void)state;
    drive(LOAD_TCP, SLOW, CONNECTIONS, LOAD_MESSAGE_MOST);
    drive(LOAD_UNIX, CUTS, CONNECTIONS, 64);
    drive(LOAD_HTTP, CUTS, CONNECTIONS, BODY_BYTES);
    drive(LOAD_HTTP, CHUNKS, CONNECTIONS, BODY_BYTES);
    drive(LOAD_HTTP, RIGHT, CONNECTIONS, 3000);
}

static void test_a_unix_listener_with_a_short_queue_gets_all(void **state)
{
    (void)state;
    drive(LOAD_UNIX, RIGHT, 250, 64);
}

static void test_the_same_over_tls(void **state)
{
    (void)state;
    secure = true;
    drive(LOAD_TCP, RIGHT, CONNECTIONS, 64);
    drive(LOAD_UNIX, RIGHT, CONNECTIONS, 64);
    drive(LOAD_HTTP, RIGHT, CONNECTIONS, BODY_BYTES);
    drive(LOAD_HTTP, CHUNKS, CONNECTIONS, BODY_BYTES);
    drive(LOAD_TCP, SLOW, 2, LOAD_MESSAGE_MOST);
    drive(LOAD_TCP, CUTS, 2, 64);
    secure = false;
}

/* Each is counted by its kind, and named; the other connections go on. */
static void expect_error(enum load_protocol protocol, enum manner manner, enum load_error kind,
                         const char *words)
{
    struct server *server = start(protocol, manner, BODY_BYTES);
    struct load_plan plan = plan_for(server, 1);
    char text[LOAD_WHY_BYTES];
    struct load *load;

    if (manner == SAYS_NOTHING) /* also for shaking hands, which takes computing */
        plan.patience_ns = (secure ? 3000 : 200) * (uint64_t)NS_PER_MS;
    load = start_load(&plan);
    wait_for_error(load);
    load_stop(load);
    if (load_errors(load, kind) != 1) {
        load_tell(load, text, sizeof text);
        fail_msg("%s, not: %s", words, text);
    }
    assert_int_equal(load_errors_of_all_kinds(load), 1);
    assert_int_equal(answers_of(load), manner == BABBLES ? 0 : 2);
    assert_int_equal(load_open(load), 0);
    assert_true(load_tell(load, text, sizeof text));
    if (!strstr(text, words))
        fail_msg("'%s' is not in: %s", words, text);
    load_free(load);
    stop_server(server);
}

static void test_every_kind_of_error_is_counted_and_named(void **state)
{
    (void)state;
    expect_error(LOAD_TCP, CHANGES, LOAD_WRONG, "load: 1 wrong answer");
    expect_error(LOAD_TCP, ADDS, LOAD_WRONG, "load: 1 wrong answer");
    expect_error(LOAD_TCP, HANGS_UP, LOAD_CLOSED, "load: 1 closed");
    expect_error(LOAD_TCP, RESETS, LOAD_RESET, "1 reset (first reset: Connection reset by peer)");
    expect_error(LOAD_TCP, SAYS_NOTHING, LOAD_LATE, "load: 1 no answer in time");
    expect_error(LOAD_HTTP, CHANGES, LOAD_WRONG, "load: 1 wrong answer");
    expect_error(LOAD_HTTP, ADDS, LOAD_WRONG, "load: 1 wrong answer");
    expect_error(LOAD_HTTP, CUTS_BODY, LOAD_WRONG, "load: 1 wrong answer");
    expect_error(LOAD_HTTP, NOT_FOUND, LOAD_STATUS, "load: 1 not 200");
    expect_error(LOAD_HTTP, BABBLES, LOAD_MALFORMED, "load: 1 malformed");
    expect_error(LOAD_HTTP, HANGS_UP, LOAD_CLOSED, "load: 1 closed");
}

static void test_errors_over_tls(void **state)
{
    (void)state;
    secure = true;
    expect_error(LOAD_TCP, CHANGES, LOAD_WRONG, "load: 1 wrong answer");
    expect_error(LOAD_TCP, HANGS_UP, LOAD_CLOSED, "load: 1 closed");
    expect_error(LOAD_TCP, SAYS_NOTHING, LOAD_LATE, "load: 1 no answer in time");
    expect_error(LOAD_HTTP, NOT_FOUND, LOAD_STATUS, "load: 1 not 200");
    secure = false;
}

/* A connection is never open, and why stands in the line. */
static void expect_not_open(struct server *server, enum load_error kind, const char *words)
{
    struct load_plan plan = plan_for(server, 1);
    char why[LOAD_WHY_BYTES];
    struct load *load;

    plan.trusted = authority.certificate;
    load = load_start(&plan, why);
    assert_non_null(load);
    assert_int_equal(load_wait_open(load, clock_ns() + 30ull * NS_PER_S, why), -1);
    if (!strstr(why, words))
        fail_msg("'%s' is not in: %s", words, why);
    assert_int_equal(load_errors(load, kind), 1);
    assert_int_equal(load_opened(load), 0);
    load_free(load);
    stop_server(server);
}

/* Another authority's, another's name, one that is over; one that knows no TLS, and one that hangs up
 * in the midst of the handshake. */
static void test_who_cannot_be_trusted_is_not_asked(void **state)
{
    struct tls_identity own, other, old;

    (void)state;
    assert_int_equal(tls_make_identity(&own, &(struct tls_wish){ .name = "localhost" }), 0);
    assert_int_equal(tls_make_identity(&other, &(struct tls_wish){ .name = "elsewhere",
                                                                   .issuer = &authority }), 0);
    assert_int_equal(tls_make_identity(&old, &(struct tls_wish){ .name = "localhost",
                                                                 .issuer = &authority,
                                                                 .from_s = -20, .until_s = -10 }),
                     0);
    expect_not_open(start_server_as(LOAD_TCP, RIGHT, 0, &own, NULL), LOAD_INSECURE,
                    "load: 1 insecure (first insecure: certificate verify failed");
    expect_not_open(start_server_as(LOAD_TCP, RIGHT, 0, &other, NULL), LOAD_INSECURE,
                    "certificate is not valid for 'localhost'");
    expect_not_open(start_server_as(LOAD_TCP, RIGHT, 0, &old, NULL), LOAD_INSECURE, "expired");
    expect_not_open(start_server(LOAD_TCP, RIGHT, 0), LOAD_INSECURE, "load: 1 insecure (first ");
    expect_not_open(start_server(LOAD_TCP, LEAVES, 0), LOAD_CLOSED, "load: 1 closed");
    tls_identity_free(&own);
    tls_identity_free(&other);
    tls_identity_free(&old);
}

static void test_a_lost_datagram_is_counted_and_the_next_is_sent(void **state)
{
    struct server *server = start_server(LOAD_UDP, SAYS_NOTHING, 0);
    struct load_plan plan = plan_for(server, 2);
    struct load *load;

    (void)state;
    plan.patience_ns = 20 * NS_PER_MS;
    load = start_load(&plan);
    wait_for_answers(load, 10);
    load_stop(load);
    assert_int_equal(load_open(load), 2);
    assert_true(load_errors(load, LOAD_LOST) >= 3);
    assert_int_equal(load_errors(load, LOAD_LOST), load_errors_of_all_kinds(load));
    load_free(load);
    stop_server(server);
}

static void test_nobody_listens(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 3);
    char why[LOAD_WHY_BYTES];
    struct load *load;

    (void)state;
    stop_server(server);
    load = load_start(&plan, why);
    assert_non_null(load);
    assert_int_equal(load_wait_open(load, clock_ns() + 30ull * NS_PER_S, why), -1);
    assert_non_null(strstr(why, " not connected (first not connected: Connection refused)"));
    assert_false(load_look(load, 30ull * NS_PER_S)); /* it ends, for no connection is left */
    load_free(load);
}

/* It asks at its rate and no faster, also where all are ready; and what is late counts from when
 * it was due. */
static void test_an_open_loop_keeps_its_rate(void **state)
{
    enum { RATE = 2000 };
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, CONNECTIONS);
    uint64_t from_ns, took_ns, due;
    struct load *load;

    (void)state;
    plan.rate = RATE;
    from_ns = clock_ns();
    load = start_load(&plan);
    wait_for_answers(load, ENOUGH);
    took_ns = clock_ns() - from_ns;
    due = took_ns * RATE / NS_PER_S + 1;
    assert_in_range(ENOUGH, 1, due);
    load_stop(load);
    assert_int_equal(load_errors_of_all_kinds(load), 0);
    load_free(load);
    stop_server(server);
}

/* One connection, a millisecond an answer, and ten thousand a second due: so requests wait in the
 * client, and the longer it goes on the longer they have waited. */
static void test_what_is_late_counts_from_when_it_was_due(void **state)
{
    enum { RATE = 10000, ANSWERS = 100 };
    struct server *server = start_server(LOAD_TCP, SLOW, 0);
    struct load_plan plan = plan_for(server, 1);
    struct load *load;

    (void)state;
    plan.rate = RATE;
    load = start_load(&plan);
    wait_for_answers(load, ANSWERS);
    assert_true(load_overdue(load) > ANSWERS);
    load_stop(load);
    assert_in_range(histogram_quantile(load_latency(load), 0.5), 20 * NS_PER_MS, 30ull * NS_PER_S);
    load_free(load);
    stop_server(server);
}

static void test_nothing_is_recorded_unless_it_is_wanted(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 2);
    struct load *load;
    uint64_t before;

    (void)state;
    load = start_load(&plan);
    load_record(load, false);
    before = answers_of(load);
    wait_for_answers(load, before + ENOUGH);
    load_stop(load);
    assert_in_range(load_latency(load)->count, 0, before + 2);
    load_free(load);
    stop_server(server);
}

static void test_idle_connections_are_kept_and_asked_nothing(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 100);
    struct load *load;

    (void)state;
    plan.idle = 100;
    load = start_load(&plan);
    assert_true(load_look(load, 50 * NS_PER_MS));
    assert_int_equal(load_open(load), 100);
    assert_int_equal(load_asked(load), 0);
    load_stop(load);
    assert_int_equal(load_errors_of_all_kinds(load), 0);
    load_free(load);
    assert_int_equal(stop_server(server), 0);
}

static void test_idle_ones_beside_those_that_ask(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 100);
    struct load *load;
    int quiet = 0;

    (void)state;
    plan.idle = 97;
    load = start_load(&plan);
    wait_for_answers(load, ENOUGH);
    assert_int_equal(load_open(load), 100);
    load_stop(load);
    assert_int_equal(load_errors_of_all_kinds(load), 0);
    assert_in_range(load_asked(load) - answers_of(load), 0, 3);
    load_free(load);
    join_server(server);
    for (int i = 0; i < 100; i++)
        quiet += server->seat[i].answers == 0;
    stop_server(server);
    assert_int_equal(quiet, 97);
}

/* Each client calls a server of its own. */
static void test_clients_that_are_spread_over_servers(void **state)
{
    struct server *server[3] = { start_server(LOAD_UDP, RIGHT, 0) };
    struct sockaddr_in *first = (struct sockaddr_in *)&server[0]->address;
    struct load_plan plan = plan_for(server[0], 3);
    struct load *load;

    (void)state;
    for (uint32_t i = 1; i < 3; i++) {
        struct sockaddr_in next = *first;

        next.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
        server[i] = start_new_server(new_server(LOAD_UDP, RIGHT, 0), &next);
    }
    plan.spread = true;
    load = start_load(&plan);
    wait_for_answers(load, ENOUGH);
    load_stop(load);
    assert_int_equal(load_errors_of_all_kinds(load), 0);
    load_free(load);
    for (int i = 0; i < 3; i++)
        assert_true(stop_server(server[i]) > 0);
}

static void test_connections_are_opened_anew_after_so_many_exchanges(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 3);
    struct load *load;

    (void)state;
    plan.exchanges = 4;
    load = start_load(&plan);
    wait_for_answers(load, 120);
    load_stop(load);
    assert_true(load_opened(load) >= 30);
    assert_int_equal(load_errors_of_all_kinds(load), 0);
    load_free(load);
    stop_server(server);
}

/* A load that waits for one slow answer is not the bottleneck; one that has nothing but to ask a
 * server that is elsewhere may be, and who is says so. */
static void test_it_knows_its_share_of_a_processor(void **state)
{
    struct server *server = start_server(LOAD_TCP, SLOW, 0);
    struct load_plan plan = plan_for(server, 1);
    char text[LOAD_WHY_BYTES];
    struct load *load;

    (void)state;
    load = start_load(&plan);
    wait_for_answers(load, 50);
    assert_true(load_cpu_ns(load) > 0);
    load_stop(load);
    assert_true(load_busy(load) > 0 && load_busy(load) < 0.9);
    assert_false(load_tell(load, text, sizeof text));
    assert_string_equal(text, "");
    assert_true(load_cpu_ns(load) > 0);
    load_free(load);
    stop_server(server);
}

/* Who cannot get a processor is the bottleneck as well. The load goes behind a thread that spins on
 * the same one: it is given a sixteenth of it at most, and is always ready. */
static void *spin_there(void *argument)
{
    _Atomic bool *over = argument;

    while (!atomic_load_explicit(over, memory_order_relaxed))
        ;
    return NULL;
}

static void hold_up(const struct load *load, pthread_t *spinner, _Atomic bool *over)
{
    cpu_set_t mine, one;

    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &mine))
            CPU_SET(i, &one);
    assert_int_equal(pthread_create(spinner, NULL, spin_there, over), 0);
    assert_int_equal(pthread_setaffinity_np(*spinner, sizeof one, &one), 0);
    assert_int_equal(sched_setaffinity(load_process(load), sizeof one, &one), 0);
    assert_int_equal(setpriority(PRIO_PROCESS, (id_t)load_process(load), 12), 0);
}

/* With so many connections that there is always an answer that waits for it. */
static bool says_that_it_is_held_up(char text[LOAD_WHY_BYTES])
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 250);
    _Atomic bool over = false;
    pthread_t spinner;
    struct load *load = start_load(&plan);

    load_record(load, false);
    hold_up(load, &spinner, &over);
    wait_for_answers(load, answers_of(load) + 4);
    load_record(load, true);
    wait_for_answers(load, answers_of(load) + 4);
    load_look(load, 500 * NS_PER_MS);
    load_stop(load);
    atomic_store_explicit(&over, true, memory_order_relaxed);
    pthread_join(spinner, NULL);
    if (!load_tell(load, text, LOAD_WHY_BYTES))
        snprintf(text, LOAD_WHY_BYTES, "ran %.3f, waited %.3f", load_busy(load), load_held_up(load));
    load_free(load);
    stop_server(server);
    return strstr(text, "the load was the bottleneck: it ran ");
}

/* Where many others run the server is starved as well, and may be the slower one: then again. */
static void test_who_waits_for_a_processor_is_the_bottleneck(void **state)
{
    char text[LOAD_WHY_BYTES];
    int tries = 5;

    (void)state;
    if (access("/proc/self/schedstat", R_OK) < 0)
        skip();
    while (!says_that_it_is_held_up(text))
        if (--tries == 0)
            fail_msg("%s", text);
        else
            alarm(WATCHDOG_S);
}

static void test_more_connections_than_descriptors_are_refused_in_a_line(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 1000);
    struct rlimit before, few;
    char why[LOAD_WHY_BYTES];
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    child = fork(); /* nobody can raise a hard limit again */
    if (child == 0) {
        few = (struct rlimit){ 500, 500 };
        if (setrlimit(RLIMIT_NOFILE, &few) < 0 || load_start(&plan, why) || errno != EMFILE)
            _exit(1);
        _exit(strcmp(why, "1000 connections need 1064 descriptors, and the hard limit "
                          "(ulimit -Hn) is 500") != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    few = (struct rlimit){ 100, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    plan.connections = 200; /* it raises its own */
    load_free(start_load(&plan));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(few.rlim_cur, 100);
    assert_int_equal(load_make_room(200, why), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
    assert_true(few.rlim_cur >= 200);
    setrlimit(RLIMIT_NOFILE, &before);
    stop_server(server);
}

static void test_impossible_plans_are_refused(void **state)
{
    struct load_plan plan = {
        .protocol = LOAD_UDP, .connections = 1, .message_bytes = 8000, .life_ns = NS_PER_S
    };
    char why[LOAD_WHY_BYTES];

    (void)state;
    assert_null(load_start(&plan, why));
    assert_int_equal(errno, EINVAL);
    plan.message_bytes = 7;
    assert_null(load_start(&plan, why));
    plan.message_bytes = 64;
    plan.connections = 0;
    assert_null(load_start(&plan, why));
    plan.connections = LOAD_CONNECTIONS_MOST + 1;
    assert_null(load_start(&plan, why));
    plan.connections = 1;
    plan.idle = 2;
    assert_null(load_start(&plan, why));
    plan.idle = 0;
    plan.trusted = authority.certificate;
    assert_null(load_start(&plan, why)); /* not over UDP */
    plan.protocol = LOAD_TCP;
    plan.trusted = "nobody";
    assert_null(load_start(&plan, why));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(why, "no load: whom to trust: "));
}

static void test_it_ends_when_its_time_is_over(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 2);
    struct load *load;

    (void)state;
    plan.life_ns = 100 * NS_PER_MS;
    load = start_load(&plan);
    while (load_look(load, NS_PER_S))
        ;
    load_free(load);
    stop_server(server);
}

/* The pipe's other end closes when the child has died: the load has not kept it. */
static void test_it_dies_with_its_parent_and_keeps_no_descriptor(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 1);
    char byte;
    int ends[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        char why[LOAD_WHY_BYTES];
        struct load *load = load_start(&plan, why);

        if (load && load_wait_open(load, UINT64_MAX / 2, why) == 0)
            load_go(load);
        if (write(ends[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    while (!atomic_load_explicit(&server->answered, memory_order_acquire))
        sched_yield();
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    /* Its connection has ended, too, or the server's thread would not. */
    stop_server(server);
}

static void test_to_stop_twice_or_before_it_has_begun(void **state)
{
    struct server *server = start_server(LOAD_TCP, RIGHT, 0);
    struct load_plan plan = plan_for(server, 5);
    char why[LOAD_WHY_BYTES];
    struct load *load = load_start(&plan, why);

    (void)state;
    assert_non_null(load);
    load_ask_stop(load);
    load_ask_stop(load);
    load_stop(load);
    load_stop(load);
    assert_int_equal(load_errors_of_all_kinds(load), 0);
    load_free(load);
    load_free(NULL);
    stop_server(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_protocol_is_asked_and_answered, set_watchdog),
        cmocka_unit_test_setup(test_large_messages_and_answers_in_bytes, set_watchdog),
        cmocka_unit_test_setup(test_a_unix_listener_with_a_short_queue_gets_all, set_watchdog),
        cmocka_unit_test_setup(test_the_same_over_tls, set_watchdog),
        cmocka_unit_test_setup(test_every_kind_of_error_is_counted_and_named, set_watchdog),
        cmocka_unit_test_setup(test_errors_over_tls, set_watchdog),
        cmocka_unit_test_setup(test_who_cannot_be_trusted_is_not_asked, set_watchdog),
        cmocka_unit_test_setup(test_a_lost_datagram_is_counted_and_the_next_is_sent, set_watchdog),
        cmocka_unit_test_setup(test_nobody_listens, set_watchdog),
        cmocka_unit_test_setup(test_an_open_loop_keeps_its_rate, set_watchdog),
        cmocka_unit_test_setup(test_what_is_late_counts_from_when_it_was_due, set_watchdog),
        cmocka_unit_test_setup(test_nothing_is_recorded_unless_it_is_wanted, set_watchdog),
        cmocka_unit_test_setup(test_idle_connections_are_kept_and_asked_nothing, set_watchdog),
        cmocka_unit_test_setup(test_idle_ones_beside_those_that_ask, set_watchdog),
        cmocka_unit_test_setup(test_clients_that_are_spread_over_servers, set_watchdog),
        cmocka_unit_test_setup(test_connections_are_opened_anew_after_so_many_exchanges,
                               set_watchdog),
        cmocka_unit_test_setup(test_it_knows_its_share_of_a_processor, set_watchdog),
        cmocka_unit_test_setup(test_who_waits_for_a_processor_is_the_bottleneck, set_watchdog),
        cmocka_unit_test_setup(test_more_connections_than_descriptors_are_refused_in_a_line,
                               set_watchdog),
        cmocka_unit_test_setup(test_impossible_plans_are_refused, set_watchdog),
        cmocka_unit_test_setup(test_it_ends_when_its_time_is_over, set_watchdog),
        cmocka_unit_test_setup(test_it_dies_with_its_parent_and_keeps_no_descriptor, set_watchdog),
        cmocka_unit_test_setup(test_to_stop_twice_or_before_it_has_begun, set_watchdog),
    };

    int failed;

    if (tls_make_localhost(&authority, &localhost) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    tls_identity_free(&authority);
    tls_identity_free(&localhost);
    return failed;
}
