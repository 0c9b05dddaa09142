/* test_pulse.c - what disturbs a window, as laid-out files tell it. */
#include "lab/pulse.h"

#include "lab/tests/laid_out.h"

#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-9))
        fail_msg("%g is not %g", got, want);
}

/* Every processor that the test may use says `ours`, all others something wild. */
static void put_stat(const char *root, const char *ours)
{
    static char text[CPU_SETSIZE * 100];
    cpu_set_t mask;
    int used = sprintf(text, "cpu  1 2 3 4 5 6 7 8 9 10\n");

    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        used += sprintf(text + used, "cpu%d %s\n", i,
                        CPU_ISSET(i, &mask) ? ours : "9 9 9 9 9 9 9 9999");
    sprintf(text + used, "intr 1 2 3\nctxt 5\n");
    put_line(root, "/proc/stat", text);
}

static struct pulse pulse_of(const char *root)
{
    struct pulse p;

    pulse_take(root, &p);
    return p;
}

static void steal_is_a_share_of_the_processors_that_are_ours(void **state)
{
    const char *root = lay_out();
    struct pulse before, after;

    (void)state;
    put_stat(root, "100 1 1 1000 1 1 1 50 7 7");
    before = pulse_of(root);
    put_stat(root, "140 3 4 1022 10 8 8 60 9 9");
    after = pulse_of(root);
    before.own_seconds = after.own_seconds;
    assert_near(pulse_between(&before, &after).steal_share, 0.1);
    assert_near(pulse_between(&before, &after).others_share, 0.59);
    clear_away(root);
}

static void what_others_used_is_what_was_busy_and_not_our_own(void **state)
{
    struct pulse before = { 1000, 100, 0, 1.0, 0, 0 }, after = { 1400, 400, 0, 3.0, 0, 0 };
    double own_ticks = 2.0 * (double)sysconf(_SC_CLK_TCK);

    (void)state;
    assert_near(pulse_between(&before, &after).others_share, (300 - own_ticks) / 400);
    after.own_seconds = 100;
    assert_near(pulse_between(&before, &after).others_share, 0);
}

static void own_time_is_known(void **state)
{
    struct pulse before = pulse_of(""), after = pulse_of("");

    (void)state;
    while (after.own_seconds <= before.own_seconds)
        after = pulse_of("");
    assert_true(before.own_seconds > 0);
}

static void counter_that_falls_is_no_steal(void **state)
{
    struct pulse before = { 1000, 100, 50, 1, 0, 0 }, after = { 1400, 90, 49, 1, 0, 0 };

    (void)state;
    assert_near(pulse_between(&before, &after).steal_share, 0);
    assert_near(pulse_between(&before, &after).others_share, 0);
}

static void assert_ticks_unknown(const char *root)
{
    struct pulse p = pulse_of(root);

    assert_int_equal(p.total_ticks, -1);
    assert_near(pulse_between(&p, &p).steal_share, -1);
    assert_near(pulse_between(&p, &p).others_share, -1);
}

static void what_is_missing_or_garbled_is_not_known(void **state)
{
    const char *root = lay_out();
    struct pulse p;

    (void)state;
    assert_ticks_unknown(root);
    p = pulse_of(root);
    assert_near(p.load, -1);
    assert_near(p.mhz, -1);
    assert_near(pulse_between(&p, &(struct pulse){ 100, 50, 50 }).steal_share, -1);
    put_line(root, "/proc/stat", "");
    assert_ticks_unknown(root);
    put_line(root, "/proc/stat", "cpu\ncpu0\ncpu1 1 2\ncpux 1 2 3 4 5 6 7 8");
    assert_ticks_unknown(root);
    put_line(root, "/proc/loadavg", "-nan x");
    put_stat(root, "1 2 3 4");
    assert_ticks_unknown(root);
    assert_near(pulse_of(root).load, -1);
    clear_away(root);
}

static void one_moment_has_no_share(void **state)
{
    struct pulse p = { 1000, 100, 50, 1, 0, 0 };

    (void)state;
    assert_near(pulse_between(&p, &p).steal_share, -1);
}

static void load_and_frequency_are_read(void **state)
{
    const char *root = lay_out();
    struct pulse slow, fast;
    struct disturbance d;
    char path[96];

    (void)state;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", i);
        put_line(root, path, "1800000\n");
    }
    put_line(root, "/proc/loadavg", "0.75 0.50 0.25 1/100 4711\n");
    slow = pulse_of(root);
    assert_near(slow.load, 0.75);
    assert_near(slow.mhz, 1800);
    fast = (struct pulse){ 0, 0, 0, 0, 0.25, 3600 };
    d = pulse_between(&fast, &slow);
    assert_near(d.load, 0.75);
    assert_near(d.mhz, 1800);
    clear_away(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steal_is_a_share_of_the_processors_that_are_ours),
        cmocka_unit_test(what_others_used_is_what_was_busy_and_not_our_own),
        cmocka_unit_test(own_time_is_known),
        cmocka_unit_test(counter_that_falls_is_no_steal),
        cmocka_unit_test(what_is_missing_or_garbled_is_not_known),
        cmocka_unit_test(one_moment_has_no_share),
        cmocka_unit_test(load_and_frequency_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
