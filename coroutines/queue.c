/* queue.c - items from tasks to tasks of one loop.
 *
 * Who waits stands in a line as a future, and is taken out of it when it is woken: so a future that
 * is done and not cancelled stands in none.
 */
#include "coroutines/queue.h"

#include "coroutines/coroutine.h"
#include "coroutines/future.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/none.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef NDEBUG
enum { LEAST_CAPACITY = 16 };
#else
enum { LEAST_CAPACITY = 2 };
#endif

/* ---- a line: objects, first in, first out ---- */

struct line {
    struct object **item; /* a ring of owned ones: `capacity` is a power of two, or 0 */
    size_t capacity, first, count;
};

static struct object **line_place(const struct line *l, size_t i)
{
    return &l->item[(l->first + i) & (l->capacity - 1)];
}

static SLOW_PATH int line_grow(struct line *l)
{
    size_t capacity = l->capacity ? 2 * l->capacity : LEAST_CAPACITY;
    struct object **item = heap_alloc_table(capacity * sizeof *item);

    if (!item) {
        exception_set_no_memory();
        return -1;
    }
    for (size_t i = 0; i < l->count; i++)
        item[i] = *line_place(l, i);
    if (l->item)
        heap_free_table(l->item, l->capacity * sizeof *l->item);
    *l = (struct line){ item, capacity, 0, l->count };
    return 0;
}

/* Room for one. */
static int line_reserve(struct line *l)
{
    return likely(l->count < l->capacity) ? 0 : line_grow(l);
}

/* There is room. */
static void line_push(struct line *l, struct object *o /* steals */)
{
    *line_place(l, l->count++) = o;
}

/* There is one. */
static struct object *line_pop(struct line *l)
{
    struct object *o = *line_place(l, 0);

    l->first = (l->first + 1) & (l->capacity - 1);
    l->count--;
    return o;
}

/* Takes it out, wherever it stands. */
static void line_remove(struct line *l, borrowed o)
{
    struct object *found;
    size_t i = 0;

    while (i < l->count && *line_place(l, i) != o)
        i++;
    if (i == l->count)
        return;
    found = *line_place(l, i);
    for (; i + 1 < l->count; i++)
        *line_place(l, i) = *line_place(l, i + 1);
    l->count--;
    decref(found);
}

static void line_fini(struct line *l)
{
    while (l->count)
        decref(line_pop(l));
    if (l->item)
        heap_free_table(l->item, l->capacity * sizeof *l->item);
    *l = (struct line){ NULL };
}

static void line_traverse(const struct line *l, void (*visit)(borrowed held, void *argument),
                          void *argument)
{
    for (size_t i = 0; i < l->count; i++)
        visit(*line_place(l, i), argument);
}

/* ---- a queue ---- */

struct queue_object {
    struct object head;
    int64_t maxsize;     /* set once */
    struct object *loop; /* owned; of those that wait; NULL: nobody has waited yet */
    struct line items, getters, putters, joiners;
    uint64_t unfinished; /* items that were put and are not done */
};

static struct queue_object *as_queue(borrowed o)
{
    assert(type_of(o) == &queue_type);
    return (struct queue_object *)o;
}

struct object *queue_new(int64_t maxsize)
{
    struct object *o = container_new(&queue_type, sizeof(struct queue_object));

    if (!o)
        return NULL;
    memset(o + 1, 0, sizeof(struct queue_object) - sizeof *o);
    as_queue(o)->maxsize = maxsize;
    return o;
}

int64_t queue_maxsize(borrowed o)
{
    return as_queue(o)->maxsize;
}

size_t queue_size(borrowed o)
{
    return as_queue(o)->items.count;
}

bool queue_empty(borrowed o)
{
    return as_queue(o)->items.count == 0;
}

bool queue_full(borrowed o)
{
    const struct queue_object *q = as_queue(o);

    return q->maxsize > 0 && q->items.count >= (uint64_t)q->maxsize;
}

