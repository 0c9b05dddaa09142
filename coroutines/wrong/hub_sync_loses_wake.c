/* hub_sync_loses_wake.c - hub_sync.c, but who is killed when he has been woken wakes nobody in his
 * place.
 *
 * The fault: what was released is there, and those that wait for it are not told.
 *
 * Instead of: coroutines/hub_sync.c
 * Under: plain
 * Caught by: coroutines/tests/test_hub (debug asan tsan)
 */
#include "coroutines/hub.h"
#include "objects/exception.h"

static inline bool wake_unless_killed(struct hub_line *line)
{
    return !exception_pending() && hub_line_wake(line);
}

#define hub_line_wake wake_unless_killed
#include "coroutines/hub_sync.c"
