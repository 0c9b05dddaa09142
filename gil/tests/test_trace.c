/* test_trace.c - rings, and what a watched lock writes into them. */
#include "gil/tests/testing.h"

#include "gil/watch.h"

#include <stdlib.h>
#include <string.h>

static const struct gil_window window = { 100, 200 };

static void write_at(struct trace_ring *r, uint64_t from_ns, int count)
{
    for (int i = 0; i < count; i++)
        trace_ring_write(r, &window,
                         (struct moment){ from_ns + (uint64_t)i, MOMENT_GOT, (uint32_t)i });
}

static void test_a_ring_keeps_what_fits(void **state)
{
    struct trace_ring r;

    (void)state;
    assert_int_equal(trace_ring_init(&r, 8), 0);
    assert_int_equal(trace_ring_count(&r), 0);
    write_at(&r, 100, 8);
    assert_int_equal(trace_ring_count(&r), 8);
    assert_int_equal(r.dropped, 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(trace_ring_at(&r, (size_t)i)->ns, 100 + i);
    trace_ring_fini(&r);
}

static void test_a_full_ring_drops_the_oldest_and_counts_them(void **state)
{
    struct trace_ring r;

    (void)state;
    assert_int_equal(trace_ring_init(&r, 5), 0);
    assert_int_equal(r.places, 8);
    write_at(&r, 100, 21);
    assert_int_equal(trace_ring_count(&r), 8);
    assert_int_equal(r.dropped, 13);
    for (int i = 0; i < 8; i++)
        assert_int_equal(trace_ring_at(&r, (size_t)i)->ns, 113 + i);
    trace_ring_fini(&r);
}

static void test_what_nobody_wants_to_see_is_not_missed(void **state)
{
    struct trace_ring r;

    (void)state;
    assert_int_equal(trace_ring_init(&r, 4), 0);
    write_at(&r, 95, 10); /* five before the window, five in it */
    assert_int_equal(r.dropped, 1);
    write_at(&r, 200, 10);
    assert_int_equal(r.dropped, 5);
    trace_ring_fini(&r);
}

static const struct gil_class *interval(void)
{
    const struct named_gil *g = gil_list;

    while (strcmp(g->name, "interval"))
        g++;
    return g->class;
}

static struct watched *watched_of(struct watch *w, const struct thread *t)
{
    struct watched *each = w->first;

    while (each && each->thread != t)
        each = each->next;
    assert_non_null(each);
    return each;
}

/* Of the ring: as one letter each. */
static const char *kinds(const struct trace_ring *r)
{
    static const char letter[MOMENT_KINDS] = {
        [MOMENT_ATTACH] = 'a', [MOMENT_YIELD] = 'y',    [MOMENT_GOT] = 'g',
        [MOMENT_DETACH] = 'd', [MOMENT_RELEASED] = 'r', [MOMENT_REQUEST] = '!',
    };
    static char text[200];
    uint64_t last_ns = 0;
    size_t i;

    for (i = 0; i < trace_ring_count(r) && i < sizeof text - 1; i++) {
        const struct moment *m = trace_ring_at(r, i);

        text[i] = letter[m->kind];
        assert_true(m->ns >= last_ns);
        last_ns = m->ns;
    }
    text[i] = '\0';
    return text;
}

static void test_a_thread_is_recorded_step_by_step(void **state)
{
    struct gil *gil = new_gil(interval(), LONG_TURNS);
    struct watch *w = watch_begin(gil, 64);
    struct thread t = { 0 };

    (void)state;
    assert_non_null(w);
    thread_start(&t, gil, NULL);
    thread_detach(&t);
    thread_attach(&t);
    thread_request(&t, BREAKER_GIL);
    safepoint(&t);
    safepoint(&t);
    thread_request(&t, BREAKER_STOP);
    safepoint(&t);
    thread_stop(&t);
    assert_string_equal(kinds(&watched_of(w, &t)->ring), "agdragygdragdr");
    assert_int_equal(trace_ring_count(&w->outsiders), 0);
    watch_end(w);
    gil_delete(gil);
}

static void test_in_a_full_ring_those_of_the_window_are_missed(void **state)
{
    struct gil *gil = new_gil(interval(), LONG_TURNS);
    struct watch *w = watch_begin(gil, 16);
    struct thread t = { 0 };

    (void)state;
    thread_start(&t, gil, NULL); /* 2 moments */
    for (int i = 0; i < 10; i++) {
        thread_detach(&t);
        thread_attach(&t); /* 4 */
    }
    watch_open(w);
    for (int i = 0; i < 25; i++) {
        thread_detach(&t);
        thread_attach(&t);
    }
    thread_stop(&t); /* 2 */
    assert_int_equal(watched_of(w, &t)->ring.written, 2 + 40 + 100 + 2);
    assert_int_equal(watched_of(w, &t)->ring.dropped, 100 + 2 - 16);
    assert_string_equal(kinds(&watched_of(w, &t)->ring), "agdragdragdragdr");
    watch_end(w);
    gil_delete(gil);
}

static struct {
    struct gil *gil;
    struct thread asked, asking;
    _Atomic int may_leave;
} pair;

static void *ask_from_outside(void *argument)
{
    (void)argument;
    thread_request(&pair.asked, BREAKER_GIL);
    return NULL;
}

static void *ask_from_inside(void *argument)
{
    (void)argument;
    thread_start(&pair.asking, pair.gil, NULL);
    thread_request(&pair.asked, BREAKER_GIL);
    thread_stop(&pair.asking);
    return NULL;
}

static void test_a_request_says_who_asked_whom(void **state)
{
    struct watch *w;
    struct watched *asking;
    struct thread first = { 0 };
    pthread_t id;

    (void)state;
    pair.gil = new_gil(interval(), LONG_TURNS);
    w = watch_begin(pair.gil, 64);
    thread_start(&first, pair.gil, NULL); /* so that numbers differ from none */
    thread_stop(&first);
    thread_start(&pair.asked, pair.gil, NULL);
    thread_detach(&pair.asked);
    launch(&id, 1, ask_from_outside, NULL);
    join(&id, 1);
    launch(&id, 1, ask_from_inside, NULL);
    join(&id, 1);
    thread_attach(&pair.asked);
    thread_stop(&pair.asked);
    assert_string_equal(kinds(&w->outsiders), "!");
    assert_int_equal(trace_ring_at(&w->outsiders, 0)->whom, watched_of(w, &pair.asked)->number);
    asking = watched_of(w, &pair.asking);
    assert_string_equal(kinds(&asking->ring), "ag!dr");
    assert_int_equal(trace_ring_at(&asking->ring, 2)->whom, watched_of(w, &pair.asked)->number);
    assert_int_not_equal(asking->number, watched_of(w, &pair.asked)->number);
    watch_end(w);
    gil_delete(pair.gil);
}

/* Every lock: each lane makes sense by itself, and under one that excludes only one thread
 * runs at a time. */

enum { CROWD = 3, ROUNDS = 200, SAFEPOINTS = 50, PLACES = 1 << 14 };

static struct {
    struct gil *gil;
    struct thread thread[CROWD];
    _Atomic int number;
} crowd;

static void *compete(void *argument)
{
    struct thread *t = &crowd.thread[atomic_fetch_add(&crowd.number, 1)];

    (void)argument;
    thread_start(t, crowd.gil, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < SAFEPOINTS; k++)
            safepoint(t);
        thread_detach(t);
        thread_attach(t);
    }
    thread_stop(t);
    return NULL;
}

