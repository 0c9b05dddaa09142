/* reclaim.h - memory that another thread may still be reading is given back later.
 *
 * Readers of a published list or dict take no lock (list.c, dict.c). They load a pointer,
 * try to take a reference to what it points to, and look whether it still stands there.
 * In between the object may have died; its memory must then still be an object's, with a
 * count that try_incref can read. So where there is no GIL, whoever frees something that
 * such a reader may have in hand (a published object, the table of a published container)
 * does it through here, and it is freed once every thread that was attached then has
 * passed a safe point or detached: a reader passes none between its load and its look.
 *
 * Source: quiescent-state-based reclamation; M. Desnoyers et al., User-level
 * implementations of read-copy update, IEEE TPDS 23(2), 2012; with the sequence numbers of
 * FreeBSD's smr(9), as CPython does it (InternalDocs/qsbr.md).
 */
#ifndef OBJECTS_RECLAIM_H
#define OBJECTS_RECLAIM_H

#include <stddef.h>

/* As heap->free, when no thread reads it any more; at once under a GIL. The caller is
 * attached. */
void free_later(void *memory, size_t size_bytes);

#endif
