/* test_stability.c - drift and bimodality, against R (with diptest 0.76) and by simulation. */
#include "lab/stability.h"
#include "lab/statistics.h"
#include "lab/tests/draws.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("%.12g is not %.12g", got, want);
}

static void assert_drift(const double *values, size_t count, double tau, double p)
{
    struct drift drift;

    assert_int_equal(drift_over_order(values, count, &drift), 0);
    assert_near(drift.tau, tau, 1e-12);
    assert_near(drift.p, p, 1e-12);
}

/* R: cor.test(1:9, v, method = "kendall"), which is exact without ties */
static void drift_without_ties_is_exact(void **state)
{
    static const double nine[] = { 2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8 };
    static const double twelve[] = { 5, 3, 8, 1, 9, 2, 7, 12, 11, 4, 10, 6 };
    static const double falling[] = { 6, 5, 4, 3, 2, 1 };

    (void)state;
    assert_drift(nine, 9, 1.0 / 3, 0.25951829806);
    assert_drift(twelve, 12, 0.24242424242424, 0.31081001399578);
    assert_drift(falling, 6, -1, 2.0 / 720);
}

/* R: cor.test(..., method = "kendall", exact = FALSE, continuity = TRUE) */
static void drift_with_ties_or_many_is_normal(void **state)
{
    static const double tied[] = { 3, 1, 2, 2, 5, 4, 4, 6, 9, 7, 7, 8 };
    double many[60];

    (void)state;
    for (int i = 0; i < 60; i++)
        many[i] = (i + 1) * 37 % 61 + (i + 1) * 0.5;
    assert_drift(tied, 12, 0.728879298145, 0.00148897437029);
    assert_drift(many, 60, 0.29491525423729, 0.00089086681867668);
}

static void nothing_drifts_where_nothing_differs(void **state)
{
    static const double same[] = { 4, 4, 4, 4 };

    (void)state;
    assert_drift(same, 4, 0, 1);
    assert_drift(same, 1, 0, 1);
    assert_drift(same, 0, 0, 1);
}

static void drift_is_seldom_claimed_and_found_when_there(void **state)
{
    enum { TRIALS = 2000 };
    static const size_t counts[] = { 6, 20, 60 };
    uint64_t random = 21;

    (void)state;
    for (enum shape shape = 0; shape < SHAPES; shape++)
        for (size_t k = 0; k < 3; k++) {
            int claims = 0, found = 0;

            for (int i = 0; i < TRIALS; i++) {
                double values[60];
                struct drift drift;

                draw_all(shape, values, counts[k], &random);
                assert_int_equal(drift_over_order(values, counts[k], &drift), 0);
                claims += drift.p <= 0.05;
                for (size_t j = 0; j < counts[k]; j++)
                    values[j] += 6.0 * (double)j / (double)counts[k];
                assert_int_equal(drift_over_order(values, counts[k], &drift), 0);
                found += drift.p <= 0.05;
            }
            assert_true((double)claims / TRIALS <= share_at_most(0.05, TRIALS));
            assert_true(found > claims);
        }
}

/* R: dip(x), of diptest; statfaculty is the example of the Hartigans' paper. */
static void dip_is_that_of_r(void **state)
{
    static const double statfaculty[] = { 30, 33, 35, 36, 37, 37, 39, 39, 39, 39, 39, 40, 40,
                                          40, 40, 41, 42, 43, 43, 43, 44, 44, 45, 45, 46, 46,
                                          47, 47, 48, 48, 48, 49, 50, 50, 51, 52, 52, 53, 53,
                                          53, 53, 53, 54, 54, 57, 57, 59, 60, 60, 60, 61, 61,
                                          61, 61, 62, 62, 62, 62, 63, 66, 70, 72, 72 };
    static const double even[] = { 1, 2, 3, 4, 5 }, six[] = { 1, 1.1, 1.2, 5, 5.1, 5.2 };
    static const double ten[] = { 1, 1.05, 1.2, 1.3, 4, 4.1, 4.3, 4.35, 4.6, 4.7 };
    static const double two[] = { 1, 1, 1, 1, 5, 5, 5 }, tie[] = { 1, 2, 2, 3, 10 };

    (void)state;
    assert_near(dip_of_sorted(statfaculty, 63), 0.0595238095238, 1e-12);
    assert_near(dip_of_sorted(even, 5), 0.1, 1e-12);
    assert_near(dip_of_sorted(six, 6), 0.2375, 1e-12);
    assert_near(dip_of_sorted(ten, 10), 0.18, 1e-12);
    assert_near(dip_of_sorted(two, 7), 0.214285714286, 1e-12);
    assert_near(dip_of_sorted(tie, 5), 0.1, 1e-12);
    assert_near(dip_of_sorted(even, 1), 0.5, 1e-12);
}

