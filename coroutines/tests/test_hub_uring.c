/* test_hub_uring.c - the same as test_hub.c, over io_uring. */
#include "coroutines/tests/on_uring.h"

#include "coroutines/tests/test_hub.c"
