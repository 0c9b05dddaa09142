/* test_audit.c - publishing, parking, and what the audit says of counts that are wrong.
 *
 * Wrong counts are made by script, with rc_incref and rc_decref behind the tallies'
 * back, and by threads that race on purpose.
 */
#include "gil/mutex.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/str.h"
#include "objects/tests/testing.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

/* A pair of references, with a destructor that is counted. */
struct pair {
    struct object head;
    struct object *first, *second; /* owned */
};

static int pairs_destroyed;

static void pair_destroy(struct object *o)
{
    struct pair *pair = (struct pair *)o;

    pairs_destroyed++;
    xdecref(pair->first);
    xdecref(pair->second);
}

static void pair_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct pair *pair = (const struct pair *)o;

    if (pair->first)
        visit(pair->first, argument);
    if (pair->second)
        visit(pair->second, argument);
}

static const struct type pair_type = {
    .name = "pair", .size_bytes = sizeof(struct pair),
    .destroy = pair_destroy, .traverse = pair_traverse,
};

static struct object *pair_new(struct object *first /* steals */,
                               struct object *second /* steals */)
{
    struct object *o = object_new(&pair_type, sizeof(struct pair));

    ((struct pair *)o)->first = first;
    ((struct pair *)o)->second = second;
    return o;
}

static int begin(void **state)
{
    (void)state;
    rc_quiesce(); /* what the last test has dropped must not be parked */
    pairs_destroyed = 0;
    parking_begin(PARKING_BOUND_BYTES);
    return 0;
}

/* A test that failed half-way must not fail the next. */
static int end(void **state)
{
    struct damage damage;

    (void)state;
    if (parking)
        parking_end(&damage);
    return 0;
}

static struct object *published_int(int64_t value)
{
    struct object *o = int_new(value);

    publish(o);
    return o;
}

static struct object *published_pair(struct object *first, struct object *second)
{
    struct object *o = pair_new(first, second);

    publish(o);
    return o;
}

/* Ends; nothing may be wrong that the audited build would see. */
static void end_in_order(struct damage *damage)
{
    parking_end(damage);
    assert_int_equal(damage->freed + damage->leaked, damage->published);
    assert_int_equal(damage->off, 0);
    assert_int_equal(damage->over, 0);
    assert_int_equal(damage->under, 0);
    assert_int_equal(damage->early, 0);
    assert_false(damage->incomplete);
}

static void test_publishing_reaches_all_that_is_held(void **state)
{
    struct object *leaf = int_new(1), *inner = pair_new(leaf, NULL);
    struct object *outer = pair_new(inner, int_new(2)), *apart = int_new(3);

    (void)state;
    publish(outer);
    assert_true(published(outer) && published(inner) && published(leaf));
    assert_false(published(apart));
    decref(outer);
    decref(apart);
}

static void test_a_cycle_is_published_once(void **state)
{
    struct object *o = pair_new(NULL, NULL);
    struct damage damage;

    (void)state;
    ((struct pair *)o)->first = incref(o);
    publish(o);
    decref(o);
    end_in_order(&damage);
    assert_int_equal(damage.published, 1);
    assert_int_equal(damage.leaked, 1);
    assert_int_equal(pairs_destroyed, 1);
}

static void test_storing_publishes_if_the_container_is(void **state)
{
    struct object *container = pair_new(NULL, NULL), *item = int_new(1);

    (void)state;
    publish_into(container, item);
    assert_false(published(item));
    publish(container);
    publish_into(container, item);
    assert_true(published(item));
    decref(item);
    decref(container);
}

static void test_lists_publish_what_they_hold_and_get(void **state)
{
    struct object *list = list_new(), *before = int_new(1), *after = int_new(2);

    (void)state;
    assert_int_equal(list_append(list, before), 0);
    publish(list);
    assert_true(published(before));
    assert_int_equal(list_append(list, after), 0);
    assert_true(published(after));
    decref(before);
    decref(after);
    decref(list);
}

static void test_without_parking_a_published_object_is_freed(void **state)
{
    struct object *o = published_pair(NULL, NULL);

    (void)state;
    rc_quiesce();
    pairs_destroyed = 0;
    decref(o);
    rc_quiesce();
    assert_int_equal(pairs_destroyed, 1);
}

static void test_parking_frees_what_was_not_published(void **state)
{
    struct damage damage;

    (void)state;
    decref(pair_new(NULL, NULL));
    rc_quiesce();
    assert_int_equal(pairs_destroyed, 1);
    end_in_order(&damage);
    assert_int_equal(damage.published, 0);
}

