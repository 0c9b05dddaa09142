/* test_greenlet_worlds.c - greenlets that switch, throw, and are dropped by chance, as Python's do.
 *
 * A world has a pool of greenlets, and a number of acts. Whoever runs makes the next one: it
 * switches to another or throws something into it, changes a parent, replaces one of the pool
 * (which may end it, at once or when it is left), returns or raises. What becomes of that is written
 * down. greenlets.py does the same with Python's greenlet, and must write the same.
 *
 * What stays suspended, held by the stack of another that is, is ended with the thread.
 */
#include "coroutines/greenlet.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/tests/testing.h"

enum {
    MEMBERS = 5, ACTS = 80, SEEDS = SANITIZED ? 100 : 500, SEEDS_IN_SOAK = 5000,
    TRACE_BYTES = 1 << 14
};

static struct {
    struct object *pool[MEMBERS]; /* owned */
    uint64_t chance;
    int acts, made;
    bool ends; /* what is ended from now on is of no world */
    size_t used;
    char trace[TRACE_BYTES];
} world;

__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
{
    va_list arguments;

    if (world.ends)
        return;
    if (world.used)
        world.trace[world.used++] = ' ';
    va_start(arguments, format);
    world.used += (size_t)vsnprintf(world.trace + world.used, TRACE_BYTES - world.used, format,
                                    arguments);
    va_end(arguments);
    assert(world.used < TRACE_BYTES - 1);
}

static int below(int limit)
{
    return (int)random_of(&world.chance, (uint64_t)limit);
}

static void say_value(const char *what, int64_t name, borrowed value)
{
    if (exception_is(value, &greenlet_exit))
        say("%s:%d:exit", what, (int)name);
    else
        say("%s:%d:%d", what, (int)name, (int)int_value(value));
}

/* ---- acts ---- */

static struct object *body(borrowed closure, borrowed const *arguments, size_t count);

static struct object *make(int parent)
{
    struct object *name = int_new(++world.made);
    struct object *function = function_new("body", body, 1, name);
    struct object *g = greenlet_new(function, world.pool[parent]);

    assert_non_null(g);
    decref(function);
    decref(name);
    return g;
}

static void replace(int member, struct object *g /* steals; may be NULL */)
{
    struct object *dropped = world.pool[member];

    world.pool[member] = g;
    xdecref(dropped);
}

/* NULL: an exception is pending. None: there is nothing to say. */
static struct object *pass(int what, int target, int number)
{
    struct object *to = incref(world.pool[target]), *value = int_new(number), *got;

    if (what < 5)
        got = greenlet_switch(to, value);
    else
        got = greenlet_throw(to, what == 6 ? NULL : exception_new(&value_error, "%d", number));
    decref(value);
    decref(to);
    return got;
}

static struct object *perform(int what, int target, int number)
{
    if (what < 7)
        return pass(what, target, number);
    if (what == 7 && greenlet_set_parent(world.pool[target], world.pool[number % MEMBERS]) < 0)
        return NULL;
    if ((what == 8 || what >= 12) && target)
        replace(target, make(number % MEMBERS));
    if (what == 9)
        say("is:%d:%d:%d", target, greenlet_dead(world.pool[target]),
            greenlet_started(world.pool[target]) && !greenlet_dead(world.pool[target]));
    return none();
}

enum outcome { GOES_ON, RETURNS, RAISES };

/* What is caught is written down; GreenletExit only by the main greenlet, whose name is 0. */
static enum outcome tell(int64_t name, struct object *got)
{
    struct object *e;

    if (got) {
        if (got != none())
            say_value("got", name, got);
        decref(got);
        return GOES_ON;
    }
    if (exception_matches(&greenlet_exit)) {
        say("exit:%d", (int)name);
        if (name)
            return RAISES;
    }
    e = exception_take();
    if (!exception_is(e, &greenlet_exit))
        say("caught:%d:%s:%s", (int)name, type_of(e)->name, exception_message(e));
    decref(e);
    return GOES_ON;
}

static enum outcome act(int64_t name, struct object **result)
{
    int what = below(14), target = below(MEMBERS), number = below(100);

    world.acts--;
    if (what == 10 && name) {
        say("return:%d:%d", (int)name, number);
        *result = int_new(number);
        return RETURNS;
    }
    if (what == 11 && name) {
        say("raise:%d:%d", (int)name, number);
        exception_set(&key_error, "%d", number);
        return RAISES;
    }
    return tell(name, perform(what, target, number));
}

static struct object *body(borrowed closure, borrowed const *arguments, size_t count)
{
    enum outcome outcome = GOES_ON;
    struct object *result = NULL;
    int64_t name = int_value(closure);

    (void)count;
    say_value("begin", name, arguments[0]);
    while (world.acts && outcome == GOES_ON)
        outcome = act(name, &result);
    return outcome == GOES_ON ? int_new(0) : result;
}

static void run_world(uint64_t seed)
{
    struct object *nothing;

    world.chance = (seed * 0x9E3779B97F4A7C15) | 1;
    world.acts = ACTS;
    world.made = 0;
    world.used = 0;
    world.trace[0] = '\0';
    world.pool[0] = greenlet_current();
    for (int i = 1; i < MEMBERS; i++)
        world.pool[i] = make(0);
    while (world.acts)
        act(0, &nothing);
    for (int i = 1; i < MEMBERS; i++)
        replace(i, NULL);
    replace(0, NULL);
    say("end");
}

/* ---- beside Python's ---- */

static uint64_t seeds(void)
{
    return getenv("SOAK_SECONDS") ? SEEDS_IN_SOAK : SEEDS;
}

/* NULL: there is none, or not the one whose semantics these are. */
static FILE *ask(const char *interpreter, uint64_t first)
{
    char command[200], version[20] = "";
    FILE *python;

    snprintf(command, sizeof command, "%s coroutines/tests/greenlets.py %llu %llu 2>/dev/null",
             interpreter, (unsigned long long)first, (unsigned long long)seeds());
    python = popen(command, "r");
    if (python && fgets(version, sizeof version, python) && strcmp(version, "2.0.2\n") == 0)
        return python;
    if (python)
        pclose(python);
    return NULL;
}

static uint64_t first_seed(void)
{
    const char *given = getenv("TEST_SEED");

    return given ? strtoull(given, NULL, 10) : clock_ns() % 1000000;
}

static void compare(uint64_t seed, const char *line)
{
    size_t same = 0;

    if (strcmp(line, world.trace) == 0)
        return;
    while (line[same] == world.trace[same])
        same++;
    fprintf(stderr, "seed %llu, from character %zu on: ours %.200s, theirs %.200s; before: %.*s\n",
            (unsigned long long)seed, same, world.trace + same, line + same, (int)same, line);
    world.ends = true;
    fail();
}

/* Policies that destroy late end what is dropped later than Python does. */
static void test_greenlets_behave_as_pythons(void **state)
{
    static char line[TRACE_BYTES];
    uint64_t first = first_seed();
    FILE *python = ask("python3", first);

    (void)state;
    if (!python)
        python = ask("/usr/bin/python3", first);
    if (!python || RC_LATE_HERE) {
        if (python)
            pclose(python);
        skip();
    }
    for (uint64_t seed = first; seed < first + seeds(); seed++) {
        assert_non_null(fgets(line, sizeof line, python));
        line[strcspn(line, "\n")] = '\0';
        run_world(seed);
        compare(seed, line);
    }
    pclose(python);
    world.ends = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greenlets_behave_as_pythons),
    };

    return run_attached(tests);
}
