/* child.h - a cell's window in a fresh process of this same program, or of another build.
 *
 * Heap, address layout and a crash stay inside it. The child is `lab cell ...`; it
 * writes its measurement to a pipe. It dies with its parent. What it has to say besides,
 * as of a thread that passes no safe point, are lines `note: ...` on its standard error.
 */
#ifndef LAB_CHILD_H
#define LAB_CHILD_H

#include "lab/cell.h"
#include "lab/measure.h"
#include "lab/measurement.h"

/* What holds for every window of a run. */
struct child_rules {
    uint64_t time_ns;
    uint64_t memory_bytes; /* resident; 0: no limit */
    const volatile int *interrupted;
    void (*note)(const char *text); /* takes what a child notes beside its result; NULL: nobody */
};

/* Runs one window of this kind, in the build for it. Always fills `m` (to be freed): a
 * child that cannot be started, crashes, hangs, eats memory or says anything but a result
 * of this cell is a failed or timed-out measurement whose note says so. -1 only if
 * `interrupted` became true: then the child has been ended and there is no measurement. */
int child_measure(const struct child_rules *rules, const struct cell *cell,
                  const struct window *window, enum window_kind kind, struct measurement *m);

#endif
