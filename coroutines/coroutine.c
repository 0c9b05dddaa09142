/* coroutine.c - what can be awaited, and what is said to who awaits something else. */
#include "coroutines/coroutine.h"

/* Only one that has been left in an `await` is awaited by somebody: who stands at a `yield` of
 * its own is a generator-like coroutine, and CPython lets it pass too. */
struct object *coroutine_await(borrowed o)
{
    struct object *awaited;

    if (likely(generator_state(o) == GENERATOR_CREATED))
        return incref(o);
    awaited = generator_delegate(o);
    if (awaited == none())
        return incref(o);
    decref(awaited);
    exception_set(&runtime_error, "coroutine is being awaited already");
    return NULL;
}

/* Whether it can stand behind TURN_FROM. */
static bool is_iterator(borrowed o)
{
    return type_of(o)->next || type_of(o)->send;
}

/* What an object's own slot gave: it must not be what would have to be awaited again. */
static struct object *check_iterator(struct object *it /* steals; may be NULL */)
{
    if (!it || (is_iterator(it) && type_of(it) != &coroutine_type))
        return it;
    if (is_iterator(it))
        exception_set(&type_error, "__await__() returned a coroutine");
    else
        exception_set(&type_error, "__await__() returned non-iterator of type '%s'",
                      type_of(it)->name);
    decref(it);
    return NULL;
}

struct object *await_iterator(borrowed o)
{
    const struct type *type = type_of(o);

    if (likely(type == &coroutine_type))
        return coroutine_await(o);
    if (type->await)
        return check_iterator(type->await(o));
    exception_set(&type_error, "object %s can't be used in 'await' expression", type->name);
    return NULL;
}

/* What a slot of `async with` gave is awaited; `message` has a place for the name
 * of what cannot be. */
__attribute__((format(printf, 2, 0)))
static struct object *await_given(struct object *awaitable /* steals; may be NULL */,
                                  const char *message)
{
    struct object *it = NULL;

    if (!awaitable)
        return NULL;
    if (type_of(awaitable)->await)
        it = await_iterator(awaitable);
    else
        exception_set(&type_error, message, type_of(awaitable)->name);
    decref(awaitable);
    return it;
}

struct object *async_iterate(borrowed o)
{
    const struct type *type = type_of(o);
    struct object *it;

    if (!type->async || !type->async->iterate) {
        exception_set(&type_error,
                      "'async for' requires an object with __aiter__ method, got %s", type->name);
        return NULL;
    }
    it = type->async->iterate(o);
    if (!it || (type_of(it)->async && type_of(it)->async->next))
        return it;
    exception_set(&type_error, "'async for' received an object from __aiter__ that does not "
                               "implement __anext__: %s", type_of(it)->name);
    decref(it);
    return NULL;
}

/* Whatever is wrong with it, what was raised by that becomes the cause of a TypeError. */
static struct object *await_next(struct object *awaitable /* steals; may be NULL */)
{
    struct object *it;

    if (!awaitable)
        return NULL;
    it = await_iterator(awaitable);
    if (!it)
        exception_wrap(&type_error, "'async for' received an invalid object from __anext__: %s",
                       type_of(awaitable)->name);
    decref(awaitable);
    return it;
}

struct object *async_next(borrowed it)
{
    const struct type *type = type_of(it);

    if (type->async && type->async->next)
        return await_next(type->async->next(it));
    exception_set(&type_error, "'async for' requires an iterator with __anext__ method, got %s",
                  type->name);
    return NULL;
}

struct object *async_enter(borrowed o)
{
    const struct type *type = type_of(o);
    bool enters = type->async && type->async->enter;

    if (enters && type->async->exit)
        return await_given(type->async->enter(o),
                           "'async with' received an object from __aenter__ that does not "
                           "implement __await__: %s");
    exception_set(&type_error,
                  "'%s' object does not support the asynchronous context manager protocol%s",
                  type->name, enters ? " (missed __aexit__ method)" : "");
    return NULL;
}

struct object *async_exit(borrowed o, borrowed exception)
{
    return await_given(type_of(o)->async->exit(o, exception),
                       "'async with' received an object from __aexit__ that does not implement "
                       "__await__: %s");
}
