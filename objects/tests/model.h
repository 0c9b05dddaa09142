/* model.h - what objects ought to look like, as plain data.
 *
 * A world is a few slots, each of which owns a reference to an object or is empty, and
 * a node for every object that operations on the slots have made: what kind it is, what
 * it is worth, which nodes it holds. Nothing in it is counted. How many references an
 * object must have, and whether it must have been destroyed, is worked out from the slots
 * and from what holds what, each time when it is asked for:
 *
 *   reached   from a slot: alive
 *   lost      not reached, but in a cycle or held by one: alive until it is collected
 *   gone      neither: destroyed, once the policy has had its safe points
 *
 * `world_check` compares all of it with the objects. Whatever differs ends the process,
 * for the one that looks on (script.h) cannot trust it any more.
 */
#ifndef OBJECTS_TESTS_MODEL_H
#define OBJECTS_TESTS_MODEL_H

#include "objects/bool.h"
#include "objects/bytes.h"
#include "objects/cell.h"
#include "objects/class.h"
#include "objects/collector.h"
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

#include <string.h>
#include <unistd.h>

enum { NODES_MOST = 2048, SLOTS = 10, TEXT_BYTES = 24, NOBODY = -1 };

enum kind {
    SINGLE, /* None, True, False: the first nodes, which nobody counts */
    INT,
    FLOAT,
    STR,
    BYTES,
    RANGE,
    TUPLE, /* from here on, containers */
    LIST,
    DICT,
    SET,
    CELL,
    FUNCTION,
    METHOD,
    CLASS,
    INSTANCE,
    EXCEPTION,
    WEAKREF,
    ITERATOR,
    KINDS,
};

enum { NONE, TRUE, FALSE, SINGLES };

/* A set of kinds. */
#define OF(kind) (1u << (kind))
#define ANY (~0u)

struct node {
    _Atomic bool freed; /* first: the heap sets it, and a callback finds its node by it */
    _Atomic int called; /* of a weakref: how often its callback was */
    enum kind kind;
    struct object *object; /* not to be touched once `gone` */
    int64_t number;        /* of an int; a float's, twice; a range's start; how often the keys of
                            * a dict were others; an iterator's position */
    int64_t stop;          /* a range's; of a dict's iterator, how many keys there were */
    int64_t version;       /* of a dict's iterator: the dict's number when it was made */
    bool ended, broken;    /* of an iterator: for good; in an error for good */
    char text[TEXT_BYTES]; /* of a str or bytes */
    int *held;             /* in the order in which the type visits them; NOBODY: none there */
    int length, room;      /* of `held`; an exception has value, cause, context */
    int referent;          /* of a weakref */
    bool calls;            /* a weakref with a callback */
    bool eternal;          /* made immortal: it has no count, and lives to the end */
    bool collected;        /* it was in a cycle, or held by one, when it went */
    bool silent;           /* it was found by a collection, so no callback is called */
    bool reached, gone;
    int64_t references; /* worked out by world_count */
    int64_t certain;    /* of them: from what is reached */
};

struct world {
    bool alone; /* no other thread: what is gone has been destroyed when we have settled */
    int step;
    const char *doing;
    int64_t objects_before;
    int slot[SLOTS];
    int count;
    struct node node[NODES_MOST];
};

static _Thread_local struct world *world;

/* ---- complaints ---- */

__attribute__((noreturn, format(printf, 1, 2))) static inline void wrong(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "step %d, %s: ", world->step, world->doing);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    _exit(1);
}

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            wrong("%s:%d: %s", __FILE__, __LINE__, #condition);                                    \
    } while (0)

/* Such an exception is pending; takes it away. */
static inline void must_raise(const struct type *kind)
{
    if (!exception_matches(kind))
        wrong("expected %s, got %s", kind->name,
              exception_pending() ? type_of(exception_pending())->name : "nothing");
    exception_restore(NULL);
}

/* ---- kinds ---- */

