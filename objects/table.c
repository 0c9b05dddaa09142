/* table.c - keys that are found by their hash, in the order in which they came.
 *
 * CPython's layout since 3.6, after R. Hettinger, "More compact dictionaries with faster
 * iteration" (python-dev, 2012): the entries stand in a row in the order in which they
 * were added, and an index of small numbers says where a hash is found. In one block:
 *
 *     header    | log2, used = 3, entries
 *     index     | 0 | 3 | 0 | 1 | 2 | 0 | 0 | 0 |              <- 2^log2 slots
 *     entries   | "a" 1 | (deleted) | "c" 3 |  ...  |          <- used = 3
 *
 * A slot holds the number of an entry from 1 on, or 0 where a search ends; it has 1, 2 or
 * 4 bytes, as the largest number needs. A collision goes on to the next slot. A deleted
 * entry loses its key and its value and keeps its slot, so that searches pass over it;
 * when the row is full, the table is built anew without them.
 *
 *   1. used <= capacity < slots, so every search ends.
 *   2. used - length entries are deleted ones.
 *   3. A rebuilt table has room for twice its entries, so building it anew is paid for
 *      by as many additions.
 *
 * Readers take no section, if they need not. What list.c says holds here, too: a table
 * that has been replaced is written no more, its memory and that of keys and values is
 * kept until the reader is quiet, and what try_incref has got is what stood there.
 *
 *   4. In one table a slot and an entry are filled once. An entry goes from a key and a
 *      value to the same key and another value, and at last to neither, for good. A slot
 *      is stored with release after its entry; a reader who acquires its number sees the
 *      hash and the key. Weaker, it could compare with what is not there yet.
 *   5. So if a search ends at a slot that is 0, the key was not there at that moment, or
 *      if the table had been replaced by then, at the moment of that: had it been added
 *      before, then to a slot that the search has passed, when it was 0.
 *   6. A key that is being deleted loses its value first. So a value that the reader finds
 *      under an equal key was that key's at that moment.
 *   7. A reader compares with another key than its own only while it has a reference to
 *      it, since what has died is overwritten (RECLAIM_BYTES). It gives the reference up
 *      last, because a destructor may pass a safe point, and then the table is gone.
 *   8. If a key or a value is dying, or two keys have one hash and are not equal, the
 *      reader does not search on but takes the section.
 *
 * A value is replaced by an exchange for the one case in which nothing excludes others
 * (dict.h); what list.c says of a slot of its table holds for it.
 */
#include "objects/table.h"

#include "objects/container.h"
#include "objects/exception.h"
#include "objects/hash.h"
#include "objects/heap.h"
#include "objects/int.h"
#include "objects/reclaim.h"
#include "objects/section.h"
#include "objects/str.h"

#include <assert.h>
#include <string.h>

enum { LEAST_LOG2 = 4, MOST_LOG2 = 32 };

struct entry {
    uint64_t hash;                  /* set once */
    _Atomic(struct object *) key;   /* owned; NULL: deleted */
    _Atomic(struct object *) value; /* owned; NULL: deleted */
};

struct table {
    int log2;              /* set once */
    size_t used;           /* the section; entries, the deleted ones too */
    struct entry *entries; /* set once; behind the index */
    _Alignas(8) uint8_t index[];
}; /* the entries, and RECLAIM_BYTES */

static size_t slots_of(int log2)
{
    return (size_t)1 << log2;
}

/* How many entries such an index serves: a third of its slots. A slot is small, and each that
 * a search passes over costs a look at some other entry, and a branch that is predicted wrong:
 * with linear probing a fifth of one on average when the third is full, but a whole one at the
 * usual two thirds, and four when a key is added (D. Knuth, The Art of Computer Programming 3,
 * 6.4). */
static size_t capacity_of(int log2)
{
    return slots_of(log2) / 3;
}

/* Of the width of a slot: 1, 2 or 4 bytes. */
static int width_log2(int log2)
{
    return (log2 > 8) + (log2 > 16);
}

static size_t index_bytes(int log2)
{
    return slots_of(log2) << width_log2(log2);
}

static size_t table_bytes(int log2)
{
    return sizeof(struct table) + index_bytes(log2) + capacity_of(log2) * sizeof(struct entry) +
           RECLAIM_BYTES;
}

static inline size_t slot_load(const struct table *t, size_t slot)
{
    if (t->log2 <= 8)
        return atomic_load_explicit((_Atomic uint8_t *)t->index + slot, memory_order_acquire);
    if (t->log2 <= 16)
        return atomic_load_explicit((_Atomic uint16_t *)t->index + slot, memory_order_acquire);
    return atomic_load_explicit((_Atomic uint32_t *)t->index + slot, memory_order_acquire);
}

