/* mistake.c - what a user got wrong, in one line. */
#include "lab/mistake.h"

#include "lab/colour.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int mistake_set(struct mistake *m, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(m->text, sizeof m->text, format, arguments);
    va_end(arguments);
    for (char *c = m->text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    return -1;
}

void mistake_exit(const char *command, const struct mistake *m)
{
    fprintf(stderr, "%s%s:%s %s\n", colour(stderr, TONE_BAD), command, colour(stderr, TONE_PLAIN),
            m->text);
    exit(2);
}
