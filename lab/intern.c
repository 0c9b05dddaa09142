/* intern.c - one copy of each text, by the C library's tree. */
#include "lab/intern.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *texts;

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

const char *intern(const char *text)
{
    char *const *found = tfind(text, &texts, by_text);
    char *copy;

    if (found)
        return *found;
    copy = strdup(text);
    if (copy && tsearch(copy, &texts, by_text))
        return copy;
    fprintf(stderr, "lab: no memory for a name\n");
    exit(1);
}
