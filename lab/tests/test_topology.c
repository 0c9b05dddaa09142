/* test_topology.c - placement on machines that are made up, binding on this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/topology.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static void load(const char *description)
{
    struct mistake m;

    if (description)
        setenv("HWLOC_SYNTHETIC", description, 1);
    if (topology_load(&m) < 0)
        fail_msg("%s", m.text);
}

static int unload(void **state)
{
    (void)state;
    topology_unload();
    unsetenv("HWLOC_SYNTHETIC");
    unsetenv("HWLOC_THISSYSTEM");
    return 0;
}

static void expect_order(const int *os, int count)
{
    assert_int_equal(topology_pus(), count);
    for (int i = 0; i < 2 * count; i++) {
        struct place place = topology_place(i);

        assert_int_equal(place.os, os[i % count]);
        assert_int_equal(place.oversubscribed, i >= count);
    }
}

static void cores_first_then_siblings(void **state)
{
    static const int order[] = { 0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15 };

    (void)state;
    load("pack:2 core:4 pu:2");
    assert_true(topology_simulated());
    expect_order(order, 16);
}

/* As Linux numbers: the second siblings have the upper half of P#. */
static void order_is_by_core_not_by_number(void **state)
{
    static const int order[] = { 0, 1, 2, 3, 4, 5, 6, 7 };

    (void)state;
    load("pack:1 core:4 pu:2(indexes=0,4,1,5,2,6,3,7)");
    expect_order(order, 8);
    assert_int_equal(topology_place(1).logical, 2);
    assert_int_equal(topology_place(4).logical, 1);
}

/* By role: worker 0's is for those that share it, and the others never come there. */
static void who_keeps_away_is_never_where_worker_0_is(void **state)
{
    (void)state;
    load("pack:1 core:3 pu:1");
    for (int k = 0; k < 6; k++)
        assert_int_equal(topology_place(topology_apart(k)).os, 1 + k % 2);
}

static void one_core_without_siblings(void **state)
{
    static const int order[] = { 0 };

    (void)state;
    load("pack:1 core:1 pu:1");
    expect_order(order, 1);
    assert_int_equal(topology_apart(3), 0);
}

static void expect_simulation(const cpu_set_t *before)
{
    struct binding b;
    cpu_set_t after;

    topology_bind(1, BIND_CORES, &b);
    assert_int_equal(b.planned, 2);
    assert_int_equal(b.observed, -1);
    assert_string_equal(b.result, "simulated");
    assert_int_equal(topology_last(), -1);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(before, &after));
}

static void another_machine_is_never_bound_to(void **state)
{
    cpu_set_t before;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    load("pack:2 core:4 pu:2");
    expect_simulation(&before);
}

/* hwloc itself would obey the variable, and bind by the made-up numbers. */
static void not_even_when_it_claims_to_be_this(void **state)
{
    cpu_set_t before;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    setenv("HWLOC_THISSYSTEM", "1", 1);
    load("pack:2 core:4 pu:2");
    expect_simulation(&before);
}

static void a_description_that_is_none(void **state)
{
    struct mistake m;

    (void)state;
    setenv("HWLOC_SYNTHETIC", "rubbish", 1);
    assert_int_equal(topology_load(&m), -1);
    assert_non_null(strstr(m.text, "HWLOC_SYNTHETIC"));
    unsetenv("HWLOC_SYNTHETIC");
}

/* Runs a test on a thread of its own, which takes its affinity mask with it. */
static void on_a_thread(void *(*test)(void *), void *argument)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, test, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static cpu_set_t own_mask(void)
{
    cpu_set_t mask;

    sched_getaffinity(0, sizeof mask, &mask);
    return mask;
}

/* The last PU of the mask: on most machines not the one that a careless harness takes. */
static int last_of(const cpu_set_t *mask)
{
    int cpu = CPU_SETSIZE - 1;

    while (!CPU_ISSET(cpu, mask))
        cpu--;
    return cpu;
}

static void limit_to(int cpu)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

struct outcome {
    struct place place[2];
    struct binding binding;
    int pus, last;
    bool mask_kept;
};

static void *see_one(void *argument)
{
    struct outcome *o = argument;
    cpu_set_t before = own_mask(), one, after;
    struct mistake m;

    limit_to(last_of(&before));
    one = own_mask();
    if (topology_load(&m) < 0)
        return NULL;
    after = own_mask();
    o->mask_kept = CPU_EQUAL(&one, &after);
    o->pus = topology_pus();
    o->place[0] = topology_place(0);
    o->place[1] = topology_place(1);
    topology_bind(1, BIND_CORES, &o->binding);
    o->last = topology_last();
    return NULL;
}

static void the_affinity_mask_is_honoured(void **state)
{
    struct outcome o = { .pus = 0 };
    cpu_set_t mask = own_mask();
    int cpu = last_of(&mask);

    (void)state;
    on_a_thread(see_one, &o);
    assert_false(topology_simulated());
    assert_int_equal(o.pus, 1);
    assert_true(o.mask_kept);
    assert_int_equal(o.place[0].os, cpu);
    assert_false(o.place[0].oversubscribed);
    assert_int_equal(o.place[1].os, cpu);
    assert_true(o.place[1].oversubscribed);
    assert_int_equal(o.binding.planned, cpu);
    assert_int_equal(o.binding.observed, cpu);
    assert_string_equal(o.binding.result, "bound");
    assert_int_equal(o.last, cpu);
}

static void *bind_as_planned(void *argument)
{
    struct outcome *o = argument;

    topology_bind(topology_pus() - 1, BIND_CORES, &o->binding);
    sched_yield(); /* by now the kernel has moved it */
    o->last = topology_last();
    return NULL;
}

static void a_worker_binds_itself_alone(void **state)
{
    struct outcome o = { .last = -1 };
    cpu_set_t before = own_mask(), after;

    (void)state;
    load(NULL);
    assert_int_equal(topology_pus(), CPU_COUNT(&before));
    on_a_thread(bind_as_planned, &o);
    after = own_mask();
    assert_true(CPU_EQUAL(&before, &after));
    assert_string_equal(o.binding.result, "bound");
    assert_int_equal(o.binding.planned, topology_place(topology_pus() - 1).os);
    assert_int_equal(o.binding.observed, o.binding.planned);
    assert_int_equal(o.last, o.binding.planned);
}

static void none_binds_nothing(void **state)
{
    struct binding b;
    cpu_set_t before = own_mask(), after;

    (void)state;
    load(NULL);
    topology_bind(0, BIND_NONE, &b);
    after = own_mask();
    assert_true(CPU_EQUAL(&before, &after));
    assert_string_equal(b.result, "unbound");
    assert_int_equal(b.planned, -1);
    assert_int_equal(b.observed, CPU_COUNT(&before) == 1 ? last_of(&before) : -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(cores_first_then_siblings, unload),
        cmocka_unit_test_teardown(order_is_by_core_not_by_number, unload),
        cmocka_unit_test_teardown(who_keeps_away_is_never_where_worker_0_is, unload),
        cmocka_unit_test_teardown(one_core_without_siblings, unload),
        cmocka_unit_test_teardown(another_machine_is_never_bound_to, unload),
        cmocka_unit_test_teardown(not_even_when_it_claims_to_be_this, unload),
        cmocka_unit_test(a_description_that_is_none),
        cmocka_unit_test_teardown(the_affinity_mask_is_honoured, unload),
        cmocka_unit_test_teardown(a_worker_binds_itself_alone, unload),
        cmocka_unit_test_teardown(none_binds_nothing, unload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
