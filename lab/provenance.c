/* provenance.c - the machine and its system, from /proc and /sys. */
#include "lab/provenance.h"

#include "coroutines/reactor/reactor.h"
#include "lab/counters.h"
#include "lab/machine.h"
#include "lab/procfs.h"
#include "lab/pulse.h"

#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

/* A fact that is a file's first line, or one of its fields. */
struct source {
    const char *name, *path, *field; /* NULL: the first line */
};

static const struct source kernel[] = {
    { "host", "/proc/sys/kernel/hostname", NULL },
    { "kernel_release", "/proc/sys/kernel/osrelease", NULL },
    { "kernel_version", "/proc/sys/kernel/version", NULL },
    { "kernel_command_line", "/proc/cmdline", NULL },
    { "clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource", NULL },
    { "aslr", "/proc/sys/kernel/randomize_va_space", NULL },
    { "numa_balancing", "/proc/sys/kernel/numa_balancing", NULL },
    { "perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid", NULL },
};

static const struct source processors[] = {
    { "cpu_model", "/proc/cpuinfo", "model name" },
    { "cpu_microcode", "/proc/cpuinfo", "microcode" },
    { "cpus_present", "/sys/devices/system/cpu/present", NULL },
    { "cpus_online", "/sys/devices/system/cpu/online", NULL },
    { "cpus_isolated", "/sys/devices/system/cpu/isolated", NULL },
    { "cpus_allowed", "/proc/self/status", "Cpus_allowed_list" },
    { "numa_nodes_allowed", "/proc/self/status", "Mems_allowed_list" },
    { "smt", "/sys/devices/system/cpu/smt/control", NULL },
    { "smt_active", "/sys/devices/system/cpu/smt/active", NULL },
};

static const struct source hypervisor[] = {
    { "hypervisor_type", "/sys/hypervisor/type", NULL },
    { "dmi_vendor", "/sys/class/dmi/id/sys_vendor", NULL },
    { "dmi_product", "/sys/class/dmi/id/product_name", NULL },
};

static void add_sources(struct facts *f, const char *root, const struct source *from, size_t count)
{
    char text[PROCFS_TEXT_BYTES];

    for (size_t i = 0; i < count; i++) {
        const char *value = text;

        if (procfs_read(root, from[i].path, text, sizeof text) < 0)
            value = NULL;
        else if (from[i].field)
            value = procfs_field(text, from[i].field);
        facts_add(f, from[i].name, value);
    }
}

#define ADD_SOURCES(f, root, table) add_sources(f, root, table, sizeof table / sizeof *table)

/* In a list with commas. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    for (; list; list = strchr(list, ','), list += list != NULL)
        if (!strncmp(list, word, length) && strchr(",", list[length]))
            return true;
    return false;
}

/* Unless it is there, or there is no room. */
static void add_word(char *list, size_t size_bytes, const char *word)
{
    if (has_word(list, word) || strlen(list) + strlen(word) + 2 > size_bytes)
        return;
    if (*list)
        strcat(list, ",");
    strcat(list, word);
}

/* Processors may be set differently, and those of hybrid machines are different: every
 * value that one of them has. */
static void add_cpufreq(struct facts *f, const char *root, const char *name, const char *file)
{
    char pattern[PATH_MAX], text[256], values[256] = "";
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s/sys/devices/system/cpu/cpu[0-9]*/cpufreq/%s", root,
             file);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (procfs_read("", found.gl_pathv[i], text, sizeof text) > 0) {
                text[strcspn(text, "\n")] = '\0';
                add_word(values, sizeof values, text);
            }
    globfree(&found);
    facts_add(f, name, values);
}

/* Intel's driver says when it is off, the others when it is on. */
static void add_turbo(struct facts *f, const char *root)
{
    char text[32];
    const char *turbo = NULL;

    if (procfs_read(root, "/sys/devices/system/cpu/intel_pstate/no_turbo", text, sizeof text) > 0)
        turbo = *text == '0' ? "on" : *text == '1' ? "off" : NULL;
    else if (procfs_read(root, "/sys/devices/system/cpu/cpufreq/boost", text, sizeof text) > 0)
        turbo = *text == '1' ? "on" : *text == '0' ? "off" : NULL;
    facts_add(f, "turbo", turbo);
}

