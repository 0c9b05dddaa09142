/* diagnosis.c - what on this machine will spoil a measurement, judged from facts. */
#include "lab/diagnosis.h"

#include <hwloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a processor's time, from which on it is seen in a median of windows. */
static const double share_most = 0.01;

/* Runnable threads beside ours, for each processor that is ours. */
static const double load_most = 0.1;

static const double memory_least_bytes = 2.0 * (1u << 30);

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = { "ok", "warn", "absent" };

    return names[verdict];
}

struct patient {
    const struct facts *facts;
    const struct disturbance *watched;
};

/* Sets what the finding says. */
__attribute__((format(printf, 3, 4)))
static enum verdict say(struct finding *f, enum verdict verdict, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(f->what, sizeof f->what, format, arguments);
    va_end(arguments);
    return verdict;
}

static enum verdict warn_if(bool bad)
{
    return bad ? VERDICT_WARN : VERDICT_OK;
}

static enum verdict not_told(struct finding *f)
{
    return say(f, VERDICT_ABSENT, "not told by this kernel");
}

/* A fact that should have one value. */
static enum verdict expect(const struct patient *p, struct finding *f, const char *name,
                           const char *good)
{
    const char *value = facts_get(p->facts, name);

    if (!value)
        return not_told(f);
    return say(f, warn_if(strcmp(value, good) != 0), "%s", value);
}

/* How many processors "0-3,8" are; 0: it cannot be read. */
static int processors(const struct patient *p, const char *name)
{
    const char *list = facts_get(p->facts, name);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int count = 0;

    if (list && hwloc_bitmap_list_sscanf(set, list) == 0)
        count = hwloc_bitmap_weight(set);
    hwloc_bitmap_free(set);
    return count > 0 ? count : 0;
}

/* What cannot be read was refused before: one that is set is obeyed. */
static enum verdict judge_topology(const struct patient *p, struct finding *f)
{
    static const char *const names[] = { "HWLOC_SYNTHETIC", "HWLOC_XMLFILE" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (facts_get(p->facts, names[i]))
            return say(f, VERDICT_WARN, "simulated by %s: %s", names[i],
                       facts_get(p->facts, names[i]));
    return say(f, VERDICT_OK, "this machine's own");
}

static enum verdict judge_governor(const struct patient *p, struct finding *f)
{
    if (!facts_get(p->facts, "cpufreq_driver"))
        return say(f, VERDICT_ABSENT, "no cpufreq: the frequency can be neither read nor set");
    return expect(p, f, "cpufreq_governor", "performance");
}

static enum verdict judge_turbo(const struct patient *p, struct finding *f)
{
    const char *driver = facts_get(p->facts, "cpufreq_driver");

    if (driver && !strncmp(driver, "intel", 5))
        f->remedy = "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo";
    return expect(p, f, "turbo", "off");
}

static enum verdict judge_smt(const struct patient *p, struct finding *f)
{
    const char *active = facts_get(p->facts, "smt_active");

    if (!active)
        return not_told(f);
    if (*active == '1')
        return say(f, VERDICT_WARN, "each core has siblings that share it");
    return say(f, VERDICT_OK, "no siblings");
}

/* Each window is a fresh process: a layout of its own each time is what one wants. */
static enum verdict judge_aslr(const struct patient *p, struct finding *f)
{
    static const unsigned no_randomize = 0x0040000; /* of personality(2) */
    const char *aslr = facts_get(p->facts, "aslr"), *own = facts_get(p->facts, "personality");

    if (own && strtoul(own, NULL, 16) & no_randomize)
        return say(f, VERDICT_WARN, "off for this process (setarch -R, or a debugger)");
    if (!aslr)
        return not_told(f);
    if (*aslr == '2')
        return say(f, VERDICT_OK, "on: each window has a layout of its own");
    return say(f, VERDICT_WARN, "%s", *aslr == '0' ? "off" : "on, but not for the heap");
}

static enum verdict judge_share(struct finding *f, double share, const char *whose)
{
    if (share < 0)
        return not_told(f);
    return say(f, warn_if(share > share_most), "%.1f %% of a busy second went to %s", 100 * share,
               whose);
}

static enum verdict judge_steal(const struct patient *p, struct finding *f)
{
    return judge_share(f, p->watched->steal_share, "the hypervisor");
}

static enum verdict judge_others(const struct patient *p, struct finding *f)
{
    return judge_share(f, p->watched->others_share, "other programs");
}

static enum verdict judge_load(const struct patient *p, struct finding *f)
{
    double load = facts_number(p->facts, "load_average", -1);
    int count = processors(p, "cpus_online");

