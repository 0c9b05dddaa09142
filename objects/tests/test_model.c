/* test_model.c - random operations on all types, compared with a plain model.
 *
 * One thread alone, of which everything is known: what each object is, who holds it, how many
 * references there are, when it is destroyed (model.h). What fails is made short and
 * printed as a script, which `TEST_SCRIPT='...' test_model` runs again ($TEST_SCRIPT may
 * be the name of a file). And four threads, each with a world of its own, and containers
 * that they share, on which each does what it can vouch for.
 *
 * Runs for some seconds; with $SOAK_SECONDS, for as many in all policies together.
 */
#include "objects/tests/crowd.h"
#include "objects/tests/script.h"

enum { SCRIPT_BYTES = 1 << 16, SHORT = 8 };

/* Among how many programs like this one the time to soak is divided. */
enum {
    POLICIES = 0
#define POLICY(name) +1
#include "gen/known_policies.h"
#undef POLICY
};

static uint64_t budget_ns(void)
{
    const char *soak = getenv("SOAK_SECONDS");
    uint64_t ms = SANITIZED ? 3000 : 1500;

    if (soak && strtoull(soak, NULL, 10))
        ms = strtoull(soak, NULL, 10) * 1000 / POLICIES / 2;
    return ms * 1000000;
}

/* ---- one thread ---- */

static void print_failing(const struct script *script)
{
    fprintf(stderr, "TEST_SEED=%llu\nTEST_SCRIPT='", (unsigned long long)test_seed);
    script_write(script, stderr);
    fprintf(stderr, "'\n");
}

static void test_operations(void **state)
{
    static struct script script;
    int sessions;

    (void)state;
    seed_random();
    if (find_failing(&script, run_script, test_seed, budget_ns(), &sessions)) {
        print_failing(&script);
        fails(run_script, &script, false);
        fail();
    }
    assert_true(sessions > 0);
}

/* ---- four threads ---- */

enum { MADE_MOST = 1 << 16, TAG_SHIFT = 32, KEYS = 8, TURN = 8 };

/* What the threads share. Items are ints that say who made them, and as his how-manieth. */
static struct {
    struct object *list, *dict, *cell, *set;      /* owned; published */
    _Atomic uint8_t found[CROWD_MOST][MADE_MOST]; /* how often it came off the list */
    uint64_t ends_ns;
    int64_t made[CROWD_MOST];
} shared;

static _Thread_local struct {
    uint64_t chance;
    int index;
    int64_t made;        /* items */
    int64_t value[KEYS]; /* of our keys in the dict; -1: there is none */
} self;

static struct object *tagged(int64_t number)
{
    struct object *o = int_new(((int64_t)self.index << TAG_SHIFT) + number);

    must(o);
    return o;
}

static void note_found(borrowed item)
{
    int64_t index = int_value(item) >> TAG_SHIFT, number = int_value(item) & UINT32_MAX;

    must(index < CROWD_MOST && number < MADE_MOST);
    atomic_fetch_add_explicit(&shared.found[index][number], 1, memory_order_relaxed);
}

static void share_append(void)
{
    struct object *item;

    if (self.made == MADE_MOST)
        return;
    item = tagged(self.made++);
    must(list_append(shared.list, item) == 0);
    decref(item);
}

static void share_pop(void)
{
    struct object *item = list_pop(shared.list);

    if (!item) {
        must_raise(&index_error);
        return;
    }
    note_found(item);
    decref(item);
}

/* Whatever stands there is whole, and of somebody. */
static void share_get(void)
{
    struct object *item = list_get(shared.list, random_of(&self.chance, 16));

    if (!item) {
        must_raise(&index_error);
        return;
    }
    must(int_value(item) >> TAG_SHIFT < CROWD_MOST);
    decref(item);
}

/* A key is one thread's, so that it knows what it will find. */
static void share_dict(void)
{
    int64_t i = (int64_t)random_of(&self.chance, KEYS);
    struct object *key = tagged(i), *value = tagged(self.made), *found = NULL;

    switch (random_of(&self.chance, 3)) {
    case 0:
        must(dict_set(shared.dict, key, value) == 0);
        self.value[i] = int_value(value);
        break;
    case 1:
        must(dict_find(shared.dict, key, &found) == (self.value[i] >= 0));
        must(!found || int_value(found) == self.value[i]);
        xdecref(found);
        break;
    default:
        if (dict_delete(shared.dict, key) < 0)
            must_raise(&key_error);
        self.value[i] = -1;
    }
    decref(key);
    decref(value);
}

