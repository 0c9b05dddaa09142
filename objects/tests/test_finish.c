/* test_finish.c - what is unfinished is finished before it is destroyed: once, and where a program
 * may run. */
#include "objects/collector.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/tests/testing.h"
#include "objects/weakref.h"

enum { DEEP = 100000 };

/* ---- a container with something left to do ---- */

struct loose {
    struct object head;
    struct object *held; /* owned, or NULL */
    bool done;
    void (*act)(struct loose *l); /* may be NULL */
};

static int finished, destroyed;
static bool in_stopped_world;
static struct object *kept; /* owned; what an act has kept */

static void loose_destroy(struct object *o)
{
    struct loose *l = (struct loose *)o;

    destroyed++;
    xdecref(l->held);
}

static void loose_clear(struct object *o)
{
    struct loose *l = (struct loose *)o;
    struct object *held = l->held;

    l->held = NULL;
    xdecref(held);
}

static void loose_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                           void *argument)
{
    if (((const struct loose *)o)->held)
        visit(((const struct loose *)o)->held, argument);
}

static bool loose_unfinished(borrowed o)
{
    return !((const struct loose *)o)->done;
}

static void loose_finish(struct object *o)
{
    struct loose *l = (struct loose *)o;

    l->done = true;
    finished++;
    in_stopped_world |= world_is_stopped_by(thread_self);
    if (l->act)
        l->act(l);
}

static const struct type loose_type = {
    .name = "loose", .size_bytes = sizeof(struct loose), .destroy = loose_destroy,
    .clear = loose_clear, .traverse = loose_traverse, .unfinished = loose_unfinished,
    .finish = loose_finish,
};

static struct object *loose_new(struct object *held /* steals; may be NULL */,
                                void (*act)(struct loose *l))
{
    struct loose *l = (struct loose *)container_new(&loose_type, sizeof *l);

    assert_non_null(l);
    l->held = held;
    l->done = false;
    l->act = act;
    return &l->head;
}

static void drop(struct object *o)
{
    decref(o);
    settle_heap();
}

static int begin(void **state)
{
    (void)state;
    settle_heap();
    finished = destroyed = 0;
    in_stopped_world = false;
    kept = NULL;
    return 0;
}

/* ---- when nobody holds it ---- */

static void test_it_is_finished_and_then_destroyed(void **state)
{
    int64_t before = live_blocks();
    struct object *o = loose_new(NULL, NULL);

    (void)state;
    publish(o);
    assert_int_equal(finished, 0);
    drop(o);
    assert_int_equal(finished, 1);
    assert_int_equal(destroyed, 1);
    assert_int_equal(live_blocks(), before);
}

static void test_one_that_is_done_is_only_destroyed(void **state)
{
    struct object *o = loose_new(NULL, NULL);

    (void)state;
    ((struct loose *)o)->done = true;
    drop(o);
    assert_int_equal(finished, 0);
    assert_int_equal(destroyed, 1);
}

static void keep_held(struct loose *l)
{
    kept = incref(l->held);
}

static void test_what_it_holds_is_whole_and_may_be_kept(void **state)
{
    (void)state;
    drop(loose_new(list_new(), keep_held));
    assert_int_equal(destroyed, 1);
    assert_int_equal(exact_count(kept), 1);
    assert_int_equal(list_length(kept), 0);
    decref(kept);
}

static void upgrade(struct loose *l)
{
    assert_null(weakref_get(l->held));
}

static void test_weak_references_lead_to_nothing_by_then(void **state)
{
    struct object *o = loose_new(NULL, upgrade), *weak = weakref_new(o, NULL);

    (void)state;
    ((struct loose *)o)->held = incref(weak);
    drop(o);
    assert_int_equal(finished, 1);
    decref(weak);
}

static void test_a_long_row_takes_no_stack(void **state)
{
    struct object *o = NULL;

    (void)state;
    for (int i = 0; i < DEEP; i++)
        o = loose_new(o, NULL);
    drop(o);
    assert_int_equal(finished, DEEP);
    assert_int_equal(destroyed, DEEP);
}

/* Its own destructors are no deeper for standing in those that destroy it. */
static void drop_a_nest(struct loose *l)
{
    struct object *list = list_new(), *o = loose_new(NULL, NULL);
    int before = finished;

    (void)l;
    assert_int_equal(list_append(list, o), 0);
    decref(o);
    decref(list);
    if (!RC_LATE_HERE)
        assert_int_equal(finished, before + 1);
}

