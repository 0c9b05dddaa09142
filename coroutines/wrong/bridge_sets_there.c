/* bridge_sets_there.c - bridge.c, but whoever brings a result sets the future himself.
 *
 * The fault: a future is the loop's thread's, and so is the ring into which its callbacks go. Two
 * threads write them at once.
 *
 * Instead of: coroutines/bridge.c
 * Under: atomic
 * Caught by: coroutines/tests/test_bridge (tsan)
 */
#include "coroutines/loop.h"

/* What concerns a job alone is brought as it should be. */
static inline bool set_there(borrowed loop, struct mail *mail, loop_action *act, borrowed target,
                             borrowed job)
{
    if (!job)
        return loop_send(loop, mail, act, target, job);
    mail_free(mail);
    act(loop, target, job);
    loop_wake(loop);
    return true;
}

#define loop_send set_there
#include "coroutines/bridge.c"
