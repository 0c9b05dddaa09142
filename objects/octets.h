/* octets.h - what a str and a bytes both are: a row of bytes that does not change.
 *
 * The bytes stand in the object itself, with a zero byte after them that does not count.
 * The hash is computed when it is first asked for, and kept. The types differ in what they
 * call an item and in how they show it: str.h, bytes.h.
 */
#ifndef OBJECTS_OCTETS_H
#define OBJECTS_OCTETS_H

#include "objects/object.h"

struct octets {
    struct object head;
    size_t length;         /* set once; without the final zero */
    _Atomic uint64_t hash; /* atomic; 0: not computed yet */
    char data[];           /* set once */
};

/* A new object of this type whose bytes are still to be filled in, all but the final zero.
 * NULL: OverflowError if no memory could hold so many, MemoryError. */
struct octets *octets_new(const struct type *type, size_t length);

/* A new one, `a` and then `b`; NULL: TypeError if one is not of this type, OverflowError,
 * MemoryError. */
struct object *octets_concat(const struct type *type, borrowed a, borrowed b);

/* Between quotes, with escapes; `ascii`: bytes beyond ASCII are escaped, too. Cut off. */
void octets_write(borrowed o, bool ascii, char *text, size_t size_bytes);

/* For the slots of the types. */
size_t octets_size(borrowed o);
bool octets_equal(borrowed a, borrowed b);
int octets_hash(borrowed o, uint64_t *hash);

#endif
