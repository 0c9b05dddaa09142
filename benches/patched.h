/* patched.h - code that blocks, in greenlets of one thread and in threads: what `lab demo patched`
 * shows.
 *
 * The code is libcurl's, by its easy interface, and a nanosleep. Neither knows of greenlets. Each
 * part runs in a process of its own, forked for that, so that what it takes can be read there; one
 * that takes longer than PATCHED_PART_S is ended. libcurl is loaded when it is there.
 */
#ifndef BENCHES_PATCHED_H
#define BENCHES_PATCHED_H

#include <stdbool.h>
#include <stdint.h>

/* Test builds are slow, and with a sanitizer each unit is many times as large. */
#ifdef NDEBUG
enum { PATCHED_TRANSFERS = 1000, PATCHED_SLEEPERS = 10000, PATCHED_WAIT_MS = 1000 };
#else
enum { PATCHED_TRANSFERS = 50, PATCHED_SLEEPERS = 500, PATCHED_WAIT_MS = 200 };
#endif
enum { PATCHED_PART_S = 12, PATCHED_MOST = 20000, PATCHED_WHY_BYTES = 120 };

enum patched_work { PATCHED_TRANSFER, PATCHED_SLEEP, PATCHED_WORKS };

/* What a part has taken. */
struct patched {
    int32_t count, right;           /* units; of them, so many came to the right end */
    uint64_t took_ns, cpu_ns;       /* from the first that begins to the last that ends */
    int64_t resident_bytes;         /* at the most, more than before */
    int64_t threads;                /* of the kernel, at the most that was seen */
    int64_t stack_bytes;            /* the most that a greenlet has used of its own; 0: threads */
    uint64_t switches;              /* of the hub */
    char why[PATCHED_WHY_BYTES];    /* ""; or why there are not as many as were asked for */
};

/* NULL: libcurl is there, and can be used; or why not. */
const char *patched_no_curl(void);

/* `wait_ms` is how long each waits: for its page, or asleep. The caller is attached. 0, or -1 with
 * an exception pending: no process. */
int patched_measure(enum patched_work work, bool greenlets, int count, int64_t wait_ms,
                    struct patched *p);

/* Prints both kinds of work, each in both units. 0 or -1. */
int patched_tell(int transfers, int sleepers, int64_t wait_ms);

#endif
