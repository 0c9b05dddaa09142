/* ownership_return.c - returns as its caller's own a reference that was only lent.
 *
 * Does not compile; with FIXED 1 it does. See `make ownership`.
 */
#include "objects/tuple.h"

#ifndef FIXED
#define FIXED 0
#endif

struct object *first_of(borrowed tuple);

struct object *first_of(borrowed tuple)
{
#if FIXED
    return incref(tuple_get(tuple, 0));
#else
    return tuple_get(tuple, 0); /* the caller will decref it */
#endif
}
