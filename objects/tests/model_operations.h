/* model_operations.h - what can be done to a world (model.h), to the objects and the model alike.
 *
 * An operation takes three numbers and makes the best of them: each is a slot from which
 * to look for an object of the kind that is wanted, or an index, or a value. If there is
 * no such object it does nothing. So every sequence of operations can be run, and so can
 * each that is left when some are taken out.
 *
 * A new type is a kind in model.h, and here its functions and their lines in the table.
 */
#ifndef OBJECTS_TESTS_MODEL_OPERATIONS_H
#define OBJECTS_TESTS_MODEL_OPERATIONS_H

#include "objects/copy.h"
#include "objects/tests/model.h"

enum { LENGTH_MOST = 24, NAMES = 6, OPERANDS = 3 };

typedef void operation_function(const unsigned x[OPERANDS]);

/* ---- what holds nothing ---- */

static inline void make_single(const unsigned x[])
{
    int id = (int)(x[1] % SINGLES);

    put(x[0], id, incref(object_of(id)));
}

static inline void put_int(unsigned slot, int64_t value, struct object *o /* steals */)
{
    int id = node_new(INT, o);

    node(id)->number = value;
    put(slot, id, o);
}

static inline void make_int(const unsigned x[])
{
    put_int(x[0], x[1] % 8, int_new(x[1] % 8));
}

static inline void put_float(unsigned slot, int64_t twice, struct object *o /* steals */)
{
    int id = node_new(FLOAT, o);

    node(id)->number = twice;
    put(slot, id, o);
}

static inline void make_float(const unsigned x[])
{
    put_float(x[0], x[1] % 8, float_new((double)(x[1] % 8) / 2));
}

static inline void put_text(unsigned slot, enum kind kind, const char *text,
                            struct object *o /* steals */)
{
    int id = node_new(kind, o);

    snprintf(node(id)->text, TEXT_BYTES, "%.*s", TEXT_BYTES - 1, text);
    put(slot, id, o);
}

static inline void make_str(const unsigned x[])
{
    char text[TEXT_BYTES];

    snprintf(text, sizeof text, "n%u", x[1] % NAMES);
    put_text(x[0], STR, text, str_new(text));
}

static inline void make_bytes(const unsigned x[])
{
    char text[TEXT_BYTES];

    snprintf(text, sizeof text, "b%u", x[1] % NAMES);
    put_text(x[0], BYTES, text, bytes_new(text, strlen(text)));
}

static inline void make_range(const unsigned x[])
{
    int id = node_new(RANGE, range_new(x[1] % 8, x[2] % 8));

    node(id)->number = x[1] % 8;
    node(id)->stop = x[2] % 8;
    put(x[0], id, object_of(id));
}

static inline void int_sum(const unsigned x[])
{
    int a = pick(x[1], OF(INT)), b = pick(x[2], ANY);
    struct object *o;

    if (a == NOBODY || node(a)->number > 1000)
        return;
    o = int_add(object_of(a), object_of(b));
    if (kind_of(b) == INT)
        put_int(x[0], node(a)->number + node(b)->number, o);
    else {
        must(!o);
        must_raise(&type_error);
    }
}

static inline void float_product(const unsigned x[])
{
    int a = pick(x[1], OF(FLOAT)), b = pick(x[2], OF(FLOAT));

    if (a == NOBODY || node(a)->number % 2 || node(a)->number > 1000 || node(b)->number > 1000)
        return;
    put_float(x[0], node(a)->number / 2 * node(b)->number,
              float_multiply(object_of(a), object_of(b)));
}

static inline void concat(const unsigned x[])
{
    int a = pick(x[1], OF(STR) | OF(BYTES)), b = a == NOBODY ? a : pick(x[2], OF(kind_of(a)));
    char text[2 * TEXT_BYTES];

    if (a == NOBODY || strlen(node(a)->text) + strlen(node(b)->text) >= TEXT_BYTES)
        return;
    snprintf(text, sizeof text, "%s%s", node(a)->text, node(b)->text);
    put_text(x[0], kind_of(a), text,
             kind_of(a) == STR ? str_concat(object_of(a), object_of(b))
                               : bytes_concat(object_of(a), object_of(b)));
}

static inline void str_of(const unsigned x[])
{
    int id = pick(x[1], OF(INT));
    char text[TEXT_BYTES];

    if (id == NOBODY)
        return;
    snprintf(text, sizeof text, "%lld", (long long)node(id)->number);
    put_text(x[0], STR, text, str_of_number(object_of(id)));
}

/* ---- slots ---- */

