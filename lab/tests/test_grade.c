/* test_grade.c - assignment.yaml and mistakes in it, what the rules see, points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/grade/assignment.h"
#include "lab/grade/judge.h"
#include "lab/grade/lexer.h"
#include "lab/grade/rules.h"
#include "lab/grade/sheet.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct assignment a;
static struct mistake m;

/* ---- assignment.yaml ---- */

#define HEAD "title: T\nkind: lock\nfiles:\n  - locks/mine.c from gil/locks/x.c as a=b\nchecks:\n"
#define TEST HEAD "  - name: n\n    test: gil/tests/test_locks\n    points: 40\n"

static int parse(const char *text)
{
    return assignment_parse(&a, "file.yaml", text, strlen(text), &m);
}

static void assert_refused(const char *text, const char *why)
{
    if (parse(text) == 0)
        fail_msg("it was taken: %s", text);
    if (!strstr(m.text, why))
        fail_msg("'%s' does not say '%s'", m.text, why);
}

static void test_an_assignment_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse(TEST "    modes: debug tsan\n    gate: yes\n    schedules: 3\n"
                                "    only: [\"*exclude*\", b]\n"),
                     0);
    assert_string_equal(a.title, "T");
    assert_int_equal(a.work, WORK_LOCK);
    assert_string_equal(a.file[0].path, "locks/mine.c");
    assert_string_equal(a.file[0].from, "gil/locks/x.c");
    assert_true(a.check[0].in_mode[0] && !a.check[0].in_mode[1] && a.check[0].in_mode[2]);
    assert_true(a.check[0].gate);
    assert_int_equal(a.check[0].only.count, 2);
    assert_true(assignment_points(&a) == 40 && a.check[0].schedules == 3);
    assignment_free(&a);
}

static void test_release_is_a_mode_of_tests_and_of_speed(void **state)
{
    (void)state;
    assert_int_equal(parse(TEST "    modes: debug release\n" /* and one that says nothing */
                                "  - name: s\n    speed: fib\n    mine: a\n    reference: b\n"
                                "    points: 1\n    full: 1\n    zero: 2\n"
                                "  - name: t\n    test: t\n    points: 1\n"),
                     0);
    assert_true(a.check[0].in_mode[0] && !a.check[0].in_mode[1] && !a.check[0].in_mode[2]);
    assert_true(a.check[0].in_mode[3]);
    assert_string_equal(a.check[1].build, "release");
    assert_true(a.check[2].in_mode[0] && !a.check[2].in_mode[3]);
    assignment_free(&a);
}

#define CHOICE HEAD "  - name: n\n    choice: c\n    points: 1\n    full: 1.2\n    zero: 3\n"
#define AMONG "    among:\n      thread: --unit thread --threads 4\n"

static void test_a_choice_is_among_some(void **state)
{
    (void)state;
    assert_int_equal(parse(CHOICE "    speed: sleep\n" AMONG "      process: --unit process\n"), 0);
    assert_string_equal(a.check[0].choice, "c");
    assert_int_equal(a.check[0].alternatives, 2);
    assert_string_equal(a.check[0].among[0].name, "thread");
    assert_string_equal(a.check[0].among[0].options, "--unit thread --threads 4");
    assert_string_equal(a.check[0].among[1].name, "process");
    assignment_free(&a);
    assert_refused(CHOICE AMONG, "this check does not say: test or speed");
    assert_refused(CHOICE "    speed: sleep\n" AMONG,
                   "this check does not say: among, two or more");
    assert_refused(CHOICE "    among: thread\n", "file.yaml:11:12: a mapping of names to options");
}