static inline void slot_store(struct table *t, size_t slot, size_t number)
{
    if (t->log2 <= 8)
        atomic_store_explicit((_Atomic uint8_t *)t->index + slot, number, memory_order_release);
    else if (t->log2 <= 16)
        atomic_store_explicit((_Atomic uint16_t *)t->index + slot, number, memory_order_release);
    else
        atomic_store_explicit((_Atomic uint32_t *)t->index + slot, number, memory_order_release);
}

static struct object *key_of(const struct entry *e)
{
    return atomic_load_explicit(&e->key, memory_order_acquire);
}

static struct object *value_of(const struct entry *e)
{
    return atomic_load_explicit(&e->value, memory_order_acquire);
}

static struct table_object *as_object(borrowed o)
{
    return (struct table_object *)o;
}

static struct table *table_of(borrowed o)
{
    return atomic_load_explicit(&as_object(o)->table, memory_order_acquire);
}

static void set_length(borrowed o, size_t length) REQUIRES(section_held)
{
    atomic_store_explicit(&as_object(o)->length, length, memory_order_relaxed);
}

struct object *table_new(const struct type *type)
{
    struct object *o = container_new(type, sizeof(struct table_object));

    if (!o)
        return NULL;
    atomic_init(&as_object(o)->length, 0);
    atomic_init(&as_object(o)->table, NULL);
    return o;
}

/* object_hash, which asks the type, for the two types that most keys have. */
static inline int hash_key_of(borrowed key, uint64_t *hash)
{
    const struct type *type = type_of(key);

    if (type == &int_type) {
        *hash = int_hash_of(int_value(key));
        return 0;
    }
    if (type == &str_type && likely(*hash = str_known_hash(key)))
        return 0;
    return object_hash(key, hash);
}

static inline bool same_key(borrowed a, borrowed b)
{
    if (type_of(a) != type_of(b))
        return false;
    if (type_of(a) == &int_type)
        return int_value(a) == int_value(b);
    return object_equal(a, b);
}

/* The same where `b` is an int: it calls nothing. */
static inline bool same_int(borrowed a, borrowed b)
{
    return type_of(a) == &int_type && int_value(a) == int_value(b);
}

/* Where a search has ended. */
struct place {
    struct entry *entry; /* NULL: there is no such key */
    size_t slot;         /* then: the free slot that it would have; only if there is a table */
};

/* `same` says whether a key is this one; it is known where this is inlined. */
static inline __attribute__((always_inline)) struct place
find_by(const struct table *t, uint64_t hash, borrowed key, bool (*same)(borrowed a, borrowed b))
{
    size_t mask, slot, number;

    if (unlikely(!t))
        return (struct place){ 0 };
    mask = slots_of(t->log2) - 1;
    for (slot = hash & mask; (number = slot_load(t, slot)); slot = (slot + 1) & mask) {
        struct entry *e = &t->entries[number - 1];

        if (e->hash == hash) {
            borrowed other = key_of(e);

            if (other == key || (other && same(other, key)))
                return (struct place){ .entry = e };
        }
    }
    return (struct place){ .slot = slot };
}

static inline struct place find(const struct table *t, uint64_t hash, borrowed key)
{
    return find_by(t, hash, key, same_key);
}

enum answer { ABSENT, PRESENT, UNSURE };

/* Of an entry with the hash of the key; the value only if it is asked for. */
static enum answer try_entry(const struct entry *e, borrowed key, struct object **value)
{
    struct object *other = key_of(e), *found;
    enum answer answer = UNSURE;

    if (!other)
        return ABSENT;
    if (other != key && !try_incref(other))
        return UNSURE;
    if (other == key || same_key(other, key)) {
        found = value_of(e);
        if (found && (!value || try_incref(found)))
            answer = PRESENT;
        if (value)
            *value = found;
    }
    if (other != key)
        decref(other); /* fact 7 */
    return answer;
}

/* Without any lock; with PRESENT a new reference, if it is asked for. Facts 4 to 8. */
static inline enum answer try_find(const struct table *t, uint64_t hash, borrowed key,
                                   struct object **value)
{
    enum answer answer = ABSENT;
    size_t mask, number;

