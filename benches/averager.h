/* averager.h - a generator of the demos: it is sent numbers, and keeps their average.
 *
 * None ends it, and it returns what was counted and the average; but until then it yields the
 * average each time, if its argument is True, and else None.
 */
#ifndef BENCHES_AVERAGER_H
#define BENCHES_AVERAGER_H

#include "coroutines/generator.h"

/* Frame: [0] True or False. What it returns is a tuple of an int and a float. */
extern const struct body averager;

/* NULL: an exception is pending. */
struct object *averager_new(bool tells);

#endif