/* Of "always [madvise] never" the chosen one. */
static void add_choice(struct facts *f, const char *root, const char *name, const char *path)
{
    char text[256], *begin, *end;

    if (procfs_read(root, path, text, sizeof text) < 0 || !(begin = strchr(text, '[')) ||
        !(end = strchr(begin, ']')))
        return facts_add(f, name, NULL);
    *end = '\0';
    facts_add(f, name, begin + 1);
}

/* The processor itself says so, in its flags; where it has none (ARM), nothing does. */
static void add_hypervisor_flag(struct facts *f, const char *root)
{
    const char *flags = NULL, *hit = NULL;
    char text[PROCFS_TEXT_BYTES];

    if (procfs_read(root, "/proc/cpuinfo", text, sizeof text) > 0)
        flags = procfs_field(text, "flags");
    if (flags)
        hit = strstr(flags, " hypervisor");
    facts_add(f, "hypervisor_flag",
              !flags ? NULL : hit && hit < flags + strcspn(flags, "\n") ? "yes" : "no");
}

static void add_kib(struct facts *f, const char *name, const char *meminfo, const char *field)
{
    int64_t kib = procfs_number(meminfo, field);

    if (kib < 0)
        return facts_add(f, name, NULL);
    facts_format(f, name, "%" PRId64, kib * 1024);
}

static void add_memory(struct facts *f, const char *root)
{
    char text[PROCFS_TEXT_BYTES];

    if (procfs_read(root, "/proc/meminfo", text, sizeof text) < 0)
        *text = '\0';
    add_kib(f, "memory_total_bytes", text, "MemTotal");
    add_kib(f, "swap_total_bytes", text, "SwapTotal");
}

/* Where the limits of this process stand. Version 2 has one tree; in version 1 each kind of
 * limit has its own. */
struct cgroup {
    char mount[32];      /* below /sys/fs/cgroup */
    char path[PATH_MAX]; /* of this process's group; cut group by group, up to "" */
    int version;
};

enum { LIMIT_BYTES = 64 };

/* The lines are "4:cpu,cpuacct:/path", in version 2 "0::/path". NULL: none for this
 * controller. Destroys the text. */
static const char *path_of(char *text, const char *controller)
{
    char *line;

    while ((line = strsep(&text, "\n")) != NULL) {
        char *kinds = strchr(line, ':'), *path = kinds ? strchr(kinds + 1, ':') : NULL;

        if (!path)
            continue;
        *path = '\0';
        if (has_word(kinds + 1, controller))
            return path + 1;
    }
    return NULL;
}

/* A machine may have both versions: what version 1 does not have is version 2's. */
static bool find_cgroup(struct cgroup *g, const char *root, const char *controller)
{
    char text[PROCFS_TEXT_BYTES], again[PROCFS_TEXT_BYTES];
    const char *path;

    if (procfs_read(root, "/proc/self/cgroup", text, sizeof text) < 0)
        return false;
    strcpy(again, text);
    path = path_of(text, controller);
    g->version = path ? 1 : 2;
    if (!path)
        path = path_of(again, "");
    if (!path)
        return false;
    snprintf(g->mount, sizeof g->mount, "%s%s", g->version == 1 ? "/" : "",
             g->version == 1 ? controller : "");
    snprintf(g->path, sizeof g->path, "%s", path);
    return true;
}

static bool read_group(const char *root, const struct cgroup *g, const char *file,
                       char text[LIMIT_BYTES])
{
    char path[PATH_MAX + 128];

    snprintf(path, sizeof path, "/sys/fs/cgroup%s%s/%s", g->mount, g->path, file);
    return procfs_read(root, path, text, LIMIT_BYTES) > 0;
}

/* Infinity where none is set, for which version 1 has -1 and a huge number; NAN: garbage. */
static double limit_of(const char *text)
{
    char *end;
    double limit = strtod(text, &end);

    if (!strncmp(text, "max", 3))
        return INFINITY;
    return end == text ? NAN : limit < 0 || limit > 1e18 ? INFINITY : limit;
}

static double read_memory(const char *root, const struct cgroup *g)
{
    char text[LIMIT_BYTES];
    const char *file = g->version == 2 ? "memory.max" : "memory.limit_in_bytes";

    return read_group(root, g, file, text) ? limit_of(text) : NAN;
}

