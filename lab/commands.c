/* commands.c - the table of subcommands: the files of command/. */
#include "lab/command.h"

#include <stddef.h>

#define COMMAND(name) extern const struct command command_##name;
#include "gen/commands.h"
#undef COMMAND

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
