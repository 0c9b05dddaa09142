/* test_diagnosis.c - machines that are well, machines that are not, and what is said of them. */
#include "lab/diagnosis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct disturbance calm = { 0, 0, 0, -1 };

/* A machine with nothing to complain of. */
static const struct {
    const char *name, *value;
} healthy[] = {
    { "cpufreq_driver", "intel_pstate" },     { "cpufreq_governor", "performance" },
    { "turbo", "off" },                       { "smt_active", "0" },
    { "aslr", "2" },                          { "personality", "0" },
    { "load_average", "0.05 0.5 1.0 1/100 9" }, { "cpus_online", "0-3" },
    { "cpus_present", "0-3" },                { "cpus_allowed", "0-3" },
    { "cgroup_cpus_max", "max" },             { "cgroup_memory_max_bytes", "max" },
    { "memory_available_bytes", "8589934592" }, { "swap_total_bytes", "0" },
    { "swap_free_bytes", "0" },               { "perf_counters", "available" },
    { "io_uring", "available" },
    { "perf_event_paranoid", "2" },           { "malloc_owner", "/lib/libjemalloc.so.2" },
    { "clocksource", "tsc" },                 { "hypervisor_flag", "no" },
    { "transparent_huge_pages", "madvise" },  { "numa_balancing", "0" },
};

/* The verdict on this topic, if one fact of a healthy machine is another, or (NULL) absent. */
static struct finding judge_with(const char *topic, const char *name, const char *value,
                                 const struct disturbance *watched)
{
    struct finding findings[FINDINGS_MAX], *hit = NULL;
    struct facts f = { 0 };
    int count;

    facts_add(&f, name, value);
    for (size_t i = 0; i < sizeof healthy / sizeof *healthy; i++)
        facts_add(&f, healthy[i].name, healthy[i].value);
    count = diagnose(&f, watched, findings);
    for (int i = 0; i < count; i++)
        if (!strcmp(findings[i].topic, topic))
            hit = &findings[i];
    assert_non_null(hit);
    facts_free(&f);
    return *hit;
}

static void assert_verdict(const char *topic, const char *name, const char *value,
                           enum verdict want)
{
    struct finding f = judge_with(topic, name, value, &calm);

    if (f.verdict != want || !*f.what)
        fail_msg("%s with %s %s: %s, '%s'", topic, name, value ? value : "absent",
                 verdict_name(f.verdict), f.what);
}

static void nothing_is_said_of_a_healthy_machine(void **state)
{
    struct finding findings[FINDINGS_MAX];
    struct facts f = { 0 };
    int count;

    (void)state;
    for (size_t i = 0; i < sizeof healthy / sizeof *healthy; i++)
        facts_add(&f, healthy[i].name, healthy[i].value);
    count = diagnose(&f, &calm, findings);
    assert_true(count >= 16);
    for (int i = 0; i < count; i++) {
        if (findings[i].verdict != VERDICT_OK)
            fail_msg("%s: %s", findings[i].topic, findings[i].what);
        assert_true(*findings[i].what);
        assert_in_range(strlen(findings[i].effect), 1, 92);
        assert_in_range(strlen(findings[i].remedy), 1, 85);
    }
    facts_free(&f);
}

/* No facts, as where /proc and /sys are not mounted: nothing is claimed. */
static void nothing_is_claimed_of_what_is_not_known(void **state)
{
    const struct disturbance unknown = { -1, -1, -1, -1 };
    struct finding findings[FINDINGS_MAX];
    struct facts f = { 0 };
    int count = diagnose(&f, &unknown, findings);

    (void)state;
    for (int i = 0; i < count; i++)
        if (strcmp(findings[i].topic, "malloc settings") && strcmp(findings[i].topic, "topology"))
            assert_int_equal(findings[i].verdict, VERDICT_ABSENT);
}

