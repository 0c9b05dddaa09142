/* pulse.c - what disturbs a window, from /proc/stat and its neighbours. */
#include "lab/pulse.h"

#include "lab/procfs.h"

#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STAT_BYTES = 64 * 1024 }; /* 700 processors, whose lines come first */

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, TIMES };

/* One line "cpu0 USER NICE ..."; guest time, which follows, is contained in user time. A
 * kernel that does not know of steal writes fewer. */
static void add_processor(const char *line, struct pulse *p)
{
    long long time[TIMES];
    int got = sscanf(line, "cpu%*d %lld %lld %lld %lld %lld %lld %lld %lld", &time[USER],
                     &time[NICE], &time[SYSTEM], &time[IDLE], &time[IOWAIT], &time[IRQ],
                     &time[SOFTIRQ], &time[STEAL]);

    if (got < TIMES)
        return;
    if (p->total_ticks < 0)
        p->total_ticks = p->busy_ticks = p->steal_ticks = 0;
    for (int i = 0; i < TIMES; i++)
        p->total_ticks += time[i];
    p->busy_ticks += time[USER] + time[NICE] + time[SYSTEM] + time[IRQ] + time[SOFTIRQ];
    p->steal_ticks += time[STEAL];
}

static void take_ticks(const char *root, const cpu_set_t *ours, struct pulse *p)
{
    char text[STAT_BYTES];
    const char *line = text;
    int number;

    if (procfs_read(root, "/proc/stat", text, sizeof text) < 0)
        return;
    for (; !strncmp(line, "cpu", 3); line += *line == '\n') {
        /* The first line, "cpu  USER", is of all. */
        if (isdigit((unsigned char)line[3]) && sscanf(line, "cpu%d", &number) == 1 &&
            number < CPU_SETSIZE && CPU_ISSET(number, ours))
            add_processor(line, p);
        line += strcspn(line, "\n");
    }
}

static double seconds_of(int who)
{
    struct rusage used;

    getrusage(who, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* A number at the begin of a small file; -1: none. */
static double read_number(const char *root, const char *path)
{
    char text[256], *end;
    double number;

    if (procfs_read(root, path, text, sizeof text) < 0)
        return -1;
    number = strtod(text, &end);
    return end > text && number >= 0 ? number : -1;
}

static double read_mhz(const char *root, const cpu_set_t *ours)
{
    char path[96];
    double khz;
    int first = 0;

    while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, ours))
        first++;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", first);
    khz = read_number(root, path);
    return khz < 0 ? -1 : khz / 1000;
}

void pulse_take(const char *root, struct pulse *p)
{
    cpu_set_t ours;

    *p = (struct pulse){ -1, -1, -1, 0, -1, -1 };
    CPU_ZERO(&ours);
    sched_getaffinity(0, sizeof ours, &ours);
    take_ticks(root, &ours, p);
    p->own_seconds = seconds_of(RUSAGE_SELF) + seconds_of(RUSAGE_CHILDREN);
    p->load = read_number(root, "/proc/loadavg");
    p->mhz = read_mhz(root, &ours);
}

/* Kernels have let these counters fall by a tick or two, and ticks are coarser than the
 * processes' own times. */
static double share(double part, double whole)
{
    return part <= 0 ? 0 : part >= whole ? 1 : part / whole;
}

struct disturbance pulse_between(const struct pulse *before, const struct pulse *after)
{
    struct disturbance d = { -1, -1, -1, -1 };
    double total = (double)(after->total_ticks - before->total_ticks);
    double busy = (double)(after->busy_ticks - before->busy_ticks);
    double own = (after->own_seconds - before->own_seconds) * (double)sysconf(_SC_CLK_TCK);

    if (before->total_ticks >= 0 && after->total_ticks >= 0 && total > 0) {
        d.steal_share = share((double)(after->steal_ticks - before->steal_ticks), total);
        d.others_share = share(busy - own, total);
    }
    d.load = before->load > after->load ? before->load : after->load;
    d.mhz = before->mhz < after->mhz ? before->mhz : after->mhz;
    return d;
}
