/* test_names.c - names, suggestions, modes, variants, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gil/gil.h"
#include "lab/names.h"
#include "lab/parse.h"
#include "lab/runtimes.h"

#include <stdio.h>
#include <string.h>

static const char *const fruit[] = { "fib", "fib_shared", "echo", "secret", "interval", NULL };

static bool is_secret(const void *entry)
{
    return strcmp(*(const char *const *)entry, "secret") == 0;
}

static struct names all_fruit(void)
{
    struct names names = NAMES_OF("fruit", fruit);

    names.hidden = is_secret;
    return names;
}

static void nearest_is_the_slip_of_a_finger(void **state)
{
    struct names names = all_fruit();

    (void)state;
    assert_string_equal(names_nearest(&names, "fbi"), "fib");        /* a swap */
    assert_string_equal(names_nearest(&names, "fb"), "fib");         /* one left out */
    assert_string_equal(names_nearest(&names, "ecxho"), "echo");     /* one too many */
    assert_string_equal(names_nearest(&names, "intervak"), "interval");
    assert_string_equal(names_nearest(&names, "fib_hsared"), "fib_shared");
}

static void nothing_far_is_suggested(void **state)
{
    struct names names = all_fruit();
    char endless[2000];

    (void)state;
    assert_null(names_nearest(&names, "matrix"));
    assert_null(names_nearest(&names, ""));
    assert_null(names_nearest(&names, "xyz"));
    memset(endless, 'f', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_null(names_nearest(&names, endless));
}

static void hidden_names_are_found_but_not_suggested(void **state)
{
    struct names names = all_fruit();
    struct mistake m;

    (void)state;
    assert_int_equal(names_find(&names, "secret", &m), 3);
    assert_null(names_nearest(&names, "secrte"));
    assert_int_equal(names_find(&names, "x", &m), -1);
    assert_null(strstr(m.text, "secret"));
}

static void a_mistake_says_what_there_is(void **state)
{
    struct names names = all_fruit();
    struct mistake m;

    (void)state;
    assert_int_equal(names_find(&names, "echo", &m), 2);
    assert_int_equal(names_find(&names, "fbi", &m), -1);
    assert_string_equal(m.text, "unknown fruit 'fbi'; did you mean 'fib'? "
                                "there are: fib, fib_shared, echo, interval");
    assert_int_equal(names_find(&names, "matrix", &m), -1);
    assert_string_equal(m.text,
                        "unknown fruit 'matrix'; there are: fib, fib_shared, echo, interval");
}

static void a_mistake_is_one_line(void **state)
{
    struct names names = all_fruit();
    struct mistake m;
    char endless[4000];

    (void)state;
    names_find(&names, "a\nb\033[2J", &m);
    assert_null(strpbrk(m.text, "\n\033"));
    memset(endless, 'f', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    names_find(&names, endless, &m);
    assert_non_null(strstr(m.text, "there are: fib"));
}

static void full_tables_have_no_end(void **state)
{
    static const struct param table[PARAM_MAX] = { { "a" }, { "b" }, { "c" }, { "d" } };
    struct names names = names_params(table);
    struct mistake m;

    (void)state;
    assert_int_equal(names_find(&names, "d", &m), PARAM_MAX - 1);
    assert_int_equal(names_find(&names, "no", &m), -1);
    assert_null(names_at(&names, PARAM_MAX));
}

static void second_builds_are_not_listed(void **state)
{
    struct names names = names_policies();
    struct mistake m;

    (void)state;
    for (int i = 0; names_at(&names, i); i++)
        assert_int_equal(names_hidden(&names, i), strstr(names_at(&names, i), "_audit") != NULL ||
                                                      strstr(names_at(&names, i), "_stats") != NULL);
    names_find(&names, "no such policy", &m);
    assert_null(strstr(m.text, "_audit"));
    assert_null(strstr(m.text, "_stats"));
}

static void numbers_lists_and_ranges(void **state)
{
    static struct numbers n;
    struct mistake m;

    (void)state;
    assert_int_equal(parse_numbers("--threads", "1,2..4,16", 1, 1024, &n, &m), 0);
    assert_int_equal(n.count, 5);
    for (int i = 0; i < 4; i++)
        assert_int_equal(n.item[i], i + 1);
    assert_int_equal(n.item[4], 16);
}

static void wrong_numbers(void **state)
{
    static const char *const wrong[] = {
        "",        "x",   "1,",    ",1",     "0",
        "1025",    "1.5", "1..",   "..4",    "4..1",
        "1..9999", "1 ",  " 1",    "1,1",    "1e3",
        "0x10",    "-1",  "1...3", "1..3,2", "99999999999999999999"
    };
    static struct numbers n;
    struct mistake m;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (parse_numbers("--threads", wrong[i], 1, 1024, &n, &m) == 0)
            fail_msg("'%s' was taken for a number", wrong[i]);
        assert_memory_equal(m.text, "--threads: ", strlen("--threads: "));
    }
    parse_numbers("--threads", "1,x", 1, 1024, &n, &m);
    assert_string_equal(m.text, "--threads: 'x' is not a number from 1 to 1024, a range such as 1..4, "
                                "or cores, 2*cores, cores/2");
    parse_numbers("--threads", "4..1", 1, 1024, &n, &m);
    assert_string_equal(m.text, "--threads: 4..1 is empty; write 1..4");
    parse_numbers("--threads", "2,1..3", 1, 1024, &n, &m);
    assert_string_equal(m.text, "--threads: 2 is there twice");
}

static void too_many_numbers(void **state)
{
    static struct numbers n;
    struct mistake m;

    (void)state;
    assert_int_equal(parse_numbers("x", "1..1024", 0, INT64_MAX, &n, &m), 0);
    assert_int_equal(parse_numbers("x", "0..1024", 0, INT64_MAX, &n, &m), -1);
    assert_int_equal(parse_numbers("x", "9223372036854775807", 0, INT64_MAX, &n, &m), 0);
    assert_int_equal(parse_numbers("x", "9223372036854775806..9223372036854775807", 0, INT64_MAX,
                                   &n, &m), 0);
    assert_int_equal(n.count, 2);
}

static void locks_with_parameters(void **state)
{
    static struct variants v;
    struct mistake m;

    (void)state;
    assert_int_equal(parse_locks("interval:force=0:interval_us=500,none,interval", &v, &m), 0);
    assert_int_equal(v.count, 3);
    assert_string_equal(v.item[0].label, "interval:force=0:interval_us=500");
    assert_string_equal(gil_list[v.item[0].index].name, "interval");
    assert_int_equal(v.item[0].param[0], 500);
    assert_int_equal(v.item[0].param[1], 0);
    assert_string_equal(gil_list[v.item[1].index].name, "none");
    assert_int_equal(v.item[2].param[0], 5000);
    assert_int_equal(v.item[2].param[1], 1);
}

static void wrong_parameters(void **state)
{
    static const char *const wrong[][2] = {
        { "interval:forc=1", "lock 'interval': unknown parameter 'forc'; did you mean 'force'? "
                             "there are: interval_us, force" },
        { "interval:force=2", "force of lock 'interval': '2' is not a number from 0 to 1" },
        { "interval:force=", "force of lock 'interval': '' is not a number from 0 to 1" },
        { "interval:force", "lock 'interval': 'force' has no value; write force=1" },
        { "none:x=1", "lock 'none': unknown parameter 'x'; there are: naive_containers" },
        { "none,none", "lock 'none' is there twice" },
    };
    static struct variants v;
    struct mistake m;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(parse_locks(wrong[i][0], &v, &m), -1);
        assert_string_equal(m.text, wrong[i][1]);
    }
    assert_int_equal(parse_locks("interval:", &v, &m), -1);
    assert_int_equal(parse_locks("none,", &v, &m), -1);
    assert_int_equal(parse_locks("", &v, &m), -1);
}

