/* list.c - a row of objects that grows.
 *
 * The items stand in a table of their own, which is replaced when the list grows. Writers
 * take the section of the list; a reader of one item takes none, if it need not:
 *
 *   1. A table carries its capacity, and a slot without an item is NULL. So whatever table
 *      a reader has loaded, it knows which slots there are, and which have an item.
 *   2. A table that has been replaced is written no more, and its memory is kept until the
 *      reader is quiet (reclaim.h). So is the memory of an item, for a published list
 *      publishes what is put in. So the slot may be read and the item's count tried.
 *   3. If the try succeeds, the item lives, and it is the one that the slot had: memory is
 *      not used again while the reader may read, so another object cannot have taken its
 *      place. Nor need the slot be looked at a second time. The item stood in it when it was
 *      read; or if the table had been replaced by then, at the moment when that was done,
 *      which was after the reader had loaded the table: within the call either way.
 *   4. If the slot is empty or the item is dying, the list is changing, or the index is out
 *      of range: the reader takes the section and looks again.
 *
 * Orders. A reader acquires the table that its maker released, so its capacity and slots,
 * and the item that a writer released, so its fields. Weaker, it could see a table or an
 * item before it is filled. The same holds where nothing excludes others (list.h). There
 * list_set needs an exchange, and not a load and a store, so that two threads that replace
 * one item at once do not both drop the same old one.
 */
#include "objects/list.h"

#include "objects/container.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/iterator.h"
#include "objects/reclaim.h"
#include "objects/section.h"
#include "objects/tuple.h"

#include <assert.h>

enum { LEAST_CAPACITY = 5 }; /* with it a table takes 64 bytes */

struct items {
    size_t capacity;                 /* set once */
    _Atomic(struct object *) slot[]; /* owned; written in a section, read by any */
};                                   /* and RECLAIM_BYTES */

struct list_object {
    struct object head;
    _Atomic size_t length;         /* written in a section, read by any */
    _Atomic(struct items *) items; /* the same; NULL: capacity is 0 */
};

static struct list_object *as_list(borrowed o)
{
    assert(type_of(o) == &list_type);
    return (struct list_object *)o;
}

/* Relaxed: it says nothing about any item. */
static size_t length_of(const struct list_object *list)
{
    return atomic_load_explicit(&list->length, memory_order_relaxed);
}

static void set_length(struct list_object *list, size_t length) REQUIRES(section_held)
{
    atomic_store_explicit(&list->length, length, memory_order_relaxed);
}

static struct items *items_of(const struct list_object *list)
{
    return atomic_load_explicit(&list->items, memory_order_acquire);
}

static struct object *item_in(const struct items *items, size_t index)
{
    return atomic_load_explicit(&items->slot[index], memory_order_acquire);
}

static size_t size_of_items(size_t capacity)
{
    return sizeof(struct items) + capacity * sizeof(struct object *) + RECLAIM_BYTES;
}

/* Of a table that no reader has, or will have. */
static void free_items(struct items *items)
{
    if (items)
        heap_free_table(items, size_of_items(items->capacity));
}

/* Of one that has been taken out of `list`. */
static void retire_items(borrowed list, struct items *items)
{
    if (items && published(list))
        free_table_later(items, size_of_items(items->capacity));
    else
        free_items(items);
}

struct object *list_new(void)
{
    struct object *o = container_new(&list_type, sizeof(struct list_object));

    if (!o)
        return NULL;
    atomic_init(&as_list(o)->length, 0);
    atomic_init(&as_list(o)->items, NULL);
    return o;
}

size_t list_length(borrowed o)
{
    return length_of(as_list(o));
}

static void no_such_index(size_t index)
{
    exception_set(&index_error, "list index out of range: %zu", index);
}

/* A new reference, or NULL. The incref must be one step with the load for other threads:
 * between, one may replace the item and drop the last reference to it. */
static struct object *get(const struct list_object *list, size_t index)
{
    return likely(index < length_of(list)) ? incref(item_in(items_of(list), index)) : NULL;
}

static SLOW_PATH struct object *get_in_section(const struct list_object *list, size_t index)
{
    struct section s;
    struct object *item;

    section_begin(&s, &list->head);
    item = get(list, index);
    section_end(&s);
    return item;
}

/* Without any lock; NULL says nothing. Facts 1 to 4. */
static struct object *try_get(const struct list_object *list, size_t index)
{
    const struct items *items = items_of(list);
    struct object *item = items && index < items->capacity ? item_in(items, index) : NULL;

    return likely(item && try_incref(item)) ? item : NULL;
}

/* A new reference, or NULL if there is none. */
static struct object *find(borrowed o, size_t index)
{
    const struct list_object *list = as_list(o);
    struct object *item;

    if (!thread_self->locks_containers)
        return get(list, index);
    item = try_get(list, index);
    return likely(item) ? item : get_in_section(list, index);
}

struct object *list_get(borrowed o, size_t index)
{
    struct object *item = find(o, index);

    if (unlikely(!item))
        no_such_index(index);
    return item;
}

int list_set(borrowed o, size_t index, borrowed item)
{
    struct list_object *list = as_list(o);
    struct section s;
    struct object *given, *dropped;
    bool found;

    publish_into(o, item);
    given = dropped = incref(item);
    section_begin(&s, o);
    found = index < length_of(list);
    if (likely(found))
        dropped =
            atomic_exchange_explicit(&items_of(list)->slot[index], given, memory_order_acq_rel);
    section_end(&s);
    decref(dropped);
    if (likely(found))
        return 0;
    no_such_index(index);
    return -1;
}

