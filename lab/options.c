/* options.c - a command's options, by argp, with mistakes in one line. */
#include "lab/options.h"

#include "lab/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_HELP = 0x7000, OPTIONS_MAX = 64 }; /* above every letter and command's own keys */

/* What both parsers below are given. */
struct reading {
    const struct command *command;
    void *input;
};

/* The option of this name, which may be cut short as getopt allows; NULL if none. */
static const struct argp_option *option_named(const struct argp_option *options, const char *name)
{
    for (const struct argp_option *o = options; o && o->name; o++)
        if (strncmp(o->name, name, strlen(name)) == 0)
            return o;
    return NULL;
}

/* Suggests among what --help shows. */
static int unknown_option(const struct argp_option *options, const char *typed, struct mistake *m)
{
    char dashed[OPTIONS_MAX][32];
    const char *all[OPTIONS_MAX + 2] = { "--help" };
    struct names names = NAMES_OF("option", all);
    int count = 0;

    for (const struct argp_option *o = options; o && o->name && count < OPTIONS_MAX; o++) {
        if (o->flags & OPTION_HIDDEN)
            continue;
        snprintf(dashed[count], sizeof dashed[count], "--%s", o->name);
        all[count + 1] = dashed[count];
        count++;
    }
    return names_unknown(&names, typed, m);
}

/* What getopt has refused and said nothing of: the last argument that it took, or, if it
 * stopped within several short options in one, that one. */
static const char *refused(const struct argp_state *state)
{
    const char *last = state->argv[state->next - 1];

    return last[0] == '-' ? last : state->argv[state->next];
}

static int explain(const struct argp_option *options, const char *typed, struct mistake *m)
{
    const struct argp_option *option, *other;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    if (name[1] != '-')
        return mistake_set(m, "unknown or incomplete option '%s'; --help lists them", name);
    if (strncmp("help", name + 2, strlen(name + 2)) == 0)
        return mistake_set(m, "option '--help' takes no value");
    option = option_named(options, name + 2);
    if (!option)
        return unknown_option(options, name, m);
    other = option_named(option + 1, name + 2);
    if (other && strcmp(option->name, name + 2) != 0 && strcmp(other->name, name + 2) != 0)
        return mistake_set(m, "option '%s' may be --%s or --%s", name, option->name, other->name);
    if (option->arg)
        return mistake_set(m, "option '%s' needs a value, %s", name, option->arg);
    return mistake_set(m, "option '%s' takes no value", name);
}

static void print_explained(const char *head, const struct explained *table, const char *between)
{
    if (table)
        printf("\n%s:\n", head);
    for (; table && table->what; table++)
        printf("  %s%s%s\n", table->what, between, table->about);
}

static _Noreturn void help(const struct argp_state *state)
{
    const struct reading *reading = state->input;

    argp_help(state->root_argp, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK, state->argv[0]);
    print_explained("Examples", reading->command->examples, "\n      ");
    print_explained("Exit status, beside the usual 0, 1 and 2", reading->command->statuses, "  ");
    exit(0);
}

static error_t parse_common(int key, char *value, struct argp_state *state)
{
    const struct reading *reading = state->input;
    struct mistake m;

    (void)value;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->input;
        return 0;
    case KEY_HELP:
        help(state);
    case ARGP_KEY_ERROR:
        explain(reading->command->options, refused(state), &m);
        mistake_exit(state->argv[0], &m);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_own(int key, char *value, struct argp_state *state)
{
    const struct reading *reading = state->input;
    struct mistake m;

    if (key <= 0 || key >= KEY_HELP) /* not an option: argp's own events */
        return ARGP_ERR_UNKNOWN;
    if (reading->command->take(reading->input, key, value, &m) < 0)
        mistake_exit(state->argv[0], &m);
    return 0;
}

/* Are there as many as there may be? 0, or -1 and a mistake. */
static int check_arguments(const struct command *command, int count, char **argument,
                           struct mistake *m)
{
    const struct argp_option *option = command->options;

    if (count < command->least)
        return mistake_set(m, "an argument is missing; it takes %s", command->arguments);
    if (count <= command->most)
        return 0;
    if (command->most)
        return mistake_set(m, "unexpected argument '%s'; it takes %s", argument[command->most],
                           command->arguments);
    if (option && !(option->flags & OPTION_HIDDEN))
        return mistake_set(m, "unexpected argument '%s': not an option, such as --%s%s%s",
                           argument[0], option->name, option->arg ? " " : "",
                           option->arg ? option->arg : "");
    return mistake_set(m, "unexpected argument '%s'; it takes none", argument[0]);
}

int options_parse(const struct command *command, int argc, char **argv, void *input)
{
    static const struct argp_option common[] = {
        { "help", KEY_HELP, NULL, 0, "This text", -1 },
        { 0 },
    };
    const struct argp own = { command->options, parse_own, NULL, NULL, NULL, NULL, NULL };
    const struct argp_child children[] = { { &own, 0, NULL, 0 }, { 0 } };
    const struct argp whole = {
        common, parse_common, command->arguments, command->doc, children, NULL, NULL,
    };
    struct reading reading = { command, input };
    struct mistake m;
    int first;

    argp_parse(&whole, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, &first, &reading);
    if (check_arguments(command, argc - first, argv + first, &m) < 0)
        mistake_exit(argv[0], &m);
    return first;
}

int options_take_flag(void *input, int key, char *value, struct mistake *m)
{
    (void)key, (void)value, (void)m;
    *(bool *)input = true;
    return 0;
}
