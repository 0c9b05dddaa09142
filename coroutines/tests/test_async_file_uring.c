/* test_async_file_uring.c - the same as test_async_file.c, over io_uring. */
#include "coroutines/tests/on_uring.h"

#include "coroutines/tests/test_async_file.c"
