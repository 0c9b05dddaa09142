/* test_spinpark.c - the lock `spinpark` from inside: whoever asks, asks a thread that is there.
 *
 * From outside the fault would be seen only if a thread came, went, and was freed within the
 * few instructions between a look at `holder` and the request.
 */
#define gil_spinpark spinpark_from_inside
#include "gil/locks/spinpark.c"

#include "gil/tests/tasks.h"
#include "gil/tests/testing.h"

static void *comes_and_goes(void *argument)
{
    struct thread t = { 0 };

    thread_start(&t, argument, NULL);
    thread_stop(&t);
    return NULL;
}

static void test_who_leaves_waits_for_who_asks(void **state)
{
    struct gil *gil = gil_new(&gil_spinpark, NULL);
    struct gil_spinpark *g = (struct gil_spinpark *)gil;
    pthread_t id;

    (void)state;
    assert_non_null(gil);
    mutex_lock(&g->asking);
    launch(&id, 1, comes_and_goes, gil);
    wait_until_others_sleep();
    assert_int_equal(world_threads(), 1);
    mutex_unlock(&g->asking);
    join(&id, 1);
    assert_int_equal(world_threads(), 0);
    gil_delete(gil);
}

static struct thread *holder_of(struct gil *gil)
{
    return atomic_load_explicit(&self(gil)->holder, memory_order_acquire);
}

static void test_nobody_is_the_holder_of_a_free_lock(void **state)
{
    struct gil *gil = gil_new(&gil_spinpark, NULL);
    struct thread t = { 0 };

    (void)state;
    assert_non_null(gil);
    assert_int_equal(thread_start(&t, gil, NULL), 0);
    assert_ptr_equal(holder_of(gil), &t);
    thread_detach(&t);
    assert_null(holder_of(gil));
    thread_attach(&t);
    thread_request(&t, BREAKER_GIL);
    safepoint(&t);
    assert_ptr_equal(holder_of(gil), &t);
    thread_stop(&t);
    assert_null(holder_of(gil));
    gil_delete(gil);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_who_leaves_waits_for_who_asks, set_watchdog),
        cmocka_unit_test_setup(test_nobody_is_the_holder_of_a_free_lock, set_watchdog),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