static const struct {
    const char *name;
    const struct type *type; /* NULL: more than one, or private */
} kinds[KINDS] = {
    [SINGLE] = { "single", NULL },
    [INT] = { "int", &int_type },
    [FLOAT] = { "float", &float_type },
    [STR] = { "str", &str_type },
    [BYTES] = { "bytes", &bytes_type },
    [RANGE] = { "range", &range_type },
    [TUPLE] = { "tuple", &tuple_type },
    [LIST] = { "list", &list_type },
    [DICT] = { "dict", &dict_type },
    [SET] = { "set", &set_type },
    [CELL] = { "cell", &cell_type },
    [FUNCTION] = { "function", &function_type },
    [METHOD] = { "method", &method_type },
    [CLASS] = { "class", &class_type },
    [INSTANCE] = { "instance", &instance_type },
    [EXCEPTION] = { "exception", NULL },
    [WEAKREF] = { "weakref", &weakref_type },
    [ITERATOR] = { "iterator", NULL },
};

static inline struct node *node(int id)
{
    return &world->node[id];
}

static inline enum kind kind_of(int id)
{
    return node(id)->kind;
}

static inline struct object *object_of(int id)
{
    return node(id)->object;
}

static inline void hold(int id, int held)
{
    struct node *n = node(id);

    if (n->length == n->room) {
        n->room = n->room ? 2 * n->room : 4;
        n->held = realloc(n->held, (size_t)n->room * sizeof *n->held);
        if (!n->held)
            abort();
    }
    n->held[n->length++] = held;
}

/* Lets go of `count` from `index` on. */
static inline void let_go(int id, int index, int count)
{
    struct node *n = node(id);

    n->length -= count;
    memmove(n->held + index, n->held + index + count,
            (size_t)(n->length - index) * sizeof *n->held);
}

static inline void bind(int id, struct object *o)
{
    const struct type *type = kinds[kind_of(id)].type;

    if (!o)
        wrong("there is no %s, but %s", kinds[kind_of(id)].name,
              exception_pending() ? type_of(exception_pending())->name : "no exception");
    must(!type || type_of(o) == type);
    node(id)->object = o;
    if (!uncounted(o))
        tell_freed(o, &node(id)->freed);
}

/* Of which the object is still to be bound. */
static inline int node_reserve(enum kind kind)
{
    must(world->count < NODES_MOST);
    *node(world->count) = (struct node){ .kind = kind, .referent = NOBODY };
    return world->count++;
}

static inline int node_new(enum kind kind, struct object *o)
{
    int id = node_reserve(kind);

    bind(id, o);
    return id;
}

/* Whether there is room for so many nodes. */
static inline bool room_for(int nodes)
{
    return world->count + nodes <= NODES_MOST;
}

/* The living node of this object, or NOBODY. */
static inline int known(borrowed o)
{
    for (int id = world->count; id-- > 0;)
        if (object_of(id) == o && !atomic_load_explicit(&node(id)->freed, memory_order_relaxed))
            return id;
    return NOBODY;
}

/* ---- slots ---- */

/* The node in the first slot from `from` on that has one of these kinds, or NOBODY. */
static inline int pick(unsigned from, unsigned set)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        int id = world->slot[(from + i) % SLOTS];

        if (id != NOBODY && set & OF(kind_of(id)))
            return id;
    }
    return NOBODY;
}

static inline void put(unsigned slot, int id, struct object *o /* steals */)
{
    int old = world->slot[slot % SLOTS];

    must(id == NOBODY || o == object_of(id));
    world->slot[slot % SLOTS] = id;
    if (old != NOBODY)
        decref(object_of(old));
}

/* A new reference that must be to this node. */
static inline void put_expected(unsigned slot, int id, struct object *o /* steals */)
{
    if (o != object_of(id))
        wrong("a %s where %s %d was expected", o ? type_of(o)->name : "NULL",
              kinds[kind_of(id)].name, id);
    put(slot, id, o);
}

static inline void put_new(unsigned slot, enum kind kind, struct object *o /* steals */)
{
    put(slot, node_new(kind, o), o);
}

