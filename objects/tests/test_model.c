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

enum { POLICIES = 10, SCRIPT_BYTES = 1 << 16 };

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
    fprintf(stderr, "%d sessions\n", sessions);
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
    };
    const struct CMUnitTest replay[] = {
        cmocka_unit_test(test_replay),
    };

    return getenv("TEST_SCRIPT") ? cmocka_run_group_tests(replay, NULL, NULL)
                                 : cmocka_run_group_tests(tests, NULL, NULL);
}
