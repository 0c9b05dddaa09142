/* deltablue.c - an incremental constraint solver, and two problems for it.
 *
 * A constraint lists its variables, first those that it can determine: one for a constraint on
 * a single variable, two for one between two. Which it does determine is its `output`, None as
 * long as it is not satisfied. The others are its inputs then.
 *
 * A variable knows its constraints and they know it, so a problem is a heap of cycles. Who
 * made it keeps a list of its variables, and in the end takes their constraints from them.
 */
#include "benches/deltablue.h"

#include "benches/field.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/none.h"

/* A higher number is a weaker one. */
enum strength { REQUIRED, PREFERRED, STRONG_DEFAULT, NORMAL, WEAKEST };

enum { CHAIN_VALUES = 20, PLAN_RUNS = 10 };

enum name {
    /* of a variable */
    VALUE, CONSTRAINTS, DETERMINED_BY, WALKABOUT, STAYS,
    /* of a variable and the planner */
    MARK,
    /* of a constraint */
    STRENGTH, VARIABLES, OUTPUT, CHOOSE, SATISFY, RECALCULATE, EXECUTE,
    /* of a class of constraints */
    OUTPUTS, IS_INPUT,
    NAMES
};

static const char *const text[NAMES] = {
    [VALUE] = "value", [CONSTRAINTS] = "constraints", [DETERMINED_BY] = "determined_by",
    [WALKABOUT] = "walkabout", [STAYS] = "stays", [MARK] = "mark", [STRENGTH] = "strength",
    [VARIABLES] = "variables", [OUTPUT] = "output", [CHOOSE] = "choose", [SATISFY] = "satisfy",
    [RECALCULATE] = "recalculate", [EXECUTE] = "execute", [OUTPUTS] = "outputs",
    [IS_INPUT] = "is_input",
};

/* ---- calls ---- */

/* Whether there is another object than None: 1 or 0; or -1. */
static int has(borrowed names, borrowed o, enum name name)
{
    struct object *value = field_get(names, o, name);
    bool there = value != none();

    if (!value)
        return -1;
    decref(value);
    return there;
}

/* Calls it for what it does: 0 or -1. */
static int act(borrowed names, borrowed o, enum name method)
{
    struct object *result = call_method(tuple_get(names, method), &o, 1);

    xdecref(result);
    return result ? 0 : -1;
}

/* 1 or 0; or -1. */
static int is_marked(borrowed names, borrowed variable, borrowed mark)
{
    int64_t value;

    return field_get_int(names, variable, MARK, &value) < 0 ? -1 : value == int_value(mark);
}

/* ---- methods of constraints ---- */

/* constraint.choose(mark): determines the one of its possible outputs that is easiest to take
 * over, if it is strong enough; but none that is marked, for it has been decided already. */
static struct object *choose(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed self = arguments[0], best = none();
    struct object *variables;
    int64_t outputs, weakest, walkabout;
    int marked = 0;

    (void)count;
    if (field_get_int(names, self, OUTPUTS, &outputs) < 0 ||
        field_get_int(names, self, STRENGTH, &weakest) < 0)
        return NULL;
    variables = field_get(names, self, VARIABLES);
    if (!variables)
        return NULL;
    for (size_t i = 0; i < (size_t)outputs && marked >= 0; i++) {
        borrowed v = tuple_get(variables, i);

        marked = is_marked(names, v, arguments[1]);
        if (marked == 0 && field_get_int(names, v, WALKABOUT, &walkabout) < 0)
            marked = -1;
        if (marked != 0 || walkabout <= weakest)
            continue;
        best = v;
        weakest = walkabout;
    }
    if (marked >= 0)
        marked = field_set(names, self, OUTPUT, best);
    decref(variables);
    return marked < 0 ? NULL : truth(best != none());
}

/* The output's walkabout strength, and whether it will stay what it is; if so, it is computed. */
struct outlook {
    int64_t walkabout;
    bool stays;
};