/* ---- worth ---- */

static inline bool model_hashable(int id)
{
    if (OF(kind_of(id)) & (OF(LIST) | OF(DICT) | OF(SET)))
        return false;
    for (int i = 0; kind_of(id) == TUPLE && i < node(id)->length; i++)
        if (!model_hashable(node(id)->held[i]))
            return false;
    return true;
}

/* Of two that can be hashed, so this comes to an end. */
static inline bool model_equal(int a, int b)
{
    const struct node *left = node(a), *right = node(b);

    if (a == b || left->kind != right->kind)
        return a == b;
    if (OF(left->kind) & (OF(INT) | OF(FLOAT)))
        return left->number == right->number;
    if (OF(left->kind) & (OF(STR) | OF(BYTES)))
        return strcmp(left->text, right->text) == 0;
    if (left->kind != TUPLE || left->length != right->length)
        return false;
    for (int i = 0; i < left->length; i++)
        if (!model_equal(left->held[i], right->held[i]))
            return false;
    return true;
}

/* Where an equal key stands among what the dict holds, or NOBODY. A set is a dict whose values
 * are None. */
static inline int find_key(int dict, int key)
{
    for (int i = 0; i < node(dict)->length; i += 2)
        if (model_equal(node(dict)->held[i], key))
            return i;
    return NOBODY;
}

static inline void model_dict_set(int dict, int key, int value)
{
    int i = find_key(dict, key);

    if (i != NOBODY) {
        node(dict)->held[i + 1] = value;
        return;
    }
    hold(dict, key);
    hold(dict, value);
    node(dict)->number++;
}

/* ---- what is held, and by whom ---- */

static inline void count_held(const struct node *n, int change)
{
    for (int i = 0; i < n->length; i++)
        if (n->held[i] != NOBODY) {
            node(n->held[i])->references += change;
            node(n->held[i])->certain += n->reached ? change : 0;
        }
}

static inline void reach(int from)
{
    static _Thread_local int todo[NODES_MOST];
    int left = 0;

    if (node(from)->reached)
        return;
    node(from)->reached = true;
    todo[left++] = from;
    while (left > 0) {
        const struct node *n = node(todo[--left]);

        for (int i = 0; i < n->length; i++)
            if (n->held[i] != NOBODY && !node(n->held[i])->reached) {
                node(n->held[i])->reached = true;
                todo[left++] = n->held[i];
            }
    }
}

static inline void node_gone(int id)
{
    count_held(node(id), -1);
    node(id)->gone = true;
}

/* Who is reached, who is gone, and how many references each of the others has. */
static inline void world_count(void)
{
    bool more = true;

    for (int id = 0; id < world->count; id++) {
        node(id)->reached = false;
        node(id)->references = node(id)->certain = 0;
    }
    for (int id = 0; id < world->count; id++)
        if (id < SINGLES || node(id)->eternal)
            reach(id);
    for (int i = 0; i < SLOTS; i++)
        if (world->slot[i] != NOBODY) {
            reach(world->slot[i]);
            node(world->slot[i])->references++;
            node(world->slot[i])->certain++;
        }
    for (int id = 0; id < world->count; id++)
        if (!node(id)->gone)
            count_held(node(id), 1);
    while (more) {
        more = false;
        for (int id = 0; id < world->count; id++)
            if (!node(id)->gone && !node(id)->reached && node(id)->references == 0) {
                node_gone(id);
                more = true;
            }
    }
}

static inline bool lost(int id)
{
    return !node(id)->reached && !node(id)->gone;
}

/* What is lost, and has been freed (or, if `all`, should have been), has been collected. */
static inline void world_collected(bool all)
{
    world_count();
    for (int id = 0; id < world->count; id++)
        if (lost(id) && (all || atomic_load_explicit(&node(id)->freed, memory_order_relaxed))) {
            node(id)->gone = true;
            node(id)->collected = true;
            node(id)->silent = all && kind_of(id) >= TUPLE;
        }
    world_count();
}