    if (unlikely(!t))
        return ABSENT;
    mask = slots_of(t->log2) - 1;
    for (size_t slot = hash & mask; answer == ABSENT && (number = slot_load(t, slot));
         slot = (slot + 1) & mask)
        if (t->entries[number - 1].hash == hash)
            answer = try_entry(&t->entries[number - 1], key, value);
    return answer;
}

/* A new reference, or NULL: one step with the search, as in list.c. */
static inline struct object *get(borrowed o, uint64_t hash, borrowed key)
{
    struct entry *e = find(table_of(o), hash, key).entry;

    return likely(e) ? incref(value_of(e)) : NULL;
}

static SLOW_PATH struct object *get_in_section(borrowed o, uint64_t hash, borrowed key)
{
    struct section s;
    struct object *value;

    section_begin(&s, o);
    value = get(o, hash, key);
    section_end(&s);
    return value;
}

/* A new reference, or NULL. */
static __attribute__((noinline)) struct object *get_without_lock(borrowed o, uint64_t hash,
                                                                 borrowed key)
{
    struct object *value;
    enum answer answer = try_find(table_of(o), hash, key, &value);

    if (unlikely(answer == UNSURE))
        return get_in_section(o, hash, key);
    return answer == PRESENT ? value : NULL;
}

static SLOW_PATH struct object *no_such_key(borrowed key)
{
    exception_set_key(key);
    return NULL;
}

static __attribute__((noinline)) struct object *get_by_any(borrowed o, borrowed key)
{
    struct object *value;
    uint64_t hash;

    if (unlikely(hash_key_of(key, &hash) < 0))
        return NULL;
    value = thread_self->locks_containers ? get_without_lock(o, hash, key) : get(o, hash, key);
    return likely(value) ? value : no_such_key(key);
}

/* An int under a GIL is found by code that calls nothing but at its end, so that nothing has
 * to be saved on the stack, which is a fifth of the time (dict_look_up_int in make bench). */
struct object *table_get(borrowed o, borrowed key)
{
    struct entry *e;

    if (type_of(key) != &int_type || thread_self->locks_containers)
        return get_by_any(o, key);
    e = find_by(table_of(o), int_hash_of(int_value(key)), key, same_int).entry;
    return likely(e) ? incref(value_of(e)) : no_such_key(key);
}

int table_find(borrowed o, borrowed key, struct object **value)
{
    uint64_t hash;

    if (unlikely(hash_key_of(key, &hash) < 0))
        return -1;
    *value = thread_self->locks_containers ? get_without_lock(o, hash, key) : get(o, hash, key);
    return *value != NULL;
}

static SLOW_PATH bool contains_in_section(borrowed o, uint64_t hash, borrowed key)
{
    struct section s;
    bool found;

    section_begin(&s, o);
    found = find(table_of(o), hash, key).entry;
    section_end(&s);
    return found;
}

int table_contains(borrowed o, borrowed key)
{
    enum answer answer;
    uint64_t hash;

    if (unlikely(hash_key_of(key, &hash) < 0))
        return -1;
    if (!thread_self->locks_containers)
        return find(table_of(o), hash, key).entry != NULL;
    answer = try_find(table_of(o), hash, key, NULL);
    return likely(answer != UNSURE) ? answer == PRESENT : contains_in_section(o, hash, key);
}

/* A table of this size without entries; NULL: no memory. */
static struct table *make(int log2)
{
    struct table *t = log2 <= MOST_LOG2 ? heap_alloc_table(table_bytes(log2)) : NULL;

    if (!t)
        return NULL;
    t->log2 = log2;
    t->used = 0;
    t->entries = (struct entry *)(t->index + index_bytes(log2));
    memset(t->index, 0, index_bytes(log2));
    return t;
}

/* Of a table that no reader has, or will have. */
static void free_table(struct table *t)
{
    if (t)
        heap_free_table(t, table_bytes(t->log2));
}

/* Of one that has been taken out of `o`. */
static void retire(borrowed o, struct table *t)
{
    if (t && published(o))
        free_table_later(t, table_bytes(t->log2));
    else
        free_table(t);
}

/* Puts a new entry at the end of the row, which has room, and into a free slot. */
static void add(struct table *t, size_t slot, uint64_t hash, struct object *key /* steals */,
                struct object *value /* steals */) REQUIRES(section_held)
{
    struct entry *e = &t->entries[t->used++];

    e->hash = hash;
    atomic_init(&e->key, key);
    atomic_init(&e->value, value);
    slot_store(t, slot, t->used); /* fact 4 */
}

