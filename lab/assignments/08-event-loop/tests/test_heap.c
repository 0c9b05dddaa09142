/* test_heap.c - how much of the heap is moved for a timer: what no clock disturbs. */
#include "coroutines/timers.h"
#include "lab/grade/inside/count.h"
#include "objects/tests/testing.h"

enum { TIMERS = 4096 };

static struct timer timer[TIMERS];
static struct timer_entry before[TIMERS];

/* Places that hold something else than when it was asked last. */
static size_t places_moved(const struct timers *t)
{
    size_t places = 0;

    for (size_t i = 0; i < t->count; i++) {
        places += before[i].timer != t->entry[i].timer || before[i].when_ns != t->entry[i].when_ns;
        before[i] = t->entry[i];
    }
    return places;
}

/* The worst there is to set: each is earlier than all that are there. */
static void test_places_that_are_moved_are_counted(void **state)
{
    struct timers t = { NULL };
    size_t places = 0;

    (void)state;
    for (int i = 0; i < TIMERS; i++) {
        timer[i].when_ns = (uint64_t)(TIMERS - i);
        assert_int_equal(timers_add(&t, &timer[i]), 0);
        assert_ptr_equal(timers_first(&t), &timer[i]);
        places += places_moved(&t);
    }
    for (int i = TIMERS; i-- > 0;) {
        assert_ptr_equal(timers_pop(&t), &timer[i]);
        places += places_moved(&t);
    }
    timers_fini(&t);
    grade_count("places moved", (double)places / TIMERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_that_are_moved_are_counted),
    };

    return run_attached(tests);
}
