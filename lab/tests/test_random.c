/* test_random.c - the generator repeats what its paper's code gives, and is unbiased. */
#include "lab/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The first outputs of S. Vigna's splitmix64.c (https://prng.di.unimi.it) from seed 1234567. */
static void splitmix64_gives_the_published_numbers(void **state)
{
    static const uint64_t published[] = { 6457827717110365317, 3203168211198807973,
                                          9817491932198370423u, 4593380528125082431,
                                          16408922859458223821u };
    uint64_t random = 1234567;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(random_next(&random) == published[i]);
}

/* With n = 3 * 2^62 a remainder would give the lowest third twice the chance of the others. */
static void each_value_below_n_has_the_same_chance(void **state)
{
    uint64_t random = 1, n = (uint64_t)3 << 62, third = n / 3;
    int low = 0;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        uint64_t value = random_below(&random, n);

        assert_true(value < n);
        low += value < third;
    }
    assert_in_range(low, 10000 - 327, 10000 + 327); /* 4 standard deviations */
}

static void every_value_of_a_die_comes_up_as_often(void **state)
{
    uint64_t random = 2;
    int seen[6] = { 0 };

    (void)state;
    for (int i = 0; i < 60000; i++)
        seen[random_below(&random, 6)]++;
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 10000 - 365, 10000 + 365);
}

static void unit_is_inside_and_its_mean_a_half(void **state)
{
    uint64_t random = 3;
    double sum = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        double unit = random_unit(&random);

        assert_true(unit > 0 && unit < 1);
        sum += unit;
    }
    assert_true(sum > 5000 - 116 && sum < 5000 + 116);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitmix64_gives_the_published_numbers),
        cmocka_unit_test(each_value_below_n_has_the_same_chance),
        cmocka_unit_test(every_value_of_a_die_comes_up_as_often),
        cmocka_unit_test(unit_is_inside_and_its_mean_a_half),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
