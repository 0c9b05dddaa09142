/* test_steps.c - at how many generators of a chain a step looks, which no clock tells exactly.
 *
 * Each of them gets a page of its own. Before a step those between the root and the leaf are
 * locked away (mprotect); whoever touches one is counted, and may go on.
 */
#include "coroutines/tests/generators.h"
#include "lab/grade/inside/count.h"
#include "objects/collector.h"

#include <signal.h>
#include <sys/mman.h>

enum { LEVELS = 100, STEPS = 20, PAGE_BYTES = 4096 };

static struct {
    char *page[LEVELS];
    int touched;
} between;

static void *alloc_page(size_t size_bytes)
{
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return size_bytes <= PAGE_BYTES && page != MAP_FAILED ? page : NULL;
}

static void free_page(void *page, size_t size_bytes)
{
    (void)size_bytes;
    munmap(page, PAGE_BYTES);
}

static const struct heap heap_of_pages = { "pages", alloc_page, free_page };

/* Any other address is touched again as soon as this returns, and then ends the program. */
static void count_touch(int number, siginfo_t *info, void *context)
{
    char *at = (char *)info->si_addr;

    (void)context;
    for (int i = 0; i < LEVELS; i++)
        if (at >= between.page[i] && at < between.page[i] + PAGE_BYTES) {
            between.touched++;
            mprotect(between.page[i], PAGE_BYTES, PROT_READ | PROT_WRITE);
            return;
        }
    signal(number, SIG_DFL);
}

static void lock_away(int how)
{
    for (int i = 0; i < LEVELS; i++)
        mprotect(between.page[i], PAGE_BYTES, how);
}

/* while True: yield; what is thrown is swallowed, but for GeneratorExit */
static enum turn endless(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    (void)f;
    if (how == RESUME_THROW && exception_is(argument, &generator_exit))
        return frame_raise(argument);
    *result = none();
    return TURN_YIELD;
}

/* return (yield from its argument) */
static enum turn level(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = incref(f->at ? argument : f->reference[0]);
    return f->at++ ? TURN_RETURN : TURN_FROM;
}

static const struct body body_endless = { .name = "endless", .resume = endless };
static const struct body body_level = { .name = "level", .resume = level, .references = 1 };

static struct object *long_chain(void)
{
    struct object *g = make(&body_endless);

    for (int i = 0; i < LEVELS; i++) {
        g = make_around(&body_level, g);
        between.page[i] = (char *)g;
    }
    return make_around(&body_level, g);
}

static void expect_next(enum step step)
{
    assert_int_equal(step, STEP_NEXT);
    assert_ptr_equal(stepped, none());
}

static void send_once(struct object *g)
{
    expect_next(next_of(g));
}

static void throw_once(struct object *g)
{
    struct object *e = exception_new(&value_error, "%s", "once more");

    assert_non_null(e);
    expect_next(generator_throw(g, e, &stepped));
}

/* On the average of some, when the first has shown the way. */
static double touched_by(struct object *g, void (*act)(struct object *g))
{
    send_once(g);
    between.touched = 0;
    for (int i = 0; i < STEPS; i++) {
        lock_away(PROT_NONE);
        act(g);
    }
    lock_away(PROT_READ | PROT_WRITE);
    return (double)between.touched / STEPS;
}

static void test_levels_that_a_step_looks_at_are_counted(void **state)
{
    const struct sigaction counting = { .sa_sigaction = count_touch, .sa_flags = SA_SIGINFO };
    const struct heap *before = heap;
    struct sigaction old;
    struct object *g;

    (void)state;
    heap = &heap_of_pages;
    g = long_chain();
    sigaction(SIGSEGV, &counting, &old);
    grade_count("levels of a send", touched_by(g, send_once));
    grade_count("levels of a throw", touched_by(g, throw_once));
    sigaction(SIGSEGV, &old, NULL);
    assert_int_equal(generator_close(g, NULL), 0);
    decref(g);
    settle_heap();
    heap = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_levels_that_a_step_looks_at_are_counted, listen_to_hooks),
    };

    collector_enable(false);
    return run_attached(tests);
}
