/* generator_keeps_to_itself.c - generator.c, but what a turn has put into a published frame is not.
 *
 * The fault: the next thread that resumes the generator finds objects in its frame that no one
 * has told the policy of.
 *
 * Instead of: coroutines/generator.c
 * Under: atomic
 * Caught by: coroutines/tests/test_generator (debug asan tsan)
 */
#include "objects/object.h"

static inline void tell_nobody(borrowed o)
{
    (void)o;
}

#define publish(o) tell_nobody(o)
#include "coroutines/generator.c"