static void test_a_mistake_is_told_with_its_place(void **state)
{
    (void)state;
    assert_refused(TEST "    gates: yes\n",
                   "file.yaml:9:5: unknown key 'gates'; did you mean 'gate'?");
    assert_refused(TEST "    gate: maybe\n", "file.yaml:9:11: 'maybe' is neither yes nor no");
    assert_refused(TEST "    modes: debug tasn\n",
                   "file.yaml:9:12: unknown mode 'tasn'; did you mean 'tsan'?");
    assert_refused(TEST "    schedules: 0\n", "file.yaml:9:16: '0' is not a number from 1 to 100");
    assert_refused(TEST "    schedules: 1.5\n", "file.yaml:9:16: 1.5 is no whole number");
    assert_refused(TEST "    count: c\n", "file.yaml:6:5: this check does not say: full and zero");
    assert_refused(TEST "    count: c\n    full: 2\n    zero: 2\n", "full must be less than zero");
    assert_refused(TEST "    speed: fib\n    mine: a\n    reference: b\n    full: 1\n    zero: 2\n",
                   "a check is a test or a speed, not both");
    assert_refused(HEAD "  - name: n\n    points: 1\n",
                   "file.yaml:6:5: this check does not say: test or speed");
    assert_refused(HEAD "  - test: t\n    points: 1\n", "this check does not say: name");
    assert_refused("title: T\n", "file.yaml:1:1: an assignment has a title, files and checks");
    assert_refused("title: T\nkind: lok\n",
                   "file.yaml:2:7: unknown kind 'lok'; did you mean 'lock'?");
    assert_refused("files: [\"../x from y\"]\n", "file.yaml:1:9: a file, as");
    assert_refused("files: [x]\n", "file.yaml:1:9: a file, as");
}

static void test_every_assignment_of_the_lab_is_read(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob("lab/assignments/*/assignment.yaml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char folder[300];

        snprintf(folder, sizeof folder, "%.*s",
                 (int)(strrchr(found.gl_pathv[i], '/') - found.gl_pathv[i]), found.gl_pathv[i]);
        if (assignment_read(&a, folder, &m) < 0)
            fail_msg("%s", m.text);
        assert_true(assignment_points(&a) == 100);
        assert_true(a.check[0].gate);
        assignment_free(&a);
    }
    globfree(&found);
}

static void test_an_unknown_assignment_is_named(void **state)
{
    (void)state;
    assert_int_equal(assignment_read(&a, "99", &m), -1);
    assert_non_null(strstr(m.text, "no assignment '99'"));
}

/* ---- what the rules see ---- */

static void assert_text(const char *text, bool header, const char *said)
{
    char got[SAID_BYTES] = "";

    rules_of_text(text, "mine.c", header, got);
    if (*said ? !strstr(got, said) : *got)
        fail_msg("'%s' gives '%s', not '%s'", text, got, said);
}

static void test_directives_that_change_more_than_macros_are_seen(void **state)
{
    (void)state;
    assert_text("#include \"gil/gil.h\"\n#define A 1\n#if A\n#endif\nint x;\n", false, "");
    assert_text("/* #line 1 */ char *s = \"\\\"#line\"; // #pragma\n", false, "");
    assert_text("#line 1 \"/usr/include/x.h\"\n", false, "#line is not for a submission");
    assert_text("#/**/li\\\nne 1\n", false, "#line is not");
    assert_text("  # pragma weak x\n", false, "#pragma is not");
    assert_text("%:pragma x\n", false, "#pragma is not");
    assert_text("/* \n*/ #include_next <x.h>\n", false, "#include_next is not");
    assert_text("#\\ \t\nli\\\nne 1\n", false, "#line is not");
    assert_text("// \\\r\n#line 1\n", false, "");
    assert_text("# 1 \"<1>\"\n", false, "a line marker is not");
    assert_text("%: 1 \"<1>\"\n", false, "a line marker is not");
    assert_text("?\?=pragma x\n", false, "trigraph");
    assert_text("char *s = \"what?\?\";\n", false, "");
    assert_text("char c = '\"'; \n#ident \"x\"\n", false, "#ident is not");
}

