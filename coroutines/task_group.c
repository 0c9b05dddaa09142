/* task_group.c - tasks that end together. */
#include "coroutines/task_group.h"

#include "coroutines/coroutine.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/set.h"
#include "objects/tuple.h"

#include <assert.h>
#include <stdio.h>

struct task_group {
    struct object head;
    struct object *parent;     /* owned; NULL: it was not entered */
    struct object *tasks;      /* owned; a set of those that are not done */
    struct object *errors;     /* owned; a list */
    struct object *base_error; /* owned; what is raised before all else; NULL: none. MemoryError, if
                                  an error was lost for want of it */
    struct object *completed;  /* owned; a future that waits for the last task; NULL: none */
    bool exiting, aborting;
    bool cancels_parent; /* it has asked its parent to end */
};

static struct task_group *as_group(borrowed o)
{
    assert(type_of(o) == &task_group_type);
    return (struct task_group *)o;
}

static void set(struct task_group *g, struct object **field, borrowed value /* may be NULL */)
{
    struct object *before = *field;

    if (value)
        publish_into(&g->head, value);
    *field = value ? incref(value) : NULL;
    xdecref(before);
}

/* ---- its life ---- */

struct object *task_group_new(void)
{
    struct object *o = container_new(&task_group_type, sizeof(struct task_group));
    struct task_group *g;

    if (!o)
        return NULL;
    g = as_group(o);
    g->parent = g->tasks = g->errors = g->base_error = g->completed = NULL;
    g->exiting = g->aborting = g->cancels_parent = false;
    g->tasks = set_new();
    g->errors = g->tasks ? list_new() : NULL;
    if (g->errors)
        return o;
    decref(o);
    return NULL;
}

static void group_clear(struct object *o)
{
    struct task_group *g = as_group(o);

    set(g, &g->parent, NULL);
    set(g, &g->tasks, NULL);
    set(g, &g->errors, NULL);
    set(g, &g->base_error, NULL);
    set(g, &g->completed, NULL);
}

static void group_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct task_group *g = as_group(o);
    const struct object *held[] = { g->parent, g->tasks, g->errors, g->base_error, g->completed };

    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i])
            visit(held[i], argument);
}

static void group_repr(borrowed o, char *text, size_t size_bytes)
{
    const struct task_group *g = as_group(o);
    char tasks[40] = "", errors[40] = "";

    if (g->tasks && set_length(g->tasks))
        snprintf(tasks, sizeof tasks, " tasks=%zu", set_length(g->tasks));
    if (g->errors && list_length(g->errors))
        snprintf(errors, sizeof errors, " errors=%zu", list_length(g->errors));
    snprintf(text, size_bytes, "<TaskGroup%s%s%s>", tasks, errors,
             g->aborting ? " cancelling"
             : g->parent ? " entered"
                         : "");
}

const struct type task_group_type = {
    .name = "TaskGroup", .size_bytes = sizeof(struct task_group), .destroy = group_clear,
    .clear = group_clear, .traverse = group_traverse, .repr = group_repr,
};

/* ---- the block ---- */

static int refuse(borrowed group, const char *what)
{
    char text[80];

    object_repr(group, text, sizeof text);
    exception_set(&runtime_error, "TaskGroup %s %s", text, what);
    return -1;
}

int task_group_enter(borrowed o)
{
    struct task_group *g = as_group(o);
    borrowed task = task_current();

    if (g->parent)
        return refuse(o, "has already been entered");
    if (!task)
        return refuse(o, "cannot determine the parent task");
    set(g, &g->parent, task);
    return 0;
}

/* Cancels all that are not done. A task that is cancelled before it began is done in the next turn.
 */
static void abort_tasks(struct task_group *g)
{
    struct object *task;
    size_t cursor = 0;

    g->aborting = true;
    while ((task = set_next(g->tasks, &cursor))) {
        if (future_cancel(task, NULL) < 0)
            exception_restore(NULL);
        decref(task);
    }
}

static bool is_base_error(borrowed e)
{
    return exception_is(e, &keyboard_interrupt) || exception_is(e, &system_exit);
}

/* The first one; what ends the program goes before what was merely lacking. */
static void note_base_error(struct task_group *g, borrowed e)
{
    if (!g->base_error || (is_base_error(e) && !is_base_error(g->base_error)))
        set(g, &g->base_error, e);
}

/* Where there is no room for it, that is what the block raises in the end. */
static void note_error(struct task_group *g, borrowed e)
{
    struct object *lacking;

    if (is_base_error(e))
        note_base_error(g, e);
    if (list_append(g->errors, e) == 0)
        return;
    lacking = exception_take();
    note_base_error(g, lacking);
    decref(lacking);
}

/* One of the group's tasks has failed: the others end, and so does the block. */
static int fail(struct task_group *g, borrowed task, borrowed e)
{
    note_error(g, e);
    if (future_done(g->parent)) {
        loop_tell(future_loop(task),
                  "Task has errored out but its parent task is already completed", e, task);
        return 0;
    }
    if (g->aborting || g->cancels_parent)
        return 0;
    abort_tasks(g);
    g->cancels_parent = true;
    return future_cancel(g->parent, NULL) < 0 ? -1 : 0;
}

static void complete(struct task_group *g)
{
    if (g->completed && !set_length(g->tasks) && !future_done(g->completed))
        future_finish(as_future(g->completed), none());
}

static int task_is_done(borrowed loop, borrowed group, borrowed task)
{
    struct task_group *g = as_group(group);
    struct object *e = NULL;
    int result = 0;

    loop_enter(loop, "TaskGroup");
    set_discard(g->tasks, task);
    complete(g);
    if (!future_cancelled(task))
        e = future_exception(task);
    if (e && e != none())
        result = fail(g, task, e);
    xdecref(e);
    return result;
}

