/* float.h - floating-point numbers, boxed: each result is a new object. */
#ifndef OBJECTS_FLOAT_H
#define OBJECTS_FLOAT_H

#include "objects/object.h"

extern const struct type float_type;

struct float_object {
    struct object head;
    double value; /* set once */
};

/* NULL: MemoryError. */
struct object *float_new(double value);

/* `o` must be a float. */
static inline double float_value(borrowed o)
{
    return ((const struct float_object *)o)->value;
}

/* A new float; NULL: TypeError if one is not a float, MemoryError. */
struct object *float_add(borrowed a, borrowed b);
struct object *float_subtract(borrowed a, borrowed b);
struct object *float_multiply(borrowed a, borrowed b);

/* The same; by zero: ZeroDivisionError. */
struct object *float_divide(borrowed a, borrowed b);

/* As Python's math.sqrt: a new float; NULL: TypeError, ValueError if it is below zero,
 * MemoryError. */
struct object *float_sqrt(borrowed o);

#endif
