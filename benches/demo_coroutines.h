/* demo_coroutines.h - what demonstrations of coroutines share. */
#ifndef BENCHES_DEMO_COROUTINES_H
#define BENCHES_DEMO_COROUTINES_H

#include "coroutines/generator.h"

/* `await`: what TURN_FROM wants of an awaitable that nobody else keeps; NULL: an exception is
 * pending, which may have been so before. */
struct object *demo_await(struct object *awaitable /* steals; may be NULL */);

/* asyncio.run of a coroutine without arguments. 0, or -1 with an exception pending. */
int demo_run(const struct body *body);

#endif