static void lists_have_a_bound(void **state)
{
    static struct variants v;
    char text[LABEL_MAX + 2], list[(LIST_MAX + 1) * 32] = "";
    struct mistake m;

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(parse_locks(text, &v, &m), -1);
    assert_non_null(strstr(m.text, "is longer than 127 characters"));
    for (int i = 0; i <= LIST_MAX; i++)
        snprintf(list + strlen(list), 32, "%sinterval:interval_us=%d", i ? "," : "", i + 1);
    assert_int_equal(parse_locks(list, &v, &m), -1);
    assert_string_equal(m.text, "more than 128 of lock");
    *strrchr(list, ',') = '\0';
    assert_int_equal(parse_locks(list, &v, &m), 0);
}

static int locks_there_are(void)
{
    int count = 0;

    while (gil_list[count].name)
        count++;
    return count;
}

/* The parameters as usual, the audited builds not among them. */
static void all_of_a_registry(void **state)
{
    static struct variants v;
    struct mistake m;

    (void)state;
    assert_int_equal(parse_locks("interval:force=0,all", &v, &m), 0);
    assert_int_equal(v.count, 1 + locks_there_are());
    for (int i = 1; i < v.count; i++) {
        assert_string_equal(v.item[i].label, gil_list[i - 1].name);
        assert_int_equal(v.item[i].param[0], gil_list[i - 1].class->param[0].standard);
    }
    assert_int_equal(parse_locks("all,interval", &v, &m), -1);
    assert_string_equal(m.text, "lock 'interval' is there twice");
    assert_int_equal(parse_locks("all,all", &v, &m), -1);
    assert_int_equal(parse_locks("all:force=0", &v, &m), -1);
    assert_non_null(strstr(m.text, "'all' takes no parameters"));
    assert_int_equal(parse_policies("all", &v, &m), 0);
    for (int i = 0; i < v.count; i++)
        assert_null(strstr(v.item[i].label, "_audit"));
}

