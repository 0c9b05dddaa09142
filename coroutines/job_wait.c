/* job_wait.c - waiting for several jobs: concurrent.futures' wait and as_completed. */
#include "coroutines/job_wait.h"

#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/iterator.h"
#include "objects/none.h"
#include "objects/set.h"

static bool is_done(borrowed job)
{
    return job_state(job) >= JOB_CANCELLED_AND_NOTIFIED;
}

static bool has_failed(borrowed job)
{
    return job_state(job) == JOB_FINISHED && as_job(job)->failed;
}

static int add_job(borrowed set, borrowed job)
{
    if (type_of(job) == &job_type)
        return set_add(set, job);
    exception_set(&type_error, "'%s' object is not a Future", type_of(job)->name);
    return -1;
}

static int add_jobs(borrowed set, borrowed iterator)
{
    struct object *job;
    enum step step;
    int result = 0;

    while (result == 0 && (step = iterator_step(iterator, &job)) != STEP_RETURN) {
        if (step == STEP_ERROR)
            return -1;
        result = add_job(set, job);
        decref(job);
    }
    return result;
}

/* A new set of them: each once, in the order in which they came. */
static struct object *set_of_jobs(borrowed jobs)
{
    struct object *set = set_new(), *iterator = set ? iterate(jobs) : NULL;

    if (iterator && add_jobs(set, iterator) == 0) {
        decref(iterator);
        return set;
    }
    xdecref(iterator);
    xdecref(set);
    return NULL;
}

/* ---- wait ---- */

struct wait {
    enum job_wait_for what;   /* set once */
    _Atomic size_t missing;   /* atomic; jobs that have not told yet */
    _Atomic uint32_t word;    /* atomic; block.h */
};

struct wait_follower {
    struct follower follower;
    struct wait *wait;     /* set once */
    struct object *job;    /* set once; owned */
};

/* Whether the wait is over: one more is done. */
static bool count_one(struct wait *w, bool failed)
{
    bool last = atomic_fetch_sub_explicit(&w->missing, 1, memory_order_acq_rel) == 1;

    return last || w->what == JOB_WAIT_FIRST_COMPLETED ||
           (failed && w->what == JOB_WAIT_FIRST_EXCEPTION);
}

static _Atomic uint32_t *tell_wait(struct follower *f, bool failed)
{
    struct wait *w = ((struct wait_follower *)f)->wait;

    return count_one(w, failed) ? &w->word : NULL;
}

/* Each of `followers` has its job. */
static void wait_for_all(struct wait *w, struct wait_follower *followers, size_t count,
                         uint64_t deadline_ns)
{
    for (size_t i = 0; i < count; i++)
        if (!job_follow(followers[i].job, &followers[i].follower) &&
            count_one(w, has_failed(followers[i].job)))
            block_end(&w->word);
    block_until(&w->word, deadline_ns, BLOCK_SPIN);
    for (size_t i = 0; i < count; i++)
        job_unfollow(followers[i].job, &followers[i].follower);
}

