/* test_statistics.c - medians and their intervals, against R and by simulation. */
#include "lab/statistics.h"
#include "lab/tests/draws.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("%.12g is not %.12g", got, want);
}

static void median_of_none_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(estimate_median(NULL, 0).count, 0);
}

static void few_samples_give_the_whole_range_and_say_what_it_covers(void **state)
{
    double values[] = { 5, 1, 4, 2, 3 };
    struct estimate e = estimate_median(values, 5);

    (void)state;
    assert_near(e.median, 3, 0);
    assert_near(e.low, 1, 0);
    assert_near(e.high, 5, 0);
    assert_near(e.confidence, 1 - 2.0 / 32, 1e-15);
}

/* Who was starved did nothing: that is a ratio, and the most telling one. */
static void ratio_counts_a_round_in_which_nothing_was_done(void **state)
{
    double a[] = { 0, 0, 1 }, b[] = { 1, 1, 1 };
    struct estimate e = estimate_ratio(a, b, 3);

    (void)state;
    assert_int_equal(e.count, 3);
    assert_near(e.median, 0, 0);
}

static void ratio_pairs_rounds_and_leaves_out_what_failed(void **state)
{
    double a[] = { 2, 40, -1, 9, 3 }, b[] = { 1, 10, 5, 3, 0 };
    struct estimate e = estimate_ratio(a, b, 5);

    (void)state;
    assert_int_equal(e.count, 3);
    assert_near(e.median, 3, 0);
}

/* R: pbinom(5, 20, 0.5), pbinom(450, 1000, 0.5), pbinom(490000, 1e6, 0.5), pbinom(7, 8, 0.9) */
static void binomial_is_that_of_r(void **state)
{
    (void)state;
    assert_near(binomial_at_most(5, 20, 0.5), 0.0206947326660156, 1e-15);
    assert_near(binomial_at_most(450, 1000, 0.5), 0.000865268042488158, 1e-14);
    assert_near(binomial_at_most(490000, 1000000, 0.5) / 2.77218164384961e-89, 1, 1e-6);
    assert_near(binomial_at_most(7, 8, 0.9), 0.56953279, 1e-14);
    assert_near(binomial_at_most(3, 3, 0.5), 1, 0);
    assert_near(binomial_at_most(2, 3, 1), 0, 0);
}

/* R: pnorm(-sqrt(n / (n - 1)) * qt(0.975, n - 1)), pnorm(-1.96) */
static void tails_are_those_of_r(void **state)
{
    (void)state;
    assert_near(bootstrap_tail(6) / 0.0024318031746116, 1, 0.01);
    assert_near(bootstrap_tail(10) / 0.0085506390244064, 1, 0.001);
    assert_near(bootstrap_tail(20) / 0.015880829920348, 1, 0.0001);
    assert_near(bootstrap_tail(50) / 0.021179411211378, 1, 0.0001);
    assert_near(normal_above(1.96), 0.0249978951482204, 1e-15);
}

/* R: b <- sort(replicate(2e5, median(sample(v, replace = TRUE)))); b[2e5 * tail + 1], and its
 * mirror. Drawn so often, the medians are those that we compute. */
static void interval_is_that_of_many_draws(void **state)
{
    static const struct {
        size_t count;
        double low, high;
    } drawn[] = { { 6, 1, 6.25 },       { 7, 1, 7.36 },   { 8, 1.505, 7.925 },
                  { 10, 2.525, 9.065 }, { 13, 3.04, 12 }, { 20, 6.25, 16.96 } };

    (void)state;
    for (size_t k = 0; k < sizeof drawn / sizeof *drawn; k++) {
        double values[20];
        struct estimate e;

        for (size_t i = 0; i < drawn[k].count; i++)
            values[drawn[k].count - 1 - i] = (double)i + 1 + 0.01 * (double)(i * i);
        e = estimate_median(values, drawn[k].count);
        assert_near(e.low, drawn[k].low, 1e-12);
        assert_near(e.high, drawn[k].high, 1e-12);
        assert_near(e.confidence, 0.95, 0);
    }
}

