/* test_fork.c - forking from each state that a thread can be in, under every lock.
 *
 * The child lives a whole life, and its status says at which step that went wrong. Nothing of
 * cmocka may be used there.
 */
#include "gil/tests/acting.h"

#include "gil/bytelock.h"
#include "gil/fork.h"
#include "gil/lot.h"

#include <stdlib.h>
#include <sys/wait.h>

/* ---- The child's life. */

/* TSan knows the threads of the parent by their ids, and ends a child whose threads get them
 * anew. So there the child is alone. */
enum { STARTS_THREADS = !REPORTS_RACES };

static struct gil *child_gil;
static _Atomic int rounds, over;
static int visits; /* child_gil, if it excludes */
static struct bytelock child_lock;

/* 0: the child is one of many, and lives for a short while. */
static _Atomic int storm_over = 1;

static void fail_unless(bool right, int step)
{
    if (!right)
        _exit(step);
}

static void *computes(void *argument)
{
    struct thread self = { 0 };

    (void)argument;
    fail_unless(thread_start(&self, child_gil, NULL) == 0, 20);
    while (!seen(&over)) {
        atomic_fetch_add_explicit(&rounds, 1, memory_order_release);
        safepoint(&self);
    }
    visits++;
    thread_stop(&self);
    return NULL;
}

static void *takes_the_byte(void *argument)
{
    (void)argument;
    bytelock_lock(&child_lock);
    visits++;
    bytelock_unlock(&child_lock);
    return NULL;
}

static void join_detached(struct thread *t, pthread_t id)
{
    thread_detach(t);
    fail_unless(pthread_join(id, NULL) == 0, 21);
    thread_attach(t);
}

static void stop_another(struct thread *t)
{
    pthread_t id;
    int before;

    announce(&over, 0);
    fail_unless(pthread_create(&id, NULL, computes, NULL) == 0, 22);
    wait_detached(t, &rounds, seen(&rounds) + 1);
    fail_unless(world_threads() == 2, 23);
    world_stop(t);
    before = seen(&rounds);
    tempt();
    fail_unless(seen(&rounds) == before, 24);
    world_start(t);
    wait_detached(t, &rounds, before + 1);
    announce(&over, 1);
    join_detached(t, id);
    fail_unless(visits == 1 && world_threads() == 1, 25);
}

static void wait_in_the_lot(void)
{
    pthread_t id;

    bytelock_lock(&child_lock);
    fail_unless(pthread_create(&id, NULL, takes_the_byte, NULL) == 0, 30);
    while (!(atomic_load_explicit(&child_lock.bits, memory_order_relaxed) & BYTELOCK_PARKED))
        sched_yield();
    fail_unless(visits == 1, 31);
    bytelock_unlock(&child_lock);
    fail_unless(pthread_join(id, NULL) == 0 && visits == 2, 32);
}

static void attach_in_child(struct gil *gil, bool attached)
{
    static struct thread own;

    if (!thread_self)
        fail_unless(thread_start(&own, gil, NULL) == 0, 10);
    else if (!attached)
        thread_attach(thread_self);
    fail_unless(world_threads() == 1, 11);
    fail_unless(thread_self->gil == gil && !thread_self->hooks, 12);
    fail_unless(!is_asked(thread_self, BREAKER_STOP), 13);
}

/* Each lock of this floor is free: takes every one once. */
static void take_all_locks(void)
{
    for (int i = 0; i < 1000; i++)
        safepoint(thread_self);
    world_stop(thread_self);
    world_start(thread_self);
    fail_unless(!lot_where(thread_self), 14);
}

static void live(struct gil *gil, const struct gil *old, bool attached)
{
    alarm(WATCHDOG_S / 2);
    fail_unless(gil && gil != old && gil->class == old->class, 1);
    fail_unless(!memcmp(gil->param, old->param, sizeof gil->param), 2);
    child_gil = gil;
    attach_in_child(gil, attached);
    take_all_locks();
    if (STARTS_THREADS && seen(&storm_over)) {
        stop_another(thread_self);
        wait_in_the_lot();
    }
    thread_stop(thread_self);
    gil_delete(gil);
    _exit(0);
}

/* Forks, and waits for the child as in a blocking call: attached threads of others go on only
 * after. */
