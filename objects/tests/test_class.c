/* test_class.c - classes, their instances, and the attributes of both. */
#include "objects/class.h"
#include "objects/dict.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"

#include <sched.h>

/* Sets o.NAME = value. */
static void set(borrowed o, const char *name, struct object *value /* steals */)
{
    struct object *key = str_new(name);

    assert_int_equal(attribute_set(o, key, value), 0);
    decref(key);
    decref(value);
}

static struct object *get(borrowed o, const char *name)
{
    struct object *key = str_new(name), *value = attribute_get(o, key);

    decref(key);
    return value;
}

static int64_t get_int(borrowed o, const char *name)
{
    struct object *value = get(o, name);
    int64_t number;

    assert_non_null(value);
    number = int_value(value);
    decref(value);
    return number;
}

static void assert_no_attribute(const char *message)
{
    assert_non_null(exception_pending());
    assert_string_equal(exception_message(exception_pending()), message);
    assert_raises(&attribute_error);
}

/* self.x + argument */
static struct object *x_plus(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *x = get(arguments[0], "x"), *sum = x ? int_add(x, arguments[1]) : NULL;

    (void)closure;
    (void)count;
    xdecref(x);
    return sum;
}

/* self.x = argument */
static struct object *store_x(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *name = str_new("x");
    int result = name ? attribute_set(arguments[0], name, arguments[1]) : -1;

    (void)closure;
    (void)count;
    xdecref(name);
    return result < 0 ? NULL : none();
}

static struct object *itself(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    return incref(arguments[0]);
}

static struct object *how_many(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    return int_new((int64_t)count);
}

/* class Point: x_plus = ... */
static struct object *point_class(void)
{
    struct object *class = class_new("Point", NULL);

    set(class, "x_plus", function_new("x_plus", x_plus, 2, NULL));
    return class;
}

static void test_an_instance_holds_its_class(void **state)
{
    struct object *class = class_new("Point", NULL), *o = instance_new(class);

    (void)state;
    assert_string_equal(class_name(class), "Point");
    assert_int_equal(exact_count(class), 2);
    assert_ptr_equal(instance_class(o), class);
    assert_null(instance_dict(o));
    assert_repr(class, "<class 'Point'>");
    assert_repr(o, "<Point object>");
    decref(o);
    assert_int_equal(exact_count(class), 1);
    decref(class);
}

static void test_an_instance_has_attributes_of_its_own(void **state)
{
    struct object *class = class_new("Point", NULL);
    struct object *a = instance_new(class), *b = instance_new(class);

    (void)state;
    set(a, "x", int_new(1));
    set(b, "x", int_new(2));
    set(a, "x", int_new(3));
    assert_int_equal(get_int(a, "x"), 3);
    assert_int_equal(get_int(b, "x"), 2);
    assert_null(get(a, "y"));
    assert_no_attribute("'Point' object has no attribute 'y'");
    assert_null(get(class, "x"));
    assert_no_attribute("type object 'Point' has no attribute 'x'");
    assert_int_equal(held_by(a), 2);
    decref(a);
    decref(b);
    decref(class);
}

static void test_then_its_class_is_asked_then_the_base(void **state)
{
    struct object *base = class_new("Base", NULL), *class = class_new("Derived", base);
    struct object *o = instance_new(class);

    (void)state;
    assert_int_equal(exact_count(base), 2);
    set(base, "x", int_new(1));
    assert_int_equal(get_int(o, "x"), 1);
    assert_int_equal(get_int(class, "x"), 1);
    set(class, "x", int_new(2));
    assert_int_equal(get_int(o, "x"), 2);
    set(o, "x", int_new(3));
    assert_int_equal(get_int(o, "x"), 3);
    assert_int_equal(get_int(base, "x"), 1);
    decref(base);
    decref(class);
    decref(o);
}

static void test_delete(void **state)
{
    struct object *class = class_new("Point", NULL), *o = instance_new(class), *x = str_new("x");

    (void)state;
    assert_int_equal(attribute_delete(o, x), -1);
    assert_no_attribute("'Point' object has no attribute 'x'");
    set(class, "x", int_new(1));
    set(o, "x", int_new(2));
    assert_int_equal(attribute_delete(o, x), 0);
    assert_int_equal(get_int(o, "x"), 1);
    assert_int_equal(attribute_delete(o, x), -1);
    assert_no_attribute("'Point' object has no attribute 'x'");
    assert_int_equal(attribute_delete(class, x), 0);
    assert_int_equal(attribute_delete(class, x), -1);
    assert_no_attribute("type object 'Point' has no attribute 'x'");
    decref(o);
    decref(class);
    decref(x);
}

static void test_other_objects_have_no_attributes(void **state)
{
    struct object *number = int_new(1), *x = str_new("x");

    (void)state;
    assert_null(attribute_get(number, x));
    assert_no_attribute("'int' object has no attribute 'x'");
    assert_int_equal(attribute_set(none(), x, number), -1);
    assert_no_attribute("'NoneType' object has no attribute 'x'");
    assert_int_equal(attribute_delete(number, x), -1);
    assert_no_attribute("'int' object has no attribute 'x'");
    decref(number);
    decref(x);
}