static inline void copy_slot(const unsigned x[])
{
    int id = pick(x[1], ANY);

    if (id != NOBODY)
        put(x[0], id, incref(object_of(id)));
}

static inline void drop_slot(const unsigned x[])
{
    put(x[0], NOBODY, NULL);
}

/* ---- lists and tuples ---- */

static inline void make_list(const unsigned x[])
{
    put_new(x[0], LIST, list_new());
}

static inline int pick_growing(unsigned from, enum kind kind)
{
    int id = pick(from, OF(kind));

    return id == NOBODY || node(id)->length >= LENGTH_MOST ? NOBODY : id;
}

static inline void append(const unsigned x[])
{
    int list = pick_growing(x[0], LIST), item = pick(x[1], ANY);

    if (list == NOBODY)
        return;
    must(list_append(object_of(list), object_of(item)) == 0);
    hold(list, item);
}

static inline void extend(const unsigned x[])
{
    int list = pick_growing(x[0], LIST), other = pick_growing(x[1], LIST), count;

    if (list == NOBODY || other == NOBODY)
        return;
    count = node(other)->length;
    must(list_extend(object_of(list), object_of(other)) == 0);
    for (int i = 0; i < count; i++)
        hold(list, node(other)->held[i]);
}

/* One more than there are, so that there is not always one. */
static inline void set_item(const unsigned x[])
{
    int list = pick(x[0], OF(LIST)), item = pick(x[1], ANY), i;

    if (list == NOBODY)
        return;
    i = (int)x[2] % (node(list)->length + 1);
    if (list_set(object_of(list), (size_t)i, object_of(item)) < 0) {
        must(i == node(list)->length);
        must_raise(&index_error);
    } else {
        must(i < node(list)->length);
        node(list)->held[i] = item;
    }
}

static inline void get_item(const unsigned x[])
{
    int list = pick(x[1], OF(LIST)), i;
    struct object *item;

    if (list == NOBODY)
        return;
    i = (int)x[2] % (node(list)->length + 1);
    item = list_get(object_of(list), (size_t)i);
    if (i < node(list)->length)
        put_expected(x[0], node(list)->held[i], item);
    else {
        must(!item);
        must_raise(&index_error);
    }
}

static inline void pop(const unsigned x[])
{
    int list = pick(x[1], OF(LIST)), item;
    struct object *o;

    if (list == NOBODY)
        return;
    o = list_pop(object_of(list));
    if (node(list)->length == 0) {
        must(!o);
        must_raise(&index_error);
        return;
    }
    item = node(list)->held[node(list)->length - 1];
    let_go(list, node(list)->length - 1, 1);
    put_expected(x[0], item, o);
}

static inline void make_tuple(const unsigned x[])
{
    struct object *items[LENGTH_MOST];
    int ids[LENGTH_MOST], count = (int)x[2] % 4, id;

    for (int i = 0; i < count; i++) {
        ids[i] = pick(x[1] + (unsigned)i, ANY);
        if (ids[i] == NOBODY)
            return;
        items[i] = object_of(ids[i]);
    }
    id = node_new(TUPLE, tuple_new((size_t)count, items));
    for (int i = 0; i < count; i++)
        hold(id, ids[i]);
    put(x[0], id, object_of(id));
}

static inline void put_row(unsigned slot, enum kind kind, int of, int step,
                           struct object *o /* steals */)
{
    int id = node_new(kind, o);

    for (int i = 0; i < node(of)->length; i += step)
        hold(id, node(of)->held[i]);
    put(slot, id, o);
}

static inline void to_list(const unsigned x[])
{
    int of = pick(x[1], OF(TUPLE) | OF(LIST) | OF(DICT));

    if (of != NOBODY)
        put_row(x[0], LIST, of, kind_of(of) == DICT ? 2 : 1, list_from(object_of(of)));
}

static inline void to_tuple(const unsigned x[])
{
    int of = pick(x[1], OF(TUPLE) | OF(LIST) | OF(DICT));

    if (of == NOBODY)
        return;
    if (kind_of(of) == TUPLE)
        put_expected(x[0], of, tuple_from(object_of(of)));
    else
        put_row(x[0], TUPLE, of, kind_of(of) == DICT ? 2 : 1, tuple_from(object_of(of)));
}

static inline void tuple_item(const unsigned x[])
{
    int tuple = pick(x[1], OF(TUPLE)), i;

    if (tuple == NOBODY || node(tuple)->length == 0)
        return;
    i = (int)x[2] % node(tuple)->length;
    put_expected(x[0], node(tuple)->held[i], incref(tuple_get(object_of(tuple), (size_t)i)));
}

