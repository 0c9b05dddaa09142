/* str.h - text that does not change: UTF-8, ended by a zero byte.
 *
 * The bytes stand in the object itself and are taken as they are: no call here looks
 * at characters. Its hash is computed when it is first asked for, and kept.
 */
#ifndef OBJECTS_STR_H
#define OBJECTS_STR_H

#include "objects/object.h"

extern const struct type str_type;

struct str_object {
    struct object head;
    size_t length;         /* set once; bytes, without the final zero */
    _Atomic uint64_t hash; /* atomic; 0: not computed yet */
    char text[];           /* set once */
};

/* A copy of `utf8`; NULL: MemoryError. */
struct object *str_new(const char *utf8);

/* A new str, `a` and then `b`; NULL: TypeError if one is not a str, MemoryError. */
struct object *str_concat(borrowed a, borrowed b);

/* `o` must be a str. The text lives as long as `o`. */
static inline const char *str_text(borrowed o)
{
    return ((const struct str_object *)o)->text;
}

/* Its hash, if it has been computed, else 0: a hash is never that. `o` must be a str. */
static inline uint64_t str_known_hash(borrowed o)
{
    return atomic_load_explicit(&((struct str_object *)o)->hash, memory_order_relaxed);
}

/* In bytes. `o` must be a str. */
static inline size_t str_length(borrowed o)
{
    return ((const struct str_object *)o)->length;
}

#endif