static void test_a_function_of_the_class_is_bound(void **state)
{
    struct object *class = point_class(), *o = instance_new(class), *two = int_new(2);
    struct object *method = get(o, "x_plus"), *plain = get(class, "x_plus"), *sum;

    (void)state;
    set(o, "x", int_new(40));
    assert_ptr_equal(type_of(method), &method_type);
    assert_ptr_equal(type_of(plain), &function_type);
    sum = call(method, (borrowed[]){ two }, 1);
    assert_int_equal(int_value(sum), 42);
    decref(sum);
    set(o, "own", incref(plain)); /* not of the class: not bound */
    decref(method);
    method = get(o, "own");
    assert_ptr_equal(method, plain);
    decref(method);
    decref(plain);
    decref(two);
    decref(o);
    decref(class);
}

static void test_a_method_is_called_without_being_made(void **state)
{
    struct object *class = point_class(), *o = instance_new(class), *two = int_new(2), *sum;
    struct object *name = str_new("x_plus");
    int64_t before;

    (void)state;
    set(o, "x", int_new(40));
    before = live_blocks();
    fail_allocation(3); /* x_plus makes a str and an int, and nobody makes a method */
    sum = call_method(name, (borrowed[]){ o, two }, 2);
    assert_true(failure_waits());
    fail_allocation(0);
    assert_int_equal(int_value(sum), 42);
    decref(sum);
    assert_int_equal(live_blocks(), before);
    decref(name);
    decref(two);
    decref(o);
    decref(class);
}

static int64_t method_result(borrowed name, borrowed o)
{
    struct object *result = call_method(name, (borrowed[]){ o, o }, 2);
    int64_t number;

    assert_non_null(result);
    number = int_value(result);
    decref(result);
    return number;
}

static void test_what_is_no_method_does_not_get_the_object(void **state)
{
    struct object *class = class_new("Point", NULL), *o = instance_new(class);
    struct object *name = str_new("f"), *missing = str_new("g");

    (void)state;
    set(class, "f", function_new("f", how_many, ARGUMENTS_ANY, NULL));
    assert_int_equal(method_result(name, o), 2);
    assert_int_equal(method_result(name, class), 1);
    set(o, "f", function_new("f", how_many, ARGUMENTS_ANY, NULL));
    assert_int_equal(method_result(name, o), 1);
    assert_null(call_method(missing, (borrowed[]){ o }, 1));
    assert_no_attribute("'Point' object has no attribute 'g'");
    decref(name);
    decref(missing);
    decref(o);
    decref(class);
}

static void test_a_call_of_the_class_makes_an_instance(void **state)
{
    struct object *class = class_new("Point", NULL), *seven = int_new(7);
    struct object *derived = class_new("Derived", class), *o;

    (void)state;
    o = call(class, NULL, 0);
    assert_ptr_equal(instance_class(o), class);
    decref(o);
    assert_null(call(class, (borrowed[]){ seven }, 1));
    assert_string_equal(exception_message(exception_pending()), "Point() takes no arguments");
    assert_raises(&type_error);
    set(class, "__init__", function_new("__init__", store_x, 2, NULL));
    o = call(derived, (borrowed[]){ seven }, 1);
    assert_ptr_equal(instance_class(o), derived);
    assert_int_equal(get_int(o, "x"), 7);
    decref(o);
    assert_null(call(class, NULL, 0));
    assert_string_equal(exception_message(exception_pending()),
                        "__init__() takes 2 arguments but 1 was given");
    assert_raises(&type_error);
    set(derived, "__init__", function_new("__init__", itself, 1, NULL));
    assert_null(call(derived, NULL, 0));
    assert_string_equal(exception_message(exception_pending()),
                        "__init__() should return None, not 'Derived'");
    assert_raises(&type_error);
    assert_int_equal(exact_count(class), 2);
    assert_int_equal(exact_count(derived), 1);
    decref(derived);
    decref(class);
    decref(seven);
}

static void test_publishing_reaches_class_and_attributes(void **state)
{
    struct object *base = class_new("Base", NULL), *class = class_new("Derived", base);
    struct object *o = instance_new(class), *late = instance_new(class), *x;

    (void)state;
    set(class, "x", int_new(1));
    set(o, "y", int_new(2));
    publish(o);
    assert_true(published(class) && published(base) && published(instance_dict(o)));
    x = get(o, "x");
    assert_true(published(x));
    decref(x);
    publish(late);
    set(late, "z", int_new(3)); /* into a dict that is made now */
    assert_true(published(instance_dict(late)));
    x = get(late, "z");
    assert_true(published(x));
    decref(x);
    decref(late);
    decref(o);
    decref(class);
    decref(base);
}

