/* enters_late.c - qsbr.c, but a thread that attaches is seen only once it is first quiet.
 *
 * The fault: its first reads come before others know of it, who then free what it reads.
 * Instead of: gil/qsbr.c
 * Under: atomic
 * Caught by: objects/tests/test_reclaim (debug asan tsan)
 */
#define qsbr_enter right_qsbr_enter
#include "gil/qsbr.c"
#undef qsbr_enter

void qsbr_enter(struct thread *t);

void qsbr_enter(struct thread *t)
{
    thread_request(t, BREAKER_QUIET);
}
