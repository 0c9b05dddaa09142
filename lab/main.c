/* main.c - finds the subcommand, and sees that what it says is written. */
#include "lab/command.h"
#include "lab/names.h"
#include "lab/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Results are lost if nobody looks whether they were written: not only the last of
 * them, for a full disk may have room again. */
static void check_output(void)
{
    int error = fflush(stdout) ? errno : 0;

    if (!error && !ferror(stdout))
        return;
    fprintf(stderr, "lab: cannot write to standard output: %s\n",
            error ? strerror(error) : "an earlier write failed");
    _exit(1);
}

static int help(void)
{
    printf("Usage: lab COMMAND [OPTION...]\nlab: %s.\n\n", program_about);
    for (const struct named_command *c = commands; c->name; c++)
        if (!command_hidden(c))
            printf("  %-10s %s\n", c->name, c->command->about);
    printf("\n  lab COMMAND --help says more; lab --version says which lab this is;\n"
           "  lab man | man -l - is the manual page.\n");
    return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    char name[64];

    snprintf(name, sizeof name, "lab %s", argv[0]);
    argv[0] = name;
    return command->run(command, argc, argv);
}

int main(int argc, char **argv)
{
    struct names names = NAMES_OF("command", commands);
    const char *asked = argc > 1 ? argv[1] : "--help";
    struct mistake m;
    int i;

    process_keep_streams();
    atexit(check_output);
    names.hidden = command_hidden;
    if (!strcmp(asked, "--help") || !strcmp(asked, "-h") || !strcmp(asked, "help"))
        return help();
    if (strcmp(asked, "--version") == 0)
        return printf("lab %s (compiler " __VERSION__ ")\n", program_version) < 0;
    i = names_find(&names, asked, &m);
    if (i < 0)
        mistake_exit("lab", &m);
    return run(commands[i].command, argc - 1, argv + 1);
}
