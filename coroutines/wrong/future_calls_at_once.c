/* future_calls_at_once.c - future.c, but whoever sets a result calls the callbacks himself.
 *
 * The fault: they run in the middle of whatever he does, before what was ready long ago, and nest
 * as deep as futures await each other.
 *
 * Instead of: coroutines/future.c
 * Under: plain
 * Caught by: coroutines/tests/test_future (debug asan tsan)
 */
#include "coroutines/loop.h"
#include "objects/exception.h"

static inline void call_at_once(borrowed loop, loop_action *act, struct object *target,
                                borrowed argument)
{
    loop_unpromise(loop);
    if (act(loop, target, argument) < 0)
        exception_restore(NULL);
    decref(target);
}

#define loop_pass_on call_at_once
#include "coroutines/future.c"
