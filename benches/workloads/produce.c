/* produce.c - items, one a step: the producer's side of a pipeline between processes.
 *
 * Processes share no object, so what one makes for another goes there as bytes. That is what the
 * unit `process` does with each result: so there an item counts when the parent, the consumer, has
 * read it and made an object of it (`--unit process:bytes=64`, and what `steps` says of how many go
 * together). In all other units nobody takes them, and they are dropped: what it costs to make
 * them. Where objects can be handed over, `pipeline` does that.
 */
#include "benches/workload.h"
#include "objects/int.h"

static int step(struct worker *w)
{
    struct object *item = int_new((int64_t)worker_random(w));

    if (!item)
        return -1;
    decref(item);
    worker_count(w, 1);
    safepoint(w->thread);
    return 0;
}

const struct workload workload_produce = {
    .about = "items, one a step; in processes each is sent to the parent, and counts there",
    .unit = "item", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "producer", .per_thread = 1, .step = step } },
};
