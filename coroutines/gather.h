/* gather.h - futures made of futures: of many the results in one, and one that cannot be cancelled
 * from outside.
 *
 * Source: CPython 3.11, Lib/asyncio/tasks.py, gather and shield.
 */
#ifndef COROUTINES_GATHER_H
#define COROUTINES_GATHER_H

#include "coroutines/task.h"

/* A future whose result is a list of what the awaitables give, in their order. The first exception
 * is its own at once, and the others go on; or with `exceptions` they stand in the list. An
 * awaitable that is cancelled is one that raises CancelledError. Who cancels the future cancels all
 * that are not done. One that comes twice is awaited once. NULL: as ensure_future;
 * TypeError, one cannot be hashed. */
struct object *gather(borrowed loop, borrowed const *awaitables, size_t count, bool exceptions);

/* A future that ends as the awaitable does; but when it is cancelled, that goes on. Keep a
 * reference to the awaitable if what it raises then is to be seen. NULL: as ensure_future. */
struct object *shield(borrowed loop, borrowed awaitable);

#endif
