/* test_comparison.c - do two sets differ? Against R 4.2, and by simulation. */
#include "lab/comparison.h"
#include "lab/tests/draws.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("%.12g is not %.12g", got, want);
}

/* Hollander and Wolfe, Nonparametric Statistical Methods, table 3.1: nine patients before and
 * after. Two got worse; R: binom.test(2, 9)$p.value */
static const double before[] = { 1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30 };
static const double after[] = { 0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29 };

static void pairs_are_judged_by_the_sign_test(void **state)
{
    struct comparison c = compare_pairs(before, after, 9);

    (void)state;
    assert_near(c.p, 0.1796875, 1e-12);
    assert_int_equal(c.ratio.count, 9);
    assert_near(c.ratio.median, 1.88 / 1.29, 1e-12);
    assert_near(c.superiority, 7.0 / 9, 1e-12);
}

static void pairs_turned_over_give_the_ratio_turned_over(void **state)
{
    struct comparison c = compare_pairs(before, after, 8), turned = compare_pairs(after, before, 8);

    (void)state;
    assert_near(turned.p, c.p, 0);
    assert_near(turned.ratio.median, 1 / c.ratio.median, 1e-12);
    assert_near(turned.ratio.low, 1 / c.ratio.high, 1e-12);
    assert_near(turned.ratio.high, 1 / c.ratio.low, 1e-12);
    assert_near(turned.superiority, 1 - c.superiority, 1e-12);
}

/* Six signs that agree: 2 / 2^6. The tie says nothing, nor does what failed. */
static void pairs_that_tie_or_failed_have_no_sign(void **state)
{
    double a[] = { 2, 2, 2, 2, 2, 2, 5, 9, -1 }, b[] = { 1, 1, 1, 1, 1, 1, 5, -1, 1 };
    struct comparison c = compare_pairs(a, b, 9);

    (void)state;
    assert_near(c.p, 2.0 / 64, 1e-15);
    assert_int_equal(c.ratio.count, 7);
    assert_near(c.superiority, 6.5 / 7, 1e-12);
}

static void pair_of_which_one_did_nothing_counts(void **state)
{
    double a[] = { 0, 0, 0, 1, 1, 1, 1, 0 }, b[] = { 1, 1, 1, 1, 1, 0, 2, 0 };
    struct comparison c = compare_pairs(a, b, 8), none = compare_pairs(a, b, 0);

    (void)state;
    assert_int_equal(c.ratio.count, 8);
    assert_near(c.ratio.low, 0, 0);
    assert_true(isinf(c.ratio.high) && isfinite(c.ratio.median));
    assert_near(c.p, 2 * (1 + 5) / 32.0, 1e-12);
    assert_int_equal(none.ratio.count, 0);
    assert_near(none.p, 1, 0);
}

/* The permeability constants of R's example(wilcox.test), after Hollander and Wolfe, table 4.1.
 * R: wilcox.test(x, y)$p.value; exp(wilcox.test(log(x), log(y), conf.int = TRUE)$estimate) */
static const double x[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46 };
static const double y[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };

static void groups_are_those_of_r(void **state)
{
    struct comparison c = compare_groups(x, 10, y, 5);

    (void)state;
    assert_near(c.p, 0.254412254412, 1e-12);
    assert_near(c.superiority, 35.0 / 50, 1e-12);
    assert_near(c.ratio.median, 1.3117671370784, 1e-8);
    assert_int_equal(c.ratio.count, 5);
}

/* The k-th lowest and the k-th highest of all ratios. */
static void assert_leaves_out(const double *a, size_t m, const double *b, size_t n, size_t k)
{
    struct estimate e = compare_groups(a, m, b, n).ratio;
    double ratios[1600];

    for (size_t i = 0; i < m * n; i++)
        ratios[i] = a[i / n] / b[i % n];
    sort_values(ratios, m * n);
    assert_near(e.low, ratios[k - 1], 1e-8);
    assert_near(e.high, ratios[m * n - k], 1e-8);
    assert_near(e.confidence, 0.95, 1e-15);
}

/* k is R's qwilcox(0.025, m, n), and one more than the critical value in the tables of Mann and
 * Whitney; of forty and forty it is from the normal distribution. */