static void share_set(void)
{
    struct object *key = tagged((int64_t)random_of(&self.chance, KEYS));

    must(set_add(shared.set, key) == 0);
    must(set_contains(shared.set, key) == 1);
    must(set_discard(shared.set, key) == 1);
    must(set_contains(shared.set, key) == 0);
    decref(key);
}

/* What it holds is a list of one item, which is an int; in cycles, now and then. */
static void share_cell(void)
{
    struct object *held = cell_get(shared.cell), *item = tagged(0), *list = list_new();

    must(held && list);
    must(list_append(list, item) == 0);
    if (random_of(&self.chance, 4) == 0)
        must(list_append(list, list) == 0);
    cell_set(shared.cell, list);
    decref(item);
    decref(list);
    item = list_get(held, 0);
    must(item && type_of(item) == &int_type);
    decref(item);
    decref(held);
}

/* A count that all of them change. */
static void share_count(void)
{
    borrowed one = shared.list;

    for (int i = 0; i < 20; i++) {
        struct object *o = incref(one);

        __asm__ volatile("" : "+r"(o) : : "memory"); /* or gcc takes both out */
        decref(o);
    }
}

static void (*const sharing[])(void) = {
    share_count, share_append, share_append, share_pop,
    share_get,   share_dict,   share_set,    share_cell,
};

/* Steps of a world of our own, and steps on what is shared, in turn. */
static void run_shared(struct member *m)
{
    static struct script script[CROWD_MOST];
    struct script *mine = &script[m->index];

    script_random(mine, random_of(&self.chance, UINT32_MAX));
    world_begin(false);
    for (int i = 0; i < mine->length; i++) {
        world->step = i;
        world->doing = operations[mine->step[i].operation].name;
        operations[mine->step[i].operation].run(mine->step[i].x);
        sharing[random_of(&self.chance, sizeof sharing / sizeof *sharing)]();
        if (i % TURN == 0)
            safepoint(&m->self);
    }
    world_end();
}

enum { WORLDS_MOST = 100, THREADS_THRESHOLD = 50 };

static struct world *worlds[CROWD_MOST][WORLDS_MOST]; /* its thread's; freed when all have ended */
static int worlds_of[CROWD_MOST];

static void member_of_model(struct member *m)
{
    self.chance = (test_seed + (uint64_t)m->index) * UINT64_C(0x9E3779B97F4A7C15) | 1;
    self.index = m->index;
    self.made = 0;
    for (int i = 0; i < KEYS; i++)
        self.value[i] = -1;
    while (clock_ns() < shared.ends_ns && worlds_of[m->index] < WORLDS_MOST) {
        run_shared(m);
        worlds[m->index][worlds_of[m->index]++] = world;
    }
    shared.made[m->index] = self.made;
}

/* Each item that was made came off the list once. */
static void check_items(void)
{
    struct object *item;

    while ((item = list_pop(shared.list))) {
        note_found(item);
        decref(item);
    }
    exception_restore(NULL);
    for (int t = 0; t < CROWD_MOST; t++)
        for (int64_t i = 0; i < MADE_MOST; i++)
            if (shared.found[t][i] != (i < shared.made[t])) {
                fprintf(stderr, "item %lld of thread %d came off the list %d times\n", (long long)i,
                        t, shared.found[t][i]);
                _exit(1);
            }
}

static void make_shared(void)
{
    struct object *list = list_new(), *item;

    shared.list = list_new();
    shared.dict = dict_new();
    shared.set = set_new();
    must(list && shared.list && shared.dict && shared.set);
    item = tagged(0);
    must(list_append(list, item) == 0);
    decref(item);
    shared.cell = cell_new(list);
    must(shared.cell);
    decref(list);
    publish(shared.list);
    publish(shared.dict);
    publish(shared.set);
    publish(shared.cell);
}

static void drop_shared(void)
{
    must(exact_count(shared.list) == 1 && exact_count(shared.dict) == 1);
    must(exact_count(shared.set) == 1 && exact_count(shared.cell) == 1);
    decref(shared.list);
    decref(shared.dict);
    decref(shared.set);
    decref(shared.cell);
}

