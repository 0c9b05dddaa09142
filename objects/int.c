/* int.c - boxed integers of 64 bits. */
#include "objects/int.h"

#include "objects/exception.h"

#include <inttypes.h>
#include <stdio.h>

static bool both_ints(borrowed a, borrowed b)
{
    if (likely(type_of(a) == &int_type && type_of(b) == &int_type))
        return true;
    exception_set(&type_error, "unsupported operand types: '%s' and '%s'", type_of(a)->name,
                  type_of(b)->name);
    return false;
}

struct object *int_add(borrowed a, borrowed b)
{
    int64_t sum;

    if (!both_ints(a, b))
        return NULL;
    if (unlikely(__builtin_add_overflow(int_value(a), int_value(b), &sum))) {
        exception_set(&overflow_error, "sum does not fit in 64 bits");
        return NULL;
    }
    return int_new(sum);
}

struct object *int_subtract(borrowed a, borrowed b)
{
    int64_t difference;

    if (!both_ints(a, b))
        return NULL;
    if (unlikely(__builtin_sub_overflow(int_value(a), int_value(b), &difference))) {
        exception_set(&overflow_error, "difference does not fit in 64 bits");
        return NULL;
    }
    return int_new(difference);
}

int int_less(borrowed a, borrowed b)
{
    if (!both_ints(a, b))
        return -1;
    return int_value(a) < int_value(b);
}

static bool int_equal(borrowed a, borrowed b)
{
    return int_value(a) == int_value(b);
}

static int int_hash(borrowed o, uint64_t *hash)
{
    *hash = int_hash_of(int_value(o));
    return 0;
}

static void int_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "%" PRId64, int_value(o));
}

const struct type int_type = {
    .name = "int", .size_bytes = sizeof(struct int_object),
    .equal = int_equal, .hash = int_hash, .repr = int_repr,
};
