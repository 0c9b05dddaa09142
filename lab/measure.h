/* measure.h - the window: start together, count, stop.
 *
 *     everyone ready -> ramp (all run, nothing counts) -> window -> ramp down
 *
 * Time is fixed, never work: an early finisher would leave the others alone and
 * flatter the contended. The calling thread reads every worker's counter at both ends
 * of the window and sleeps in between; workers share nothing that they write.
 */
#ifndef LAB_MEASURE_H
#define LAB_MEASURE_H

#include "lab/cell.h"
#include "lab/measurement.h"
#include "lab/topology.h"

struct window {
    uint64_t ramp_ns, length_ns;
    enum binding_policy bind; /* of each worker to a processor */
    bool counts; /* what the heap gives: that costs time, so the window's rate is for nobody */
    bool watches; /* the lock, of which it then says who held it and who waited; as above */
    const char *trace;    /* and writes what happened into this file (lab/trace.h); NULL: not */
    int trace_number;     /* the cell's there */
    uint64_t watchdog_ns; /* names threads that pass no safe point for so long; 0: it does not */
};

/* Runs one window of the cell in this process, which must not have run another.
 * A failure is a measurement too, with its status and note; `m` is to be freed. */
void measure(const struct cell *cell, const struct window *window, struct measurement *m);

#endif
