/* pulse.h - what disturbs a window, cheap enough to be asked before and after each.
 *
 * A processor that the hypervisor gives to another guest, or another program of this
 * machine, makes a window slow and leaves no trace in it. The kernel counts both, in
 * ticks: of a window of a quarter of a second, one tick of 10 ms is 2 % of two processors.
 */
#ifndef LAB_PULSE_H
#define LAB_PULSE_H

#include <stdint.h>

/* At one moment. Ticks are of those processors that this process may use, since boot. */
struct pulse {
    int64_t total_ticks, busy_ticks, steal_ticks; /* -1: not known. Busy is neither idle
                                                     nor stolen */
    double own_seconds; /* processor time of this process and of its children that are gone */
    double load;        /* of the last minute; -1: not known */
    double mhz;         /* now, of the first such processor; -1: not known */
};

/* What happened between two of them. */
struct disturbance {
    double steal_share;  /* of the processors' time: taken by the hypervisor; -1: not known */
    double others_share; /* of the processors' time: other programs'; -1: not known */
    double load, mhz;    /* the higher load and the lower frequency of the two; -1: not known */
};

/* `root` as in lab/procfs.h. */
void pulse_take(const char *root, struct pulse *p);

/* `before` first. */
struct disturbance pulse_between(const struct pulse *before, const struct pulse *after);

#endif
