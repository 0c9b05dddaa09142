/* process.h - another program, run under watch: its words kept, its time, memory and
 * output bounded, nothing of it left behind.
 *
 * For programs that may hang, crash, talk without end, fork or eat memory. Not for many at
 * once: it blocks until the program's end, and only one thread of a process may be in here.
 *
 * When process_run returns, the program has ended and so has whatever it started, also what
 * left its process group or its session: this process adopts orphans (family.h). Should
 * this process be killed in between (SIGKILL), the program dies with it; what the program
 * itself had started does not, and ends when it writes to a pipe that nobody reads. A process
 * that sleeps in the kernel and cannot be killed is waited for.
 *
 * The program starts with default signals, none blocked; without standard input; with no
 * other file open; without core dumps; as the first that the kernel ends if memory is short.
 */
#ifndef LAB_PROCESS_H
#define LAB_PROCESS_H

#include <stddef.h>
#include <stdint.h>

struct program {
    const char *path;
    char *const *arguments; /* from argv[0]; NULL ends them */
    char *const *environment;
};

struct process_limits {
    uint64_t time_ns;      /* time in which this process itself was stopped is not counted */
    uint64_t memory_bytes; /* resident, of all its processes together; 0: none */
    size_t output_bytes;   /* of each of the two streams */
};

enum process_end {
    PROCESS_ENDED,       /* by itself: see wait_status */
    PROCESS_NOT_STARTED, /* see cause */
    PROCESS_OVER_TIME,   /* this and what follows: was ended by us */
    PROCESS_OVER_MEMORY,
    PROCESS_OVER_OUTPUT,
    PROCESS_INTERRUPTED,
};

/* What came out of one stream: any bytes, with a '\0' behind them. */
struct process_text {
    char *bytes; /* owned */
    size_t count;
};

struct process_report {
    enum process_end end;
    int wait_status;   /* as waitpid gives it, but for a program that was not started */
    int cause;         /* errno of what kept it from starting */
    uint64_t lived_ns; /* and a little more */
    struct process_text out, error;
};

/* A file that is opened later must not take the number of a standard stream that was closed
 * (2>&-): the progress would be written into the CSV. First in main. */
void process_keep_streams(void);

/* Runs the program until it ends, reaches a limit, or `*interrupted` becomes true, which a
 * signal's handler may do. Memory is looked at 20 times a second, that of what the program
 * started at most twice: what comes and goes in between is not seen. Descriptors 0 to 2 must
 * be open. Always fills the report, which is to be freed. */
void process_run(const struct program *program, const struct process_limits *limits,
                 const volatile int *interrupted, struct process_report *report);

void process_report_free(struct process_report *report);

#endif
