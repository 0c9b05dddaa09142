/* test_section.c - containers lock themselves, if the thread says so. */
#include "objects/list.h"
#include "objects/section.h"
#include "objects/tests/testing.h"

enum { ROUNDS = 20000 };

static struct object *container; /* owned */
static int64_t entered GUARDED_BY(section_held);

static void enter_again_and_again(struct thread *t, int index)
{
    struct section s;

    (void)index;
    for (int i = 0; i < ROUNDS; i++) {
        section_begin(&s, container);
        entered++;
        section_end(&s);
        safepoint(t);
    }
}

static void test_one_thread_at_a_time(void **state)
{
    struct section s;

    (void)state;
    run_threads(enter_again_and_again);
    section_begin(&s, container);
    assert_int_equal(entered, TEST_THREADS * ROUNDS);
    section_end(&s);
}

/* Whether another could take the lock now. */
static bool is_free(void)
{
    if (!bytelock_try(&container->lock))
        return false;
    bytelock_unlock(&container->lock);
    return true;
}

static bool free_in_section(bool locks_containers)
{
    bool before = thread_self->locks_containers, is;
    struct section s;

    thread_self->locks_containers = locks_containers;
    section_begin(&s, container);
    is = is_free();
    section_end(&s);
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

static int make_container(void **state)
{
    (void)state;
    container = list_new();
    publish(container);
    return 0;
}

static int drop_container(void **state)
{
    (void)state;
    decref(container);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_container, drop_container)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_thread_at_a_time),
        TEST(test_the_thread_decides_whether_to_lock),
    };

    return run_attached(tests);
}
