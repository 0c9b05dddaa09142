/* none.c - no global lock: threads run as they like.
 *
 * With a count that any thread may change this is free threading; with `plain`
 * counts it is the accident that the lab measures.
 */
#include "gil/gil.h"

static int none_init(struct gil *gil)
{
    (void)gil;
    return 0;
}

static void none_fini(struct gil *gil)
{
    (void)gil;
}

static void none_do(struct gil *gil, struct thread *t)
{
    (void)gil;
    (void)t;
}

const struct gil_class gil_none = {
    .about = "no global lock", .source = "CPython 3.13t and later",
    .size_bytes = sizeof(struct gil), .excludes = false,
    .init = none_init, .fini = none_fini,
    .acquire = none_do, .release = none_do, .yield = none_do,
};
