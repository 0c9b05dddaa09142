/* executor.c - what all executors have in common: options, queues, map. */
#include "coroutines/executor.h"

#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/iterator.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/section.h"
#include "objects/tuple.h"

#include <assert.h>

static const struct executor_class *class_of(borrowed executor)
{
    return ((const struct executor_object *)executor)->class;
}

struct object *executor_submit(borrowed executor, borrowed function, borrowed const *arguments,
                               size_t count)
{
    assert(count <= ARGUMENTS_MOST);
    return class_of(executor)->submit(executor, function, arguments, count);
}

int executor_shutdown(borrowed executor, bool wait, bool cancel_jobs)
{
    return class_of(executor)->shutdown(executor, wait, cancel_jobs);
}

/* ---- options ---- */

int pool_options_check(struct pool_options *options, int standard_workers)
{
    if (options->workers < 0 || (options->workers_given && options->workers == 0)) {
        exception_set(&value_error, "max_workers must be greater than 0");
        return -1;
    }
    if (options->tasks_per_child < 0 || (options->tasks_given && options->tasks_per_child == 0)) {
        exception_set(&value_error, "max_tasks_per_child must be >= 1");
        return -1;
    }
    if (options->initialiser && !type_of(options->initialiser)->call) {
        exception_set(&type_error, "initializer must be a callable");
        return -1;
    }
    if (!options->workers)
        options->workers = standard_workers;
    if (options->spin == POOL_NO_SPIN)
        options->spin = 0;
    else if (!options->spin)
        options->spin = BLOCK_SPIN;
    return 0;
}

/* ---- queues ---- */

void job_queue_put(struct job_queue *q, struct object *job)
{
    struct job_object *j = as_job(job);

    j->next = NULL;
    if (q->first)
        q->last->next = j;
    else
        q->first = j;
    q->last = j;
    q->length++;
}

struct object *job_queue_take(struct job_queue *q)
{
    struct job_object *j = q->first;

    if (!j)
        return NULL;
    q->first = j->next;
    q->length--;
    return &j->head;
}

bool job_queue_remove(struct job_queue *q, borrowed job)
{
    struct job_object *before = NULL, *j = q->first;

    while (j && j != as_job(job)) {
        before = j;
        j = j->next;
    }
    if (!j)
        return false;
    if (before)
        before->next = j->next;
    else
        q->first = j->next;
    if (q->last == j)
        q->last = before;
    q->length--;
    return true;
}

void job_queue_cancel(struct job_queue *q)
{
    struct object *job;

    while ((job = job_queue_take(q))) {
        job_abandon(job);
        job_drop_call(job);
        decref(job);
    }
}

static void fail(borrowed job, const struct type *kind, const char *message)
{
    if (job_set_running(job) != 1) { /* cancelled */
        exception_restore(NULL);
        return;
    }
    exception_set(kind, "%s", message);
    job_fail(job);
}

void job_queue_fail(struct job_queue *q, const struct type *kind, const char *message)
{
    struct object *job;

    while ((job = job_queue_take(q))) {
        job_drop_call(job);
        fail(job, kind, message);
        decref(job);
    }
}

/* ---- map ---- */

struct map {
    struct object head;
    struct object *jobs;  /* set once; owned: a list, of None where the result has been taken */
    uint64_t deadline_ns; /* set once */
    bool in_chunks;       /* set once; a job's result is a list of results */
    _Atomic bool steps;   /* atomic; in chunks: somebody is in a step, and nobody else may be */
    size_t at GUARDED_BY(section_held); /* of the next one */
    struct object *row GUARDED_BY(section_held); /* owned; such a list, last one first; or NULL */
};

static const struct type map_type;

/* The next one, which nobody else gets and the list no longer holds; NULL: there is none. */
static struct object *take_job(struct map *m)
{
    struct object *job = NULL;
    struct section s;

    section_begin(&s, &m->head);
    if (m->at < list_length(m->jobs)) {
        job = list_get(m->jobs, m->at);
        list_set(m->jobs, m->at++, none());
    }
    section_end(&s);
    return job;
}