/* The caller is attached. Worlds live until nothing is left that the heap could tell them. */
static void run_threads_of_model(void)
{
    static struct crowd crowd;

    for (int i = 0; i < CROWD_MOST; i++)
        crowd.members[i].self.locks_containers = !RC_NEEDS_GIL;
    thread_detach(thread_self);
    crowd_start(&crowd, CROWD_MOST, member_of_model, NULL);
    crowd_end(&crowd);
    thread_attach(thread_self);
}

static void be_shared(const struct script *unused)
{
    const int64_t param[PARAM_MAX] = { INTERVAL_IN_TESTS_US, 1 };
    struct thread main_thread = { .locks_containers = !RC_NEEDS_GIL };

    (void)unused;
    heap = &heap_checked;
    crowd_gil = RC_NEEDS_GIL ? gil_new(&gil_interval, param) : gil_new(&gil_none, NULL);
    if (!crowd_gil || thread_start(&main_thread, crowd_gil, &object_hooks) < 0)
        abort();
    collector_threshold(THREADS_THRESHOLD);
    world_begin(false);
    world->doing = "threads";
    make_shared();
    run_threads_of_model();
    check_items();
    drop_shared();
    pass_safe_points();
    collect(GENERATION_ALL);
    settle_heap();
    rc_finish();
    if (live_blocks())
        wrong("%lld blocks are left over", (long long)live_blocks());
    thread_stop(&main_thread);
}

/* What threads do is not the same twice, so there is nothing to be made short. */
static void test_threads_that_share(void **state)
{
    uint64_t ends_ns = clock_ns() + budget_ns();

    (void)state;
    seed_random();
    do {
        shared.ends_ns = ends_ns;
        assert_false(fails(be_shared, NULL, false));
        test_seed++;
    } while (clock_ns() < ends_ns);
}

/* ---- whether a fault is found, and made short ---- */

/* One that holds the fault somewhere among steps by chance. False: it does not fail. */
static bool plant(struct script *script, const char *fault)
{
    for (int attempt = 0; attempt < 200; attempt++) {
        script_random(script, random_below(UINT32_MAX));
        for (int i = 0; i < script->length; i += 10)
            script->step[i].operation = operation_named(fault, strlen(fault));
        if (fails(run_script, script, true))
            return true;
    }
    return false;
}

/* Through the text, as who replays it will. */
static bool fails_as_text(const struct script *script)
{
    static struct script again;
    static char text[SCRIPT_BYTES];
    const char *at = text;
    FILE *out = fmemopen(text, sizeof text, "w");

    assert_non_null(out);
    script_write(script, out);
    fclose(out);
    assert_true(script_read(&again, &at));
    return again.length == script->length && fails(run_script, &again, true);
}

static void test_a_fault_is_found_and_made_short(void **state)
{
    static const char *const faults[] = { "fault_leak", "fault_free_early", "fault_crash" };
    static struct script script;

    (void)state;
    seed_random();
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        assert_true(plant(&script, faults[i]));
        script_shorten(&script, run_script);
        if (script.length > SHORT)
            print_failing(&script);
        assert_true(script.length <= SHORT);
        assert_true(fails_as_text(&script));
        script.length--; /* the last step is the one that fails: the shortest has none after */
        assert_false(fails(run_script, &script, true));
    }
}

static void test_what_is_no_script_is_refused(void **state)
{
    static const char *const texts[] = { "append", "append.1.2", "append.1.2.x", "no.1.2.3" };
    static struct script script;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(script_read(&script, &(const char *){ texts[i] }));
    assert_true(script_read(&script, &(const char *){ " make_int.1.2.3\n\nappend.0.0.0 " }));
    assert_int_equal(script.length, 2);
}

/* ---- the program ---- */

static const char *script_text(const char *given)
{
    static char text[SCRIPT_BYTES];
    FILE *file = fopen(given, "r");
    size_t length;

    if (!file)
        return given;
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static void test_replay(void **state)
{
    static struct script script;
    const char *text = script_text(getenv("TEST_SCRIPT"));

    (void)state;
    if (!script_read(&script, &text)) {
        fprintf(stderr, "not a step of a script: %.40s\n", text);
        fail();
    }
    assert_false(fails(run_script, &script, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_threads_that_share),
        cmocka_unit_test(test_a_fault_is_found_and_made_short),
        cmocka_unit_test(test_what_is_no_script_is_refused),
    };
    const struct CMUnitTest replay[] = {
        cmocka_unit_test(test_replay),
    };

    return getenv("TEST_SCRIPT") ? cmocka_run_group_tests(replay, NULL, NULL)
                                 : cmocka_run_group_tests(tests, NULL, NULL);
}
