/* test_judgement.c - what is claimed of made-up runs, and what is warned of. */
#include "lab/intern.h"
#include "lab/judgement.h"
#include "lab/tests/draws.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CORES = 4, CELLS_MAX = 420 };

/* A run of `count` cells that nobody has measured yet. */
static struct results run_of(size_t count)
{
    static struct cell cell[CELLS_MAX];
    struct results r;

    for (size_t i = 0; i < count; i++) {
        char mode[32];

        snprintf(mode, sizeof mode, "mode%zu", i);
        cell[i] = (struct cell){
            .workload = intern("fib"),
            .mode = intern(mode),
            .policy = "",
            .gil = "",
            .heap = intern("jemalloc"),
            .build = intern(""),
            .about = "",
            .unit = "call",
            .execution_unit = intern("thread"),
            .threads = 1,
            .workers = 1,
            .counted = 1,
            .base = 1,
            .safe = true,
        };
    }
    assert_int_equal(results_init(&r, cell, count, CORES, 0), 0);
    return r;
}

/* The first two become the twins of a control. */
static void make_twins(struct results *r, int threads)
{
    for (int i = 0; i < 2; i++) {
        r->outcome[i].cell.workload = intern("empty");
        r->outcome[i].cell.mode = intern("nolock");
        r->outcome[i].cell.threads = threads;
        r->outcome[i].cell.control = i + 1;
    }
    results_index(r);
}

static struct measurement *add_window(struct outcome *o, double rate)
{
    struct measurement *m = outcome_window(o, WINDOW_TIMED);

    assert_non_null(m);
    *m = (struct measurement){ .seconds = 1, .overlap = 1, .samples = 1 };
    m->occasion = (struct occasion){ .steal = -1, .busy = -1, .mhz = -1 };
    m->sample = calloc(1, sizeof *m->sample);
    assert_non_null(m->sample);
    m->sample[0].ops = (uint64_t)rate;
    return m;
}

/* A round's windows share what disturbed it, by half; the rest, 2 %, is their own. */
static void measure(struct outcome *o, double rate, int rounds, uint64_t disturbance,
                    uint64_t *random)
{
    for (int k = 0; k < rounds; k++)
        add_window(o, rate * exp(0.05 * draw_normal(&disturbance) + 0.02 * draw_normal(random)));
}

static enum claim claim_of(double ratio, int rounds, bool paired, double floor)
{
    struct results r = run_of(2);
    struct verdict v = { &r.outcome[0], &r.outcome[1], { .p = 0 }, CLAIM_NONE };
    struct floor noise = { 100, floor, 0.95 };
    uint64_t random = 1;

    measure(&r.outcome[0], 1e9, rounds, 7, &random);
    measure(&r.outcome[1], ratio * 1e9, rounds, paired ? 7 : 8, &random);
    assert_int_equal(judge(&v, 1, paired, &noise), 0);
    results_free(&r);
    return v.claim;
}

static void planted_difference_is_found_with_enough_windows(void **state)
{
    (void)state;
    assert_int_equal(claim_of(0.95, 40, true, 0.01), CLAIM_SLOWER);
    assert_int_equal(claim_of(1.05, 40, true, 0.01), CLAIM_FASTER);
    assert_int_equal(claim_of(0.90, 60, false, 0.01), CLAIM_SLOWER);
    assert_int_equal(claim_of(1.00, 40, true, 0.01), CLAIM_NONE);
}

static void few_windows_cannot_tell(void **state)
{
    (void)state;
    for (int rounds = 1; rounds < 6; rounds++)
        assert_int_equal(claim_of(0.5, rounds, true, 0.01), CLAIM_CANNOT_TELL);
    assert_int_equal(claim_of(0.5, 6, true, 0.01), CLAIM_SLOWER);
    for (int rounds = 1; rounds < 4; rounds++)
        assert_int_equal(claim_of(0.5, rounds, false, 0.01), CLAIM_CANNOT_TELL);
    assert_int_equal(claim_of(0.5, 4, false, 0.01), CLAIM_SLOWER);
}

static void nothing_is_claimed_below_the_floor(void **state)
{
    (void)state;
    assert_int_equal(claim_of(0.95, 40, true, 0.08), CLAIM_BELOW_FLOOR);
    assert_int_equal(claim_of(1.05, 40, true, 0.08), CLAIM_BELOW_FLOOR);
    assert_int_equal(claim_of(0.90, 40, true, 0.08), CLAIM_SLOWER);
}

