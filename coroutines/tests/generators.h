/* generators.h - what the tests of generators share: what a step must end in, and bodies. */
#ifndef COROUTINES_TESTS_GENERATORS_H
#define COROUTINES_TESTS_GENERATORS_H

#include "coroutines/coroutine.h"
#include "coroutines/generator.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/list.h"
#include "objects/tests/testing.h"
#include "objects/warning.h"

#include <string.h>

/* 1: each generator of this program has a stack of its own (wrapped.h). */
#ifndef STACKFUL_BODIES
#define STACKFUL_BODIES 0
#endif

/* How many make a chain that would take more stack than there is, if it took any. Of stacks there are
 * fewer, and TSan takes long to make one. */
enum { DEEP = !STACKFUL_BODIES ? 100000 : SANITIZED ? 200 : 5000 };

/* ---- what a step ends in ---- */

static struct object *stepped; /* what the last step gave; owned until it is looked at */

static inline enum step next_of(struct object *g)
{
    return generator_send(g, none(), &stepped);
}

static inline enum step send_to(struct object *g, int64_t value)
{
    struct object *sent = int_new(value);
    enum step step = generator_send(g, sent, &stepped);

    decref(sent);
    return step;
}

static inline enum step throw_into(struct object *g, const struct type *kind, const char *message)
{
    return generator_throw(g, exception_new(kind, "%s", message), &stepped);
}

/* It gave this number; any other object, or None, is -1. */
static inline void check_step(enum step step, enum step wanted, int64_t number)
{
    if (step == STEP_ERROR && wanted != STEP_ERROR)
        fprintf(stderr, "raised: %s: %s\n", type_of(exception_pending())->name,
                exception_message(exception_pending()));
    assert_int_equal(step, wanted);
    assert_int_equal(type_of(stepped) == &int_type ? int_value(stepped) : -1, number);
    decref(stepped);
    stepped = NULL;
}

enum { NOTHING = -1 };

#define assert_yields(step, number) check_step(step, STEP_NEXT, number)
#define assert_returns(step, number) check_step(step, STEP_RETURN, number)

/* Such an exception is pending; it is taken away. */
static inline void assert_error(const struct type *kind, const char *message)
{
    assert_non_null(exception_pending());
    assert_string_equal(type_of(exception_pending())->name, kind->name);
    assert_string_equal(exception_message(exception_pending()), message);
    exception_restore(NULL);
}

#define assert_step_raises(step, kind, message) \
    do { \
        assert_int_equal(step, STEP_ERROR); \
        assert_error(kind, message); \
    } while (0)

/* The kind of the context of the pending one, or NULL. */
static inline const struct type *pending_context(void)
{
    struct object *context = exception_context(exception_pending());
    const struct type *type = context ? type_of(context) : NULL;

    xdecref(context);
    return type;
}

static inline struct object *make(const struct body *body)
{
    struct object *g = generator_new(body, NULL, 0);

    assert_non_null(g);
    return g;
}

static inline struct object *make_with(const struct body *body, borrowed argument)
{
    struct object *g = generator_new(body, &argument, 1);

    assert_non_null(g);
    return g;
}

/* Of an argument that the caller gives away. */
static inline struct object *make_around(const struct body *body, struct object *argument)
{
    struct object *g = make_with(body, argument);

    decref(argument);
    return g;
}

static inline enum turn turn_yield(struct object **result, int64_t number)
{
    *result = int_new(number);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static inline enum turn turn_return(struct object **result, int64_t number)
{
    *result = int_new(number);
    return *result ? TURN_RETURN : TURN_ERROR;
}

/* ---- what goes to the hooks ---- */

static struct {
    int warnings, unraisable;
    int contexts; /* of what was unraisable: how many had led to it */
    char message[160], where[80];
    const struct type *kind;
} told;

static inline void tell_warning(const struct type *kind, const char *message)
{
    told.warnings++;
    told.kind = kind;
    snprintf(told.message, sizeof told.message, "%s", message);
}

static inline int count_contexts(borrowed exception)
{
    struct object *e = exception_context(exception), *next;
    int count = 0;

    for (; e; e = next) {
        next = exception_context(e);
        decref(e);
        count++;
    }
    return count;
}

static inline void tell_unraisable(borrowed exception, const char *where)
{
    told.contexts = count_contexts(exception);
    told.unraisable++;
    told.kind = type_of(exception);
    snprintf(told.message, sizeof told.message, "%s", exception_message(exception));
    snprintf(told.where, sizeof told.where, "%s", where);
}

/* For each test. What the one before has dropped is destroyed. */
static inline int listen_to_hooks(void **state)
{
    static const struct warning_hooks hooks = { tell_warning, tell_unraisable };

    (void)state;
    settle_heap();
    memset(&told, 0, sizeof told);
    warning_set_hooks(&hooks);
    return 0;
}

#endif
