/* hub_never_exits.c - hub.c, but its loop runs also where nothing can wake it.
 *
 * The fault: LoopExit is never raised, so greenlets that wait for one another wait for ever.
 *
 * Instead of: coroutines/hub.c
 * Under: plain
 * Caught by: coroutines/tests/test_hub (debug asan tsan)
 */
#include "coroutines/loop.h"

#define loop_run_until_idle loop_run_forever
#include "coroutines/hub.c"