/* The sum of their sizes must not overflow, nor the set change: it is nobody else's. */
static int wait_for_set(borrowed set, uint64_t deadline_ns, enum job_wait_for what)
{
    size_t count = set_length(set), size_bytes = count * sizeof(struct wait_follower), cursor = 0;
    struct wait w = { .what = what, .missing = count };
    struct wait_follower *followers;

    if (!count)
        return 0;
    followers = heap_alloc_table(size_bytes);
    if (!followers) {
        exception_set_no_memory();
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        followers[i] = (struct wait_follower){ .follower = { .tell = tell_wait }, .wait = &w,
                                               .job = set_next(set, &cursor) };
    wait_for_all(&w, followers, count, deadline_ns);
    for (size_t i = 0; i < count; i++)
        decref(followers[i].job);
    heap_free_table(followers, size_bytes);
    return 0;
}

static int sort_out(borrowed set, borrowed done, borrowed not_done)
{
    struct object *job;
    size_t cursor = 0;
    int result = 0;

    while (result == 0 && (job = set_next(set, &cursor))) {
        result = set_add(is_done(job) ? done : not_done, job);
        decref(job);
    }
    return result;
}

int job_wait(borrowed jobs, uint64_t timeout_ns, enum job_wait_for what, struct object **done,
             struct object **not_done)
{
    uint64_t deadline_ns = block_deadline(timeout_ns);
    struct object *set = set_of_jobs(jobs);
    int result = -1;

    *done = *not_done = NULL;
    if (set && (*done = set_new()) && (*not_done = set_new()) &&
        wait_for_set(set, deadline_ns, what) == 0)
        result = sort_out(set, *done, *not_done);
    xdecref(set);
    if (result < 0) {
        xdecref(*done);
        xdecref(*not_done);
        *done = *not_done = NULL;
    }
    return result;
}

/* ---- as_completed ---- */

struct completion;

struct entry {
    struct follower follower;
    struct completion *of; /* set once */
    struct object *job;    /* of's lock; owned; NULL: it has been given */
    struct entry *next;    /* of's lock; the next that is ready */
};

/* Its lock may be taken under that of a job. */
struct completion {
    struct object head;
    struct bytelock lock;
    _Atomic uint32_t word;       /* lock to clear it; block.h: one is ready, or none is left */
    size_t count, left;          /* set once; lock: entries, and those not given */
    struct entry *first, **end;  /* lock; those that are ready, in the order in which they were */
    uint64_t deadline_ns;        /* set once */
    struct entry *entries;       /* set once */
};

static struct completion *as_completion(borrowed o)
{
    return (struct completion *)o;
}

static void become_ready(struct entry *e)
{
    struct completion *c = e->of;

    bytelock_lock(&c->lock);
    e->next = NULL;
    *c->end = e;
    c->end = &e->next;
    bytelock_unlock(&c->lock);
}

static _Atomic uint32_t *tell_completion(struct follower *f, bool failed)
{
    (void)failed;
    become_ready((struct entry *)f);
    return &((struct entry *)f)->of->word;
}

/* The next that is ready, the caller's; NULL: none is. *left: how many have not been given. */
static struct object *take_ready(struct completion *c, size_t *left)
{
    struct object *job = NULL;
    struct entry *e;

    bytelock_lock(&c->lock);
    e = c->left ? c->first : NULL; /* one may still have become ready after the end */
    if (e) {
        c->first = e->next;
        c->end = c->first ? c->end : &c->first;
        job = e->job;
        e->job = NULL;
        c->left--;
    }
    if (!c->first && c->left)
        atomic_fetch_and_explicit(&c->word, ~(uint32_t)BLOCK_OVER, memory_order_relaxed);
    *left = c->left;
    bytelock_unlock(&c->lock);
    return job;
}

/* Not one that was given, or that another thread is about to be given. */
static struct object *take_left(struct completion *c, struct entry *e)
{
    struct object *job;

    bytelock_lock(&c->lock);
    job = e->job;
    e->job = NULL;
    bytelock_unlock(&c->lock);
    return job;
}

/* It is exhausted, and follows nobody any more. */
static void end(struct completion *c)
{
    bytelock_lock(&c->lock);
    c->left = 0;
    c->first = NULL;
    c->end = &c->first;
    bytelock_unlock(&c->lock);
    for (size_t i = 0; i < c->count; i++) {
        struct object *job = take_left(c, &c->entries[i]);

        if (!job)
            continue;
        job_unfollow(job, &c->entries[i].follower);
        decref(job);
    }
    block_end(&c->word);
}

static enum step give_up(struct completion *c, size_t left)
{
    end(c);
    exception_set(&timeout_error, "%zu (of %zu) futures unfinished", left, c->count);
    return STEP_ERROR;
}

static enum step completion_next(struct object *o, struct object **result)
{
    struct completion *c = as_completion(o);
    size_t left;

    while (!(*result = take_ready(c, &left)) && left)
        if (!block_until(&c->word, c->deadline_ns, BLOCK_SPIN))
            return give_up(c, left);
    if (!left)
        block_end(&c->word); /* others may wait for one that will not come */
    if (*result)
        return STEP_NEXT;
    *result = none();
    return STEP_RETURN;
}

static void completion_clear(struct object *o)
{
    end(as_completion(o));
}

static void completion_destroy(struct object *o)
{
    struct completion *c = as_completion(o);

    end(c);
    if (c->entries)
        heap_free_table(c->entries, c->count * sizeof *c->entries);
}

static void completion_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                                void *argument)
{
    const struct completion *c = as_completion(o);

    for (size_t i = 0; i < c->count; i++)
        if (c->entries[i].job)
            visit(c->entries[i].job, argument);
}

static const struct type completion_type = {
    .name = "generator", .size_bytes = sizeof(struct completion), .destroy = completion_destroy,
    .clear = completion_clear, .traverse = completion_traverse, .iterate = incref,
    .next = completion_next,
};

/* Without entries. NULL: MemoryError. */
static struct completion *completion_new(uint64_t deadline_ns)
{
    struct completion *c = (struct completion *)container_new(&completion_type, sizeof *c);

    if (!c)
        return NULL;
    bytelock_init(&c->lock);
    atomic_init(&c->word, 0);
    c->count = c->left = 0;
    c->first = NULL;
    c->end = &c->first;
    c->deadline_ns = deadline_ns;
    c->entries = NULL;
    return c;
}

static int follow_all(struct completion *c, borrowed set)
{
    size_t count = set_length(set), cursor = 0;

    if (!count)
        return 0;
    c->entries = heap_alloc_table(count * sizeof *c->entries);
    if (!c->entries) {
        exception_set_no_memory();
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        c->entries[i] = (struct entry){ .follower = { .tell = tell_completion }, .of = c,
                                        .job = set_next(set, &cursor) };
    c->count = c->left = count;
    for (size_t i = 0; i < count; i++)
        if (!job_follow(c->entries[i].job, &c->entries[i].follower))
            become_ready(&c->entries[i]);
    return 0;
}

struct object *job_wait_iterate(borrowed jobs, uint64_t timeout_ns)
{
    uint64_t deadline_ns = block_deadline(timeout_ns);
    struct object *set = set_of_jobs(jobs);
    struct completion *c = set ? completion_new(deadline_ns) : NULL;

    if (c && follow_all(c, set) < 0) {
        decref(&c->head);
        c = NULL;
    }
    xdecref(set);
    return c ? &c->head : NULL;
}