static struct object *in_lists(struct object *o /* steals */, int depth)
{
    while (depth--) {
        struct object *list = list_new();

        assert_int_equal(list_append(list, o), 0);
        decref(o);
        o = list;
    }
    return o;
}

static void test_what_dies_while_it_is_finished_does_not_wait(void **state)
{
    (void)state;
    for (int depth = 0; depth < 60; depth++) { /* as deep as destructors nest, and more */
        begin(state);
        drop(in_lists(loose_new(NULL, drop_a_nest), depth));
        assert_int_equal(finished, 2);
        assert_int_equal(destroyed, 2);
    }
}

/* ---- garbage ---- */

static struct object *cycle(void (*act)(struct loose *l))
{
    struct object *list = list_new(), *o = loose_new(incref(list), act);

    assert_int_equal(list_append(list, o), 0);
    decref(list);
    return o;
}

static void test_garbage_is_finished_before_any_of_it_is_emptied(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    drop(cycle(NULL));
    drop(cycle(NULL));
    assert_int_equal(finished, 0);
    assert_int_equal(collect(GENERATION_YOUNG), 4);
    assert_int_equal(finished, 2);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(destroyed, 2);
    assert_false(in_stopped_world);
}

static void test_garbage_that_somebody_was_given_stays(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    drop(cycle(keep_held));
    assert_int_equal(collect(GENERATION_ALL), 0);
    assert_int_equal(finished, 1);
    assert_int_equal(destroyed, 0);
    assert_int_equal(list_length(kept), 1);
    drop(kept);
    assert_int_equal(collect(GENERATION_ALL), 2);
    assert_int_equal(finished, 1);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(destroyed, 1);
}

/* Publishing links through the slots of what it comes to. */
static void publish_held(struct loose *l)
{
    publish(l->held);
}

static void test_garbage_may_be_published_while_it_is_finished(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    for (int i = 0; i < 5; i++)
        drop(cycle(publish_held));
    assert_int_equal(collect(GENERATION_ALL), 10);
    assert_int_equal(finished, 5);
    assert_int_equal(live_blocks(), before);
}

static void make_another(struct loose *l)
{
    (void)l;
    decref(cycle(NULL));
}

static void test_what_becomes_unfinished_meanwhile_is_finished_too(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    drop(cycle(make_another));
    collect(GENERATION_ALL);
    assert_int_equal(finished, 2);
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(destroyed, 2);
}

/* ---- while the world is stopped ---- */

static void test_it_waits_until_the_world_runs(void **state)
{
    struct object *list = list_new(), *o = loose_new(NULL, NULL);

    (void)state;
    assert_int_equal(list_append(list, o), 0);
    decref(o);
    object_postpone();
    decref(list);
    settle_heap();
    assert_int_equal(finished, 0);
    object_catch_up();
    settle_heap();
    assert_int_equal(finished, 1);
    assert_int_equal(destroyed, 1);
}

/* Where counts are late, the collector's stop is where it is found to be dead. */
static void test_what_a_collection_finds_dead_is_finished_after_it(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    decref(loose_new(list_new(), NULL));
    collect(GENERATION_ALL);
    settle_heap();
    assert_int_equal(finished, 1);
    assert_false(in_stopped_world);
    assert_int_equal(live_blocks(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_it_is_finished_and_then_destroyed, begin),
        cmocka_unit_test_setup(test_one_that_is_done_is_only_destroyed, begin),
        cmocka_unit_test_setup(test_what_it_holds_is_whole_and_may_be_kept, begin),
        cmocka_unit_test_setup(test_weak_references_lead_to_nothing_by_then, begin),
        cmocka_unit_test_setup(test_a_long_row_takes_no_stack, begin),
        cmocka_unit_test_setup(test_what_dies_while_it_is_finished_does_not_wait, begin),
        cmocka_unit_test_setup(test_garbage_is_finished_before_any_of_it_is_emptied, begin),
        cmocka_unit_test_setup(test_garbage_that_somebody_was_given_stays, begin),
        cmocka_unit_test_setup(test_garbage_may_be_published_while_it_is_finished, begin),
        cmocka_unit_test_setup(test_what_becomes_unfinished_meanwhile_is_finished_too, begin),
        cmocka_unit_test_setup(test_it_waits_until_the_world_runs, begin),
        cmocka_unit_test_setup(test_what_a_collection_finds_dead_is_finished_after_it, begin),
    };

    collector_enable(false);
    return run_attached(tests);
}