static void test_an_include_names_a_header(void **state)
{
    static const char said[] = "an #include names a header";

    (void)state;
    assert_text("#include <assert.h>\n#include \"gil/gil.h\" /* locks */\n%:include <a.h>", false,
                "");
    assert_text("#include \"/etc/shadow\"\n", false, said);
    assert_text("#if 0\n#include </dev/zero>\n#endif\n", false, said);
    assert_text("#include \"gil/../../x.h\"\n", false, said);
    assert_text("%:include \"gil/../../x.h\"\n", false, said);
    assert_text("#include <x//../../y.h>\n", false, said);
    assert_text("#include \"x\\\"../y.h\"\n", false, said);
    assert_text("#define A <x.h>\n#include A\n", false, said);
    assert_text("#include\n", false, said);
}

static void test_no_condition_hides_code_from_the_rules(void **state)
{
    static const char said[] = "a condition asks for";

    (void)state;
    assert_text("#ifndef OBJECTS_REFCOUNT_MINE_H\n#define OBJECTS_REFCOUNT_MINE_H\n#define FEW 1\n"
                "#if FEW && !defined FEW || 3\n#elif RC_IMPLEMENTATION\n#endif\n#endif\n"
                "#ifdef NDEBUG\n#endif\n#if defined(__SANITIZE_THREAD__)\n#endif\n",
                false, "");
    assert_text("#ifdef GIL_TWIN\n#endif\n", false, "not for GIL_TWIN");
    assert_text("#if 0\n#elif __INCLUDE_LEVEL__ > 2\n#endif\n", false, "not for __INCLUDE_LEVEL__");
    assert_text("#if __has_include(\"x.h\")\n#endif\n", false, said);
    assert_text("#define A __INCLUDE_LEVEL__\n#if A\n#endif\n", false, "not for A");
    assert_text("#if RC_NEEDS_GIL\n#endif\n", true, "");
    assert_text("#if RC_NEEDS_GIL\n#endif\n", false, "not for RC_NEEDS_GIL");
    assert_text("#define X 1\n#define __OPTI 1\n#define MIZE__ 1\n#define A(X) __OPTI##X\n"
                "#if A(MIZE__)\n#endif\n",
                false, "not for A");
    assert_text("#define RC_X 1\n#define RC_A(RC_X) __OPTI%:%:RC_X\n#define RC_B 1\n"
                "#if RC_A(RC_B)\n#endif\n",
                true, "not for RC_A");
    assert_text("#define RC_A defined(GIL_TWIN)\n#if RC_A\n#endif\n", false, "not for RC_A");
    assert_text("#if 0\n#define GIL_TWIN\n#endif\n#ifdef GIL_TWIN\n#endif\n", false, said);
    assert_text("#ifndef MINE_H\n#endif\n#if 0\n#define A\n#endif\n#ifdef A\n#endif\n", false,
                said);
    assert_text("#ifdef GIL_TWIN\n#endif\n#define GIL_TWIN\n", false, said);
    assert_text("#define NDEBUG __INCLUDE_LEVEL__\n#if NDEBUG > 2\n#endif\n", false,
                "not for NDEBUG");
    assert_text("#define MINE_H __INCLUDE_LEVEL__\n#if MINE_H > 2\n#endif\n", false, said);
    assert_text("#define A B\n#define B A\n#if A\n#endif\n", false, said);
    assert_text("#ifdef NDEBUG\nvoid f(void) { __asm__(\"nop\"); }\n#endif\n", false,
                "__asm__ is not");
    assert_text("#if 0\n#define A asm\n#endif\n", false, "asm is not");
}

static void test_a_header_makes_no_macros_of_others_names(void **state)
{
    (void)state;
    assert_text("#ifndef X_MINE_H\n#define X_MINE_H\n#define RC_NEEDS_GIL 0\n#endif\n", true, "");
    assert_text("#define RC_SUSPENDS 1\n#if RC_SUSPENDS\n#endif\n", true, "");
    assert_text("#define assert_int_equal(a, b)\n", true, "not assert_int_equal");
    assert_text("#undef assert\n", true, "not assert");
    assert_text("#define assert(x)\n", false, "");
}

