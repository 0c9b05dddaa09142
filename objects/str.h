/* str.h - text that does not change: UTF-8, ended by a zero byte.
 *
 * The bytes are taken as they are. Only an iterator looks at characters: it gives each
 * as a str of its own.
 */
#ifndef OBJECTS_STR_H
#define OBJECTS_STR_H

#include "objects/octets.h"

extern const struct type str_type;

/* A copy of `utf8`; NULL: MemoryError. */
struct object *str_new(const char *utf8);

/* What Python's str() makes of an int or a float; NULL: TypeError, MemoryError. */
struct object *str_of_number(borrowed number);

/* A new str, `a` and then `b`; NULL: TypeError if one is not a str, OverflowError,
 * MemoryError. */
struct object *str_concat(borrowed a, borrowed b);

/* A new str: what `iterable` gives, with `separator` between. Other threads may change a
 * list meanwhile: it is taken as it was at one moment. NULL: TypeError if it is not
 * iterable, or gives what is not a str; OverflowError, MemoryError, what its iterator
 * raises. `separator` must be a str. */
struct object *str_join(borrowed separator, borrowed iterable);

/* `o` must be a str. The text lives as long as `o`. */
static inline const char *str_text(borrowed o)
{
    return ((const struct octets *)o)->data;
}

/* Its hash, if it has been computed, else 0: a hash is never that. `o` must be a str. */
static inline uint64_t str_known_hash(borrowed o)
{
    return atomic_load_explicit(&((struct octets *)o)->hash, memory_order_relaxed);
}

/* In bytes. `o` must be a str. */
static inline size_t str_length(borrowed o)
{
    return ((const struct octets *)o)->length;
}

#endif