/* ---- the race for the first store, lost on purpose: another comes first while the dict
 * is being made ---- */

static struct object *interrupted; /* NULL: the next allocation is an ordinary one */

static void *alloc_interrupted(size_t size_bytes)
{
    struct object *o = interrupted;

    interrupted = NULL;
    if (o)
        set(o, "first", int_new(1));
    return heap_checked.alloc(size_bytes);
}

static void test_who_stores_second_uses_the_dict_of_the_first(void **state)
{
    const struct heap heap_interrupted = { .alloc = alloc_interrupted, .free = heap_checked.free };
    struct object *class = class_new("Point", NULL), *o = instance_new(class);
    struct object *name = str_new("second"), *value = int_new(2);
    int64_t before = live_blocks();

    (void)state;
    heap = &heap_interrupted;
    interrupted = o;
    assert_int_equal(attribute_set(o, name, value), 0);
    heap = &heap_checked;
    assert_null(interrupted);
    assert_int_equal(get_int(o, "first"), 1);
    assert_int_equal(get_int(o, "second"), 2);
    decref(o);
    assert_int_equal(live_blocks(), before - 1);
    decref(class);
    decref(name);
    decref(value);
}

/* ---- threads: the first store of each is into an instance that has no dict yet ---- */

enum { INSTANCES = 500 };

static _Atomic int arrived; /* at an instance; of all together */
static struct object *shared[INSTANCES], *names[TEST_THREADS], *method_name;

/* Waits for the others, and then a little, for who comes last goes on first. */
static void arrive(struct thread *t, int at, uint64_t *chance)
{
    uint64_t turns = random_of(chance, 500);

    atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    while (atomic_load_explicit(&arrived, memory_order_relaxed) < TEST_THREADS * (at + 1)) {
        sched_yield();
        safepoint(t);
    }
    for (volatile uint64_t i = 0; i < turns; i++)
        ;
}

static void store_first(struct thread *t, int index)
{
    struct object *mine = int_new(index), *result;
    uint64_t chance = test_random_state + (uint64_t)index;

    for (int i = 0; i < INSTANCES; i++) {
        arrive(t, i, &chance);
        if (attribute_set(shared[i], names[index], mine) < 0)
            abort();
        result = call_method(method_name, (borrowed[]){ shared[i], mine }, 2);
        if (!result || int_value(result) != 2)
            abort();
        decref(result);
        safepoint(t);
    }
    decref(mine);
}

static void test_no_thread_loses_the_first_store(void **state)
{
    struct object *class = class_new("Point", NULL);
    int64_t before;

    (void)state;
    seed_random();
    set(class, "f", function_new("f", how_many, 2, NULL));
    method_name = str_new("f");
    publish(method_name);
    before = live_blocks();
    for (int i = 0; i < TEST_THREADS; i++) {
        names[i] = str_new((char[]){ (char)('a' + i), 0 });
        publish(names[i]);
    }
    for (int i = 0; i < INSTANCES; i++) {
        shared[i] = instance_new(class);
        publish(shared[i]);
    }
    atomic_store_explicit(&arrived, 0, memory_order_relaxed);
    run_threads(store_first);
    for (int i = 0; i < INSTANCES; i++) {
        for (int k = 0; k < TEST_THREADS; k++)
            assert_int_equal(get_int(shared[i], str_text(names[k])), k);
        decref(shared[i]);
    }
    for (int i = 0; i < TEST_THREADS; i++)
        decref(names[i]);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(exact_count(class), 1);
    decref(method_name);
    decref(class);
}

static int session(void)
{
    struct object *class = class_new("Point", NULL), *init = NULL, *name = NULL, *o = NULL;
    struct object *method = NULL;
    int result = -1;

    if (class)
        init = function_new("__init__", store_x, 2, NULL);
    if (init)
        name = str_new("__init__");
    if (name && attribute_set(class, name, init) == 0)
        o = call(class, (borrowed[]){ name }, 1);
    if (o)
        method = attribute_get(o, name);
    if (method)
        result = attribute_delete(class, name);
    xdecref(method);
    xdecref(o);
    xdecref(name);
    xdecref(init);
    xdecref(class);
    return result;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_instance_holds_its_class),
        cmocka_unit_test(test_an_instance_has_attributes_of_its_own),
        cmocka_unit_test(test_then_its_class_is_asked_then_the_base),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_other_objects_have_no_attributes),
        cmocka_unit_test(test_a_function_of_the_class_is_bound),
        cmocka_unit_test(test_a_method_is_called_without_being_made),
        cmocka_unit_test(test_what_is_no_method_does_not_get_the_object),
        cmocka_unit_test(test_a_call_of_the_class_makes_an_instance),
        cmocka_unit_test(test_publishing_reaches_class_and_attributes),
        cmocka_unit_test(test_who_stores_second_uses_the_dict_of_the_first),
        cmocka_unit_test(test_no_thread_loses_the_first_store),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
