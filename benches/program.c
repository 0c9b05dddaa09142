/* program.c - what stands in a program's text: classes, functions, names, constants. */
#include "benches/program.h"

#include "objects/class.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <assert.h>

enum { NAMES_MOST = 32 };

struct object *program_names(size_t count, const char *const *names)
{
    struct object *name[NAMES_MOST] = { NULL }, *tuple = NULL;
    size_t made = 0;

    assert(count <= NAMES_MOST);
    while (made < count && (name[made] = str_new(names[made])))
        made++;
    if (made == count)
        tuple = tuple_new(count, name);
    while (made--)
        decref(name[made]);
    return tuple;
}

int program_define(borrowed class, borrowed names, size_t name, native *body, int count)
{
    borrowed key = tuple_get(names, name);
    struct object *function = function_new(str_text(key), body, count, names);
    int result = function ? attribute_set(class, key, function) : -1;

    xdecref(function);
    return result;
}

static void mark(borrowed o, void *unused)
{
    if (uncounted(o))
        return;
    mark_hot(o);
    if (type_of(o)->traverse)
        type_of(o)->traverse(o, mark, unused);
}

void program_share(const struct job *job, borrowed o)
{
    publish(o);
    if (job->param[0])
        mark(o, NULL);
}

int program_check(borrowed o, int64_t references)
{
    int64_t count = refcount(o);

    if (count == references || count == INT64_MAX || parking)
        return 0;
    exception_set(&runtime_error, "a shared %s has %lld references, not %lld", type_of(o)->name,
                  (long long)count, (long long)references);
    return -1;
}

int program_get_int(borrowed o, borrowed name, int64_t *value)
{
    struct object *held = attribute_get(o, name);

    if (!held)
        return -1;
    *value = int_value(held);
    decref(held);
    return 0;
}

int program_set_int(borrowed o, borrowed name, int64_t value)
{
    struct object *made = int_new(value);
    int result = made ? attribute_set(o, name, made) : -1;

    xdecref(made);
    return result;
}