/* In processors. Version 2 has quota and period in one line. */
static double read_quota(const char *root, const struct cgroup *g)
{
    char quota[LIMIT_BYTES], period[LIMIT_BYTES];
    double period_us;

    if (g->version == 2) {
        if (!read_group(root, g, "cpu.max", quota))
            return NAN;
        strcpy(period, quota + strcspn(quota, " "));
    } else if (!read_group(root, g, "cpu.cfs_quota_us", quota) ||
               !read_group(root, g, "cpu.cfs_period_us", period)) {
        return NAN;
    }
    period_us = strtod(period, NULL);
    return period_us > 0 ? limit_of(quota) / period_us : NAN;
}

/* A group's limits bind all groups in it, so the smallest on the way to the root counts. In
 * a container the path may be the host's, which cannot be seen: then it is the root's. NAN:
 * nowhere a limit is spoken of. */
static double smallest(const char *root, const char *controller,
                       double (*of)(const char *root, const struct cgroup *g))
{
    double least = NAN;
    struct cgroup g;
    char *slash;

    if (!find_cgroup(&g, root, controller))
        return NAN;
    for (;;) {
        least = fmin(least, of(root, &g)); /* the other one, if one is NAN */
        slash = strrchr(g.path, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

static void add_limit(struct facts *f, const char *name, double limit)
{
    if (isnan(limit))
        facts_add(f, name, NULL);
    else if (isinf(limit))
        facts_add(f, name, "max");
    else
        facts_format(f, name, "%.12g", limit);
}

static void add_privileges(struct facts *f)
{
    int error = counters_probe(), refused = reactor_refusal(reactor_named("uring"));

    facts_format(f, "personality", "%#x", (unsigned)personality(0xffffffff));
    facts_add(f, "perf_counters", error ? strerrorname_np(error) : "available");
    facts_add(f, "io_uring", refused ? strerrorname_np(refused) : "available");
}

void provenance_machine(struct facts *f, const char *root)
{
    ADD_SOURCES(f, root, kernel);
    ADD_SOURCES(f, root, processors);
    add_cpufreq(f, root, "cpufreq_driver", "scaling_driver");
    add_cpufreq(f, root, "cpufreq_governor", "scaling_governor");
    add_cpufreq(f, root, "cpufreq_min_khz", "scaling_min_freq");
    add_cpufreq(f, root, "cpufreq_max_khz", "scaling_max_freq");
    add_turbo(f, root);
    add_choice(f, root, "transparent_huge_pages", "/sys/kernel/mm/transparent_hugepage/enabled");
    add_choice(f, root, "transparent_huge_pages_defrag",
               "/sys/kernel/mm/transparent_hugepage/defrag");
    add_memory(f, root);
    add_limit(f, "cgroup_cpus_max", smallest(root, "cpu", read_quota));
    add_limit(f, "cgroup_memory_max_bytes", smallest(root, "memory", read_memory));
    add_hypervisor_flag(f, root);
    ADD_SOURCES(f, root, hypervisor);
    add_privileges(f);
}

void provenance_topology(struct facts *f, const struct machine *machine)
{
    facts_add(f, "machine_key", machine->key);
    facts_add(f, "hwloc_synthetic", machine->synthetic);
    facts_add(f, "hwloc_version", machine->hwloc_version);
}

static void add_ticks(struct facts *f, const char *name, int64_t ticks)
{
    if (ticks < 0)
        return facts_add(f, name, NULL);
    facts_format(f, name, "%" PRId64, ticks);
}

void provenance_changing(struct facts *f, const char *root)
{
    static const struct source load = { "load_average", "/proc/loadavg", NULL };
    char text[PROCFS_TEXT_BYTES];
    struct pulse now;

    add_sources(f, root, &load, 1);
    if (procfs_read(root, "/proc/meminfo", text, sizeof text) < 0)
        *text = '\0';
    add_kib(f, "memory_available_bytes", text, "MemAvailable");
    add_kib(f, "swap_free_bytes", text, "SwapFree");
    pulse_take(root, &now);
    add_ticks(f, "steal_ticks", now.steal_ticks);
    add_ticks(f, "total_ticks", now.total_ticks);
}
