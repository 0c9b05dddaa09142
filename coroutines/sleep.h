/* sleep.h - a coroutine that lets time pass. */
#ifndef COROUTINES_SLEEP_H
#define COROUTINES_SLEEP_H

#include "objects/object.h"

/* A coroutine that returns `result` (NULL: None) when so much time has passed since it began; with
 * a delay of 0 or less in the next turn. NULL: MemoryError. */
struct object *sleep_new(int64_t delay_ns, borrowed result);

#endif
