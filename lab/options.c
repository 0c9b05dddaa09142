/* options.c - a command's options, by argp, with mistakes in one line. */
#include "lab/options.h"

#include "lab/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_HELP = 0x1000000 }; /* above every letter and every command's own keys */

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

/* getopt has refused `typed`, the last argument that it took, and said nothing. */
static void explain(const struct argp *argp, const char *typed, struct mistake *m)
{
    static const struct argp_option none[1];
    struct names names = NAMES_OF("option", argp->options ? argp->options : none);
    const struct argp_option *option;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    if (strncmp(name, "--", 2) != 0) {
        mistake_set(m, "unknown or incomplete option '%s'; --help lists them", name);
        return;
    }
    option = option_named(argp->options, name + 2);
    if (!option)
        names_unknown(&names, name + 2, m);
    else if (option->arg)
        mistake_set(m, "option '%s' needs a value, %s", name, option->arg);
    else
        mistake_set(m, "option '%s' takes no value", name);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    const struct argp *argp = state->root_argp->children[0].argp;
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
        explain(argp, state->argv[state->next - 1], &m);
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
    const struct argp whole = { help, parse, argp->args_doc, argp->doc, children };

    argp_parse(&whole, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, NULL, input);
}
