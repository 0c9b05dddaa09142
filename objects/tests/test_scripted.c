/* test_scripted.c - one session that does everything, and what is left if memory runs out in it.
 *
 * The session goes through scenes, one for each type, and each uses all that makes or
 * changes one; it is run again and again, with another allocation failing each time
 * (fail_everywhere). Each time it must end in MemoryError, and leave nothing.
 *
 * A scene leaves what it made in the session's references, which are dropped in the end,
 * so it need not unwind: it ends at the first NULL or -1.
 */
#include "objects/bool.h"
#include "objects/bytes.h"
#include "objects/cell.h"
#include "objects/class.h"
#include "objects/collector.h"
#include "objects/copy.h"
#include "objects/dict.h"
#include "objects/float.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/range.h"
#include "objects/set.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"
#include "objects/weakref.h"

enum { KEPT_MOST = 400 };

static struct {
    struct object *kept[KEPT_MOST]; /* owned */
    int count;
} session;

/* Drops it at the session's end; NULL stays NULL. */
static struct object *keep(struct object *o /* steals; may be NULL */)
{
    assert_true(session.count < KEPT_MOST);
    if (o)
        session.kept[session.count++] = o;
    return o;
}

/* What was to be refused was, and not for want of memory. */
static bool refused(bool failed, const struct type *kind)
{
    if (!failed)
        return false;
    if (!exception_matches(kind))
        return false;
    exception_restore(NULL);
    return true;
}

/* ---- scenes: 0, or -1 and an exception ---- */

static int numbers(void)
{
    struct object *i = keep(int_new(20)), *f = keep(float_new(1.5)), *range = keep(range_new(3, 6));

    if (!i || !f || !range)
        return -1;
    if (!keep(int_add(i, i)) || !keep(int_subtract(i, i)) || !keep(float_add(f, f)) ||
        !keep(float_multiply(f, f)) || !keep(str_of_number(i)) || !keep(str_of_number(f)))
        return -1;
    return refused(!keep(int_add(i, f)), &type_error) ? 0 : -1;
}

static int texts(void)
{
    struct object *a = keep(str_new("one")), *b = keep(bytes_new("two", 3)), *list;

    if (!a || !b || !keep(str_concat(a, a)) || !keep(bytes_concat(b, b)))
        return -1;
    list = keep(list_from(a));
    if (!list || !keep(str_join(a, list)) || !keep(tuple_from(b)))
        return -1;
    return refused(!keep(str_concat(a, b)), &type_error) ? 0 : -1;
}

static int lists(void)
{
    struct object *list = keep(list_new()), *item = keep(int_new(1)), *tuple;

    if (!list || !item)
        return -1;
    for (int i = 0; i < 6; i++)
        if (list_append(list, item) < 0)
            return -1;
    tuple = keep(list_to_tuple(list));
    if (!tuple || list_extend(list, list) < 0 || list_set(list, 2, tuple) < 0 ||
        !keep(list_get(list, 2)) || !keep(list_pop(list)))
        return -1;
    return refused(list_set(list, 99, item) < 0, &index_error) ? 0 : -1;
}

static int tuples(void)
{
    struct object *item = keep(int_new(1)), *list = keep(list_new()), *outer;

    if (!item || !list)
        return -1;
    outer = keep(tuple_new(3, (struct object *[]){ item, list, none() }));
    return outer && keep(tuple_from(outer)) && keep(tuple_from(list)) && keep(list_from(outer))
               ? 0
               : -1;
}

/* So many keys that the table is built anew, twice. */
static int fill(struct object *container, int (*add)(borrowed container, borrowed key))
{
    for (int i = 0; i < 24; i++) {
        struct object *key = keep(int_new(i));

        if (!key || add(container, key) < 0)
            return -1;
    }
    return 0;
}

static int add_to_itself(borrowed dict, borrowed key)
{
    return dict_set(dict, key, key);
}

static int dicts(void)
{
    struct object *dict = keep(dict_new()), *key, *value;
    size_t cursor = 0;

    if (!dict || fill(dict, add_to_itself) < 0)
        return -1;
    if (!dict_next(dict, &cursor, &key, &value) || !keep(key) || !keep(value) ||
        !keep(dict_get(dict, key)) || dict_contains(dict, key) != 1 || dict_delete(dict, key) < 0 ||
        !keep(list_from(dict)))
        return -1;
    if (!refused(dict_delete(dict, key) < 0, &key_error))
        return -1;
    return refused(dict_set(dict, dict, key) < 0, &type_error) ? 0 : -1;
}

static int sets(void)
{
    struct object *set = keep(set_new()), *key;
    size_t cursor = 0;

    if (!set || fill(set, set_add) < 0)
        return -1;
    key = keep(set_next(set, &cursor));
    if (set_contains(set, key) != 1 || set_discard(set, key) != 1)
        return -1;
    return refused(set_add(set, set) < 0, &type_error) ? 0 : -1;
}

static int cells(void)
{
    struct object *cell = keep(cell_new(NULL)), *held = keep(list_new());

    if (!cell || !held || !refused(!keep(cell_get(cell)), &value_error))
        return -1;
    cell_set(cell, held);
    return keep(cell_get(cell)) && keep(cell_new(held)) ? 0 : -1;
}

/* Makes something each time it is called. */
static struct object *arguments_of(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    return tuple_new(count, (struct object *const *)arguments);
}

