/* section_keeps_lock.c - wrong sections: a thread that detaches keeps its locks.
 *
 * So do locks that are simply held to the end. Who waits for one waits as long as the call
 * blocks, and if that waits in turn for him, both wait for ever.
 *
 * Instead of: objects/section.c
 * Under: atomic
 * Caught by: objects/tests/test_section (debug asan tsan).
 */
#define section_suspend suspend_to_wait
#include "objects/section.c"
#undef section_suspend

void section_suspend(struct thread *t);

void section_suspend(struct thread *t)
{
    (void)t;
}
