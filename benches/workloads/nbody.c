/* nbody.c - the sun and four planets, on boxed floats.
 *
 * Arithmetic as an interpreter does it: each operation takes references to two floats,
 * makes a third and drops the two. Positions and velocities stand in lists. After n-body
 * of the Computer Language Benchmarks Game, whose numbers these are.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/float.h"
#include "objects/list.h"

#include <math.h>
#include <stdlib.h>

enum { BODIES = 5, AXES = 3, ADVANCES = 1000 };

static const double pi = 3.141592653589793, days_per_year = 365.24;

/* After ADVANCES of 0.01 years; at the beginning it is -0.169075164. */
static const double energy_at_start = -0.169075164, energy_at_end = -0.169087605,
                    tolerance = 1e-9;

/* In astronomical units, these a day, and masses of the sun: it, Jupiter, Saturn, Uranus
 * and Neptune. */
static const struct {
    double position[AXES], velocity[AXES], mass;
} start[BODIES] = {
    { { 0 }, { 0 }, 1 },
    { { 4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01 },
      { 1.66007664274403694e-03, 7.69901118419740425e-03, -6.90460016972063023e-05 },
      9.54791938424326609e-04 },
    { { 8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01 },
      { -2.76742510726411840e-03, 4.99852801234917238e-03, 2.30417297573763929e-05 },
      2.85885980666130812e-04 },
    { { 1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01 },
      { 2.96460137564761618e-03, 2.37847173959480950e-03, -2.96589568540237556e-05 },
      4.36624404335156298e-05 },
    { { 1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01 },
      { 2.68067772490389322e-03, 1.62824170038242295e-03, -9.51592254519715870e-05 },
      5.15138902046611451e-05 },
};

struct body {
    struct object *position, *velocity; /* owned; lists of three floats */
    struct object *mass;                /* owned */
};

struct system {
    struct body body[BODIES];
    struct object *years; /* owned; of one advance */
    int advances;         /* since the start */
};

typedef struct object *operation(borrowed a, borrowed b);

/* An instruction: it takes both operands off the stack and leaves the result. Of what has
 * failed it makes a failure. */
static struct object *apply(operation *op, struct object *a /* steals */,
                            struct object *b /* steals */)
{
    struct object *result = a && b ? op(a, b) : NULL;

    xdecref(a);
    xdecref(b);
    return result;
}

static struct object *square(borrowed o)
{
    return float_multiply(o, o);
}

/* list[axis] = value */
static int store(borrowed list, size_t axis, struct object *value /* steals */)
{
    int result = value ? list_set(list, axis, value) : -1;

    xdecref(value);
    return result;
}

/* velocity += or -= distance * mass * magnitude, in one axis. */
static int accelerate(operation *op, const struct body *b, size_t axis, borrowed distance,
                      borrowed mass, borrowed magnitude)
{
    struct object *force = apply(float_multiply, incref(distance), incref(mass));

    force = apply(float_multiply, force, incref(magnitude));
    return store(b->velocity, axis, apply(op, list_get(b->velocity, axis), force));
}

/* years / distance^3 */
static struct object *magnitude_of(borrowed years, struct object *const distance[AXES])
{
    struct object *sum = apply(float_add, square(distance[0]), square(distance[1])), *cube;

    sum = apply(float_add, sum, square(distance[2]));
    cube = apply(float_multiply, sum ? incref(sum) : NULL, sum ? float_sqrt(sum) : NULL);
    xdecref(sum);
    return apply(float_divide, incref(years), cube);
}

static int attract(const struct system *s, const struct body *a, const struct body *b)
{
    struct object *distance[AXES] = { 0 }, *magnitude = NULL;
    size_t axes = 0;
    int result = -1;

    while (axes < AXES &&
           (distance[axes] = apply(float_subtract, list_get(a->position, axes),
                                   list_get(b->position, axes))))
        axes++;
    if (axes == AXES)
        magnitude = magnitude_of(s->years, distance);
    if (magnitude)
        result = 0;
    for (size_t i = 0; i < AXES && result == 0; i++)
        if (accelerate(float_subtract, a, i, distance[i], b->mass, magnitude) < 0 ||
            accelerate(float_add, b, i, distance[i], a->mass, magnitude) < 0)
            result = -1;
    while (axes--)
        decref(distance[axes]);
    xdecref(magnitude);
    return result;
}

