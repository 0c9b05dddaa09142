/* test_model.c - random operations on all types, compared with a plain model.
 *
 * One thread alone, of which everything is known: what each object is, who holds it, how many
 * references there are, when it is destroyed (model.h). What fails is made short and
 * printed as a script, which `TEST_SCRIPT='...' test_model` runs again ($TEST_SCRIPT may
 * be the name of a file). And four threads, each with a world of its own, and containers
 * that they share, on which each does what it can vouch for.
 *
 * Runs for some seconds; with $SOAK_SECONDS, for as many in all policies together.
 */
#include "objects/tests/crowd.h"
#include "objects/tests/script.h"

enum { POLICIES = 10, SCRIPT_BYTES = 1 << 16, SHORT = 8 };

static uint64_t budget_ns(void)
{
    const char *soak = getenv("SOAK_SECONDS");
    uint64_t ms = SANITIZED ? 3000 : 1500;

    if (soak && strtoull(soak, NULL, 10))
        ms = strtoull(soak, NULL, 10) * 1000 / POLICIES / 2;
    return ms * 1000000;
}

/* ---- one thread ---- */

static void print_failing(const struct script *script)
{
    fprintf(stderr, "TEST_SEED=%llu\nTEST_SCRIPT='", (unsigned long long)test_seed);
    script_write(script, stderr);
    fprintf(stderr, "'\n");
}

static void test_operations(void **state)
{
    static struct script script;
    int sessions;

    (void)state;
    seed_random();
    if (find_failing(&script, run_script, test_seed, budget_ns(), &sessions)) {
        print_failing(&script);
        fails(run_script, &script, false);
        fail();
    }
    assert_true(sessions > 0);
}

/* ---- whether a fault is found, and made short ---- */

/* One that holds the fault somewhere among steps by chance. False: it does not fail. */
static bool plant(struct script *script, const char *fault)
{
    for (int attempt = 0; attempt < 200; attempt++) {
        script_random(script, random_below(UINT32_MAX));
        for (int i = 0; i < script->length; i += 10)
            script->step[i].operation = operation_named(fault, strlen(fault));
        if (fails(run_script, script, true))
            return true;
    }
    return false;
}

/* Through the text, as who replays it will. */
static bool fails_as_text(const struct script *script)
{
    static struct script again;
    static char text[SCRIPT_BYTES];
    const char *at = text;
    FILE *out = fmemopen(text, sizeof text, "w");

    assert_non_null(out);
    script_write(script, out);
    fclose(out);
    assert_true(script_read(&again, &at));
    return again.length == script->length && fails(run_script, &again, true);
}

static void test_a_fault_is_found_and_made_short(void **state)
{
    static const char *const faults[] = { "fault_leak", "fault_free_early", "fault_crash" };
    static struct script script;

    (void)state;
    seed_random();
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        assert_true(plant(&script, faults[i]));
        script_shorten(&script, run_script);
        if (script.length > SHORT)
            print_failing(&script);
        assert_true(script.length <= SHORT);
        assert_true(fails_as_text(&script));
        script.length--; /* the last step is the one that fails: the shortest has none after */
        assert_false(fails(run_script, &script, true));
    }
}

static void test_what_is_no_script_is_refused(void **state)
{
    static const char *const texts[] = { "append", "append.1.2", "append.1.2.x", "no.1.2.3" };
    static struct script script;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(script_read(&script, &(const char *){ texts[i] }));
    assert_true(script_read(&script, &(const char *){ " make_int.1.2.3\n\nappend.0.0.0 " }));
    assert_int_equal(script.length, 2);
}

/* ---- the program ---- */

static const char *script_text(const char *given)
{
    static char text[SCRIPT_BYTES];
    FILE *file = fopen(given, "r");
    size_t length;

    if (!file)
        return given;
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static void test_replay(void **state)
{
    static struct script script;
    const char *text = script_text(getenv("TEST_SCRIPT"));

    (void)state;
    if (!script_read(&script, &text)) {
        fprintf(stderr, "not a step of a script: %.40s\n", text);
        fail();
    }
    assert_false(fails(run_script, &script, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_a_fault_is_found_and_made_short),
        cmocka_unit_test(test_what_is_no_script_is_refused),
    };
    const struct CMUnitTest replay[] = {
        cmocka_unit_test(test_replay),
    };

    return getenv("TEST_SCRIPT") ? cmocka_run_group_tests(replay, NULL, NULL)
                                 : cmocka_run_group_tests(tests, NULL, NULL);
}
