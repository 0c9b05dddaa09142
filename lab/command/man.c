/* man.c - `lab man`: the manual page, from what each command says of itself.
 *
 * Written in the macros of man(7), for `man -l`, groff and mandoc.
 */
#include "lab/command.h"

#include "lab/options.h"

#include <limits.h>
#include <stdio.h>

static const struct explained statuses[] = {
    { "0", "all went well" },
    { "1", "something failed: a line on standard error, or a row, says what" },
    { "2", "a mistake in the command line, of which one line is said; nothing has been done" },
    { NULL, NULL },
};

static const struct explained environment[] = {
    { "NO_COLOR", "if it is not empty, no colour is used on a terminal either" },
    { "TERM", "there is no colour if it is `dumb` or not set" },
    { "HWLOC_SYNTHETIC", "the description of another machine, as `pack:2 core:8 pu:2`: threads "
                         "are planned for it, binding is simulated" },
    { "HWLOC_XMLFILE", "the same, from a file that hwloc's `lstopo` wrote" },
    { "LAB_HASH_SEED", "a number from which the keys of hashes follow; else each process draws "
                       "its own" },
    { "TMPDIR", "where the workload `file` has its file" },
    { NULL, NULL },
};

/* What troff would take for something else; and what it would print as a letter that looks
 * alike but cannot be copied to a shell. NULL: the character itself. */
static const char *escaped(char c)
{
    switch (c) {
    case '\\':
        return "\\e";
    case '.':
        return "\\&.";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '`':
        return "\\(ga";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    default:
        return NULL;
    }
}

static void put(char c)
{
    const char *escape = escaped(c);

    if (escape)
        fputs(escape, stdout);
    else
        putchar(c);
}

/* Text in a font: B bold, I italic, R roman. */
static void put_in(char font, const char *text)
{
    printf("\\f%c", font);
    for (; *text; text++)
        put(*text);
    printf("\\fR");
}

/* Sentences: `code` is bold, an empty line begins a paragraph. */
static void put_text(const char *text)
{
    bool code = false;

    for (; *text; text++)
        if (*text == '`')
            fputs((code = !code) ? "\\fB" : "\\fR", stdout);
        else if (text[0] == '\n' && text[1] == '\n')
            printf("\n.PP"); /* the other one ends this line */
        else
            put(*text);
    putchar('\n');
}

static void put_explained(const struct explained *table)
{
    for (; table && table->what; table++) {
        printf(".TP\n");
        put_in('B', table->what);
        putchar('\n');
        put_text(table->about);
    }
}

static void put_synopsis(const struct named_command *c)
{
    put_in('B', "lab ");
    put_in('B', c->name);
    if (c->command->options)
        printf(" [\\fIOPTION\\fR...]");
    if (c->command->arguments) {
        putchar(' ');
        put_in('I', c->command->arguments);
    }
    putchar('\n');
}

static void put_option(const struct argp_option *option)
{
    const char letter[] = { '-', (char)option->key, '\0' };

    printf(".TP\n");
    if (option->key <= CHAR_MAX) { /* above are those that have a name only */
        put_in('B', letter);
        printf(", ");
    }
    put_in('B', "--");
    put_in('B', option->name);
    if (option->arg) {
        putchar('=');
        put_in('I', option->arg);
    }
    putchar('\n');
    put_text(option->doc);
}

static void put_command(const struct named_command *c)
{
    printf(".SS lab %s\n", c->name);
    put_synopsis(c);
    printf(".PP\n");
    put_text(c->command->doc);
    for (const struct argp_option *option = c->command->options; option && option->name; option++)
        if (!(option->flags & OPTION_HIDDEN))
            put_option(option);
}

/* Calls `write` for each command that is for people. */
static void each(void (*write)(const struct named_command *))
{
    for (const struct named_command *c = commands; c->name; c++)
        if (!command_hidden(c))
            write(c);
}

static void put_line(const struct named_command *c)
{
    put_synopsis(c);
    printf(".br\n");
}

static void put_statuses(const struct named_command *c)
{
    for (const struct explained *s = c->command->statuses; s && s->what; s++) {
        printf(".TP\n");
        put_in('B', s->what);
        printf("\nof \\fBlab %s\\fR: ", c->name);
        put_text(s->about);
    }
}

static void put_examples(const struct named_command *c)
{
    put_explained(c->command->examples);
}

static int run(const struct command *self, int argc, char **argv)
{
    options_parse(self, argc, argv, NULL);
    /* Neither adjusted nor hyphenated, for most of it is words of a command line. */
    printf(".TH LAB 1 \"\" \"lab %s\"\n.ad l\n.nh\n.SH NAME\nlab \\- ", program_version);
    put_text(program_about);
    printf(".SH SYNOPSIS\n");
    each(put_line);
    printf("\\fBlab\\fR [\\fICOMMAND\\fR] \\fB\\-\\-help\\fR\n.br\n\\fBlab \\-\\-version\\fR\n"
           ".SH DESCRIPTION\n");
    put_text(program_doc);
    printf(".SH COMMANDS\n");
    each(put_command);
    printf(".SH EXIT STATUS\n");
    put_explained(statuses);
    each(put_statuses);
    printf(".SH ENVIRONMENT\n");
    put_explained(environment);
    printf(".SH EXAMPLES\n");
    each(put_examples);
    printf(".SH SEE ALSO\n.BR hwloc (7),\n.BR lstopo (1),\n.BR taskset (1)\n");
    return 0;
}

const struct command command_man = {
    .doc = "Prints the manual page. To read it: `lab man | man -l -`.",
    .run = run,
};
