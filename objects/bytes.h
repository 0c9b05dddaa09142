/* bytes.h - bytes that do not change: what a socket reads, say. Their items are ints. */
#ifndef OBJECTS_BYTES_H
#define OBJECTS_BYTES_H

#include "objects/octets.h"

extern const struct type bytes_type;

/* A copy of `data`; NULL: MemoryError. */
struct object *bytes_new(const void *data, size_t length);

/* A new bytes, `a` and then `b`; NULL: TypeError if one is not a bytes, OverflowError,
 * MemoryError. */
struct object *bytes_concat(borrowed a, borrowed b);

/* Whether `a` comes first: by the first byte that differs, a beginning before the whole.
 * 1 or 0; -1: TypeError if one is not a bytes. */
int bytes_less(borrowed a, borrowed b);

/* `o` must be a bytes. They live as long as `o`; a zero byte follows. */
static inline const char *bytes_data(borrowed o)
{
    return ((const struct octets *)o)->data;
}

/* `o` must be a bytes. */
static inline size_t bytes_length(borrowed o)
{
    return ((const struct octets *)o)->length;
}

#endif