static int adopt(struct task_group *g, borrowed task)
{
    if (set_add(g->tasks, task) < 0)
        return -1;
    if (future_on_done(task, task_is_done, &g->head, false) == 0)
        return 0;
    set_discard(g->tasks, task);
    return -1;
}

struct object *task_group_create(borrowed o, borrowed coroutine, borrowed name)
{
    struct task_group *g = as_group(o);
    struct object *task;
    int refused = 0;

    if (!g->parent)
        refused = refuse(o, "has not been entered");
    else if (g->exiting && !set_length(g->tasks))
        refused = refuse(o, "is finished");
    else if (g->aborting)
        refused = refuse(o, "is shutting down");
    if (refused < 0)
        return NULL;
    task = task_new(future_loop(g->parent), coroutine, name);
    if (!task || adopt(g, task) == 0)
        return task;
    future_cancel(task, NULL);
    decref(task);
    return NULL;
}

/* ---- the exit: a coroutine ---- */

enum { GROUP, RAISED, PROPAGATED, REFERENCES }; /* its references; RAISED may be None */

static void keep(struct frame *f, int place, borrowed value /* may be NULL */)
{
    struct object *before = f->reference[place];

    f->reference[place] = value ? incref(value) : NULL;
    xdecref(before);
}

static bool has_raised(const struct frame *f, const struct type *kind)
{
    return f->reference[RAISED] != none() && exception_is(f->reference[RAISED], kind);
}

static void begin_exit(struct frame *f, struct task_group *g)
{
    borrowed raised = f->reference[RAISED];

    g->exiting = true;
    if (raised != none() && is_base_error(raised))
        note_base_error(g, raised);
    if (has_raised(f, &cancelled_error))
        keep(f, PROPAGATED, raised);
    if (raised != none() && !g->aborting)
        abort_tasks(g);
}

/* Its wait was interrupted: by its parent's end, or by one of the group that has failed. */
static void note_cancelled(struct frame *f, struct task_group *g, borrowed e)
{
    if (g->aborting)
        return;
    keep(f, PROPAGATED, e);
    abort_tasks(g);
}

static enum turn wait_for_tasks(struct task_group *g, struct object **result)
{
    struct object *future = future_new(future_loop(g->parent));

    if (!future)
        return TURN_ERROR;
    set(g, &g->completed, future);
    *result = future;
    return TURN_FROM;
}

static enum turn raise(borrowed e)
{
    exception_raise(incref(e));
    return TURN_ERROR;
}

/* ExceptionGroup if all are exceptions of the ordinary kind. */
static const struct type *group_kind(borrowed errors)
{
    for (size_t i = 0; i < tuple_length(errors); i++)
        if (!exception_is(tuple_get(errors, i), &exception))
            return &base_exception_group;
    return &exception_group;
}

static enum turn raise_group(struct task_group *g)
{
    struct object *errors = list_to_tuple(g->errors), *e;
    size_t count;

    if (!errors)
        return TURN_ERROR;
    count = tuple_length(errors);
    e = exception_new_with(group_kind(errors), errors,
                           "unhandled errors in a TaskGroup (%zu sub-exception%s)", count,
                           count == 1 ? "" : "s");
    set(g, &g->errors, NULL);
    if (!e)
        return TURN_ERROR;
    exception_raise(e);
    exception_set_cause(exception_pending(), NULL);
    return TURN_ERROR;
}

/* The parent was asked to end by somebody else, too: it is asked again, so that its next await ends
 * it, and the number of requests stays. */
static int ask_parent_again(struct task_group *g)
{
    if (!task_cancelling(g->parent))
        return 0;
    task_uncancel(g->parent);
    return future_cancel(g->parent, NULL) < 0 ? -1 : 0;
}

static enum turn end_exit(struct frame *f, struct task_group *g, struct object **result)
{
    borrowed raised = f->reference[RAISED];

    if (g->cancels_parent && task_uncancel(g->parent) == 0)
        keep(f, PROPAGATED, NULL); /* nobody else has asked it to end */
    if (g->base_error)
        return raise(g->base_error);
    if (f->reference[PROPAGATED] && !list_length(g->errors))
        return raise(f->reference[PROPAGATED]);
    if (raised != none() && !has_raised(f, &cancelled_error) && list_append(g->errors, raised) < 0)
        return TURN_ERROR;
    if (list_length(g->errors))
        return ask_parent_again(g) < 0 ? TURN_ERROR : raise_group(g);
    if (raised != none())
        return raise(raised);
    *result = none();
    return TURN_RETURN;
}

/* Each time it is resumed while tasks are left it waits anew. */
static enum turn exit_group(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    struct task_group *g = as_group(f->reference[GROUP]);

    if (f->at == 0) {
        f->at = 1;
        begin_exit(f, g);
    } else {
        set(g, &g->completed, NULL);
        if (how == RESUME_THROW && !exception_is(argument, &cancelled_error))
            return raise(argument);
        if (how == RESUME_THROW)
            note_cancelled(f, g, argument);
    }
    return set_length(g->tasks) ? wait_for_tasks(g, result) : end_exit(f, g, result);
}

static const struct body exit_body = {
    .name = "TaskGroup.__aexit__", .kind = COROUTINE, .resume = exit_group,
    .references = REFERENCES,
};

struct object *task_group_exit(borrowed group, borrowed raised)
{
    return generator_new(&exit_body, (borrowed[]){ group, raised ? raised : none() }, 2);
}
