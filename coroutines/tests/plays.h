/* plays.h - coroutines for tests, written as tables.
 *
 * A play is a row of acts. One says something, awaits, yields, returns, raises, or does what a
 * function does; each may say where to go on if it raises, as an `except` block does.
 *
 *     static const struct act acts[] = {
 *         { SAY, "begins" },
 *         { AWAIT, .made = some_future, .except = 3 },
 *         { RETURN, .number = 1 },
 *         { SAY_RAISED },      // the 3 of above
 *         { AGAIN },           // raise
 *     };
 */
#ifndef COROUTINES_TESTS_PLAYS_H
#define COROUTINES_TESTS_PLAYS_H

#include "coroutines/coroutine.h"
#include "coroutines/task.h"
#include "coroutines/tests/loops.h"
#include "objects/int.h"

enum verb {
    END,          /* returns None */
    SAY,          /* writes `text` into the diary */
    SAY_VALUE,    /* the repr of what the last await gave */
    SAY_RAISED,   /* the kind and message of what was caught */
    AWAIT,        /* `object`, or what `made` makes, or if neither what stands in play->object */
    PASS,         /* yields None: on in the next turn */
    YIELD,        /* `object`, or what `made` makes: nothing that a task understands */
    RETURN,       /* `number` */
    RETURN_VALUE, /* what the last await gave */
    RAISE,        /* `kind` with `text` */
    AGAIN,        /* raises what was caught */
    DO,           /* `done`: 0, or -1 with an exception pending */
    GO,           /* to act `number` */
};

struct play;

struct act {
    enum verb verb;
    const char *text;
    borrowed object;
    struct object *(*made)(struct play *p);
    int (*done)(struct play *p);
    const struct type *kind;
    int64_t number;
    int except;                 /* the act that handles what this one raises; 0: none */
    const struct type *catches; /* only this kind; NULL: all */
};

struct play {
    const struct act *acts;
    const char *name;      /* said with each word, if not NULL */
    struct object *object; /* the test's own; borrowed */
    struct object *value;  /* owned; of the last await; NULL: none */
    struct object *caught; /* owned */
    struct handling handling;
    int64_t number; /* the test's own */
};

static inline void say(struct play *p, const char *text)
{
    char word[220];

    snprintf(word, sizeof word, "%s%s%s", p->name ? p->name : "", p->name ? ":" : "", text);
    note(word);
}

static inline void say_value(struct play *p)
{
    char text[120];

    object_repr(p->value, text, sizeof text);
    say(p, text);
}

static inline void say_raised(struct play *p)
{
    char text[200];

    snprintf(text, sizeof text, "%s(%s)", type_of(p->caught)->name, exception_message(p->caught));
    say(p, text);
}

static inline struct object *thing_of(struct play *p, const struct act *act)
{
    if (act->made)
        return act->made(p);
    return incref(act->object ? act->object : p->object);
}

static inline enum turn give(struct object *thing /* steals; may be NULL */, enum turn turn,
                             struct object **result)
{
    *result = thing;
    return thing ? turn : TURN_ERROR;
}

static inline enum turn give_iterator(struct object *awaitable /* steals; may be NULL */,
                                      struct object **result)
{
    struct object *iterator = awaitable ? await_iterator(awaitable) : NULL;

    xdecref(awaitable);
    return give(iterator, TURN_FROM, result);
}

enum { GOES_ON = -1 };

