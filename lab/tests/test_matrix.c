/* test_matrix.c - experiments in files: what they say, and mistakes in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Its machine of four cores is ours, too. */
#include "lab/fuzz/matrix.c"

#include "lab/document.h"
#include "lab/runtimes.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

static struct experiment e;
static struct mistake m;

static struct matrix *parse(const char *text, const char *name)
{
    experiment_init(&e, "lab matrix");
    return matrix_parse(text, strlen(text), "file.yaml", name, &e, &m);
}

/* What is planned, without the control cells. */
static struct plan plan_of(const char *text, const char *name)
{
    struct matrix *matrix = parse(text, name);
    struct plan p = { 0 };

    if (!matrix)
        fail_msg("%s", m.text);
    e.settings.control = CONTROL_NO;
    if (dials_complete(&e.dials, &m) < 0 ||
        plan_make(&p, e.name, e.source, &e.dials, &e.settings, e.excluded, e.with, &m) < 0)
        fail_msg("%s", m.text);
    matrix_free(matrix);
    return p;
}

static void assert_cells(const char *text, const char *name, size_t count)
{
    struct plan p = plan_of(text, name);

    if (p.count != count)
        fail_msg("%s has %zu cells, not %zu", name ? name : text, p.count, count);
    plan_free(&p);
}

/* "1 2 4": those of the cells, each once, as they come. */
static void assert_threads(const char *text, const char *threads)
{
    struct plan p = plan_of(text, NULL);
    char all[1024] = "";

    for (size_t i = 0; i < p.count; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%d", i ? " " : "",
                 p.cell[i].threads);
    if (strcmp(all, threads) != 0)
        fail_msg("%s gives '%s', not '%s'", text, all, threads);
    plan_free(&p);
}

