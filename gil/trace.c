/* trace.c - the ring. */
#include "gil/trace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int trace_ring_init(struct trace_ring *r, size_t places)
{
    *r = (struct trace_ring){ .places = 1 };
    while (r->places < places)
        r->places *= 2;
    r->place = malloc(r->places * sizeof *r->place);
    if (!r->place)
        return -1;
    /* Not zeroes, of which calloc's pages have none yet: a page fault costs more than all
     * that is written into the page. */
    memset(r->place, 0xff, r->places * sizeof *r->place);
    return 0;
}

void trace_ring_fini(struct trace_ring *r)
{
    free(r->place);
    *r = (struct trace_ring){ 0 };
}

void trace_ring_write(struct trace_ring *r, const struct gil_window *w, struct moment m)
{
    struct moment *place = &r->place[r->written & (r->places - 1)];

    if (r->written >= r->places && gil_window_has(w, place->ns))
        r->dropped++;
    *place = m;
    r->written++;
}

size_t trace_ring_count(const struct trace_ring *r)
{
    return r->written < r->places ? (size_t)r->written : r->places;
}

const struct moment *trace_ring_at(const struct trace_ring *r, size_t i)
{
    uint64_t oldest = r->written - trace_ring_count(r);

    assert(i < trace_ring_count(r));
    return &r->place[(oldest + i) & (r->places - 1)];
}