static void cancel_rest(struct map *m)
{
    struct object *pending = exception_take(), *job;

    while ((job = take_job(m))) {
        job_cancel(job);
        decref(job);
    }
    exception_restore(pending);
}

/* What is left of the chunk whose results have come; NULL: nothing. */
static struct object *take_from_row(struct map *m)
{
    struct object *result = NULL;
    struct section s;

    section_begin(&s, &m->head);
    if (m->row && list_length(m->row))
        result = list_pop(m->row);
    section_end(&s);
    return result;
}

static void reverse(borrowed list)
{
    size_t length = list_length(list);

    for (size_t i = 0; i < length / 2; i++) {
        struct object *a = list_get(list, i), *b = list_get(list, length - 1 - i);

        list_set(list, i, b);
        list_set(list, length - 1 - i, a);
        decref(a);
        decref(b);
    }
}

static void keep_row(struct map *m, struct object *row /* steals */)
{
    struct object *before;
    struct section s;

    publish_into(&m->head, row);
    section_begin(&s, &m->head);
    before = m->row;
    m->row = row;
    section_end(&s);
    xdecref(before);
}

static enum step next_result(struct map *m, struct object **result)
{
    struct object *job = take_job(m);

    if (!job) {
        *result = none();
        return STEP_RETURN;
    }
    *result = job_result_until(job, m->deadline_ns);
    if (!*result) {
        job_cancel(job);
        cancel_rest(m);
    }
    decref(job);
    return *result ? STEP_NEXT : STEP_ERROR;
}

/* By one at a time, as a chunk that came would put away what is left of another's. */
static enum step next_of_chunks(struct map *m, struct object **result)
{
    enum step step;

    while (!(*result = take_from_row(m))) {
        step = next_result(m, result);
        if (step != STEP_NEXT)
            return step;
        reverse(*result);
        keep_row(m, *result);
    }
    return STEP_NEXT;
}

/* Acquire and release: who steps next sees what the one before has left of its chunk. */
static enum step map_next(struct object *o, struct object **result)
{
    struct map *m = (struct map *)o;
    enum step step;

    if (!m->in_chunks)
        return next_result(m, result);
    if (atomic_exchange_explicit(&m->steps, true, memory_order_acquire)) {
        exception_set(&value_error, "generator already executing");
        *result = NULL;
        return STEP_ERROR;
    }
    step = next_of_chunks(m, result);
    atomic_store_explicit(&m->steps, false, memory_order_release);
    return step;
}

static void map_destroy(struct object *o)
{
    struct map *m = (struct map *)o;

    section_alone();
    cancel_rest(m);
    decref(m->jobs);
    xdecref(m->row);
}

static void map_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct map *m = (const struct map *)o;

    section_alone();
    visit(m->jobs, argument);
    if (m->row)
        visit(m->row, argument);
}

/* It cannot be emptied: its list can. */
static const struct type map_type = {
    .name = "generator", .size_bytes = sizeof(struct map), .destroy = map_destroy,
    .traverse = map_traverse, .iterate = incref, .next = map_next,
};

static struct object *map_new(struct object *jobs, uint64_t deadline_ns, bool in_chunks)
{
    struct map *m = (struct map *)container_new(&map_type, sizeof *m);

    if (!m)
        return NULL;
    section_alone();
    m->jobs = incref(jobs);
    m->deadline_ns = deadline_ns;
    m->in_chunks = in_chunks;
    atomic_init(&m->steps, false);
    m->at = 0;
    m->row = NULL;
    return &m->head;
}

static void drop_all(struct object **held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        decref(held[i]);
}

/* What comes next from each iterator. STEP_RETURN: one has ended. */
static enum step next_arguments(struct object **iterators, size_t count, struct object **arguments)
{
    for (size_t i = 0; i < count; i++) {
        enum step step = iterator_step(iterators[i], &arguments[i]);

        if (step == STEP_NEXT)
            continue;
        drop_all(arguments, step == STEP_RETURN ? i + 1 : i);
        return step;
    }
    return STEP_NEXT;
}