/* What may come after what; requests may come anywhere. */
static void assert_makes_sense(const struct trace_ring *r)
{
    static const char *const after[MOMENT_KINDS] = {
        [MOMENT_ATTACH] = "g", [MOMENT_YIELD] = "g",    [MOMENT_GOT] = "yd",
        [MOMENT_DETACH] = "r", [MOMENT_RELEASED] = "a",
    };
    static const char letter[] = "aygdr!";
    const char *may = "a";

    for (size_t i = 0; i < trace_ring_count(r); i++) {
        const struct moment *m = trace_ring_at(r, i);

        if (m->kind == MOMENT_REQUEST)
            continue;
        assert_non_null(strchr(may, letter[m->kind]));
        may = after[m->kind];
    }
    assert_string_equal(may, "a");
}

struct turn {
    uint64_t from_ns, to_ns;
};

static int by_time(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;

    return (x->from_ns > y->from_ns) - (x->from_ns < y->from_ns);
}

static size_t take_turns(const struct trace_ring *r, struct turn *turn)
{
    uint64_t from_ns = 0;
    size_t count = 0;

    for (size_t i = 0; i < trace_ring_count(r); i++) {
        const struct moment *m = trace_ring_at(r, i);

        if (m->kind == MOMENT_GOT)
            from_ns = m->ns;
        else if (m->kind == MOMENT_YIELD || m->kind == MOMENT_DETACH)
            turn[count++] = (struct turn){ from_ns, m->ns };
    }
    return count;
}

static void test_lanes_make_sense(void **state)
{
    static struct turn turns[CROWD * PLACES];
    const struct gil_class *class = *state;
    struct watch *w;
    pthread_t ids[CROWD];
    size_t count = 0;

    memset(&crowd, 0, sizeof crowd);
    crowd.gil = new_gil(class, SHORT_TURNS);
    w = watch_begin(crowd.gil, PLACES);
    launch(ids, CROWD, compete, NULL);
    join(ids, CROWD);
    for (int i = 0; i < CROWD; i++) {
        const struct trace_ring *r = &watched_of(w, &crowd.thread[i])->ring;

        if (r->written > PLACES)
            continue; /* of some locks turns are short */
        assert_makes_sense(r);
        assert_true(r->written >= 4 + 4 * ROUNDS);
        count += take_turns(r, turns + count);
    }
    qsort(turns, count, sizeof *turns, by_time);
    for (size_t i = 1; class->excludes && i < count; i++)
        assert_true(turns[i - 1].to_ns <= turns[i].from_ns);
    watch_end(w);
    gil_delete(crowd.gil);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_watchdog, nobody_is_left)
        TEST(test_a_ring_keeps_what_fits),
        TEST(test_a_full_ring_drops_the_oldest_and_counts_them),
        TEST(test_what_nobody_wants_to_see_is_not_missed),
        TEST(test_a_thread_is_recorded_step_by_step),
        TEST(test_in_a_full_ring_those_of_the_window_are_missed),
        TEST(test_a_request_says_who_asked_whom),
#undef TEST
    };
    static const struct promise promises[] = {
        { "lanes make sense", test_lanes_make_sense },
        { NULL, NULL },
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    return run_promises(promises, gil_list, EVERY_LOCK) + failed;
}