/* The quantiles of the uniform distribution's dip in diptest's table qDiptab, 90 % and 99 %. */
static void dips_of_the_uniform_are_those_of_the_table(void **state)
{
    enum { TRIALS = 4000 };
    static const struct {
        size_t count;
        double ninety, ninety_nine;
    } table[] = { { 10, 0.1304621496448, 0.1596841588582 },
                  { 20, 0.0972346018123, 0.1206240433358 },
                  { 50, 0.0649136324047, 0.0811998415356 } };
    uint64_t random = 22;

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        int above_ninety = 0, above_ninety_nine = 0;

        for (int i = 0; i < TRIALS; i++) {
            double values[50], dip;

            draw_all(UNIFORM, values, table[k].count, &random);
            sort_values(values, table[k].count);
            dip = dip_of_sorted(values, table[k].count);
            above_ninety += dip > table[k].ninety;
            above_ninety_nine += dip > table[k].ninety_nine;
        }
        assert_near((double)above_ninety / TRIALS, 0.10, 0.019);
        assert_near((double)above_ninety_nine / TRIALS, 0.01, 0.0063);
    }
}

/* False alarms: at 5 % on what has one mode; and how often two heaps are found. */
static void one_mode_is_seldom_called_two(void **state)
{
    enum { TRIALS = 2000 };
    static const size_t counts[] = { 10, 20, 50 };
    uint64_t random = 23;

    (void)state;
    for (enum shape shape = 0; shape < SHAPES; shape++)
        for (size_t k = 0; k < 3; k++) {
            int called = 0;

            for (int i = 0; i < TRIALS; i++) {
                double values[50];

                draw_all(shape, values, counts[k], &random);
                called += bimodality_p(values, counts[k]) <= 0.05;
            }
            printf("# shape %d, %zu values: %.3f\n", (int)shape, counts[k],
                   (double)called / TRIALS);
            if (shape == TWO_HEAPS)
                assert_true(called > TRIALS / 2);
            else
                assert_true((double)called / TRIALS <= share_at_most(0.05, TRIALS));
        }
}

/* Of the uniform distribution, which is the least favourable: no more than its level, and not
 * much less. */
static void chance_of_a_dip_is_as_simulated(void **state)
{
    enum { TRIALS = 20000 };
    static const size_t counts[] = { 10, 20, 50, 200 };
    static const double levels[] = { 0.05, 0.01, 0.001 };
    uint64_t random = 24;

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        double values[200], below[3] = { 0 };

        for (int i = 0; i < TRIALS; i++) {
            double p;

            draw_all(UNIFORM, values, counts[k], &random);
            p = bimodality_p(values, counts[k]);
            for (int level = 0; level < 3; level++)
                below[level] += p <= levels[level];
        }
        for (int level = 0; level < 3; level++) {
            assert_true(below[level] / TRIALS <= share_at_most(levels[level], TRIALS));
            assert_true(counts[k] < 20 || below[level] / TRIALS > levels[level] / 3);
        }
    }
}

static void too_few_values_are_never_two_heaps(void **state)
{
    double values[] = { 1, 1.1, 1.2, 1.3, 9, 9.1, 9.2, 9.3, 9.4, 1.4 };

    (void)state;
    assert_near(bimodality_p(values, 9), 1, 0);
    assert_true(bimodality_p(values, 10) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drift_without_ties_is_exact),
        cmocka_unit_test(drift_with_ties_or_many_is_normal),
        cmocka_unit_test(nothing_drifts_where_nothing_differs),
        cmocka_unit_test(drift_is_seldom_claimed_and_found_when_there),
        cmocka_unit_test(dip_is_that_of_r),
        cmocka_unit_test(dips_of_the_uniform_are_those_of_the_table),
        cmocka_unit_test(one_mode_is_seldom_called_two),
        cmocka_unit_test(chance_of_a_dip_is_as_simulated),
        cmocka_unit_test(too_few_values_are_never_two_heaps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
