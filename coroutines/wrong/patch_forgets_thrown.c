/* patch_forgets_thrown.c - patch.c, but what was thrown into a block is not raised at its end.
 *
 * The fault: a library that gives up says so in its own words, and who was killed lives on.
 *
 * Instead of: coroutines/patch.c
 * Under: plain atomic
 * Caught by: coroutines/tests/test_patch (debug asan tsan)
 */
#include "coroutines/patch.h"

int patch_end_right(struct patch *p);

#define patch_end patch_end_right
#include "coroutines/patch.c"
#undef patch_end

int patch_end(struct patch *p)
{
    xdecref(p->exception);
    p->exception = NULL;
    return patch_end_right(p);
}
