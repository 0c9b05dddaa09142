/* iterator.h - one item after the other.
 *
 * An iterable gives iterators; an iterator gives items, until it is exhausted, and then
 * for ever no more. An iterator is iterable, too, and gives itself. A generator is an
 * iterator that can also be sent to, and what it returns at its end is a value; any other
 * iterator returns None.
 *
 * Any number of threads may step one iterator: each item of the iterable is given to one
 * of them. Without a GIL, and where nothing locks containers (section.h), only one may.
 *
 * An iterator keeps its iterable until it is destroyed itself. CPython lets go of it when
 * it is exhausted; but then a thread that steps cannot read it without a lock, and so
 * CPython does as we do where it has no GIL.
 */
#ifndef OBJECTS_ITERATOR_H
#define OBJECTS_ITERATOR_H

#include "objects/object.h"

/* A new iterator over `o`; NULL: TypeError if it is not iterable, MemoryError. */
struct object *iterate(borrowed o);

/* One step: what came in *result is a new reference. STEP_NEXT: the next item; STEP_RETURN:
 * what the iterator returned; STEP_ERROR: an exception is pending (TypeError if `o` is not
 * an iterator), and *result is not set. */
enum step iterator_step(borrowed o, struct object **result);

/* Python's next(): the next item; NULL: an exception is pending, at the end StopIteration
 * with what the iterator returned. */
struct object *iterator_next(borrowed o);

/* ---- for iterables ---- */

/* Where an iterator stands. What the numbers mean is the iterable's business, but that
 * `position` becomes another one with each item, and PLACE_ENDED says: exhausted. */
struct place {
    size_t position, given, length;
};

#define PLACE_ENDED SIZE_MAX

/* Finds what stands at `place` in `iterable`, and moves `place` on. STEP_NEXT and a new
 * reference in *item; STEP_RETURN, and nothing: there is no more; or STEP_ERROR. The
 * place is the caller's own copy; the function may be called again for the same one. */
typedef enum step fetch_function(borrowed iterable, struct place *place, struct object **item);

/* An iterator that asks `fetch`; NULL: MemoryError. */
struct object *iterator_new(borrowed iterable, fetch_function *fetch, struct place start);

#endif
