/* test_async_generator_stackful.c - the same as test_async_generator.c, with a stack for each generator. */
#include "coroutines/tests/wrapped.h"

#include "coroutines/tests/test_async_generator.c"