/* A turn, or GOES_ON. */
static inline int perform(struct play *p, struct frame *f, const struct act *act,
                          struct object **result)
{
    switch (act->verb) {
    case END:
        return give(none(), TURN_RETURN, result);
    case SAY:
        say(p, act->text);
        return GOES_ON;
    case SAY_VALUE:
        say_value(p);
        return GOES_ON;
    case SAY_RAISED:
        say_raised(p);
        return GOES_ON;
    case AWAIT:
        return (int)give_iterator(thing_of(p, act), result);
    case PASS:
        return give(none(), TURN_YIELD, result);
    case YIELD:
        return (int)give(thing_of(p, act), TURN_YIELD, result);
    case RETURN:
        return give(int_new(act->number), TURN_RETURN, result);
    case RETURN_VALUE:
        return give(incref(p->value), TURN_RETURN, result);
    case RAISE:
        exception_set(act->kind, "%s", act->text ? act->text : "");
        return TURN_ERROR;
    case AGAIN:
        exception_raise(incref(p->caught));
        return TURN_ERROR;
    case DO:
        return act->done(p) < 0 ? (int)TURN_ERROR : GOES_ON;
    case GO:
        f->at = (uint16_t)act->number;
        return GOES_ON;
    }
    abort();
}

static inline void keep_value(struct object **place, struct object *value /* steals */)
{
    xdecref(*place);
    *place = value;
}

/* What is pending is caught by the act's handler, from where it goes on; or not. */
static inline bool catch_raised(struct play *p, struct frame *f, const struct act *act)
{
    if (!act->except || (act->catches && !exception_matches(act->catches)))
        return false;
    keep_value(&p->caught, exception_take());
    f->at = (uint16_t)act->except;
    return true;
}

/* f->at is the number of the act that comes next. */
static enum turn perform_all(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    struct play *p = (struct play *)(uintptr_t)int_value(f->reference[0]);

    if (how == RESUME_THROW) {
        exception_restore(incref(argument));
        if (!f->at || !catch_raised(p, f, &p->acts[f->at - 1]))
            return TURN_ERROR;
    } else if (f->at) {
        keep_value(&p->value, incref(argument));
    }
    for (;;) {
        const struct act *act = &p->acts[f->at++];
        int turn = perform(p, f, act, result);

        if (turn == GOES_ON || (turn == TURN_ERROR && catch_raised(p, f, act)))
            continue;
        return (enum turn)turn;
    }
}

static const struct body play_body = {
    .name = "play", .kind = COROUTINE, .resume = perform_all, .references = 1,
};

/* The play stays where it is until the coroutine has ended; then play_end. */
static inline struct object *perform_play(struct play *p)
{
    struct object *number = int_new((int64_t)(uintptr_t)p), *coroutine;

    assert_non_null(number);
    coroutine = generator_new(&play_body, (borrowed[]){ number }, 1);
    decref(number);
    assert_non_null(coroutine);
    return coroutine;
}

static inline void play_end(struct play *p)
{
    xdecref(p->value);
    xdecref(p->caught);
    p->value = p->caught = NULL;
}

/* A task of a play. */
static inline struct object *start(borrowed loop, struct play *p)
{
    struct object *coroutine = perform_play(p), *task = task_new(loop, coroutine, NULL);

    decref(coroutine);
    assert_non_null(task);
    return task;
}

/* ---- outcomes ---- */

/* Raised already, or what its result raises. */
static inline void assert_error(bool failed, const struct type *kind, const char *message)
{
    assert_true(failed);
    assert_true(exception_matches(kind));
    assert_string_equal(exception_message(exception_pending()), message);
    exception_restore(NULL);
}

static inline void assert_result(borrowed task, int64_t expected)
{
    struct object *result = future_result(task);

    assert_non_null(result);
    assert_int_equal(int_value(result), expected);
    decref(result);
}

static inline void assert_fails(borrowed task, const struct type *kind, const char *message)
{
    assert_error(!future_result(task), kind, message);
}

static inline void assert_cancelled(borrowed task)
{
    assert_true(future_cancelled(task));
    assert_fails(task, &cancelled_error, "");
}

static inline void finish(borrowed future, int value)
{
    struct object *number = int_new(value);

    assert_int_equal(future_set_result(future, number), 0);
    decref(number);
}

static inline void fail_with(borrowed f, const char *message)
{
    struct object *e = exception_new(&value_error, "%s", message);

    assert_int_equal(future_set_exception(f, e), 0);
    decref(e);
}

/* Runs until nothing is ready, no timer counted. */
static inline void run_ready(borrowed loop)
{
    turns(loop, 30);
}

#endif
