/* test_options.c - options and arguments, as a command gets them, and mistakes in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct input {
    const char *size;
    bool loud;
};

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct input *in = input;

    if (key == 'l')
        in->loud = true;
    else if (strcmp(value, "huge") == 0)
        return mistake_set(m, "--size: '%s' is too much", value);
    else
        in->size = value;
    return 0;
}

static const struct argp_option options[] = {
    { "size", 's', "N", 0, "how much", 0 },
    { "loud", 'l', NULL, 0, "with noise", 0 },
    { 0 },
};
static const struct explained examples[] = { { "lab pair A", "alone" }, { NULL, NULL } };
static const struct explained statuses[] = { { "7", "it was odd" }, { NULL, NULL } };

static const struct command pair = {
    .doc = "Takes one or two.", .options = options, .take = take, .arguments = "A [B]",
    .least = 1, .most = 2, .examples = examples, .statuses = statuses,
};
static const struct command only_options = { .options = options, .take = take };
static const struct command nothing = { .doc = "Takes nothing." };

/* Says what the command would have got. */
static void parse(const struct command *command, int argc, char **argv)
{
    struct input in = { "none", false };
    int first = options_parse(command, argc, argv, &in);

    printf("size %s, %s;", in.size, in.loud ? "loud" : "quiet");
    for (int i = first; i < argc; i++)
        printf(" %s", argv[i]);
    putchar('\n');
    exit(0);
}

/* Words parted by blanks. Returns the exit status; in `said` all that was printed. */
static int status_of(const struct command *command, const char *line, char *said, size_t size_bytes)
{
    char words[256], *argv[16] = { "lab test" }, *rest = words;
    int ends[2], argc = 1, status;
    size_t length = 0;
    ssize_t got;

    snprintf(words, sizeof words, "%s", line);
    while (*line && rest)
        argv[argc++] = strsep(&rest, " ");
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    if (fork() == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        parse(command, argc, argv);
    }
    close(ends[1]);
    while ((got = read(ends[0], said + length, size_bytes - 1 - length)) > 0)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    wait(&status);
    return WEXITSTATUS(status);
}

static void assert_says(const struct command *command, const char *line, int status,
                        const char *expected)
{
    char said[4096];

    assert_int_equal(status_of(command, line, said, sizeof said), status);
    assert_string_equal(said, expected);
}

static void options_and_arguments_may_stand_in_any_order(void **state)
{
    (void)state;
    assert_says(&pair, "a", 0, "size none, quiet; a\n");
    assert_says(&pair, "-l -s 3 a b", 0, "size 3, loud; a b\n");
    assert_says(&pair, "a --size=3 b --loud", 0, "size 3, loud; a b\n");
    assert_says(&pair, "a -- -l", 0, "size none, quiet; a -l\n");
    assert_says(&only_options, "--lo", 0, "size none, loud;\n");
    assert_says(&nothing, "", 0, "size none, quiet;\n");
}

static void number_of_arguments_is_checked(void **state)
{
    (void)state;
    assert_says(&pair, "-l", 2, "lab test: an argument is missing; it takes A [B]\n");
    assert_says(&pair, "a b -l c", 2, "lab test: unexpected argument 'c'; it takes A [B]\n");
    assert_says(&only_options, "-l size", 2,
                "lab test: unexpected argument 'size': not an option, such as --size N\n");
    assert_says(&nothing, "a", 2, "lab test: unexpected argument 'a'; it takes none\n");
}

static void mistakes_in_options_are_one_line(void **state)
{
    (void)state;
    assert_says(&pair, "a --size=huge", 2, "lab test: --size: 'huge' is too much\n");
    assert_says(&pair, "a --sise=1", 2,
                "lab test: unknown option '--sise'; did you mean '--size'? there are: --help, "
                "--size, --loud\n");
    assert_says(&pair, "a --size", 2, "lab test: option '--size' needs a value, N\n");
    assert_says(&pair, "a --loud=3", 2, "lab test: option '--loud' takes no value\n");
}

static void help_shows_everything_that_is_said_of_a_command(void **state)
{
    char said[4096];

    (void)state;
    assert_int_equal(status_of(&pair, "--help", said, sizeof said), 0);
    assert_non_null(strstr(said, "Usage: lab test [OPTION...] A [B]\nTakes one or two.\n"));
    assert_non_null(strstr(said, "-s, --size=N"));
    assert_non_null(strstr(said, "how much\n"));
    assert_non_null(strstr(said, "Examples:\n  lab pair A\n      alone\n"));
    assert_non_null(strstr(said, ":\n  7  it was odd\n"));
    assert_int_equal(status_of(&nothing, "--help", said, sizeof said), 0);
    assert_null(strstr(said, "Examples"));
    assert_null(strstr(said, "Exit status"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_may_stand_in_any_order),
        cmocka_unit_test(number_of_arguments_is_checked),
        cmocka_unit_test(mistakes_in_options_are_one_line),
        cmocka_unit_test(help_shows_everything_that_is_said_of_a_command),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
