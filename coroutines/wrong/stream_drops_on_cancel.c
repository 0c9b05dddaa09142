/* stream_drops_on_cancel.c - stream.c, but a read that is cancelled takes what has come with it.
 *
 * The fault: what was received for a reader is taken for the reader's own. The next one finds the
 * middle of a message.
 *
 * Instead of: coroutines/stream.c
 * Under: plain
 * Caught by: coroutines/tests/test_stream (debug asan tsan)
 */
#include "coroutines/future.h"

static int cancel_and_drop(borrowed o, borrowed message);

#define cancel right_cancel
#define future_init(f, loop, function) future_init(f, loop, cancel_and_drop)
#include "coroutines/stream.c"
#undef cancel

static int cancel_and_drop(borrowed o, borrowed message)
{
    struct wire *w = &of_stream(as_waiting(o)->stream)->wire;
    int result = right_cancel(o, message);

    if (result == 1)
        wire_drop(w, wire_row_bytes(&w->in));
    return result;
}
