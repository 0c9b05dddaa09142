/* test_chains.c - generators that delegate to one another by chance, against CPython.
 *
 * A world has a few generators whose bodies, each with a generator of random numbers of its own,
 * yield, return, raise, delegate to any of the others or to themselves, and resume others from
 * within; what is thrown at them they let pass, swallow, or answer with another exception. They
 * are resumed, thrown at and closed in any order, and what comes of that is written down: results,
 * exceptions with their contexts, and before and after each step the state of every one and what it
 * delegates to.
 *
 * The same world is made of generators that are alone, whose chains are resumed at the leaf; of
 * published ones, which without a GIL are claimed level by level; and of such as are published
 * now and then, also while they run. And chains.py makes it of CPython's. All must write the
 * same.
 */
#include "coroutines/tests/generators.h"

#include <errno.h>

enum {
    MEMBERS = 6, ACTS = 40, NESTED_MOST = 2, SEEDS = SANITIZED ? 150 : 600, SEEDS_IN_SOAK = 20000,
    TRACE_BYTES = 1 << 16, PROPAGATE = 0, RETURN_NUMBER = 2, RAISE_ANOTHER = 3
};

static struct {
    struct object *pool[MEMBERS]; /* owned */
    enum publicity { ALONE, IN_PUBLIC, NOW_AND_THEN } publicity;
    uint64_t chance, own[MEMBERS], publishing;
    int64_t numbers[MEMBERS];
    int nested;
    size_t used;
    char trace[TRACE_BYTES];
} world;

/* ---- what is written down ---- */

__attribute__((format(printf, 1, 2)))
static void write_word(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    world.used += (size_t)vsnprintf(world.trace + world.used, TRACE_BYTES - world.used, format,
                                    arguments);
    va_end(arguments);
    assert_true(world.used < TRACE_BYTES);
}

/* An exception, and what led to it; without blanks. */
static void write_exception(borrowed exception)
{
    struct object *e = incref(exception), *context;
    size_t start = world.used;

    while (e) {
        const char *message = exception_message(e);

        write_word("%s%s%s", type_of(e)->name, *message ? ":" : "", message);
        context = exception_context(e);
        decref(e);
        e = context;
        if (e)
            write_word("<-");
    }
    for (; start < world.used; start++)
        if (world.trace[start] == ' ')
            world.trace[start] = '_';
}

static int place_of(borrowed o)
{
    for (int i = 0; i < MEMBERS; i++)
        if (world.pool[i] == o)
            return i;
    return -1;
}

static void write_states(void)
{
    write_word(" ");
    for (int i = 0; i < MEMBERS; i++) {
        struct object *from = generator_delegate(world.pool[i]);

        write_word("%.2s", generator_state_name(world.pool[i]) + 4);
        if (from == none())
            write_word("-");
        else
            write_word("%d", place_of(from));
        decref(from);
    }
}

static void write_value(const char *sign, struct object *value /* steals */)
{
    if (value == none())
        write_word(" %sNone", sign);
    else
        write_word(" %s%lld", sign, (long long)int_value(value));
    decref(value);
}

/* A StopIteration that comes straight back is to Python what a return is. */
static void write_error(struct object *e /* steals */)
{
    if (exception_is(e, &stop_iteration)) {
        write_value("#", incref(exception_value(e)));
    } else {
        write_word(" !");
        write_exception(e);
    }
    decref(e);
}

static void write_step(enum step step, struct object *result /* steals */)
{
    if (step == STEP_ERROR)
        write_error(exception_take());
    else
        write_value(step == STEP_NEXT ? "=" : "#", result);
}

/* Some member, if it is the time. It publishes what that delegates to, too. */
static void perhaps_publish(void)
{
    if (world.publicity == NOW_AND_THEN && random_of(&world.publishing, 8) == 0)
        publish(world.pool[random_of(&world.publishing, MEMBERS)]);
}

