/* str.c - text. */
#include "objects/str.h"

#include "objects/exception.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/tuple.h"

#include <assert.h>
#include <string.h>

enum { NUMBER_BYTES = 32 }; /* the longest: -2.2250738585072014e-308 */

static struct object *copy(const char *utf8, size_t length)
{
    struct octets *s = octets_new(&str_type, length);

    if (!s)
        return NULL;
    memcpy(s->data, utf8, length);
    return &s->head;
}

struct object *str_new(const char *utf8)
{
    return copy(utf8, strlen(utf8));
}

struct object *str_of_number(borrowed o)
{
    char text[NUMBER_BYTES];

    if (unlikely(type_of(o) != &int_type && type_of(o) != &float_type)) {
        exception_set(&type_error, "expected a number, '%s' found", type_of(o)->name);
        return NULL;
    }
    object_repr(o, text, sizeof text);
    return str_new(text);
}

struct object *str_concat(borrowed a, borrowed b)
{
    return octets_concat(&str_type, a, b);
}

/* How long they are together, SIZE_MAX if that is too much to say. False: TypeError. */
static bool joined_length(borrowed separator, borrowed items, size_t *length)
{
    size_t count = tuple_length(items), sum = 0;
    bool too_long = false;

    if (count)
        too_long = __builtin_mul_overflow(count - 1, str_length(separator), &sum);
    for (size_t i = 0; i < count; i++) {
        borrowed item = tuple_get(items, i);

        if (unlikely(type_of(item) != &str_type)) {
            exception_set(&type_error, "sequence item %zu: expected str instance, %s found", i,
                          type_of(item)->name);
            return false;
        }
        too_long |= __builtin_add_overflow(sum, str_length(item), &sum);
    }
    *length = too_long ? SIZE_MAX : sum;
    return true;
}

static char *put(char *to, borrowed s)
{
    return (char *)memcpy(to, str_text(s), str_length(s)) + str_length(s);
}

static struct object *join(borrowed separator, borrowed items)
{
    struct octets *joined;
    size_t length;
    char *to;

    if (!joined_length(separator, items, &length))
        return NULL;
    joined = octets_new(&str_type, length);
    if (!joined)
        return NULL;
    to = joined->data;
    for (size_t i = 0; i < tuple_length(items); i++) {
        if (i > 0)
            to = put(to, separator);
        to = put(to, tuple_get(items, i));
    }
    return &joined->head;
}

struct object *str_join(borrowed separator, borrowed iterable)
{
    struct object *items = tuple_from(iterable), *joined;

    assert(type_of(separator) == &str_type);
    if (!items)
        return NULL;
    joined = join(separator, items);
    decref(items);
    return joined;
}

/* In single quotes, unless the text has some of those and no double ones. */
static void str_repr(borrowed o, char *text, size_t size_bytes)
{
    octets_write(o, false, text, size_bytes);
}

/* A character ends where the next byte does not continue it; the final zero does not. */
static enum step character_at(borrowed o, struct place *place, struct object **character)
{
    const char *first = str_text(o) + place->position, *end = first + 1;

    if (place->position == str_length(o))
        return STEP_RETURN;
    while ((*end & 0xC0) == 0x80)
        end++;
    *character = copy(first, (size_t)(end - first));
    place->position += (size_t)(end - first);
    return *character ? STEP_NEXT : STEP_ERROR;
}

static struct object *str_iterate(borrowed o)
{
    return iterator_new(o, character_at, (struct place){ 0 });
}

const struct type str_type = {
    .name = "str", .size_of = octets_size, .equal = octets_equal, .hash = octets_hash,
    .iterate = str_iterate, .repr = str_repr,
};
