/* facts.c - an ordered list of names and values. */
#include "lab/facts.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NULL if nothing is left. */
static char *first_line(const char *value)
{
    size_t length;
    char *line;

    value += strspn(value, " \t");
    length = strcspn(value, "\n");
    while (length && strchr(" \t\r", value[length - 1]))
        length--;
    line = length ? strndup(value, length) : NULL;
    for (char *c = line; c && *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return line;
}

void facts_add(struct facts *f, const char *name, const char *value)
{
    assert(f->count < FACTS_MAX);
    f->fact[f->count++] = (struct fact){ name, value ? first_line(value) : NULL };
}

void facts_format(struct facts *f, const char *name, const char *format, ...)
{
    char *value = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&value, format, arguments) < 0)
        value = NULL;
    va_end(arguments);
    facts_add(f, name, value);
    free(value);
}

const char *facts_get(const struct facts *f, const char *name)
{
    for (int i = 0; i < f->count; i++)
        if (!strcmp(f->fact[i].name, name))
            return f->fact[i].value;
    return NULL;
}

double facts_number(const struct facts *f, const char *name, double missing)
{
    const char *value = facts_get(f, name);
    char *end;
    double number;

    if (!value)
        return missing;
    number = strtod(value, &end);
    return end > value && isfinite(number) ? number : missing;
}

void facts_free(struct facts *f)
{
    for (int i = 0; i < f->count; i++)
        free(f->fact[i].value);
    f->count = 0;
}
