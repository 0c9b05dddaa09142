/* int_new.c - an int made and dropped: allocation, counting, and free. */
#include "benches/micro.h"

#include "benches/workload.h"
#include "objects/int.h"

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        struct object *o = int_new((int64_t)i);

        barrier(o);
        xdecref(o);
    }
}

const struct micro micro_int_new = {
    .about = "an int made and dropped", .per_heap = true, .run = run,
};
