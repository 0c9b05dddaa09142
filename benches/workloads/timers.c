/* timers.c - each thread has an event loop, and sets timers, which fire or are cancelled.
 *
 * A server sets a timer for each request, and cancels nearly all of them: so the one without the
 * other, and what is between, by `cancelled_percent`. The deadlines are drawn anew for each step
 * and have all passed, so that nothing is waited for: one turn forgets those that are cancelled
 * and calls the others, in the order of their deadlines. Unit is the timer.
 */
#include "benches/timer_deadlines.h"
#include "benches/worker_loop.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"

#include <inttypes.h>

enum { TIMERS, CANCELLED_PERCENT };

struct state {
    struct worker_loop own;
    struct object *fire;     /* owned; what is called, with the deadline */
    struct object **handle;  /* owned, and those in it while a step runs */
    uint64_t random;
    int64_t set, fired;      /* in this step */
    int64_t last_ns;         /* the deadline that was called last */
    bool disorder;
};

/* Its closure is the address of the state. */
static struct object *note_deadline(borrowed closure, borrowed const *arguments, size_t count)
{
    struct state *s = (struct state *)(uintptr_t)int_value(closure);
    int64_t deadline_ns = int_value(arguments[0]);

    (void)count;
    s->fired++;
    s->disorder |= deadline_ns < s->last_ns;
    s->last_ns = deadline_ns;
    return none();
}

static struct object *new_callback(struct state *s)
{
    struct object *address = int_new((int64_t)(uintptr_t)s), *f = NULL;

    if (address)
        f = function_new("fire", note_deadline, 1, address);
    xdecref(address);
    return f;
}

static int begin(struct worker *w)
{
    struct state *s = worker_loop_begin(w, sizeof *s);

    if (!s)
        return -1;
    s->random = DEADLINES_SEED + (uint64_t)w->index;
    s->handle = calloc((size_t)w->job->param[TIMERS], sizeof *s->handle);
    if (!s->handle) {
        exception_set_no_memory();
        return -1;
    }
    s->fire = new_callback(s);
    return s->fire ? 0 : -1;
}

static void end(struct worker *w)
{
    struct state *s = w->state;

    if (s) {
        xdecref(s->fire);
        free(s->handle);
    }
    worker_loop_end(w);
}

static int set_one(struct state *s)
{
    uint64_t when_ns = deadline_random(&s->random);
    struct object *deadline = int_new((int64_t)when_ns), *handle = NULL;

    if (deadline)
        handle = loop_call_at(s->own.loop, when_ns, s->fire, deadline);
    xdecref(deadline);
    if (!handle)
        return -1;
    s->handle[s->set++] = handle;
    return 0;
}

static int set_all(struct worker *w, struct state *s)
{
    while (s->set < w->job->param[TIMERS]) {
        if (set_one(s) < 0)
            return -1;
        safepoint(w->thread);
    }
    return 0;
}

/* So many of each hundred. */
static bool is_cancelled(const struct job *job, int64_t number)
{
    int64_t percent = job->param[CANCELLED_PERCENT];

    return (number + 1) * percent / 100 > number * percent / 100;
}

static int64_t cancel_some(const struct job *job, struct state *s)
{
    int64_t cancelled = 0;

    for (int64_t i = 0; i < s->set; i++)
        if (is_cancelled(job, i)) {
            handle_cancel(s->handle[i]);
            cancelled++;
        }
    return cancelled;
}

/* One turn. */
static int fire_all(struct state *s)
{
    s->fired = s->last_ns = 0;
    loop_stop(s->own.loop);
    return loop_run_forever(s->own.loop);
}

static int check_fired(const struct state *s, int64_t expected)
{
    if (s->fired == expected && !s->disorder)
        return 0;
    exception_set(&runtime_error, "%" PRId64 " timers fired, not %" PRId64 "%s", s->fired,
                  expected, s->disorder ? "; out of order" : "");
    return -1;
}

static int step(struct worker *w)
{
    struct state *s = w->state;
    int result;

    s->set = 0;
    result = set_all(w, s);
    if (result == 0) {
        int64_t cancelled = cancel_some(w->job, s);

        result = fire_all(s) < 0 ? -1 : check_fired(s, s->set - cancelled);
    }
    for (int64_t i = 0; i < s->set; i++)
        decref(s->handle[i]);
    if (result == 0)
        worker_count(w, (uint64_t)s->set);
    return result;
}

const struct workload workload_timers = {
    .about = "each thread's event loop sets timers, which fire or are cancelled", .unit = "timer",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .alone = "run event loops of their own",
    .param = { { "timers", "that are set at a time", 1000, 1, 1000000 },
               { "cancelled_percent", "of them that are cancelled; the others fire", 0, 0, 100 } },
    .roles = { { .name = "loop", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
