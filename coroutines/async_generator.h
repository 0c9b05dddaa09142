/* async_generator.h - generators that may wait between what they yield (PEP 525).
 *
 * The body is of kind ASYNC_GENERATOR: TURN_YIELD is a `yield`, TURN_FROM an `await`. Who wants
 * the next item gets an awaitable, and awaits it: what the body awaits goes through to whoever
 * drives the coroutine, and what it yields becomes the result of the `await`. In `async for`
 * (coroutine.h) this happens by itself.
 *
 * One at a time of these awaitables can be under way, and each can be awaited once. The
 * generator ends in StopAsyncIteration.
 *
 * The end of one that is dropped before it ended cannot be awaited where it is dropped, for that
 * may be anywhere. So a thread that drives coroutines has hooks: the first use of each
 * asynchronous generator is told to `firstiter`, and its end to `finalizer`, which is
 * given the generator once more, to let a task await its async_generator_close. As no
 * object comes back to life, what it is given is another object around the same frame. With
 * no hook it is closed at once like any generator, and an `await` in a finally block is then
 * an error that the hook of warning.h is told of.
 *
 * Semantics are those of CPython 3.11, but to close an awaitable that is under way raises
 * GeneratorExit in the generator, as since 3.13: before, the generator counted as running
 * ever after.
 *
 * All functions that make something return NULL with an exception pending: MemoryError, or what
 * `firstiter` raised. `g` must be an asynchronous generator.
 */
#ifndef COROUTINES_ASYNC_GENERATOR_H
#define COROUTINES_ASYNC_GENERATOR_H

#include "coroutines/generator.h"

extern const struct type async_generator_type;

/* As generator_new; generator_new itself makes only the frame of one. */
struct object *async_generator_new(const struct body *body, borrowed const *arguments,
                                   size_t count);

/* Awaitables: __anext__(), asend(value), athrow(exception), aclose(). */
struct object *async_generator_next(borrowed g);
struct object *async_generator_send(borrowed g, borrowed value);
struct object *async_generator_throw(borrowed g, borrowed exception);
struct object *async_generator_close(borrowed g);

/* Python's ag_running: one of its awaitables is under way. */
bool async_generator_running(borrowed g);

/* Of its frame: async_generator_frame(g) may be asked by generator_state and
 * generator_delegate (ag_await). Lives as long as `g`. */
borrowed async_generator_frame(borrowed g);

/* Each may be NULL. They are called with `argument`, on the thread that first uses, or drops,
 * the generator, which for `finalizer` may be any. */
struct async_generator_hooks {
    int (*firstiter)(borrowed g, void *argument); /* 0, or -1 and an exception pending */
    void (*finalizer)(borrowed g, void *argument); /* what it raises is told to nobody */
    void *argument;
};

/* Sets those of the calling thread, for generators that it uses first from now on; returns what
 * was set before. */
struct async_generator_hooks async_generator_set_hooks(struct async_generator_hooks hooks);

#endif
