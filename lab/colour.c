/* colour.c - colour where somebody looks. */
#include "lab/colour.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The eight colours that every terminal has; its user chose how they look. */
static const char *const codes[] = {
    [TONE_PLAIN] = "\033[0m",    [TONE_HEADING] = "\033[1m",  [TONE_FAINT] = "\033[2m",
    [TONE_GOOD] = "\033[32m",    [TONE_WARNING] = "\033[33m", [TONE_BAD] = "\033[31m",
};

static bool wanted(FILE *stream)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return !(refused && *refused) && terminal && strcmp(terminal, "dumb") != 0 &&
           isatty(fileno(stream));
}

const char *colour(FILE *stream, enum tone tone)
{
    return wanted(stream) ? codes[tone] : "";
}
