/* test_table.c - what people and programs read: the table and the answer. */
#include "lab/results.h"
#include "lab/runtimes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char long_mode[] = "nolock:every_safepoints=1000000000:and_more=1000000000";

static int workload_named(const char *name)
{
    const struct named_workload *all = runtime_list[0].runtime->workloads;
    int i = 0;

    while (strcmp(all[i].name, name))
        i++;
    return i;
}

static struct measurement measured_rate(uint64_t ops)
{
    struct measurement m = { .seconds = 1, .overlap = 1, .samples = 1,
                             .sample = calloc(1, sizeof *m.sample) };

    m.sample[0] = (struct sample){ "worker", 0, 0, ops, 1, 0, 0, "bound", 0, 0, 0, 0 };
    return m;
}

/* Fills the next outcome, with one window for each of the rates up to a 0. */
static struct outcome *add_of(struct results *r, const char *name, const char *heap,
                              const char *mode, int threads, const uint64_t *rates)
{
    struct outcome *o = &r->outcome[r->count++];
    struct variant workload = { .index = workload_named(name) };
    struct mode m = { .runtime = runtime_list[0].runtime, .lock_name = gil_list[0].name,
                      .lock = gil_list[0].class };
    static struct variants unit;
    struct mistake mistake;

    snprintf(workload.label, sizeof workload.label, "%s", name);
    snprintf(m.label, sizeof m.label, "%s", mode);
    assert_int_equal(parse_units("thread", &unit, &mistake), 0);
    cell_init(&o->cell, &workload, &m, heap, "", &unit.item[0], 0, threads);
    while (*rates)
        *outcome_window(o, WINDOW_TIMED) = measured_rate(*rates++);
    results_index(r);
    return o;
}

static void add(struct results *r, const char *heap, const char *mode, int threads,
                const uint64_t *rates)
{
    add_of(r, "fib", heap, mode, threads, rates);
}

static struct results room(size_t cells)
{
    static const struct cell cell[512];
    struct results r;

    assert_int_equal(results_init(&r, cell, cells, 4, 0), 0);
    r.count = 0;
    return r;
}

static char *printed(const struct results *r, void (*print)(const struct results *r, FILE *out))
{
    char *text = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);

    assert_non_null(out);
    print(r, out);
    fclose(out);
    return text;
}

static void assert_holds(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("'%s' is not in:\n%s", words, text);
}

/* Each heap is a group of its own, and is compared with itself alone. */
static void heaps_are_kept_apart(void **state)
{
    struct results r = room(4);
    char *text;

    (void)state;
    add(&r, "jemalloc", "gil", 1, (uint64_t[]){ 100, 0 });
    add(&r, "jemalloc", "gil", 2, (uint64_t[]){ 150, 0 });
    add(&r, "system", "gil", 1, (uint64_t[]){ 10, 0 });
    add(&r, "system", "gil", 2, (uint64_t[]){ 18, 0 });
    text = printed(&r, table_print);
    assert_holds(text, "fib, heap jemalloc (");
    assert_holds(text, "fib, heap system (");
    assert_holds(text, "  1.50  ");
    assert_holds(text, "  1.80  ");
    free(text);
    text = printed(&r, answer_print);
    assert_holds(text, "2 threads do 1.50 times the work of one under gil.");
    free(text);
    results_free(&r);
}

/* The column at which `word` ends in the line that begins with `begins`. */
static long column_of(const char *text, const char *begins, const char *word)
{
    const char *line = strstr(text, begins), *found = line ? strstr(line, word) : NULL;

    if (!found || memchr(line + 1, '\n', (size_t)(found - line - 1)))
        fail_msg("no '%s' behind '%s' in:\n%s", word, begins, text);
    return found - line + (long)strlen(word);
}