static int look_at_inputs(borrowed names, borrowed variables, borrowed output, size_t outputs,
                          struct outlook *outlook)
{
    for (size_t i = 0; i < tuple_length(variables); i++) {
        borrowed v = tuple_get(variables, i);
        int64_t walkabout;
        int stays;

        if (v == output)
            continue;
        stays = field_is(names, v, STAYS);
        if (stays < 0 || field_get_int(names, v, WALKABOUT, &walkabout) < 0)
            return -1;
        outlook->stays = outlook->stays && stays;
        if (i < outputs && walkabout > outlook->walkabout)
            outlook->walkabout = walkabout;
    }
    return 0;
}

static int recalculate_output(borrowed names, borrowed self, borrowed variables, borrowed output)
{
    struct outlook outlook;
    int64_t outputs;
    int is_input = field_is(names, self, IS_INPUT);

    outlook.stays = !is_input;
    if (is_input < 0 || field_get_int(names, self, OUTPUTS, &outputs) < 0 ||
        field_get_int(names, self, STRENGTH, &outlook.walkabout) < 0 ||
        look_at_inputs(names, variables, output, (size_t)outputs, &outlook) < 0 ||
        field_put_int(names, output, WALKABOUT, outlook.walkabout) < 0 ||
        field_set(names, output, STAYS, truth(outlook.stays)) < 0)
        return -1;
    return outlook.stays ? act(names, self, EXECUTE) : 0;
}

/* constraint.recalculate() */
static struct object *recalculate(borrowed names, borrowed const *arguments, size_t count)
{
    struct object *variables = field_get(names, arguments[0], VARIABLES);
    struct object *output = variables ? field_get(names, arguments[0], OUTPUT) : NULL;
    int result = output ? recalculate_output(names, arguments[0], variables, output) : -1;

    (void)count;
    xdecref(output);
    xdecref(variables);
    return result < 0 ? NULL : none();
}

/* constraint.execute(), of one that has no inputs. */
static struct object *execute_nothing(borrowed names, borrowed const *arguments, size_t count)
{
    (void)names;
    (void)arguments;
    (void)count;
    return none();
}

/* The two variables of which one is the output. */
static struct object *execute_equality(borrowed names, borrowed const *arguments, size_t count)
{
    struct object *variables = field_get(names, arguments[0], VARIABLES);
    struct object *output = variables ? field_get(names, arguments[0], OUTPUT) : NULL;
    int result = -1;

    (void)count;
    if (output) {
        borrowed input = tuple_get(variables, output == tuple_get(variables, 0));

        result = field_put(names, output, VALUE, field_get(names, input, VALUE));
    }
    xdecref(output);
    xdecref(variables);
    return result < 0 ? NULL : none();
}

enum { IMAGE, SOURCE, SCALE, OFFSET, SCALING_VARIABLES }; /* image = source * scale + offset */

static int scale(borrowed names, borrowed variables, borrowed output)
{
    int64_t value[SCALING_VARIABLES];

    for (size_t i = 0; i < SCALING_VARIABLES; i++)
        if (field_get_int(names, tuple_get(variables, i), VALUE, &value[i]) < 0)
            return -1;
    return field_put_int(names, output, VALUE,
                         output == tuple_get(variables, IMAGE)
                             ? value[SOURCE] * value[SCALE] + value[OFFSET]
                             : (value[IMAGE] - value[OFFSET]) / value[SCALE]);
}

static struct object *execute_scaling(borrowed names, borrowed const *arguments, size_t count)
{
    struct object *variables = field_get(names, arguments[0], VARIABLES);
    struct object *output = variables ? field_get(names, arguments[0], OUTPUT) : NULL;
    int result = output ? scale(names, variables, output) : -1;

    (void)count;
    xdecref(output);
    xdecref(variables);
    return result < 0 ? NULL : none();
}

/* ---- the graph ---- */

/* Appends the satisfied constraints that have this variable for an input. */
static int append_consumers(borrowed names, borrowed variable, borrowed todo)
{
    struct object *constraints = field_get(names, variable, CONSTRAINTS);
    struct object *by = constraints ? field_get(names, variable, DETERMINED_BY) : NULL;
    int result = by ? 0 : -1;

    for (size_t i = 0; result == 0 && i < list_length(constraints); i++) {
        struct object *c = list_get(constraints, i);
        int satisfied = c ? has(names, c, OUTPUT) : -1;

        result = satisfied < 0 ? -1 : 0;
        if (satisfied > 0 && c != by)
            result = list_append(todo, c);
        xdecref(c);
    }
    xdecref(by);
    xdecref(constraints);
    return result;
}

