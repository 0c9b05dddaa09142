/* program.c - what stands in a program's text: classes, functions, names, constants. */
#include "benches/program.h"

#include "objects/class.h"
#include "objects/exception.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <assert.h>

struct object *program_names(size_t count, const char *const *names)
{
    struct object *name[PROGRAM_NAMES_MOST] = { NULL }, *tuple = NULL;
    size_t made = 0;

    assert(count <= PROGRAM_NAMES_MOST);
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

int program_init(struct program *p, const struct program_text *text)
{
    *p = (struct program){ program_names(text->names_count, text->names) };
    if (!p->names)
        return -1;
    assert(text->classes_count <= PROGRAM_CLASSES_MOST);
    for (size_t i = 0; i < text->classes_count; i++) {
        int base = text->classes[i].base;

        p->class[i] = class_new(text->classes[i].name, base < 0 ? NULL : p->class[base]);
        if (!p->class[i])
            return -1;
    }
    for (size_t i = 0; i < text->methods_count; i++) {
        const struct program_method *m = &text->methods[i];

        if (program_define(p->class[m->class], p -> names, (size_t)m -> name, m -> body,
                           m -> count) < 0)
            return -1;
    }
    return 0;
}

void program_fini(struct program *p)
{
    xdecref(p->names);
    for (int i = 0; i < PROGRAM_CLASSES_MOST; i++)
        xdecref(p->class[i]);
    *p = (struct program){ 0 };
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

void program_share_all(const struct job *job, const struct program *p)
{
    for (int i = 0; i < PROGRAM_CLASSES_MOST && p->class[i]; i++)
        program_share(job, p->class[i]);
    program_share(job, p->names);
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
