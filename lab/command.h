/* command.h - what a subcommand's file defines.
 *
 * One file in command/ is one subcommand: `const struct command command_<file name>`.
 */
#ifndef LAB_COMMAND_H
#define LAB_COMMAND_H

#include <stdbool.h>

struct command {
    const char *about; /* one line for `lab --help`; NULL: not for people */
    /* argv[0] is "lab NAME". The process's exit status: 0; 1 if something failed; 2
     * after a user's mistake, of which one line has been said. */
    int (*run)(int argc, char **argv);
};

struct named_command {
    const char *name;
    const struct command *command;
};

#endif
