/* producer_consumer.c - each thread drives a consumer: it sends items, and takes the replies.
 *
 * The two sides of a generator, as in the tutorial (`lab demo consumer-producer`): the step of a
 * generator both ways, with a number that goes in and a text that comes out. A consumer is sent
 * some items, and then 0, which ends it.
 */
#include "benches/consumer.h"
#include "benches/job_state.h"
#include "objects/int.h"
#include "objects/str.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS = 64 };

/* By item; to None "ready". */
struct state {
    char expected[ITEMS + 1][CONSUMER_REPLY_BYTES]; /* set once */
};

static int setup(struct job *job)
{
    struct state *s = job_state_new(job, sizeof *s);

    if (!s)
        return -1;
    snprintf(s->expected[0], CONSUMER_REPLY_BYTES, "ready");
    for (int i = 1; i <= ITEMS; i++)
        snprintf(s->expected[i], CONSUMER_REPLY_BYTES, "ok %d", i);
    return 0;
}

/* Sends it, and looks at the reply. */
static int produce(struct object *target, borrowed item, const char *reply)
{
    struct object *answer;
    enum step step = generator_send(target, item, &answer);
    bool right = step == STEP_NEXT && strcmp(str_text(answer), reply) == 0;

    if (step == STEP_ERROR)
        return -1;
    decref(answer);
    if (!right)
        exception_set(&runtime_error, "another reply than '%s'", reply);
    return right ? 0 : -1;
}

static int produce_number(const struct state *s, struct object *target, int number)
{
    struct object *item = int_new(number);
    int result = item ? produce(target, item, s->expected[number]) : -1;

    xdecref(item);
    return result;
}

/* 0 ends it. */
static int end_consumer(struct object *target)
{
    struct object *zero = int_new(0), *answer;
    enum step step = zero ? generator_send(target, zero, &answer) : STEP_ERROR;

    xdecref(zero);
    if (step == STEP_ERROR)
        return -1;
    decref(answer);
    if (step == STEP_NEXT)
        exception_set(&runtime_error, "the consumer goes on after 0");
    return step == STEP_RETURN ? 0 : -1;
}

static int produce_all(struct worker *w, struct object *target)
{
    const struct state *s = w->job->state;

    if (produce(target, none(), s->expected[0]) < 0)
        return -1;
    for (int i = 1; i <= ITEMS; i++) {
        if (produce_number(s, target, i) < 0)
            return -1;
        safepoint(w->thread);
    }
    return end_consumer(target);
}

static int step(struct worker *w)
{
    struct object *target = consumer_new(false);
    int result = target ? produce_all(w, target) : -1;

    xdecref(target);
    if (result == 0)
        worker_count(w, ITEMS);
    return result;
}

const struct workload workload_producer_consumer = {
    .about = "each thread sends items to a consumer, and takes its replies", .unit = "item",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "producer", .per_thread = 1, .step = step } },
    .setup = setup, .teardown = job_state_free,
};
