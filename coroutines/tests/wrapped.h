/* wrapped.h - every body that a test makes a generator of gets a stack of its own.
 *
 * Included before a test program, it puts a function around each of its bodies that
 * resumes the body on a stack of its own, turn by turn. So whatever the program says of generators is
 * said of stackful ones, too.
 */
#ifndef COROUTINES_TESTS_WRAPPED_H
#define COROUTINES_TESTS_WRAPPED_H

#define STACKFUL_BODIES 1

#include "coroutines/async_generator.h"
#include "coroutines/stackful.h"
#include "objects/tests/testing.h"

#include <pthread.h>

enum { WRAPPED_MOST = 400 };

static struct wrapper {
    struct body body; /* of the generator */
    const struct body *inner;
} wrappers[WRAPPED_MOST];
static int wrapped_count;
static pthread_mutex_t wrapping = PTHREAD_MUTEX_INITIALIZER;

/* What the body has ended its turn with, as the function has to do it. NULL and *over: the function
 * is over, too. */
static __attribute__((noinline)) struct object *pass_on(struct stackful *self, enum turn turn,
                                                        struct object *result, bool *over)
{
    *over = turn == TURN_RETURN || turn == TURN_ERROR;
    if (turn == TURN_YIELD)
        return stackful_yield(self, result);
    if (turn == TURN_FROM)
        return stackful_from(self, result);
    return turn == TURN_RETURN ? result : NULL;
}

/* The next turn of the body, with the argument that it drops. */
static __attribute__((noinline)) enum turn resume_inner(const struct stackful *self,
                                                        enum resume how,
                                                        struct object *argument /* steals */,
                                                        struct object **result)
{
    struct frame *f = stackful_frame(self);
    const struct wrapper *wrapper = (const struct wrapper *)f->body;
    enum turn turn = wrapper->inner->resume(f, how, argument, result);

    decref(argument);
    return turn;
}

static __attribute__((noinline)) struct object *what_was_thrown(void)
{
    return exception_take();
}

static struct object *run_wrapped(struct stackful *self)
{
    struct object *argument = none(), *result;
    enum resume how = RESUME_SEND;
    bool over;

    for (;;) {
        enum turn turn = resume_inner(self, how, argument, &result);

        argument = pass_on(self, turn, result, &over);
        if (over)
            return argument;
        how = argument ? RESUME_SEND : RESUME_THROW;
        if (!argument)
            argument = what_was_thrown();
    }
}

static const struct body *wrapped(const struct body *inner)
{
    int i = 0;

    pthread_mutex_lock(&wrapping);
    while (i < wrapped_count && wrappers[i].inner != inner)
        i++;
    assert_true(i < WRAPPED_MOST);
    if (i == wrapped_count++) {
        wrappers[i].body = *inner;
        wrappers[i].body.resume = stackful_turn;
        wrappers[i].body.stackful = run_wrapped;
        wrappers[i].inner = inner;
    } else {
        wrapped_count--;
    }
    pthread_mutex_unlock(&wrapping);
    return &wrappers[i].body;
}

#define generator_new(body, ...) generator_new(wrapped(body), __VA_ARGS__)
#define generator_primed(body, ...) generator_primed(wrapped(body), __VA_ARGS__)
#define async_generator_new(body, ...) async_generator_new(wrapped(body), __VA_ARGS__)

#endif