static int functions(void)
{
    struct object *cell = keep(cell_new(NULL)), *function, *method;

    if (!cell)
        return -1;
    function = keep(function_new("arguments_of", arguments_of, ARGUMENTS_ANY, cell));
    method = function ? keep(method_new(function, cell)) : NULL;
    if (!method || !keep(call(function, NULL, 0)) || !keep(call(method, (borrowed[]){ cell }, 1)))
        return -1;
    return refused(!keep(call(cell, NULL, 0)), &type_error) ? 0 : -1;
}

static struct object *initialise(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)count;
    return attribute_set(arguments[0], closure, closure) < 0 ? NULL : none();
}

static int classes(void)
{
    struct object *name = keep(str_new("x")), *init_name = keep(str_new("__init__"));
    struct object *base = keep(class_new("Base", NULL)), *init, *class, *o;

    if (!name || !init_name || !base)
        return -1;
    init = keep(function_new("initialise", initialise, 1, name));
    class = keep(class_new("Derived", base));
    if (!init || !class || attribute_set(base, init_name, init) < 0)
        return -1;
    o = keep(class_call(class, NULL, 0));
    if (!o || !keep(attribute_get(o, name)) || !keep(attribute_get(o, init_name)) ||
        !keep(call_method(init_name, (borrowed[]){ o }, 1)) || attribute_delete(o, name) < 0)
        return -1;
    if (!refused(attribute_delete(o, name) < 0, &attribute_error))
        return -1;
    return refused(!keep(attribute_get(o, name)), &attribute_error) ? 0 : -1;
}

static int iterators(void)
{
    struct object *range = keep(range_new(0, 2)), *it, *end;
    enum step step;

    it = range ? keep(iterate(range)) : NULL;
    if (!it || !keep(iterator_next(it)) || !keep(iterator_next(it)))
        return -1;
    if (!refused(!keep(iterator_next(it)), &stop_iteration))
        return -1;
    step = iterator_step(it, &end);
    return step == STEP_RETURN && keep(end) ? 0 : -1;
}

/* Raised while another is handled, and from a third. */
static int exceptions(void)
{
    struct object *first = keep(exception_new(&value_error, "first"));
    struct object *cause = keep(exception_new(&os_error, "cause")), *raised, *key;
    struct handling h;

    key = keep(int_new(7));
    if (!first || !cause || !key)
        return -1;
    exception_handle_begin(&h, incref(first));
    exception_set(&runtime_error, "second");
    raised = keep(exception_take());
    exception_set_key(key);
    exception_handle_end(&h);
    if (type_of(raised) == &memory_error) {
        exception_restore(incref(raised));
        return -1;
    }
    exception_set_cause(raised, cause);
    if (!keep(exception_cause(raised)) || !keep(exception_context(raised)))
        return -1;
    if (!refused(true, &key_error))
        return -1;
    exception_set_stop(incref(key));
    return refused(true, &stop_iteration) ? 0 : -1;
}

/* A callback; if it failed, nobody would hear of it. */
static struct object *do_nothing(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return none();
}

static int weakrefs(void)
{
    struct object *callback, *referent = list_new(), *w;

    callback = keep(function_new("do_nothing", do_nothing, 1, NULL));
    w = referent && callback ? keep(weakref_new(referent, callback)) : NULL;
    if (w)
        keep(weakref_get(w));
    xdecref(referent);
    return w && refused(!keep(weakref_new(none(), NULL)), &type_error) ? 0 : -1;
}

/* Of a list that is in itself, and in an instance, and holds the lists and dicts so far. */
static int copies(void)
{
    struct object *list = keep(list_new()), *class, *o, *name;

    class = keep(class_new("C", NULL));
    o = class ? keep(instance_new(class)) : NULL;
    name = keep(str_new("x"));
    if (!list || !o || !name || attribute_set(o, name, list) < 0 || list_append(list, list) < 0 ||
        list_append(list, o) < 0)
        return -1;
    for (int i = 0; i < session.count; i++)
        if (type_of(session.kept[i]) == &list_type || type_of(session.kept[i]) == &dict_type)
            if (list_append(list, session.kept[i]) < 0)
                return -1;
    return keep(deep_copy(list)) ? 0 : -1;
}

/* All is seen by others now, some of it by many. */
static int sharing(void)
{
    for (int i = 0; i < session.count; i++)
        publish(session.kept[i]);
    mark_hot(session.kept[0]);
    safepoint(thread_self);
    thread_detach(thread_self);
    thread_attach(thread_self);
    return 0;
}

/* ---- the session ---- */

static int (*const scenes[])(void) = {
    numbers,   texts,      lists,    tuples, dicts,   sets,  cells, functions, classes,
    iterators, exceptions, weakrefs, copies, sharing, lists, dicts, sets,      classes,
};

/* What is in cycles is collected in the end, for that needs no memory. */
static int play(void)
{
    int result = 0;

    session.count = 0;
    for (size_t i = 0; result == 0 && i < sizeof scenes / sizeof *scenes; i++)
        result = scenes[i]();
    for (int i = 0; i < session.count; i++)
        decref(session.kept[i]);
    for (int i = 0; i < RC_LATE_SAFEPOINTS; i++)
        safepoint(thread_self);
    rc_quiesce();
    collect(GENERATION_ALL);
    rc_finish();
    return result;
}

static void test_a_failed_allocation_anywhere_is_memory_error(void **state)
{
    (void)state;
    fail_everywhere(play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_allocation_anywhere_is_memory_error),
    };

    return run_attached(tests);
}