    if (load < 0 || !count)
        return not_told(f);
    return say(f, warn_if(load > load_most * count), "%.2f over the last minute, on %d processors",
               load, count);
}

static enum verdict judge_quota(const struct patient *p, struct finding *f)
{
    const char *limit = facts_get(p->facts, "cgroup_cpus_max");
    double cpus = facts_number(p->facts, "cgroup_cpus_max", -1);
    int count = processors(p, "cpus_allowed");

    if (!limit)
        return say(f, VERDICT_ABSENT, "no limit is told");
    if (cpus < 0)
        return say(f, VERDICT_OK, "no limit");
    return say(f, warn_if(!count || cpus < count), "%g processors' time, of %d", cpus, count);
}

static enum verdict judge_memory(const struct patient *p, struct finding *f)
{
    double limit = facts_number(p->facts, "cgroup_memory_max_bytes", -1);
    double available = facts_number(p->facts, "memory_available_bytes", -1);
    double least = limit >= 0 && (available < 0 || limit < available) ? limit : available;

    if (least < 0)
        return not_told(f);
    return say(f, warn_if(least < memory_least_bytes), "%.1f GiB %s", least / (1u << 30),
               least == limit ? "at most, by a limit" : "available");
}

static enum verdict judge_swap(const struct patient *p, struct finding *f)
{
    double total = facts_number(p->facts, "swap_total_bytes", -1);
    double left = facts_number(p->facts, "swap_free_bytes", 0);

    if (total < 0)
        return not_told(f);
    if (total == 0)
        return say(f, VERDICT_OK, "none");
    return say(f, warn_if(left < total), "%.0f of %.0f MiB in use", (total - left) / (1 << 20),
               total / (1 << 20));
}

static enum verdict judge_perf(const struct patient *p, struct finding *f)
{
    const char *perf = facts_get(p->facts, "perf_counters");
    const char *paranoid = facts_get(p->facts, "perf_event_paranoid");

    if (perf && !strcmp(perf, "available"))
        return say(f, VERDICT_OK, "cycles, instructions and cache misses can be counted");
    if (perf && (!strcmp(perf, "EACCES") || !strcmp(perf, "EPERM")))
        return say(f, VERDICT_WARN, "%s: not allowed; perf_event_paranoid is %s", perf,
                   paranoid ? paranoid : "not told");
    return say(f, VERDICT_ABSENT, "%s: this machine has no counters for us", perf ? perf : "?");
}

static enum verdict judge_uring(const struct patient *p, struct finding *f)
{
    const char *uring = facts_get(p->facts, "io_uring");

    if (uring && !strcmp(uring, "available"))
        return say(f, VERDICT_OK, "loops can wait by it");
    if (uring && !strcmp(uring, "ENOMEM"))
        return say(f, VERDICT_ABSENT, "ENOMEM: no memory for it, or no more may be locked "
                   "(ulimit -l)");
    return say(f, VERDICT_ABSENT, "%s: this kernel refuses it, or the container does",
               uring ? uring : "?");
}

static enum verdict judge_malloc(const struct patient *p, struct finding *f)
{
    const char *owner = facts_get(p->facts, "malloc_owner");

    if (!owner)
        return say(f, VERDICT_ABSENT, "its owner is not known");
    return say(f, warn_if(!strstr(owner, "libjemalloc")), "malloc is that of %s", owner);
}

static enum verdict judge_settings(const struct patient *p, struct finding *f)
{
    const char *conf = facts_get(p->facts, "MALLOC_CONF");
    const char *preload = facts_get(p->facts, "LD_PRELOAD");

    if (!conf && !preload)
        return say(f, VERDICT_OK, "neither MALLOC_CONF nor LD_PRELOAD is set");
    return say(f, VERDICT_WARN, "%s%s%s%s%s", conf ? "MALLOC_CONF=" : "", conf ? conf : "",
               conf && preload ? " " : "", preload ? "LD_PRELOAD=" : "", preload ? preload : "");
}

/* Those that are read without a system call. */
static enum verdict judge_clocksource(const struct patient *p, struct finding *f)
{
    static const char *const fast[] = { "tsc", "kvm-clock", "hyperv_clocksource_tsc_page",
                                        "arch_sys_counter", "timebase", "tod" };
    const char *clock = facts_get(p->facts, "clocksource");
    bool good = false;

    if (!clock)
        return not_told(f);
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
        good = good || !strcmp(clock, fast[i]);
    return say(f, warn_if(!good), "%s", clock);
}

static enum verdict judge_virtualisation(const struct patient *p, struct finding *f)
{
    const char *flag = facts_get(p->facts, "hypervisor_flag");
    const char *product = facts_get(p->facts, "dmi_product");

    if (!flag)
        return say(f, VERDICT_ABSENT, "not told by this processor");
    if (*flag == 'n')
        return say(f, VERDICT_OK, "none");
    return say(f, VERDICT_WARN, "a virtual machine%s%s", product ? ": " : "",
               product ? product : "");
}

static enum verdict judge_cores(const struct patient *p, struct finding *f)
{
    int allowed = processors(p, "cpus_allowed"), present = processors(p, "cpus_present");