/* ---- dicts ---- */

static inline void make_dict(const unsigned x[])
{
    put_new(x[0], DICT, dict_new());
}

static inline void set_key(const unsigned x[])
{
    int dict = pick_growing(x[0], DICT), key = pick(x[1], ANY), value = pick(x[2], ANY);

    if (dict == NOBODY)
        return;
    if (dict_set(object_of(dict), object_of(key), object_of(value)) < 0) {
        must(!model_hashable(key));
        must_raise(&type_error);
    } else {
        must(model_hashable(key));
        model_dict_set(dict, key, value);
    }
}

static inline void get_key(const unsigned x[])
{
    int dict = pick(x[1], OF(DICT)), key = pick(x[2], ANY), i;
    struct object *value;

    if (dict == NOBODY)
        return;
    value = dict_get(object_of(dict), object_of(key));
    if (!model_hashable(key)) {
        must(!value);
        must_raise(&type_error);
        return;
    }
    i = find_key(dict, key);
    must(dict_contains(object_of(dict), object_of(key)) == (i != NOBODY));
    if (i != NOBODY) {
        put_expected(x[0], node(dict)->held[i + 1], value);
        return;
    }
    must(!value && exception_value(exception_pending()) == object_of(key));
    must_raise(&key_error);
}

/* One of its own, every other time, for chance hits few. */
static inline int some_key(int dict, int other, const unsigned x[])
{
    if (x[2] % 2 == 0 || node(dict)->length == 0)
        return other;
    return node(dict)->held[x[1] % (unsigned)node(dict)->length & ~1u];
}

static inline void delete_key(const unsigned x[])
{
    int dict = pick(x[0], OF(DICT)), key = pick(x[1], ANY), i, result;

    if (dict == NOBODY)
        return;
    key = some_key(dict, key, x);
    result = dict_delete(object_of(dict), object_of(key));
    i = model_hashable(key) ? find_key(dict, key) : NOBODY;
    must((result == 0) == (i != NOBODY));
    if (i == NOBODY) {
        must_raise(model_hashable(key) ? &key_error : &type_error);
        return;
    }
    let_go(dict, i, 2);
    node(dict)->number++;
}

/* ---- sets ---- */

static inline void make_set(const unsigned x[])
{
    put_new(x[0], SET, set_new());
}

static inline void add_key(const unsigned x[])
{
    int set = pick_growing(x[0], SET), key = pick(x[1], ANY);

    if (set == NOBODY)
        return;
    if (set_add(object_of(set), object_of(key)) < 0) {
        must(!model_hashable(key));
        must_raise(&type_error);
    } else {
        must(model_hashable(key));
        model_dict_set(set, key, NONE);
    }
}

static inline void discard_key(const unsigned x[])
{
    int set = pick(x[0], OF(SET)), key = pick(x[1], ANY), i, result;

    if (set == NOBODY)
        return;
    key = some_key(set, key, x);
    result = set_discard(object_of(set), object_of(key));
    if (!model_hashable(key)) {
        must(result < 0);
        must_raise(&type_error);
        return;
    }
    i = find_key(set, key);
    must(result == (i != NOBODY));
    if (result)
        let_go(set, i, 2);
}

/* ---- cells and functions ---- */

static inline void make_cell(const unsigned x[])
{
    int held = x[2] % 4 ? pick(x[1], ANY) : NOBODY, id;

    id = node_new(CELL, cell_new(held == NOBODY ? NULL : object_of(held)));
    hold(id, held);
    put(x[0], id, object_of(id));
}

static inline void set_cell(const unsigned x[])
{
    int cell = pick(x[0], OF(CELL)), held = x[2] % 4 ? pick(x[1], ANY) : NOBODY;

    if (cell == NOBODY)
        return;
    cell_set(object_of(cell), held == NOBODY ? NULL : object_of(held));
    node(cell)->held[0] = held;
}

static inline void get_cell(const unsigned x[])
{
    int cell = pick(x[1], OF(CELL));
    struct object *held;

    if (cell == NOBODY)
        return;
    held = cell_get(object_of(cell));
    if (node(cell)->held[0] == NOBODY) {
        must(!held);
        must_raise(&value_error);
    } else
        put_expected(x[0], node(cell)->held[0], held);
}

/* Gives its last argument, or its closure, or None. As a callback it notes that it was
 * called: the node begins with what the heap is told to write to. */
