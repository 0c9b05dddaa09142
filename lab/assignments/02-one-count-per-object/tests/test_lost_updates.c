/* test_lost_updates.c - how many increments of one object four threads lose. */
#include "lab/grade/inside/count.h"
#include "objects/tests/testing.h"

enum { TAKEN = 20000 };

static struct object *shared;

static void take(struct thread *t, int index)
{
    (void)t, (void)index;
    for (int i = 0; i < TAKEN; i++)
        incref(shared);
}

static void ignore(void *argument)
{
    (void)argument;
}

static void test_lost_updates_are_counted(void **state)
{
    int64_t count;

    (void)state;
    shared = probe_new(ignore, NULL);
    publish(shared);
    run_threads_unprotected(take);
    count = exact_count(shared);
    grade_count("lost updates", (double)(1 + TEST_THREADS * TAKEN - count));
    for (; count > 0; count--)
        decref(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_updates_are_counted),
    };

    return run_attached(tests);
}
