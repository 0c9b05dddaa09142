/* uring_keeps_requests.c - uring.c, but what is not wanted any more stays asked for.
 *
 * The fault: a request keeps its file open, so the other end of a socket that was closed does not
 * hear of it.
 *
 * Instead of: coroutines/reactor/uring.c
 * Under: plain
 * Caught by: coroutines/tests/test_reactor (debug asan tsan)
 */
#include <liburing.h>

#define io_uring_prep_poll_remove(sqe, name) ((void)(name), io_uring_prep_nop(sqe))
#include "coroutines/reactor/uring.c"
