/* test_stats.c - what the build that counts says of scripted sessions: RC_STATS 1. */
#include "gil/mutex.h"
#include "objects/int.h"
#include "objects/tests/crowd.h"

#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define IS(policy) (!strcmp(STRING(RC_POLICY), #policy "_stats"))
#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

static struct stats counted;

static int forget(void **state)
{
    (void)state;
    rc_quiesce();
    stats_begin();
    return witnesses_reset(NULL);
}

static int give_back(void **state)
{
    (void)state;
    stats_free(&counted);
    return 0;
}

static void take(void)
{
    rc_quiesce();
    stats_free(&counted);
    stats_take(&counted);
    assert_false(counted.incomplete);
}

/* The one that has most counts of others. */
static const struct contended *most_contended(void)
{
    const struct contended *most = NULL;

    for (size_t i = 0; i < counted.count; i++)
        if (!most || counted.contended[i].foreign > most->foreign)
            most = &counted.contended[i];
    return most;
}

static void count_times(borrowed o, int times)
{
    for (int i = 0; i < times; i++)
        decref(incref(o));
}

static void test_of_one_thread_everything_is_its_own(void **state)
{
    struct object *o = int_new(1000000);

    (void)state;
    count_times(o, 5);
    decref(o);
    take();
    assert_int_equal(counted.own, 11);
    assert_int_equal(counted.foreign, 0);
    assert_int_equal(counted.retries, 0);
    assert_int_equal(counted.count, 0);
}

static void count_shared(struct member *m)
{
    count_times(m->crowd->shared, m->index ? 30 : 20);
}

static void test_what_others_count_is_foreign(void **state)
{
    struct object *o = witness_shared();
    const struct contended *c;

    (void)state;
    count_times(o, 3);
    crowd_run(2, count_shared, o);
    take();
    assert_int_equal(counted.own, 6);
    assert_int_equal(counted.foreign, 100);
    assert_int_equal(counted.count, 1);
    c = &counted.contended[0];
    assert_ptr_equal(c->type, &witness_type);
    assert_true(c->alone);
    assert_int_equal(c->objects, 1);
    assert_int_equal(c->threads, 3);
    assert_int_equal(c->own, 6);
    assert_int_equal(c->foreign, 100);
    decref(o);
}

