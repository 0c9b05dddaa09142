/* stream_never_pauses.c - stream.c, but drain never waits.
 *
 * The fault: a mark that nothing reaches. Who writes faster than its peer reads fills the memory.
 *
 * Instead of: coroutines/stream.c
 * Under: plain
 * Caught by: coroutines/tests/test_stream (debug asan tsan)
 */
#include "coroutines/stream.h"

#include <stdint.h>

#define STREAM_HIGH_BYTES SIZE_MAX
#include "coroutines/stream.c"