static int wrong(const char *what)
{
    exception_set(&runtime_error, "deltablue: %s", what);
    return -1;
}

/* Recalculates what follows from one constraint that has come to be. */
static int propagate_one(borrowed names, borrowed constraint, borrowed mark, borrowed todo)
{
    struct object *output = field_get(names, constraint, OUTPUT);
    int result = output ? is_marked(names, output, mark) : -1;

    if (result > 0)
        result = wrong("the constraints form a cycle");
    if (result == 0)
        result = act(names, constraint, RECALCULATE);
    if (result == 0)
        result = append_consumers(names, output, todo);
    xdecref(output);
    return result;
}

static int propagate(borrowed names, borrowed constraint, borrowed mark)
{
    struct object *todo = list_new();
    int result = todo ? list_append(todo, constraint) : -1;

    while (result == 0 && list_length(todo)) {
        struct object *next = list_pop(todo);

        result = next ? propagate_one(names, next, mark, todo) : -1;
        xdecref(next);
        safepoint(thread_self);
    }
    xdecref(todo);
    return result;
}

static int mark_inputs(borrowed names, borrowed constraint, borrowed output, borrowed mark)
{
    struct object *variables = field_get(names, constraint, VARIABLES);
    int result = variables ? 0 : -1;

    for (size_t i = 0; result == 0 && i < tuple_length(variables); i++)
        if (tuple_get(variables, i) != output)
            result = field_set(names, tuple_get(variables, i), MARK, mark);
    xdecref(variables);
    return result;
}

/* Makes `output` what the constraint determines; the constraint that did until now, or None. */
static struct object *take_over(borrowed names, borrowed self, borrowed output, borrowed mark)
{
    struct object *overridden = field_get(names, output, DETERMINED_BY);

    if (!overridden)
        return NULL;
    if ((overridden == none() || field_set(names, overridden, OUTPUT, none()) == 0) &&
        field_set(names, output, DETERMINED_BY, self) == 0 && propagate(names, self, mark) == 0 &&
        field_set(names, output, MARK, mark) == 0)
        return overridden;
    decref(overridden);
    return NULL;
}

/* constraint.satisfy(mark): what it has overridden, or None. */
static struct object *satisfy(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed self = arguments[0], mark = arguments[1];
    struct object *chosen = call_method(tuple_get(names, CHOOSE), arguments, 2);
    struct object *output, *overridden = NULL;
    int64_t strength;

    (void)count;
    if (!chosen || field_get_int(names, self, STRENGTH, &strength) < 0)
        return NULL;
    if (!is_true(chosen) && strength != REQUIRED)
        return none();
    if (!is_true(chosen))
        return wrong("a required constraint cannot be satisfied"), NULL;
    output = field_get(names, self, OUTPUT);
    if (!output)
        return NULL;
    if (mark_inputs(names, self, output, mark) == 0)
        overridden = take_over(names, self, output, mark);
    decref(output);
    return overridden;
}

/* ---- the planner ---- */

static struct object *new_mark(borrowed names, borrowed planner)
{
    int64_t mark;

    if (field_get_int(names, planner, MARK, &mark) < 0 ||
        field_put_int(names, planner, MARK, mark + 1) < 0)
        return NULL;
    return field_get(names, planner, MARK);
}

/* Satisfies it, then what it has overridden elsewhere, and so on. */
static int incremental_add(borrowed names, borrowed planner, borrowed constraint)
{
    struct object *mark = new_mark(names, planner);
    struct object *next = mark ? incref(constraint) : NULL;

    while (next && next != none()) {
        borrowed all[] = { next, mark };
        struct object *overridden = call_method(tuple_get(names, SATISFY), all, 2);

        decref(next);
        next = overridden;
        safepoint(thread_self);
    }
    xdecref(mark);
    return next ? 0 : -1;
}