/* ---- who waits ---- */

/* The first that still waits. 0; -1: its loop is closed. */
static int wake_next(struct line *waiting)
{
    int result = 0;
    bool done;

    while (result == 0 && waiting->count) {
        struct object *waiter = line_pop(waiting);

        done = future_done(waiter);
        if (!done)
            result = future_set_result(waiter, none());
        decref(waiter);
        if (!done)
            break;
    }
    return result;
}

static int bind(struct queue_object *q, borrowed loop)
{
    char text[200];

    if (likely(q->loop == loop))
        return 0;
    if (!q->loop) {
        publish_into(&q->head, loop);
        q->loop = incref(loop);
        return 0;
    }
    object_repr(&q->head, text, sizeof text);
    exception_set(&runtime_error, "%s is bound to a different event loop", text);
    return -1;
}

/* Of all three coroutines; one has an item. */
enum { QUEUE, ITEM, WAITER, REFERENCES };
enum { BEGINS, WAITS };

static enum turn wait_in(struct frame *f, struct line *waiting, struct object **result)
{
    struct queue_object *q = as_queue(f->reference[QUEUE]);
    borrowed loop = loop_running_needed();
    struct object *waiter, *before = f->reference[WAITER];

    if (!loop || bind(q, loop) < 0 || line_reserve(waiting) < 0)
        return TURN_ERROR;
    waiter = future_new(loop);
    if (!waiter)
        return TURN_ERROR;
    publish_into(&q->head, waiter);
    line_push(waiting, incref(waiter));
    f->at = WAITS;
    f->reference[WAITER] = waiter;
    xdecref(before);
    *result = incref(waiter);
    return TURN_FROM;
}

/* It cannot go on with what it was woken for, if it was: then the next can, if there is still
 * something. What is raised in it is what counts. */
static enum turn stop_waiting(struct frame *f, struct line *waiting, bool something,
                              borrowed argument)
{
    borrowed waiter = f->at == WAITS ? f->reference[WAITER] : NULL;

    if (waiter && future_state(waiter) != FUTURE_FINISHED)
        line_remove(waiting, waiter);
    else if (waiter && something && wake_next(waiting) < 0)
        exception_restore(NULL);
    return frame_raise(argument);
}

/* ---- get and put ---- */

struct object *queue_get_nowait(borrowed o)
{
    struct queue_object *q = as_queue(o);

    if (unlikely(queue_empty(o))) {
        exception_set(&queue_empty_error, "%s", "");
        return NULL;
    }
    if (unlikely(q->putters.count) && wake_next(&q->putters) < 0)
        return NULL;
    return line_pop(&q->items);
}

int queue_put_nowait(borrowed o, borrowed item)
{
    struct queue_object *q = as_queue(o);

    if (unlikely(queue_full(o))) {
        exception_set(&queue_full_error, "%s", "");
        return -1;
    }
    if (line_reserve(&q->items) < 0 || wake_next(&q->getters) < 0)
        return -1;
    publish_into(o, item);
    line_push(&q->items, incref(item));
    q->unfinished++;
    return 0;
}

static enum turn get_turn(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    struct queue_object *q = as_queue(f->reference[QUEUE]);

    if (unlikely(how == RESUME_THROW))
        return stop_waiting(f, &q->getters, !queue_empty(&q->head), argument);
    if (queue_empty(&q->head))
        return wait_in(f, &q->getters, result);
    *result = queue_get_nowait(&q->head);
    return *result ? TURN_RETURN : TURN_ERROR;
}

static enum turn put_turn(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    struct queue_object *q = as_queue(f->reference[QUEUE]);

    if (unlikely(how == RESUME_THROW))
        return stop_waiting(f, &q->putters, !queue_full(&q->head), argument);
    if (queue_full(&q->head))
        return wait_in(f, &q->putters, result);
    return queue_put_nowait(&q->head, f->reference[ITEM]) < 0 ? TURN_ERROR : frame_return(result);
}

