/* stackful_leaves_nothing.c - stackful.c, but the thread keeps what belongs to the stack it leaves.
 *
 * The fault: destructors that are under way in a function that has yielded count for whoever runs
 * then, and what dies meanwhile waits for them.
 *
 * Instead of: coroutines/stackful.c
 * Under: plain
 * Caught by: coroutines/tests/test_stackful (debug)
 */
#include "objects/execution.h"

#define execution_leave(e) ((void)(*(e) = (struct execution){ 0 }))
#include "coroutines/stackful.c"