static int add_to_graph(borrowed names, borrowed constraint)
{
    struct object *variables = field_get(names, constraint, VARIABLES);
    int result = variables ? 0 : -1;

    for (size_t i = 0; result == 0 && i < tuple_length(variables); i++) {
        struct object *constraints = field_get(names, tuple_get(variables, i), CONSTRAINTS);

        result = constraints ? list_append(constraints, constraint) : -1;
        xdecref(constraints);
    }
    xdecref(variables);
    return result;
}

/* A new list without this one. */
static struct object *without(struct object *list /* steals */, borrowed constraint)
{
    struct object *rest = list ? list_new() : NULL;
    int result = rest ? 0 : -1;

    for (size_t i = 0; result == 0 && i < list_length(list); i++) {
        struct object *c = list_get(list, i);

        if (!c || (c != constraint && list_append(rest, c) < 0))
            result = -1;
        xdecref(c);
    }
    xdecref(list);
    if (result == 0)
        return rest;
    xdecref(rest);
    return NULL;
}

static int remove_from_graph(borrowed names, borrowed constraint)
{
    struct object *variables = field_get(names, constraint, VARIABLES);
    int result = variables ? 0 : -1;

    for (size_t i = 0; result == 0 && i < tuple_length(variables); i++) {
        borrowed v = tuple_get(variables, i);

        result =
            field_put(names, v, CONSTRAINTS, without(field_get(names, v, CONSTRAINTS), constraint));
    }
    xdecref(variables);
    return result;
}

/* Nothing determines it any more. */
static int set_free(borrowed names, borrowed variable)
{
    if (field_set(names, variable, DETERMINED_BY, none()) < 0 ||
        field_put_int(names, variable, WALKABOUT, WEAKEST) < 0)
        return -1;
    return field_set(names, variable, STAYS, truth(true));
}

/* One constraint of a variable that has been recalculated: it is not satisfied, and may be
 * now; or what it determines must be recalculated, too. */
static int revise(borrowed names, borrowed constraint, borrowed by, borrowed unsatisfied,
                  borrowed todo)
{
    struct object *output = field_get(names, constraint, OUTPUT);
    int result;

    if (!output)
        return -1;
    if (output == none())
        return list_append(unsatisfied, constraint);
    result = constraint == by ? 0 : act(names, constraint, RECALCULATE);
    if (result == 0 && constraint != by)
        result = list_append(todo, output);
    decref(output);
    return result;
}

static int revise_all(borrowed names, borrowed variable, borrowed unsatisfied, borrowed todo)
{
    struct object *constraints = field_get(names, variable, CONSTRAINTS);
    struct object *by = constraints ? field_get(names, variable, DETERMINED_BY) : NULL;
    int result = by ? 0 : -1;

    for (size_t i = 0; result == 0 && i < list_length(constraints); i++) {
        struct object *c = list_get(constraints, i);

        result = c ? revise(names, c, by, unsatisfied, todo) : -1;
        xdecref(c);
    }
    xdecref(by);
    xdecref(constraints);
    return result;
}

/* Appends the constraints that might be satisfied now that `variable` is free. */
static int find_unsatisfied(borrowed names, borrowed variable, borrowed unsatisfied)
{
    struct object *todo = list_new();
    int result = todo ? list_append(todo, variable) : -1;

    while (result == 0 && list_length(todo)) {
        struct object *next = list_pop(todo);

        result = next ? revise_all(names, next, unsatisfied, todo) : -1;
        xdecref(next);
        safepoint(thread_self);
    }
    xdecref(todo);
    return result;
}

static int add_all_of(borrowed names, borrowed planner, borrowed constraints, int64_t strength)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < list_length(constraints); i++) {
        struct object *c = list_get(constraints, i);
        int64_t own;

        result = c ? field_get_int(names, c, STRENGTH, &own) : -1;
        if (result == 0 && own == strength)
            result = incremental_add(names, planner, c);
        xdecref(c);
    }
    return result;
}

/* Of a constraint that is satisfied: whatever it kept from being satisfied is added again, the
 * strongest first. */
static int incremental_remove(borrowed names, borrowed planner, borrowed constraint)
{
    struct object *unsatisfied = list_new();
    struct object *output = unsatisfied ? field_get(names, constraint, OUTPUT) : NULL;
    int result = output ? field_set(names, constraint, OUTPUT, none()) : -1;

    if (result == 0)
        result = remove_from_graph(names, constraint);
    if (result == 0)
        result = set_free(names, output);
    if (result == 0)
        result = find_unsatisfied(names, output, unsatisfied);
    for (int strength = REQUIRED; result == 0 && strength < WEAKEST; strength++)
        result = add_all_of(names, planner, unsatisfied, strength);
    xdecref(output);
    xdecref(unsatisfied);
    return result;
}