static int submit_one(borrowed executor, borrowed function, struct object **arguments,
                      size_t count, struct object *jobs)
{
    struct object *job = executor_submit(executor, function, (borrowed const *)arguments, count);
    int result = job ? list_append(jobs, job) : -1;

    drop_all(arguments, count);
    xdecref(job);
    return result;
}

static int submit_all(borrowed executor, borrowed function, struct object **iterators,
                      size_t count, struct object *jobs)
{
    struct object *arguments[ARGUMENTS_MOST];
    enum step step;

    while ((step = next_arguments(iterators, count, arguments)) == STEP_NEXT) {
        if (submit_one(executor, function, arguments, count, jobs) < 0)
            return -1;
        safepoint(thread_self);
    }
    return step == STEP_ERROR ? -1 : 0;
}

/* Appends rows of arguments, a tuple each, until there are `chunk` of them. STEP_RETURN: an
 * iterator has ended before. */
static enum step next_rows(struct object **iterators, size_t count, size_t chunk, borrowed rows)
{
    struct object *arguments[ARGUMENTS_MOST];
    enum step step = STEP_NEXT;

    while (list_length(rows) < chunk &&
           (step = next_arguments(iterators, count, arguments)) == STEP_NEXT) {
        struct object *row = tuple_new(count, arguments);
        int result = row ? list_append(rows, row) : -1;

        drop_all(arguments, count);
        xdecref(row);
        if (result < 0)
            return STEP_ERROR;
        safepoint(thread_self);
    }
    return step;
}

static int submit_rows(borrowed executor, borrowed function, borrowed rows, borrowed jobs)
{
    struct object *tuple = list_to_tuple(rows), *job = NULL;
    int result;

    if (tuple)
        job = class_of(executor)->submit_chunk(executor, function, tuple);
    result = job ? list_append(jobs, job) : -1;
    xdecref(tuple);
    xdecref(job);
    return result;
}

static int submit_in_chunks(borrowed executor, borrowed function, struct object **iterators,
                            size_t count, size_t chunk, borrowed jobs)
{
    enum step step;
    int result = 0;

    do {
        struct object *rows = list_new();

        if (!rows)
            return -1;
        step = next_rows(iterators, count, chunk, rows);
        if (step != STEP_ERROR && list_length(rows))
            result = submit_rows(executor, function, rows, jobs);
        decref(rows);
    } while (step == STEP_NEXT && result == 0);
    return step == STEP_ERROR ? -1 : result;
}

/* How many were made; fewer, and an exception is pending. */
static size_t iterate_all(borrowed const *iterables, size_t count, struct object **iterators)
{
    size_t made = 0;

    while (made < count && (iterators[made] = iterate(iterables[made])))
        made++;
    return made;
}

/* `chunk` 0: one by one. */
static struct object *map(borrowed executor, borrowed function, borrowed const *iterables,
                          size_t count, uint64_t timeout_ns, size_t chunk)
{
    uint64_t deadline_ns = block_deadline(timeout_ns);
    struct object *iterators[ARGUMENTS_MOST], *jobs = list_new(), *map = NULL;
    int result = -1;
    size_t made;

    assert(count > 0 && count <= ARGUMENTS_MOST);
    if (!jobs)
        return NULL;
    made = iterate_all(iterables, count, iterators);
    if (made == count && chunk)
        result = submit_in_chunks(executor, function, iterators, count, chunk, jobs);
    else if (made == count)
        result = submit_all(executor, function, iterators, count, jobs);
    if (result == 0)
        map = map_new(jobs, deadline_ns, chunk > 0);
    drop_all(iterators, made);
    decref(jobs);
    return map;
}

struct object *executor_map(borrowed executor, borrowed function, borrowed const *iterables,
                            size_t count, uint64_t timeout_ns)
{
    return map(executor, function, iterables, count, timeout_ns, 0);
}

struct object *executor_map_in_chunks(borrowed executor, borrowed function,
                                      borrowed const *iterables, size_t count, uint64_t timeout_ns,
                                      size_t chunk)
{
    bool copies = class_of(executor)->submit_chunk;

    if (copies && !chunk) {
        exception_set(&value_error, "chunksize must be >= 1.");
        return NULL;
    }
    return map(executor, function, iterables, count, timeout_ns, copies ? chunk : 0);
}