/* ---- comparing ---- */

struct visited {
    int of, next; /* the node that is visited; which of what it holds comes next */
};

static inline void compare_held(borrowed held, void *argument)
{
    struct visited *v = argument;
    const struct node *n = node(v->of);

    while (v->next < n->length && n->held[v->next] == NOBODY)
        v->next++;
    if (v->next == n->length || object_of(n->held[v->next]) != held)
        wrong("%s %d holds something else as its number %d", kinds[n->kind].name, v->of, v->next);
    if (published(n->object))
        must(uncounted(held) || published(held));
    v->next++;
}

/* That it holds what it should, in order, by what the type itself visits. */
static inline void compare_all_held(int id)
{
    struct visited v = { .of = id };
    const struct node *n = node(id);

    if (type_of(n->object)->traverse)
        type_of(n->object)->traverse(n->object, compare_held, &v);
    while (v.next < n->length && n->held[v.next] == NOBODY)
        v.next++;
    if (v.next != n->length)
        wrong("%s %d holds %d, not %d", kinds[n->kind].name, id, v.next, n->length);
}

static inline void compare_number(int id)
{
    must(int_value(object_of(id)) == node(id)->number);
}

static inline void compare_float(int id)
{
    must(float_value(object_of(id)) == (double)node(id)->number / 2);
}

static inline void compare_str(int id)
{
    must(strcmp(str_text(object_of(id)), node(id)->text) == 0);
    must(str_length(object_of(id)) == strlen(node(id)->text));
}

static inline void compare_bytes(int id)
{
    must(strcmp(bytes_data(object_of(id)), node(id)->text) == 0);
    must(bytes_length(object_of(id)) == strlen(node(id)->text));
}

static inline void compare_list(int id)
{
    must(list_length(object_of(id)) == (size_t)node(id)->length);
    for (int i = 0; i < node(id)->length; i++) {
        struct object *item = list_get(object_of(id), (size_t)i);

        must(item == object_of(node(id)->held[i]));
        decref(item);
    }
}

static inline void compare_tuple(int id)
{
    must(tuple_length(object_of(id)) == (size_t)node(id)->length);
}

/* In order; and each key is found. */
static inline void compare_dict(int id)
{
    const struct node *n = node(id);
    struct object *key, *value;
    size_t cursor = 0;

    must(dict_length(n->object) == (size_t)n->length / 2);
    for (int i = 0; i < n->length; i += 2) {
        must(dict_next(n->object, &cursor, &key, &value));
        must(key == object_of(n->held[i]));
        must(value == object_of(n->held[i + 1]));
        decref(value);
        value = dict_get(n->object, key);
        must(value == object_of(n->held[i + 1]));
        decref(value);
        decref(key);
    }
    must(!dict_next(n->object, &cursor, &key, &value));
}

static inline void compare_set(int id)
{
    const struct node *n = node(id);
    struct object *key;
    size_t cursor = 0;

    must(set_length(n->object) == (size_t)n->length / 2);
    for (int i = 0; i < n->length; i += 2) {
        key = set_next(n->object, &cursor);
        must(key == object_of(n->held[i]));
        must(set_contains(n->object, key) == 1);
        decref(key);
    }
    must(!set_next(n->object, &cursor));
}

/* A callback was called if the referent died first; not if it was collected; and maybe, if it
 * was only held by what was, or that is not known. */
static inline void compare_weakref(int id)
{
    const struct node *n = node(id), *referent = node(n->referent);
    int called = atomic_load_explicit(&n->called, memory_order_relaxed);
    bool died = referent->gone && !referent->collected;

    if (!world->alone || !n->calls || (referent->collected && !referent->silent))
        must(called <= n->calls);
    else
        must(called == died);
}

static void (*const compare[KINDS])(int id) = {
    [INT] = compare_number,  [FLOAT] = compare_float, [STR] = compare_str,
    [BYTES] = compare_bytes, [TUPLE] = compare_tuple, [LIST] = compare_list,
    [DICT] = compare_dict,   [SET] = compare_set,     [WEAKREF] = compare_weakref,
};

