/* options.h - a command's options, by argp, with mistakes in one line.
 *
 * argp alone answers a mistake with two lines and status 64, and suggests nothing.
 */
#ifndef LAB_OPTIONS_H
#define LAB_OPTIONS_H

#include "lab/mistake.h"

#include <argp.h>

/* Reads argv as argp_parse does, with `--help` added; the parser's own mistakes are for
 * options_fail. Ends the process after --help (status 0) and after a mistake (2). */
void options_parse(const struct argp *argp, int argc, char **argv, void *input);

/* For a parser: prints the mistake, ends the process with status 2. */
_Noreturn void options_fail(const struct argp_state *state, const struct mistake *m);

#endif