static void interval_of_groups_is_that_of_the_tables(void **state)
{
    double a[40], b[40];

    (void)state;
    for (int i = 0; i < 40; i++) {
        a[i] = 20 + i + 0.001 * i * i;
        b[i] = 25 + i;
    }
    assert_leaves_out(x, 10, y, 5, 9);
    assert_leaves_out(a, 4, b, 4, 1);
    assert_leaves_out(a, 5, b, 5, 3);
    assert_leaves_out(a, 20, b, 20, 128);
    assert_leaves_out(a, 40, b, 40, 596);
}

static void interval_of_too_few_says_how_little_it_covers(void **state)
{
    struct comparison three = compare_groups(x, 3, y, 3), one = compare_groups(x, 1, y, 1);

    (void)state;
    assert_near(three.ratio.confidence, 1 - 2.0 / 20, 1e-12);
    assert_near(three.ratio.low, x[0] / y[0], 1e-8);
    assert_near(three.ratio.high, x[2] / y[1], 1e-8);
    assert_near(one.ratio.confidence, 0, 0);
}

static void groups_turned_over_give_the_ratio_turned_over(void **state)
{
    struct comparison c = compare_groups(x, 10, y, 5), turned = compare_groups(y, 5, x, 10);

    (void)state;
    assert_near(turned.p, c.p, 1e-15);
    assert_near(turned.ratio.median, 1 / c.ratio.median, 1e-8);
    assert_near(turned.superiority, 1 - c.superiority, 1e-12);
}

/* R: wilcox.test(1:20, 1:20 + 4.5)$p.value is exact, as is 2 * 1 / choose(10, 5). */
static void few_values_are_judged_exactly(void **state)
{
    double a[20], b[20];

    (void)state;
    for (int i = 0; i < 20; i++) {
        a[i] = i + 1;
        b[i] = i + 5.5;
    }
    assert_near(mann_whitney_p(a, 20, b, 20), 0.030411256038765, 1e-12);
    assert_near(mann_whitney_p(a, 5, b + 5, 5), 2.0 / 252, 1e-12);
    assert_near(mann_whitney_p(a, 1, b, 1), 1, 0);
}

/* R: wilcox.test(..., exact = FALSE, correct = TRUE)$p.value */
static void ties_and_many_values_are_judged_by_the_normal_distribution(void **state)
{
    static const double tied_a[] = { 1, 2, 2, 3, 4, 4, 4, 5, 6, 7 };
    static const double tied_b[] = { 2, 4, 5, 5, 6, 7, 8, 8, 9, 9, 10 };
    double a[30], b[25];

    (void)state;
    for (int i = 0; i < 30; i++)
        a[i] = i + 1;
    for (int i = 0; i < 25; i++)
        b[i] = a[i] + 10.5;
    assert_near(mann_whitney_p(tied_a, 10, tied_b, 11), 0.0130492952361, 1e-12);
    assert_near(mann_whitney_p(a, 30, b, 25), 0.0018170062810751, 1e-12);
    assert_near(mann_whitney_p(tied_a + 1, 2, tied_b, 1), 1, 0);
}

static void groups_of_nothing_say_nothing(void **state)
{
    struct comparison c = compare_groups(x, 0, y, 5);

    (void)state;
    assert_int_equal(c.ratio.count, 0);
    assert_near(c.p, 1, 0);
}

/* Without a difference p <= 0.05 must be seen in at most 5 %, but not much less often. */
static void no_difference_is_seldom_claimed(void **state)
{
    enum { TRIALS = 1000 };
    static const size_t counts[] = { 5, 8, 20, 30 };
    uint64_t random = 5;

    (void)state;
    for (enum shape shape = 0; shape < SHAPES; shape++)
        for (size_t k = 0; k < 4; k++) {
            int group_claims = 0, pair_claims = 0;
            double a[30], b[30];

            for (int i = 0; i < TRIALS; i++) {
                draw_all(shape, a, counts[k], &random);
                draw_all(shape, b, counts[k], &random);
                group_claims += mann_whitney_p(a, counts[k], b, counts[k]) <= 0.05;
                pair_claims += compare_pairs(a, b, counts[k]).p <= 0.05;
            }
            assert_true((double)group_claims / TRIALS <= share_at_most(0.05, TRIALS));
            assert_true((double)pair_claims / TRIALS <= share_at_most(0.05, TRIALS));
            assert_true(group_claims > TRIALS / 100);
        }
}

