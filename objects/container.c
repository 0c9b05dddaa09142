/* container.c - the register of containers.
 *
 * The register is made of parts. A thread owns one part from its first container until it
 * stops; then the part, with all that still lives in it, waits for the next thread of its
 * interpreter that needs one. So an interpreter has at most as many parts as it ever had
 * threads at once, and as many slots as it ever had containers at once, with what is free in
 * each part. What an interpreter leaves behind is anybody's, if nothing lives in it, and else
 * the main one's.
 *
 * A part has two lists of free slots: `free`, which its owner alone touches, and
 * `returned`, onto which every other thread puts what it destroys. The owner takes that
 * one whole when the first is empty, so nobody ever pops from it: it needs no protection
 * from a slot that comes back meanwhile (the ABA problem).
 *
 * Who may touch a slot:
 *   1. while it is free, who may touch the list that it is on;
 *   2. from when it was taken until the object is published, the thread that made it;
 *   3. while it is in use, whoever has stopped the world, for a stopped thread is in the
 *      midst of nothing that touches a slot: making, destroying and publishing pass no
 *      safe point;
 *   4. from when the count has reached zero, the thread that destroys it.
 * A chunk's head, but for what is set once, is touched by its part's owner and, when the
 * world is stopped, by the collector.
 */
#include "objects/container.h"

#include "gil/mutex.h"
#include "objects/interpreter.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef NDEBUG
enum { TELL_AT = 64 };
#else
enum { TELL_AT = 4 };
#endif
enum { CACHE_LINE = 64, CHUNKS_MOST = 1 << (32 - CHUNK_SLOTS_LOG2) };

_Static_assert(sizeof(struct chunk) == CHUNK_BYTES, "a chunk is found from a slot's address");
_Static_assert(CHUNK_SLOTS <= 1 << CHUNK_SLOTS_LOG2, "a slot's number has so many bits");
_Static_assert(TABLE_CHUNKS == CHUNKS_MOST >> TABLE_LOG2, "the tables reach every chunk");

struct part {
    struct slot *free;   /* owner */
    struct chunk *young; /* owner; those in which it has taken slots since the last collection */
    uint32_t untold;     /* owner; slots that became young since it told the collector */
    struct chunk *chunks;   /* books.lock; all that it has */
    struct part *next;      /* books.lock; of the interpreter's */
    struct part *next_idle; /* books.lock */
    _Alignas(CACHE_LINE) _Atomic(struct slot *) returned; /* atomic */
};

struct chunk **container_tables[TABLE_CHUNKS];

static struct {
    struct mutex lock;
    struct part *spare;  /* lock; those that no interpreter has, linked by `next` */
    uint32_t chunks;     /* lock */
    size_t size_bytes;   /* lock */
    size_t bound_bytes;  /* lock */
} books = { .lock = MUTEX_INIT, .bound_bytes = SIZE_MAX };

/* So that `own` points to a part always, and the usual case asks one question. */
static struct part nobody;
static _Thread_local struct part *own = &nobody;

/* ---- memory ---- */

/* Zeroed and aligned to `alignment`, and counted in the books; NULL: there is none. */
static void *books_alloc(size_t alignment, size_t size_bytes) REQUIRES(books.lock)
{
    unsigned char *memory;

    if (size_bytes > books.bound_bytes || books.size_bytes > books.bound_bytes - size_bytes)
        return NULL;
    memory = aligned_alloc(alignment, size_bytes);
    if (!memory)
        return NULL;
    books.size_bytes += size_bytes;
    return memset(memory, 0, size_bytes);
}

static struct part *part_new(struct interpreter *i) REQUIRES(books.lock)
{
    struct part *part = books.spare;

    if (part)
        books.spare = part->next;
    else
        part = books_alloc(CACHE_LINE, sizeof *part);
    if (part) {
        part->next = i->parts;
        i->parts = part;
    }
    return part;
}

