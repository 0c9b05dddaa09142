/* bytes.c - bytes that do not change. */
#include "objects/bytes.h"

#include "objects/exception.h"
#include "objects/int.h"
#include "objects/iterator.h"

#include <stdio.h>
#include <string.h>

struct object *bytes_new(const void *data, size_t length)
{
    struct octets *o = octets_new(&bytes_type, length);

    if (!o)
        return NULL;
    memcpy(o->data, data, length);
    return &o->head;
}

struct object *bytes_concat(borrowed a, borrowed b)
{
    return octets_concat(&bytes_type, a, b);
}

int bytes_less(borrowed a, borrowed b)
{
    size_t left, right;
    int order;

    if (unlikely(type_of(a) != &bytes_type || type_of(b) != &bytes_type)) {
        exception_set(&type_error, "'<' not supported between instances of '%s' and '%s'",
                      type_of(a)->name, type_of(b)->name);
        return -1;
    }
    left = bytes_length(a);
    right = bytes_length(b);
    order = memcmp(bytes_data(a), bytes_data(b), left < right ? left : right);
    return order ? order < 0 : left < right;
}

static void bytes_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "b");
    octets_write(o, true, text + strlen(text), size_bytes - strlen(text));
}

static enum step byte_at(borrowed o, struct place *place, struct object **byte)
{
    if (place->position == bytes_length(o))
        return STEP_RETURN;
    *byte = int_new((unsigned char)bytes_data(o)[place->position++]);
    return *byte ? STEP_NEXT : STEP_ERROR;
}

static struct object *bytes_iterate(borrowed o)
{
    return iterator_new(o, byte_at, (struct place){ 0 });
}

const struct type bytes_type = {
    .name = "bytes", .size_of = octets_size, .equal = octets_equal, .hash = octets_hash,
    .iterate = bytes_iterate, .repr = bytes_repr,
};
