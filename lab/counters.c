/* counters.c - perf_event_open, and /proc for what is always there. */
#include "lab/counters.h"

#include "lab/procfs.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t events[COUNTERS] = {
    [COUNTER_CYCLES] = PERF_COUNT_HW_CPU_CYCLES,
    [COUNTER_INSTRUCTIONS] = PERF_COUNT_HW_INSTRUCTIONS,
    [COUNTER_CACHE_MISSES] = PERF_COUNT_HW_CACHE_MISSES,
};

/* Each by itself and not in a group, for a machine may lack any one of them. 0 stands for
 * the calling thread. */
static int open_event(uint64_t event, pid_t thread)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE, .size = sizeof attributes, .config = event,
        .exclude_kernel = 1, .exclude_hv = 1,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
    };

    return (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

int counters_probe(void)
{
    int fd = open_event(PERF_COUNT_HW_CPU_CYCLES, 0);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

void counters_open(struct counters *c, pid_t thread)
{
    c->thread = thread;
    for (int i = 0; i < COUNTERS; i++)
        c->fd[i] = open_event(events[i], thread);
}

/* getrusage would only tell the thread itself. */
static void read_switches(pid_t thread, struct reading *now)
{
    char path[64], text[PROCFS_TEXT_BYTES];

    now->voluntary_switches = now->involuntary_switches = -1;
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    if (procfs_read("", path, text, sizeof text) < 0)
        return;
    now->voluntary_switches = procfs_number(text, "voluntary_ctxt_switches");
    now->involuntary_switches = procfs_number(text, "nonvoluntary_ctxt_switches");
}

void counters_read(const struct counters *c, struct reading *now)
{
    read_switches(c->thread, now);
    for (int i = 0; i < COUNTERS; i++) {
        struct tally *tally = &now->tally[i];

        if (c->fd[i] < 0 || read(c->fd[i], tally, sizeof *tally) != sizeof *tally)
            *tally = (struct tally){ 0 };
    }
}

void counters_close(struct counters *c)
{
    for (int i = 0; i < COUNTERS; i++)
        if (c->fd[i] >= 0)
            close(c->fd[i]);
}

int64_t counters_between(const struct counters *c, enum counter which,
                         const struct reading *before, const struct reading *after)
{
    const struct tally *a = &before->tally[which], *b = &after->tally[which];
    uint64_t value = b->value - a->value;

    if (c->fd[which] < 0 || b->enabled_ns < a->enabled_ns)
        return -1;
    if (b->enabled_ns == a->enabled_ns)
        return 0; /* the thread did not run */
    if (b->running_ns == a->running_ns)
        return -1; /* it ran, and the counter never had its turn */
    return (int64_t)((double)value * (double)(b->enabled_ns - a->enabled_ns) /
                     (double)(b->running_ns - a->running_ns));
}

double counters_cpu_seconds(pid_t thread)
{
    char path[64], text[PROCFS_TEXT_BYTES];

    snprintf(path, sizeof path, "/proc/%d/schedstat", thread);
    if (procfs_read("", path, text, sizeof text) < 0)
        return 0;
    return strtod(text, NULL) / 1e9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

void counters_read_process(struct process_reading *now)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    now->cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
    now->voluntary_switches = used.ru_nvcsw;
    now->involuntary_switches = used.ru_nivcsw;
}

/* A size in /proc/self/status; -1: it is not there. */
static int64_t status_bytes(const char *name)
{
    char text[PROCFS_TEXT_BYTES];
    int64_t kib = -1;

    if (procfs_read("", "/proc/self/status", text, sizeof text) >= 0)
        kib = procfs_number(text, name);
    return kib < 0 ? -1 : kib * 1024;
}

int64_t counters_resident_bytes(void)
{
    return status_bytes("VmRSS");
}

/* Not getrusage's ru_maxrss: a fresh process inherits that from the one that started it,
 * through exec, and so shows the parent's size. */
uint64_t counters_max_rss_bytes(void)
{
    int64_t bytes = status_bytes("VmHWM");

    return bytes > 0 ? (uint64_t)bytes : 0;
}