static int add_constraint(borrowed names, borrowed planner, borrowed constraint)
{
    return add_to_graph(names, constraint) < 0 ? -1 : incremental_add(names, planner, constraint);
}

/* ---- plans ---- */

/* Whether all inputs are computed already, or nobody computes them: 1 or 0; or -1. */
static int inputs_known(borrowed names, borrowed constraint, borrowed output, borrowed mark)
{
    struct object *variables = field_get(names, constraint, VARIABLES);
    int known = variables ? 1 : -1;

    for (size_t i = 0; known == 1 && i < tuple_length(variables); i++) {
        borrowed v = tuple_get(variables, i);

        if (v == output)
            continue;
        known = is_marked(names, v, mark);
        if (known == 0)
            known = field_is(names, v, STAYS);
        if (known == 0) {
            int determined = has(names, v, DETERMINED_BY);

            known = determined < 0 ? -1 : !determined;
        }
    }
    xdecref(variables);
    return known;
}

/* Appends it to the plan, if its turn has come, and to `todo` what it makes possible. */
static int plan_one(borrowed names, borrowed constraint, borrowed mark, borrowed plan,
                    borrowed todo)
{
    struct object *output = field_get(names, constraint, OUTPUT);
    int marked = output ? is_marked(names, output, mark) : -1, result = marked;

    if (marked == 0)
        result = inputs_known(names, constraint, output, mark);
    if (marked == 0 && result == 1) {
        result = list_append(plan, constraint);
        if (result == 0)
            result = field_set(names, output, MARK, mark);
        if (result == 0)
            result = append_consumers(names, output, todo);
    }
    xdecref(output);
    return result < 0 ? -1 : 0;
}

/* A list of constraints: what is to be executed, in order, when that one's variable changes. */
static struct object *new_plan(borrowed names, borrowed planner, borrowed source)
{
    struct object *plan = list_new(), *todo = list_new(), *mark = new_mark(names, planner);
    int result = plan && todo && mark ? list_append(todo, source) : -1;

    while (result == 0 && list_length(todo)) {
        struct object *next = list_pop(todo);

        result = next ? plan_one(names, next, mark, plan, todo) : -1;
        xdecref(next);
        safepoint(thread_self);
    }
    xdecref(mark);
    xdecref(todo);
    if (result == 0)
        return plan;
    xdecref(plan);
    return NULL;
}

static int execute_plan(borrowed names, borrowed plan)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < list_length(plan); i++) {
        struct object *c = list_get(plan, i);

        result = c ? act(names, c, EXECUTE) : -1;
        xdecref(c);
        safepoint(thread_self);
    }
    return result;
}

/* ---- problems ---- */

/* What is being solved. Variables are in the list before a constraint refers to them. */
struct problem {
    const struct program *program;
    borrowed names;                     /* the program's */
    struct object *planner, *variables; /* owned; all variables, in a list */
};

static int problem_init(struct problem *problem, const struct program *program)
{
    problem->program = program;
    problem->names = program->names;
    problem->planner = instance_new(program->class[PLANNER]);
    problem->variables = list_new();
    if (!problem->planner || !problem->variables)
        return -1;
    return field_put_int(problem->names, problem->planner, MARK, 0);
}

/* Storing an attribute that is there already takes no memory, so this cannot fail. */
static void break_cycles(const struct problem *problem)
{
    while (list_length(problem->variables)) {
        struct object *v = list_pop(problem->variables);

        field_set(problem->names, v, CONSTRAINTS, none());
        field_set(problem->names, v, DETERMINED_BY, none());
        decref(v);
    }
}

static void problem_fini(struct problem *problem)
{
    if (problem->variables)
        break_cycles(problem);
    xdecref(problem->variables);
    xdecref(problem->planner);
}