static void a_policy_with_all_locks(void **state)
{
    static struct modes modes;
    struct mistake m;
    char text[LABEL_MAX], longest[LABEL_MAX];
    const char *policy = runtime_list[0].name;

    (void)state;
    snprintf(text, sizeof text, "%s+all", policy);
    assert_int_equal(parse_modes(text, &modes, &m), 0);
    assert_int_equal(modes.count, locks_there_are());
    for (int i = 0; i < modes.count; i++) {
        snprintf(text, sizeof text, "%s+%s", policy, gil_list[i].name);
        assert_string_equal(modes.item[i].label, text);
        assert_string_equal(modes.item[i].runtime->name, policy);
        assert_string_equal(modes.item[i].lock_name, gil_list[i].name);
    }
    snprintf(text, sizeof text, "%s+all,%s+none", policy, policy);
    assert_int_equal(parse_modes(text, &modes, &m), -1);
    assert_non_null(strstr(m.text, "is there twice"));
    assert_int_equal(parse_modes("no_such+all", &modes, &m), -1);
    assert_non_null(strstr(m.text, "unknown policy 'no_such'"));
    memset(longest, 'x', sizeof longest);
    strcpy(longest + sizeof longest - 5, "+all");
    assert_int_equal(parse_modes(longest, &modes, &m), -1);
    assert_non_null(strstr(m.text, "is longer than 127 characters"));
}

static void workloads_and_heaps(void **state)
{
    static struct variants v;
    struct mistake m;

    (void)state;
    assert_int_equal(parse_workloads("fib,empty", &v, &m), 0);
    assert_string_equal(runtime_list[0].runtime->workloads[v.item[0].index].name, "fib");
    assert_string_equal(runtime_list[0].runtime->workloads[v.item[1].index].name, "empty");
    assert_int_equal(parse_workloads("fbi", &v, &m), -1);
    assert_non_null(strstr(m.text, "unknown workload 'fbi'; did you mean 'fib'? there are: "));
    assert_int_equal(parse_heaps("system", &v, &m), 0);
    assert_int_equal(parse_heaps("system:x=1", &v, &m), -1);
    assert_int_equal(parse_heaps("sytem", &v, &m), -1);
    assert_non_null(strstr(m.text, "did you mean 'system'?"));
}

/* A build may have left policies out: then a mode that needs one must say so. */
static void modes_of_the_table(void **state)
{
    static struct modes modes;
    struct mistake m;

    (void)state;
    for (const struct named_mode *mode = mode_list; mode->name; mode++) {
        if (!runtime_named(mode->policy)) {
            assert_int_equal(parse_modes(mode->name, &modes, &m), -1);
            assert_non_null(strstr(m.text, "not in this build"));
            continue;
        }
        assert_int_equal(parse_modes(mode->name, &modes, &m), 0);
        assert_int_equal(modes.count, 1);
        assert_string_equal(modes.item[0].label, mode->name);
        assert_string_equal(modes.item[0].runtime->name, mode->policy);
        assert_string_equal(modes.item[0].lock_name, mode->lock);
    }
}

static void pairs_and_lone_policies(void **state)
{
    static struct modes modes;
    struct mistake m;
    char text[LABEL_MAX];

    (void)state;
    for (const struct named_runtime *r = runtime_list; r->name; r++) {
        snprintf(text, sizeof text, "%s+interval:interval_us=7", r->name);
        assert_int_equal(parse_modes(text, &modes, &m), 0);
        assert_string_equal(modes.item[0].label, text);
        assert_ptr_equal(modes.item[0].runtime, r->runtime);
        assert_string_equal(modes.item[0].lock_name, "interval");
        assert_int_equal(modes.item[0].param[0], 7);
        assert_int_equal(parse_modes(r->name, &modes, &m), r->runtime->needs_gil ? -1 : 0);
        if (r->runtime->needs_gil)
            assert_non_null(strstr(m.text, "needs a lock"));
        else
            assert_string_equal(modes.item[0].lock_name, "none");
    }
}

/* The text, with the first policy of this build for each asterisk. */
static void put_policy(const char *text, char *out, size_t size_bytes)
{
    size_t used = 0;

    for (; *text && used + 1 < size_bytes; text++)
        if (*text == '*')
            used += (size_t)snprintf(out + used, size_bytes - used, "%s", runtime_list[0].name);
        else
            out[used++] = *text;
    out[used < size_bytes ? used : size_bytes - 1] = '\0';
}

