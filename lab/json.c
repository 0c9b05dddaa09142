/* json.c - results for programs. */
#include "lab/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_finite(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *as_ascii(const char *text)
{
    char *copy = strdup(text);
    json_t *value;

    for (char *c = copy; c && *c; c++)
        if (*c & 0x80)
            *c = '?';
    value = copy ? json_string(copy) : NULL;
    free(copy);
    return value;
}

json_t *json_count(int count)
{
    return count ? json_integer(count) : json_null();
}

json_t *json_text(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();

    return value ? value : as_ascii(text);
}

json_t *json_with(json_t *array, json_t *value)
{
    if (value && json_array_append_new(array, value) == 0)
        return array;
    json_decref(array);
    return NULL;
}

int json_print(json_t *value)
{
    /* As many digits as come back as they were typed: 0.1, not 0.10000000000000001. */
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(DBL_DIG);
    int status;

    if (!value) {
        fprintf(stderr, "lab: no memory for the JSON, or a text that is not UTF-8\n");
        return 1;
    }
    status = json_dumpf(value, stdout, flags) < 0 || putchar('\n') == EOF;
    json_decref(value);
    return status;
}
