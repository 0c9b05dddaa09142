/* thread_local.c - local.x, where `local` is one object and x each thread's own.
 *
 * One shared dict says for each thread which dict is its own. Where no GIL does it, each
 * read locks the shared one; what it finds there only its thread counts. (ftscalingbench's
 * thread_local_read: twice to three times slower on ten threads than on one in CPython 3.13t,
 * PR 125986.)
 */
#include "benches/program.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/str.h"

#include <stdlib.h>

enum { READS = 512 };

struct self {
    struct object *number, *name; /* owned; this thread's, and "x" */
};

/* The job's state is a dict, from a thread's number to the dict of its own. Each thread's place is
 * there already, for with no lock at all it could not be added. */
static int setup(struct job *job)
{
    struct object *local = dict_new();

    job->state = local;
    for (int i = 0; i < job->threads && local; i++) {
        struct object *number = int_new(i);
        int result = number ? dict_set(local, number, none()) : -1;

        xdecref(number);
        if (result < 0)
            return -1;
    }
    if (!local)
        return -1;
    program_share(job, local);
    return 0;
}

static int put_own_dict(borrowed local, const struct self *self, int value)
{
    struct object *own = dict_new(), *x = int_new(value);
    int result = -1;

    if (own && x && dict_set(own, self->name, x) == 0)
        result = dict_set(local, self->number, own);
    xdecref(own);
    xdecref(x);
    return result;
}

static void end(struct worker *w)
{
    struct self *self = w->state;

    if (!self)
        return;
    xdecref(self->number);
    xdecref(self->name);
    free(self);
}

static int begin(struct worker *w)
{
    struct self *self = malloc(sizeof *self);

    w->state = self;
    if (!self) {
        exception_set_no_memory();
        return -1;
    }
    *self = (struct self){ int_new(w->index), str_new("x") };
    return self->number && self->name ? put_own_dict(w->job->state, self, w->index) : -1;
}

/* A new reference; NULL: an exception is pending. */
static struct object *read_x(borrowed local, const struct self *self)
{
    struct object *own = dict_get(local, self->number), *x;

    if (!own)
        return NULL;
    x = dict_get(own, self->name);
    decref(own);
    return x;
}

static int step(struct worker *w)
{
    int64_t sum = 0, right = (int64_t)w->index * READS;

    for (int i = 0; i < READS; i++) {
        struct object *x = read_x(w->job->state, w->state);

        if (!x)
            return -1;
        sum += int_value(x);
        decref(x);
        safepoint(w->thread);
    }
    if (sum != right) {
        exception_set(&runtime_error, "thread %d reads %lld in sum, not %lld", w->index,
                      (long long)sum, (long long)right);
        return -1;
    }
    worker_count(w, READS);
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    (void)ops;
    return program_check(job->state, 1);
}

static void teardown(struct job *job)
{
    xdecref(job->state);
    job->state = NULL;
}

const struct workload workload_thread_local = {
    .about = "each thread reads a dict of its own, which it finds by a dict that all share",
    .unit = "read", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED },
    .roles = { { .name = "reader", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = teardown,
};
