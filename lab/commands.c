/* commands.c - the program, and the table of its subcommands: the files of command/. */
#include "lab/command.h"

#include <stddef.h>

#define COMMAND(name) extern const struct command command_##name;
#include "gen/commands.h"
#undef COMMAND

const char program_version[] = "0.1.0";
const char program_about[] = "how threads share counted objects, and what each answer costs";
const char program_doc[] =
    "Runs one object runtime under several answers to the question of how threads may share "
    "objects whose references are counted: one thread at a time, atomic counts, an owner for "
    "each object, or no protection at all. The work is the same under each. It shows what each "
    "answer costs and what it gains, and counts what goes wrong.";

const struct named_command commands[] = {
#define COMMAND(name) { #name, &command_##name },
#include "gen/commands.h"
#undef COMMAND
    { NULL, NULL },
};

bool command_hidden(const void *entry)
{
    return !((const struct named_command *)entry)->command->about;
}