static void test_parking_keeps_memory_and_contents(void **state)
{
    struct object *item = int_new(41), *o = published_pair(item, NULL);
    struct damage damage;

    (void)state;
    decref(o);
    rc_quiesce();
    assert_true(parked(o));
    assert_int_equal(pairs_destroyed, 0);
    assert_ptr_equal(type_of(o), &pair_type);
    assert_int_equal(int_value(((struct pair *)o)->first), 41);
    assert_false(parked(item));
    end_in_order(&damage);
    assert_int_equal(pairs_destroyed, 1);
    assert_int_equal(damage.published, 2);
    assert_int_equal(damage.freed, 2);
    assert_int_equal(damage.leaked, 0);
}

static void test_what_was_never_dropped_is_leaked_and_given_back(void **state)
{
    struct object *kept = published_pair(published_int(1), NULL);
    struct damage damage;

    (void)state;
    (void)kept;
    decref(published_int(2));
    end_in_order(&damage);
    assert_int_equal(damage.published, 3);
    assert_int_equal(damage.freed, 1);
    assert_int_equal(damage.leaked, 2);
    assert_int_equal(pairs_destroyed, 1);
}

/* The items are entered before their holder, so one round does not empty all. */
static void test_a_chain_of_parked_objects_is_emptied_to_its_end(void **state)
{
    enum { LINKS = 20 };
    struct object *chain = NULL;
    struct damage damage;

    (void)state;
    for (int i = 0; i < LINKS; i++)
        chain = published_pair(chain, NULL);
    decref(chain);
    end_in_order(&damage);
    assert_int_equal(damage.published, LINKS);
    assert_int_equal(damage.freed, LINKS);
    assert_int_equal(pairs_destroyed, LINKS);
}

static void test_parking_can_begin_again(void **state)
{
    struct damage damage;

    (void)state;
    decref(published_int(1));
    end_in_order(&damage);
    assert_false(parking);
    parking_begin(PARKING_BOUND_BYTES);
    decref(published_int(1));
    decref(published_int(2));
    end_in_order(&damage);
    assert_int_equal(damage.published, 2);
}

static void test_the_bound_is_on_what_was_published(void **state)
{
    enum { BOUND_BYTES = 100000, MOST = 10000 };
    struct damage damage;
    int count = 0;

    (void)state;
    parking_begin(BOUND_BYTES);
    assert_false(parking_full());
    while (!parking_full() && count++ < MOST)
        decref(published_int(count));
    assert_in_range(count, 100, MOST - 1);
    end_in_order(&damage);
    assert_int_equal(damage.bound_bytes, BOUND_BYTES);
    assert_in_range(damage.kept_bytes, BOUND_BYTES, 2 * BOUND_BYTES);
    assert_int_equal(damage.freed, count);
}

static void test_the_bound_counts_the_objects_own_bytes(void **state)
{
    enum { BOUND_BYTES = 100000, TEXT_BYTES = 60000 };
    static char text[TEXT_BYTES];
    struct damage damage;

    (void)state;
    memset(text, 'x', TEXT_BYTES - 1);
    parking_begin(BOUND_BYTES);
    for (int i = 0; i < 2; i++) {
        struct object *o = str_new(text);

        assert_false(parking_full());
        publish(o);
        decref(o);
    }
    assert_true(parking_full());
    end_in_order(&damage);
    assert_in_range(damage.kept_bytes, 2 * TEXT_BYTES, 3 * TEXT_BYTES);
}

/* Threads. */

enum { THREADS = 4, ROUNDS = 300 };

struct crew {
    int (*work)(struct crew *crew);
    pthread_barrier_t ready;
    _Atomic int begun;     /* atomic; threads, so far */
    struct object *shared; /* borrowed by all */
    int64_t rounds;
};

/* On a core of its own, if there are enough: on a busy machine the kernel may leave
 * two threads on one core, where they take turns and nothing races. */
static void take_core(int index)
{
    cpu_set_t mask;

    if (sched_getaffinity(0, sizeof mask, &mask) < 0)
        return;
    index %= CPU_COUNT(&mask);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &mask) && index-- != 0)
            CPU_CLR(cpu, &mask);
    pthread_setaffinity_np(pthread_self(), sizeof mask, &mask);
}

