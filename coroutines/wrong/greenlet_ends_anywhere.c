/* greenlet_ends_anywhere.c - greenlet.c, but what is one thread's is taken for every thread's.
 *
 * The fault: whoever drops the last reference unwinds the stack, on whichever thread that is.
 *
 * Instead of: coroutines/greenlet.c
 * Under: atomic
 * Caught by: coroutines/tests/test_greenlet_threads (debug asan tsan)
 */
#include "coroutines/greenlet.h"
#include "coroutines/switch/carriers.h"
#include "gil/mutex.h"
#include "objects/collector.h"
#include "objects/execution.h"
#include "objects/function.h"
#include "objects/none.h"
#include "objects/section.h"
#include "objects/warning.h"

#define _Thread_local
#include "coroutines/greenlet.c"