/* A build may lack the policies that most matrices here name. */
static bool lacks_policies(void)
{
    return !runtime_named("plain") || !runtime_named("atomic");
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size_bytes = 0;

    if (!file || getdelim(&text, &size_bytes, EOF, file) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    fclose(file);
    return text;
}

/* A line "# NAME: N cells" for each matrix. Returns how many there are. */
static int check_example(const char *example)
{
    char name[64];
    size_t count;
    int checked = 0;

    for (const char *line = example; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (sscanf(line, "# %63[a-z_]: %zu cells", name, &count) == 2) {
            assert_cells(example, name, count);
            checked++;
        }
    return checked;
}

static void the_examples_of_the_document(void **state)
{
    char *text, *next, *example;
    int checked = 0;

    (void)state;
    if (lacks_policies())
        return;
    text = next = read_file("docs/matrices.md");
    while ((example = strstr(next, "```yaml\n"))) {
        example += strlen("```yaml\n");
        next = strstr(example, "```");
        *next++ = '\0';
        assert_true(check_example(example) > 0);
        checked++;
    }
    free(text);
    assert_true(checked >= 6);
}

static void every_seed_ends(void **state)
{
    static const char folder[] = "lab/fuzz/seeds/matrix";
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[512];
    int seeds = 0;

    (void)state;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        uint8_t bytes[4096];
        FILE *file;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        file = fopen(path, "r");
        assert_non_null(file);
        LLVMFuzzerTestOneInput(bytes, fread(bytes, 1, sizeof bytes, file));
        fclose(file);
        seeds++;
    }
    closedir(dir);
    assert_true(seeds > 20);
}

static const char *const wrong[][2] = {
    { "", "1:1: there is nothing" },
    { "# no more\n", "1:1: there is nothing" },
    { "- a\n", "1:1: a mapping of matrices by their names is wanted here, not a list" },
    { "a: fib\n", "1:4: a mapping of keys such as \"workload: fib\" is wanted here, not a text" },
    { "a: {}\n", "1:4: a mapping of keys such as \"workload: fib\" is wanted here, and this is "
                 "empty" },
    { "a/b: { rounds: 1 }\n", "1:1: a matrix's name is of letters, digits, _ - . and not 'a/b'" },
    { "a:\n  wrkload: fib\n", "2:3: unknown key 'wrkload'; did you mean 'workload'?" },
    { "a:\n  exlude: fib\n", "2:3: unknown key 'exlude'; did you mean 'exclude'?" },
    { "a: { csv: x }\n", "1:6: unknown key 'csv'" },
    { "a: { rounds: 1, seed: 1, rounds: 2 }\n", "1:26: 'rounds' is there twice: in line 1, too" },
    { "a: { rounds: 1 }\nb: { seed: 1 }\na: { seed: 1 }\n", "3:1: 'a' is there twice" },
    { "a: { [b]: c }\n", "1:6: a key is wanted here, not a list" },
    { "a: { about: [b] }\n", "1:13: about: a text is wanted here, not a list" },
    { "a: { about: \"b\\0\" }\n", "1:13: about: a text has no NUL in it" },

    { "a: { workload: [fib, fbi] }\n", "1:22: unknown workload 'fbi'; did you mean 'fib'?" },
    { "a: { workload: [fib, empty, fib] }\n", "1:16: workload 'fib' is there twice" },
    { "a: { workload: fib, mode: }\n", "1:27: a word or a number is wanted here, not nothing" },
    { "a: { workload: [fib, [sleep]] }\n", "1:22: a word or a number is wanted here, not a list" },
    { "a: { workload: { fib: 1 } }\n", "1:16: a word or a number is wanted here, not a mapping" },
    { "a:\n  workload: fib, echo\n", "2:13: workload: a list stands in brackets: [fib, echo]" },
    { "a: { threads: [] }\n", "1:15: threads: the list is empty" },
    { "a: { threads: 4096 }\n", "1:15: threads: '4096' is not a number from 0 to 1024" },
    { "a: { threads: [1, 99999999999999999999] }\n", "1:19: threads: '99999999999999999999' is" },
    { "a: { threads: 2..1 }\n", "1:15: threads: 2..1 is empty; write 1..2" },
    { "a: { rounds: [5, 25] }\n", "1:14: rounds: '5,25' is not a number" },
    { "a: { window: fast }\n", "1:14: window: 'fast' is not" },
    { "a: { order: sideways }\n", "1:13: order: 'sideways' is not one of shuffled, pairs" },

    { "a: { threads: [1, .., 4] }\n", "1:23: threads: '..' goes on from two or three numbers" },
    { "a: { threads: [1, 2, ..] }\n", "1:22: threads: '..' wants a number behind it" },
    { "a: { threads: [1, 2, .., .., 4] }\n", "1:26: threads: '..' wants a number behind it" },
    { "a: { threads: [1, 2, 5, .., 9] }\n", "1:29: threads: the numbers before '..' grow neither" },
    { "a: { threads: [1, 3, 7, .., 15] }\n", "1:29: threads: the numbers before '..' grow" },
    { "a: { threads: [1, 3, 6, .., 12] }\n", "1:29: threads: the numbers before '..' grow" },
    { "a: { threads: [4, 3, .., 1] }\n", "1:26: threads: the numbers before '..' grow neither" },
    { "a: { threads: [2, 2, .., 5] }\n", "1:26: threads: the numbers before '..' grow neither" },
    { "a: { threads: [0, 0, 1, .., 5] }\n", "1:29: threads: the numbers before '..' grow neither" },
    { "a: { threads: [1, 2..3, .., 5] }\n", "1:19: threads: '..' goes on from numbers, not" },
    { "a: { workload: [a, b, .., c] }\n", "1:17: workload: 'a' is not a number" },
    { "a: { threads: [1, 2, .., 2147483647] }\n", "1:26: threads: more than 1024 levels" },

    { "a: { extends: b }\n", "1:15: unknown matrix 'b'; did you mean 'a'?" },
    { "a: { extends: a }\n", "1:15: 'a' would extend itself" },
    { "file: { extends: b }\nb: { extends: file }\n", "2:15: 'file' would extend itself" },
    { "a: { extends: { b: c } }\n", "1:15: extends: a matrix's name is wanted here" },

    { "a: { gil.interval: 1 }\n", "1:6: unknown parameter of locks 'interval'; did you mean "
                                  "'interval_us'?" },
    { "a: { workload.percent: 1 }\n", "1:6: unknown parameter of workloads 'percent'" },
    { "a: { mode: atomic, gil.interval_us: 1 }\n", "1:20: no level of 'mode' or 'gil' has the "
                                                   "parameter 'interval_us'" },
    { "a: { gil.interval_us: 1 }\n", "1:6: no level of 'mode' or 'gil' has the" },
    { "a: { workload: fib, workload.waits_percent: 1 }\n", "1:21: no level of 'workload' has" },
    { "a: { mode: gil, gil.interval_us: [1, x] }\n", "1:38: gil.interval_us: 'x' is not a number "
                                                     "from 1 to 10000000" },
    { "a: { mode: \"gil:interval_us=7\", gil.interval_us: 5 }\n", "1:33: interval_us: "
                              "'gil:interval_us=7' among the levels sets it, too" },
    { "a: { mode: gil, gil.interval_us: [5, 5] }\n", "1:17: interval_us: 5 is there twice" },
    { "a: { mode: gil, gil.interval_us: 1..200 }\n", "1:17: more than 128 modes" },
    { "a: { mode: gil, gil.interval_us: 1..1000 }\n", "1:17: interval_us: more than 128 levels" },

    { "a: { exclude: fib }\n", "1:15: a mapping such as { mode: nolock, threads: 8 } is wanted" },
    { "a: { exclude: [{ modes: gil }] }\n", "1:18: unknown dial 'modes'; did you mean 'mode'?" },
    { "a: { exclude: { mode: nolok } }\n", "1:23: unknown mode 'nolok'; did you mean 'nolock'?" },
    { "a: { exclude: { workload: [fib, fbi] } }\n", "1:33: unknown workload 'fbi'" },
    { "a: { waits_percent: 1 }\n", "1:6: 'waits_percent' is a parameter; write 'workload.waits_p" },
    { "a: { exclude: { force: 1 } }\n", "1:17: 'force' is a parameter; write 'gil.force'" },
    { "a: { exclude: [] }\n", "1:15: exclude: the list is empty" },
    { "a: { extends: [] }\n", "1:15: extends: the list is empty" },
    { "a: { exclude: { policy: x } }\n", "1:25: unknown policy 'x'" },
    { "a: { exclude: { gil: x } }\n", "1:22: unknown lock 'x'" },
    { "a: { exclude: { heap: x } }\n", "1:23: unknown heap 'x'" },
    { "a: { exclude: { threads: '> x' } }\n", "1:26: threads: 'x' is not a number" },
    { "a: { exclude: { threads: '=> 1' } }\n", "1:26: threads: '=> 1' is not a number" },
    { "a: { exclude: { threads: '> 1..2' } }\n", "1:26: threads: '>' goes with a number, not" },
    { "a: { exclude: { threads: [1, 2, .., 129] } }\n", "1:17: threads: more than 128 values" },
    { "a: { exclude: { workload.waits_percent: 101 } }\n", "1:41: waits_percent: '101' is not a "
                                                           "number from 0 to 100" },
    { "a: { exclude: { gil.forc: 1 } }\n", "1:17: unknown parameter of locks 'forc'" },

    { "a:\n\trounds: 1\n", "2:1: found character that cannot start any token: YAML is indented "
                           "with blanks, not with a tab" },
    { "# \303\251\303\251\na:\n\trounds: 1\n", "3:1: found character that cannot start any "
                                              "token: YAML is indented" },
    { "a:\n  exclude:\n    threads: > 4\n", "3:16: did not find expected comment or line break: "
                                            "what begins with one of > | * & ! % @ ` stands" },
    { "a: { exclude: { threads: != 4 } }\n", "1:26: the tag '!=' says nothing here; what begins" },
    { "a: { threads: *cores }\n", "1:15: found undefined alias: what begins with one of" },
    { "a: &a [*a]\n", "1:4: a mapping of keys" },
    { "a: { threads: &a [*a] }\n", "1:15: a word or a number is wanted here, not a list" },
    { "a: [1\n", "2:1: did not find expected ',' or ']', while parsing a flow sequence that begins "
                 "in line 1" },
    { "a: { rounds: 1 }\n---\nb: { rounds: 1 }\n", "2:1: a second document begins" },
    { "a: { rounds: 1 }\n---\n]\n", "3:1: did not find expected node content" },
    { "a:\n  about: \"\303\251\377\"\n", "2:12: invalid leading UTF-8 octet: it must be text in" },
    { "a: \001\n", "1:4: control characters are not allowed" },
    { "\377\376a\n", "1:1: invalid leading UTF-8 octet" },
};

static void mistakes_have_a_place(void **state)
{
    (void)state;
    if (lacks_policies())
        return;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct matrix *matrix = parse(wrong[i][0], NULL);

        if (matrix)
            fail_msg("%s was taken", wrong[i][0]);
        if (strncmp(m.text, "file.yaml:", 10) != 0 ||
            strncmp(m.text + 10, wrong[i][1], strlen(wrong[i][1])) != 0)
            fail_msg("%s: '%s' is not '%s'", wrong[i][0], m.text, wrong[i][1]);
    }
}

