/* container.h - objects that hold others, and the register in which all of them stand.
 *
 * The collector (collector.h) must find every object that may be part of a cycle. So a
 * container takes a slot in a register when it is made, and gives it back when it is
 * destroyed. The slot is also where such an object can be put on a list when there is no
 * memory to be had: of those whose destruction waits (object.c), of those that are about to
 * be published (object.c), of those that a collection has reached (collector.c).
 *
 * Source: the threaded free lists of a part, with another for what others give back, are
 * those of a page in mimalloc (D. Leijen, B. Zorn, L. de Moura, Mimalloc: Free List
 * Sharding in Action, APLAS 2019).
 */
#ifndef OBJECTS_CONTAINER_H
#define OBJECTS_CONTAINER_H

#include "objects/object.h"

#include <stddef.h>
#include <stdint.h>

struct interpreter;

/* object_new for a type that has `traverse` and `destroy`: the object is in the register
 * until it is destroyed. Its fields must be such that they can be traversed before the next
 * safe point. NULL: MemoryError. */
struct object *container_new(const struct type *type, size_t size_bytes);

/* The rest is for object.c, audit.c and collector.c. */

struct slot {
    struct object *object; /* owner; NULL: the slot is free, or the object is being destroyed */
    union {                /* whose: as the argument in container.c says */
        struct slot *next;   /* free: the next free one; else the next on some list */
        struct object *link; /* the next on a list of objects */
        int64_t held;        /* in a collection: references from outside what is collected */
    };
};

/* Slots come in chunks, whose size is also what they are aligned to; the first slots of a
 * chunk are its head. Test builds shrink them. */
#ifdef NDEBUG
enum { CHUNK_BYTES = 4096 };
#else
enum { CHUNK_BYTES = 256 };
#endif
enum { CHUNK_SLOTS = CHUNK_BYTES / sizeof(struct slot), CHUNK_SLOTS_LOG2 = 8 };
enum { YOUNG_BITS = 64, YOUNG_WORDS = (1 << CHUNK_SLOTS_LOG2) / YOUNG_BITS };

struct chunk {
    union {
        struct {
            struct part *part;           /* set once */
            struct chunk *next;          /* set once; of the part's */
            struct chunk *next_young;    /* owner; of the part's that have young slots */
            uint64_t young[YOUNG_WORDS]; /* owner; bit i: slot i was taken since it was collected */
            uint32_t number;             /* set once */
            bool listed;                 /* owner; it is on the list of those with young slots */
        };
        struct slot slots[CHUNK_SLOTS];
    };
};

enum { CHUNK_HEAD = offsetof(struct chunk, listed) / sizeof(struct slot) + 1 };

/* From a chunk's number to the chunk in two steps: the tables are never moved. */
enum { TABLE_LOG2 = 12, TABLE_CHUNKS = 1 << TABLE_LOG2 };

extern struct chunk **container_tables[TABLE_CHUNKS]; /* set once, each and its entries */

/* The slot of an object that has one (o->tracked). */
static inline struct slot *container_slot(borrowed o)
{
    uint32_t chunk = o->tracked >> CHUNK_SLOTS_LOG2;

    return &container_tables[chunk >> TABLE_LOG2][chunk % TABLE_CHUNKS]
                ->slots[o->tracked % (1 << CHUNK_SLOTS_LOG2)];
}

static inline struct chunk *chunk_of(const struct slot *slot)
{
    return (struct chunk *)((uintptr_t)slot & ~(uintptr_t)(CHUNK_BYTES - 1));
}

/* Takes the object out of the register, and gives its slot back: it is to be destroyed. */
void container_forget(struct object *o);

/* The calling thread leaves: its part of the register is for the next that comes. */
void container_thread_stop(void);

/* Of an interpreter that has ended: its parts of the register are the main one's from now on. */
void container_bequeath(struct interpreter *ended);

/* The world is stopped for these. Whether the calling thread owns the slot's part. */
bool container_is_own(const struct slot *slot);

/* All chunks of the calling thread's interpreter with young slots, linked by next_young; if
 * `all`, every chunk of it, and every slot is young. Until container_grow_old no slot may be
 * taken. */
struct chunk *container_gather(bool all);

/* No slot is young any more. */
void container_grow_old(struct chunk *gathered);

/* Whether the slot has been taken since the last container_grow_old of its chunk. */
static inline bool container_is_young(const struct slot *slot)
{
    const struct chunk *chunk = chunk_of(slot);
    size_t i = (size_t)(slot - chunk->slots);

    return chunk->young[i / YOUNG_BITS] >> i % YOUNG_BITS & 1;
}

/* What the register takes. */
size_t container_bytes(void);

/* From now on the register takes no more than this: container_new fails instead. */
void container_bound(size_t bytes);

#endif