static void long_names_of_modes_shift_no_column(void **state)
{
    struct results r = room(2);
    char *text;

    (void)state;
    add(&r, "jemalloc", "gil", 1, (uint64_t[]){ 1000000000000, 1000000000000, 0 });
    add(&r, "jemalloc", long_mode, 1, (uint64_t[]){ 2000000000000, 2000000000000, 0 });
    text = printed(&r, table_print);
    assert_int_equal(column_of(text, "\n  mode ", "per s"), column_of(text, "\n  gil ", "1000 G"));
    assert_int_equal(column_of(text, "\n  mode ", "per s"), column_of(text, "\n    ", "2000 G"));
    assert_holds(text, long_mode);
    free(text);
    results_free(&r);
}

/* Another worker that did as much. */
static void add_equal(struct measurement *m)
{
    m->sample = realloc(m->sample, 2 * sizeof *m->sample);
    assert_non_null(m->sample);
    m->sample[m->samples++] = m->sample[0];
}

/* One client beside many spinners is not fair, only alone. */
static void one_worker_has_no_fairness(void **state)
{
    struct results r = room(2);
    char *text;

    (void)state;
    add_of(&r, "echo_spin", "jemalloc", "gil", 2, (uint64_t[]){ 7, 0 });
    add_equal(&add_of(&r, "fib", "jemalloc", "gil", 2, (uint64_t[]){ 9, 0 })->round[0]);
    text = printed(&r, table_print);
    assert_null(strstr(strstr(text, "7.00"), "1.00        -\n\nfib"));
    assert_holds(text, "     1.00        -\n");
    free(text);
    results_free(&r);
}

static void every_line_fits_a_hundred_columns(void **state)
{
    const struct named_workload *all = runtime_list[0].runtime->workloads;
    int workloads = 0;
    struct results r;
    char *text;

    (void)state;
    while (all[workloads].name)
        workloads++;
    r = room(2 * (size_t)workloads);
    for (int i = 0; i < workloads; i++)
        for (int heap = 0; heap < 2; heap++)
            add_of(&r, all[i].name, heap ? "system" : "jemalloc", "gil", 1, (uint64_t[]){ 1, 0 });
    *outcome_window(&r.outcome[0], WINDOW_AUDIT) = (struct measurement){
        .seconds = 1, .damage = { .published = 8000000, .off = 900000, .over = 900000,
                                  .leaked = 800000, .early = 100000 } };
    text = printed(&r, table_print);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 100)
            fail_msg("%.*s", (int)strcspn(line, "\n"), line);
    free(text);
    results_free(&r);
}

/* An interrupted run has fewer windows than were planned, and not of every cell as many. */
static void table_says_of_how_many_windows_it_is(void **state)
{
    struct results r = room(2);
    char *text;

    (void)state;
    add(&r, "jemalloc", "gil", 1, (uint64_t[]){ 5, 6, 7, 0 });
    text = printed(&r, table_print);
    assert_holds(text, "the median of 3 windows");
    assert_holds(text, "with 75 % confidence");
    free(text);
    add(&r, "jemalloc", "gil", 2, (uint64_t[]){ 5, 6, 0 });
    text = printed(&r, table_print);
    assert_holds(text, "the median of 2 to 3 windows");
    assert_holds(text, "with 50 % confidence");
    free(text);
    results_free(&r);
}

static void answer_is_whole_with_many_modes(void **state)
{
    struct results r = room(128);
    char *text, mode[LABEL_MAX];

    (void)state;
    for (int i = 0; i < 64; i++) {
        snprintf(mode, sizeof mode, "m%0*d", LABEL_MAX - 2, i);
        add(&r, "jemalloc", mode, 1, (uint64_t[]){ 5, 0 });
        add(&r, "jemalloc", mode, 2, (uint64_t[]){ 6, 0 });
    }
    text = printed(&r, answer_print);
    snprintf(mode, sizeof mode, "m%0*d", LABEL_MAX - 2, 63);
    assert_holds(text, mode);
    free(text);
    results_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heaps_are_kept_apart),
        cmocka_unit_test(long_names_of_modes_shift_no_column),
        cmocka_unit_test(one_worker_has_no_fairness),
        cmocka_unit_test(every_line_fits_a_hundred_columns),
        cmocka_unit_test(table_says_of_how_many_windows_it_is),
        cmocka_unit_test(answer_is_whole_with_many_modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
