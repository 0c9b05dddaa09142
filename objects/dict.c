/* dict.c - from keys to values, in the order in which the keys came.
 *
 * CPython's layout since 3.6, after R. Hettinger, "More compact dictionaries with faster
 * iteration" (python-dev, 2012): the entries stand in a row in the order in which they
 * were added, and an index of small numbers says where a hash is found. In one block:
 *
 *     entries   | "a" 1 | (deleted) | "c" 3 |  ...  |          <- used = 3
 *     index     | 0 | 3 | 0 | 1 | 2 | 0 | 0 | 0 |              <- 2^index_log2 slots
 *
 * A slot holds the number of an entry from 1 on, or 0 where a search ends; a collision
 * goes on to the next slot. A deleted entry loses its key and keeps its slot, so that
 * searches pass over it; when the row is full, the dict is built anew without them.
 *
 *   1. used <= capacity < slots, so every search ends.
 *   2. used - length entries are deleted ones.
 *   3. A rebuilt table has room for twice its entries, so building it anew is paid for
 *      by as many additions.
 *
 * A value is atomic for the one case in which nothing excludes others (dict.h); what
 * list.c says of a slot of its table holds for it.
 */
#include "objects/dict.h"

#include "objects/container.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/iterator.h"
#include "objects/section.h"

#include <assert.h>
#include <string.h>

enum { LEAST_LOG2 = 3, MOST_LOG2 = 32 };

struct entry {
    uint64_t hash;
    struct object *key;             /* owned; NULL: deleted */
    _Atomic(struct object *) value; /* owned */
};

struct dict_object {
    struct object head;
    size_t length GUARDED_BY(section_held);         /* keys */
    size_t used GUARDED_BY(section_held);           /* entries, the deleted ones too */
    int index_log2 GUARDED_BY(section_held);        /* 0: there is no block yet */
    struct entry *entries GUARDED_BY(section_held); /* begins the block; NULL: there is none */
    uint32_t *index GUARDED_BY(section_held);       /* the rest of the block */
};

static struct dict_object *as_dict(borrowed o)
{
    assert(type_of(o) == &dict_type);
    return (struct dict_object *)o;
}

static size_t slots_of(int index_log2)
{
    return (size_t)1 << index_log2;
}

/* How many entries such an index serves: two thirds of its slots; 0 if there is none. */
static size_t capacity_of(int index_log2)
{
    return slots_of(index_log2) * 2 / 3;
}

static size_t block_bytes(int index_log2)
{
    return capacity_of(index_log2) * sizeof(struct entry) + slots_of(index_log2) * sizeof(uint32_t);
}

static void clear(struct dict_object *d) REQUIRES(section_held)
{
    d->length = 0;
    d->used = 0;
    d->index_log2 = 0;
    d->entries = NULL;
    d->index = NULL;
}

struct object *dict_new(void)
{
    struct object *o = container_new(&dict_type, sizeof(struct dict_object));
    struct dict_object *d;

    if (!o)
        return NULL;
    d = as_dict(o);
    section_alone();
    clear(d);
    return o;
}

size_t dict_length(borrowed o)
{
    struct dict_object *d = as_dict(o);
    struct section s;
    size_t length;

    section_begin(&s, o);
    length = d->length;
    section_end(&s);
    return length;
}

/* The entry of an equal key, or NULL. */
static struct entry *find(const struct dict_object *d, uint64_t hash, borrowed key)
    REQUIRES(section_held)
{
    size_t mask = slots_of(d->index_log2) - 1;

    if (unlikely(!d->entries))
        return NULL;
    for (size_t slot = hash & mask; d->index[slot]; slot = (slot + 1) & mask) {
        struct entry *e = &d->entries[d->index[slot] - 1];

        if (e->hash == hash && e->key && object_equal(e->key, key))
            return e;
    }
    return NULL;
}

/* Puts a new entry at the end of the row, which has room. */
static void add(struct dict_object *d, uint64_t hash, struct object *key /* steals */,
                struct object *value /* steals */) REQUIRES(section_held)
{
    size_t mask = slots_of(d->index_log2) - 1;
    size_t slot = hash & mask;
    struct entry *e = &d->entries[d->used++];

    while (d->index[slot])
        slot = (slot + 1) & mask;
    d->index[slot] = (uint32_t)d->used;
    e->hash = hash;
    e->key = key;
    atomic_init(&e->value, value);
    d->length++;
}

static void free_block(struct entry *entries, int index_log2)
{
    if (entries)
        heap_free_table(entries, block_bytes(index_log2));
}

/* Builds the dict anew with room for as many again. False: no memory, and it is as it was. */
static bool rebuild(struct dict_object *d) REQUIRES(section_held)
{
    struct entry *old = d->entries;
    size_t old_used = d->used;
    int old_log2 = d->index_log2, log2 = LEAST_LOG2;
    void *block;

    while (capacity_of(log2) < 2 * d->length)
        log2++;
    block = log2 <= MOST_LOG2 ? heap_alloc_table(block_bytes(log2)) : NULL;
    if (!block)
        return false;
    clear(d);
    d->index_log2 = log2;
    d->entries = block;
    d->index = (uint32_t *)(d->entries + capacity_of(log2));
    memset(d->index, 0, slots_of(log2) * sizeof *d->index);
    for (size_t i = 0; i < old_used; i++)
        if (old[i].key)
            add(d, old[i].hash, old[i].key,
                atomic_load_explicit(&old[i].value, memory_order_relaxed));
    free_block(old, old_log2);
    return true;
}