/* Lives as long as the problem. */
static borrowed add_variable(struct problem *problem, int64_t value)
{
    struct object *v = instance_new(problem->program->class[VARIABLE]);
    borrowed names = problem->names;
    int result = -1;

    if (v && field_put(names, v, CONSTRAINTS, list_new()) == 0 &&
        field_put_int(names, v, VALUE, value) == 0 && field_put_int(names, v, MARK, 0) == 0 &&
        set_free(names, v) == 0)
        result = list_append(problem->variables, v);
    xdecref(v);
    return result < 0 ? NULL : v;
}

/* A new one, which is not in the graph yet. */
static struct object *new_constraint(const struct problem *problem, enum deltablue_class class,
                                     enum strength strength, size_t count,
                                     borrowed const *variables)
{
    struct object *c = instance_new(problem->program->class[class]);

    if (c && field_put_int(problem->names, c, STRENGTH, strength) == 0 &&
        field_put(problem->names, c, VARIABLES,
                  tuple_new(count, (struct object *const *)variables)) == 0 &&
        field_set(problem->names, c, OUTPUT, none()) == 0)
        return c;
    xdecref(c);
    return NULL;
}

static int constrain(const struct problem *problem, enum deltablue_class class,
                     enum strength strength, size_t count, borrowed const *variables)
{
    struct object *c = new_constraint(problem, class, strength, count, variables);
    int result = c ? add_constraint(problem->names, problem->planner, c) : -1;

    xdecref(c);
    return result;
}

static int expect(const struct problem *problem, borrowed variable, int64_t right)
{
    int64_t value;

    if (field_get_int(problem->names, variable, VALUE, &value) < 0)
        return -1;
    if (value == right)
        return 0;
    exception_set(&runtime_error, "deltablue: a variable is %lld, not %lld", (long long)value,
                  (long long)right);
    return -1;
}

/* Sets it by a plan, `runs` times: to `first`, `first` + `by` ... `last` follows it if there
 * is one. */
static int run_plan(const struct problem *problem, borrowed plan, borrowed variable, borrowed last,
                    int64_t first, int64_t by, int runs)
{
    for (int64_t value = first; runs--; value += by)
        if (field_put_int(problem->names, variable, VALUE, value) < 0 ||
            execute_plan(problem->names, plan) < 0 || (last && expect(problem, last, value) < 0))
            return -1;
    return 0;
}

/* The same with a constraint that says meanwhile that the variable comes from outside. */
static int edit(const struct problem *problem, borrowed variable, borrowed last, int64_t first,
                int64_t by, int runs)
{
    struct object *c = new_constraint(problem, EDIT, PREFERRED, 1, &variable), *plan = NULL;
    int result = c ? add_constraint(problem->names, problem->planner, c) : -1;

    if (result == 0)
        plan = new_plan(problem->names, problem->planner, c);
    result = plan ? run_plan(problem, plan, variable, last, first, by, runs) : -1;
    if (result == 0)
        result = incremental_remove(problem->names, problem->planner, c);
    xdecref(plan);
    xdecref(c);
    return result;
}

static int solve_chain(struct problem *problem, int length)
{
    borrowed first = add_variable(problem, 0), last = first;

    for (int i = 0; i < length && last; i++) {
        borrowed ends[] = { add_variable(problem, 0), last };

        if (!ends[0] || constrain(problem, EQUALITY, REQUIRED, 2, ends) < 0)
            return -1;
        last = ends[0];
    }
    if (!last || constrain(problem, STAY, STRONG_DEFAULT, 1, &last) < 0)
        return -1;
    return edit(problem, first, last, 0, 1, CHAIN_VALUES);
}

static borrowed variable_at(const struct problem *problem, size_t index)
{
    struct object *v = list_get(problem->variables, index);

    xdecref(v); /* the list keeps it */
    return v;
}

/* The n-th pair's variables stand in the list after the scale and the offset. */
static borrowed source_of(const struct problem *problem, int pair)
{
    return variable_at(problem, (size_t)(2 + 2 * pair));
}

static borrowed image_of(const struct problem *problem, int pair)
{
    return variable_at(problem, (size_t)(3 + 2 * pair));
}

