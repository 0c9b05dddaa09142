/* options.c - a command's options, by argp, with mistakes in one line. */
#include "lab/options.h"

#include "lab/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_HELP = 0x7000, OPTIONS_MAX = 64 }; /* above every letter and command's own keys */

void options_fail(const struct argp_state *state, const struct mistake *m)
{
    mistake_exit(state->argv[0], m);
}

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

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct mistake m;

    (void)argument;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->input;
        return 0;
    case KEY_HELP:
        argp_help(state->root_argp, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK,
                  state->argv[0]);
        exit(0);
    case ARGP_KEY_ERROR:
        explain(state->root_argp->children[0].argp->options, refused(state), &m);
        options_fail(state, &m);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void options_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    static const struct argp_option help[] = {
        { "help", KEY_HELP, NULL, 0, "This text", -1 },
        { 0 },
    };
    const struct argp_child children[] = { { argp, 0, NULL, 0 }, { 0 } };
    const struct argp whole = { help, parse, NULL, argp->doc, children };
    struct mistake m;
    int unused; /* the first argument that nobody took */

    argp_parse(&whole, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, &unused, input);
    if (unused == argc)
        return;
    mistake_set(&m, "unexpected argument '%s'", argv[unused]);
    mistake_exit(argv[0], &m);
}
