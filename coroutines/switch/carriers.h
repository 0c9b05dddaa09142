/* carriers.h - the calling thread's carrier, opened when it is first asked for.
 *
 * Who has fibers as a matter of course (stackful generators, greenlets) runs on threads that
 * others have started, and cannot ask each to open a carrier first and to close it at its end. So
 * here each thread has one, which its end closes: what stacks it has kept are the others' then.
 * A carrier that the thread has opened itself is taken as it is.
 *
 * Fibers that are suspended when the thread ends are not touched: others go on with them.
 */
#ifndef COROUTINES_SWITCH_CARRIERS_H
#define COROUTINES_SWITCH_CARRIERS_H

#include "coroutines/switch/fiber.h"

/* Never NULL. Asked for again after every switch: the thread may be another. (Where the system has
 * no place left to note that a thread's end must be told, the stacks that it kept are lost.) */
struct carrier *carrier_here(void);

#endif
