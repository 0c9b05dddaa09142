/* exclusion.c - the cells that a matrix file leaves out. */
#include "lab/exclusion.h"

#include "lab/factor.h"
#include "lab/intern.h"
#include "lab/names.h"
#include "lab/runtimes.h"

#include <stdlib.h>
#include <string.h>

/* The dials that a cell's place in the matrix is made of: units and their count are one, for the
 * count is that of some. */
enum axis { OF_WORKLOAD, OF_MODE, OF_HEAP, OF_BUILD, OF_UNIT, OF_THREADS, AXES };

/* One value of a condition. */
struct value {
    const struct runtime *runtime;
    const struct gil_class *lock;
    int index;        /* of a workload or unit, in the registry */
    const char *text; /* interned: of a heap or a build */
    bool exact;       /* parameters were given, and count */
    int64_t param[PARAM_MAX];
    int64_t least, most;
    bool outside; /* of the two */
};

struct subject;

struct condition {
    const struct subject *subject;
    struct param param; /* if that is one */
    int count;
    struct value *value; /* owned; it holds for each of them */
};

struct exclusion {
    int count;
    struct condition *condition; /* owned; all must hold */
};

/* What a condition is about. */
struct subject {
    const char *name;
    enum axis axis;
    int (*read)(const struct condition *c, const char *text, struct value *v, struct mistake *m);
    bool (*holds)(const struct condition *c, const struct value *v, const struct cell *cell);
};

static bool same_param(const struct value *v, const int64_t *param)
{
    return !v->exact || memcmp(v->param, param, sizeof v->param) == 0;
}

static void take_param(struct value *v, const char *text, const int64_t *param)
{
    v->exact = strchr(text, ':') != NULL;
    memcpy(v->param, param, sizeof v->param);
}

static int read_workload(const struct condition *c, const char *text, struct value *v,
                         struct mistake *m)
{
    struct variants workload;

    (void)c;
    if (parse_workloads(text, &workload, m) < 0)
        return -1;
    v->index = workload.item[0].index;
    take_param(v, text, workload.item[0].param);
    return 0;
}

static bool workload_holds(const struct condition *c, const struct value *v,
                           const struct cell *cell)
{
    (void)c;
    return cell->work == cell->runtime->workloads[v->index].workload &&
           same_param(v, cell->work_param);
}

static int read_mode(const struct condition *c, const char *text, struct value *v,
                     struct mistake *m)
{
    struct modes mode;

    (void)c;
    if (parse_modes(text, &mode, m) < 0)
        return -1;
    v->runtime = mode.item[0].runtime;
    v->lock = mode.item[0].lock;
    take_param(v, text, mode.item[0].param);
    return 0;
}

static bool mode_holds(const struct condition *c, const struct value *v, const struct cell *cell)
{
    (void)c;
    return cell->runtime == v->runtime && cell->lock == v->lock && same_param(v, cell->lock_param);
}

static int read_lock(const struct condition *c, const char *text, struct value *v,
                     struct mistake *m)
{
    struct variants lock;

    (void)c;
    if (parse_locks(text, &lock, m) < 0)
        return -1;
    v->lock = gil_list[lock.item[0].index].class;
    take_param(v, text, lock.item[0].param);
    return 0;
}

static bool lock_holds(const struct condition *c, const struct value *v, const struct cell *cell)
{
    (void)c;
    return cell->lock == v->lock && same_param(v, cell->lock_param);
}

static int read_policy(const struct condition *c, const char *text, struct value *v,
                       struct mistake *m)
{
    struct variants policy;

    (void)c;
    if (parse_policies(text, &policy, m) < 0)
        return -1;
    v->runtime = runtime_list[policy.item[0].index].runtime;
    return 0;
}

static bool policy_holds(const struct condition *c, const struct value *v, const struct cell *cell)
{
    (void)c;
    return cell->runtime == v->runtime;
}

static int read_heap(const struct condition *c, const char *text, struct value *v,
                     struct mistake *m)
{
    struct variants heap;

    (void)c;
    v->text = intern(text);
    return parse_heaps(text, &heap, m);
}

static bool heap_holds(const struct condition *c, const struct value *v, const struct cell *cell)
{
    (void)c;
    return cell->heap == v->text;
}

static int read_build(const struct condition *c, const char *text, struct value *v,
                      struct mistake *m)
{
    (void)c, (void)m;
    v->text = intern(strcmp(text, "self") ? text : "");
    return 0;
}

static bool build_holds(const struct condition *c, const struct value *v, const struct cell *cell)
{
    (void)c;
    return cell->build == v->text;
}

