/* test_carriers.c - every thread has a carrier as soon as it wants one, and leaves what it kept. */
#include "coroutines/switch/carriers.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void *echo(struct fiber *self, void *first)
{
    while (first)
        first = fiber_yield(self, first);
    return NULL;
}

static void test_it_is_opened_once(void **state)
{
    struct carrier *t = carrier_here();

    (void)state;
    assert_non_null(t);
    assert_ptr_equal(carrier_here(), t);
    assert_ptr_equal(carrier_self(), t);
}

static void *ask_with_one_open(void *unused)
{
    struct carrier own;

    carrier_open(&own);
    assert_ptr_equal(carrier_here(), &own);
    carrier_close(&own);
    return unused;
}

static void test_one_that_is_open_is_taken(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, ask_with_one_open, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *make_and_leave(void *where)
{
    struct carrier *t = carrier_here();
    struct fiber *f = fiber_new(t, "left", echo);

    assert_non_null(f);
    assert_ptr_equal(fiber_resume(t, f, where), where);
    *(struct fiber **)where = f;
    return t;
}

static void test_a_fiber_outlives_the_thread_that_made_it(void **state)
{
    pthread_t thread;
    struct fiber *f;
    int token;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, make_and_leave, &f), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(fiber_resume(carrier_here(), f, &token), &token);
    assert_int_equal(fiber_destroy(carrier_here(), f), 0);
}

static void *take_and_give(void *low)
{
    struct carrier *t = carrier_here();
    struct stack *stack = stack_take(&t->stacks, STACK_MOST_BYTES);

    assert_non_null(stack);
    *(char **)low = stack->low;
    stack_give(&t->stacks, stack);
    return NULL;
}

/* Of this size a slab has one: the second thread would get another, if the first had not closed
 * its carrier. */
static void test_what_a_thread_kept_is_the_others_when_it_ends(void **state)
{
    char *low[2];
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread, NULL, take_and_give, &low[i]), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_ptr_equal(low[0], low[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_opened_once),
        cmocka_unit_test(test_one_that_is_open_is_taken),
        cmocka_unit_test(test_a_fiber_outlives_the_thread_that_made_it),
        cmocka_unit_test(test_what_a_thread_kept_is_the_others_when_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
