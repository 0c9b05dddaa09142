/* pools.h - what the tests of jobs and pools share. */
#ifndef COROUTINES_TESTS_POOLS_H
#define COROUTINES_TESTS_POOLS_H

#include "coroutines/executor.h"
#include "coroutines/tests/threads.h"
#include "objects/list.h"
#include "objects/str.h"
#include "objects/tuple.h"

/* ---- outcomes ---- */

/* Of a job that is to have this int as its result. */
static inline void assert_result(borrowed job, int64_t expected)
{
    struct object *result = job_result(job, long_ns);

    assert_non_null(result);
    assert_int_equal(int_value(result), expected);
    decref(result);
}

/* The pending exception. */
static inline void assert_error(const struct type *kind, const char *message)
{
    assert_true(exception_matches(kind));
    assert_string_equal(exception_message(exception_pending()), message);
    exception_restore(NULL);
}

static inline struct object *list_of_ints(int64_t from, int64_t to)
{
    struct object *list = list_new();

    for (int64_t i = from; i < to; i++) {
        struct object *item = int_new(i);

        assert_int_equal(list_append(list, item), 0);
        decref(item);
    }
    return list;
}

/* ---- errors that nobody else hears of ---- */

static struct {
    _Atomic int count;
    char what[64], kind[32];
} heard;

static inline void hear(const char *what, borrowed job, borrowed e)
{
    (void)job;
    snprintf(heard.what, sizeof heard.what, "%s", what);
    snprintf(heard.kind, sizeof heard.kind, "%s", type_of(e)->name);
    atomic_fetch_add_explicit(&heard.count, 1, memory_order_release);
}

static inline int heard_count(void)
{
    return atomic_load_explicit(&heard.count, memory_order_acquire);
}

/* ---- the program ---- */

#define run_with_pools(tests) run_with_threads(tests)

static inline int reset_before_test(void **state)
{
    (void)state;
    alarm(TIMEOUT_S);
    gate_reset(&gate);
    atomic_store_explicit(&heard.count, 0, memory_order_relaxed);
    job_tell_errors(hear);
    return 0;
}

#define pool_test(f) cmocka_unit_test_setup(f, reset_before_test)

#endif