static void each_complaint_is_of_its_fact(void **state)
{
    static const struct {
        const char *topic, *name, *value;
        enum verdict verdict;
    } cases[] = {
        { "topology", "HWLOC_SYNTHETIC", "pack:1 core:8 pu:1", VERDICT_WARN },
        { "topology", "HWLOC_XMLFILE", "large.xml", VERDICT_WARN },
        { "governor", "cpufreq_governor", "powersave", VERDICT_WARN },
        { "governor", "cpufreq_governor", "performance,powersave", VERDICT_WARN },
        { "governor", "cpufreq_driver", NULL, VERDICT_ABSENT },
        { "turbo", "turbo", "on", VERDICT_WARN },
        { "turbo", "turbo", NULL, VERDICT_ABSENT },
        { "SMT", "smt_active", "1", VERDICT_WARN },
        { "ASLR", "aslr", "0", VERDICT_WARN },
        { "ASLR", "aslr", "1", VERDICT_WARN },
        { "ASLR", "personality", "0x40000", VERDICT_WARN },
        { "load", "load_average", "0.39 0 0 1/1 1", VERDICT_OK },
        { "load", "load_average", "0.41 0 0 1/1 1", VERDICT_WARN },
        { "cgroup quota", "cgroup_cpus_max", "3.5", VERDICT_WARN },
        { "cgroup quota", "cgroup_cpus_max", "4", VERDICT_OK },
        { "cgroup quota", "cgroup_cpus_max", NULL, VERDICT_ABSENT },
        { "memory", "cgroup_memory_max_bytes", "1073741824", VERDICT_WARN },
        { "memory", "cgroup_memory_max_bytes", "99999999999", VERDICT_OK },
        { "memory", "memory_available_bytes", "1073741824", VERDICT_WARN },
        { "swap", "swap_total_bytes", "1073741824", VERDICT_WARN },
        { "perf", "perf_counters", "EACCES", VERDICT_WARN },
        { "perf", "perf_counters", "ENOENT", VERDICT_ABSENT },
        { "io_uring", "io_uring", "EPERM", VERDICT_ABSENT },
        { "malloc", "malloc_owner", "/lib/x86_64-linux-gnu/libc.so.6", VERDICT_WARN },
        { "malloc settings", "MALLOC_CONF", "narenas:1", VERDICT_WARN },
        { "malloc settings", "LD_PRELOAD", "libmimalloc.so", VERDICT_WARN },
        { "clocksource", "clocksource", "hpet", VERDICT_WARN },
        { "clocksource", "clocksource", "kvm-clock", VERDICT_OK },
        { "virtualisation", "hypervisor_flag", "yes", VERDICT_WARN },
        { "virtualisation", "hypervisor_flag", NULL, VERDICT_ABSENT },
        { "processors", "cpus_allowed", "0,2", VERDICT_WARN },
        { "processors", "cpus_allowed", "garbage", VERDICT_ABSENT },
        { "huge pages", "transparent_huge_pages", "always", VERDICT_WARN },
        { "huge pages", "transparent_huge_pages", "never", VERDICT_OK },
        { "NUMA balancing", "numa_balancing", "1", VERDICT_WARN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_verdict(cases[i].topic, cases[i].name, cases[i].value, cases[i].verdict);
}

static void remedy_is_the_drivers(void **state)
{
    (void)state;
    assert_non_null(strstr(judge_with("turbo", "turbo", "on", &calm).remedy, "no_turbo"));
    assert_non_null(
        strstr(judge_with("turbo", "cpufreq_driver", "acpi-cpufreq", &calm).remedy, "boost"));
}

static void assert_watched(const char *topic, double steal, double others, enum verdict want)
{
    struct disturbance watched = { steal, others, 0, -1 };

    assert_int_equal(judge_with(topic, "none", NULL, &watched).verdict, want);
}

static void what_was_taken_while_busy_is_judged(void **state)
{
    (void)state;
    assert_watched("steal", 0.05, 0, VERDICT_WARN);
    assert_watched("steal", 0, 0.05, VERDICT_OK);
    assert_watched("steal", -1, 0, VERDICT_ABSENT);
    assert_watched("other programs", 0, 0.05, VERDICT_WARN);
    assert_watched("other programs", 0.05, 0, VERDICT_OK);
    assert_watched("other programs", 0, -1, VERDICT_ABSENT);
}

/* What a user has set may be longer than a line. */
static void long_value_is_cut(void **state)
{
    char value[2 * FINDING_BYTES];
    struct finding f;

    (void)state;
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    f = judge_with("malloc settings", "LD_PRELOAD", value, &calm);
    assert_int_equal(strlen(f.what), FINDING_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_of_a_healthy_machine),
        cmocka_unit_test(nothing_is_claimed_of_what_is_not_known),
        cmocka_unit_test(each_complaint_is_of_its_fact),
        cmocka_unit_test(remedy_is_the_drivers),
        cmocka_unit_test(what_was_taken_while_busy_is_judged),
        cmocka_unit_test(long_value_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