static int make_pairs(struct problem *problem, int pairs)
{
    borrowed ends[SCALING_VARIABLES];

    ends[SCALE] = add_variable(problem, 10);
    ends[OFFSET] = ends[SCALE] ? add_variable(problem, 1000) : NULL;
    if (!ends[OFFSET])
        return -1;
    for (int i = 0; i < pairs; i++) {
        ends[SOURCE] = add_variable(problem, i);
        ends[IMAGE] = ends[SOURCE] ? add_variable(problem, i) : NULL;
        if (!ends[IMAGE] || constrain(problem, STAY, NORMAL, 1, &ends[SOURCE]) < 0 ||
            constrain(problem, SCALING, REQUIRED, SCALING_VARIABLES, ends) < 0)
            return -1;
    }
    return 0;
}

static int change(const struct problem *problem, borrowed variable, int64_t value)
{
    return edit(problem, variable, NULL, value, 0, PLAN_RUNS);
}

/* All but the last, whose source has been changed. */
static int expect_images(const struct problem *problem, int pairs, int64_t scale, int64_t offset)
{
    for (int i = 0; i < pairs - 1; i++)
        if (expect(problem, image_of(problem, i), i * scale + offset) < 0)
            return -1;
    return 0;
}

static int solve_projection(struct problem *problem, int pairs)
{
    borrowed source, image;

    if (make_pairs(problem, pairs) < 0)
        return -1;
    source = source_of(problem, pairs - 1);
    image = image_of(problem, pairs - 1);
    if (change(problem, source, 17) < 0 || expect(problem, image, 1170) < 0 ||
        change(problem, image, 1050) < 0 || expect(problem, source, 5) < 0 ||
        change(problem, variable_at(problem, 0), 5) < 0 ||
        expect_images(problem, pairs, 5, 1000) < 0 ||
        change(problem, variable_at(problem, 1), 2000) < 0)
        return -1;
    return expect_images(problem, pairs, 5, 2000);
}

static int solve(const struct program *program, int (*solve_it)(struct problem *, int size),
                 int size)
{
    struct problem problem = { 0 };
    int result = problem_init(&problem, program) < 0 ? -1 : solve_it(&problem, size);

    problem_fini(&problem);
    return result;
}

int deltablue_chain(const struct program *p, int length)
{
    return solve(p, solve_chain, length);
}

int deltablue_projection(const struct program *p, int pairs)
{
    return solve(p, solve_projection, pairs);
}

/* ---- the program ---- */

static const struct program_class classes[DELTABLUE_CLASSES] = {
    [VARIABLE] = { "Variable", PROGRAM_NO_BASE },
    [PLANNER] = { "Planner", PROGRAM_NO_BASE },
    [CONSTRAINT] = { "Constraint", PROGRAM_NO_BASE },
    [STAY] = { "Stay", CONSTRAINT },
    [EDIT] = { "Edit", CONSTRAINT },
    [EQUALITY] = { "Equality", CONSTRAINT },
    [SCALING] = { "Scaling", CONSTRAINT },
};

static const struct program_method methods[] = {
    { CONSTRAINT, CHOOSE, choose, 2 },           { CONSTRAINT, SATISFY, satisfy, 2 },
    { CONSTRAINT, RECALCULATE, recalculate, 1 }, { CONSTRAINT, EXECUTE, execute_nothing, 1 },
    { EQUALITY, EXECUTE, execute_equality, 1 },  { SCALING, EXECUTE, execute_scaling, 1 },
};

static const struct program_text program_text = {
    text, NAMES, classes, DELTABLUE_CLASSES, methods, sizeof methods / sizeof *methods,
};

/* Two attributes of classes of constraints: how many variables each can determine, and whether
 * what it does to one comes from outside. */
int deltablue_init(struct program *p)
{
    if (program_init(p, &program_text) < 0 ||
        field_put_int(p->names, p->class[CONSTRAINT], OUTPUTS, 1) < 0 ||
        field_put_int(p->names, p->class[EQUALITY], OUTPUTS, 2) < 0 ||
        field_put_int(p->names, p->class[SCALING], OUTPUTS, 2) < 0 ||
        field_set(p->names, p->class[CONSTRAINT], IS_INPUT, truth(false)) < 0)
        return -1;
    return field_set(p->names, p->class[EDIT], IS_INPUT, truth(true));
}
