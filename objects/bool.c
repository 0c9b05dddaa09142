/* bool.c - True and False. */
#include "objects/bool.h"

#include <stdio.h>

static void bool_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "%s", is_true(o) ? "True" : "False");
}

const struct type bool_type = {
    .name = "bool", .size_bytes = sizeof(struct object), .repr = bool_repr,
};

const struct object bool_objects[2] = { { .type = &bool_type }, { .type = &bool_type } };