static void floor_that_is_not_known_lets_nothing_pass(void **state)
{
    struct results r = run_of(2);
    struct verdict v = { &r.outcome[0], &r.outcome[1], { .p = 0 }, CLAIM_NONE };
    const struct floor unsure = { 2, 0.001, 0.5 }, none = { 0 };

    (void)state;
    for (int k = 0; k < 20; k++) {
        add_window(&r.outcome[0], 1000 + k);
        add_window(&r.outcome[1], 2000 + k);
    }
    assert_int_equal(judge(&v, 1, true, &unsure), 0);
    assert_int_equal(v.claim, CLAIM_CANNOT_TELL);
    assert_int_equal(judge(&v, 1, true, &none), 0);
    assert_int_equal(v.claim, CLAIM_FASTER);
    results_free(&r);
}

static void windows_needed_are_those_that_can_tell(void **state)
{
    (void)state;
    assert_int_equal(judge_windows_needed(1, true), 6);
    assert_int_equal(judge_windows_needed(1, false), 4);
    assert_int_equal(judge_windows_needed(2, true), 7);
    assert_int_equal(judge_windows_needed(100, true), 12);
}

/* Six pairs that agree have p = 1/32: enough for one comparison, or for the last of Holm's, but
 * not for one of two that are alike. */
static void many_comparisons_want_more_windows(void **state)
{
    struct results r = run_of(6);
    struct verdict v[3] = { { .a = &r.outcome[0], .b = &r.outcome[1] },
                            { .a = &r.outcome[2], .b = &r.outcome[3] },
                            { .a = &r.outcome[4], .b = &r.outcome[5] } };
    const struct floor none = { 0 };

    (void)state;
    for (int k = 0; k < 6; k++)
        for (int i = 0; i < 4; i++)
            add_window(&r.outcome[i], 1000 + 1000 * (i % 2) + k);
    assert_int_equal(judge(v, 2, true, &none), 0);
    assert_int_equal(v[0].claim, CLAIM_CANNOT_TELL);
    assert_int_equal(v[1].claim, CLAIM_CANNOT_TELL);
    for (int k = 6; k < 20; k++)
        for (int i = 0; i < 2; i++)
            add_window(&r.outcome[i], 1000 + 1000 * (i % 2) + k);
    /* Cells that gave nothing are no third comparison. */
    assert_int_equal(judge(v, 3, true, &none), 0);
    assert_int_equal(v[0].claim, CLAIM_FASTER);
    assert_int_equal(v[1].claim, CLAIM_FASTER);
    assert_int_equal(v[2].claim, CLAIM_CANNOT_TELL);
    results_free(&r);
}

/* In one table of ten cells something is claimed with a chance of at most 5 %. */
static void equal_cells_are_seldom_claimed_to_differ(void **state)
{
    enum { TABLES = 200, ROWS = 10, ROUNDS = 12 };
    const struct floor none = { 0 };
    uint64_t random = 3;

    (void)state;
    for (int paired = 0; paired < 2; paired++) {
        int tables = 0, claims = 0;

        for (int i = 0; i < TABLES; i++) {
            struct results r = run_of(2 * ROWS);
            struct verdict v[ROWS];
            bool claimed = false;

            for (int k = 0; k < 2 * ROWS; k++)
                measure(&r.outcome[k], 1e9, ROUNDS, paired ? (uint64_t)i : random_next(&random),
                        &random);
            for (int k = 0; k < ROWS; k++)
                v[k] = (struct verdict){ .a = &r.outcome[2 * k], .b = &r.outcome[2 * k + 1] };
            assert_int_equal(judge(v, ROWS, paired, &none), 0);
            for (int k = 0; k < ROWS; k++)
                claims += v[k].claim == CLAIM_FASTER || v[k].claim == CLAIM_SLOWER;
            for (int k = 0; k < ROWS; k++)
                claimed |= v[k].claim == CLAIM_FASTER || v[k].claim == CLAIM_SLOWER;
            tables += claimed;
            results_free(&r);
        }
        printf("# %s: %d claims in %d tables of %d\n", paired ? "pairs" : "groups", claims, tables,
               TABLES);
        assert_true((double)tables / TABLES <= share_at_most(0.05, TABLES));
    }
}

static void floor_is_the_far_end_of_the_twins(void **state)
{
    struct results r = run_of(3);
    struct floor floor;

    (void)state;
    assert_int_equal(judge_floor(&r).pairs, 0);
    make_twins(&r, 4);
    add_window(&r.outcome[0], 1000);
    add_window(&r.outcome[1], 1100);
    assert_int_equal(judge_floor(&r).pairs, 0);
    for (int k = 0; k < 2; k++) {
        add_window(&r.outcome[0], 1000);
        add_window(&r.outcome[1], k ? 1250 : 1000);
    }
    floor = judge_floor(&r);
    assert_int_equal(floor.pairs, 3);
    assert_true(fabs(floor.share - 0.25) < 1e-9 && fabs(floor.confidence - 0.75) < 1e-9);
    results_free(&r);
}