/* ---- bodies ---- */

/* Frame: [0] its number. */
static int self_of(const struct frame *f)
{
    return (int)int_value(f->reference[0]);
}

static struct object *number_of(int i)
{
    return int_new(i * 100 + ++world.numbers[i]);
}

static enum turn raise_number(int i, const struct type *kind, char sign)
{
    world.numbers[i]++;
    exception_set(kind, "%c%lld", sign, (long long)(i * 100 + world.numbers[i]));
    return TURN_ERROR;
}

static void step_next(int i, char sign)
{
    struct object *result = NULL;
    enum step step;

    write_word(" %c%d", sign, i);
    write_states();
    step = generator_send(world.pool[i], none(), &result);
    write_step(step, result);
    write_states();
}

static void nest(int i)
{
    int other = (int)random_of(&world.own[i], MEMBERS);

    perhaps_publish();
    if (world.nested == NESTED_MOST)
        return;
    world.nested++;
    step_next(other, '(');
    world.nested--;
    write_word(" )");
}

/* What the body does of its own accord, up to the end of its turn. */
static enum turn act(int i, struct object **result)
{
    uint64_t choice;

    while ((choice = random_of(&world.own[i], 12)) == 9)
        nest(i);
    if (choice == 10)
        return raise_number(i, &value_error, 'v');
    if (choice == 11) {
        *result = number_of(i);
        return TURN_RETURN;
    }
    *result = choice < 5 ? number_of(i) : incref(world.pool[random_of(&world.own[i], MEMBERS)]);
    return choice < 5 ? TURN_YIELD : TURN_FROM;
}

static enum turn answer(int i, borrowed thrown, struct object **result)
{
    struct handling h;

    write_word(" %d!", i);
    write_exception(thrown);
    switch (random_of(&world.own[i], 5)) {
    case PROPAGATE:
        return frame_raise(thrown);
    case RETURN_NUMBER:
        *result = number_of(i);
        return TURN_RETURN;
    case RAISE_ANOTHER:
        exception_handle_begin(&h, incref(thrown));
        raise_number(i, &runtime_error, 'r');
        exception_handle_end(&h);
        return TURN_ERROR;
    default:
        return act(i, result);
    }
}

static enum turn live(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    int i = self_of(f);
    char sign[8];

    if (f->at == 0) {
        f->at = 1;
        return act(i, result);
    }
    if (how == RESUME_THROW)
        return answer(i, argument, result);
    snprintf(sign, sizeof sign, "%d<", i);
    write_value(sign, incref(argument));
    return act(i, result);
}

static const struct body body_live = { .name = "live", .resume = live, .references = 1 };

/* ---- a world ---- */

static void throw_at(int i, uint64_t value)
{
    const struct type *const kinds[] = { &key_error, &generator_exit, &stop_iteration };
    struct object *result = NULL;
    enum step step;

    write_word(" t%d", i);
    write_states();
    step = generator_throw(world.pool[i], exception_new(kinds[value], "%s", ""), &result);
    write_step(step, result);
    write_states();
}

static void send_to_member(int i, uint64_t value)
{
    struct object *sent = int_new((int64_t)value + 7), *result = NULL;
    enum step step;

    write_word(" s%d", i);
    write_states();
    step = generator_send(world.pool[i], sent, &result);
    write_step(step, result);
    write_states();
    decref(sent);
}

/* What it returned is left out: CPython 3.11 does not tell. */
static void close_member(int i)
{
    write_word(" c%d", i);
    write_states();
    if (generator_close(world.pool[i], NULL) == 0)
        write_word(" =None");
    else
        write_step(STEP_ERROR, NULL);
    write_states();
}

static void act_once(void)
{
    int i = (int)random_of(&world.chance, MEMBERS);
    uint64_t what = random_of(&world.chance, 10), value = random_of(&world.chance, 3);

    if (what < 4)
        step_next(i, 'n');
    else if (what < 7)
        send_to_member(i, value);
    else if (what < 9)
        throw_at(i, value);
    else
        close_member(i);
}

