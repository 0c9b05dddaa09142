/* test_provenance.c - facts of machines that are laid out in folders. */
#include "lab/machine.h"
#include "lab/provenance.h"

#include "lab/tests/laid_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_fact(const struct facts *f, const char *name, const char *want)
{
    const char *got = facts_get(f, name);

    if ((!got || !want) ? got != want : strcmp(got, want))
        fail_msg("%s: '%s', not '%s'", name, got ? got : "absent", want ? want : "absent");
}

static struct facts machine_in(const char *root)
{
    struct facts f = { 0 };

    provenance_machine(&f, root);
    return f;
}

static void assert_machine(const char *root, const char *name, const char *want)
{
    struct facts f = machine_in(root);

    assert_fact(&f, name, want);
    facts_free(&f);
}

static void value_is_one_printable_line(void **state)
{
    struct facts f = { 0 };

    (void)state;
    facts_add(&f, "a", "  two words \t\r\nand more\n");
    facts_add(&f, "b", "bell \a, umlaut \xc3\xa4");
    facts_add(&f, "c", " \n");
    facts_add(&f, "d", NULL);
    facts_format(&f, "e", "%d", 7);
    assert_fact(&f, "a", "two words");
    assert_fact(&f, "b", "bell ?, umlaut ??");
    assert_fact(&f, "c", NULL);
    assert_fact(&f, "d", NULL);
    assert_fact(&f, "e", "7");
    assert_int_equal(f.count, 5);
    facts_free(&f);
}

static void number_is_what_a_value_begins_with(void **state)
{
    struct facts f = { 0 };

    (void)state;
    facts_add(&f, "load", "0.75 0.5");
    facts_add(&f, "word", "max");
    facts_add(&f, "odd", "nan");
    assert_true(facts_number(&f, "load", -1) == 0.75);
    assert_true(facts_number(&f, "word", -1) == -1);
    assert_true(facts_number(&f, "odd", -1) == -1);
    assert_true(facts_number(&f, "nowhere", -1) == -1);
    facts_free(&f);
}

/* Some facts are not of files, but of this process and of the kernel under it. */
static void what_a_machine_does_not_have_is_absent(void **state)
{
    const char *root = lay_out();
    struct facts f = machine_in(root);

    (void)state;
    assert_true(f.count > 30);
    for (int i = 0; i < f.count; i++)
        if (strcmp(f.fact[i].name, "personality") && strcmp(f.fact[i].name, "perf_counters") &&
            strcmp(f.fact[i].name, "io_uring"))
            assert_fact(&f, f.fact[i].name, NULL);
    assert_non_null(facts_get(&f, "perf_counters"));
    facts_free(&f);
    clear_away(root);
}

static void fields_are_found_in_their_files(void **state)
{
    const char *root = lay_out();
    struct facts f;

    (void)state;
    put_line(root, "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    put_line(root, "/proc/cpuinfo", "processor\t: 0\nmodel\t\t: 2\nmodel name\t: Some CPU @ 3 GHz\n"
                                    "microcode_file: x\nmicrocode\t: 0xd0003a5\n"
                                    "flags\t\t: fpu hypervisor\n"
                                    "processor\t: 1\nmodel name\t: Another\n");
    put_line(root, "/proc/self/status", "Name:\tlab\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\n");
    put_line(root, "/proc/meminfo", "MemTotal:       1000 kB\nSwapTotal:      4 kB\n");
    put_line(root, "/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
    f = machine_in(root);
    assert_fact(&f, "kernel_release", "6.1.0-18-amd64");
    assert_fact(&f, "cpu_model", "Some CPU @ 3 GHz");
    assert_fact(&f, "cpu_microcode", "0xd0003a5");
    assert_fact(&f, "hypervisor_flag", "yes");
    assert_fact(&f, "cpus_allowed", "0-3");
    assert_fact(&f, "memory_total_bytes", "1024000");
    assert_fact(&f, "swap_total_bytes", "4096");
    assert_fact(&f, "transparent_huge_pages", "never");
    assert_fact(&f, "cpus_online", NULL);
    facts_free(&f);
    put_line(root, "/proc/cpuinfo", "flags: fpu sse\nbugs: hypervisor\nx: a hypervisor\n");
    assert_machine(root, "hypervisor_flag", "no");
    clear_away(root);
}

static void every_processors_frequency_counts(void **state)
{
    static const char path[] = "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor";
    static const char *const governors[] = { "powersave\n", "performance\n", "power\n",
                                             "powersave\n" };
    const char *root = lay_out();
    char whole[128];

    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(whole, sizeof whole, path, i);
        put_line(root, whole, governors[i]);
    }
    assert_machine(root, "cpufreq_governor", "powersave,performance,power");
    assert_machine(root, "cpufreq_driver", NULL);
    clear_away(root);
}

