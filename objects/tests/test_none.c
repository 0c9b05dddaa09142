/* test_none.c - None, True, False and the types are never counted. */
#include "objects/bool.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/tests/testing.h"

#include <string.h>

enum { MANY = 1000000 };

/* Were one of them counted, its header would be written, and that is read-only. */
static void take_many_references(struct object *o)
{
    const struct object *header = (borrowed)((uintptr_t)o - 1);
    struct object before;
    int64_t count = refcount(o);

    memcpy(&before, header, sizeof before);
    for (int i = 0; i < MANY; i++) {
        struct object *again = incref(o);

        assert_ptr_equal(again, o);
    }
    assert_int_equal(refcount(o), count);
    for (int i = 0; i < 2 * MANY; i++)
        decref(o);
    assert_int_equal(refcount(o), count);
    assert_memory_equal(&before, header, sizeof before);
}

static void test_none_is_not_counted(void **state)
{
    (void)state;
    take_many_references(none());
}

static void test_bools_are_not_counted(void **state)
{
    (void)state;
    take_many_references(truth(true));
    take_many_references(truth(false));
}

static void test_types_are_not_counted(void **state)
{
    struct type before = int_type;
    struct object *ints[64];

    (void)state;
    for (size_t i = 0; i < 64; i++)
        ints[i] = int_new((int64_t)i);
    assert_memory_equal(&before, &int_type, sizeof before);
    for (size_t i = 0; i < 64; i++)
        decref(ints[i]);
    assert_memory_equal(&before, &int_type, sizeof before);
}

static void test_none_cannot_be_published(void **state)
{
    (void)state;
    publish(none());
    assert_false(published(none()));
}

static void test_none_equals_itself_only(void **state)
{
    (void)state;
    assert_true(object_equal(none(), none()));
    assert_false(object_equal(none(), truth(false)));
    assert_int_equal(hash_of(none()), hash_of(none()));
    assert_ptr_equal(type_of(none()), &none_type);
    assert_repr(none(), "None");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_is_not_counted),
        cmocka_unit_test(test_bools_are_not_counted),
        cmocka_unit_test(test_types_are_not_counted),
        cmocka_unit_test(test_none_cannot_be_published),
        cmocka_unit_test(test_none_equals_itself_only),
    };

    return run_attached(tests);
}