static inline struct object *last_argument(borrowed closure, borrowed const *arguments,
                                           size_t count)
{
    if (count == 0)
        return closure ? incref(closure) : none();
    if (type_of(arguments[0]) == &weakref_type) {
        struct prefix *prefix = (struct prefix *)((uintptr_t)arguments[0] - PREFIX_BYTES);

        atomic_fetch_add_explicit(&((struct node *)prefix->freed)->called, 1, memory_order_relaxed);
    }
    return incref(arguments[count - 1]);
}

static inline void make_function(const unsigned x[])
{
    int closure = x[2] % 2 ? pick(x[1], ANY) : NOBODY, id;

    id = node_new(FUNCTION, function_new("last_argument", last_argument, ARGUMENTS_ANY,
                                         closure == NOBODY ? NULL : object_of(closure)));
    hold(id, closure);
    put(x[0], id, object_of(id));
}

static inline void put_method(unsigned slot, int function, int self, struct object *o /* steals */)
{
    int id = node_new(METHOD, o);

    hold(id, function);
    hold(id, self);
    put(slot, id, o);
}

static inline void make_method(const unsigned x[])
{
    int function = pick(x[1], OF(FUNCTION)), self = pick(x[2], ANY);

    if (function != NOBODY)
        put_method(x[0], function, self, method_new(object_of(function), object_of(self)));
}

/* Not with a weak reference alone, which would look like a callback. */
static inline void call_it(const unsigned x[])
{
    int callable = pick(x[1], OF(FUNCTION) | OF(METHOD)), argument = pick(x[2], ~OF(WEAKREF));
    int expected, self;

    if (callable == NOBODY)
        return;
    self = kind_of(callable) == METHOD ? node(callable)->held[1] : NOBODY;
    if (self != NOBODY && kind_of(self) == WEAKREF)
        return;
    expected = argument != NOBODY ? argument : self != NOBODY ? self : node(callable)->held[0];
    put_expected(x[0], expected == NOBODY ? NONE : expected,
                 call(object_of(callable),
                      (borrowed[]){ argument == NOBODY ? NULL : object_of(argument) },
                      argument != NOBODY));
}

/* ---- classes and instances ---- */

static inline void adopt(borrowed held, void *id)
{
    int child = known(held);

    if (child == NOBODY)
        child = node_new(type_of(held) == &str_type ? STR : DICT, (struct object *)held);
    if (kind_of(child) == STR)
        snprintf(node(child)->text, TEXT_BYTES, "%s", str_text(held));
    hold(*(int *)id, child);
}

static inline void make_class(const unsigned x[])
{
    int base = x[2] % 2 ? pick(x[1], OF(CLASS)) : NOBODY;
    struct object *o = class_new("C", base == NOBODY ? NULL : object_of(base));
    int id = node_new(CLASS, o);

    class_type.traverse(o, adopt, &id);
    must(node(id)->length == (base == NOBODY ? 3 : 4));
    put(x[0], id, o);
}

static inline void make_instance(const unsigned x[])
{
    int class = pick(x[1], OF(CLASS)), id;

    if (class == NOBODY)
        return;
    id = node_new(INSTANCE,
                  x[2] % 2 ? instance_new(object_of(class)) : call(object_of(class), NULL, 0));
    hold(id, class);
    must(instance_class(object_of(id)) == object_of(class));
    put(x[0], id, object_of(id));
}

/* Where the attributes of an instance or a class are, or NOBODY. */
static inline int dict_of(int id)
{
    const struct node *n = node(id);

    return n->length == 1 ? NOBODY : n->held[n->length - 1];
}

static inline void set_attribute(const unsigned x[])
{
    int id = pick(x[0], OF(INSTANCE) | OF(CLASS)), name = pick(x[1], OF(STR));
    int value = pick(x[2], ANY);

    if (id == NOBODY || name == NOBODY)
        return;
    must(attribute_set(object_of(id), object_of(name), object_of(value)) == 0);
    if (dict_of(id) == NOBODY)
        hold(id, node_new(DICT, (struct object *)instance_dict(object_of(id))));
    model_dict_set(dict_of(id), name, value);
}

/* What `id` or its classes have of this name, or NOBODY. *found_in: who has it. */
static inline int look_up_attribute(int id, int name, int *found_in)
{
    while (id != NOBODY) {
        int dict = dict_of(id), i = dict == NOBODY ? NOBODY : find_key(dict, name);

        *found_in = id;
        if (i != NOBODY)
            return node(dict)->held[i + 1];
        if (kind_of(id) == INSTANCE)
            id = node(id)->held[0];
        else
            id = node(id)->length == 4 ? node(id)->held[2] : NOBODY;
    }
    return NOBODY;
}