static uint64_t chance_of(uint64_t seed)
{
    return (seed * UINT64_C(0x9E3779B97F4A7C15)) | 1;
}

static void run_world(uint64_t seed, enum publicity publicity)
{
    memset(&world, 0, sizeof world);
    world.publicity = publicity;
    world.chance = world.publishing = chance_of(seed);
    for (int i = 0; i < MEMBERS; i++) {
        world.own[i] = chance_of(seed * 31 + (uint64_t)i + 1);
        world.pool[i] = make_around(&body_live, int_new(i));
        if (publicity == IN_PUBLIC)
            publish(world.pool[i]);
    }
    for (int i = 0; i < ACTS; i++) {
        perhaps_publish();
        act_once();
    }
}

/* Their ends write, too, so the trace is taken before. Closed until they are: they may refuse,
 * and delegate to one another. */
static void end_world(void)
{
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < MEMBERS; i++) {
            world.used = 0;
            generator_close(world.pool[i], NULL);
            exception_restore(NULL);
        }
    for (int i = 0; i < MEMBERS; i++) {
        world.used = 0;
        decref(world.pool[i]);
    }
    settle_heap();
}

/* ---- what is compared ---- */

static uint64_t first_seed(void)
{
    seed_random();
    return test_seed % 1000000;
}

static uint64_t seeds(void)
{
    return getenv("SOAK_SECONDS") ? SEEDS_IN_SOAK : SEEDS;
}

static void compare(uint64_t seed, const char *wanted, const char *of)
{
    const char *trace = world.trace + 1; /* a blank */

    size_t same = 0;

    if (strcmp(trace, wanted) == 0)
        return;
    while (trace[same] == wanted[same])
        same++;
    fprintf(stderr, "seed %llu, from character %zu on: ours %.200s, %s %.200s; before: %.*s\n",
            (unsigned long long)seed, same, trace + same, of, wanted + same, (int)same, trace);
    end_world();
    fail();
}

static void test_chains_behave_alike_alone_and_in_public(void **state)
{
    static char alone[TRACE_BYTES];
    uint64_t first = first_seed();

    (void)state;
    for (uint64_t seed = first; seed < first + seeds(); seed++) {
        run_world(seed, ALONE);
        snprintf(alone, sizeof alone, "%s", world.trace + 1);
        end_world();
        run_world(seed, IN_PUBLIC);
        compare(seed, alone, "alone");
        end_world();
        run_world(seed, NOW_AND_THEN);
        compare(seed, alone, "alone");
        end_world();
    }
}

/* NULL: there is no Python of the version whose semantics these are. */
static FILE *ask_python(uint64_t first)
{
    char command[200], version[20] = "";
    FILE *python;

    snprintf(command, sizeof command, "python3 coroutines/tests/chains.py %llu %llu 2>/dev/null",
             (unsigned long long)first, (unsigned long long)seeds());
    python = popen(command, "r");
    if (python && fgets(version, sizeof version, python) && strcmp(version, "3.11\n") == 0)
        return python;
    if (python)
        pclose(python);
    return NULL;
}

static void test_chains_behave_as_those_of_cpython(void **state)
{
    static char line[TRACE_BYTES];
    uint64_t first = first_seed();
    FILE *python = ask_python(first);

    (void)state;
    if (!python)
        skip();
    for (uint64_t seed = first; fgets(line, sizeof line, python); seed++) {
        line[strcspn(line, "\n")] = '\0';
        run_world(seed, ALONE);
        compare(seed, line, "CPython");
        end_world();
    }
    pclose(python);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains_behave_alike_alone_and_in_public),
        cmocka_unit_test(test_chains_behave_as_those_of_cpython),
    };

    return run_attached(tests);
}