enum { BELOW_OR_EQUAL, ABOVE_OR_EQUAL, NOT, BELOW, ABOVE, EQUAL, SIGNS };

/* "4", "1..cores", "> 2*cores" */
static int read_range(const char *what, const char *text, int64_t least, int64_t most,
                      struct value *v, struct mistake *m)
{
    /* The longer ones first. */
    static const char *const signs[SIGNS] = { "<=", ">=", "!=", "<", ">", "" };
    struct numbers numbers;
    int sign = 0;

    while (strncmp(text, signs[sign], strlen(signs[sign])) != 0)
        sign++;
    text += strlen(signs[sign]);
    if (sign != EQUAL)
        text += strspn(text, " ");
    if (parse_numbers(what, text, least, most, &numbers, m) < 0)
        return -1;
    if (numbers.count > 1 && sign != EQUAL && sign != NOT)
        return mistake_set(m, "%s: '%s' goes with a number, not with a range", what, signs[sign]);
    v->least =
        sign == BELOW || sign == BELOW_OR_EQUAL ? INT64_MIN : numbers.item[0] + (sign == ABOVE);
    v->most = sign == ABOVE || sign == ABOVE_OR_EQUAL
                  ? INT64_MAX
                  : numbers.item[numbers.count - 1] - (sign == BELOW);
    v->outside = sign == NOT;
    return 0;
}

static bool range_holds(const struct value *v, int64_t number)
{
    return (number >= v->least && number <= v->most) != v->outside;
}

static int read_threads(const struct condition *c, const char *text, struct value *v,
                        struct mistake *m)
{
    return read_range(c->subject->name, text, 0, THREADS_MOST, v, m);
}

static bool threads_holds(const struct condition *c, const struct value *v, const struct cell *cell)
{
    (void)c;
    return range_holds(v, cell->threads);
}

static int read_unit(const struct condition *c, const char *text, struct value *v,
                     struct mistake *m)
{
    struct variants unit;

    (void)c;
    if (parse_units(text, &unit, m) < 0)
        return -1;
    v->index = unit.item[0].index;
    take_param(v, text, unit.item[0].param);
    return 0;
}

static bool unit_holds(const struct condition *c, const struct value *v, const struct cell *cell)
{
    (void)c;
    return cell->kind_of_unit == cell->runtime->units[v->index].unit &&
           same_param(v, cell->unit_param);
}

static int read_units(const struct condition *c, const char *text, struct value *v,
                      struct mistake *m)
{
    return read_range(c->subject->name, text, 1, UNITS_MOST, v, m);
}

/* Where workers are threads, these are no units. */
static bool units_holds(const struct condition *c, const struct value *v, const struct cell *cell)
{
    (void)c;
    return cell->units && range_holds(v, cell->units);
}

static int read_param(const struct condition *c, const char *text, struct value *v,
                      struct mistake *m)
{
    return read_range(c->param.name, text, c->param.least, c->param.most, v, m);
}

static bool param_holds(const struct param *table, const int64_t *param, const char *name,
                        const struct value *v)
{
    for (int i = 0; i < PARAM_MAX && table[i].name; i++)
        if (strcmp(table[i].name, name) == 0)
            return range_holds(v, param[i]);
    return false;
}

static bool work_param_holds(const struct condition *c, const struct value *v,
                             const struct cell *cell)
{
    return param_holds(cell->work->param, cell->work_param, c->param.name, v);
}

static bool lock_param_holds(const struct condition *c, const struct value *v,
                             const struct cell *cell)
{
    return param_holds(cell->lock->param, cell->lock_param, c->param.name, v);
}

static const struct subject subjects[] = {
    { "workload", OF_WORKLOAD, read_workload, workload_holds },
    { "mode", OF_MODE, read_mode, mode_holds },
    { "policy", OF_MODE, read_policy, policy_holds },
    { "gil", OF_MODE, read_lock, lock_holds },
    { "heap", OF_HEAP, read_heap, heap_holds },
    { "build", OF_BUILD, read_build, build_holds },
    { "unit", OF_UNIT, read_unit, unit_holds },
    { "units", OF_UNIT, read_units, units_holds },
    { "threads", OF_THREADS, read_threads, threads_holds },
    { NULL, 0, NULL, NULL },
};

static const struct subject work_param = { "a parameter of workloads", OF_WORKLOAD, read_param,
                                           work_param_holds },
                            lock_param = { "a parameter of locks", OF_MODE, read_param,
                                           lock_param_holds };

