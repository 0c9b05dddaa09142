/* child.h - a cell's window in a fresh process of this same program.
 *
 * Heap, address layout and a crash stay inside it. The child is `lab cell ...`; it
 * writes its measurement to a pipe. It dies with its parent.
 */
#ifndef LAB_CHILD_H
#define LAB_CHILD_H

#include "lab/cell.h"
#include "lab/measure.h"
#include "lab/measurement.h"

/* Runs one window, with the audited build if `audit`, for at most `limit_ns`. Always
 * fills `m` (to be freed): a child that crashes, hangs or says nothing is a failed or
 * timed-out measurement whose note says so. -1 only if `interrupted` became true:
 * then the child has been ended and there is no measurement. */
int child_measure(const struct cell *cell, const struct window *window, bool audit,
                  uint64_t limit_ns, const volatile int *interrupted, struct measurement *m);

#endif