/* The incref stands in the section: before it, another thread may replace the value
 * and drop the last reference to it. */
int dict_find(borrowed o, borrowed key, struct object **value)
{
    struct dict_object *d = as_dict(o);
    struct section s;
    struct entry *e;
    uint64_t hash;

    if (object_hash(key, &hash) < 0)
        return -1;
    section_begin(&s, o);
    e = find(d, hash, key);
    if (likely(e))
        *value = incref(atomic_load_explicit(&e->value, memory_order_acquire));
    section_end(&s);
    return e != NULL;
}

struct object *dict_get(borrowed o, borrowed key)
{
    struct object *value = NULL;

    if (unlikely(dict_find(o, key, &value) == 0))
        exception_set_key(key);
    return value;
}

int dict_contains(borrowed o, borrowed key)
{
    struct dict_object *d = as_dict(o);
    struct section s;
    uint64_t hash;
    bool found;

    if (object_hash(key, &hash) < 0)
        return -1;
    section_begin(&s, o);
    found = find(d, hash, key);
    section_end(&s);
    return found;
}

int dict_set(borrowed o, borrowed key, borrowed value)
{
    struct dict_object *d = as_dict(o);
    struct section s;
    struct object *given, *dropped = NULL;
    struct entry *e;
    uint64_t hash;
    bool room = true;

    if (object_hash(key, &hash) < 0)
        return -1;
    publish_into(o, key);
    publish_into(o, value);
    given = incref(value);
    section_begin(&s, o);
    e = find(d, hash, key);
    if (likely(e))
        dropped = atomic_exchange_explicit(&e->value, given, memory_order_acq_rel);
    else if ((room = d->used < capacity_of(d->index_log2) || rebuild(d)))
        add(d, hash, incref(key), given);
    else
        dropped = given;
    section_end(&s);
    xdecref(dropped);
    if (likely(room))
        return 0;
    exception_set_no_memory();
    return -1;
}

int dict_delete(borrowed o, borrowed key)
{
    struct dict_object *d = as_dict(o);
    struct section s;
    struct object *old_key = NULL, *old_value = NULL;
    struct entry *e;
    uint64_t hash;

    if (object_hash(key, &hash) < 0)
        return -1;
    section_begin(&s, o);
    e = find(d, hash, key);
    if (likely(e)) {
        old_key = e->key;
        old_value = atomic_load_explicit(&e->value, memory_order_relaxed);
        e->key = NULL;
        d->length--;
    }
    section_end(&s);
    if (unlikely(!old_key)) {
        exception_set_key(key);
        return -1;
    }
    decref(old_key);
    decref(old_value);
    return 0;
}

bool dict_next(borrowed o, size_t *cursor, struct object **key, struct object **value)
{
    struct dict_object *d = as_dict(o);
    struct section s;
    bool found;

    section_begin(&s, o);
    while (*cursor < d->used && !d->entries[*cursor].key)
        ++*cursor;
    found = *cursor < d->used;
    if (found) {
        struct entry *e = &d->entries[(*cursor)++];

        *key = incref(e->key);
        *value = incref(atomic_load_explicit(&e->value, memory_order_acquire));
    }
    section_end(&s);
    return found;
}

/* Empty before the first key is dropped: what its destructor meets is a whole dict. */
static void dict_clear(struct object *o)
{
    struct dict_object *d = as_dict(o);
    struct entry *entries;
    size_t used;
    int index_log2;

    section_alone();
    entries = d->entries;
    used = d->used;
    index_log2 = d->index_log2;
    clear(d);
    for (size_t i = 0; i < used; i++)
        if (entries[i].key) {
            decref(entries[i].key);
            decref(atomic_load_explicit(&entries[i].value, memory_order_relaxed));
        }
    free_block(entries, index_log2);
}

static void dict_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    struct dict_object *d = as_dict(o);

    section_alone();
    for (size_t i = 0; i < d->used; i++)
        if (d->entries[i].key) {
            visit(d->entries[i].key, argument);
            visit(atomic_load_explicit(&d->entries[i].value, memory_order_relaxed), argument);
        }
}

static enum step changed(const char *what)
{
    exception_set(&runtime_error, "dictionary %s during iteration", what);
    return STEP_ERROR;
}

/* As CPython has it: another number of keys is an error from then on, also if it becomes
 * the old one again; as many keys, but others, are an error once, and then the end. */
static enum step key_at(borrowed o, struct place *place, struct object **key)
{
    struct object *value;

    if (dict_length(o) != place->length) {
        place->length = SIZE_MAX; /* which no dict has */
        return changed("changed size");
    }
    if (!dict_next(o, &place->position, key, &value))
        return STEP_RETURN;
    decref(value);
    if (place->given++ < place->length)
        return STEP_NEXT;
    decref(*key);
    *key = NULL;
    place->position = PLACE_ENDED;
    return changed("keys changed");
}

static struct object *dict_iterate(borrowed o)
{
    return iterator_new(o, key_at, (struct place){ .length = dict_length(o) });
}

const struct type dict_type = {
    .name = "dict", .size_bytes = sizeof(struct dict_object), .destroy = dict_clear,
    .clear = dict_clear, .traverse = dict_traverse, .unhashable = true, .iterate = dict_iterate,
};