    if (!allowed || !present)
        return not_told(f);
    return say(f, warn_if(allowed < present), "%d of %d may be used", allowed, present);
}

static enum verdict judge_huge_pages(const struct patient *p, struct finding *f)
{
    const char *chosen = facts_get(p->facts, "transparent_huge_pages");

    if (!chosen)
        return not_told(f);
    return say(f, warn_if(!strcmp(chosen, "always")), "%s", chosen);
}

static enum verdict judge_numa_balancing(const struct patient *p, struct finding *f)
{
    return expect(p, f, "numa_balancing", "0");
}

static const struct check {
    const char *topic;
    enum verdict (*judge)(const struct patient *p, struct finding *f);
    const char *effect, *remedy;
} checks[] = {
    { "topology", judge_topology,
      "threads are planned for another machine and nothing is bound: good for a plan only",
      "unset HWLOC_SYNTHETIC HWLOC_XMLFILE" },
    { "governor", judge_governor,
      "the frequency follows the load: short windows run slower than long ones",
      "sudo cpupower frequency-set -g performance" },
    { "turbo", judge_turbo,
      "the fewer cores work, the faster they are: one thread looks better than it scales",
      "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost" },
    { "SMT", judge_smt,
      "threads beyond the number of cores share one: they add less than a core would",
      "echo off | sudo tee /sys/devices/system/cpu/smt/control" },
    { "ASLR", judge_aslr,
      "all windows share one layout of memory: its luck looks like a difference",
      "sudo sysctl kernel.randomize_va_space=2" },
    { "steal", judge_steal,
      "threads stand still without knowing; who holds the lock then holds up all",
      "ask for dedicated processors, or measure at another hour with more --rounds" },
    { "other programs", judge_others,
      "they take processors away, and the lock's holder may be the one who waits",
      "ps -eo pcpu,pid,args --sort=-pcpu | head" },
    { "load", judge_load, "other programs were at work just now, and may be again",
      "ps -eo pcpu,pid,args --sort=-pcpu | head" },
    { "cgroup quota", judge_quota,
      "beyond it all threads stop for the rest of each 0.1 s: speed-up ends there",
      "give processors instead of time: docker run --cpuset-cpus=0-3, not --cpus=4" },
    { "memory", judge_memory,
      "cells with many threads, and unsafe ones that keep what they free, may be killed",
      "docker run --memory=4g, or systemd-run -p MemoryMax=4G" },
    { "swap", judge_swap, "a page that was swapped out costs milliseconds in the middle of a window",
      "sudo swapoff -a" },
    { "perf", judge_perf, "cycles, instructions and cache misses stay empty; the speed is the same",
      "sudo sysctl kernel.perf_event_paranoid=2" },
    { "io_uring", judge_uring, "cells whose units are told uring=1 are rows that say so",
      "sudo sysctl kernel.io_uring_disabled=0; docker run --security-opt seccomp=..." },
    { "malloc", judge_malloc, "the heap jemalloc is not what its name says",
      "unset LD_PRELOAD; a build with sanitizers is not to be measured: make MODE=release" },
    { "malloc settings", judge_settings,
      "results do not compare with those of runs without these settings",
      "unset MALLOC_CONF LD_PRELOAD" },
    { "clocksource", judge_clocksource,
      "to read the clock is a system call: latencies grow by a microsecond and more",
      "echo tsc | sudo tee "
      "/sys/devices/system/clocksource/clocksource0/current_clocksource" },
    { "virtualisation", judge_virtualisation,
      "the host may give its processors to others, and two of ours may be one core",
      "compare within one run only, and watch steal" },
    { "processors", judge_cores, "threads beyond those that may be used share them",
      "taskset -c 0-N, or the container's --cpuset-cpus" },
    { "huge pages", judge_huge_pages,
      "the kernel joins pages when it has time: the same heap is faster in some windows",
      "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled" },
    { "NUMA balancing", judge_numa_balancing,
      "the kernel takes pages away to see who asks for them: windows stall at random",
      "sudo sysctl kernel.numa_balancing=0" },
};

enum { CHECKS = sizeof checks / sizeof *checks };
_Static_assert(sizeof checks / sizeof *checks <= FINDINGS_MAX, "room for all findings");

int diagnose(const struct facts *f, const struct disturbance *watched,
             struct finding findings[FINDINGS_MAX])
{
    struct patient patient = { f, watched };

    for (int i = 0; i < CHECKS; i++) {
        findings[i] = (struct finding){ .topic = checks[i].topic, .effect = checks[i].effect,
                                        .remedy = checks[i].remedy };
        findings[i].verdict = checks[i].judge(&patient, &findings[i]);
    }
    return CHECKS;
}