static int move(const struct system *s, const struct body *b)
{
    for (size_t i = 0; i < AXES; i++) {
        struct object *way = apply(float_multiply, incref(s->years), list_get(b->velocity, i));

        if (store(b->position, i, apply(float_add, list_get(b->position, i), way)) < 0)
            return -1;
    }
    return 0;
}

static int advance(struct thread *t, const struct system *s)
{
    for (int i = 0; i < BODIES; i++)
        for (int j = i + 1; j < BODIES; j++) {
            if (attract(s, &s->body[i], &s->body[j]) < 0)
                return -1;
            safepoint(t);
        }
    for (int i = 0; i < BODIES; i++)
        if (move(s, &s->body[i]) < 0)
            return -1;
    return 0;
}

static void unbox(borrowed list, double value[AXES])
{
    for (size_t i = 0; i < AXES; i++) {
        struct object *o = list_get(list, i);

        value[i] = float_value(o);
        decref(o);
    }
}

static double energy(const struct system *s)
{
    double position[BODIES][AXES], velocity[AXES], sum = 0;

    for (int i = 0; i < BODIES; i++) {
        double mass = float_value(s->body[i].mass);

        unbox(s->body[i].position, position[i]);
        unbox(s->body[i].velocity, velocity);
        for (int k = 0; k < AXES; k++)
            sum += mass * velocity[k] * velocity[k] / 2;
        for (int j = 0; j < i; j++)
            sum -= mass * float_value(s->body[j].mass) /
                   hypot(hypot(position[i][0] - position[j][0], position[i][1] - position[j][1]),
                         position[i][2] - position[j][2]);
    }
    return sum;
}

static int expect_energy(const struct system *s, double expected)
{
    double found = energy(s);

    if (fabs(found - expected) < tolerance)
        return 0;
    exception_set(&runtime_error, "the energy is %.9f, not %.9f", found, expected);
    return -1;
}

/* What the sun must have so that the whole stands still. */
static double recoil(int axis)
{
    double momentum = 0;

    for (int i = 1; i < BODIES; i++)
        momentum += start[i].velocity[axis] * start[i].mass;
    return -momentum * days_per_year;
}

static int place(const struct system *s)
{
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < AXES; k++) {
            const struct body *b = &s->body[i];
            double velocity = i ? start[i].velocity[k] * days_per_year : recoil(k);

            if (store(b->position, (size_t)k, float_new(start[i].position[k])) < 0 ||
                store(b->velocity, (size_t)k, float_new(velocity)) < 0)
                return -1;
        }
    return expect_energy(s, energy_at_start);
}

static struct object *new_vector(borrowed filler)
{
    struct object *list = list_new();

    for (int i = 0; i < AXES && list; i++)
        if (list_append(list, filler) < 0) {
            decref(list);
            list = NULL;
        }
    return list;
}

static int make_body(struct body *b, double mass)
{
    b->mass = float_new(mass * 4 * pi * pi);
    if (!b->mass)
        return -1;
    b->position = new_vector(b->mass);
    b->velocity = new_vector(b->mass);
    return b->position && b->velocity ? 0 : -1;
}

static int begin(struct worker *w)
{
    struct system *s = w->state = calloc(1, sizeof *s);

    if (!s) {
        exception_set_no_memory();
        return -1;
    }
    s->years = float_new(0.01);
    if (!s->years)
        return -1;
    for (int i = 0; i < BODIES; i++)
        if (make_body(&s->body[i], start[i].mass) < 0)
            return -1;
    return place(s);
}

/* The known answer is looked at as often as there is one, and then it begins again. */
static int step(struct worker *w)
{
    struct system *s = w->state;

    if (advance(w->thread, s) < 0)
        return -1;
    if (++s->advances == ADVANCES) {
        s->advances = 0;
        if (expect_energy(s, energy_at_end) < 0 || place(s) < 0)
            return -1;
    }
    worker_count(w, 1);
    return 0;
}

static void end(struct worker *w)
{
    struct system *s = w->state;

    if (!s)
        return;
    for (int i = 0; i < BODIES; i++) {
        xdecref(s->body[i].position);
        xdecref(s->body[i].velocity);
        xdecref(s->body[i].mass);
    }
    xdecref(s->years);
    free(s);
}

const struct workload workload_nbody = {
    .about = "the sun and four planets, on boxed floats",
    .unit = "advance", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
