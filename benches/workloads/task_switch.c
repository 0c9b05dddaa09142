/* task_switch.c - each thread has an event loop, and tasks that pass the turn on.
 *
 * The cheapest thing that a task does: it gives up its turn and has the next one after all the
 * others. What that costs is the loop's ring, the step of a coroutine and the counts of both.
 * Threads share nothing, so without a lock they should not disturb each other; with one they can
 * only take turns.
 */
#include "benches/worker_loop.h"
#include "coroutines/coroutine.h"
#include "coroutines/task.h"
#include "objects/int.h"

#include <inttypes.h>

enum { TASKS };
enum { TURNS = 16 };

struct state {
    struct worker_loop own;
    int64_t left;      /* switches of this step */
    uint64_t switches; /* that there were in it */
};

static enum turn pass(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct state *s = (struct state *)(uintptr_t)int_value(f->reference[0]);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    s->switches++;
    if (--s->left == 0)
        loop_stop(s->own.loop);
    *result = none();
    return TURN_YIELD;
}

static const struct body pass_body = {
    .name = "pass", .kind = COROUTINE, .resume = pass, .references = 1,
};

static int add_task(struct state *s, borrowed address)
{
    struct object *coroutine = generator_new(&pass_body, &address, 1), *task;

    if (!coroutine)
        return -1;
    task = task_new(s->own.loop, coroutine, NULL);
    decref(coroutine);
    xdecref(task); /* the loop holds it */
    return task ? 0 : -1;
}

static int add_tasks(struct state *s, int64_t count)
{
    struct object *address = int_new((int64_t)(uintptr_t)s);
    int result = address ? 0 : -1;

    for (int64_t i = 0; i < count && result == 0; i++)
        result = add_task(s, address);
    xdecref(address);
    return result;
}

static int begin(struct worker *w)
{
    struct state *s = worker_loop_begin(w, sizeof *s);

    return s ? add_tasks(s, w->job->param[TASKS]) : -1;
}

/* All tasks have had as many turns. */
static int count_switches(struct worker *w, const struct state *s)
{
    uint64_t expected = (uint64_t)(TURNS * w->job->param[TASKS]);

    if (s->switches == expected) {
        worker_count(w, expected);
        return 0;
    }
    exception_set(&runtime_error, "%" PRIu64 " switches, not %" PRIu64, s->switches, expected);
    return -1;
}

static int step(struct worker *w)
{
    struct state *s = w->state;

    s->left = TURNS * w->job->param[TASKS];
    s->switches = 0;
    if (loop_run_forever(s->own.loop) < 0)
        return -1;
    return count_switches(w, s);
}

const struct workload workload_task_switch = {
    .about = "each thread runs an event loop of tasks that pass the turn on", .unit = "step",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .alone = "run event loops of their own",
    .param = { { "tasks", "of each thread's loop", 100, 1, 100000 } },
    .roles = { { .name = "loop", .per_thread = 1, .begin = begin, .step = step,
                 .end = worker_loop_end } },
};