/* The table in which the next chunk's number stands; NULL: no memory. */
static struct chunk **open_table(void) REQUIRES(books.lock)
{
    struct chunk ***table = &container_tables[books.chunks >> TABLE_LOG2];

    if (!*table)
        *table = books_alloc(CACHE_LINE, TABLE_CHUNKS * sizeof **table);
    return *table;
}

/* NULL: no memory, or all numbers are given. */
static struct chunk *chunk_new(struct part *part) REQUIRES(books.lock)
{
    struct chunk **table = books.chunks < CHUNKS_MOST ? open_table() : NULL;
    struct chunk *chunk = table ? books_alloc(CHUNK_BYTES, CHUNK_BYTES) : NULL;

    if (!chunk)
        return NULL;
    chunk->number = books.chunks++;
    chunk->part = part;
    chunk->next = part->chunks;
    part->chunks = chunk;
    return table[chunk->number % TABLE_CHUNKS] = chunk;
}

size_t container_bytes(void)
{
    size_t size_bytes;

    mutex_lock(&books.lock);
    size_bytes = books.size_bytes;
    mutex_unlock(&books.lock);
    return size_bytes;
}

void container_bound(size_t bytes)
{
    mutex_lock(&books.lock);
    books.bound_bytes = bytes;
    mutex_unlock(&books.lock);
}

/* ---- parts ---- */

/* The calling thread owns one from now on. False: no memory. */
static bool part_adopt(void)
{
    struct interpreter *i;
    struct part *part;

    assert(thread_self && "containers are made by threads of the runtime");
    i = interpreter_self();
    mutex_lock(&books.lock);
    part = i->idle;
    if (part)
        i->idle = part->next_idle;
    else
        part = part_new(i);
    mutex_unlock(&books.lock);
    if (part)
        own = part;
    return part;
}

void container_thread_stop(void)
{
    struct interpreter *i = interpreter_self();

    if (own == &nobody)
        return;
    mutex_lock(&books.lock);
    own->next_idle = i->idle;
    i->idle = own;
    mutex_unlock(&books.lock);
    own = &nobody;
}

/* Of a part that no thread owns. */
static bool is_empty(const struct part *part) REQUIRES(books.lock)
{
    for (const struct chunk *chunk = part->chunks; chunk; chunk = chunk->next)
        for (int i = CHUNK_HEAD; i < CHUNK_SLOTS; i++)
            if (chunk->slots[i].object)
                return false;
    return true;
}

/* They are all idle, as no thread of it is left. */
void container_bequeath(struct interpreter *ended)
{
    mutex_lock(&books.lock);
    for (struct part *part = ended->parts, *next; part; part = next) {
        struct part **list = is_empty(part) ? &books.spare : &interpreter_main.parts;

        next = part->next;
        part->next = *list;
        *list = part;
        if (list == &books.spare)
            continue;
        part->next_idle = interpreter_main.idle;
        interpreter_main.idle = part;
    }
    mutex_unlock(&books.lock);
}

/* False: no memory. */
static bool add_chunk(struct part *part)
{
    struct chunk *chunk;

    mutex_lock(&books.lock);
    chunk = chunk_new(part);
    mutex_unlock(&books.lock);
    if (!chunk)
        return false;
    for (int i = CHUNK_SLOTS - 1; i >= CHUNK_HEAD; i--) {
        chunk->slots[i].next = part->free;
        part->free = &chunk->slots[i];
    }
    return true;
}

/* Acquire: what those who gave the slots back wrote into them. False: no memory. */
static bool refill(struct part *part)
{
    part->free = atomic_exchange_explicit(&part->returned, NULL, memory_order_acquire);
    return part->free || add_chunk(part);
}

/* ---- slots ---- */

/* A young collection will find it, without a look at those that have grown old. */
static SLOW_PATH void become_young(struct part *part, struct chunk *chunk, size_t i)
{
    chunk->young[i / YOUNG_BITS] |= (uint64_t)1 << i % YOUNG_BITS;
    if (!chunk->listed) {
        chunk->listed = true;
        chunk->next_young = part->young;
        part->young = chunk;
    }
    if (++part->untold >= TELL_AT) {
        collector_tell(part->untold);
        part->untold = 0;
    }
}

