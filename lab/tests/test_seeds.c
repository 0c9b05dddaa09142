/* test_seeds.c - results files that somebody has damaged, or made to do damage: each is shown,
 * or refused in a line. What `make fuzz` has found is kept among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/fuzz/results.c"

#include <dirent.h>

static const char folder[] = "lab/fuzz/seeds/results";

static size_t read_seed(const char *name, uint8_t *bytes, size_t most)
{
    char path[512];
    FILE *file;
    size_t count;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    assert_non_null(file);
    count = fread(bytes, 1, most, file);
    fclose(file);
    return count;
}

static void no_seed_is_more_than_a_line(void **state)
{
    static uint8_t bytes[1 << 20];
    DIR *seeds = opendir(folder);
    struct dirent *seed;
    int count = 0;

    (void)state;
    assert_non_null(seeds);
    while ((seed = readdir(seeds)))
        if (seed->d_name[0] != '.') {
            LLVMFuzzerTestOneInput(bytes, read_seed(seed->d_name, bytes, sizeof bytes));
            count++;
        }
    closedir(seeds);
    assert_true(count > 15);
}

/* Why a seed is refused; "" if it is not. */
static const char *refusal(const char *name)
{
    static struct mistake m;
    struct results results;
    char path[512];
    struct store *store;
    struct run run;

    m.text[0] = '\0';
    snprintf(path, sizeof path, "%s/%s", folder, name);
    store = store_open(path, STORE_READ, &m);
    if (store && store_find(store, NULL, &run, &m) == 0 &&
        store_load(store, &run, &results, &m) == 0)
        results_free(&results);
    store_close(store);
    return m.text;
}

static void what_is_damaged_is_named(void **state)
{
    static const struct { const char *name, *why; } seeds[] = {
        { "whole.db", "" },
        { "empty.db", "is empty" },
        { "words.db", "is not a results file" },
        { "other.db", "no results file" },
        { "half.db", "malformed" },
        { "endless_view.db", "its tables are not" },
        { "endless_index.db", "takes too long" },
        { "virtual.db", "its tables are not" },
        { "no_cell.db", "lacks a cell" },
        { "no_block.db", "belongs to no cell" },
        { "twice.db", "a window twice" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        const char *why = refusal(seeds[i].name);

        if (!strstr(why, seeds[i].why) || !*seeds[i].why != !*why)
            fail_msg("%s: '%s', not '%s'", seeds[i].name, why, seeds[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_seed_is_more_than_a_line),
        cmocka_unit_test(what_is_damaged_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
