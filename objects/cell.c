/* cell.c - holds one reference, or none. */
#include "objects/cell.h"

#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/section.h"

#include <assert.h>

struct cell_object {
    struct object head;
    _Atomic(struct object *) held GUARDED_BY(section_held); /* owned; NULL: empty */
};

static struct cell_object *as_cell(borrowed o)
{
    assert(type_of(o) == &cell_type);
    return (struct cell_object *)o;
}

struct object *cell_new(borrowed held)
{
    struct object *o = container_new(&cell_type, sizeof(struct cell_object));

    if (!o)
        return NULL;
    section_alone();
    atomic_init(&as_cell(o)->held, held ? incref(held) : NULL);
    return o;
}

/* The incref stands in the section: before it, another thread may replace what is held
 * and drop the last reference to it. Acquire: what list.c says of a slot holds here. */
struct object *cell_get(borrowed o)
{
    struct section s;
    struct object *held;

    section_begin(&s, o);
    held = atomic_load_explicit(&as_cell(o)->held, memory_order_acquire);
    if (likely(held))
        incref(held);
    section_end(&s);
    if (unlikely(!held))
        exception_set(&value_error, "cell is empty");
    return held;
}

void cell_set(borrowed o, borrowed held)
{
    struct section s;
    struct object *given = NULL, *dropped;

    if (held) {
        publish_into(o, held);
        given = incref(held);
    }
    section_begin(&s, o);
    dropped = atomic_exchange_explicit(&as_cell(o)->held, given, memory_order_acq_rel);
    section_end(&s);
    xdecref(dropped);
}

static void cell_clear(struct object *o)
{
    cell_set(o, NULL);
}

static void cell_destroy(struct object *o)
{
    section_alone();
    xdecref(atomic_load_explicit(&as_cell(o)->held, memory_order_relaxed));
}

static void cell_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    struct object *held;

    section_alone();
    held = atomic_load_explicit(&as_cell(o)->held, memory_order_relaxed);
    if (held)
        visit(held, argument);
}

const struct type cell_type = {
    .name = "cell", .size_bytes = sizeof(struct cell_object), .destroy = cell_destroy,
    .clear = cell_clear, .traverse = cell_traverse,
};