static const struct body get_body = {
    .name = "Queue.get", .kind = COROUTINE, .resume = get_turn, .references = REFERENCES,
};

static const struct body put_body = {
    .name = "Queue.put", .kind = COROUTINE, .resume = put_turn, .references = REFERENCES,
};

struct object *queue_get(borrowed o)
{
    assert(type_of(o) == &queue_type);
    return generator_new(&get_body, &o, 1);
}

struct object *queue_put(borrowed o, borrowed item)
{
    assert(type_of(o) == &queue_type);
    return generator_new(&put_body, (borrowed[]){ o, item }, 2);
}

/* ---- the end of all work ---- */

int queue_task_done(borrowed o)
{
    struct queue_object *q = as_queue(o);
    int result = 0;

    if (!q->unfinished) {
        exception_set(&value_error, "%s", "task_done() called too many times");
        return -1;
    }
    if (--q->unfinished == 0)
        while (result == 0 && q->joiners.count)
            result = wake_next(&q->joiners);
    return result;
}

/* Woken, it returns, also if more has been put meanwhile. */
static enum turn join_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    struct queue_object *q = as_queue(f->reference[QUEUE]);

    if (how == RESUME_THROW)
        return stop_waiting(f, &q->joiners, false, argument);
    if (f->at == BEGINS && q->unfinished)
        return wait_in(f, &q->joiners, result);
    return frame_return(result);
}

static const struct body join_body = {
    .name = "Queue.join", .kind = COROUTINE, .resume = join_turn, .references = REFERENCES,
};

struct object *queue_join(borrowed o)
{
    assert(type_of(o) == &queue_type);
    return generator_new(&join_body, &o, 1);
}

/* ---- its type ---- */

static void queue_clear(struct object *o)
{
    struct queue_object *q = as_queue(o);
    struct object *loop = q->loop;

    q->loop = NULL;
    xdecref(loop);
    line_fini(&q->items);
    line_fini(&q->getters);
    line_fini(&q->putters);
    line_fini(&q->joiners);
}

static void queue_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                           void *argument)
{
    const struct queue_object *q = as_queue(o);

    if (q->loop)
        visit(q->loop, argument);
    line_traverse(&q->items, visit, argument);
    line_traverse(&q->getters, visit, argument);
    line_traverse(&q->putters, visit, argument);
    line_traverse(&q->joiners, visit, argument);
}

/* Text that is cut off to fit. */
struct writing {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3)))
static void write_text(struct writing *w, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(w->at, w->left, format, arguments);
    va_end(arguments);
    if (length < 0 || !w->left)
        return;
    length = (size_t)length < w->left ? length : (int)w->left - 1;
    w->at += length;
    w->left -= (size_t)length;
}

static void write_items(struct writing *w, const struct line *items)
{
    char text[80];

    for (size_t i = 0; i < items->count; i++) {
        object_repr(*line_place(items, i), text, sizeof text);
        write_text(w, "%s%s", i ? ", " : " _queue=[", text);
    }
    if (items->count)
        write_text(w, "]");
}

static void queue_repr(borrowed o, char *text, size_t size_bytes)
{
    const struct queue_object *q = as_queue(o);
    struct writing w = { text, size_bytes };

    write_text(&w, "<Queue at %p maxsize=%" PRId64, (const void *)o, q->maxsize);
    write_items(&w, &q->items);
    if (q->getters.count)
        write_text(&w, " _getters[%zu]", q->getters.count);
    if (q->putters.count)
        write_text(&w, " _putters[%zu]", q->putters.count);
    if (q->unfinished)
        write_text(&w, " tasks=%" PRIu64, q->unfinished);
    write_text(&w, ">");
}

const struct type queue_type = {
    .name = "Queue", .size_bytes = sizeof(struct queue_object), .destroy = queue_clear,
    .clear = queue_clear, .traverse = queue_traverse, .repr = queue_repr,
};
