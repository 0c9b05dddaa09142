/* test_scaling.c - Karp-Flatt and the Universal Scalability Law, against R and by simulation. */
#include "lab/scaling.h"
#include "lab/tests/draws.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { POINTS = 6, SAMPLES_MAX = 20 };

static const int threads[POINTS] = { 1, 2, 3, 4, 6, 8 };
static struct scaling fitted;
static char text[500];

static void assert_near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("%.12g is not %.12g", got, want);
}

static void assert_says(const char *what)
{
    if (!strstr(scaling_reading(&fitted, text, sizeof text), what))
        fail_msg("no \"%s\" in: %s", what, text);
}

static double law_at(double a, double b, double n)
{
    return 100 * n / (1 + a * (n - 1) + b * n * (n - 1));
}

/* Three samples at each number of threads, all alike. */
static bool fit_exactly(const double *rates, int cores)
{
    static double samples[POINTS][3];
    struct scaling_point points[POINTS];

    for (int i = 0; i < POINTS; i++) {
        for (int k = 0; k < 3; k++)
            samples[i][k] = rates[i];
        points[i] = (struct scaling_point){ threads[i], samples[i], 3 };
    }
    return scaling_fit(&fitted, points, POINTS, cores, 1);
}

static bool fit_noisy(double a, double b, double noise, size_t count, uint64_t *random)
{
    static double samples[POINTS][SAMPLES_MAX];
    struct scaling_point points[POINTS];

    for (int i = 0; i < POINTS; i++) {
        for (size_t k = 0; k < count; k++)
            samples[i][k] = law_at(a, b, threads[i]) * exp(noise * draw_normal(random));
        points[i] = (struct scaling_point){ threads[i], samples[i], count };
    }
    return scaling_fit(&fitted, points, POINTS, 8, random_next(random));
}

/* Amdahl: with a tenth serial, 8 threads are 1 / (0.1 + 0.9 / 8) times as fast. */
static void karp_flatt_is_amdahls_share(void **state)
{
    (void)state;
    assert_near(karp_flatt(1 / (0.1 + 0.9 / 8), 8), 0.1, 1e-12);
    assert_near(karp_flatt(8, 8), 0, 1e-12);
    assert_near(karp_flatt(1, 4), 1, 1e-12);
}

/* R: y <- n / r; k <- coef(lm(y ~ I(n - 1) + I(n * (n - 1)), weights = 1 / y^2));
 * c(1 / k[1], k[2] / k[1], k[3] / k[1]) */
static void fit_is_that_of_r(void **state)
{
    static const double rates[] = { 100, 190, 262, 330, 430, 470 };

    (void)state;
    assert_true(fit_exactly(rates, 8));
    assert_near(fitted.g.value, 99.6945756510182, 1e-8);
    assert_near(fitted.a.value, 0.0402557439220580, 1e-10);
    assert_near(fitted.b.value, 0.0071459604819518, 1e-10);
    assert_near(fitted.a.low, fitted.a.high, 1e-12);
    assert_near(fitted.peak.value, sqrt((1 - 0.040255743922) / 0.0071459604819518), 1e-6);
    assert_int_equal(fitted.measured, 8);
}

/* R's unrestricted fits have b = -0.0019 and a = -0.00996: without that term, lm gives these. */
static void negative_coefficients_are_fitted_without(void **state)
{
    static const double no_b[] = { 100, 180, 246, 302, 395, 470 };
    static const double no_a[] = { 100, 206, 297, 380, 520, 610 };

    (void)state;
    assert_true(fit_exactly(no_b, 8));
    assert_near(fitted.g.value, 99.13088646205644, 1e-8);
    assert_near(fitted.a.value, 0.10047604738727, 1e-10);
    assert_near(fitted.b.value, 0, 0);
    assert_true(isinf(fitted.peak.value));
    assert_near(fitted.limit.value, 1 / 0.10047604738727, 1e-6);
    assert_true(fit_exactly(no_a, 8));
    assert_near(fitted.g.value, 102.20047753234, 1e-8);
    assert_near(fitted.a.value, 0, 0);
    assert_near(fitted.b.value, 0.0060380227216648, 1e-10);
}

static void too_few_thread_counts_are_refused(void **state)
{
    static const double rates[] = { 100, 190, 262, 330, 430, 470 };

    (void)state;
    assert_false(fit_exactly(rates, 3));
    assert_string_equal(fitted.refusal,
                        "3 thread counts fit on the 3 cores; a fit needs 4");
    assert_string_equal(scaling_reading(&fitted, text, sizeof text), fitted.refusal);
    assert_true(fit_exactly(rates, 4));
}

