/* command.h - what a subcommand's file defines.
 *
 * One file in command/ is one subcommand: `const struct command command_<file name>`. What
 * it says of itself is said once, here: its parser, `--help`, the manual page and the
 * suggestions for what was mistyped all read it.
 */
#ifndef LAB_COMMAND_H
#define LAB_COMMAND_H

#include "lab/mistake.h"

#include <argp.h>
#include <stdbool.h>

/* In a table that a NULL ends. */
struct explained {
    const char *what, *about;
};

struct command {
    const char *about; /* one line for `lab --help`; NULL: not for people */
    const char *doc;   /* what it does, in sentences; an empty line parts paragraphs */

    /* Each has a name; { 0 } ends them. May be NULL. `--help` need not be among them. */
    const struct argp_option *options;

    const char *arguments; /* as "RESULTS A [B]"; NULL: none */
    int least, most;       /* how many of them there may be */

    const struct explained *examples; /* a command line, what it shows; may be NULL */
    const struct explained *statuses; /* beside 0, 1 and 2; may be NULL */

    /* For options_parse: stores one option. `value` is NULL if it takes none, and lives as
     * long as argv. 0, or -1 and a mistake. May be NULL if there are no options. */
    int (*take)(void *input, int key, char *value, struct mistake *m);

    /* argv[0] is "lab NAME". The process's exit status: 0; 1 if something failed; 2
     * after a user's mistake, of which one line has been said. */
    int (*run)(const struct command *self, int argc, char **argv);
};

struct named_command {
    const char *name;
    const struct command *command;
};

extern const char program_version[];
extern const char program_about[]; /* one line */
extern const char program_doc[];   /* as a command's doc */

/* Every one, by name. */
extern const struct named_command commands[];

/* For struct names: whether this named_command is not for people. */
bool command_hidden(const void *entry);

#endif
