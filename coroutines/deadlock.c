/* deadlock.c - who waits for whom, and who of them for ever. */
#include "coroutines/deadlock.h"

#include "gil/lookout.h"
#include "gil/mutex.h"

enum {
    LOOKS = 4,      /* in the time after which it tells */
    TELLS_MOST = 64 /* are named of one deadlock */
};

_Thread_local const struct hand *deadlock_self;

static struct {
    struct mutex lock;
    struct waiting *first; /* lock; the newest first */
} deadlocks = { .lock = MUTEX_INIT };

void deadlock_enter(struct waiting *w)
{
    w->since_ns = clock_ns();
    w->ended = w->told = false;
    mutex_lock(&deadlocks.lock);
    w->next = deadlocks.first;
    w->link = &deadlocks.first;
    if (w->next)
        w->next->link = &w->next;
    deadlocks.first = w;
    mutex_unlock(&deadlocks.lock);
}

bool deadlock_leave(struct waiting *w)
{
    bool ended;

    mutex_lock(&deadlocks.lock);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    ended = w->ended;
    mutex_unlock(&deadlocks.lock);
    return ended;
}

/* ---- a look ---- */

/* Relaxed, both: of who is not deadlocked it may be wrong, as that goes on; and who is wrote
 * them before it waited, or put its job in the queue, which was ordered by other locks. Such a
 * pointer may lead to what is gone, so it is compared and not followed. */
static const struct hand *runner_of(borrowed job)
{
    return atomic_load_explicit(&as_job(job)->hand, memory_order_relaxed);
}

static const struct staff *queue_of(borrowed job)
{
    return atomic_load_explicit(&as_job(job)->staff, memory_order_relaxed);
}

/* NULL: it does not wait, or is nobody we know. */
static struct waiting *wait_of(const struct hand *hand) REQUIRES(deadlocks.lock)
{
    struct waiting *w = deadlocks.first;

    while (w && w->hand != hand)
        w = w->next;
    return w;
}

/* Whether every worker that the pool may have waits, and none of their waits can end. */
static bool is_stuck(const struct staff *staff) REQUIRES(deadlocks.lock)
{
    const struct staff *known = NULL;
    uint32_t waiting = 0;

    for (const struct waiting *w = deadlocks.first; w; w = w->next)
        if (w->hand->staff == staff && !w->ends) {
            known = staff;
            waiting++;
        }
    return known && waiting == known->most;
}

static bool can_end(const struct waiting *w) REQUIRES(deadlocks.lock)
{
    const struct waiting *other;

    switch (job_state(w->job)) {
    case JOB_PENDING:
        return !is_stuck(queue_of(w->job));
    case JOB_RUNNING:
        other = wait_of(runner_of(w->job));
        return !other || other->ends;
    default:
        return true;
    }
}

/* Begins with: none can end; and goes on until nothing more is found to. */
static void find_ends(void) REQUIRES(deadlocks.lock)
{
    bool again = true;

    for (struct waiting *w = deadlocks.first; w; w = w->next)
        w->ends = w->found = false;
    while (again) {
        again = false;
        for (struct waiting *w = deadlocks.first; w; w = w->next)
            if (!w->ends && can_end(w))
                w->ends = again = true;
    }
}

/* Whether `w` could go on if `other` did. */
static bool depends_on(const struct waiting *w, const struct waiting *other)
{
    return job_state(w->job) == JOB_RUNNING ? runner_of(w->job) == other->hand
                                            : queue_of(w->job) == other->hand->staff;
}

/* Marks all on whom `w` depends, and those on whom they do. */
static void find_group(struct waiting *w) REQUIRES(deadlocks.lock)
{
    bool again = true;

    w->found = true;
    while (again) {
        again = false;
        for (struct waiting *one = deadlocks.first; one; one = one->next)
            for (struct waiting *other = deadlocks.first; one->found && other; other = other->next)
                if (!other->found && !other->ends && depends_on(one, other))
                    other->found = again = true;
    }
}

/* NULL: nobody of it waits. */
static const struct staff *waiting_staff(const struct staff *staff) REQUIRES(deadlocks.lock)
{
    const struct waiting *w = deadlocks.first;

    while (w && w->hand->staff != staff)
        w = w->next;
    return w ? staff : NULL;
}

/* Since it was found somebody outside may have cancelled what is queued, or completed a job by
 * hand. So the state is asked again, once, and of a pointer that is not of one who waits
 * nothing is told. Relaxed: the name is nobody's who could go (job.c). */
static struct deadlocked name(const struct waiting *w) REQUIRES(deadlocks.lock)
{
    bool runs = job_state(w->job) == JOB_RUNNING;
    const struct waiting *runner = runs ? wait_of(runner_of(w->job)) : NULL;
    const struct staff *staff = runner ? NULL : waiting_staff(queue_of(w->job));
    const char *awaited = atomic_load_explicit(&as_job(w->job)->name, memory_order_relaxed);

    return (struct deadlocked){
        .worker = w->hand->name,
        .awaited = awaited ? awaited : "",
        .runs_on = runner ? runner->hand->name : NULL,
        .pool = staff ? staff->name : NULL,
    };
}

/* Its wait ends, and finds out why. */
static void end_wait(struct waiting *w) REQUIRES(deadlocks.lock)
{
    w->ended = true;
    block_end(&w->word);
}

/* False: they have not waited long enough, or somebody has been told. */
static bool is_due(uint64_t before_ns) REQUIRES(deadlocks.lock)
{
    for (const struct waiting *w = deadlocks.first; w; w = w->next)
        if (w->found && (w->told || w->since_ns > before_ns))
            return false;
    return true;
}

/* Of those that are found. Nobody is found any more after it, but told of. */
static void tell_group(struct waiting *first, deadlock_tell *tell) REQUIRES(deadlocks.lock)
{
    struct deadlocked who[TELLS_MOST] = { name(first) };
    int count = 1;

    for (struct waiting *w = deadlocks.first; w; w = w->next) {
        w->told |= w->found;
        if (w->found && w != first && count < TELLS_MOST)
            who[count++] = name(w);
    }
    if (tell(who, count))
        end_wait(first);
}

static void forget_group(void) REQUIRES(deadlocks.lock)
{
    for (struct waiting *w = deadlocks.first; w; w = w->next)
        w->found = false;
}

int deadlock_look(uint64_t now_ns, uint64_t patience_ns, deadlock_tell *tell)
{
    int told = 0;

    mutex_lock(&deadlocks.lock);
    find_ends();
    for (struct waiting *w = deadlocks.first; w; w = w->next) {
        if (w->ends || w->told)
            continue;
        find_group(w);
        if (is_due(now_ns - patience_ns)) {
            tell_group(w, tell);
            told++;
        }
        forget_group();
    }
    mutex_unlock(&deadlocks.lock);
    return told;
}

/* ---- a thread that looks ---- */

static struct {
    uint64_t patience_ns; /* set once, before it runs */
    deadlock_tell *tell;  /* set once, before it runs */
} dog;

static void look(void)
{
    deadlock_look(clock_ns(), dog.patience_ns, dog.tell);
}

static struct lookout lookout = LOOKOUT_INIT(look);

int deadlock_watch_start(uint64_t patience_ns, deadlock_tell *tell)
{
    dog.patience_ns = patience_ns;
    dog.tell = tell;
    return lookout_start(&lookout, patience_ns / LOOKS);
}

void deadlock_watch_stop(void)
{
    lookout_stop(&lookout);
}
