/* ownership_decref.c - gives up a reference that was only lent.
 *
 * Does not compile; with FIXED 1 it does. See `make ownership`.
 */
#include "objects/tuple.h"

#ifndef FIXED
#define FIXED 0
#endif

void drop_first(borrowed tuple);

void drop_first(borrowed tuple)
{
    borrowed first = tuple_get(tuple, 0);

#if FIXED
    decref(incref(first));
#else
    decref(first); /* the tuple still holds it */
#endif
}
