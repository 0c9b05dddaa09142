/* cmocka.h - as much of cmocka as the tests of fibers use, where there is no package of it.
 *
 * foreign.sh compiles the tests for another machine with this in cmocka's place. A failed
 * assertion ends the program: what follows a fault is anybody's guess.
 */
#ifndef COROUTINES_SWITCH_TESTS_FOREIGN_CMOCKA_H
#define COROUTINES_SWITCH_TESTS_FOREIGN_CMOCKA_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state), (*teardown_func)(void **state);
    void *initial_state;
};

#define print_message(...) printf(__VA_ARGS__)

static inline void foreign_assert(bool right, const char *text, int line)
{
    if (right)
        return;
    printf("# line %d: %s\nnot ok\n", line, text);
    fflush(stdout);
    _Exit(1);
}

#define assert_true(x) foreign_assert((x), #x, __LINE__)
#define assert_false(x) assert_true(!(x))
#define assert_null(x) assert_true(!(x))
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_int_not_equal(a, b) assert_true((long long)(a) != (long long)(b))
#define assert_in_range(a, low, high) \
    assert_true((long long)(a) >= (long long)(low) && (long long)(a) <= (long long)(high))

static inline int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests,
                                          size_t count, int (*setup)(void **),
                                          int (*teardown)(void **))
{
    (void)group, (void)setup, (void)teardown;
    for (size_t i = 0; i < count; i++) {
        void *state = tests[i].initial_state;

        foreign_assert(tests[i].setup_func(&state) == 0, tests[i].name, __LINE__);
        tests[i].test_func(&state);
        foreign_assert(tests[i].teardown_func(&state) == 0, tests[i].name, __LINE__);
        printf("ok %zu - %s\n", i + 1, tests[i].name);
        fflush(stdout);
    }
    return 0;
}

#endif