static void lists_go_on(void **state)
{
    (void)state;
    if (lacks_policies())
        return;
    assert_threads("a: { workload: fib, mode: gil, threads: [1, 2, .., 5] }", "1 2 3 4 5");
    assert_threads("a: { workload: fib, mode: gil, threads: [1, 2, 4, .., 32] }", "1 2 4 8 16 32");
    assert_threads("a: { workload: fib, mode: gil, threads: [1, 4, 7, .., 12] }", "1 4 7 10 12");
    assert_threads("a: { workload: fib, mode: gil, threads: [20, 1, 3, 9, .., 28, 2] }",
                   "20 1 3 9 27 28 2");
    assert_threads("a: { workload: fib, mode: gil, threads: [1, 2, 4, .., cores/2] }", "1 2");
    assert_threads("a: { workload: fib, mode: gil, threads: [2, 4, 8, .., 1] }", "1");
    assert_threads("a: { workload: fib, mode: gil, threads: [cores, 2*cores, .., 17] }",
                   "4 8 12 16 17");
    assert_threads("a: { workload: fib, mode: gil, threads: [0, 2, .., 4] }", "0 2 4");
}

static void settings_are_set(void **state)
{
    struct matrix *matrix = parse("a: { rounds: 5..25, precision: 3%, seed: 42, order: pairs, "
                                  "window: 20ms, control: no, memory: 1G, bind: yes }", "a");

    (void)state;
    assert_non_null(matrix);
    assert_int_equal(e.settings.rounds_least, 5);
    assert_int_equal(e.settings.rounds_most, 25);
    assert_int_equal(e.settings.seed, 42);
    assert_int_equal(e.settings.placing, PLACING_PAIRS);
    assert_int_equal(e.settings.bind, BIND_YES);
    assert_int_equal(e.settings.memory_bytes, 1 << 30);
    assert_int_equal(e.settings.control, CONTROL_NO);
    assert_true(e.settings.window_s > 0.019 && e.settings.window_s < 0.021);
    assert_true(e.settings.precision > 0.029 && e.settings.precision < 0.031);
    assert_string_equal(e.name, "a");
    assert_memory_equal(e.source, "a: { rounds: 5..25,", 19);
    matrix_free(matrix);
}

