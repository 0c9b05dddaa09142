/* test_prompt.c - what the lock `prompt` promises beyond all others.
 *
 * With -DGIL_TWIN=gil_x the same promises are put to that class alone.
 */
#include "gil/tests/acting.h"

#include "gil/mutex.h"

#include <string.h>
#include <time.h>

#ifdef GIL_TWIN
extern const struct gil_class GIL_TWIN;
static const struct named_gil classes[] = { { "twin", &GIL_TWIN }, { NULL, NULL } };
#else
extern const struct gil_class gil_prompt;
static const struct named_gil classes[] = { { "prompt", &gil_prompt }, { NULL, NULL } };
#endif

enum { TURN, SPIN };

struct place {
    struct gil *gil;
    int rounds;
    int64_t visits;      /* gil */
    _Atomic int inside;  /* threads that believe that they hold the lock */
    _Atomic int crowded; /* two believed so at once */
    _Atomic int go, done;
};

static struct gil *gil_with(const struct gil_class *class, int64_t turn_us, int64_t spin_us)
{
    struct gil *gil = gil_new(class, (int64_t[PARAM_MAX]){ turn_us, spin_us });

    assert_non_null(gil);
    return gil;
}

static void visit(struct place *p)
{
    if (atomic_fetch_add_explicit(&p->inside, 1, memory_order_relaxed))
        announce(&p->crowded, 1);
    p->visits++;
    atomic_fetch_sub_explicit(&p->inside, 1, memory_order_relaxed);
}

/* Comes back from a wait again and again: a turn of its own would never come. */
static void *waits_and_visits(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    for (int i = 0; i < p->rounds; i++) {
        wait_detached(&self, &p->go, i + 1);
        visit(p);
        announce(&p->done, i + 1);
    }
    thread_stop(&self);
    return NULL;
}

/* The main thread computes, in a turn that lasts until tomorrow. */
static void let_in(const struct gil_class *class, int64_t spin_us)
{
    struct place p = { .gil = gil_with(class, class->param[TURN].most, spin_us), .rounds = 200 };
    struct thread self = { 0 };
    pthread_t id;

    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    launch(&id, 1, waits_and_visits, &p);
    for (int i = 0; i < p.rounds; i++) {
        announce(&p.go, i + 1);
        while (seen(&p.done) < i + 1)
            safepoint(&self);
    }
    thread_stop(&self);
    join(&id, 1);
    gil_delete(p.gil);
    assert_int_equal(p.visits, p.rounds);
    assert_int_equal(seen(&p.crowded), 0);
}

static void test_who_comes_back_is_let_in_though_the_turn_goes_on(void **state)
{
    let_in(*state, 20);
}

/* Without looking: all waits end by being woken. */
static void test_so_it_is_where_nobody_waits_awake(void **state)
{
    let_in(*state, 0);
}

/* Whoever is asked answers at the next safe point, not at some later one. */
static void test_the_next_safe_point_is_the_one(void **state)
{
    const struct gil_class *class = *state;
    struct place p = { .gil = gil_with(class, class->param[TURN].most, 10000), .rounds = 100 };
    struct thread self = { 0 };
    pthread_t id;
    int late = 0;

    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    launch(&id, 1, waits_and_visits, &p);
    for (int i = 0; i < p.rounds; i++) {
        int points = 0;

        announce(&p.go, i + 1);
        for (int k = 0; !is_asked(&self, BREAKER_GIL) && seen(&p.done) < i + 1; k++)
            if (k % 1000 == 999)
                sched_yield();
        /* Who was asleep is only woken at the first, and let in when it has asked again. */
        for (; seen(&p.done) < i + 1; points += is_asked(&self, BREAKER_GIL)) {
            while (!is_asked(&self, BREAKER_GIL) && seen(&p.done) < i + 1)
                sched_yield();
            safepoint(&self);
        }
        late += points > 2;
    }
    thread_stop(&self);
    join(&id, 1);
    gil_delete(p.gil);
    assert_int_equal(late, 0);
}

static uint64_t spent_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

/* Computes in its own time; `t` passes safe points if it is not NULL. */
static void compute(struct thread *t, uint64_t ns)
{
    for (uint64_t end_ns = spent_ns() + ns; spent_ns() < end_ns;)
        if (t)
            safepoint(t);
}

enum { QUANTUM_US = 1000 };

enum { EQUALS = 3, TURNS = 40 };

struct equals {
    struct gil *gil;
    int last;          /* gil; who ran last */
    int turns[EQUALS]; /* gil; how often each began to run after another */
    _Atomic int present, over;
};

static void count_turn(struct equals *e, int me)
{
    if (e->last == me)
        return;
    e->last = me;
    if (++e->turns[me] == TURNS)
        announce(&e->over, 1);
}

struct equal {
    struct equals *all;
    int me;
};

static void *takes_turns(void *argument)
{
    struct equal *self = argument;
    struct thread t = { 0 };

    thread_start(&t, self->all->gil, NULL);
    atomic_fetch_add_explicit(&self->all->present, 1, memory_order_release);
    while (seen(&self->all->present) < EQUALS)
        safepoint(&t);
    while (!seen(&self->all->over)) {
        count_turn(self->all, self->me);
        safepoint(&t);
    }
    thread_stop(&t);
    return NULL;
}

