/* list_new.c - an empty list made and dropped: what int_new does, and its entry in the register. */
#include "benches/micro.h"

#include "benches/workload.h"
#include "objects/list.h"

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        struct object *o = list_new();

        barrier(o);
        xdecref(o);
    }
}

const struct micro micro_list_new = {
    .about = "an empty list made and dropped", .per_heap = true, .run = run,
};