/* What is left of 1 .. 8 threads. */
static void numbers_are_compared(void **state)
{
    static const char *const left[][2] = {
        { "3", "1 2 4 5 6 7 8" },     { "3..5", "1 2 6 7 8" },    { "\"< 3\"", "3 4 5 6 7 8" },
        { "\"<= 3\"", "4 5 6 7 8" },  { "\"> 3\"", "1 2 3" },     { "\">= 3\"", "1 2" },
        { "\"!= 3\"", "3" },          { "\"!= 3..5\"", "3 4 5" }, { "[1, 8]", "2 3 4 5 6 7" },
        { "[\"< 3\", 6..8]", "3 4 5" }, { "\">cores\"", "1 2 3 4" }, { "[2, 4, .., 8]", "1 3 5 7" },
    };
    char text[256];

    (void)state;
    if (lacks_policies())
        return;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(text, sizeof text, "a: { workload: fib, mode: gil, threads: 1..8, "
                 "exclude: { threads: %s } }", left[i][0]);
        assert_threads(text, left[i][1]);
    }
}

/* Of 12 cells: three workloads, two modes, two numbers of threads. */
static void levels_are_left_out(void **state)
{
    static const struct {
        const char *condition;
        size_t left;
    } table[] = {
        { "workload: fib", 8 },
        { "workload: [fib, sleep]", 8 }, /* sleep is not there */
        { "workload: cpu_fraction", 4 },
        { "workload: 'cpu_fraction:waits_percent=20'", 8 },
        { "workload: 'cpu_fraction:waits_percent=50'", 12 },
        { "workload.waits_percent: 20", 8 },
        { "workload.waits_percent: '>= 20'", 4 }, /* fib has none */
        { "mode: gil", 6 },
        { "mode: plain+interval", 6 },
        { "mode: 'gil:interval_us=7'", 6 },
        { "mode: 'gil:interval_us=5000'", 12 },
        { "gil: interval", 6 },
        { "gil: 'interval:interval_us=7'", 6 },
        { "gil: 'interval:interval_us=8'", 12 },
        { "gil.interval_us: 7", 6 },
        { "policy: atomic", 6 },
        { "policy: [atomic, plain], threads: 1", 6 },
        { "mode: atomic, threads: 1", 9 },
        { "mode: atomic, threads: 1, workload: fib", 11 },
        { "heap: jemalloc, threads: 2", 6 },
        { "heap: system", 12 },
        { "build: self, threads: 2", 6 },
        { "build: ./other", 12 },
    };
    char text[512];

    (void)state;
    if (lacks_policies())
        return;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        snprintf(text, sizeof text, "a: { workload: [fib, 'cpu_fraction:waits_percent=20', "
                 "'cpu_fraction:waits_percent=80'], mode: ['gil:interval_us=7', atomic], "
                 "threads: [1, 2], exclude: [{ %s }] }", table[i].condition);
        assert_cells(text, NULL, table[i].left);
    }
    assert_cells("a: { workload: fib, threads: 1, mode: [gil, atomic+interval, nolock], "
                 "exclude: { mode: gil } }", NULL, 2);
}

