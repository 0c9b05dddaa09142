/* hub_sync.c - events, semaphores and queues of greenlets. */
#include "coroutines/hub_sync.h"

#include "gil/mutex.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/heap.h"

#include <assert.h>

/* Waits in the line until the deadline; one that has passed does not. */
static int wait_in(struct hub_line *line, uint64_t deadline_ns)
{
    if (deadline_ns != HUB_NEVER && deadline_ns <= clock_ns())
        return 0;
    return hub_line_wait(line, deadline_ns);
}

/* ---- events ---- */

struct event {
    struct object head;
    struct hub_line line;
    bool set;
};

static struct event *as_event(borrowed o)
{
    assert(type_of(o) == &hub_event_type);
    return (struct event *)o;
}

const struct type hub_event_type = { .name = "Event", .size_bytes = sizeof(struct event) };

struct object *hub_event_new(void)
{
    struct object *o = object_new(&hub_event_type, sizeof(struct event));

    if (o) {
        hub_line_init(&as_event(o)->line);
        as_event(o)->set = false;
    }
    return o;
}

void hub_event_set(borrowed o)
{
    as_event(o)->set = true;
    while (hub_line_wake(&as_event(o)->line))
        ;
}

void hub_event_clear(borrowed o)
{
    as_event(o)->set = false;
}

bool hub_event_is_set(borrowed o)
{
    return as_event(o)->set;
}

int hub_event_wait(borrowed o, uint64_t deadline_ns)
{
    return as_event(o)->set ? 1 : wait_in(&as_event(o)->line, deadline_ns);
}

/* ---- semaphores ---- */

/* Who is woken is not given one, but looks whether there is one: so none is lost with a greenlet
 * that is killed just then. */
struct semaphore {
    struct object head;
    struct hub_line line;
    size_t value;
};

static struct semaphore *as_semaphore(borrowed o)
{
    assert(type_of(o) == &hub_semaphore_type);
    return (struct semaphore *)o;
}

const struct type hub_semaphore_type = {
    .name = "Semaphore", .size_bytes = sizeof(struct semaphore),
};

struct object *hub_semaphore_new(size_t value)
{
    struct object *o = object_new(&hub_semaphore_type, sizeof(struct semaphore));

    if (o) {
        hub_line_init(&as_semaphore(o)->line);
        as_semaphore(o)->value = value;
    }
    return o;
}

int hub_semaphore_acquire(borrowed o, uint64_t deadline_ns)
{
    struct semaphore *s = as_semaphore(o);

    while (!s->value) {
        int result = wait_in(&s->line, deadline_ns);

        if (result < 0 && s->value)
            hub_line_wake(&s->line); /* in its place */
        if (result <= 0)
            return result;
    }
    s->value--;
    return 1;
}

void hub_semaphore_release(borrowed o)
{
    as_semaphore(o)->value++;
    hub_line_wake(&as_semaphore(o)->line);
}

size_t hub_semaphore_value(borrowed o)
{
    return as_semaphore(o)->value;
}

/* ---- queues ---- */

#ifdef NDEBUG
enum { LEAST_CAPACITY = 8 };
#else
enum { LEAST_CAPACITY = 1 };
#endif

struct queue {
    struct object head;
    struct hub_line getters, putters;
    struct object **item;           /* a ring; owned */
    size_t capacity, first, length; /* capacity is a power of two, or 0 */
    size_t most;                    /* set once; 0: any number */
};

static struct queue *as_queue(borrowed o)
{
    assert(type_of(o) == &hub_queue_type);
    return (struct queue *)o;
}

static struct object **place(const struct queue *q, size_t index)
{
    return &q->item[(q->first + index) & (q->capacity - 1)];
}

static struct object *take(struct queue *q)
{
    struct object *item = *place(q, 0);

    q->first = (q->first + 1) & (q->capacity - 1);
    q->length--;
    return item;
}

static void queue_clear(struct object *o)
{
    while (as_queue(o)->length)
        decref(take(as_queue(o)));
}

static void queue_destroy(struct object *o)
{
    struct queue *q = as_queue(o);

    queue_clear(o);
    if (q->item)
        heap_free_table(q->item, q->capacity * sizeof(struct object *));
}

static void queue_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    for (size_t i = 0; i < as_queue(o)->length; i++)
        visit(*place(as_queue(o), i), argument);
}

const struct type hub_queue_type = {
    .name = "Queue", .size_bytes = sizeof(struct queue), .destroy = queue_destroy,
    .clear = queue_clear, .traverse = queue_traverse,
};

struct object *hub_queue_new(size_t most)
{
    struct object *o = container_new(&hub_queue_type, sizeof(struct queue));
    struct queue *q = (struct queue *)o;

    if (!o)
        return NULL;
    hub_line_init(&q->getters);
    hub_line_init(&q->putters);
    q->item = NULL;
    q->capacity = q->first = q->length = 0;
    q->most = most;
    return o;
}

static int grow(struct queue *q)
{
    size_t capacity = q->capacity ? 2 * q->capacity : LEAST_CAPACITY;
    struct object **item = heap_alloc_table(capacity * sizeof *item);

    if (!item) {
        exception_set_no_memory();
        return -1;
    }
    for (size_t i = 0; i < q->length; i++)
        item[i] = *place(q, i);
    if (q->item)
        heap_free_table(q->item, q->capacity * sizeof *item);
    q->item = item;
    q->capacity = capacity;
    q->first = 0;
    return 0;
}

static int wait_for_room(struct queue *q, uint64_t deadline_ns)
{
    while (q->most && q->length >= q->most) {
        int result = wait_in(&q->putters, deadline_ns);

        if (result < 0 && q->length < q->most)
            hub_line_wake(&q->putters); /* in its place */
        if (result <= 0)
            return result;
    }
    return 1;
}

int hub_queue_put(borrowed o, borrowed item, uint64_t deadline_ns)
{
    struct queue *q = as_queue(o);
    int result = wait_for_room(q, deadline_ns);

    if (result <= 0)
        return result;
    if (q->length == q->capacity && grow(q) < 0) {
        hub_line_wake(&q->putters);
        return -1;
    }
    publish_into(o, item);
    *place(q, q->length++) = incref(item);
    hub_line_wake(&q->getters);
    return 1;
}

int hub_queue_get(borrowed o, struct object **item, uint64_t deadline_ns)
{
    struct queue *q = as_queue(o);

    while (!q->length) {
        int result = wait_in(&q->getters, deadline_ns);

        if (result < 0 && q->length)
            hub_line_wake(&q->getters); /* in its place */
        if (result <= 0)
            return result;
    }
    *item = take(q);
    hub_line_wake(&q->putters);
    return 1;
}

size_t hub_queue_length(borrowed o)
{
    return as_queue(o)->length;
}
