/* counters.h - what the processor and the kernel count about a thread.
 *
 * They tell why a mode is slow: more instructions, or the same ones waiting for a cache
 * line or for a processor. Whoever measures opens them for another thread and reads them
 * while that thread works, so that the measured loop holds nothing of it.
 *
 * Counted is what a thread does outside the kernel. That needs no privilege up to
 * perf_event_paranoid 2, and is comparable between machines that are set differently. Many
 * virtual machines and containers have no counters: then they are -1, never a failure.
 * Where they are there, each switch of a counted thread costs the kernel a few
 * hundred nanoseconds more, which is outside the loop but not outside the window.
 */
#ifndef LAB_COUNTERS_H
#define LAB_COUNTERS_H

#include <stdint.h>
#include <sys/types.h>

enum counter { COUNTER_CYCLES, COUNTER_INSTRUCTIONS, COUNTER_CACHE_MISSES, COUNTERS };

struct counters {
    pid_t thread;
    int fd[COUNTERS]; /* owned; -1: this one is not to be had */
};

/* As perf_event_open(2) gives it. A processor with fewer counters than are asked for takes
 * turns with them: then `running_ns` falls behind. */
struct tally {
    uint64_t value, enabled_ns, running_ns;
};

/* Everything at one moment, since the counters were opened; -1: not known. */
struct reading {
    struct tally tally[COUNTERS]; /* of those whose fd is not -1 */
    int64_t voluntary_switches, involuntary_switches;
};

/* 0, or the errno for which this thread's cycles cannot be counted. */
int counters_probe(void);

/* For a thread of this process, or of one that it has forked, by the kernel's number. */
void counters_open(struct counters *c, pid_t thread);
void counters_read(const struct counters *c, struct reading *now);
void counters_close(struct counters *c);

/* What was counted in between, scaled up if the counter had to take turns; -1: not known. */
int64_t counters_between(const struct counters *c, enum counter which,
                         const struct reading *before, const struct reading *after);

/* The processor time that such a thread has used, to the last switch or tick; 0: not known. For
 * those of other processes, which have no clock here. */
double counters_cpu_seconds(pid_t thread);

/* Of all threads that this process has, or had: to the last switch or tick of each. */
struct process_reading {
    double cpu_seconds;
    int64_t voluntary_switches, involuntary_switches;
};

void counters_read_process(struct process_reading *now);

/* The memory that this process has now, without what is swapped out; -1: not known. The kernel
 * counts it by thread, and adds that up now and then: it may be off by some hundred KiB. */
int64_t counters_resident_bytes(void);

/* The most memory that this process ever had; 0: not known. */
uint64_t counters_max_rss_bytes(void);

#endif
