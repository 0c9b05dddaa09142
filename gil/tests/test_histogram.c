/* test_histogram.c - the error of what is read back, quantiles, and the largest. */
#include "gil/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct histogram *new_histogram(void)
{
    struct histogram *h = calloc(1, sizeof *h);

    assert_non_null(h);
    return h;
}

/* Recorded alone, a value comes back within 1/32 of itself. */
static void expect_bounded_error(uint64_t value)
{
    struct histogram *h = new_histogram();
    uint64_t back, error;

    histogram_record(h, value);
    back = histogram_quantile(h, 0.5);
    error = back > value ? back - value : value - back;
    if (error > value / HISTOGRAM_STEPS)
        fail_msg("%llu came back as %llu", (unsigned long long)value, (unsigned long long)back);
    free(h);
}

static void test_error_is_bounded_over_the_whole_range(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 5000; value++)
        expect_bounded_error(value);
    for (int bit = 12; bit < 64; bit++) {
        for (uint64_t step = 0; step < 64; step++) {
            uint64_t value = (1ull << bit) + step * (1ull << (bit - 6));

            expect_bounded_error(value - 1);
            expect_bounded_error(value);
            expect_bounded_error(value + 1);
        }
    }
    expect_bounded_error(UINT64_MAX);
}

/* No value is below the bucket of a smaller one, and the last bucket is the last. */
static void test_buckets_are_in_order_and_none_is_outside(void **state)
{
    int last = 0;

    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        for (uint64_t step = 0; step < 64; step++) {
            int bucket =
                histogram_bucket((1ull << bit) + (uint64_t)(((1ull << bit) / 64.0) * step));

            assert_true(bucket == last || bucket == last + 1);
            last = bucket;
        }
    }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

/* The middle of its bucket lies beyond it. */
static void test_no_quantile_is_above_the_longest(void **state)
{
    struct histogram *h = new_histogram();

    (void)state;
    histogram_record(h, 4096);
    assert_true(histogram_middle(histogram_bucket(4096)) > 4096);
    assert_int_equal(histogram_quantile(h, 0.5), 4096);
    assert_int_equal(histogram_quantile(h, 1), 4096);
    free(h);
}

static void test_quantiles_are_by_rank(void **state)
{
    struct histogram *h = new_histogram();

    (void)state;
    assert_int_equal(histogram_quantile(h, 0.5), 0);
    for (uint64_t value = 20; value-- > 10;)
        histogram_record(h, value);
    assert_int_equal(histogram_quantile(h, 0), 10);
    assert_int_equal(histogram_quantile(h, 0.5), 15);
    assert_int_equal(histogram_quantile(h, 0.9), 19);
    assert_int_equal(histogram_quantile(h, 1), 19);
    free(h);
}

/* One slow one among a thousand is in the last thousandth, and in no earlier. */
static void test_a_tail_stays_in_the_tail(void **state)
{
    struct histogram *h = new_histogram();

    (void)state;
    for (int i = 0; i < 999; i++)
        histogram_record(h, 7);
    histogram_record(h, 5000000);
    assert_int_equal(histogram_quantile(h, 0.998), 7);
    assert_in_range(histogram_quantile(h, 0.999), 5000000 - 5000000 / 32, 5000000 + 5000000 / 32);
    free(h);
}

static void test_count_and_max_are_exact(void **state)
{
    struct histogram *h = new_histogram();

    (void)state;
    histogram_record(h, 123456789);
    histogram_record(h, 3);
    histogram_record(h, 0);
    assert_int_equal(h->count, 3);
    assert_int_equal(h->max_ns, 123456789);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_is_bounded_over_the_whole_range),
        cmocka_unit_test(test_buckets_are_in_order_and_none_is_outside),
        cmocka_unit_test(test_no_quantile_is_above_the_longest),
        cmocka_unit_test(test_quantiles_are_by_rank),
        cmocka_unit_test(test_a_tail_stays_in_the_tail),
        cmocka_unit_test(test_count_and_max_are_exact),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