static const char *reference = "";

static void assert_preprocessed(const char *text, const char *said)
{
    char got[SAID_BYTES] = "";
    char *copy = strdup(text);

    lexer_strip(copy);
    rules_of_preprocessed(copy, "build/graded/4/locks/mine.c", "build/graded/4/locks/mine.c",
                          reference, got);
    free(copy);
    if (*said ? !strstr(got, said) : *got)
        fail_msg("'%s' gives '%s', not '%s'", text, got, said);
}

#define OWN "# 1 \"build/graded/4/locks/mine.c\"\n"

static void test_what_the_compiler_sees_is_looked_at(void **state)
{
    (void)state;
    assert_preprocessed(
        OWN "# 1 \"gil/gil.h\" 1\n__asm__(\"\");\n" OWN "int asm_count; char *s = \"asm\";\n", "");
    assert_preprocessed(OWN "void f(void) { __asm__ volatile(\"nop\"); }\n",
                        "__asm__ is not for a submission");
    assert_preprocessed(OWN "#pragma weak f\n", "a pragma is not");
    assert_preprocessed(OWN "int section(int), x = section (3);\n", "");
    assert_preprocessed(OWN "char c[] __attribute__((section( \".text\"))) = { 1 };\n",
                        "a section of its own is not");
    assert_preprocessed(OWN "__attribute__((no_sanitize_thread)) void f(void);\n",
                        "no_sanitize_thread is not for a submission");
    reference = "__attribute__((no_sanitize(\"thread\")))";
    assert_preprocessed(OWN "__attribute__((no_sanitize(\"thread\"))) void f(void);\n", "");
    reference = "";
    assert_preprocessed(OWN "# 1 \"gil/locks/interval.c\" 1\n",
                        "mine.c includes gil/locks/interval.c");
    assert_preprocessed(OWN "# 1 \"objects/refcount/atomic.h\" 1\n",
                        "includes objects/refcount/atomic.h");
    assert_preprocessed(OWN "# 1 \"gil/../gil/locks/x.h\" 1\n", "includes gil/../gil");
    assert_preprocessed(OWN "# 1 \"/etc/passwd\" 1\n", "includes /etc/passwd");
    assert_preprocessed(OWN "# 1 \"/usr/include/stdio.h\" 1 3 4\n# 1 \"<built-in>\"\n", "");
}

static void assert_symbols(const char *listing, const char *said)
{
    static const char reference[] = "gil_interval R 0 8\neventfd U  \n";
    char got[SAID_BYTES] = "";

    a = (struct assignment){ .work = WORK_LOCK, .may_call = { 1, { "sqrt", NULL } } };
    rules_of_symbols(listing, "build/graded/4/locks/mine.c", reference, &a, got);
    if (*said ? !strstr(got, said) : *got)
        fail_msg("'%s' gives '%s', not '%s'", listing, got, said);
}

static void test_names_that_an_object_takes_and_gives_are_looked_at(void **state)
{
    (void)state;
    assert_symbols(
        "gil_mine R 0 8\npthread_cond_wait U  \nthread_request U  \nsqrt U  \ninit t 0 8\n", "");
    assert_symbols("eventfd U  \n", "");
    assert_symbols("mine_owners U  \n", ""); /* a header's, elsewhere than where it defines it */
    assert_symbols("exit U  \n", "mine.c uses exit: it is not among what this assignment may call");
    assert_symbols("write U  \n", "uses write");
    assert_symbols("fork w  \n", "uses fork");
    assert_symbols("thread_fork U  \n", "uses thread_fork");
    assert_symbols("printf U  \n", "uses printf");
    assert_symbols("_cmocka_run_group_tests T 0 8\n", "defines _cmocka_run_group_tests for others");
    assert_symbols("main T 0 8\n", "defines main");
    assert_symbols("f i 0 8\n", "chosen before main");
}

