/* epoll_tells_edges.c - epoll.c, but what stays readable is told once.
 *
 * The fault: an edge that is lost, since nobody read the file empty, does not come again.
 *
 * Instead of: coroutines/reactor/epoll.c
 * Under: plain
 * Caught by: coroutines/tests/test_reactor (debug asan tsan)
 */
#include <sys/epoll.h>

enum { LEVEL = EPOLLIN };

#undef EPOLLIN
#define EPOLLIN ((uint32_t)LEVEL | EPOLLET)
#include "coroutines/reactor/epoll.c"
