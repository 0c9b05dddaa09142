/* epoll_trusts_numbers.c - epoll.c, but what was left in is believed to be there still.
 *
 * The fault: the file was closed, and its number is another's by now, which nobody watches.
 *
 * Instead of: coroutines/reactor/epoll.c
 * Under: plain
 * Caught by: coroutines/tests/test_reactor (debug asan tsan)
 */
#include "coroutines/reactor/places.h"

#define places_list(places, fd) ((void)(places), (void)(fd))
#include "coroutines/reactor/epoll.c"
