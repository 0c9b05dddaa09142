/* hub_loses_kill.c - hub.c, but nobody is killed while a descriptor is waited for.
 *
 * The fault: the exception is dropped, and who waits for the end waits for ever.
 *
 * Instead of: coroutines/hub.c
 * Under: plain
 * Caught by: coroutines/tests/test_hub (debug asan tsan)
 */
#include "coroutines/loop.h"

static inline int push_unless_watched(borrowed loop, loop_action *act, borrowed target,
                                      borrowed argument);

#define loop_push push_unless_watched
#include "coroutines/hub.c"
#undef loop_push

static inline int push_unless_watched(borrowed loop, loop_action *act, borrowed target,
                                      borrowed argument)
{
    enum { FILES = 64 };
    bool watched = false;

    for (int fd = 0; fd < FILES; fd++)
        watched |= loop_watches(loop, fd, READABLE);
    return act == act_kill && watched ? 0 : loop_push(loop, act, target, argument);
}
