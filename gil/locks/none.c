/* none.c - no global lock: threads run as they like.
 *
 * With a count that any thread may change this is free threading; with `plain`
 * counts it is the accident that the lab measures.
 *
 * As there is no lock, objects have their own (objects/section.h). `naive_containers` is
 * for comparison: they are then simply nested, and kept while a thread waits.
 */
#include "gil/gil.h"
#include "gil/thread.h"

enum { NAIVE };

static int none_init(struct gil *gil)
{
    (void)gil;
    return 0;
}

static void none_fini(struct gil *gil)
{
    (void)gil;
}

static void none_enter(struct gil *gil, struct thread *t)
{
    t->keeps_sections = gil->param[NAIVE];
}

static void none_do(struct gil *gil, struct thread *t)
{
    (void)gil;
    (void)t;
}

const struct gil_class gil_none = {
    .about = "no global lock", .source = "CPython 3.13t and later",
    .size_bytes = sizeof(struct gil), .excludes = false,
    .param = { { "naive_containers", "1: who waits keeps its containers locked, and may deadlock",
                 0, 0, 1 } },
    .init = none_init, .fini = none_fini, .enter = none_enter,
    .acquire = none_do, .release = none_do, .yield = none_do,
};