static inline void get_attribute(const unsigned x[])
{
    int id = pick(x[1], OF(INSTANCE) | OF(CLASS)), name = pick(x[2], OF(STR)), value, found_in;
    struct object *o;

    if (id == NOBODY || name == NOBODY)
        return;
    o = attribute_get(object_of(id), object_of(name));
    value = look_up_attribute(id, name, &found_in);
    if (value == NOBODY) {
        must(!o);
        must_raise(&attribute_error);
    } else if (kind_of(value) == FUNCTION && kind_of(id) == INSTANCE && found_in != id)
        put_method(x[0], value, id, o);
    else
        put_expected(x[0], value, o);
}

static inline void delete_attribute(const unsigned x[])
{
    int id = pick(x[0], OF(INSTANCE) | OF(CLASS)), name = pick(x[1], OF(STR)), dict, i;

    if (id == NOBODY || name == NOBODY)
        return;
    dict = dict_of(id);
    i = dict == NOBODY ? NOBODY : find_key(dict, name);
    if (attribute_delete(object_of(id), object_of(name)) < 0) {
        must(i == NOBODY);
        must_raise(&attribute_error);
        return;
    }
    must(i != NOBODY);
    let_go(dict, i, 2);
    node(dict)->number++;
}

/* ---- exceptions ---- */

enum { VALUE, CAUSE, CONTEXT };

static inline void make_exception(const unsigned x[])
{
    static const struct type *const some[] = { &value_error, &os_error, &runtime_error };
    int id = node_new(EXCEPTION, exception_new(some[x[1] % 3], "number %u", x[2]));

    hold(id, NONE);
    hold(id, NOBODY);
    hold(id, NOBODY);
    put(x[0], id, object_of(id));
}

static inline void set_cause(const unsigned x[])
{
    int id = pick(x[0], OF(EXCEPTION)), cause = x[2] % 4 ? pick(x[1], OF(EXCEPTION)) : NOBODY;

    if (id == NOBODY)
        return;
    exception_set_cause(object_of(id), cause == NOBODY ? NULL : object_of(cause));
    node(id)->held[CAUSE] = cause;
}

/* Python takes the new one out of the old one's chain, so that there is no circle. */
static inline void model_raise(int id, int handled)
{
    int at = handled;

    if (id == handled)
        return;
    while (at != NOBODY && node(at)->held[CONTEXT] != id)
        at = node(at)->held[CONTEXT];
    if (at != NOBODY)
        node(at)->held[CONTEXT] = NOBODY;
    node(id)->held[CONTEXT] = handled;
}

static inline void raise_while_handling(const unsigned x[])
{
    int id = pick(x[0], OF(EXCEPTION)), handled = pick(x[1], OF(EXCEPTION));
    struct handling h;
    struct object *o;

    if (id == NOBODY)
        return;
    exception_handle_begin(&h, incref(object_of(handled)));
    exception_raise(incref(object_of(id)));
    exception_handle_end(&h);
    o = exception_take();
    must(o == object_of(id));
    decref(o);
    model_raise(id, handled);
}

static inline void get_origin(const unsigned x[])
{
    int id = pick(x[1], OF(EXCEPTION)), expected;
    struct object *o;

    if (id == NOBODY)
        return;
    expected = node(id)->held[x[2] % 2 ? CAUSE : CONTEXT];
    o = x[2] % 2 ? exception_cause(object_of(id)) : exception_context(object_of(id));
    if (expected == NOBODY)
        must(!o);
    else
        put_expected(x[0], expected, o);
}

/* ---- weak references ---- */

static inline void make_weakref(const unsigned x[])
{
    int referent = pick(x[1], ~OF(SINGLE)), callback = x[2] % 3 ? NOBODY : pick(x[2], OF(FUNCTION));
    int id;

    if (referent == NOBODY)
        return;
    id = node_new(
        WEAKREF, weakref_new(object_of(referent), callback == NOBODY ? NULL : object_of(callback)));
    node(id)->referent = referent;
    node(id)->calls = callback != NOBODY;
    hold(id, callback);
    put(x[0], id, object_of(id));
}

/* It was given up, but the policy had not noticed: with it lives what it holds. */
static inline void revive(int id)
{
    node(id)->gone = false;
    for (int i = 0; i < node(id)->length; i++)
        if (node(id)->held[i] != NOBODY && node(node(id)->held[i])->gone)
            revive(node(id)->held[i]);
}

