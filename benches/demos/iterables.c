/* iterables.c - iterable, iterator and generator are three things.
 *
 * It prints what CPython 3.11 prints for a program that asks isinstance of collections.abc.
 */
#include "benches/demo.h"

#include "coroutines/generator.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/list.h"

#include <inttypes.h>
#include <stdio.h>

/* for i in range(its argument): yield i * i */
static enum turn square(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    int64_t i = f->at;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (i == int_value(f->reference[0]))
        return frame_return(result);
    f->at++;
    *result = int_new(i * i);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static const struct body squares = { .name = "squares", .resume = square, .references = 1 };

static struct object *squares_new(int64_t below)
{
    struct object *n = int_new(below), *g = NULL;

    if (n)
        g = generator_new(&squares, (borrowed[]){ n }, 1);
    xdecref(n);
    return g;
}

static const char *python_bool(bool value)
{
    return value ? "True" : "False";
}

static int classify(const char *name, struct object *o /* steals; NULL: an exception is pending */)
{
    const struct type *type;

    if (!o)
        return -1;
    type = type_of(o);
    printf("%-10s iterable %-5s iterator %-5s generator %s\n", name, python_bool(type->iterate),
           python_bool(type->next), python_bool(is_generator(o, GENERATOR)));
    decref(o);
    return 0;
}

static struct object *list_of_one(void)
{
    struct object *list = list_new(), *one = int_new(1);

    if (list && (!one || list_append(list, one) < 0)) {
        decref(list);
        list = NULL;
    }
    xdecref(one);
    return list;
}

static struct object *iterator_of_one(void)
{
    struct object *list = list_of_one(), *it = list ? iterate(list) : NULL;

    xdecref(list);
    return it;
}

static void print_list(borrowed list)
{
    for (size_t i = 0; i < list_length(list); i++) {
        struct object *item = list_get(list, i);

        printf("%s%" PRId64, i ? ", " : "[", int_value(item));
        decref(item);
    }
    puts("]");
}

static int print_squares(void)
{
    struct object *g = squares_new(4), *list = g ? list_from(g) : NULL;

    if (list)
        print_list(list);
    xdecref(g);
    xdecref(list);
    return list ? 0 : -1;
}

static int step_to_the_end(struct object *it)
{
    struct object *item = iterator_next(it);

    if (!item)
        return -1;
    printf("%" PRId64 "\n", int_value(item));
    decref(item);
    if (iterator_next(it) || !exception_matches(&stop_iteration))
        return -1;
    exception_restore(NULL);
    puts("StopIteration at the end");
    return 0;
}

static int print_steps(void)
{
    struct object *it = iterator_of_one();
    int result = it ? step_to_the_end(it) : -1;

    xdecref(it);
    return result;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    if (classify("list", list_of_one()) < 0 || classify("iter(list)", iterator_of_one()) < 0 ||
        classify("generator", squares_new(3)) < 0 || classify("int", int_new(5)) < 0)
        return -1;
    return print_squares() < 0 || print_steps() < 0 ? -1 : 0;
}

const struct demo demo_iterables = {
    .about = "iterable, iterator and generator are three things", .modes = "gil", .run = run,
};
