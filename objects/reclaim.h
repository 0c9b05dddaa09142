/* reclaim.h - memory that another thread may still be reading is given back later.
 *
 * Readers of a published list or dict take no lock (list.c, dict.c). They load a pointer
 * and try to take a reference to what it points to. In between the object may have died;
 * its memory must then still be an object's, with a count that try_incref can read. So
 * where there is no GIL, whoever frees something that such a reader may have in hand (a
 * published object, the table of a published container) does it through here, and it is
 * freed once every thread that was attached then has passed a safe point or detached: a
 * reader passes none between its load and its try.
 *
 * What is held back. A thread asks the others once RECLAIM_BATCH_BYTES wait in its hands,
 * and holds at most twice as many, and one block, beside what it gives up until all
 * attached threads have passed their next safe points. A thread that is detached, or gone,
 * holds nothing back, neither as a reader nor what it has given up itself: the others
 * inherit that. A thread that is attached and passes no safe point holds back everything:
 * qsbr_late names it.
 *
 * Source: quiescent-state-based reclamation, as gil/qsbr.h says.
 */
#ifndef OBJECTS_RECLAIM_H
#define OBJECTS_RECLAIM_H

#include <stddef.h>

struct thread;

enum {
    /* At the end of what is freed later so many bytes are overwritten at once: the place
     * of no count, nor of anything that a reader looks at before it has a reference. In an
     * object that holds of itself; a table must keep them free. */
    RECLAIM_BYTES = 16,

#ifdef NDEBUG
    RECLAIM_BATCH_BYTES = 64 << 10,
#else
    RECLAIM_BATCH_BYTES = 1 << 10, /* so that tests see many batches */
#endif
};

/* As heap_free, when no thread reads it any more; at once under a GIL. The caller is
 * attached; a thread that is not of the runtime shares nothing with readers, and frees at
 * once. */
void free_later(void *memory, size_t size_bytes);

/* The same, as heap_free_table. */
void free_table_later(void *table, size_t size_bytes);

/* For the hooks of a thread, the calling one: it may read from now on; it reads no more,
 * until it enters again; it reads nothing at this moment, and has been asked to say so. */
void reclaim_enter(struct thread *t);
void reclaim_leave(struct thread *t);
void reclaim_quiet(struct thread *t);

/* Frees all that waits, if every other thread is detached or gone. The caller reads
 * nothing at this moment. */
void reclaim_all(void);

#endif
