/* interpreter_in_name_only.c - interpreter.c, but nobody has anything to itself.
 *
 * The fault: threads of two locks have one register and one collector. So one stops the other,
 * though that is of another lock, and empties what the other has made while it counts.
 * Instead of: objects/interpreter.c
 * Under: plain
 * Caught by: objects/tests/test_interpreter (debug asan tsan)
 */
#include "objects/interpreter.h"

struct interpreter interpreter_main;

int interpreter_begin(struct gil *gil)
{
    (void)gil;
    return 0;
}

void interpreter_end(struct gil *gil)
{
    (void)gil;
}

void interpreter_each(void (*visit)(struct interpreter *i, void *argument), void *argument)
{
    visit(&interpreter_main, argument);
}
