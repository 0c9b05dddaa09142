/* bridge_lets_go_early.c - bridge.c, but whoever brings a result drops the future before that.
 *
 * The fault: that may have been the last reference to it, and to its loop. Then the letter goes to
 * a loop that is no more.
 *
 * Instead of: coroutines/bridge.c
 * Under: plain atomic
 * Caught by: coroutines/tests/test_bridge (debug asan)
 */
#include "coroutines/loop.h"

static inline bool let_go_and_send(borrowed loop, struct mail *mail, loop_action *act,
                                   borrowed target, borrowed argument)
{
    bool sent;

    decref((struct object *)target);
    sent = loop_send(loop, mail, act, target, argument);
    incref(target); /* which its sender will drop */
    return sent;
}

#define loop_send let_go_and_send
#include "coroutines/bridge.c"
