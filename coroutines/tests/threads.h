/* threads.h - what the tests share in which threads of the runtime run beside the test.
 *
 * `run_with_threads` runs a table of tests as objects/tests/testing.h does, but under a lock
 * that lets others run: `none`, or `interval` with a short interval where counts need it.
 *
 * Tests meet at gates, not in time: a function that a worker calls says that it has come, and
 * waits until it may go on. What hangs all the same dies of SIGALRM.
 */
#ifndef COROUTINES_TESTS_THREADS_H
#define COROUTINES_TESTS_THREADS_H

#include "coroutines/block.h"
#include "coroutines/recruit.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/tests/testing.h"

#include <unistd.h>

extern const struct gil_class gil_interval;

enum { TIMEOUT_S = 120, INTERVAL_US = 50 };

/* Long enough that only a fault reaches it. */
static const uint64_t long_ns = 20 * (uint64_t)NS_PER_S;

/* ---- gates ---- */

struct gate {
    _Atomic uint32_t come, open; /* block.h */
};

/* By a worker: it has come, and waits. */
static inline void gate_pass(struct gate *g)
{
    block_end(&g->come);
    block_until(&g->open, BLOCK_FOREVER, 0);
}

/* By the test. */
static inline void gate_await(struct gate *g)
{
    assert_true(block_until(&g->come, block_deadline(long_ns), 0));
}

static inline void gate_open(struct gate *g)
{
    block_end(&g->open);
}

/* Nobody is at it. */
static inline void gate_reset(struct gate *g)
{
    atomic_store_explicit(&g->come, 0, memory_order_relaxed);
    atomic_store_explicit(&g->open, 0, memory_order_relaxed);
}

/* In a loop that looks whether something has come which nobody tells of; detached meanwhile. */
static inline void look_again_later(void)
{
    _Atomic uint32_t never = 0;

    block_until(&never, block_deadline(NS_PER_MS), 0);
}

/* ---- what is called ---- */

static struct gate gate;

static inline struct object *pass_gate(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    gate_pass(&gate);
    return count ? incref(arguments[0]) : none();
}

static inline struct object *add_two(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    return int_add(arguments[0], arguments[1]);
}

static inline struct object *give_back(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    return incref(arguments[0]);
}

static inline struct object *raise_value_error(borrowed closure, borrowed const *arguments,
                                               size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    exception_set(&value_error, "as asked");
    return NULL;
}

/* Tests that fail end the program, so nothing needs to be unwound. */
static inline struct object *function_of(native *body, int count)
{
    struct object *f = function_new("f", body, count, NULL);

    assert_non_null(f);
    return f;
}

static inline void decref_all(struct object *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        decref(all[i]);
}

#define DROP(...) \
    decref_all((struct object *[]){ __VA_ARGS__ }, \
               sizeof((struct object *[]){ __VA_ARGS__ }) / sizeof(struct object *))

/* ---- the program ---- */

#define run_with_threads(tests) run_with_threads_count(tests, sizeof(tests) / sizeof *(tests))

static inline int run_with_threads_count(const struct CMUnitTest *tests, size_t count)
{
    const int64_t param[PARAM_MAX] = { INTERVAL_US, 1 };
    struct gil *gil = RC_NEEDS_GIL ? gil_new(&gil_interval, param) : gil_new(&gil_none, NULL);
    struct thread self = { .locks_containers = !RC_NEEDS_GIL };
    int64_t left;
    int failed;

    heap = &heap_checked;
    if (!gil || thread_start(&self, gil, &object_hooks) < 0)
        return 1;
    failed = _cmocka_run_group_tests("threads", tests, count, NULL, NULL);
    if (failed)
        _exit(failed); /* workers may be anywhere */
    recruit_join_all();
    rc_quiesce();
    rc_finish();
    thread_stop(&self);
    gil_delete(gil);
    left = atomic_load_explicit(&heap_state.blocks, memory_order_relaxed);
    if (left)
        fprintf(stderr, "%lld blocks are left over\n", (long long)left);
    return failed || left;
}

#endif
