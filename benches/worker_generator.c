/* worker_generator.c - workloads each of whose threads has a generator of its own. */
#include "benches/worker_generator.h"

#include "benches/stepping.h"
#include "objects/int.h"
#include "objects/iterator.h"

#include <inttypes.h>
#include <stdlib.h>

int worker_generator_begin(struct worker *w, struct object *generator)
{
    struct worker_generator *s;

    if (!generator)
        return -1;
    s = calloc(1, sizeof *s);
    if (!s) {
        decref(generator);
        exception_set_no_memory();
        return -1;
    }
    s->generator = generator;
    w->state = s;
    return 0;
}

void worker_generator_end(struct worker *w)
{
    struct worker_generator *s = w->state;

    if (s)
        decref(s->generator);
    free(s);
    w->state = NULL;
}

static enum turn count_up(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    int64_t *next = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    f->at = 1;
    *result = int_new((*next)++);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static const struct body count_body = {
    .name = "count", .resume = count_up, .locals_bytes = sizeof(int64_t),
};

struct object *counting_new(int depth)
{
    return stepping_around(generator_new(&count_body, NULL, 0), depth);
}

int counting_take(struct worker *w, int count)
{
    struct worker_generator *s = w->state;

    for (int i = 0; i < count; i++) {
        if (expect_number(iterator_next(s->generator), s->number++) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, (uint64_t)count);
    return 0;
}

int expect_number(struct object *number, int64_t expected)
{
    bool right = number && type_of(number) == &int_type && int_value(number) == expected;

    if (number && !right)
        exception_set(&runtime_error, "a wrong answer instead of %" PRId64, expected);
    xdecref(number);
    return right ? 0 : -1;
}