static void turbo_is_told_in_two_ways(void **state)
{
    const char *root = lay_out();

    (void)state;
    put_line(root, "/sys/devices/system/cpu/cpufreq/boost", "1\n");
    assert_machine(root, "turbo", "on");
    put_line(root, "/sys/devices/system/cpu/cpufreq/boost", "0\n");
    assert_machine(root, "turbo", "off");
    put_line(root, "/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
    assert_machine(root, "turbo", "on");
    put_line(root, "/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    assert_machine(root, "turbo", "off");
    put_line(root, "/sys/devices/system/cpu/intel_pstate/no_turbo", "perhaps\n");
    assert_machine(root, "turbo", NULL);
    clear_away(root);
}

static void limits_of_the_second_version_bind_what_is_below(void **state)
{
    const char *root = lay_out();

    (void)state;
    put_line(root, "/proc/self/cgroup", "0::/user/lab\n");
    put_line(root, "/sys/fs/cgroup/user/lab/cpu.max", "max 100000\n");
    assert_machine(root, "cgroup_cpus_max", "max");
    put_line(root, "/sys/fs/cgroup/user/cpu.max", "150000 100000\n");
    assert_machine(root, "cgroup_cpus_max", "1.5");
    put_line(root, "/sys/fs/cgroup/user/lab/cpu.max", "50000 200000\n");
    assert_machine(root, "cgroup_cpus_max", "0.25");
    put_line(root, "/sys/fs/cgroup/user/lab/memory.max", "max\n");
    put_line(root, "/sys/fs/cgroup/memory.max", "1073741824\n");
    assert_machine(root, "cgroup_memory_max_bytes", "1073741824");
    clear_away(root);
}

static void limits_of_the_first_version_are_read_as_well(void **state)
{
    const char *root = lay_out();

    (void)state;
    put_line(root, "/proc/self/cgroup", "5:cpuset,cpuacct:/\n4:cpuacct,cpu:/docker/1\n"
                                        "3:memory:/docker/1\n0::/x\n");
    put_line(root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put_line(root, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put_line(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put_line(root, "/sys/fs/cgroup/x/cpu.max", "1 100000\n");
    assert_machine(root, "cgroup_cpus_max", "max");
    assert_machine(root, "cgroup_memory_max_bytes", "max");
    put_line(root, "/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "200000\n");
    put_line(root, "/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us", "100000\n");
    put_line(root, "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "4096\n");
    assert_machine(root, "cgroup_cpus_max", "2");
    assert_machine(root, "cgroup_memory_max_bytes", "4096");
    clear_away(root);
}

static void what_one_version_lacks_is_the_others(void **state)
{
    const char *root = lay_out();

    (void)state;
    put_line(root, "/proc/self/cgroup", "3:memory:/\n0::/\n");
    put_line(root, "/sys/fs/cgroup/cpu.max", "50000 100000\n");
    put_line(root, "/sys/fs/cgroup/memory.max", "1\n");
    assert_machine(root, "cgroup_cpus_max", "0.5");
    assert_machine(root, "cgroup_memory_max_bytes", NULL);
    clear_away(root);
}

static void garbage_is_absent_and_harmless(void **state)
{
    static const char *const paths[] = {
        "/proc/cpuinfo", "/proc/self/status", "/proc/self/cgroup", "/proc/meminfo",
        "/proc/loadavg", "/proc/stat", "/proc/cmdline", "/sys/fs/cgroup/cpu.max",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
        "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor",
    };
    enum { HUGE_BYTES = 300000 };
    const char *root = lay_out();
    char *huge = malloc(HUGE_BYTES);
    struct facts f;

    (void)state;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < HUGE_BYTES; i++)
            huge[i] = round == 0 ? 'x' : round == 1 ? '\0' : round == 2 ? ':' : (char)(i * 31 >> 3);
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
            put(root, paths[i], huge, HUGE_BYTES);
        f = machine_in(root);
        provenance_changing(&f, root);
        assert_fact(&f, "memory_total_bytes", NULL);
        assert_fact(&f, "memory_available_bytes", NULL);
        assert_fact(&f, "cgroup_cpus_max", NULL);
        assert_fact(&f, "total_ticks", NULL);
        facts_free(&f);
    }
    memset(huge, 'x', HUGE_BYTES);
    put(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", huge, HUGE_BYTES);
    memset(huge, 'y', HUGE_BYTES);
    put(root, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", huge, HUGE_BYTES);
    f = machine_in(root);
    facts_free(&f);
    put_line(root, "/proc/self/cgroup", "0::/\n");
    for (int i = 0; i < 3; i++) {
        put_line(root, "/sys/fs/cgroup/cpu.max", (const char *[]){ "5", "5 0", "x 100000" }[i]);
        assert_machine(root, "cgroup_cpus_max", NULL);
    }
    put_line(root, "/proc/meminfo", "MemTotal: 99999999999999999999999 kB\nSwapTotal: -4 kB\nMem");
    assert_machine(root, "memory_total_bytes", NULL);
    assert_machine(root, "swap_total_bytes", NULL);
    free(huge);
    clear_away(root);
}

static void what_changes_is_read(void **state)
{
    const char *root = lay_out();
    struct facts f = { 0 };

    (void)state;
    put_line(root, "/proc/loadavg", "0.75 0.50 0.25 1/100 4711\n");
    put_line(root, "/proc/meminfo", "MemFree: 1 kB\nMemAvailable:  3 kB\nSwapFree: 2 kB\n");
    provenance_changing(&f, root);
    assert_fact(&f, "load_average", "0.75 0.50 0.25 1/100 4711");
    assert_fact(&f, "memory_available_bytes", "3072");
    assert_fact(&f, "swap_free_bytes", "2048");
    assert_fact(&f, "steal_ticks", NULL);
    facts_free(&f);
    clear_away(root);
}

static void software_is_this_build(void **state)
{
    struct facts f = { 0 };
    char by_sha256sum[65] = "";
    FILE *in;

    (void)state;
    setenv("SLURM_JOB_ID", "4711", 1);
    unsetenv("SLURM_ARRAY_TASK_ID");
    provenance_software(&f);
    in = popen("sha256sum /proc/$PPID/exe", "r");
    assert_int_equal(fscanf(in, "%64s", by_sha256sum), 1);
    pclose(in);
    assert_fact(&f, "binary_sha256", by_sha256sum);
    assert_fact(&f, "SLURM_JOB_ID", "4711");
    assert_fact(&f, "SLURM_ARRAY_TASK_ID", NULL);
    assert_non_null(strstr(facts_get(&f, "build_flags"), "-std=c17"));
    assert_non_null(strstr(facts_get(&f, "libraries"), "/libhwloc.so."));
    assert_non_null(facts_get(&f, "malloc_owner"));
    facts_free(&f);
}

static void allocator_describes_itself(void **state)
{
    struct facts f = { 0 };

    (void)state;
    provenance_software(&f);
    if (!facts_get(&f, "jemalloc_running")) {
        facts_free(&f);
        skip();
    }
    assert_non_null(strstr(facts_get(&f, "malloc_owner"), "jemalloc"));
    assert_non_null(strstr(facts_get(&f, "jemalloc_options"), "\"narenas\":"));
    assert_non_null(strstr(facts_get(&f, "jemalloc_config"), "\"stats\":"));
    facts_free(&f);
}

static void commit_is_the_trees(void **state)
{
    struct facts f = { 0 };
    const char *commit, *dirty;

    (void)state;
    provenance_software(&f);
    commit = facts_get(&f, "commit");
    dirty = facts_get(&f, "commit_dirty");
    if (!commit) {
        assert_null(dirty);
    } else {
        assert_int_equal(strspn(commit, "0123456789abcdef"), strlen(commit));
        assert_int_equal(strlen(commit), 40);
        assert_true(!strcmp(dirty, "yes") || !strcmp(dirty, "no"));
    }
    facts_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_is_one_printable_line),
        cmocka_unit_test(number_is_what_a_value_begins_with),
        cmocka_unit_test(what_a_machine_does_not_have_is_absent),
        cmocka_unit_test(fields_are_found_in_their_files),
        cmocka_unit_test(every_processors_frequency_counts),
        cmocka_unit_test(turbo_is_told_in_two_ways),
        cmocka_unit_test(limits_of_the_second_version_bind_what_is_below),
        cmocka_unit_test(limits_of_the_first_version_are_read_as_well),
        cmocka_unit_test(what_one_version_lacks_is_the_others),
        cmocka_unit_test(garbage_is_absent_and_harmless),
        cmocka_unit_test(what_changes_is_read),
        cmocka_unit_test(software_is_this_build),
        cmocka_unit_test(allocator_describes_itself),
        cmocka_unit_test(commit_is_the_trees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
