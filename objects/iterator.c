/* iterator.c - one item after the other.
 *
 * A step is one for other threads though it takes no lock of two objects at once. It finds
 * the item in a section of the iterator; the iterable may begin a section of its own in
 * there, and if that waits, others may step this iterator meanwhile (section.h). So the
 * place is looked at again: if it is no longer where the step began, the item was given to
 * somebody else, or will be, and the step is made anew. As a place never comes back, a
 * place that is the same was the same all the while, and the step can be taken to have
 * happened at the moment when the iterable was read.
 */
#include "objects/iterator.h"

#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/none.h"
#include "objects/section.h"

struct iterator {
    struct object head;
    struct object *over;   /* set once; owned */
    fetch_function *fetch; /* set once */
    struct place place GUARDED_BY(section_held);
};

static const struct type iterator_type;

struct object *iterator_new(borrowed iterable, fetch_function *fetch, struct place start)
{
    struct iterator *it = (struct iterator *)container_new(&iterator_type, sizeof(struct iterator));

    if (!it)
        return NULL;
    section_alone();
    it->over = incref(iterable);
    it->fetch = fetch;
    it->place = start;
    return &it->head;
}

/* False: another thread has stepped meanwhile, and what was found is not ours. */
static bool try_step(struct iterator *it, enum step *step, struct object **result)
    REQUIRES(section_held)
{
    struct place from = it->place, to = from;

    *result = NULL;
    *step = from.position == PLACE_ENDED ? STEP_RETURN : it->fetch(it->over, &to, result);
    if (unlikely(it->place.position != from.position))
        return false;
    if (*step == STEP_RETURN)
        to.position = PLACE_ENDED;
    it->place = to;
    return true;
}

static SLOW_PATH void forget(enum step step, struct object *result)
{
    xdecref(result);
    if (step == STEP_ERROR)
        exception_restore(NULL);
}

static enum step advance(struct object *o, struct object **result)
{
    struct iterator *it = (struct iterator *)o;
    struct section s;
    enum step step;
    bool ours;

    for (;;) {
        section_begin(&s, o);
        ours = try_step(it, &step, result);
        section_end(&s);
        if (likely(ours))
            break;
        forget(step, *result);
    }
    if (step == STEP_RETURN)
        *result = none();
    return step;
}

static void iterator_destroy(struct object *o)
{
    decref(((struct iterator *)o)->over);
}

static void iterator_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                              void *argument)
{
    visit(((const struct iterator *)o)->over, argument);
}

/* What it iterates over is there before it, so a cycle through it has something in it that
 * can be emptied. */
static const struct type iterator_type = {
    .name = "iterator", .size_bytes = sizeof(struct iterator), .destroy = iterator_destroy,
    .traverse = iterator_traverse, .iterate = incref, .next = advance,
};

struct object *iterate(borrowed o)
{
    if (likely(type_of(o)->iterate))
        return type_of(o)->iterate(o);
    exception_set(&type_error, "'%s' object is not iterable", type_of(o)->name);
    return NULL;
}

enum step iterator_step(borrowed o, struct object **result)
{
    if (likely(type_of(o)->next))
        return type_of(o)->next((struct object *)o, result);
    exception_set(&type_error, "'%s' object is not an iterator", type_of(o)->name);
    return STEP_ERROR;
}

struct object *iterator_next(borrowed o)
{
    struct object *result;

    switch (iterator_step(o, &result)) {
    case STEP_NEXT:
        return result;
    case STEP_RETURN:
        exception_set_stop(result);
        return NULL;
    default:
        return NULL;
    }
}