static inline void upgrade(const unsigned x[])
{
    int id = pick(x[1], OF(WEAKREF)), referent;
    struct object *o;

    if (id == NOBODY)
        return;
    referent = node(id)->referent;
    o = weakref_get(object_of(id));
    world_count();
    if (!o) {
        must(world->alone ? node(referent)->gone : !node(referent)->reached);
        return;
    }
    if (node(referent)->gone) {
        must(RC_HAS_LATE && !node(referent)->collected);
        revive(referent);
    }
    put_expected(x[0], referent, o);
}

/* ---- iterators ---- */

static inline void make_iterator(const unsigned x[])
{
    int over = pick(x[1], OF(LIST) | OF(TUPLE) | OF(DICT) | OF(RANGE) | OF(STR) | OF(BYTES)), id;

    if (over == NOBODY)
        return;
    id = node_new(ITERATOR, iterate(object_of(over)));
    node(id)->version = node(over)->number;
    node(id)->stop = node(over)->length / 2;
    hold(id, over);
    put(x[0], id, object_of(id));
}

/* What comes next, or NOBODY, of what is iterated over in order. */
static inline int next_of(int iterator)
{
    const struct node *it = node(iterator), *over = node(it->held[0]);
    int64_t i = over->kind == DICT ? 2 * it->number : it->number;

    return !it->ended && i < over->length ? over->held[i] : NOBODY;
}

static inline void step_in_order(unsigned slot, int iterator, enum step step, struct object *o)
{
    int expected = next_of(iterator);

    if (expected == NOBODY) {
        must(step == STEP_RETURN && o == none());
        node(iterator)->ended = true;
        return;
    }
    must(step == STEP_NEXT);
    node(iterator)->number++;
    put_expected(slot, expected, o);
}

/* The items of these are made as they are asked for. */
static inline void step_made(unsigned slot, int iterator, enum step step, struct object *o)
{
    struct node *it = node(iterator);
    const struct node *over = node(it->held[0]);
    int64_t i = it->number;
    bool there =
        over->kind == RANGE ? over->number + i < over->stop : i < (int64_t)strlen(over->text);

    must(step == (there ? STEP_NEXT : STEP_RETURN));
    if (!there)
        return;
    it->number++;
    if (over->kind == RANGE)
        put_int(slot, over->number + i, o);
    else if (over->kind == BYTES)
        put_int(slot, over->text[i], o);
    else
        put_text(slot, STR, (char[]){ over->text[i], 0 }, o);
}

/* Keys have come and gone. Another number of them is an error for good; of as many it may give
 * any, or end, or be an error once. */
static inline void step_changed(unsigned slot, int iterator, enum step step, struct object *o)
{
    struct node *it = node(iterator);
    int dict = it->held[0];

    it->broken = it->broken || (!it->ended && it->stop != node(dict)->length / 2);
    if (it->ended) {
        must(step == STEP_RETURN);
    } else if (it->broken || step == STEP_ERROR) {
        must(step == STEP_ERROR);
        must_raise(&runtime_error);
        it->ended = !it->broken;
    } else if (step == STEP_RETURN) {
        it->ended = true;
    } else {
        int key = known(o), i = find_key(dict, key);

        must(i != NOBODY && node(dict)->held[i] == key);
        put_expected(slot, key, o);
    }
}

static inline void step_iterator(const unsigned x[])
{
    int id = pick(x[1], OF(ITERATOR)), over;
    struct object *o;
    enum step step;

    if (id == NOBODY)
        return;
    over = node(id)->held[0];
    step = iterator_step(object_of(id), &o);
    if (kind_of(over) == DICT && (node(id)->broken || node(id)->version != node(over)->number))
        step_changed(x[0], id, step, o);
    else if (OF(kind_of(over)) & (OF(LIST) | OF(TUPLE) | OF(DICT)))
        step_in_order(x[0], id, step, o);
    else
        step_made(x[0], id, step, o);
}

/* ---- copies ---- */

struct model_copying {
    bool impossible;
    int made[NODES_MOST]; /* the copy of a node; NOBODY: none yet */
};

static inline int model_copy(struct model_copying *c, int id);

static inline void copy_what_is_held(struct model_copying *c, int from, int to)
{
    for (int i = 0; i < node(from)->length && !c->impossible; i++)
        hold(to, model_copy(c, node(from)->held[i]));
}

/* A dict that is empty is not copied, for the copy gets its own with the first attribute. */
static inline void copy_attributes(struct model_copying *c, int from, int to)
{
    int dict = dict_of(from), copy;

    hold(to, node(from)->held[0]);
    if (dict == NOBODY || node(dict)->length == 0)
        return;
    copy = node_reserve(DICT);
    hold(to, copy);
    for (int i = 0; i < node(dict)->length && !c->impossible; i += 2) {
        int value = model_copy(c, node(dict)->held[i + 1]);

        if (!c->impossible)
            model_dict_set(copy, node(dict)->held[i], value);
    }
}