static void what_has_no_effect_gets_a_warning(void **state)
{
    static const char text[] = "base: { exclude: { threads: 9 } }\n"
                               "file:\n"
                               "  extends: base\n"
                               "  workload: [fib, echo]\n"
                               "  mode: [gil, atomic]\n"
                               "  threads: [1, 2]\n"
                               "  exclude:\n"
                               "    - { threads: 2, mode: gil, workload: fib }\n"
                               "    - { threads: '> 2' }\n"
                               "    - { workload: sleep, threads: 1 }\n"
                               "    - { mode: gil, policy: atomic }\n";
    struct matrix *matrix;
    char *said = NULL;
    size_t length;
    FILE *out = open_memstream(&said, &length);

    (void)state;
    if (lacks_policies())
        return;
    matrix = parse(text, NULL);
    assert_non_null(matrix);
    matrix_warn(matrix, &e, out);
    fclose(out);
    assert_string_equal(said,
                        "lab matrix: file.yaml:9: this item of exclude leaves out no cell\n"
                        "lab matrix: file.yaml:10: this item of exclude leaves out no cell\n"
                        "lab matrix: file.yaml:11: this item of exclude leaves out no cell\n");
    free(said);
    matrix_free(matrix);
}

static void the_later_wins(void **state)
{
    static const char text[] = "base: { workload: fib, mode: gil, threads: 1, rounds: 1 }\n"
                               "left: { extends: base, rounds: 2, seed: 2, threads: [1, 2] }\n"
                               "right: { extends: base, seed: 3, policy: [plain, atomic], "
                               "gil: [interval, none] }\n"
                               "both: { extends: [left, right], gil.interval_us: [1, 2] }\n"
                               "fewer: { extends: both, gil.interval_us: 3 }\n"
                               "moded: { extends: both, mode: nolock }\n";
    struct matrix *matrix;

    (void)state;
    if (lacks_policies())
        return;
    matrix = parse(text, "both");
    assert_non_null(matrix);
    assert_int_equal(e.settings.rounds_least, 2); /* of left: base is before both */
    assert_int_equal(e.settings.seed, 3);
    assert_int_equal(e.dials.mode.count, 0);
    matrix_free(matrix);
    assert_cells(text, "left", 2);
    assert_cells(text, "right", 4);
    assert_cells(text, "both", 12);
    assert_cells(text, "fewer", 8);
    assert_cells(text, "moded", 2); /* what it inherits of locks has no use there */
}

static void factors_multiply(void **state)
{
    struct matrix *matrix;

    (void)state;
    if (lacks_policies())
        return;
    matrix = parse("a: { gil.interval_us: [5, 6], gil.force: [0, 1], mode: [gil, atomic, "
                   "plain+mutex] }", NULL);
    assert_non_null(matrix);
    assert_int_equal(e.dials.mode.count, 6);
    assert_string_equal(e.dials.mode.item[1].label, "gil:interval_us=5:force=1");
    assert_int_equal(e.dials.mode.item[2].param[0], 6);
    assert_int_equal(e.dials.mode.item[2].param[1], 0);
    assert_string_equal(e.dials.mode.item[4].label, "atomic");
    assert_string_equal(e.dials.mode.item[5].label, "plain+mutex");
    matrix_free(matrix);
}

