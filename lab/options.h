/* options.h - a command's options and arguments, by argp, with mistakes in one line.
 *
 * argp alone answers a mistake with two lines and status 64, and suggests nothing.
 */
#ifndef LAB_OPTIONS_H
#define LAB_OPTIONS_H

#include "lab/command.h"

/* Gives each option to command->take, with this input; `--help` is added. Returns the
 * index of the first argument that is not an option: argv is sorted so that from there to
 * argc stand the arguments, as many as the command says that there may be. Ends the process
 * after --help (status 0) and after a mistake (2): an unknown option, an unexpected or a
 * missing argument, or what `take` refuses. */
int options_parse(const struct command *command, int argc, char **argv, void *input);

/* `take` for a command that has one option, without a value: input is the bool to set. */
int options_take_flag(void *input, int key, char *value, struct mistake *m);

#endif