/* Made at the same place, of the same type, and the others counted by their maker. */
static void test_a_hot_object_is_told_from_its_siblings(void **state)
{
    struct object *all[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        all[i] = witness_shared();
    count_times(all[0], 1000);
    crowd_run(2, count_shared, all[1]);
    take();
    assert_int_equal(counted.count, 1);
    assert_int_equal(counted.contended[0].own, 0);
    assert_int_equal(counted.contended[0].foreign, 100);
    for (int i = 0; i < 3; i++)
        decref(all[i]);
}

/* Where each of them was called from last: a frame of what it made. */
static const void *here, *there;

static __attribute__((noinline)) struct object *make_here(void)
{
    here = __builtin_return_address(0);
    return witness_new(NULL);
}

static __attribute__((noinline)) struct object *make_there(void)
{
    there = __builtin_return_address(0);
    return witness_new(NULL);
}

static bool leads_through(const struct contended *c, const void *call)
{
    for (int i = 0; i < STATS_FRAMES && c->frame[i]; i++)
        if (c->frame[i] == call)
            return true;
    return false;
}

static void drop_all(struct member *m)
{
    struct object **all = m->crowd->shared;

    for (int i = 0; all[i]; i++)
        decref(all[i]);
}

static void test_what_is_handed_over_is_named_by_its_place(void **state)
{
    struct object *all[9] = { NULL };
    const struct contended *most;

    (void)state;
    for (int i = 0; i < 8; i++)
        all[i] = i < 6 ? make_here() : make_there();
    crowd_run(1, drop_all, all);
    take();
    assert_int_equal(counted.foreign, 8);
    assert_int_equal(counted.count, 2);
    most = most_contended();
    assert_false(most->alone);
    assert_int_equal(most->objects, 6);
    assert_int_equal(most->foreign, 6);
    assert_int_equal(most->threads, 1);
    assert_ptr_not_equal(here, there);
    assert_true(leads_through(most, here));
    assert_false(leads_through(most, there));
    assert_ptr_equal(most->type, &witness_type);
}

static void publish_many(struct member *m)
{
    struct object **all = m->crowd->shared;

    for (int i = 0; i < 40; i++)
        all[i] = witness_shared();
}

/* Beyond the bound an object is counted with its place. Near the end, for entries of
 * objects are not given back. */
static void test_what_finds_no_entry_stays_with_its_place(void **state)
{
    struct object *all[41] = { NULL };

    (void)state;
    take();
    assert_false(counted.crowded);
    crowd_run(1, publish_many, all);
    for (int i = 0; i < 40; i++)
        count_times(all[i], 1);
    take();
    assert_true(counted.crowded);
    assert_int_equal(counted.foreign, 80);
    assert_false(most_contended()->alone);
    assert_true(most_contended()->foreign >= 2 * (40 - 16));
    assert_int_equal(most_contended()->objects + counted.count - 1, 40);
    drop_all(&(struct member){ .crowd = &(struct crowd){ .shared = all } });
}

static void test_places_are_found_again(void **state)
{
    struct object *all[101] = { NULL };

    (void)state;
    for (int i = 0; i < 100; i++)
        all[i] = make_here();
    crowd_run(1, drop_all, all);
    take();
    assert_int_equal(counted.count, 1);
    assert_int_equal(counted.contended[0].objects, 100);
}

/* 125 ways lead to the same call, and there are 64 places. */
enum { WAYS = 125 };

static __attribute__((noinline)) struct object *made_by_way(int way, int depth)
{
    struct object *o;

    if (!depth)
        return witness_new(NULL);
    switch (way % 5) {
    case 0:
        o = made_by_way(way / 5, depth - 1);
        break;
    case 1:
        o = made_by_way(way / 5, depth - 1);
        break;
    case 2:
        o = made_by_way(way / 5, depth - 1);
        break;
    case 3:
        o = made_by_way(way / 5, depth - 1);
        break;
    default:
        o = made_by_way(way / 5, depth - 1);
    }
    return o;
}

/* The last, for places are not given back either. */
static void test_what_finds_no_place_shares_one(void **state)
{
    struct object *all[WAYS + 1] = { NULL };
    uint64_t foreign = 0, apart = 0;

    (void)state;
    for (int i = 0; i < WAYS; i++)
        all[i] = made_by_way(i, 3);
    crowd_run(1, drop_all, all);
    take();
    assert_true(counted.crowded);
    for (size_t i = 0; i < counted.count; i++) {
        foreign += counted.contended[i].foreign;
        apart += counted.contended[i].type ? counted.contended[i].foreign : 0;
    }
    assert_int_equal(foreign, WAYS);
    assert_true(apart >= 32 && apart < 64);
}

/* As large as it is in the ordinary build. */
static size_t witness_bytes(void)
{
    return sizeof(struct witness) - sizeof(struct object_stats);
}

static void test_what_is_dropped_behind_a_detached_owner_is_queued(void **state)
{
    bool queues = IS(biased) || IS(buffered);
    struct object *all[6] = { NULL };
    uint64_t begun_ns = clock_ns(), dropped_ns, later_ns, least_ns, most_ns;

    (void)state;
    for (int i = 0; i < 5; i++)
        all[i] = witness_new(NULL);
    crowd_run(1, drop_all, all);
    for (dropped_ns = clock_ns(); (later_ns = clock_ns()) < dropped_ns + 100;) {
    }
    take();
    assert_int_equal(witnesses_wrong_now(), 0);
    assert_int_equal(counted.foreign, 5);
    assert_int_equal(counted.queued, queues ? 5 : 0);
    assert_int_equal(counted.most_queued, queues ? 5 : 0);
    assert_int_equal(counted.most_held_bytes, queues ? 5 * witness_bytes() : 0);
    assert_true(IS(buffered) || counted.merges == (queues ? 5 : 0));

    least_ns = IS(biased) ? later_ns - dropped_ns : 0;
    most_ns = clock_ns() - begun_ns;
    assert_true(counted.delay_p50_ns >= least_ns - least_ns / 32);
    assert_true(counted.delay_max_ns <= most_ns && (counted.delay_max_ns > 0) == queues);
    assert_true(counted.delay_p50_ns <= counted.delay_p99_ns + counted.delay_p99_ns / 32);
}

/* What has been taken from the queue is not in it any more. */
static void test_the_queue_is_as_long_as_it_is_at_once(void **state)
{
    struct object *all[2] = { NULL };

    (void)state;
    for (int i = 0; i < 3; i++) {
        all[0] = witness_new(NULL);
        crowd_run(1, drop_all, all);
        rc_quiesce();
    }
    take();
    assert_int_equal(counted.queued, IS(biased) || IS(buffered) ? 3 : 0);
    assert_int_equal(counted.most_queued, counted.queued ? 1 : 0);
    stats_begin();
    take();
    assert_int_equal(counted.queued, 0);
    assert_int_equal(counted.most_queued, 0);
    assert_int_equal(counted.delay_max_ns, 0);
    assert_int_equal(counted.own, 0);
}

/* Under `sharded` what waits is the verdict on a hot object, and what is merged its shards. */
static void test_a_hot_object_is_judged_once(void **state)
{
    struct object *o = witness_shared();

    (void)state;
    mark_hot(o);
    crowd_run(2, count_shared, o);
    decref(o);
    take();
    assert_int_equal(witnesses_wrong_now(), 0);
    assert_int_equal(counted.foreign, 100);
    if (IS(sharded)) {
        assert_int_equal(counted.queued, 1);
        assert_int_equal(counted.most_held_bytes, witness_bytes());
        assert_true(counted.merges >= 3);
    }
}

enum { OFTEN = 20000 };

static void try_often(struct member *m)
{
    spread_out(m);
    meet(m);
    for (int i = 0; i < OFTEN; i++)
        expect(try_incref(m->crowd->shared));
}

static void drop_often(struct member *m)
{
    spread_out(m);
    meet(m);
    for (int i = 0; i < OFTEN; i++)
        decref(m->crowd->shared);
}

/* What two members have retried; all of it must be of this one object. */
static uint64_t retries_of(void (*body)(struct member *m), struct object *o)
{
    const struct contended *c;

    stats_begin();
    crowd_run(2, body, o);
    take();
    c = most_contended();
    assert_int_equal(c->foreign, 2 * OFTEN);
    assert_true(IS(buffered) || counted.retries == c->retries);
    return c->retries;
}

/* Two who try at once are in each other's way, sooner or later; to drop one must compare under
 * `biased` alone. */
static void test_retries_are_of_the_object_that_was_tried(void **state)
{
    struct object *o = witness_shared();
    uint64_t tried = 0, dropped = 0;

    (void)state;
    for (int round = 0; round < 200 && !(tried && (dropped || !IS(biased))); round++) {
        tried += retries_of(try_often, o);
        dropped += retries_of(drop_often, o);
    }
    assert_true(tried > 0);
    assert_int_equal(dropped > 0, IS(biased));
    assert_int_equal(mishaps, 0);
    decref(o);
}

/* ---- on a stack that is not the thread's ---- */

enum { SMALL_STACK = 64 * 1024 };

static struct {
    char *stack; /* and behind it a page that nobody can read */
    ucontext_t back, there;
    struct object *made;
} elsewhere;

static void make_one(void)
{
    elsewhere.made = int_new(1000000);
}

/* As code that was compiled without frame pointers may: it has something else in their register. */
static void make_one_astray(void)
{
#ifdef __x86_64__
    __asm__ volatile("mov %%rsp, %%r12\n\tmov %%rbp, %%r13\n\tsub $256, %%rsp\n\t"
                     "and $-64, %%rsp\n\tmov %0, %%rbp\n\tcall *%1\n\t"
                     "mov %%r13, %%rbp\n\tmov %%r12, %%rsp"
                     :
                     : "r"(elsewhere.stack + SMALL_STACK + 64), "r"(make_one)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "memory", "cc");
#else
    make_one();
#endif
}

static void test_places_on_another_stack_are_looked_for_with_care(void **state)
{
    (void)state;
    if (SANITIZED)
        skip(); /* they are not told of the switch */
    elsewhere.stack = mmap(NULL, 2 * SMALL_STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(elsewhere.stack, MAP_FAILED);
    assert_int_equal(mprotect(elsewhere.stack, SMALL_STACK, PROT_READ | PROT_WRITE), 0);
    getcontext(&elsewhere.there);
    elsewhere.there.uc_stack.ss_sp = elsewhere.stack;
    elsewhere.there.uc_stack.ss_size = SMALL_STACK;
    elsewhere.there.uc_link = &elsewhere.back;
    makecontext(&elsewhere.there, make_one_astray, 0);
    swapcontext(&elsewhere.back, &elsewhere.there);
    assert_non_null(elsewhere.made);
    decref(elsewhere.made);
    munmap(elsewhere.stack, 2 * SMALL_STACK);
}

#define COUNTING(test) cmocka_unit_test_setup_teardown(test, forget, give_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTING(test_of_one_thread_everything_is_its_own),
        COUNTING(test_what_others_count_is_foreign),
        COUNTING(test_a_hot_object_is_told_from_its_siblings),
        COUNTING(test_what_is_handed_over_is_named_by_its_place),
        COUNTING(test_places_are_found_again),
        COUNTING(test_what_is_dropped_behind_a_detached_owner_is_queued),
        COUNTING(test_the_queue_is_as_long_as_it_is_at_once),
        COUNTING(test_a_hot_object_is_judged_once),
        COUNTING(test_retries_are_of_the_object_that_was_tried),
        COUNTING(test_what_finds_no_entry_stays_with_its_place),
        COUNTING(test_what_finds_no_place_shares_one),
        COUNTING(test_places_on_another_stack_are_looked_for_with_care),
    };

    return run_in_crowd(tests);
}
