/* server_circles.c - server.c, but that no descriptors are left is to it an error like any other.
 *
 * The fault: the caller stays in the queue and the listener ready, so the loop runs in circles, and
 * tells of it each time.
 *
 * Instead of: coroutines/server.c
 * Under: plain
 * Caught by: coroutines/tests/test_server (debug asan tsan)
 */
#include <errno.h>

#undef EMFILE
#define EMFILE (-1)
#include "coroutines/server.c"