/* First come, first served: nobody has two turns more than another. */
static void test_equals_take_turns(void **state)
{
    struct equals all = { .gil = gil_with(*state, QUANTUM_US, 20), .last = -1 };
    struct equal one[EQUALS];
    pthread_t ids[EQUALS];

    for (int i = 0; i < EQUALS; i++) {
        one[i] = (struct equal){ &all, i };
        launch(&ids[i], 1, takes_turns, &one[i]);
    }
    join(ids, EQUALS);
    gil_delete(all.gil);
    for (int i = 0; i < EQUALS; i++)
        assert_in_range(all.turns[i], TURNS - 2, TURNS);
}

/* Blocks again and again, without end, as others do: together they leave no gap. */
static void *claims(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    while (!seen(&p->done)) {
        visit(p);
        compute(NULL, 50 * NS_PER_US);
        thread_detach(&self);
        sched_yield();
        thread_attach(&self);
    }
    thread_stop(&self);
    return NULL;
}

static void *computes_to_the_end(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    for (int i = 0; i < p->rounds; i++) {
        visit(p);
        compute(NULL, 20 * NS_PER_US);
        safepoint(&self);
    }
    thread_stop(&self);
    announce(&p->done, 1);
    return NULL;
}

/* Six that block make more claims than there is time; who computes comes to its end. */
static void test_claims_starve_nobody(void **state)
{
    struct place p = { .gil = gil_with(*state, QUANTUM_US, 20), .rounds = 500 };
    pthread_t ids[6], id;

    launch(ids, 6, claims, &p);
    launch(&id, 1, computes_to_the_end, &p);
    join(&id, 1);
    join(ids, 6);
    gil_delete(p.gil);
    assert_int_equal(seen(&p.crowded), 0);
}

enum { CROWD = 8 };

/* Some compute, some block, and the first in line is often asleep. */
static void *does_both(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    for (int i = 0; i < p->rounds; i++) {
        visit(p);
        if (i % 3)
            safepoint(&self);
        else if (i % 7) {
            thread_detach(&self);
            thread_attach(&self);
        } else {
            thread_detach(&self);
            sched_yield();
            thread_attach(&self);
        }
    }
    thread_stop(&self);
    return NULL;
}

static void crowd(const struct gil_class *class, int64_t turn_us, int64_t spin_us)
{
    struct place p = { .gil = gil_with(class, turn_us, spin_us), .rounds = 3000 };
    pthread_t ids[CROWD];

    launch(ids, CROWD, does_both, &p);
    join(ids, CROWD);
    gil_delete(p.gil);
    assert_int_equal(p.visits, CROWD * p.rounds);
    assert_int_equal(seen(&p.crowded), 0);
}

static void test_a_crowd_that_sleeps(void **state)
{
    crowd(*state, ((const struct gil_class *)*state)->param[TURN].most, 0);
}

static void test_a_crowd_that_looks(void **state)
{
    crowd(*state, 100, 5);
}

enum { CREDIT_NS }; /* of gil_words, as in prompt.c */

/* For more than twice of what it can have been promised since it came. */
static void use_too_much(struct thread *self)
{
    uint64_t came_ns = (uint64_t)self->gil_words[CREDIT_NS + 1], now_ns = clock_ns();
    uint64_t until_ns = now_ns + 2 * (now_ns - came_ns) + NS_PER_MS;

    while (clock_ns() < until_ns)
        ;
}

/* Else who has a little left could claim it for as long as it likes, again and again. */
static void test_what_a_claim_takes_beyond_it_is_owed(void **state)
{
    const struct gil_class *class = *state;
    static struct actor actors[2];
    struct actor *computes = &actors[0], *claims = &actors[1];

    open_stage(actors, 2, gil_with(class, class->param[TURN].most, 0));
    claims->call = use_too_much;
    make(computes, START);
    tell(claims, START);
    while (!is_done(claims))
        if (is_done(computes))
            tell(computes, PASS);
    make(claims, CALL);
    make(claims, DETACH);
    wait_until_done(computes);
    assert_true(claims->self.gil_words[CREDIT_NS] < 0);
    close_stage(actors, 2);
}

static const struct promise promises[] = {
    { "a crowd that sleeps", test_a_crowd_that_sleeps },
    { "a crowd that looks", test_a_crowd_that_looks },
    { "who comes back is let in though the turn goes on",
      test_who_comes_back_is_let_in_though_the_turn_goes_on },
    { "so it is where nobody waits awake", test_so_it_is_where_nobody_waits_awake },
    { "the next safe point is the one", test_the_next_safe_point_is_the_one },
    { "equals take turns", test_equals_take_turns },
    { "claims starve nobody", test_claims_starve_nobody },
    { "what a claim takes beyond it is owed", test_what_a_claim_takes_beyond_it_is_owed },
    { NULL, NULL },
};

int main(void)
{
    return run_promises(promises, classes, LOCKS_THAT_EXCLUDE);
}