static void floor_between_runs_is_of_one_control(void **state)
{
    struct results a = run_of(2), b = run_of(2);
    uint64_t random = 4;

    (void)state;
    make_twins(&a, 4);
    make_twins(&b, 4);
    measure(&a.outcome[0], 1e9, 10, 1, &random);
    measure(&b.outcome[0], 1.5e9, 10, 2, &random);
    assert_int_equal(judge_floor_between(&a, &b).pairs, 10);
    assert_true(judge_floor_between(&a, &b).share > 0.45);
    make_twins(&b, 2);
    assert_int_equal(judge_floor_between(&a, &b).pairs, 0);
    results_free(&a);
    results_free(&b);
}

static bool warned(const struct results *r, const char *of)
{
    struct warnings w;

    judge_warnings(r, &r->outcome[0], &w);
    for (int i = 0; i < w.count; i++)
        if (!strncmp(w.text[i], of, strlen(of)) && w.text[i][strlen(of)] == ':')
            return true;
    return false;
}

/* Twenty calm windows, of which `spoil` makes something else. Warned of must be this alone. */
static void assert_warns(const char *of, void (*spoil)(struct measurement *m, int k))
{
    static const char *const topics[] = { "steal",   "load",   "frequency", "drift",
                                          "bimodal", "failed", "precision" };
    struct results r = run_of(1);
    uint64_t random = 5;

    r.precision = 0.2;
    measure(&r.outcome[0], 1e9, 20, 6, &random);
    for (int k = 0; k < 20; k++) {
        struct occasion *o = &r.outcome[0].round[k].occasion;

        o->steal = 0.01;
        o->busy = 0.03;
        o->mhz = k ? 3000 + k : 1500;
        if (spoil)
            spoil(&r.outcome[0].round[k], k);
    }
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (warned(&r, topics[i]) != (of && !strcmp(of, topics[i])))
            fail_msg("%s, where %s was planted", topics[i], of ? of : "nothing");
    results_free(&r);
}

static void steal(struct measurement *m, int k)
{
    m->occasion.steal = k % 3 ? 0.03 : 0;
}

static void use(struct measurement *m, int k)
{
    m->occasion.busy = k % 3 ? 0.06 : 0;
}

static void slow_clock(struct measurement *m, int k)
{
    m->occasion.mhz = k % 3 ? 3000 : 2800;
}

static void rise(struct measurement *m, int k)
{
    m->sample[0].ops += m->sample[0].ops / 100 * (uint64_t)k;
}

static void split(struct measurement *m, int k)
{
    m->sample[0].ops = k % 2 ? 1000 + (uint64_t)k * 7 % 20 : 1200 + (uint64_t)k * 7 % 20;
}

static void fail_one(struct measurement *m, int k)
{
    if (k == 3)
        m->status = STATUS_TIMEOUT;
    if (k == 5)
        m->status = STATUS_SKIPPED;
}

static void skip_one(struct measurement *m, int k)
{
    if (k == 5)
        m->status = STATUS_SKIPPED;
}

static void spread(struct measurement *m, int k)
{
    m->sample[0].ops = 1000 + 400 * (uint64_t)(k * 9 % 20);
}

static void unknown(struct measurement *m, int k)
{
    (void)k;
    m->occasion.steal = m->occasion.busy = m->occasion.mhz = -1;
}

static void each_warning_is_given_where_it_belongs(void **state)
{
    (void)state;
    assert_warns(NULL, NULL);
    assert_warns(NULL, unknown);
    assert_warns(NULL, skip_one);
    assert_warns("steal", steal);
    assert_warns("load", use);
    assert_warns("frequency", slow_clock);
    assert_warns("drift", rise);
    assert_warns("bimodal", split);
    assert_warns("failed", fail_one);
    assert_warns("precision", spread);
}

static void skipped_round_is_no_window(void **state)
{
    struct results r = run_of(1);
    struct warnings w;

    (void)state;
    for (int k = 0; k < 3; k++)
        fail_one(add_window(&r.outcome[0], 1000), 3 + k);
    judge_warnings(&r, &r.outcome[0], &w);
    assert_int_equal(w.count, 1);
    assert_string_equal(w.text[0], "failed: 1 of 2 windows gave nothing");
    results_free(&r);
}

static void precision_is_warned_of_only_if_it_was_asked_for(void **state)
{
    struct results r = run_of(1);

    (void)state;
    add_window(&r.outcome[0], 1000);
    add_window(&r.outcome[0], 2000);
    assert_false(warned(&r, "precision"));
    r.precision = 0.3;
    assert_true(warned(&r, "precision"));
    r.precision = 0.4;
    assert_false(warned(&r, "precision"));
    results_free(&r);
}

