/* test_async_io_uring.c - the same as test_async_io.c, over io_uring. */
#include "coroutines/tests/on_uring.h"

#include "coroutines/tests/test_async_io.c"
