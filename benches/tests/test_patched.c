/* test_patched.c - the demo of that name: libcurl switches by itself, and everybody is right. */
#include "benches/patched.h"
#include "benches/responder.h"
#include "benches/tests/telling.h"
#include "coroutines/switch/stack.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRANSFERS = SANITIZED ? 15 : 40, SLEEPERS = SANITIZED ? 50 : 200, WAIT_MS = 100 };

static struct patched greenlets, threads;

static int measure_transfers(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    if (patched_measure(PATCHED_TRANSFER, true, TRANSFERS, WAIT_MS, &greenlets) < 0)
        return -1;
    return patched_measure(PATCHED_TRANSFER, false, TRANSFERS, WAIT_MS, &threads);
}

static int measure_sleep(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    if (patched_measure(PATCHED_SLEEP, true, SLEEPERS, WAIT_MS, &greenlets) < 0)
        return -1;
    return patched_measure(PATCHED_SLEEP, false, SLEEPERS, WAIT_MS, &threads);
}

static void check(int (*measure)(const char *mode, struct gil *gil,
                                 const struct thread_hooks *hooks), int count)
{
    const struct demo demo = { .run = measure };

    tell(&demo, RC_NEEDS_GIL ? &gil_mutex : &gil_none);
    assert_string_equal(greenlets.why, "");
    assert_string_equal(threads.why, "");
    assert_int_equal(greenlets.right, count);
    assert_int_equal(threads.right, count);
    /* One after the other they would take that long. */
    assert_true(greenlets.took_ns < (uint64_t)count * WAIT_MS * NS_PER_MS);
    assert_true(greenlets.threads < threads.threads);
    assert_true(greenlets.switches >= 2 * (uint64_t)count);
    assert_true(greenlets.stack_bytes > 0);
}

static void test_libcurl_switches_by_itself(void **state)
{
    (void)state;
    if (patched_no_curl())
        skip();
    check(measure_transfers, TRANSFERS);
    assert_true(greenlets.stack_bytes < (int64_t)STACK_STANDARD_BYTES / 2);
}

static void test_so_does_nanosleep(void **state)
{
    (void)state;
    check(measure_sleep, SLEEPERS);
}

/* All that the sites say to this, sent in two pieces, until they hang up; in `text`. */
static void converse(const struct responder *sites, const char *first, const char *second, char *text,
                     size_t size_bytes)
{
    struct sockaddr_in at = responder_address(sites);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t have = 0;
    ssize_t got;

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(fd, first, strlen(first), 0), strlen(first));
    assert_int_equal(send(fd, second, strlen(second), MSG_NOSIGNAL), strlen(second));
    while ((got = recv(fd, text + have, size_bytes - have - 1, 0)) > 0)
        have += (size_t)got;
    text[have] = '\0';
    close(fd);
}

static void test_sites_answer_one_after_the_other_and_hang_up_on_nonsense(void **state)
{
    static const char answers[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                  "Content-Length: 12\r\n\r\none" RESPONDER_PAGE
                                  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                  "Content-Length: 9\r\nConnection: close\r\n\r\n" RESPONDER_PAGE;
    struct responder sites;
    char text[1000];

    (void)state;
    assert_int_equal(responder_start(&sites, NS_PER_MS), 0);
    converse(&sites, "GET /on", "e HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n"
             "Connection: close\r\n\r\n", text, sizeof text);
    assert_string_equal(text, answers);
    converse(&sites, "GET / HTTP/1.1\r\n", "no header\r\n\r\n", text, sizeof text);
    assert_string_equal(text, "");
    converse(&sites, "GET / HTTP/1.1\r\nHost: x\r\n", "Content-Length: 1\r\n\r\n!", text, sizeof text);
    assert_string_equal(text, "");
    assert_true(responder_busy(&sites) >= 0 && responder_busy(&sites) <= 1);
    responder_stop(&sites);
    assert_true(responder_busy(&sites) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libcurl_switches_by_itself),
        cmocka_unit_test(test_so_does_nanosleep),
        cmocka_unit_test(test_sites_answer_one_after_the_other_and_hang_up_on_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
