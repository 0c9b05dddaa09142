/* greenlet_keeps_locks.c - greenlet.c, but who is left keeps the locks of its sections.
 *
 * The fault: the next greenlet of the thread that wants one of them waits for ever, for only the
 * thread itself could go on with who has it (greenlet issues 513 and 518).
 *
 * Instead of: coroutines/greenlet.c
 * Under: atomic
 * Caught by: coroutines/tests/test_greenlet_threads (debug asan tsan)
 */
#include "objects/execution.h"

static inline void keep_locks(struct execution *e)
{
    *e = (struct execution){ .sections = thread_self->sections };
    thread_self->sections = NULL;
}

#define execution_leave keep_locks
#include "coroutines/greenlet.c"
