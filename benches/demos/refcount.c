/* refcount.c - how many references one list has, line by line.
 *
 *     def inside(x):
 *         return sys.getrefcount(x)
 *     a = []
 *     b = a
 *     inside(a)
 *     del b
 *
 * The numbers are those of CPython 3.11, where the question costs a reference: the
 * argument of getrefcount is one while it counts. So is the argument of `inside`.
 */
#include "benches/demo.h"

#include "objects/list.h"

#include <inttypes.h>
#include <stdio.h>

/* A call's argument is a reference that the called function owns, and drops. */
static int64_t getrefcount(struct object *argument /* steals */)
{
    int64_t count = refcount(argument);

    decref(argument);
    return count;
}

static int64_t inside(struct object *x /* steals */)
{
    int64_t count = getrefcount(incref(x));

    decref(x);
    return count;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    struct object *a = list_new(), *b;

    (void)mode, (void)gil, (void)hooks;
    if (!a)
        return -1;
    printf("a = []      %" PRId64 "\n", getrefcount(incref(a)));
    b = incref(a);
    printf("b = a       %" PRId64 "\n", getrefcount(incref(a)));
    printf("inside(a)   %" PRId64 "\n", inside(incref(a)));
    decref(b);
    printf("del b       %" PRId64 "\n", getrefcount(incref(a)));
    decref(a);
    return 0;
}

const struct demo demo_refcount = {
    .about = "how many references a list has, line by line, as CPython 3.11 counts them",
    .modes = "gil", .run = run,
};
