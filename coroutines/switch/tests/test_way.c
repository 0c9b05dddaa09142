/* test_way.c - the list of the ways, and which is used where none is asked for. */
#include "coroutines/switch/tests/testing.h"

static void *return_at_once(struct fiber *self, void *first)
{
    (void)self;
    return first;
}

static void test_every_way_says_what_it_is(void **state)
{
    (void)state;
    assert_non_null(way_list[0].name);
    for (const struct named_way *w = way_list; w->name; w++) {
        assert_ptr_equal(way_named(w->name), w->way);
        assert_non_null(w->way->about);
        assert_non_null(w->way->source);
    }
    assert_null(way_named("no such way"));
    assert_ptr_equal(way_named("native"), &way_native);
}

static const struct way *made_by_default(void)
{
    struct fiber *f = fiber_new(&here, "by default", return_at_once);
    const struct way *made;

    assert_non_null(f);
    made = f->way;
    destroy(f);
    return made;
}

static void test_native_is_the_standard_way_where_it_can_be(void **state)
{
    (void)state;
    assert_ptr_equal(way_standard(), way_native.refusal() ? &way_ucontext : &way_native);
    assert_ptr_equal(made_by_default(), way_standard());
}

static void test_another_may_be_made_the_standard_way(void **state)
{
    const struct way *before = way_standard();

    (void)state;
    way_use(&way_ucontext);
    assert_ptr_equal(way_standard(), &way_ucontext);
    assert_ptr_equal(made_by_default(), &way_ucontext);
    way_use(NULL);
    assert_ptr_equal(way_standard(), before);
}

static const char *refuse(void)
{
    return "this is a test";
}

static void test_a_way_that_is_refused_says_why(void **state)
{
    const struct way refused = { .refusal = refuse };

    (void)state;
    errno = 0;
    assert_null(fiber_new_with(&here, "refused", return_at_once, &refused, 0));
    assert_int_equal(errno, ENOTSUP);
    assert_string_equal(here.stacks.why, "this is a test");
}

/* ---- copystack inside another way inside copystack. */

static struct fiber *innermost;

static void *resume_innermost(struct fiber *self, void *first)
{
    void *got = fiber_resume(self->carrier, innermost, first);

    return pointer(got == FIBER_FAILED ? errno : 0);
}

static void *resume_given(struct fiber *self, void *first)
{
    return fiber_resume(self->carrier, first, NULL);
}

static void test_copystack_goes_back_to_its_own_kind_alone(void **state)
{
    struct fiber *outer, *between;

    (void)state;
    if (way_copystack.refusal())
        return;
    outer = fiber_new_with(&here, "outer", resume_given, &way_copystack, 0);
    between = fiber_new_with(&here, "between", resume_innermost, &way_ucontext, 0);
    innermost = fiber_new_with(&here, "innermost", return_at_once, &way_copystack, 0);
    assert_int_equal(resume(outer, number(between)), ENOTSUP);
    assert_int_equal(fiber_state(innermost), FIBER_SUSPENDED);
    assert_int_equal(resume(innermost, 5), 5);
    destroy(outer);
    destroy(between);
    destroy(innermost);
}

#define carried(f) cmocka_unit_test_setup_teardown(f, begin_with_carrier, end_with_carrier)

int main(void)
{
    const struct CMUnitTest tests[] = {
        carried(test_every_way_says_what_it_is),
        carried(test_native_is_the_standard_way_where_it_can_be),
        carried(test_another_may_be_made_the_standard_way),
        carried(test_a_way_that_is_refused_says_why),
        carried(test_copystack_goes_back_to_its_own_kind_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