/* Beyond the cores anything may be measured: it changes nothing. */
static void oversubscribed_points_never_enter(void **state)
{
    double rates[] = { 100, 190, 262, 330, 430, 470 };
    struct law before;

    (void)state;
    assert_true(fit_exactly(rates, 4));
    before = (struct law){ fitted.g.value, fitted.a.value, fitted.b.value };
    rates[4] = 3;
    rates[5] = 9000;
    assert_true(fit_exactly(rates, 4));
    assert_near(fitted.g.value, before.g, 0);
    assert_near(fitted.a.value, before.a, 0);
    assert_near(fitted.b.value, before.b, 0);
    assert_int_equal(fitted.measured, 4);
}

static void what_cannot_be_fitted_is_refused(void **state)
{
    static const double idle[] = { 100, 190, 0, 330, 430, 470 };
    uint64_t random = 1;

    (void)state;
    assert_false(fit_exactly(idle, 8));
    assert_string_equal(fitted.refusal, "a sample at threads 3 did nothing");
    assert_false(fit_noisy(0.1, 0, 0.01, 2, &random));
    assert_string_equal(fitted.refusal, "2 samples at threads 1; a fit needs 3");
}

static bool holds(struct figure f, double truth)
{
    return f.low <= truth && truth <= f.high;
}

static void intervals_hold_the_law_that_made_the_noise(void **state)
{
    enum { TRIALS = 100 };
    static const struct law laws[] = { { 100, 0.2, 0.02 }, { 100, 0.03, 0 }, { 100, 0, 0.005 } };
    uint64_t random = 8;

    (void)state;
    for (int k = 0; k < 3; k++) {
        double a = laws[k].a, b = laws[k].b, most = share_at_most(0.05, TRIALS) * TRIALS;
        int g_missed = 0, a_missed = 0, b_missed = 0, peak_missed = 0, band_missed = 0;

        for (int i = 0; i < TRIALS; i++) {
            assert_true(fit_noisy(a, b, 0.02, 10, &random));
            g_missed += !holds(fitted.g, 100);
            a_missed += !holds(fitted.a, a);
            b_missed += !holds(fitted.b, b);
            peak_missed += !holds(fitted.peak, b > 0 ? sqrt((1 - a) / b) : INFINITY);
            band_missed += !holds(scaling_at(&fitted, 16), law_at(a, b, 16));
            assert_near(fitted.a.value, a, 0.05);
            assert_near(fitted.b.value, b, 0.007);
        }
        assert_true(g_missed <= most && a_missed <= most && b_missed <= most);
        assert_true(peak_missed <= most && band_missed <= most);
    }
}

static void band_is_wider_where_nothing_was_measured(void **state)
{
    struct figure inside, beyond;
    uint64_t random = 4;

    (void)state;
    assert_true(fit_noisy(0.1, 0.01, 0.02, 10, &random));
    inside = scaling_at(&fitted, 4);
    beyond = scaling_at(&fitted, 32);
    assert_true(inside.low < inside.value && inside.value < inside.high);
    assert_true((beyond.high - beyond.low) / beyond.value >
                2 * (inside.high - inside.low) / inside.value);
}

static void reading_names_what_is_seen(void **state)
{
    uint64_t random = 3;

    (void)state;
    assert_true(fit_noisy(0.2, 0.02, 0.001, 10, &random));
    assert_says("The serial share is 2");
    assert_says("The coherence cost of each thread to each other is ");
    assert_says("The peak is at 6 threads (6 .. 6).");
    assert_true(fit_noisy(0, 0, 0.001, 10, &random));
    assert_says("No serial share is seen");
    assert_says("No coherence cost is seen");
    assert_says("No peak is in sight");
    assert_true(fit_noisy(1, 0, 0.001, 10, &random));
    assert_says("Threads take turns");
}

static void reading_admits_what_it_cannot_tell(void **state)
{
    static const double zigzag[] = { 100, 300, 150, 600, 200, 700 };
    uint64_t random = 3;

    (void)state;
    assert_true(fit_noisy(0.3, 0.001, 0.5, 5, &random));
    assert_says("The serial share cannot be told");
    assert_says("The coherence cost cannot be told");
    assert_says("Where the peak is, if anywhere, cannot be told.");
    assert_true(fit_exactly(zigzag, 8));
    assert_says("But the law is up to");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(karp_flatt_is_amdahls_share),
        cmocka_unit_test(fit_is_that_of_r),
        cmocka_unit_test(negative_coefficients_are_fitted_without),
        cmocka_unit_test(too_few_thread_counts_are_refused),
        cmocka_unit_test(oversubscribed_points_never_enter),
        cmocka_unit_test(what_cannot_be_fitted_is_refused),
        cmocka_unit_test(intervals_hold_the_law_that_made_the_noise),
        cmocka_unit_test(band_is_wider_where_nothing_was_measured),
        cmocka_unit_test(reading_names_what_is_seen),
        cmocka_unit_test(reading_admits_what_it_cannot_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
