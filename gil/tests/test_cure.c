/* test_cure.c - what a cure of the convoy effect promises: who blocks is let in soon, and who
 * computes gets on all the same.
 *
 * The first parameter of these locks is how long a turn lasts. With -DGIL_TWIN=gil_x the same is
 * asked of that class alone.
 */
#include "gil/mutex.h"
#include "gil/tests/acting.h"

#ifdef GIL_TWIN
extern const struct gil_class GIL_TWIN;
static const struct named_gil cures[] = { { "twin", &GIL_TWIN }, { NULL, NULL } };
static const enum which_locks that_starve_nobody = LOCKS_THAT_EXCLUDE;
#else
static const enum which_locks that_starve_nobody = LOCKS_THAT_ARE_FAIR;
extern const struct gil_class gil_deadline, gil_priority, gil_prompt;
static const struct named_gil cures[] = { { "deadline", &gil_deadline },
                                          { "priority", &gil_priority },
                                          { "prompt", &gil_prompt },
                                          { NULL, NULL } };
#endif

static struct gil *gil_with_turns(const struct gil_class *class, int64_t turn_us)
{
    int64_t param[PARAM_MAX];
    struct gil *gil;

    for (int i = 0; i < PARAM_MAX; i++)
        param[i] = class->param[i].standard;
    param[0] = turn_us;
    gil = gil_new(class, param);
    assert_non_null(gil);
    return gil;
}

/* ---- one that computes, and others that block: what they do is told them ---- */

enum { ACTORS = 3 };

static struct actor actors[ACTORS];
static struct actor *const computes = &actors[0];

/* Passes safe points until it must let the other go first. */
static void compute_until_done(struct actor *holder, struct actor *other)
{
    while (!is_done(other))
        if (is_done(holder))
            tell(holder, PASS);
}

/* The other has the lock, and the one that computes has used up a turn. */
static void open_and_use_up_a_turn(const struct gil_class *class, int64_t turn_us)
{
    open_stage(actors, ACTORS, gil_with_turns(class, turn_us));
    make(computes, START);
    tell(&actors[1], START);
    compute_until_done(computes, &actors[1]);
    wait_until_asleep(computes);
}

/* ---- who blocks ---- */

enum { LONG_TURN_US = 100000, RETURNS = 6, IN_TIME_LEAST = 2 };

/* The turn of the one that computes begins when the other blocks. */
static uint64_t block_and_come_back(struct actor *blocks)
{
    uint64_t since_ns;

    make(blocks, DETACH);
    wait_until_done(computes);
    since_ns = clock_ns();
    tell(blocks, ATTACH);
    compute_until_done(computes, blocks);
    return clock_ns() - since_ns;
}

/* Where it must wait for a turn to end it never is in time; on a machine that is busy it is not
 * always. */
static void test_who_comes_back_is_let_in_before_the_turn_ends(void **state)
{
    int in_time = 0;

    open_and_use_up_a_turn(*state, LONG_TURN_US);
    for (int i = 0; i < RETURNS; i++)
        in_time += block_and_come_back(&actors[1]) < LONG_TURN_US * NS_PER_US / 2;
    close_stage(actors, ACTORS);
    if (in_time < IN_TIME_LEAST)
        fail_msg("of %d returns %d waited for half a turn and more", RETURNS, RETURNS - in_time);
}

/* ---- who computes ---- */

enum { TURN_US = 2000, TURNS_MOST = 200, HAND_OVERS = 100 };

/* Of two that block one always waits when the other lets go: there is no gap between them. How
 * often that went on before the third was let in; or more than it may. */
static int hand_to_and_fro(struct actor *holder, struct actor *other)
{
    uint64_t most_ns = clock_ns() + (uint64_t)TURNS_MOST * TURN_US * NS_PER_US;
    int times = 0;

    while (times < HAND_OVERS || clock_ns() < most_ns) {
        struct actor *first = holder;

        make_wait(other, times ? ATTACH : START);
        make(holder, DETACH);
        while (!is_done(other) && !is_done(computes))
            sched_yield();
        if (is_done(computes))
            return times;
        holder = other;
        other = first;
        times++;
    }
    return times;
}

static void test_who_computes_does_not_starve(void **state)
{
    int times;

    open_and_use_up_a_turn(*state, TURN_US);
    times = hand_to_and_fro(&actors[1], &actors[2]);
    if (!is_done(computes)) {
        close_stage(actors, ACTORS);
        fail_msg("two that block had the lock %d times in turn, and a third never", times);
    }
    close_stage(actors, ACTORS);
}

/* ---- two that compute ---- */

enum { SWITCHES = 6, EARLY_MOST = 1 };

/* It has just got the lock, and the other waits. */
static bool is_asked_too_early(struct actor *holder)
{
    uint64_t until_ns = clock_ns() + LONG_TURN_US * NS_PER_US / 4;

    while (clock_ns() < until_ns)
        if (is_asked(&holder->self, BREAKER_GIL))
            return true;
        else
            sched_yield();
    return false;
}

/* The second holds the lock, the first waits. How many of their turns were asked for at once. */
static int take_turns(void)
{
    int early = 0;

    for (int i = 0; i < SWITCHES; i++) {
        struct actor *holder = &actors[(i + 1) % 2], *other = &actors[i % 2];

        compute_until_done(holder, other);
        wait_until_asleep(holder);
        early += is_asked_too_early(other);
    }
    return early;
}

static void expect_whole_turns(int early)
{
    close_stage(actors, ACTORS);
    if (early > EARLY_MOST)
        fail_msg("of %d turns %d were asked for in their first quarter", SWITCHES, early);
}

static void test_equals_have_their_turns_to_the_end(void **state)
{
    open_and_use_up_a_turn(*state, LONG_TURN_US);
    expect_whole_turns(take_turns());
}

/* It has come back first a few times. Then it uses up a turn, and is one of two that compute. */
static void test_who_has_blocked_and_computes_is_like_the_others(void **state)
{
    open_and_use_up_a_turn(*state, LONG_TURN_US);
    for (int i = 0; i < 3; i++)
        block_and_come_back(&actors[1]);
    compute_until_done(&actors[1], computes);
    compute_until_done(computes, &actors[1]);
    expect_whole_turns(take_turns());
}

static const struct promise promises[] = {
    { "who comes back is let in before the turn ends",
      test_who_comes_back_is_let_in_before_the_turn_ends },
    { "equals have their turns to the end", test_equals_have_their_turns_to_the_end },
    { "who has blocked and computes is like the others",
      test_who_has_blocked_and_computes_is_like_the_others },
    { NULL, NULL },
};

/* `priority` does not promise it, and says so. */
static const struct promise promises_of_the_fair[] = {
    { "who computes does not starve", test_who_computes_does_not_starve },
    { NULL, NULL },
};

int main(void)
{
    return run_promises(promises, cures, LOCKS_THAT_EXCLUDE) +
           run_promises(promises_of_the_fair, cures, that_starve_nobody);
}