/* The uniform distribution is the one that most looks like two heaps; 400 rows a table. */
static void calm_tables_have_seldom_a_suspected_row(void **state)
{
    enum { TABLES = 40, ROWS = 400, ROUNDS = 20 };
    int tables = 0;
    uint64_t random = 8;

    (void)state;
    for (int i = 0; i < TABLES; i++) {
        struct results r = run_of(ROWS);
        int suspected = 0;

        for (int row = 0; row < ROWS; row++) {
            struct warnings w;

            for (int k = 0; k < ROUNDS; k++)
                add_window(&r.outcome[row], 1e9 * (1 + random_unit(&random)));
            judge_warnings(&r, &r.outcome[row], &w);
            suspected += w.count;
        }
        tables += suspected > 0;
        results_free(&r);
    }
    printf("# %d of %d tables have a suspected row\n", tables, TABLES);
    assert_true((double)tables / TABLES <= share_at_most(0.10, TABLES));
}

/* fib at these thread counts, of which a tenth is serial; beyond the cores it is much slower. */
static struct results series_of(const int *threads, size_t count, int workers_each)
{
    struct results r = run_of(count);
    uint64_t random = 9;

    for (size_t i = 0; i < count; i++) {
        double n = threads[i], beyond = threads[i] > CORES ? 0.2 : 1;

        r.outcome[i].cell.mode = intern("gil");
        r.outcome[i].cell.threads = threads[i];
        r.outcome[i].cell.carriers = workers_each * threads[i];
        measure(&r.outcome[i], beyond * 1e9 * n / (1 + 0.1 * (n - 1)), 8, 1, &random);
    }
    results_index(&r);
    return r;
}

static void scaling_wants_four_counts_that_fit(void **state)
{
    static const int threads[] = { 1, 2, 3, 4, 8, 16 };
    static struct scaling scaling;
    struct results three = series_of(threads, 3, 1), beyond = series_of(threads + 1, 5, 1);
    struct results doubled = series_of(threads, 6, 2), all = series_of(threads, 6, 1);

    (void)state;
    assert_false(judge_scaling(&three, &three.outcome[0].cell, &scaling));
    assert_string_equal(scaling.refusal, "3 thread counts fit on the 4 cores; a fit needs 4");
    assert_false(judge_scaling(&beyond, &beyond.outcome[0].cell, &scaling));
    assert_false(judge_scaling(&doubled, &doubled.outcome[0].cell, &scaling));
    assert_true(judge_scaling(&all, &all.outcome[0].cell, &scaling));
    assert_int_equal(scaling.measured, 4);
    assert_true(scaling.a.low <= 0.1 && 0.1 <= scaling.a.high && scaling.misfit < 0.1);
    all.outcome[0].cell.base = 0;
    assert_false(judge_scaling(&all, &all.outcome[0].cell, &scaling));
    assert_non_null(strstr(scaling.refusal, "neighbours"));
    results_free(&three);
    results_free(&beyond);
    results_free(&doubled);
    results_free(&all);
}

static void serial_share_is_of_what_fits(void **state)
{
    static const int threads[] = { 1, 2, 4, 8 };
    struct results r = series_of(threads, 4, 1);
    struct estimate two = { 1, 1.6, 1.6, 1.6, 0 }, none = { 0 };
    struct cell *c = &r.outcome[1].cell;

    (void)state;
    assert_true(fabs(judge_serial_share(&r, c, two) - 0.25) < 1e-9);
    assert_true(isnan(judge_serial_share(&r, c, none)));
    assert_true(isnan(judge_serial_share(&r, &r.outcome[0].cell, two)));
    assert_true(isnan(judge_serial_share(&r, &r.outcome[3].cell, two)));
    c->base = 0;
    assert_true(isnan(judge_serial_share(&r, c, two)));
    results_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_difference_is_found_with_enough_windows),
        cmocka_unit_test(few_windows_cannot_tell),
        cmocka_unit_test(nothing_is_claimed_below_the_floor),
        cmocka_unit_test(floor_that_is_not_known_lets_nothing_pass),
        cmocka_unit_test(windows_needed_are_those_that_can_tell),
        cmocka_unit_test(many_comparisons_want_more_windows),
        cmocka_unit_test(equal_cells_are_seldom_claimed_to_differ),
        cmocka_unit_test(floor_is_the_far_end_of_the_twins),
        cmocka_unit_test(floor_between_runs_is_of_one_control),
        cmocka_unit_test(each_warning_is_given_where_it_belongs),
        cmocka_unit_test(skipped_round_is_no_window),
        cmocka_unit_test(precision_is_warned_of_only_if_it_was_asked_for),
        cmocka_unit_test(calm_tables_have_seldom_a_suspected_row),
        cmocka_unit_test(scaling_wants_four_counts_that_fit),
        cmocka_unit_test(serial_share_is_of_what_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
