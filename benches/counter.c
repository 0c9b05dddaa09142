/* counter.c - a class that all threads share, and an instance of it for each. */
#include "benches/counter.h"

#include "benches/field.h"
#include "objects/exception.h"

enum { VALUE, NEXT, NAMES };

static struct object *next(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed self = arguments[0];
    struct object *sum;
    int64_t value;

    (void)count;
    if (field_get_int(names, self, VALUE, &value) < 0)
        return NULL;
    sum = int_new(value + 1);
    if (sum && field_set(names, self, VALUE, sum) < 0) {
        decref(sum);
        sum = NULL;
    }
    return sum;
}

int counter_init(struct counter_program *p, const struct job *job)
{
    static const char *const names[NAMES] = { "value", "next" };

    p->class = class_new("Counter", NULL);
    p->names = program_names(NAMES, names);
    if (!p->class || !p->names || program_define(p->class, p->names, NEXT, next, 1) < 0)
        return -1;
    p->next = tuple_get(p->names, NEXT);
    program_share(job, p->class);
    return 0;
}

void counter_fini(struct counter_program *p)
{
    xdecref(p->class);
    xdecref(p->names);
    *p = (struct counter_program){ 0 };
}

int counter_check(const struct counter_program *p)
{
    struct object *function = attribute_get(p->class, p->next);
    int result = function ? program_check(function, 2) : -1; /* the class's, and ours */

    xdecref(function);
    return result < 0 ? -1 : program_check(p->class, 1);
}

int counter_begin(const struct counter_program *p, struct worker *w)
{
    struct object *counter = instance_new(p->class);

    w->state = counter;
    return counter ? field_put_int(p->names, counter, VALUE, 0) : -1;
}

void counter_end(struct worker *w)
{
    xdecref(w->state);
    w->state = NULL;
}

int counter_returned(struct object *result /* steals */, uint64_t right)
{
    uint64_t value;

    if (!result)
        return -1;
    value = (uint64_t)int_value(result);
    decref(result);
    if (value == right)
        return 0;
    exception_set(&runtime_error, "it counts %llu, not %llu", (unsigned long long)value,
                  (unsigned long long)right);
    return -1;
}
