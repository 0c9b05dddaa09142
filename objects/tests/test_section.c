/* test_section.c - containers lock themselves, if the thread says so. */
#include "objects/section.h"
#include "objects/tests/testing.h"

enum { ROUNDS = 20000 };

static struct mutex lock = MUTEX_INIT;
static int64_t entered GUARDED_BY(section_held);

static void enter_again_and_again(struct thread *t, int index)
{
    (void)index;
    for (int i = 0; i < ROUNDS; i++) {
        section_begin(&lock);
        entered++;
        section_end(&lock);
        safepoint(t);
    }
}

static void test_one_thread_at_a_time(void **state)
{
    (void)state;
    run_threads(enter_again_and_again);
    section_begin(&lock);
    assert_int_equal(entered, TEST_THREADS * ROUNDS);
    section_end(&lock);
}

/* Whether another could take the mutex now. */
static bool is_free(void)
{
    if (pthread_mutex_trylock(&lock.os) != 0)
        return false;
    pthread_mutex_unlock(&lock.os);
    return true;
}

static bool free_in_section(bool locks_containers)
{
    bool before = thread_self->locks_containers, is;

    thread_self->locks_containers = locks_containers;
    section_begin(&lock);
    is = is_free();
    section_end(&lock);
    thread_self->locks_containers = before;
    return is;
}

static void test_the_thread_decides_whether_to_lock(void **state)
{
    (void)state;
    assert_true(free_in_section(false));
    assert_false(free_in_section(true));
    assert_true(is_free());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_at_a_time),
        cmocka_unit_test(test_the_thread_decides_whether_to_lock),
    };

    return run_attached(tests);
}
