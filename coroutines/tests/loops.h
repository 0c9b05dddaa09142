/* loops.h - what the tests of the event loop share.
 *
 * A diary, into which callbacks write their letter, so that a test can say in which order they
 * ran; and hooks that remember what a loop told.
 */
#ifndef COROUTINES_TESTS_LOOPS_H
#define COROUTINES_TESTS_LOOPS_H

#include "coroutines/loop.h"
#include "objects/collector.h"
#include "objects/function.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"

#include <string.h>
#include <unistd.h>

enum { LONG_S = 60, LONG_NS = 1000000000 };

/* ---- a diary ---- */

static char diary[8192];

static inline void note(const char *text)
{
    size_t used = strlen(diary);

    snprintf(diary + used, sizeof diary - used, "%s%s", used ? " " : "", text);
}

static inline void assert_diary(const char *expected)
{
    assert_string_equal(diary, expected);
    *diary = '\0';
}

static inline struct object *note_closure(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)arguments;
    (void)count;
    note(str_text(closure));
    return none();
}

/* A function that writes this; it takes any arguments. */
static inline struct object *noter(const char *text)
{
    struct object *closure = str_new(text), *f;

    assert_non_null(closure);
    f = function_new("noter", note_closure, ARGUMENTS_ANY, closure);
    decref(closure);
    assert_non_null(f);
    return f;
}

/* ---- hooks ---- */

static struct {
    int told, slow;
    char message[200], exception[200], slowest[100];
    uint64_t slow_ns;
} heard;

static inline void hear(const struct trouble *trouble, void *argument)
{
    (void)argument;
    heard.told++;
    snprintf(heard.message, sizeof heard.message, "%s", trouble->message);
    *heard.exception = '\0';
    if (trouble->exception)
        exception_write_chain(trouble->exception, heard.exception, sizeof heard.exception);
}

static inline void hear_slow(const char *callback, uint64_t took_ns, void *argument)
{
    (void)argument;
    heard.slow++;
    heard.slow_ns = took_ns;
    snprintf(heard.slowest, sizeof heard.slowest, "%s", callback);
}

static inline void assert_heard(int times, const char *message, const char *what)
{
    assert_int_equal(heard.told, times);
    if (times) {
        assert_string_equal(heard.message, message);
        assert_string_equal(heard.exception, what);
    }
    memset(&heard, 0, sizeof heard);
}

static inline struct object *make_loop(void)
{
    struct object *loop = loop_new();

    assert_non_null(loop);
    loop_set_hooks(loop, &(struct loop_hooks){ .told = hear, .slow = hear_slow });
    memset(&heard, 0, sizeof heard);
    *diary = '\0';
    return loop;
}

/* Closes it, which must leave nothing. */
static inline void end_loop(struct object *loop /* steals */)
{
    assert_int_equal(loop_close(loop), 0);
    decref(loop);
}

/* ---- calls ---- */

static inline void soon(borrowed loop, struct object *callable /* steals */)
{
    assert_int_equal(loop_call_soon(loop, callable, NULL), 0);
    decref(callable);
}

/* A handle that the caller drops. */
static inline struct object *at(borrowed loop, uint64_t when_ns,
                                struct object *callable /* steals */)
{
    struct object *handle = loop_call_at(loop, when_ns, callable, NULL);

    assert_non_null(handle);
    decref(callable);
    return handle;
}

/* So many turns. */
static inline void turns(borrowed loop, int count)
{
    while (count-- > 0) {
        loop_stop(loop);
        assert_int_equal(loop_run_forever(loop), 0);
    }
}

static inline struct object *stop_running(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    loop_stop(loop_running());
    return none();
}

static inline struct object *stopper(void)
{
    struct object *f = function_new("stopper", stop_running, ARGUMENTS_ANY, NULL);

    assert_non_null(f);
    return f;
}

/* Expects RuntimeError with this message. */
static inline void assert_refused(int result, const char *message)
{
    assert_int_equal(result, -1);
    assert_true(exception_matches(&runtime_error));
    assert_string_equal(exception_message(exception_pending()), message);
    exception_restore(NULL);
}

#endif