/* A new one if one of its items is; one of them may have made it already. */
static inline int copy_tuple_node(struct model_copying *c, int id)
{
    int items[LENGTH_MOST * 2], copy, length = node(id)->length;
    bool changed = false;

    for (int i = 0; i < length; i++) {
        items[i] = model_copy(c, node(id)->held[i]);
        if (c->impossible)
            return NOBODY;
        changed = changed || items[i] != node(id)->held[i];
    }
    if (!changed || c->made[id] != NOBODY)
        return c->made[id] == NOBODY ? id : c->made[id];
    copy = node_reserve(TUPLE);
    for (int i = 0; i < length; i++)
        hold(copy, items[i]);
    return copy;
}

static inline int model_copy(struct model_copying *c, int id)
{
    if (!(OF(kind_of(id)) & (OF(LIST) | OF(DICT) | OF(INSTANCE) | OF(TUPLE) | OF(SET) | OF(CELL) |
                             OF(METHOD) | OF(EXCEPTION) | OF(ITERATOR))))
        return id;
    if (c->made[id] != NOBODY)
        return c->made[id];
    switch (kind_of(id)) {
    case LIST:
    case DICT:
        c->made[id] = node_reserve(kind_of(id));
        copy_what_is_held(c, id, c->made[id]);
        break;
    case INSTANCE:
        c->made[id] = node_reserve(INSTANCE);
        copy_attributes(c, id, c->made[id]);
        break;
    case TUPLE:
        c->made[id] = copy_tuple_node(c, id);
        break;
    default:
        c->impossible = true;
    }
    return c->made[id];
}

static inline void bind_copy(int id, struct object *o);

static inline void bind_held(borrowed held, void *argument)
{
    struct visited *v = argument;

    must(v->next < node(v->of)->length);
    bind_copy(node(v->of)->held[v->next++], (struct object *)held);
}

/* Finds the objects of the nodes that have none, by what holds them. */
static inline void bind_copy(int id, struct object *o)
{
    struct visited v = { .of = id };

    must(o);
    if (object_of(id)) {
        must(object_of(id) == o);
        return;
    }
    bind(id, o);
    type_of(o)->traverse(o, bind_held, &v);
    must(v.next == node(id)->length);
}

static inline void collect_all(const unsigned x[]);

static inline void forget_nodes(int from)
{
    while (world->count > from)
        free(node(--world->count)->held);
}

/* What is in cycles of the unfinished copy is garbage, and not in the model. Among other
 * threads it might not be collected now, so there nothing is copied. */
static inline void fail_to_copy(int id)
{
    if (!world->alone)
        return;
    must(!deep_copy(object_of(id)));
    must_raise(&type_error);
    collect_all(NULL);
}

static inline void copy_deeply(const unsigned x[])
{
    static _Thread_local struct model_copying c;
    int id = pick(x[1], ANY), before = world->count, copy;
    struct object *o;

    if (id == NOBODY || !room_for(world->count))
        return;
    c.impossible = false;
    for (int i = 0; i < world->count; i++)
        c.made[i] = NOBODY;
    copy = model_copy(&c, id);
    if (c.impossible) {
        forget_nodes(before);
        fail_to_copy(id);
        return;
    }
    o = deep_copy(object_of(id));
    bind_copy(copy, o);
    put(x[0], copy, o);
}

/* ---- sharing, and time ---- */

static inline void publish_it(const unsigned x[])
{
    int id = pick(x[0], ANY);

    if (id != NOBODY)
        publish(object_of(id));
}

static inline void mark_it_hot(const unsigned x[])
{
    int id = pick(x[0], ~OF(SINGLE));

    if (id == NOBODY)
        return;
    publish(object_of(id));
    mark_hot(object_of(id));
    node(id)->eternal = RC_COUNT_MOST < INT64_MAX;
}

static inline void pass_safe_point(const unsigned x[])
{
    (void)x;
    safepoint(thread_self);
}

static inline void detach_and_attach(const unsigned x[])
{
    (void)x;
    thread_detach(thread_self);
    thread_attach(thread_self);
}

static inline void stop_the_world(const unsigned x[])
{
    (void)x;
    world_stop(thread_self);
    rc_quiesce();
    world_start(thread_self);
}

static inline uint64_t count_lost(void)
{
    uint64_t count = 0;

    world_count();
    for (int id = 0; id < world->count; id++)
        count += lost(id) && object_of(id)->tracked;
    return count;
}

