/* none.c - None. */
#include "objects/none.h"

#include <stdio.h>

static void none_repr(borrowed o, char *text, size_t size_bytes)
{
    (void)o;
    snprintf(text, size_bytes, "None");
}

const struct type none_type = {
    .name = "NoneType", .size_bytes = sizeof(struct object), .repr = none_repr,
};

const struct object none_object = { .type = &none_type };
