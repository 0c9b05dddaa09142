/* real.c - the calls that are interposed, as they are otherwise. */
#include "coroutines/interpose/interpose.h"

#include "coroutines/switch/annotate.h"

#include <dlfcn.h>
#include <stdlib.h>

_Thread_local const struct interposer *interposer_here;
struct real_calls real;

const char *const interposed_names[] = {
#define CALL(name, returns, parameters) #name,
#include "coroutines/interpose/calls.h"
#undef CALL
    NULL,
};

/* Before a sanitizer has begun. A call that goes nowhere would be found much later. */
UNINSTRUMENTED static void resolve(void)
{
#define CALL(name, returns, parameters) \
    real.name = (returns(*) parameters)dlsym(RTLD_NEXT, #name); \
    if (!real.name) \
        abort();
#include "coroutines/interpose/calls.h"
#undef CALL
}

__attribute__((section(".preinit_array"), used)) static void (*const resolve_first)(void) = resolve;
