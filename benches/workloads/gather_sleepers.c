/* gather_sleepers.c - each thread has an event loop, and ten thousand sleepers that it waits for.
 *
 * Making a task, setting a timer, waking up and handing over a result, ten thousand times at once:
 * all that an event loop is for, and nothing else. Unit is the sleeper. The sleep is short, so most
 * of the time is work.
 */
#include "benches/worker_loop.h"
#include "coroutines/gather.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "objects/int.h"
#include "objects/list.h"

enum { SLEEPERS, SLEEP_US };

struct state {
    struct worker_loop own;
    struct object **coroutine; /* as many as there are sleepers; owned while a step makes them */
    int64_t count;
};

static int begin(struct worker *w)
{
    struct state *s = worker_loop_begin(w, sizeof *s);

    if (!s)
        return -1;
    s->coroutine = calloc((size_t)w->job->param[SLEEPERS], sizeof *s->coroutine);
    if (!s->coroutine)
        exception_set_no_memory();
    return s->coroutine ? 0 : -1;
}

static void end(struct worker *w)
{
    struct state *s = w->state;

    if (s)
        free(s->coroutine);
    worker_loop_end(w);
}

static int make_sleepers(struct state *s, const struct job *job)
{
    for (s->count = 0; s->count < job->param[SLEEPERS]; s->count++) {
        struct object *number = int_new(s->count), *coroutine = NULL;

        if (number)
            coroutine = sleep_new(job->param[SLEEP_US] * 1000, number);
        xdecref(number);
        if (!coroutine)
            return -1;
        s->coroutine[s->count] = coroutine;
    }
    return 0;
}

static void drop_sleepers(struct state *s)
{
    while (s->count)
        decref(s->coroutine[--s->count]);
}

/* Each has given its number, in its place. */
static int check_numbers(borrowed row, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        struct object *number = list_get(row, (size_t)i);
        bool right = number && int_value(number) == i;

        xdecref(number);
        if (!right) {
            exception_set(&runtime_error, "sleeper %lld gave another number", (long long)i);
            return -1;
        }
    }
    return 0;
}

static struct object *gather_all(struct state *s)
{
    return gather(s->own.loop, (borrowed const *)s->coroutine, (size_t)s->count, false);
}

static int step(struct worker *w)
{
    struct state *s = w->state;
    struct object *all = NULL, *row = NULL;
    int64_t count = w->job->param[SLEEPERS];
    int result = make_sleepers(s, w->job);

    if (result == 0)
        all = gather_all(s);
    drop_sleepers(s);
    if (all)
        row = run_until_complete(s->own.loop, all);
    xdecref(all);
    result = row ? check_numbers(row, count) : -1;
    xdecref(row);
    if (result == 0)
        worker_count(w, (uint64_t)count);
    return result;
}

const struct workload workload_gather_sleepers = {
    .about = "each thread's event loop waits for ten thousand tasks that sleep at the same time",
    .unit = "sleeper",
    .kind = KIND_MIXED,
    .shares = SHARES_NOTHING,
    .least_threads = 1,
    .isolated = true,
    .alone = "run event loops of their own",
    .param = { { "sleepers", "at once, on each thread's loop", 10000, 1, 1000000 },
               { "sleep", "us that each sleeps", 1000, 0, 10000000 } },
    .roles = { { .name = "loop", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
