/* range.h - the ints from one up to another: iterable, and not an iterator. */
#ifndef OBJECTS_RANGE_H
#define OBJECTS_RANGE_H

#include "objects/object.h"

#include <stdint.h>

extern const struct type range_type;

/* start, start + 1 ... stop - 1; none if stop <= start. NULL: MemoryError. */
struct object *range_new(int64_t start, int64_t stop);

#endif