/* NULL, or the crew if it failed. */
static void *member(void *argument)
{
    struct crew *crew = argument;
    struct thread self = { .locks_containers = true };
    struct gil *gil = gil_new(&gil_none, NULL);
    bool failed;

    take_core(atomic_fetch_add_explicit(&crew->begun, 1, memory_order_relaxed));
    if (!gil || thread_start(&self, gil, &object_hooks) < 0)
        return crew;
    thread_detach(&self);
    pthread_barrier_wait(&crew->ready);
    thread_attach(&self);
    failed = crew->work(crew) < 0;
    thread_stop(&self);
    gil_delete(gil);
    return failed ? crew : NULL;
}

static void run_crew(struct crew *crew, int threads)
{
    pthread_t id[THREADS];
    int failed = 0;

    pthread_barrier_init(&crew->ready, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&id[i], NULL, member, crew), 0);
    thread_detach(thread_self);
    for (int i = 0; i < threads; i++) {
        void *result;

        pthread_join(id[i], &result);
        failed += result != NULL;
    }
    thread_attach(thread_self);
    pthread_barrier_destroy(&crew->ready);
    assert_int_equal(failed, 0);
}

static int publish_and_drop(struct crew *crew)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct object *o = published_int(i), *copy = incref(o);

        decref(o);
        if (i % 3)
            decref(copy);
    }
    (void)crew;
    return 0;
}

/* Nothing is shared, so that even `plain` must be right with no lock. */
static void test_the_books_of_threads_that_ended_are_read(void **state)
{
    struct crew crew = { .work = publish_and_drop };
    struct damage damage;

    (void)state;
    run_crew(&crew, THREADS);
    end_in_order(&damage);
    assert_int_equal(damage.published, THREADS * ROUNDS);
    assert_int_equal(damage.leaked, THREADS * ROUNDS / 3);
}

#if !RC_NEEDS_GIL || !REPORTS_RACES
static int take_and_drop(struct crew *crew)
{
    for (int64_t i = 0; i < crew->rounds; i++) {
        struct object *o = incref(crew->shared);

        __asm__ volatile("" : "+r"(o) : : "memory"); /* or gcc deletes the pair */
        decref(o);
        safepoint(thread_self);
    }
    return 0;
}
#endif

#if !RC_NEEDS_GIL
static void test_counts_that_need_no_lock_are_right(void **state)
{
    struct crew crew = { .work = take_and_drop, .shared = published_int(1), .rounds = 10000 };
    struct damage damage;

    (void)state;
    run_crew(&crew, THREADS);
    decref(crew.shared);
    end_in_order(&damage);
    assert_int_equal(damage.freed, 1);
}
#elif !REPORTS_RACES
static int cores(void)
{
    cpu_set_t mask;

    return sched_getaffinity(0, sizeof mask, &mask) < 0 ? 1 : CPU_COUNT(&mask);
}

/* Until it goes wrong, for some seconds at most: on two free cores the first try does. The
 * count, and what the audit says of it, must be the same thing. */
static void test_racing_counts_go_wrong_and_do_not_crash(void **state)
{
    struct crew crew = { .work = take_and_drop, .rounds = 100000 };
    uint64_t deadline_ns = clock_ns() + 5ull * NS_PER_S;
    struct damage damage;
    int64_t wrong;

    (void)state;
    do {
        parking_end(&damage);
        parking_begin(PARKING_BOUND_BYTES);
        crew.shared = published_int(41);
        run_crew(&crew, 2);
        wrong = refcount(crew.shared) - 1;
        assert_int_equal(int_value(crew.shared), 41);
        decref(crew.shared);
    } while (!wrong && clock_ns() < deadline_ns);
    parking_end(&damage);
    assert_int_equal(damage.published, 1);
    assert_int_equal(damage.freed + damage.leaked, 1);
    assert_int_equal(damage.over, RC_AUDIT && wrong > 0 ? wrong : 0);
    assert_int_equal(damage.under, RC_AUDIT && wrong < 0 ? -wrong : 0);
    if (cores() > 1)
        assert_int_not_equal(wrong, 0);
}
#endif

/* Wrong counts by script. */
#if RC_AUDIT
static void test_a_count_too_high_is_a_leak(void **state)
{
    struct object *o = published_int(1);
    struct damage damage;

    (void)state;
    rc_incref(&o->rc);
    decref(o);
    assert_false(parked(o));
    parking_end(&damage);
    assert_int_equal(damage.off, 1);
    assert_int_equal(damage.over, 1);
    assert_int_equal(damage.under, 0);
    assert_int_equal(damage.leaked, 1);
    assert_int_equal(damage.early, 0);
}