/* `part` has a free one and belongs to the caller. What was destroyed last is taken first:
 * the slot of a container that is made and dropped is young already. */
static struct slot *take(struct part *part)
{
    struct slot *slot = part->free;

    part->free = slot->next;
    if (unlikely(!container_is_young(slot)))
        become_young(part, chunk_of(slot), (size_t)(slot - chunk_of(slot)->slots));
    return slot;
}

/* NULL: no memory. */
static SLOW_PATH struct slot *find_slot(void)
{
    if (own == &nobody && !part_adopt())
        return NULL;
    return own->free || refill(own) ? take(own) : NULL;
}

/* Another part's slot. Release, with the acquire of refill. */
static SLOW_PATH void return_slot(struct part *part, struct slot *slot)
{
    slot->next = atomic_load_explicit(&part->returned, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&part->returned, &slot->next, slot,
                                                  memory_order_release, memory_order_relaxed)) { }
}

static void give_back(struct slot *slot)
{
    struct part *part = chunk_of(slot)->part;

    slot->object = NULL;
    if (unlikely(part != own)) {
        return_slot(part, slot);
        return;
    }
    slot->next = part->free;
    part->free = slot;
}

struct object *container_new(const struct type *type, size_t size_bytes)
{
    struct slot *slot = likely(own->free) ? take(own) : find_slot();
    struct chunk *chunk;
    struct object *o;

    assert(type->traverse && type->destroy);
    if (unlikely(!slot))
        return object_no_memory();
    o = object_new(type, size_bytes);
    if (unlikely(!o)) {
        give_back(slot);
        return NULL;
    }
    chunk = chunk_of(slot);
    o->tracked = (chunk->number << CHUNK_SLOTS_LOG2) + (uint32_t)(slot - chunk->slots);
    slot->object = o;
    return o;
}

void container_forget(struct object *o)
{
    give_back(container_slot(o));
}

/* ---- for the collector ---- */

bool container_is_own(const struct slot *slot)
{
    return chunk_of(slot)->part == own;
}

static struct chunk *gather_young(const struct interpreter *i) REQUIRES(books.lock)
{
    struct chunk *gathered = NULL;

    for (struct part *part = i->parts; part; part = part->next) {
        part->untold = 0;
        while (part->young) {
            struct chunk *chunk = part->young;

            part->young = chunk->next_young;
            chunk->next_young = gathered;
            gathered = chunk;
        }
    }
    return gathered;
}

static struct chunk *make_young(struct chunk *chunk, struct chunk *gathered)
{
    for (int i = CHUNK_HEAD; i < CHUNK_SLOTS; i++)
        chunk->young[i / YOUNG_BITS] |= (uint64_t)1 << i % YOUNG_BITS;
    chunk->listed = true;
    chunk->next_young = gathered;
    return chunk;
}

static struct chunk *gather_all(const struct interpreter *i) REQUIRES(books.lock)
{
    struct chunk *gathered = NULL;

    for (struct part *part = i->parts; part; part = part->next) {
        part->untold = 0;
        part->young = NULL;
        for (struct chunk *chunk = part->chunks; chunk; chunk = chunk->next)
            gathered = make_young(chunk, gathered);
    }
    return gathered;
}

struct chunk *container_gather(bool all)
{
    const struct interpreter *i = interpreter_self();
    struct chunk *gathered;

    mutex_lock(&books.lock);
    gathered = all ? gather_all(i) : gather_young(i);
    mutex_unlock(&books.lock);
    return gathered;
}

void container_grow_old(struct chunk *gathered)
{
    for (struct chunk *chunk = gathered, *next; chunk; chunk = next) {
        next = chunk->next_young;
        memset(chunk->young, 0, sizeof chunk->young);
        chunk->listed = false;
    }
}
