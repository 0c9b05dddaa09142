/* patch_waits_detached.c - patch.c, but a thread that is detached waits by its hub as well.
 *
 * The fault: it runs greenlets without the lock.
 *
 * Instead of: coroutines/patch.c
 * Under: plain
 * Caught by: coroutines/tests/test_patch (debug asan)
 */
#include "coroutines/hub.h"
#include "coroutines/patch.h"
#include "gil/mutex.h"

#undef atomic_load_explicit
#define atomic_load_explicit(state, order) THREAD_ATTACHED
#include "coroutines/patch.c"