static void test_of_the_lab_a_workload_may_call_what_cannot_leave(void **state)
{
    static const char *const refused[] = { "process_pool_new", "async_file_open", "connect_start",
                                           "serve_start" };
    char got[SAID_BYTES] = "";

    (void)state;
    a = (struct assignment){ .work = WORK_WORKLOAD };
    rules_of_symbols(
        "list_append U  \nbytelock_init U  \njob_state_new U  \nvalue_error U  \nheap U  \n",
        "build/graded/1/workloads/mine.c", "job_state_new U  \n", &a, got);
    assert_string_equal(got, "");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char listing[100];

        snprintf(listing, sizeof listing, "%s U  \n", refused[i]);
        *got = '\0';
        rules_of_symbols(listing, "build/graded/1/workloads/mine.c", "", &a, got);
        if (!strstr(got, refused[i]))
            fail_msg("%s may be called: '%s'", refused[i], got);
    }
}

static void test_tests_lie_in_the_folders_of_what_is_handed_in(void **state)
{
    char folder[WORDS_MOST][32];

    (void)state;
    a = (struct assignment){ .work = WORK_POLICY, .policies = "plain atomic", .files = 1 };
    strcpy(a.file[0].path, "mine.h");
    assert_int_equal(judge_folders(&a, folder), 1);
    assert_string_equal(folder[0], "mine");
    a.work = WORK_COROUTINES;
    assert_int_equal(judge_folders(&a, folder), 2);
    assert_string_equal(folder[1], "atomic");
}

/* ---- points ---- */

static void test_a_slope_has_no_cliff(void **state)
{
    (void)state;
    assert_true(slope(0.5, 1.2, 2) == 1 && slope(1.2, 1.2, 2) == 1);
    assert_true(fabs(slope(1.6, 1.2, 2) - 0.5) < 1e-9);
    assert_true(slope(2, 1.2, 2) == 0 && slope(9, 1.2, 2) == 0 && slope(NAN, 1.2, 2) == 0);
}

static void test_what_cannot_be_judged_is_no_failure(void **state)
{
    struct sheet s = { .assignment = &a };

    (void)state;
    sheet_add(&s, "a", 40, 1, RESULT_PASSED, NULL);
    assert_false(sheet_again(&s));
    sheet_add(&s, "b", 20, 0.33, RESULT_PARTLY, "it was \033[1m%d\n", 3);
    sheet_add(&s, "c", 40, 0, RESULT_AGAIN, "noise");
    assert_true(sheet_again(&s));
    assert_true(fabs(sheet_score(&s) - 46.6) < 1e-9);
    assert_string_equal(s.finding[1].said, "it was ?[1m3\n");
    sheet_free(&s);
}

static void assert_doubt_of(struct check c, double low, double high, double control, double stolen,
                            const char *said)
{
    const struct speed m = { .slowdown = { 9, (low + high) / 2, low, high, 0.95 },
                             .stolen = stolen,
                             .control = { 9, control, control, control, 0.95 } };
    char got[200];

    speed_doubt(&m, &c, got, sizeof got);
    if (*said ? !strstr(got, said) : *got)
        fail_msg("%g to %g, control %g, stolen %g: '%s', not '%s'", low, high, control, stolen, got,
                 said);
}

/* Full up to 1.2, nothing from 2. */
static void assert_doubt(double low, double high, double control, double stolen, const char *said)
{
    assert_doubt_of((struct check){ .full = 1.2, .zero = 2 }, low, high, control, stolen, said);
}