static int find_subject(const char *key, struct condition *c, struct mistake *m)
{
    struct names names = NAMES_OF("dial", subjects);
    int i;

    if (factor_is(key)) {
        c->subject = factor_is_of_lock(key) ? &lock_param : &work_param;
        return factor_find(key, &c->param, m);
    }
    i = names_find(&names, key, m);
    c->subject = &subjects[i < 0 ? 0 : i];
    return i < 0 ? factor_explain(key, m) : 0;
}

static int read_condition(struct document *d, const yaml_node_pair_t *pair, struct levels *scratch,
                          struct condition *c, struct mistake *m)
{
    const yaml_node_t *node = document_node(d, pair->key);
    const char *key = (const char *)node->data.scalar.value;

    if (find_subject(key, c, m) < 0)
        return document_locate(d, node, m);
    if (levels_read(scratch, d, document_node(d, pair->value), key, m) < 0)
        return -1;
    if (scratch->count > LIST_MAX)
        return document_mistake(d, node, m, "%s: more than %d values", key, LIST_MAX);
    c->value = calloc((size_t)scratch->count, sizeof *c->value);
    if (!c->value)
        return document_mistake(d, node, m, "no memory for %d values", scratch->count);
    for (; c->count < scratch->count; c->count++)
        if (c->subject->read(c, scratch->item[c->count].text, &c->value[c->count], m) < 0)
            return document_locate(d, scratch->item[c->count].at, m);
    return 0;
}

struct exclusion *exclusion_read(struct document *d, const yaml_node_t *node,
                                 struct levels *scratch, struct mistake *m)
{
    struct exclusion *e;
    size_t count;

    if (document_check_mapping(d, node, "a mapping such as { mode: nolock, threads: 8 }", m) < 0)
        return NULL;
    count = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    e = calloc(1, sizeof *e);
    if (e)
        e->condition = calloc(count, sizeof *e->condition);
    if (!e || !e->condition) {
        document_mistake(d, node, m, "no memory for %zu conditions", count);
        goto fail;
    }
    for (size_t i = 0; i < count; i++)
        if (read_condition(d, &node->data.mapping.pairs.start[i], scratch,
                           &e->condition[e->count++], m) < 0)
            goto fail;
    return e;

fail:
    exclusion_free(e);
    return NULL;
}

void exclusion_free(struct exclusion *e)
{
    for (int i = 0; e && i < e->count; i++)
        free(e->condition[i].value);
    if (e)
        free(e->condition);
    free(e);
}

static bool condition_holds(const struct condition *c, const struct cell *cell)
{
    for (int i = 0; i < c->count; i++)
        if (c->subject->holds(c, &c->value[i], cell))
            return true;
    return false;
}

bool exclusion_holds(const struct exclusion *e, const struct cell *cell)
{
    for (int i = 0; i < e->count; i++)
        if (!condition_holds(&e->condition[i], cell))
            return false;
    return true;
}

static bool axis_holds(const struct exclusion *e, enum axis axis, const struct cell *cell)
{
    for (int i = 0; i < e->count; i++)
        if (e->condition[i].subject->axis == axis && !condition_holds(&e->condition[i], cell))
            return false;
    return true;
}

/* No condition is about two axes: so it is enough that each has a level where its own hold. */
static bool axis_is_of_use(const struct exclusion *e, enum axis axis, int levels,
                           const struct dials *d)
{
    int at[AXES] = { 0 };
    struct cell cell;

    for (; at[axis] < levels; at[axis]++) {
        cell_init(&cell, &d->workload.item[at[OF_WORKLOAD]], &d->mode.item[at[OF_MODE]],
                  d->heap.item[at[OF_HEAP]].label, d->build[at[OF_BUILD]],
                  &d->unit.item[at[OF_UNIT] / d->units.count],
                  (int)d->units.item[at[OF_UNIT] % d->units.count],
                  (int)d->threads.item[at[OF_THREADS]]);
        if (axis_holds(e, axis, &cell))
            return true;
    }
    return false;
}

bool exclusion_is_of_use(const struct exclusion *e, const struct dials *d)
{
    const int levels[AXES] = { [OF_WORKLOAD] = d->workload.count,
                               [OF_MODE] = d->mode.count,
                               [OF_HEAP] = d->heap.count,
                               [OF_BUILD] = d->builds,
                               [OF_UNIT] = d->unit.count * d->units.count,
                               [OF_THREADS] = d->threads.count };

    for (enum axis axis = 0; axis < AXES; axis++)
        if (!axis_is_of_use(e, axis, levels[axis], d))
            return false;
    return true;
}
