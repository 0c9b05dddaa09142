/* generator_new.c - a generator made, run to its end in two steps, and dropped. */
#include "benches/micro.h"

#include "benches/workload.h"
#include "coroutines/generator.h"

static enum turn once(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = none();
    return f->at++ ? TURN_RETURN : TURN_YIELD;
}

static const struct body body = { .name = "once", .resume = once };

MEASURED static void run(uint64_t iterations)
{
    struct object *item;

    for (uint64_t i = 0; i < iterations; i++) {
        struct object *g = generator_new(&body, NULL, 0);

        if (!g) {
            exception_restore(NULL);
            continue;
        }
        generator_send(g, none(), &item);
        generator_send(g, none(), &item);
        decref(g);
    }
}

const struct micro micro_generator_new = {
    .about = "a generator made, run to its end, and dropped", .per_heap = true, .run = run,
};
