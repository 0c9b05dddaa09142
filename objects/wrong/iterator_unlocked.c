/* iterator_unlocked.c - iterator.c, but no section guards a step.
 *
 * The fault: two threads find the same item, and both move the iterator on.
 *
 * Instead of: objects/iterator.c
 * Under: atomic
 * Caught by: objects/tests/test_iterator (debug asan tsan)
 */
#include "objects/section.h"

static inline void skip_begin(struct section *s, borrowed o) ACQUIRES(section_held) NO_LOCK_ANALYSIS
{
    (void)s;
    (void)o;
}

static inline void skip_end(struct section *s) RELEASES(section_held) NO_LOCK_ANALYSIS
{
    (void)s;
}

#define section_begin skip_begin
#define section_end skip_end
#include "objects/iterator.c"