static void a_matrix_is_picked(void **state)
{
    static const char two[] = "a: { seed: 1 }\nb: { seed: 2 }\n";
    struct matrix *matrix;

    (void)state;
    assert_null(parse(two, NULL));
    assert_string_equal(m.text, "file.yaml: it has several matrices; say which: a, b");
    assert_null(parse(two, "c"));
    assert_non_null(strstr(m.text, "file.yaml: unknown matrix 'c'; did you mean 'a'?"));
    matrix = parse(two, "b");
    assert_non_null(matrix);
    assert_int_equal(e.settings.seed, 2);
    matrix_free(matrix);
    matrix = parse("fil: { seed: 1 }\nfile: { seed: 2 }\n", NULL);
    assert_non_null(matrix);
    assert_string_equal(e.name, "file");
    matrix_free(matrix);
}

static void files_that_are_not_there(void **state)
{
    (void)state;
    experiment_init(&e, "lab matrix");
    assert_null(matrix_read("no/such.yaml", NULL, &e, &m));
    assert_string_equal(m.text, "no/such.yaml: No such file or directory");
    assert_null(matrix_read("lab/tests", NULL, &e, &m));
    assert_string_equal(m.text, "lab/tests: Is a directory");
    assert_null(matrix_read("/dev/zero", NULL, &e, &m));
    assert_string_equal(m.text, "/dev/zero: longer than 65536 bytes");
}

/* As long as may be, and all of it anchors: libyaml compares each with each. */
static void a_long_file_is_read(void **state)
{
    static char text[DOCUMENT_BYTES_MOST + 2] = "a: { threads: [1";
    size_t length = strlen(text);

    (void)state;
    for (int i = 0; length < DOCUMENT_BYTES_MOST - 16; i++)
        length += (size_t)sprintf(text + length, ",&%x ~", i);
    assert_null(parse(text, NULL));
    memset(text + length, ' ', sizeof text - 1 - length);
    assert_null(parse(text, NULL));
    assert_non_null(strstr(m.text, "longer than"));
}

/* Aliases make much of little. */
static void there_are_bounds(void **state)
{
    char text[4096] = "a: { threads: 1, exclude: [&x { threads: 2 }";

    (void)state;
    for (int i = 1; i <= 256; i++)
        strcat(text, ", *x");
    strcat(text, "] }");
    assert_null(parse(text, NULL));
    assert_string_equal(m.text, "file.yaml:1:28: more than 256 items of exclude");
    strcpy(text, "a0: &a { seed: 1 }\n");
    for (int i = 1; i <= 100; i++)
        sprintf(text + strlen(text), "a%d: *a\n", i);
    assert_null(parse(text, "a0"));
    assert_string_equal(m.text, "file.yaml:101:1: more than 100 matrices");
}

/* `make run` without a matrix is what it was. */
static void quick_is_the_usual_run(void **state)
{
    struct experiment *usual = malloc(sizeof *usual);
    struct matrix *matrix;
    struct plan plans[2];
    char hash[2][17];

    (void)state;
    if (lacks_policies() || !runtime_named("biased")) {
        free(usual);
        return;
    }
    experiment_init(&e, "lab matrix");
    experiment_init(usual, "lab run");
    matrix = matrix_read("benches/matrices/quick.yaml", NULL, &e, &m);
    assert_non_null(matrix);
    assert_int_equal(dials_complete(&e.dials, &m) | dials_complete(&usual->dials, &m), 0);
    assert_int_equal(plan_make(&plans[0], e.name, e.source, &e.dials, &e.settings, e.excluded,
                               e.with, &m), 0);
    assert_int_equal(plan_make(&plans[1], "run", "", &usual->dials, &usual->settings, NULL, NULL,
                               &m), 0);
    plan_hash(&plans[0], hash[0]);
    plan_hash(&plans[1], hash[1]);
    assert_string_equal(hash[0], hash[1]);
    plan_free(&plans[0]);
    plan_free(&plans[1]);
    matrix_free(matrix);
    free(usual);
}

static int begin(void **state)
{
    (void)state;
    load();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_document),
        cmocka_unit_test(every_seed_ends),
        cmocka_unit_test(mistakes_have_a_place),
        cmocka_unit_test(lists_go_on),
        cmocka_unit_test(settings_are_set),
        cmocka_unit_test(numbers_are_compared),
        cmocka_unit_test(levels_are_left_out),
        cmocka_unit_test(what_has_no_effect_gets_a_warning),
        cmocka_unit_test(the_later_wins),
        cmocka_unit_test(factors_multiply),
        cmocka_unit_test(a_matrix_is_picked),
        cmocka_unit_test(files_that_are_not_there),
        cmocka_unit_test(a_long_file_is_read),
        cmocka_unit_test(there_are_bounds),
        cmocka_unit_test(quick_is_the_usual_run),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