static void test_a_count_too_low_is_an_early_free_if_used_again(void **state)
{
    struct object *o = published_int(1), *copy = incref(o);
    struct damage damage;

    (void)state;
    assert_false(rc_decref(&o->rc));
    decref(o);
    assert_true(parked(o));
    decref(copy);
    parking_end(&damage);
    assert_int_equal(damage.off, 1);
    assert_int_equal(damage.over, 0);
    assert_int_equal(damage.under, 1);
    assert_int_equal(damage.leaked, 0);
    assert_int_equal(damage.early, 1);
}

static void test_a_free_is_early_if_a_reference_is_left(void **state)
{
    struct object *o = published_int(1), *copy = incref(o);
    struct damage damage;

    (void)state;
    (void)copy;
    assert_false(rc_decref(&o->rc));
    decref(o);
    parking_end(&damage);
    assert_int_equal(damage.under, 1);
    assert_int_equal(damage.early, 1);
}

/* Freed too early, then a lost decrement makes up for it: only the free was wrong. */
static void test_an_early_free_is_seen_when_the_count_is_right_again(void **state)
{
    struct object *o = published_int(1), *copy = incref(o);
    struct damage damage;

    (void)state;
    assert_false(rc_decref(&o->rc));
    decref(o);
    rc_incref(&o->rc);
    decref(copy);
    parking_end(&damage);
    assert_int_equal(damage.off, 0);
    assert_int_equal(damage.freed, 1);
    assert_int_equal(damage.early, 1);
}

static void test_errors_that_cancel_out_are_both_counted(void **state)
{
    struct object *high = published_int(1), *low = published_int(2), *right = published_int(3);
    struct damage damage;

    (void)state;
    rc_incref(&high->rc);
    rc_incref(&high->rc);
    decref(high);
    incref(low);
    incref(low);
    assert_false(rc_decref(&low->rc));
    assert_false(rc_decref(&low->rc));
    decref(right);
    parking_end(&damage);
    assert_int_equal(damage.published, 3);
    assert_int_equal(damage.off, 2);
    assert_int_equal(damage.over, 2);
    assert_int_equal(damage.under, 2);
    assert_int_equal(damage.leaked, 2);
    assert_int_equal(damage.early, 0);
}

static void test_references_from_before_publication_count(void **state)
{
    struct object *o = int_new(1), *copy = incref(o);
    struct damage damage;

    (void)state;
    publish(o);
    decref(o);
    decref(copy);
    end_in_order(&damage);
    assert_int_equal(damage.freed, 1);
}

/* A container that goes drops what it holds only at the end: no use after the free. */
static void test_a_leak_inside_a_freed_container_is_found(void **state)
{
    struct object *item = int_new(1), *o = published_pair(item, int_new(2));
    struct damage damage;

    (void)state;
    rc_incref(&item->rc);
    decref(o);
    parking_end(&damage);
    assert_int_equal(damage.published, 3);
    assert_int_equal(damage.freed, 2);
    assert_int_equal(damage.leaked, 1);
    assert_int_equal(damage.off, 1);
    assert_int_equal(damage.early, 0);
}
#endif

#define PARKING(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publishing_reaches_all_that_is_held),
        PARKING(test_a_cycle_is_published_once),
        cmocka_unit_test(test_storing_publishes_if_the_container_is),
        cmocka_unit_test(test_lists_publish_what_they_hold_and_get),
        cmocka_unit_test(test_without_parking_a_published_object_is_freed),
        PARKING(test_parking_frees_what_was_not_published),
        PARKING(test_parking_keeps_memory_and_contents),
        PARKING(test_what_was_never_dropped_is_leaked_and_given_back),
        PARKING(test_a_chain_of_parked_objects_is_emptied_to_its_end),
        PARKING(test_parking_can_begin_again),
        cmocka_unit_test_teardown(test_the_bound_is_on_what_was_published, end),
        cmocka_unit_test_teardown(test_the_bound_counts_the_objects_own_bytes, end),
        PARKING(test_the_books_of_threads_that_ended_are_read),
#if !RC_NEEDS_GIL
        PARKING(test_counts_that_need_no_lock_are_right),
#elif !REPORTS_RACES
        PARKING(test_racing_counts_go_wrong_and_do_not_crash),
#endif
#if RC_AUDIT
        PARKING(test_a_count_too_high_is_a_leak),
        PARKING(test_a_count_too_low_is_an_early_free_if_used_again),
        PARKING(test_a_free_is_early_if_a_reference_is_left),
        PARKING(test_an_early_free_is_seen_when_the_count_is_right_again),
        PARKING(test_errors_that_cancel_out_are_both_counted),
        PARKING(test_references_from_before_publication_count),
        PARKING(test_a_leak_inside_a_freed_container_is_found),
#endif
    };

    return run_attached(tests);
}