static void fork_and_live(struct gil *gil)
{
    struct gil *fresh = gil;
    bool attached = thread_self && atomic_load_explicit(&thread_self->state,
                                                        memory_order_relaxed) == THREAD_ATTACHED;
    pid_t child;
    int status;

    child = thread_fork(&fresh);
    if (child == 0)
        live(fresh, gil, attached);
    assert_true(child > 0);
    assert_ptr_equal(fresh, gil);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Its parents. */

enum { HOLDER, QUEUED, DETACHED, ACTORS = DETACHED + 3 };

static struct actor actors[ACTORS];
static struct thread self;

/* Until it is asleep, or has had the time to be, if it spins; or has no reason to wait. */
static void let_wait(struct actor *actor)
{
    for (int i = 0; i < 100 && !is_done(actor) && !sleeps(actor); i++)
        tempt();
}

/* It is in the queue; if the lock excludes nobody it is attached. */
static void let_queue(struct actor *actor)
{
    tell(actor, START);
    let_wait(actor);
}

/* With turns of the usual length, but for what shows that the child's are the same. */
static struct gil *new_parent(const struct gil_class *class)
{
    int64_t param[PARAM_MAX];
    struct gil *gil;

    for (int i = 0; i < PARAM_MAX; i++)
        param[i] = class->param[i].standard;
    param[0] += class->excludes;
    gil = gil_new(class, param);
    assert_non_null(gil);
    return gil;
}

static struct gil *open_parents(const struct gil_class *class)
{
    struct gil *gil = new_parent(class);

    memset(&self, 0, sizeof self);
    open_stage(actors, ACTORS, gil);
    for (int i = DETACHED; i < ACTORS; i++) {
        make(&actors[i], START);
        make(&actors[i], DETACH);
    }
    return gil;
}

/* All go on in the parent, and end. */
static void close_parents(void)
{
    for (int i = 0; i < ACTORS; i++)
        tell(&actors[i], LEAVE);
    leave(&self);
    close_stage(actors, ACTORS);
}

static void test_an_attached_thread_forks(void **state)
{
    struct gil *gil = open_parents(*state);

    thread_start(&self, gil, NULL);
    let_queue(&actors[QUEUED]);
    fork_and_live(gil);
    close_parents();
}

static void test_a_detached_thread_forks(void **state)
{
    struct gil *gil = open_parents(*state);

    thread_start(&self, gil, NULL);
    thread_detach(&self);
    make(&actors[HOLDER], START);
    let_queue(&actors[QUEUED]);
    fork_and_live(gil);
    close_parents();
}

static void test_a_thread_of_no_runtime_forks(void **state)
{
    struct gil *gil = open_parents(*state);

    make(&actors[HOLDER], START);
    let_queue(&actors[QUEUED]);
    fork_and_live(gil);
    close_parents();
}

/* Suspended, then: in the child nobody stops it any more. */
static void test_a_thread_that_is_stopped_forks(void **state)
{
    struct gil *gil = open_parents(*state);
    struct actor *holder = &actors[HOLDER];

    thread_start(&self, gil, NULL);
    thread_detach(&self);
    make(holder, START);
    holder->call = world_stop;
    make(holder, CALL);
    assert_int_equal(atomic_load_explicit(&self.state, memory_order_relaxed), THREAD_SUSPENDED);
    tell(&actors[DETACHED], ATTACH); /* waits for the lock, or else for the world */
    let_wait(&actors[DETACHED]);
    fork_and_live(gil);
    holder->call = world_start;
    make(holder, CALL);
    close_parents();
}

static void test_who_has_stopped_the_world_forks(void **state)
{
    struct gil *gil = open_parents(*state);

    thread_start(&self, gil, NULL);
    world_stop(&self);
    fork_and_live(gil);
    world_start(&self);
    close_parents();
}

/* Attached, while another waits for it to stop. */
static void test_a_thread_that_is_asked_to_stop_forks(void **state)
{
    struct gil *gil = open_parents(*state);
    struct actor *holder = &actors[HOLDER];

    thread_start(&self, gil, NULL);
    make(holder, START);
    holder->call = world_stop;
    tell(holder, CALL);
    while (!is_asked(&self, BREAKER_STOP))
        sched_yield();
    fork_and_live(gil);
    thread_detach(&self);
    wait_until_done(holder);
    holder->call = world_start;
    make(holder, CALL);
    close_parents();
}

static enum lot_end find_nobody(void *address, const struct lot_waiter *first, bool more)
{
    (void)address;
    fail_unless(!first && !more, 40);
    return LOT_WOKEN;
}

static struct bytelock parent_lock;

static void take_the_byte(struct thread *t)
{
    (void)t;
    bytelock_lock(&parent_lock);
    bytelock_unlock(&parent_lock);
}

/* Whoever stands in a queue of the lot stands in none of the child's. */
static void test_who_waits_in_the_lot_is_gone(void **state)
{
    struct gil *gil = open_parents(*state), *fresh = gil;
    struct actor *waiter = &actors[DETACHED];
    pid_t child;
    int status;

    bytelock_lock(&parent_lock);
    waiter->call = take_the_byte;
    make_wait(waiter, CALL);
    child = thread_fork(&fresh);
    if (child == 0) {
        lot_wake(&parent_lock, find_nobody);
        live(fresh, gil, false);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bytelock_unlock(&parent_lock);
    wait_until_done(waiter);
    close_parents();
}

/* ---- Forks while another is in the middle of something, and stays there for as long as the
 * caller might need to come between. */

static _Atomic int inside, forking;

static void stay(void)
{
    announce(&inside, 1);
    wait_until(&forking, 1);
    for (int i = 0; i < 200; i++)
        tempt();
}

static bool stay_in_a_bucket(void *address)
{
    (void)address;
    stay();
    return false;
}

static void look_into_the_lot(struct thread *t)
{
    struct lot_waiter w = { .thread = t };

    lot_wait(&parent_lock, stay_in_a_bucket, &w);
}

static void stay_once(struct thread *t, void *once)
{
    (void)t;
    if (once == t)
        stay();
}

static void look_through_the_world(struct thread *t)
{
    world_each(stay_once, t);
}

static void fork_while(struct gil *gil, void (*looks)(struct thread *t))
{
    struct actor *actor = &actors[DETACHED];

    announce(&inside, 0);
    announce(&forking, 0);
    actor->call = looks;
    tell(actor, CALL);
    wait_until(&inside, 1);
    announce(&forking, 1);
    fork_and_live(gil);
    wait_until_done(actor);
}

static void test_a_fork_waits_for_who_is_in_the_middle(void **state)
{
    struct gil *gil = open_parents(*state);

    fork_while(gil, look_into_the_lot);
    fork_while(gil, look_through_the_world);
    close_parents();
}

/* ---- While all the locks of this floor are taken and let go of, in quick succession. */

static void storm(struct thread *t)
{
    while (!seen(&storm_over)) {
        thread_attach(t);
        world_stop(t);
        world_start(t);
        safepoint(t);
        thread_detach(t);
        bytelock_lock(&parent_lock);
        sched_yield();
        bytelock_unlock(&parent_lock);
        lot_where(t);
        world_threads();
    }
}

static void test_forks_in_a_storm(void **state)
{
    struct gil *gil = open_parents(*state);

    announce(&storm_over, 0);
    for (int i = DETACHED; i < ACTORS; i++) {
        actors[i].call = storm;
        tell(&actors[i], CALL);
    }
    for (int i = 0; i < 20; i++)
        fork_and_live(gil);
    announce(&storm_over, 1);
    for (int i = DETACHED; i < ACTORS; i++)
        wait_until_done(&actors[i]);
    close_parents();
}

static const struct promise promises[] = {
    { "an attached thread forks", test_an_attached_thread_forks },
    { "a detached thread forks", test_a_detached_thread_forks },
    { "a thread of no runtime forks", test_a_thread_of_no_runtime_forks },
    { "a thread that is stopped forks", test_a_thread_that_is_stopped_forks },
    { "who has stopped the world forks", test_who_has_stopped_the_world_forks },
    { "who waits in the lot is gone", test_who_waits_in_the_lot_is_gone },
    { "a fork waits for who is in the middle", test_a_fork_waits_for_who_is_in_the_middle },
    { "forks in a storm", test_forks_in_a_storm },
    { NULL, NULL },
};

/* It takes two that are attached at once. */
static const struct promise promises_of_none[] = {
    { "a thread that is asked to stop forks", test_a_thread_that_is_asked_to_stop_forks },
    { NULL, NULL },
};

extern const struct gil_class gil_none, gil_quantum;

enum { LOCKS_MOST = 64 };

/* `quantum` has a thread of its own, its timer. */
static const struct named_gil *locks_to_fork_under(void)
{
    static struct named_gil locks[LOCKS_MOST + 1];
    size_t count = 0;

    for (const struct named_gil *lock = gil_list; lock->name && count < LOCKS_MOST; lock++)
        if (STARTS_THREADS || lock->class != &gil_quantum)
            locks[count++] = *lock;
    return locks;
}

int main(void)
{
    const struct named_gil none[] = { { "none", &gil_none }, { NULL, NULL } };

    if (!STARTS_THREADS)
        printf("# skipped under TSan: the threads of the child, and with them quantum\n");
    return run_promises(promises, locks_to_fork_under(), EVERY_LOCK) +
           run_promises(promises_of_none, none, EVERY_LOCK);
}
