/* test_hash.c - SipHash as it is published, and what equal objects promise. */
#include "objects/float.h"
#include "objects/hash.h"
#include "objects/int.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

#include <string.h>

enum { WORDS = 4096, BITS = 12 };

/* CPython's siphash13 under a key of zeros, printed by
 * PYTHONHASHSEED=0 python3 -c 'print(hash(b"abc") % 2**64)' (3.11). */
static void test_siphash_agrees_with_cpython(void **state)
{
    static const uint64_t zeros[2];

    (void)state;
    assert_true(siphash(zeros, "a", 1) == 4644417185603328019u);
    assert_true(siphash(zeros, "abc", 3) == 13851880170939887858u);
    assert_true(siphash(zeros, "01234567", 8) == 15725952933250624710u);
    assert_true(siphash(zeros, "0123456789abcdef0", 17) == 17814194274854507048u);
}

static void test_another_key_is_another_hash(void **state)
{
    static const uint64_t one[2] = { 1, 0 }, two[2] = { 0, 1 };

    (void)state;
    assert_true(siphash(one, "abc", 3) != siphash(two, "abc", 3));
}

static void assert_equal_hashes(struct object *a /* steals */, struct object *b /* steals */)
{
    assert_ptr_not_equal(a, b);
    assert_true(object_equal(a, b));
    assert_true(hash_of(a) == hash_of(b));
    decref(a);
    decref(b);
}

static void test_equal_objects_hash_equal(void **state)
{
    struct object *item = int_new(3);

    (void)state;
    assert_equal_hashes(int_new(-7), int_new(-7));
    assert_equal_hashes(float_new(0.0), float_new(-0.0));
    assert_equal_hashes(float_new(1.5), float_new(1.5));
    assert_equal_hashes(str_new("text"), str_new("text"));
    assert_equal_hashes(str_new(""), str_new(""));
    assert_equal_hashes(tuple_new(1, &item), tuple_new(1, &item));
    decref(item);
}

/* Numbers that differ in few bits, as those of programs do, must spread over the low bits,
 * of which a table takes as many as it needs. By chance 63 of 100 slots are hit. */
static void assert_spread(int shift)
{
    char hit[1 << BITS] = { 0 };
    int slots = 0;

    for (uint64_t i = 0; i < WORDS; i++)
        hit[hash_word(i << shift) % WORDS] = 1;
    for (int i = 0; i < WORDS; i++)
        slots += hit[i];
    assert_in_range(slots, WORDS * 58 / 100, WORDS * 68 / 100);
}

static void test_words_spread_over_the_low_bits(void **state)
{
    (void)state;
    for (int shift = 0; shift + BITS <= 64; shift += 4)
        assert_spread(shift);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_agrees_with_cpython),
        cmocka_unit_test(test_another_key_is_another_hash),
        cmocka_unit_test(test_equal_objects_hash_equal),
        cmocka_unit_test(test_words_spread_over_the_low_bits),
    };

    return run_attached(tests);
}
