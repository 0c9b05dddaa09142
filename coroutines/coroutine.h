/* coroutine.h - work that can wait: what `async def`, `await`, `async for` and `async with` are.
 *
 * A coroutine is a generator (generator.h) whose body is of kind COROUTINE: it is made by
 * generator_new, stepped by generator_send and generator_throw, and ended by generator_close.
 * It differs in what it refuses: it is no iterable, it runs once, and one that was made and
 * never stepped is a mistake, of which its end warns: RuntimeWarning "coroutine 'x' was
 * never awaited".
 *
 * `await x` in a body is
 *
 *     *result = await_iterator(x);
 *     return *result ? TURN_FROM : TURN_ERROR;
 *
 * and the body is resumed with what x returned, or by RESUME_THROW with what it raised. The other
 * functions here give, like this one, what TURN_FROM wants:
 *
 *     async for item in x:            f->reference[IT] = async_iterate(x);
 *                                     *result = async_next(f->reference[IT]); TURN_FROM; resumed
 *                                     with the item, or by the exception that async_ended knows
 *     async with x as y:              *result = async_enter(x); TURN_FROM; resumed with y; and at
 *                                     the end *result = async_exit(x, exception or None);
 *                                     TURN_FROM; resumed with what is true if it is swallowed
 *
 * Who drives coroutines (a task) sees what the innermost awaitable yields: a future yields
 * itself. What types do to be awaited is a slot (type.h: `await`, `async`).
 *
 * All of these return NULL with an exception pending: TypeError, or what the slot raised.
 *
 * Source: Y. Selivanov, PEP 492, 2015.
 */
#ifndef COROUTINES_COROUTINE_H
#define COROUTINES_COROUTINE_H

#include "coroutines/generator.h"

extern const struct type coroutine_type;

/* The frame of an asynchronous generator, which async_generator.h hands out inside of another
 * object. */
extern const struct type async_frame_type;

/* For who looks for a coroutine that was never awaited: from now on each one that is made remembers
 * by which calls, at most `depth` of them, 0 to COROUTINE_ORIGIN_MOST; 0, as it is at first: none.
 * The warning says them then, the innermost last. For the whole process; it takes some
 * microseconds a coroutine. Returns what it was before. (Python's
 * sys.set_coroutine_origin_tracking_depth.) */
enum { COROUTINE_ORIGIN_MOST = 8 };
int coroutine_track_origins(int depth);

/* Python's cr_origin: how many of these calls are known, at most `most`, and where they return to,
 * the innermost first. */
int coroutine_origin(borrowed coroutine, const void **address, int most);

/* What TURN_FROM wants, of a coroutine, a generator that is awaitable, a future, a task, or any
 * object whose type has the slot. RuntimeError: another awaits the coroutine already. */
struct object *await_iterator(borrowed awaitable);

/* Python's __aiter__: what async_next is to be asked for; no awaitable. */
struct object *async_iterate(borrowed o);

/* Python's __anext__. */
struct object *async_next(borrowed it);

/* Whether an exception says that an `async for` is over. */
static inline bool async_ended(borrowed exception)
{
    return exception_is(exception, &stop_async_iteration);
}

/* Python's __aenter__, after a look whether there is an __aexit__; and that. */
struct object *async_enter(borrowed o);
struct object *async_exit(borrowed o, borrowed exception);

/* The slot of coroutine_type. */
struct object *coroutine_await(borrowed coroutine);

#endif
