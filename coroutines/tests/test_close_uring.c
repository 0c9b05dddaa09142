/* test_close_uring.c - the same as test_close.c, over io_uring. */
#include "coroutines/tests/on_uring.h"

#include "coroutines/tests/test_close.c"
