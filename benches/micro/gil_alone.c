/* gil_alone.c - the global lock let go and taken, without the thread's state.
 *
 * `gil_pair` is what a blocking call pays; this is the lock's own share of it, to be held
 * against `bare_exchange`. The calls through pointers are part of it.
 */
#include "benches/micro.h"

#include "gil/gil.h"
#include "gil/thread.h"

/* The caller is the only thread there is: nobody can stop it while it has no lock. */
MEASURED static void run(uint64_t iterations)
{
    struct thread *t = thread_self;

    for (uint64_t i = 0; i < iterations; i++) {
        t->gil->class->release(t->gil, t);
        t->gil->class->acquire(t->gil, t);
    }
}

const struct micro micro_gil_alone = {
    .about = "the global lock let go and taken by one thread, and nothing else",
    .once = true, .per_lock = true, .run = run,
};