static inline void compare_references(int id)
{
    const struct node *n = node(id);
    int64_t count = refcount(n->object);

    if (n->eternal ? count != INT64_MAX : count < n->certain || count > n->references)
        wrong("%s %d has %lld references, not %lld", kinds[n->kind].name, id, (long long)count,
              (long long)n->references);
    if (world->alone && !n->eternal && count != n->references)
        wrong("%s %d has %lld references, with those of garbage, not %lld", kinds[n->kind].name, id,
              (long long)count, (long long)n->references);
}

static inline void check_node(int id)
{
    const struct node *n = node(id);
    bool freed = atomic_load_explicit(&n->freed, memory_order_relaxed);

    if (n->gone && !freed && world->alone)
        wrong("%s %d lives on", kinds[n->kind].name, id);
    if (!n->gone && freed)
        wrong("%s %d was freed early", kinds[n->kind].name, id);
    if (n->gone)
        return;
    if (n->kind != SINGLE)
        compare_references(id);
    compare_all_held(id);
    if (compare[n->kind])
        compare[n->kind](id);
}

/* Safe points for the policy, and for memory that waits for one. */
static inline void pass_safe_points(void)
{
    for (int i = 0; i < RC_LATE_SAFEPOINTS + 2; i++)
        safepoint(thread_self);
}

/* Objects that live, of which no other thread has any. */
static inline int64_t live_objects(void)
{
    int64_t blocks = live_blocks();

    return blocks - atomic_load_explicit(&heap_state.tables, memory_order_relaxed);
}

static inline void check_total(void)
{
    int64_t expected = -SINGLES, found = live_objects() - world->objects_before;

    for (int id = 0; id < world->count; id++)
        expected += !node(id)->gone;
    if (found != expected)
        wrong("%lld objects live, not %lld", (long long)found, (long long)expected);
}

static inline void check_nodes(void)
{
    for (int id = 0; id < world->count; id++)
        check_node(id);
}

/* Alone: all is as it should be. Among other threads: what we have is, with the world
 * stopped, so that nobody counts meanwhile; what is lost may be collected by others. */
static inline void world_check(void)
{
    must(!exception_pending());
    pass_safe_points();
    if (world->alone) {
        settle_heap();
        world_count();
        check_nodes();
        check_total();
        return;
    }
    world_stop(thread_self);
    rc_quiesce();
    world_collected(false);
    for (int id = 0; id < world->count; id++)
        if (node(id)->reached && kind_of(id) != SINGLE)
            compare_references(id);
    world_start(thread_self);
    for (int id = 0; id < world->count; id++)
        if (node(id)->reached) {
            must(!atomic_load_explicit(&node(id)->freed, memory_order_relaxed));
            compare_all_held(id);
            if (compare[kind_of(id)])
                compare[kind_of(id)](id);
        }
}

/* ---- the world's beginning and end ---- */

static inline void world_begin(bool alone)
{
    world = calloc(1, sizeof *world);
    if (!world)
        abort();
    world->alone = alone;
    world->doing = "begin";
    world->objects_before = alone ? live_objects() : 0;
    for (int i = 0; i < SLOTS; i++)
        world->slot[i] = NOBODY;
    node_new(SINGLE, none());
    node_new(SINGLE, truth(true));
    node_new(SINGLE, truth(false));
}

/* Nothing is left but what cannot die. */
static inline void world_end(void)
{
    world->doing = "end";
    world_check();
    for (unsigned i = 0; i < SLOTS; i++)
        put(i, NOBODY, NULL);
    if (world->alone) {
        world_check();
        collect(GENERATION_ALL);
        pass_safe_points();
        world_collected(true);
        world_check();
    }
}

/* When nothing of it is alive any more: the heap writes to the nodes. */
static inline void world_free(struct world *w)
{
    for (int id = 0; id < w->count; id++)
        free(w->node[id].held);
    free(w);
}

#endif