/* Two groups of one shape, one twice the other. */
static void interval_of_groups_holds_the_ratio(void **state)
{
    enum { TRIALS = 150 };
    static const size_t counts[] = { 5, 10, 20 };
    uint64_t random = 6;

    (void)state;
    for (enum shape shape = 0; shape < SHAPES; shape += 2)
        for (size_t k = 0; k < 3; k++) {
            int held = 0;

            for (int i = 0; i < TRIALS; i++) {
                double a[20], b[20];
                struct estimate e;

                draw_all(shape, a, counts[k], &random);
                draw_all(shape, b, counts[k], &random);
                for (size_t j = 0; j < counts[k]; j++)
                    a[j] *= 2;
                e = compare_groups(a, counts[k], b, counts[k]).ratio;
                held += e.low <= 2 && 2 <= e.high;
            }
            printf("# shape %d, %zu samples each: %.3f\n", (int)shape, counts[k],
                   (double)held / TRIALS);
            assert_true(1 - (double)held / TRIALS <= share_at_most(0.05, TRIALS));
        }
}

/* From the paper of Benjamini and Hochberg, section 3.2, in another order; R: p.adjust(p, "holm"),
 * p.adjust(p, "BH") */
static void adjusted_p_are_those_of_r(void **state)
{
    static const double p[] = { 0.0001, 0.0459, 0.0004, 0.3240, 0.0019, 0.0095, 0.4262, 0.0201,
                                0.0278, 0.5719, 0.0298, 0.0344, 0.6528, 0.7590, 1.0000 };
    static const double holm[] = { 0.0015, 0.3213, 0.0056, 1,      0.0247, 0.1140, 1, 0.2211,
                                   0.2780, 1,      0.2780, 0.2780, 1,      1,      1 };
    static const double hochberg[] = { 0.0015,          0.0765,          0.0030,
                                       0.4860,          0.0095,          0.0356250000000,
                                       0.5811818181818, 0.0603,          0.0638571428571,
                                       0.7148750000000, 0.0638571428571, 0.0645,
                                       0.7532307692308, 0.8132142857143, 1 };
    double adjusted[15];

    (void)state;
    assert_int_equal(adjust_holm(p, adjusted, 15), 0);
    for (int i = 0; i < 15; i++)
        assert_near(adjusted[i], holm[i], 1e-12);
    assert_int_equal(adjust_benjamini_hochberg(p, adjusted, 15), 0);
    for (int i = 0; i < 15; i++)
        assert_near(adjusted[i], hochberg[i], 1e-12);
    assert_int_equal(adjust_holm(NULL, NULL, 0), 0);
}

static void adjusting_in_place_gives_the_same(void **state)
{
    double p[] = { 0.05, 0.01, 0.03, 0.02, 0.04 };
    static const double holm[] = { 0.09, 0.05, 0.09, 0.08, 0.09 };

    (void)state;
    assert_int_equal(adjust_holm(p, p, 5), 0);
    for (int i = 0; i < 5; i++)
        assert_near(p[i], holm[i], 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_judged_by_the_sign_test),
        cmocka_unit_test(pairs_turned_over_give_the_ratio_turned_over),
        cmocka_unit_test(pairs_that_tie_or_failed_have_no_sign),
        cmocka_unit_test(pair_of_which_one_did_nothing_counts),
        cmocka_unit_test(groups_are_those_of_r),
        cmocka_unit_test(interval_of_groups_is_that_of_the_tables),
        cmocka_unit_test(interval_of_too_few_says_how_little_it_covers),
        cmocka_unit_test(groups_turned_over_give_the_ratio_turned_over),
        cmocka_unit_test(few_values_are_judged_exactly),
        cmocka_unit_test(ties_and_many_values_are_judged_by_the_normal_distribution),
        cmocka_unit_test(groups_of_nothing_say_nothing),
        cmocka_unit_test(no_difference_is_seldom_claimed),
        cmocka_unit_test(interval_of_groups_holds_the_ratio),
        cmocka_unit_test(adjusted_p_are_those_of_r),
        cmocka_unit_test(adjusting_in_place_gives_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
