/* float.c - boxed floating-point numbers. */
#include "objects/float.h"

#include "objects/exception.h"
#include "objects/hash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 17 }; /* so many tell any two doubles apart */

struct object *float_new(double value)
{
    struct object *o = object_new(&float_type, sizeof(struct float_object));

    if (o)
        ((struct float_object *)o)->value = value;
    return o;
}

static bool both_floats(borrowed a, borrowed b)
{
    if (likely(type_of(a) == &float_type && type_of(b) == &float_type))
        return true;
    exception_set(&type_error, "unsupported operand types: '%s' and '%s'", type_of(a)->name,
                  type_of(b)->name);
    return false;
}

struct object *float_add(borrowed a, borrowed b)
{
    return both_floats(a, b) ? float_new(float_value(a) + float_value(b)) : NULL;
}

struct object *float_subtract(borrowed a, borrowed b)
{
    return both_floats(a, b) ? float_new(float_value(a) - float_value(b)) : NULL;
}

struct object *float_multiply(borrowed a, borrowed b)
{
    return both_floats(a, b) ? float_new(float_value(a) * float_value(b)) : NULL;
}

struct object *float_divide(borrowed a, borrowed b)
{
    if (unlikely(!both_floats(a, b)))
        return NULL;
    if (likely(float_value(b) != 0))
        return float_new(float_value(a) / float_value(b));
    exception_set(&zero_division_error, "float division by zero");
    return NULL;
}

struct object *float_sqrt(borrowed o)
{
    if (unlikely(type_of(o) != &float_type))
        exception_set(&type_error, "must be a float, not '%s'", type_of(o)->name);
    else if (unlikely(float_value(o) < 0))
        exception_set(&value_error, "math domain error");
    else
        return float_new(sqrt(float_value(o)));
    return NULL;
}

static bool float_equal(borrowed a, borrowed b)
{
    return float_value(a) == float_value(b);
}

/* 0.0 and -0.0 are equal, but their bits are not. */
static int float_hash(borrowed o, uint64_t *hash)
{
    double value = float_value(o);
    uint64_t bits = 0;

    if (value != 0)
        memcpy(&bits, &value, sizeof bits);
    *hash = hash_word(bits);
    return 0;
}

/* The fewest digits that read back as the same number; an exponent only from 1e16 on
 * and below 1e-4. */
static void finite_repr(double value, char *text, size_t size_bytes)
{
    char scientific[32];
    int places = 0, exponent;

    do
        snprintf(scientific, sizeof scientific, "%.*e", places, value);
    while (strtod(scientific, NULL) != value && ++places < MOST_DIGITS);
    exponent = atoi(strchr(scientific, 'e') + 1);
    if (exponent < -4 || exponent >= 16)
        snprintf(text, size_bytes, "%s", scientific);
    else
        snprintf(text, size_bytes, "%.*f", places > exponent ? places - exponent : 1, value);
}

static void float_repr(borrowed o, char *text, size_t size_bytes)
{
    double value = float_value(o);

    if (isfinite(value))
        finite_repr(value, text, size_bytes);
    else
        snprintf(text, size_bytes, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
}

const struct type float_type = {
    .name = "float", .size_bytes = sizeof(struct float_object),
    .equal = float_equal, .hash = float_hash, .repr = float_repr,
};
