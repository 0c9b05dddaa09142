/* test_coroutine_stackful.c - the same as test_coroutine.c, with a stack for each generator. */
#include "coroutines/tests/wrapped.h"

#include "coroutines/tests/test_coroutine.c"
