/* confine.c - `lab confine`: this process becomes a program that can do little, for `lab grade`. */
#include "lab/command.h"
#include "lab/grade/confine.h"

static int run(const struct command *self, int argc, char **argv)
{
    (void)self;
    return confine_and_run(argc - 1, argv + 1);
}

const struct command command_confine = {
    .arguments = "SCRATCH READS WRITES USER PROGRAM...",
    .run = run,
};
