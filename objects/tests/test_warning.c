/* test_warning.c - what no caller can be told goes to the hooks. */
#include "objects/warning.h"

#include "objects/tests/testing.h"

#include <string.h>

static struct {
    int warnings, errors;
    char message[2000], where[80];
    const struct type *kind;
    struct object *kept; /* owned */
} told;

static void on_warning(const struct type *kind, const char *message)
{
    told.warnings++;
    told.kind = kind;
    assert_null(exception_pending());
    snprintf(told.message, sizeof told.message, "%s", message);
    exception_set(&key_error, "the hook's own");
}

static void on_error(borrowed e, const char *where)
{
    told.errors++;
    xdecref(told.kept);
    told.kept = incref(e);
    assert_null(exception_pending());
    snprintf(told.where, sizeof told.where, "%s", where);
    exception_set(&key_error, "the hook's own");
}

static const struct warning_hooks both = { on_warning, on_error }, neither = { NULL, NULL };

static int forget(void **state)
{
    (void)state;
    warning_set_hooks(NULL);
    xdecref(told.kept);
    memset(&told, 0, sizeof told);
    return 0;
}

static void test_without_hooks_all_is_dropped(void **state)
{
    const struct warning_hooks *sets[] = { NULL, &neither };
    int64_t before = live_blocks();

    (void)state;
    for (int i = 0; i < 2; i++) {
        warning_set_hooks(sets[i]);
        warn(&runtime_warning, "nobody listens");
        exception_set(&value_error, "nor here");
        warning_unraisable("test");
        assert_null(exception_pending());
    }
    assert_int_equal(live_blocks(), before);
}

static void test_a_warning_leaves_what_is_pending(void **state)
{
    (void)state;
    warning_set_hooks(&both);
    exception_set(&value_error, "pending");
    warn(&runtime_warning, "number %d", 7);
    assert_int_equal(told.warnings, 1);
    assert_ptr_equal(told.kind, &runtime_warning);
    assert_string_equal(told.message, "number 7");
    assert_string_equal(exception_message(exception_pending()), "pending");
    assert_raises(&value_error);
}

static void test_a_warning_that_is_made_an_error_goes_to_the_other_hook(void **state)
{
    (void)state;
    warning_set_hooks(&both);
    warn(&runtime_warning, "number %d", 7);
    assert_int_equal(told.errors, 1);
    assert_string_equal(told.where, "number 7");
    assert_string_equal(exception_message(told.kept), "the hook's own");
    assert_null(exception_pending());
}

static void test_a_long_warning_is_cut_off(void **state)
{
    char text[3000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    warning_set_hooks(&both);
    warn(&runtime_warning, "%s", text);
    assert_in_range(strlen(told.message), 100, 1000);
}

static void test_an_error_goes_to_its_hook_and_is_pending_no_more(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    warning_set_hooks(&both);
    exception_set(&value_error, "lost");
    warning_unraisable("some end");
    assert_null(exception_pending());
    assert_int_equal(told.errors, 1);
    assert_string_equal(told.where, "some end");
    assert_string_equal(exception_message(told.kept), "lost");
    decref(told.kept);
    told.kept = NULL;
    assert_int_equal(live_blocks(), before);
    warning_unraisable("nothing happened");
    assert_int_equal(told.errors, 1);
}

static void test_hooks_are_put_back(void **state)
{
    (void)state;
    assert_null(warning_set_hooks(&both));
    assert_ptr_equal(warning_set_hooks(&neither), &both);
    assert_ptr_equal(warning_set_hooks(NULL), &neither);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_without_hooks_all_is_dropped, forget),
        cmocka_unit_test_teardown(test_a_warning_leaves_what_is_pending, forget),
        cmocka_unit_test_teardown(test_a_warning_that_is_made_an_error_goes_to_the_other_hook, forget),
        cmocka_unit_test_teardown(test_a_long_warning_is_cut_off, forget),
        cmocka_unit_test_teardown(test_an_error_goes_to_its_hook_and_is_pending_no_more, forget),
        cmocka_unit_test_teardown(test_hooks_are_put_back, forget),
    };

    return run_attached(tests);
}
