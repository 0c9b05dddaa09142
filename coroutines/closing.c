/* closing.c - the asynchronous generators that a loop has seen. */
#include "coroutines/closing.h"

#include "coroutines/loop.h"
#include "coroutines/task.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/weakref.h"

#ifdef NDEBUG
enum { LOOKED_LEAST = 64 };
#else
enum { LOOKED_LEAST = 2 };
#endif

static struct {
    struct mutex lock;
    struct closing *first; /* lock; of all loops */
    uint64_t numbers;      /* lock; that were given */
} closings = { .lock = MUTEX_INIT };

void closing_enter(struct closing *c, struct object *loop)
{
    c->loop = loop;
    c->seen = NULL;
    c->looked = 0;
    mutex_lock(&closings.lock);
    c->number = ++closings.numbers;
    c->next = closings.first;
    c->link = &closings.first;
    if (c->next)
        c->next->link = &c->next;
    closings.first = c;
    mutex_unlock(&closings.lock);
}

void closing_leave(struct closing *c)
{
    mutex_lock(&closings.lock);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    mutex_unlock(&closings.lock);
}

/* A new reference; NULL: it has gone, or is about to. Its memory is there as long as it is on the
 * list, and its count says whether it lives, as with a weak reference (objects/weakref.c). */
static struct object *find(uint64_t number)
{
    struct object *loop = NULL;

    mutex_lock(&closings.lock);
    for (struct closing *c = closings.first; c; c = c->next)
        if (c->number == number && try_incref(c->loop))
            loop = c->loop;
    mutex_unlock(&closings.lock);
    return loop;
}

/* ---- what was seen ---- */

static int append_living(borrowed seen, borrowed living, bool themselves)
{
    for (size_t i = 0; i < list_length(seen); i++) {
        struct object *weak = list_get(seen, i), *g = weakref_get(weak);
        int result = g ? list_append(living, themselves ? g : weak) : 0;

        decref(weak);
        xdecref(g);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* NULL: MemoryError. */
static struct object *living_of(borrowed seen, bool themselves)
{
    struct object *living = list_new();

    if (living && append_living(seen, living, themselves) < 0) {
        decref(living);
        return NULL;
    }
    return living;
}

static void replace(struct closing *c, struct object *list /* steals; may be NULL */)
{
    struct object *before = c->seen;

    if (list)
        publish_into(c->loop, list);
    c->seen = list;
    xdecref(before);
}

/* Now and then, when the list has doubled, those that have gone are taken out. */
static int make_room(struct closing *c)
{
    struct object *list;

    if (c->seen && list_length(c->seen) < 2 * c->looked + LOOKED_LEAST)
        return 0;
    list = c->seen ? living_of(c->seen, false) : list_new();
    if (!list)
        return -1;
    c->looked = list_length(list);
    replace(c, list);
    return 0;
}

struct object *closing_take(struct closing *c)
{
    struct object *living = c->seen ? living_of(c->seen, true) : list_new();

    if (living)
        replace(c, NULL);
    return living;
}

/* ---- hooks ---- */

static int see(borrowed g, void *argument)
{
    struct closing *c = loop_closing(loop_running());
    struct object *weak;
    int result = -1;

    (void)argument;
    if (make_room(c) < 0)
        return -1;
    publish(c->loop); /* who drops the generator may be another thread, and looks for its loop */
    weak = weakref_new(g, NULL);
    if (weak)
        result = list_append(c->seen, weak);
    xdecref(weak);
    return result;
}

/* On the loop's thread: a task closes it. */
static int close_it(borrowed loop, borrowed g, borrowed unused)
{
    struct object *closing, *task;

    (void)unused;
    loop_enter(loop, "async generator");
    closing = async_generator_close(g);
    if (!closing)
        return -1;
    task = ensure_future(loop, closing);
    decref(closing);
    xdecref(task); /* the loop holds it */
    return task ? 0 : -1;
}

/* If it cannot be handed over, it is closed as one without a loop. */
static void hand_over(borrowed g, void *argument)
{
    struct object *loop = find((uint64_t)(uintptr_t)argument);

    if (!loop)
        return;
    if (loop_push_threadsafe(loop, close_it, g, NULL) < 0)
        exception_restore(NULL);
    decref(loop);
}

struct async_generator_hooks closing_hooks(const struct closing *c)
{
    return (struct async_generator_hooks){ .firstiter = see,
                                           .finalizer = hand_over,
                                           .argument = (void *)(uintptr_t)c->number };
}
