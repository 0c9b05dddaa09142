/* test_chains_stackful.c - the same as test_chains.c, with a stack for each generator. */
#include "coroutines/tests/wrapped.h"

#include "coroutines/tests/test_chains.c"