static inline void collect_all(const unsigned x[])
{
    uint64_t garbage, found;

    if (!world->alone) {
        collect(GENERATION_ALL);
        return;
    }
    pass_safe_points();
    settle_heap();
    garbage = count_lost();
    found = collect(GENERATION_ALL);
    must(x ? found == garbage : found >= garbage);
    pass_safe_points();
    settle_heap();
    world_collected(true);
}

/* How much is young is the collector's business. */
static inline void collect_young(const unsigned x[])
{
    (void)x;
    collect(GENERATION_YOUNG);
    if (!world->alone)
        return;
    pass_safe_points();
    settle_heap();
    world_collected(false);
}

static inline void check(const unsigned x[])
{
    (void)x;
    world_check();
}

/* ---- faults ---- */

/* Chance makes none of these: they are planted to see whether they are found. The object gets
 * a reference that nobody has. */
static inline void fault_leak(const unsigned x[])
{
    int list = pick(x[0], OF(LIST));

    if (list != NOBODY && node(list)->length > 1)
        incref(object_of(node(list)->held[1]));
}

/* A value is dropped that the dict still holds. */
static inline void fault_free_early(const unsigned x[])
{
    int dict = pick(x[0], OF(DICT));

    if (dict != NOBODY && node(dict)->length)
        decref(object_of(node(dict)->held[1]));
}

/* The program ends where a weak reference leads to a set. */
static inline void fault_crash(const unsigned x[])
{
    int id = pick(x[0], OF(WEAKREF));

    if (id != NOBODY && kind_of(node(id)->referent) == SET)
        abort();
}

/* ---- the table ---- */

static const struct operation {
    const char *name;
    operation_function *run;
    int weight; /* how often, among the others */
} operations[] = {
    { "make_single", make_single, 4 },
    { "make_int", make_int, 8 },
    { "make_float", make_float, 4 },
    { "make_str", make_str, 10 },
    { "make_bytes", make_bytes, 3 },
    { "make_range", make_range, 2 },
    { "int_sum", int_sum, 3 },
    { "float_product", float_product, 2 },
    { "concat", concat, 3 },
    { "str_of", str_of, 2 },
    { "copy_slot", copy_slot, 12 },
    { "drop_slot", drop_slot, 16 },
    { "make_list", make_list, 8 },
    { "append", append, 20 },
    { "extend", extend, 6 },
    { "set_item", set_item, 8 },
    { "get_item", get_item, 8 },
    { "pop", pop, 8 },
    { "make_tuple", make_tuple, 8 },
    { "to_list", to_list, 3 },
    { "to_tuple", to_tuple, 3 },
    { "tuple_item", tuple_item, 4 },
    { "make_dict", make_dict, 6 },
    { "set_key", set_key, 20 },
    { "get_key", get_key, 8 },
    { "delete_key", delete_key, 8 },
    { "make_set", make_set, 5 },
    { "add_key", add_key, 14 },
    { "discard_key", discard_key, 6 },
    { "make_cell", make_cell, 4 },
    { "set_cell", set_cell, 5 },
    { "get_cell", get_cell, 3 },
    { "make_function", make_function, 4 },
    { "make_method", make_method, 2 },
    { "call", call_it, 4 },
    { "make_class", make_class, 3 },
    { "make_instance", make_instance, 6 },
    { "set_attribute", set_attribute, 12 },
    { "get_attribute", get_attribute, 8 },
    { "delete_attribute", delete_attribute, 4 },
    { "make_exception", make_exception, 5 },
    { "set_cause", set_cause, 4 },
    { "raise_while_handling", raise_while_handling, 6 },
    { "get_origin", get_origin, 3 },
    { "make_weakref", make_weakref, 10 },
    { "upgrade", upgrade, 10 },
    { "make_iterator", make_iterator, 6 },
    { "step_iterator", step_iterator, 16 },
    { "deep_copy", copy_deeply, 3 },
    { "publish", publish_it, 4 },
    { "mark_hot", mark_it_hot, 2 },
    { "safe_point", pass_safe_point, 4 },
    { "detach", detach_and_attach, 3 },
    { "stop_world", stop_the_world, 1 },
    { "collect", collect_all, 2 },
    { "collect_young", collect_young, 2 },
    { "check", check, 6 },
    { "fault_leak", fault_leak, 0 },
    { "fault_free_early", fault_free_early, 0 },
    { "fault_crash", fault_crash, 0 },
};

enum { OPERATIONS = sizeof operations / sizeof *operations };

#endif
