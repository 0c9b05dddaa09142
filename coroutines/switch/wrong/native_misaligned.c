/* native_misaligned.c - a wrong way: the first function on a stack begins eight bytes off.
 *
 * Nearly everything works. What is stored by instructions that want 16 bytes faults, and whether
 * a compiler uses them depends on its mood.
 *
 * Instead of: coroutines/switch/ways/native.c
 * Caught by: coroutines/switch/tests/test_fiber (debug asan tsan).
 */
#include "coroutines/switch/begin.h"

static inline void *frames_off(const struct fiber *f, size_t kept_bytes)
{
    return (char *)fiber_frames(f, kept_bytes) - 8;
}

#define fiber_frames frames_off
#include "coroutines/switch/ways/native.c"
