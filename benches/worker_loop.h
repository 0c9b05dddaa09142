/* worker_loop.h - workloads each of whose threads has an event loop of its own. */
#ifndef BENCHES_WORKER_LOOP_H
#define BENCHES_WORKER_LOOP_H

#include "benches/workload.h"
#include "coroutines/loop.h"
#include "objects/exception.h"

#include <stdlib.h>

/* What such a worker's state begins with. */
struct worker_loop {
    struct object *loop; /* owned */
};

/* Makes w->state, of so many bytes, which begins with a loop and is zero behind it. NULL: an
 * exception is pending; worker_loop_end is called all the same. */
static inline void *worker_loop_begin(struct worker *w, size_t size_bytes)
{
    struct worker_loop *s = calloc(1, size_bytes);

    w->state = s;
    if (!s) {
        exception_set_no_memory();
        return NULL;
    }
    s->loop = loop_new();
    return s->loop ? s : NULL;
}

/* Closes and frees what there is. */
static inline void worker_loop_end(struct worker *w)
{
    struct worker_loop *s = w->state;

    if (s && s->loop) {
        loop_close(s->loop);
        decref(s->loop);
    }
    free(s);
    w->state = NULL;
}

#endif