/* False: no memory, and the list is as it was. */
static bool grow(struct list_object *list) REQUIRES(section_held)
{
    struct items *old = items_of(list), *new;
    size_t length = length_of(list), capacity = length + length / 2;

    if (capacity < LEAST_CAPACITY)
        capacity = LEAST_CAPACITY;
    new = heap_alloc_table(size_of_items(capacity));
    if (!new)
        return false;
    new->capacity = capacity;
    for (size_t i = 0; i < capacity; i++)
        atomic_init(&new->slot[i], i < length ? item_in(old, i) : NULL);
    atomic_store_explicit(&list->items, new, memory_order_release);
    retire_items(&list->head, old);
    return true;
}

static bool has_room(const struct list_object *list)
{
    const struct items *items = items_of(list);

    return items && length_of(list) < items->capacity;
}

/* Release, so that a reader who finds the item sees its fields. */
static void put(struct list_object *list, size_t index, struct object *item) REQUIRES(section_held)
{
    atomic_store_explicit(&items_of(list)->slot[index], item, memory_order_release);
}

int list_append(borrowed o, borrowed item)
{
    struct list_object *list = as_list(o);
    struct section s;
    struct object *given;
    bool room;

    publish_into(o, item);
    given = incref(item);
    section_begin(&s, o);
    room = has_room(list) || grow(list);
    if (likely(room)) {
        put(list, length_of(list), given);
        set_length(list, length_of(list) + 1);
    }
    section_end(&s);
    if (likely(room))
        return 0;
    decref(given);
    exception_set_no_memory();
    return -1;
}

/* False: no memory. */
static bool add(struct list_object *list, borrowed item) REQUIRES(section_held)
{
    if (!has_room(list) && !grow(list))
        return false;
    publish_into(&list->head, item);
    put(list, length_of(list), incref(item));
    set_length(list, length_of(list) + 1);
    return true;
}

/* The length is asked for once: `other` may be the list that grows. */
int list_extend(borrowed o, borrowed other)
{
    struct list_object *list = as_list(o), *from = as_list(other);
    struct section s;
    size_t count;
    bool room = true;

    section_begin_two(&s, o, other);
    count = length_of(from);
    for (size_t i = 0; room && i < count; i++)
        room = add(list, item_in(items_of(from), i));
    section_end(&s);
    if (likely(room))
        return 0;
    exception_set_no_memory();
    return -1;
}

/* Takes the last item off, which there must be. */
static struct object *take_last(struct list_object *list) REQUIRES(section_held)
{
    size_t last = length_of(list) - 1;
    struct object *item = item_in(items_of(list), last);

    put(list, last, NULL);
    set_length(list, last);
    return item;
}

struct object *list_pop(borrowed o)
{
    struct list_object *list = as_list(o);
    struct section s;
    struct object *item = NULL;

    section_begin(&s, o);
    if (likely(length_of(list) > 0))
        item = take_last(list);
    section_end(&s);
    if (unlikely(!item))
        exception_set(&index_error, "pop from empty list");
    return item;
}

static void drop_items(const struct items *items, size_t length)
{
    for (size_t i = 0; i < length; i++)
        decref(item_in(items, i));
}

static void list_clear(struct object *o)
{
    struct list_object *list = as_list(o);
    struct section s;
    struct items *items;
    size_t length;

    section_begin(&s, o);
    items = items_of(list);
    length = length_of(list);
    atomic_store_explicit(&list->items, NULL, memory_order_relaxed);
    set_length(list, 0);
    section_end(&s);
    drop_items(items, length);
    retire_items(o, items);
}

/* Whoever reads a list holds a reference to it: there is no reader now. */
static void list_destroy(struct object *o)
{
    struct items *items = items_of(as_list(o));

    drop_items(items, length_of(as_list(o)));
    free_items(items);
}

static void list_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct list_object *list = as_list(o);

    for (size_t i = 0; i < length_of(list); i++)
        visit(item_in(items_of(list), i), argument);
}

static int append_all(borrowed list, borrowed iterator)
{
    struct object *item;
    enum step step;
    int result = 0;

    while (result == 0 && (step = iterator_step(iterator, &item)) == STEP_NEXT) {
        result = list_append(list, item);
        decref(item);
    }
    if (result == 0 && step == STEP_RETURN)
        decref(item);
    return result == 0 && step == STEP_RETURN ? 0 : -1;
}

struct object *list_from(borrowed iterable)
{
    struct object *iterator = iterate(iterable), *list;

    if (!iterator)
        return NULL;
    list = list_new();
    if (list && append_all(list, iterator) < 0) {
        decref(list);
        list = NULL;
    }
    decref(iterator);
    return list;
}

/* Allocated in the section, for before it the length is not known. */
struct object *list_to_tuple(borrowed o)
{
    struct list_object *list = as_list(o);
    struct section s;
    struct tuple_object *t;

    section_begin(&s, o);
    t = tuple_reserve(length_of(list));
    for (size_t i = 0; t && i < t->length; i++)
        t->item[i] = incref(item_in(items_of(list), i));
    section_end(&s);
    return t ? &t->head : NULL;
}

static enum step item_at(borrowed o, struct place *place, struct object **item)
{
    *item = find(o, place->position++);
    return *item ? STEP_NEXT : STEP_RETURN;
}

static struct object *list_iterate(borrowed o)
{
    return iterator_new(o, item_at, (struct place){ 0 });
}

const struct type list_type = {
    .name = "list",
    .size_bytes = sizeof(struct list_object),
    .destroy = list_destroy,
    .clear = list_clear,
    .traverse = list_traverse,
    .unhashable = true, .iterate = list_iterate,
};