/* The first free slot for a key that is not there. */
static size_t free_slot(const struct table *t, uint64_t hash)
{
    size_t mask = slots_of(t->log2) - 1, slot = hash & mask;

    while (slot_load(t, slot))
        slot = (slot + 1) & mask;
    return slot;
}

/* A new table with what is in the old one, and room for as many again; NULL: no memory. */
static struct table *rebuild(borrowed o) REQUIRES(section_held)
{
    struct table *old = table_of(o), *new;
    int log2 = LEAST_LOG2;

    while (capacity_of(log2) < 2 * table_length(o))
        log2++;
    new = make(log2);
    if (!new)
        return NULL;
    for (size_t i = 0; old && i < old->used; i++) {
        struct entry *e = &old->entries[i];

        if (key_of(e))
            add(new, free_slot(new, e->hash), e->hash, key_of(e), value_of(e));
    }
    atomic_store_explicit(&as_object(o)->table, new, memory_order_release);
    retire(o, old);
    return new;
}

/* Adds a key that is not there. False: no memory, and nothing has changed. */
static bool add_key(borrowed o, size_t slot, uint64_t hash, borrowed key,
                    struct object *value /* steals, unless it fails */) REQUIRES(section_held)
{
    struct table *t = table_of(o);

    if (unlikely(!t || t->used == capacity_of(t->log2))) {
        t = rebuild(o);
        if (!t)
            return false;
        slot = free_slot(t, hash);
    }
    add(t, slot, hash, incref(key), value);
    set_length(o, table_length(o) + 1);
    return true;
}

int table_set(borrowed o, borrowed key, borrowed value)
{
    struct section s;
    struct object *given, *dropped = NULL;
    struct place place;
    uint64_t hash;
    bool room = true;

    if (unlikely(hash_key_of(key, &hash) < 0))
        return -1;
    publish_into(o, key);
    publish_into(o, value);
    given = incref(value);
    section_begin(&s, o);
    place = find(table_of(o), hash, key);
    if (place.entry)
        dropped = atomic_exchange_explicit(&place.entry->value, given, memory_order_acq_rel);
    else if (!(room = add_key(o, place.slot, hash, key, given)))
        dropped = given;
    section_end(&s);
    xdecref(dropped);
    if (likely(room))
        return 0;
    exception_set_no_memory();
    return -1;
}

int table_delete(borrowed o, borrowed key)
{
    struct section s;
    struct object *old_key = NULL, *old_value = NULL;
    struct entry *e;
    uint64_t hash;

    if (unlikely(hash_key_of(key, &hash) < 0))
        return -1;
    section_begin(&s, o);
    e = find(table_of(o), hash, key).entry;
    if (e) {
        old_key = key_of(e);
        old_value = atomic_exchange_explicit(&e->value, NULL, memory_order_acq_rel); /* fact 6 */
        atomic_store_explicit(&e->key, NULL, memory_order_release);
        set_length(o, table_length(o) - 1);
    }
    section_end(&s);
    xdecref(old_key);
    xdecref(old_value);
    return e != NULL;
}

bool table_next(borrowed o, size_t *cursor, struct object **key, struct object **value)
{
    const struct table *t;
    struct section s;
    bool found;

    section_begin(&s, o);
    t = table_of(o);
    while (t && *cursor < t->used && !key_of(&t->entries[*cursor]))
        ++*cursor;
    found = t && *cursor < t->used;
    if (found) {
        const struct entry *e = &t->entries[(*cursor)++];

        *key = incref(key_of(e));
        *value = incref(value_of(e));
    }
    section_end(&s);
    return found;
}

static void drop_entries(const struct table *t)
{
    for (size_t i = 0; t && i < t->used; i++) {
        xdecref(key_of(&t->entries[i]));
        xdecref(value_of(&t->entries[i]));
    }
}

void table_clear(struct object *o)
{
    struct section s;
    struct table *t;

    section_begin(&s, o);
    t = table_of(o);
    atomic_store_explicit(&as_object(o)->table, NULL, memory_order_relaxed);
    set_length(o, 0);
    section_end(&s);
    drop_entries(t);
    retire(o, t);
}

/* Whoever reads it holds a reference to it: there is no reader now. */
void table_destroy(struct object *o)
{
    struct table *t = table_of(o);

    drop_entries(t);
    free_table(t);
}

void table_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct table *t = table_of(o);

    for (size_t i = 0; t && i < t->used; i++)
        if (key_of(&t->entries[i])) {
            visit(key_of(&t->entries[i]), argument);
            visit(value_of(&t->entries[i]), argument);
        }
}
