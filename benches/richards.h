/* richards.h - the kernel of an operating system, simulated: six tasks and their packets.
 *
 * Martin Richards' benchmark (Cambridge, 1981, first in BCPL), which every object-oriented
 * runtime has been measured by since: nearly all of it is attributes read and written, and
 * methods called on objects whose class only the run tells.
 *
 * An idle task releases one of two devices again and again, by the bits of a shift register.
 * A worker fills packets and sends them to two handlers in turn; a handler copies what is in
 * them, a letter at a time, into the packets of its device, which gives each back when it is
 * released. The scheduler runs the first task of a list that is ready, and each task says
 * which one is next. A simulation of 1000 turns of the idle task queues 2322 packets and
 * holds tasks 928 times; a kernel with a fault in it seldom does.
 *
 * Here every task, every packet and the scheduler are instances, every number is boxed, every
 * call is a call of a method. What is a scheduler or a task below is that; failure is -1 or
 * NULL with an exception pending.
 */
#ifndef BENCHES_RICHARDS_H
#define BENCHES_RICHARDS_H

#include "benches/program.h"

enum richards_class {
    PACKET, SCHEDULER, TASK, IDLE_TASK, WORK_TASK, HANDLER_TASK, DEVICE_TASK, RICHARDS_CLASSES
};

int richards_init(struct program *p); /* program_fini, also after a failure */

/* A new scheduler, with tasks that are ready to run. */
struct object *richards_new(const struct program *p);

/* Runs the current task or passes over it: 1; 0: there is none any more, the simulation has
 * ended; or -1. */
int richards_dispatch(const struct program *p, borrowed scheduler);

/* Whether a simulation that has ended did what it should: 0, or -1 and RuntimeError. */
int richards_check(const struct program *p, borrowed scheduler);

#endif