static void test_a_noisy_machine_is_no_judge(void **state)
{
    (void)state;
    assert_doubt(0.95, 1.05, 1.0, 0.0, "");
    assert_doubt(0.5, 1.2, 1.0, 0.0, ""); /* wherever it is, it gets all */
    assert_doubt(2.1, 9.0, 1.0, 0.0, ""); /* or nothing */
    assert_doubt(1.3, 1.5, 1.0, 0.0, "");
    assert_doubt(1.1, 1.6, 1.0, 0.0, "the ratio may be anything from 1.10 to 1.60");
    assert_doubt(1.0, 1.0, 1.16, 0.0, "the reference differs from itself by a factor of 1.16");
    assert_doubt(1.0, 1.0, 0.85, 0.0, "the reference differs from itself by a factor of 1.18");
    assert_doubt(1.0, 1.0, 1.1, 0.0, "");
    assert_doubt(1.0, 1.0, 0.0, 0.0, "the reference differs");
    assert_doubt(1.0, 1.0, 1.0, 0.2, "the hypervisor took 20 %");
}

/* The control is part of the doubt there, as what can be chosen lies far apart. */
static void test_a_choice_is_judged_as_far_as_points_depend_on_it(void **state)
{
    const struct check c = { .choice = "computing", .full = 1.2, .zero = 3 };

    (void)state;
    assert_doubt_of(c, 1.0, 1.0, 1.0, 0.0, "");
    assert_doubt_of(c, 1.0, 1.0, 1.36, 0.0, "");
    assert_doubt_of(c, 1.0, 1.0, 1.9, 0.0, "the ratio may be anything from 0.53 to 1.90");
    assert_doubt_of(c, 1.9, 2.1, 1.05, 0.0, "");
    assert_doubt_of(c, 1.9, 2.1, 0.8, 0.0, "the ratio may be anything from 1.52 to 2.62");
    assert_doubt_of(c, 60, 80, 1.5, 0.0, "");
    assert_doubt_of(c, 1.0, 1.0, 0.0, 0.0, "the ratio may be anything");
    assert_doubt_of(c, 1.0, 1.0, 1.0, 0.2, "the hypervisor took 20 %");
}

static void test_who_must_be_faster_than_the_lab_is_judged_too(void **state)
{
    const struct check c = { .full = 0.5, .zero = 1.2 };

    (void)state;
    assert_doubt_of(c, 0.98, 1.02, 1.0, 0.0, "");
    assert_doubt_of(c, 0.40, 0.45, 1.1, 0.0, "");
    assert_doubt_of(c, 1.0, 1.0, 1.16, 0.0, "the reference differs from itself");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_assignment_is_read),
        cmocka_unit_test(test_release_is_a_mode_of_tests_and_of_speed),
        cmocka_unit_test(test_a_choice_is_among_some),
        cmocka_unit_test(test_a_mistake_is_told_with_its_place),
        cmocka_unit_test(test_every_assignment_of_the_lab_is_read),
        cmocka_unit_test(test_an_unknown_assignment_is_named),
        cmocka_unit_test(test_directives_that_change_more_than_macros_are_seen),
        cmocka_unit_test(test_an_include_names_a_header),
        cmocka_unit_test(test_no_condition_hides_code_from_the_rules),
        cmocka_unit_test(test_a_header_makes_no_macros_of_others_names),
        cmocka_unit_test(test_what_the_compiler_sees_is_looked_at),
        cmocka_unit_test(test_names_that_an_object_takes_and_gives_are_looked_at),
        cmocka_unit_test(test_of_the_lab_a_workload_may_call_what_cannot_leave),
        cmocka_unit_test(test_tests_lie_in_the_folders_of_what_is_handed_in),
        cmocka_unit_test(test_a_slope_has_no_cliff),
        cmocka_unit_test(test_what_cannot_be_judged_is_no_failure),
        cmocka_unit_test(test_a_noisy_machine_is_no_judge),
        cmocka_unit_test(test_a_choice_is_judged_as_far_as_points_depend_on_it),
        cmocka_unit_test(test_who_must_be_faster_than_the_lab_is_judged_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
