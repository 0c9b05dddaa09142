/* throw_and_close.c - exceptions that are thrown into a generator: handled, not handled, and with
 * a finally block; and one that refuses to go.
 *
 * It prints what CPython 3.11 prints for such a program.
 */
#include "benches/demo.h"

#include "coroutines/generator.h"
#include "objects/int.h"

#include <inttypes.h>
#include <stdio.h>

/* The program's own kind of exception: as any other, under another name. */
static struct type ping;

static void name_ping(void)
{
    ping = exception;
    ping.name = "Ping";
    ping.base = &exception;
}

/* try: x = yield; except Ping: ...; else: ... and False: something else was thrown */
static bool handle_turn(struct frame *f, enum resume how, borrowed argument)
{
    if (f->at++ == 0) {
        puts("  started");
        return true;
    }
    f->at = 1;
    if (how == RESUME_THROW && !exception_is(argument, &ping))
        return false;
    if (how == RESUME_THROW)
        puts("  Ping handled, going on");
    else
        printf("  received %" PRId64 "\n", int_value(argument));
    return true;
}

static enum turn handle(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    *result = none();
    return handle_turn(f, how, argument) ? TURN_YIELD : frame_raise(argument);
}

static enum turn handle_finally(struct frame *f, enum resume how, borrowed argument,
                                struct object **result)
{
    *result = none();
    if (handle_turn(f, how, argument))
        return TURN_YIELD;
    puts("  ending");
    return frame_raise(argument);
}

/* The second GeneratorExit it lets pass. */
static enum turn refuse(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    *result = none();
    switch (f->at++) {
    case 0:
        return TURN_YIELD;
    case 1:
        if (how == RESUME_THROW && exception_is(argument, &generator_exit)) {
            puts("  refuses to go, once");
            return TURN_YIELD;
        }
        break;
    }
    return how == RESUME_THROW ? frame_raise(argument) : TURN_RETURN;
}

static const struct body bodies[] = {
    { .name = "handling", .resume = handle },
    { .name = "with_finally", .resume = handle_finally },
};
static const struct body stubborn = { .name = "stubborn", .resume = refuse };

static int send(struct object *g, int64_t value)
{
    struct object *sent = int_new(value), *result;
    enum step step = sent ? generator_send(g, sent, &result) : STEP_ERROR;

    xdecref(sent);
    if (step != STEP_ERROR)
        decref(result);
    return step == STEP_NEXT ? 0 : -1;
}

/* 1: it yielded; 0: what was thrown came back; -1: anything else. */
static int throw(struct object *g, const struct type *kind)
{
    struct object *e = exception_new(kind, "%s", ""), *result;

    if (!e)
        return -1;
    switch (generator_throw(g, e, &result)) {
    case STEP_NEXT:
        decref(result);
        return 1;
    case STEP_RETURN:
        decref(result);
        return -1;
    default:
        if (!exception_matches(kind))
            return -1;
        exception_restore(NULL);
        return 0;
    }
}

static void print_state(borrowed g)
{
    printf("  %s\n", generator_state_name(g));
}

static int close_it(struct object *g)
{
    if (send(g, 11) < 0 || generator_close(g, NULL) < 0)
        return -1;
    print_state(g);
    return 0;
}

static int throw_both(struct object *g)
{
    if (throw(g, &ping) != 1)
        return -1;
    print_state(g);
    printf("%s with ZeroDivisionError:\n", generator_body_of(g)->name);
    if (throw(g, &zero_division_error) != 0)
        return -1;
    puts("  came back to the caller");
    print_state(g);
    return 0;
}

static int close_twice(struct object *g)
{
    if (generator_close(g, NULL) == 0 || !exception_matches(&runtime_error))
        return -1;
    printf("  RuntimeError: %s\n", exception_message(exception_pending()));
    exception_restore(NULL);
    printf("  still %s\n", generator_state_name(g));
    if (generator_close(g, NULL) < 0)
        return -1;
    print_state(g);
    return 0;
}

static int tell(const struct body *body, const char *title, int (*story)(struct object *g))
{
    struct object *g;
    int result;

    printf("%s%s:\n", body->name, title);
    g = generator_primed(body, NULL, 0);
    result = g ? story(g) : -1;
    xdecref(g);
    return result;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    name_ping();
    for (int i = 0; i < 2; i++)
        if (tell(&bodies[i], " closed", close_it) < 0 ||
            tell(&bodies[i], " with Ping", throw_both) < 0)
            return -1;
    return tell(&stubborn, "", close_twice);
}

const struct demo demo_throw_and_close = {
    .about = "exceptions thrown into a generator, close, and one that refuses to go",
    .modes = "gil", .run = run,
};
