/* schedule.h - a test program under a disturbed schedule.
 *
 * POSIX lets a wait for a condition end for no reason, and a thread lose its processor anywhere.
 * Both are rare on a quiet machine; here they are frequent, and drawn from a seed, at the calls by
 * which threads meet: what a lock forgets shows in a few runs. The order in which threads then run
 * is still the kernel's, so a seed makes a failure likely again and not certain.
 */
#ifndef LAB_GRADE_INSIDE_SCHEDULE_H
#define LAB_GRADE_INSIDE_SCHEDULE_H

#include <stdint.h>

/* 0: nothing is disturbed. Set before a second thread runs. */
extern uint64_t schedule_seed;

#endif
