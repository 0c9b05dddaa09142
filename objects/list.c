/* list.c - a row of objects that grows.
 *
 * A slot of the table is atomic for the one case in which nothing excludes others
 * (list.h). A reader acquires what the exchange of a writer released: the fields of the
 * new item. With a lock the order costs nothing on x86 beyond the exchange, and is not
 * needed. An exchange, and not a load and a store, so that two threads that replace one
 * item at once do not both drop the same old one.
 */
#include "objects/list.h"

#include "objects/container.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/iterator.h"
#include "objects/section.h"
#include "objects/tuple.h"

#include <assert.h>

enum { LEAST_CAPACITY = 4 };

struct list_object {
    struct object head;
    size_t length GUARDED_BY(section_held);
    size_t capacity GUARDED_BY(section_held);
    _Atomic(struct object *) *items GUARDED_BY(section_held); /* owned; NULL: capacity is 0 */
};

static struct list_object *as_list(borrowed o)
{
    assert(type_of(o) == &list_type);
    return (struct list_object *)o;
}

struct object *list_new(void)
{
    struct object *o = container_new(&list_type, sizeof(struct list_object));
    struct list_object *list;

    if (!o)
        return NULL;
    list = as_list(o);
    section_alone();
    list->length = 0;
    list->capacity = 0;
    list->items = NULL;
    return o;
}

size_t list_length(borrowed o)
{
    struct list_object *list = as_list(o);
    struct section s;
    size_t length;

    section_begin(&s, o);
    length = list->length;
    section_end(&s);
    return length;
}

static void no_such_index(size_t index)
{
    exception_set(&index_error, "list index out of range: %zu", index);
}

/* NULL if there is none. The incref stands in the section: before it, another thread may
 * replace the item and drop the last reference to it. */
static struct object *find(borrowed o, size_t index)
{
    struct list_object *list = as_list(o);
    struct section s;
    struct object *item = NULL;

    section_begin(&s, o);
    if (likely(index < list->length))
        item = incref(atomic_load_explicit(&list->items[index], memory_order_acquire));
    section_end(&s);
    return item;
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
    found = index < list->length;
    if (likely(found))
        dropped = atomic_exchange_explicit(&list->items[index], given, memory_order_acq_rel);
    section_end(&s);
    decref(dropped);
    if (likely(found))
        return 0;
    no_such_index(index);
    return -1;
}

static void free_items(struct list_object *list) REQUIRES(section_held)
{
    if (list->items)
        heap_free_table(list->items, list->capacity * sizeof *list->items);
}

/* False: no memory, and the list is as it was. */
static bool grow(struct list_object *list) REQUIRES(section_held)
{
    size_t capacity = list->capacity + list->capacity / 2;
    _Atomic(struct object *) *items;

    if (capacity < LEAST_CAPACITY)
        capacity = LEAST_CAPACITY;
    items = heap_alloc_table(capacity * sizeof *items);
    if (!items)
        return false;
    for (size_t i = 0; i < list->length; i++)
        atomic_init(&items[i], atomic_load_explicit(&list->items[i], memory_order_relaxed));
    free_items(list);
    list->items = items;
    list->capacity = capacity;
    return true;
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
    room = list->length < list->capacity || grow(list);
    if (likely(room))
        atomic_init(&list->items[list->length++], given);
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
    if (list->length == list->capacity && !grow(list))
        return false;
    publish_into(&list->head, item);
    atomic_init(&list->items[list->length++], incref(item));
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
    count = from->length;
    for (size_t i = 0; room && i < count; i++)
        room = add(list, atomic_load_explicit(&from->items[i], memory_order_relaxed));
    section_end(&s);
    if (likely(room))
        return 0;
    exception_set_no_memory();
    return -1;
}

struct object *list_pop(borrowed o)
{
    struct list_object *list = as_list(o);
    struct section s;
    struct object *item = NULL;

    section_begin(&s, o);
    if (likely(list->length > 0))
        item = atomic_load_explicit(&list->items[--list->length], memory_order_relaxed);
    section_end(&s);
    if (unlikely(!item))
        exception_set(&index_error, "pop from empty list");
    return item;
}

/* Empty before the first item is dropped: what its destructor meets is a whole list. */
static void list_clear(struct object *o)
{
    struct list_object *list = as_list(o);
    _Atomic(struct object *) *items;
    size_t length, capacity;

    section_alone();
    items = list->items;
    length = list->length;
    capacity = list->capacity;
    list->items = NULL;
    list->length = list->capacity = 0;
    for (size_t i = 0; i < length; i++)
        decref(atomic_load_explicit(&items[i], memory_order_relaxed));
    if (items)
        heap_free_table(items, capacity * sizeof *items);
}

static void list_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    struct list_object *list = as_list(o);

    section_alone();
    for (size_t i = 0; i < list->length; i++)
        visit(atomic_load_explicit(&list->items[i], memory_order_relaxed), argument);
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
    t = tuple_reserve(list->length);
    for (size_t i = 0; t && i < t->length; i++)
        t->item[i] = incref(atomic_load_explicit(&list->items[i], memory_order_acquire));
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
    .name = "list", .size_bytes = sizeof(struct list_object), .destroy = list_clear,
    .clear = list_clear, .traverse = list_traverse, .unhashable = true, .iterate = list_iterate,
};