static void interval_turns_over_with_its_values(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (size_t count = 6; count < 40; count++) {
        double values[40], negative[40];
        struct estimate e, n;

        draw_all(LOGNORMAL, values, count, &random);
        for (size_t i = 0; i < count; i++)
            negative[i] = -values[i];
        e = estimate_median(values, count);
        n = estimate_median(negative, count);
        assert_near(n.low, -e.high, 1e-12);
        assert_near(n.high, -e.low, 1e-12);
        for (size_t i = 1; i < count; i++)
            assert_true(values[i - 1] <= values[i]);
    }
}

static void equal_values_leave_no_doubt(void **state)
{
    double values[] = { 7, 7, 7, 7, 7, 7, 7, 7 };
    struct estimate e = estimate_median(values, 8);

    (void)state;
    assert_true(e.low == 7 && e.high == 7);
}

/* With n values the 95 % interval of the median is known to reach 0.98 * sqrt(n) ranks to
 * either side. */
static void interval_of_very_many_is_the_known_one(void **state)
{
    static const size_t counts[] = { 1000, 1002, 100001, 100002 };
    double *values = malloc(100002 * sizeof *values);

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        double n = (double)counts[k], reach = 0.98 * sqrt(n);
        struct estimate e;

        for (size_t i = 0; i < counts[k]; i++)
            values[i] = (double)i;
        e = estimate_median(values, counts[k]);
        assert_near(n / 2 - e.low, reach, 2);
        assert_near(e.high - n / 2, reach, 2);
    }
    free(values);
}

/* The rival: the narrowest symmetric pair of order statistics that covers 95 %. */
static struct estimate of_order_statistics(const double *sorted, size_t count)
{
    size_t cut = 0;

    while (2 * (cut + 1) < count - 1 && 2 * binomial_at_most(cut + 1, count, 0.5) <= 0.05)
        cut++;
    return (struct estimate){ .low = sorted[cut], .high = sorted[count - 1 - cut] };
}

static int covers(struct estimate e, double truth)
{
    return e.low <= truth && truth <= e.high;
}

/* The table of docs/decisions/11-bootstrap.md: shares of intervals that hold the true median, and
 * how wide ours are beside the rival's. */
static void interval_covers_what_it_says(void **state)
{
    enum { TRIALS = 2000 };
    static const char *const names[] = { "normal", "lognormal", "exponential", "uniform",
                                         "two heaps" };
    static const size_t counts[] = { 5, 6, 7, 8, 10, 12, 15, 20, 30, 50 };
    uint64_t random = 11;

    (void)state;
    printf("# %-12s %5s %10s %10s %6s\n", "data", "count", "bootstrap", "order", "width");
    for (enum shape shape = 0; shape < SHAPES; shape++)
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            double values[50], width = 0, rival_width = 0, nominal = 0;
            int held = 0, rival_held = 0;

            for (int i = 0; i < TRIALS; i++) {
                struct estimate e, rival;

                draw_all(shape, values, counts[k], &random);
                e = estimate_median(values, counts[k]);
                rival = of_order_statistics(values, counts[k]);
                nominal = e.confidence;
                held += covers(e, shape_median(shape));
                rival_held += covers(rival, shape_median(shape));
                width += e.high - e.low;
                rival_width += rival.high - rival.low;
            }
            printf("# %-12s %5zu %10.3f %10.3f %6.2f\n", names[shape], counts[k],
                   (double)held / TRIALS, (double)rival_held / TRIALS, width / rival_width);
            assert_true(1 - (double)held / TRIALS <= share_at_most(1 - nominal, TRIALS));
            assert_true(width <= rival_width * 1.01);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_of_none_says_nothing),
        cmocka_unit_test(few_samples_give_the_whole_range_and_say_what_it_covers),
        cmocka_unit_test(ratio_counts_a_round_in_which_nothing_was_done),
        cmocka_unit_test(ratio_pairs_rounds_and_leaves_out_what_failed),
        cmocka_unit_test(binomial_is_that_of_r),
        cmocka_unit_test(tails_are_those_of_r),
        cmocka_unit_test(interval_is_that_of_many_draws),
        cmocka_unit_test(interval_turns_over_with_its_values),
        cmocka_unit_test(equal_values_leave_no_doubt),
        cmocka_unit_test(interval_of_very_many_is_the_known_one),
        cmocka_unit_test(interval_covers_what_it_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
