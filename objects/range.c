/* range.c - the ints from one up to another. */
#include "objects/range.h"

#include "objects/int.h"
#include "objects/iterator.h"

#include <inttypes.h>
#include <stdio.h>

struct range {
    struct object head;
    int64_t start, stop; /* set once */
};

struct object *range_new(int64_t start, int64_t stop)
{
    struct range *r = (struct range *)object_new(&range_type, sizeof(struct range));

    if (!r)
        return NULL;
    r->start = start;
    r->stop = stop;
    return &r->head;
}

/* Unsigned, for there may be more ints in between than an int64_t can say. */
static enum step int_at(borrowed o, struct place *place, struct object **item)
{
    const struct range *r = (const struct range *)o;

    if (place->position == place->length)
        return STEP_RETURN;
    *item = int_new((int64_t)((uint64_t)r->start + place->position++));
    return *item ? STEP_NEXT : STEP_ERROR;
}

static struct object *range_iterate(borrowed o)
{
    const struct range *r = (const struct range *)o;
    size_t length = r->start < r->stop ? (uint64_t)r->stop - (uint64_t)r->start : 0;

    return iterator_new(o, int_at, (struct place){ .length = length });
}

static void range_repr(borrowed o, char *text, size_t size_bytes)
{
    const struct range *r = (const struct range *)o;

    snprintf(text, size_bytes, "range(%" PRId64 ", %" PRId64 ")", r->start, r->stop);
}

const struct type range_type = {
    .name = "range", .size_bytes = sizeof(struct range), .iterate = range_iterate,
    .repr = range_repr,
};