/* What stands in another's place is told from what does not exist. An asterisk
 * is a policy of this build. */
static void modes_of_which_a_part_is_something_else(void **state)
{
    static const struct {
        const char *mode, *says;
    } cases[] = {
        { "interval", "'interval' is a global lock; the mode " },
        { "interval:interval_us=3", "+interval uses it" },
        { "none", "+none uses it" },
        { "interval+mutex", "'interval' is a global lock, and stands behind the +: " },
        { "interval+*", "+interval" },
        { "gil+mutex", "'gil' is a mode, for plain+interval, and stands alone" },
        { "*+gil", "behind a + stands a lock" },
        { "*+*", "'*' is a refcount policy, and stands before the +: *+" },
        { "*+sharded", "'sharded' is a refcount policy" }, /* built or not */
        { "*+none:interval_us=3", "lock 'none' has no parameter 'interval_us'; lock '" },
        { "*+none:interval", "unknown parameter 'interval'" },
    };
    static struct modes modes;
    struct mistake m;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char mode[128], says[256];

        put_policy(cases[i].mode, mode, sizeof mode);
        put_policy(cases[i].says, says, sizeof says);
        assert_int_equal(parse_modes(mode, &modes, &m), -1);
        if (!strstr(m.text, says))
            fail_msg("%s: '%s' does not say '%s'", mode, m.text, says);
    }
}

/* Which policies there are is known, also of those that were left out. */
static void policies_that_were_not_built(void **state)
{
    static const char *const some[] = { "plain", "atomic", "biased", "locked", "sharded" };
    static struct modes modes;
    struct mistake m;

    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        char pair[64];

        assert_true(policy_known(some[i]));
        if (runtime_named(some[i]))
            continue;
        snprintf(pair, sizeof pair, "%s+mutex", some[i]);
        assert_int_equal(parse_modes(pair, &modes, &m), -1);
        assert_non_null(strstr(m.text, "is not in this build"));
        assert_int_equal(parse_modes(some[i], &modes, &m), -1);
        assert_non_null(strstr(m.text, "not in this build"));
    }
    assert_false(policy_known("no_such_policy"));
}

static void wrong_modes(void **state)
{
    static struct modes modes;
    struct mistake m;
    char text[LABEL_MAX];

    (void)state;
    assert_int_equal(parse_modes("nolok", &modes, &m), -1);
    assert_non_null(
        strstr(m.text, "unknown mode 'nolok'; did you mean 'nolock'? there are: gil, "));
    assert_non_null(strstr(m.text, "POLICY+LOCK"));
    assert_int_equal(parse_modes("+none", &modes, &m), -1);
    assert_non_null(strstr(m.text, "unknown policy ''"));
    snprintf(text, sizeof text, "%s+intervall", runtime_list[0].name);
    assert_int_equal(parse_modes(text, &modes, &m), -1);
    assert_non_null(strstr(m.text, "unknown lock 'intervall'; did you mean 'interval'?"));
    snprintf(text, sizeof text, "%s+none:force=1", runtime_list[0].name);
    assert_int_equal(parse_modes(text, &modes, &m), -1);
    snprintf(text, sizeof text, "%s+none,%s+none", runtime_list[0].name, runtime_list[0].name);
    assert_int_equal(parse_modes(text, &modes, &m), -1);
    assert_non_null(strstr(m.text, "is there twice"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_is_the_slip_of_a_finger),
        cmocka_unit_test(nothing_far_is_suggested),
        cmocka_unit_test(hidden_names_are_found_but_not_suggested),
        cmocka_unit_test(a_mistake_says_what_there_is),
        cmocka_unit_test(a_mistake_is_one_line),
        cmocka_unit_test(full_tables_have_no_end),
        cmocka_unit_test(second_builds_are_not_listed),
        cmocka_unit_test(numbers_lists_and_ranges),
        cmocka_unit_test(wrong_numbers),
        cmocka_unit_test(too_many_numbers),
        cmocka_unit_test(locks_with_parameters),
        cmocka_unit_test(wrong_parameters),
        cmocka_unit_test(lists_have_a_bound),
        cmocka_unit_test(all_of_a_registry),
        cmocka_unit_test(a_policy_with_all_locks),
        cmocka_unit_test(workloads_and_heaps),
        cmocka_unit_test(modes_of_the_table),
        cmocka_unit_test(pairs_and_lone_policies),
        cmocka_unit_test(modes_of_which_a_part_is_something_else),
        cmocka_unit_test(policies_that_were_not_built),
        cmocka_unit_test(wrong_modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
