/* test_yield_from_stackful.c - the same as test_yield_from.c, with a stack for each generator. */
#include "coroutines/tests/wrapped.h"

#include "coroutines/tests/test_yield_from.c"
