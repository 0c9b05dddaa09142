/* test_trace.c - a trace file from moments that were made by hand, read by jansson. */
#include "gil/gil.h"
#include "gil/thread.h"
#include "lab/trace.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 2, PLACES = 8 };

static struct thread thread[THREADS];
static struct watch *watch;
static struct gil *gil;
static char path[] = "/tmp/test_trace.XXXXXX";

static int begin(void **state)
{
    (void)state;
    strcpy(strrchr(path, '.') + 1, "XXXXXX");
    close(mkstemp(path));
    unlink(path);
    gil = gil_new(gil_list[0].class, NULL);
    watch = watch_begin(gil, PLACES);
    for (int i = 0; i < THREADS; i++) { /* they enter, and leave nothing behind */
        memset(&thread[i], 0, sizeof thread[i]);
        thread_start(&thread[i], gil, NULL);
        thread_stop(&thread[i]);
    }
    for (struct watched *w = watch->first; w; w = w->next)
        w->ring.written = w->ring.dropped = 0;
    atomic_store(&watch->from_ns, 1000);
    atomic_store(&watch->to_ns, 9000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    watch_end(watch);
    gil_delete(gil);
    unlink(path);
    return 0;
}

static struct trace_ring *ring_of(int number)
{
    struct watched *w = watch->first;

    while (w->thread != &thread[number])
        w = w->next;
    return &w->ring;
}

static void write_at(struct trace_ring *r, uint64_t ns, enum moment_kind kind, uint32_t whom)
{
    struct gil_window window = { 1000, 9000 };

    trace_ring_write(r, &window, (struct moment){ ns, kind, whom });
}

/* Lanes in another order than they entered in, and a name that means harm. */
static const char *name(const void *with, const struct thread *t, int *place)
{
    *place = t == &thread[0];
    return t == &thread[0] ? (const char *)with : "second";
}

/* Of the one cell, 7; to be freed. */
static json_t *made(const char *first, struct trace_sum *sum)
{
    struct mistake m;
    struct trace_file *f = trace_begin(path, false, &m);
    json_t *trace;

    assert_non_null(f);
    assert_int_equal(trace_write_part(path, 7, watch, name, first, sum), 0);
    assert_int_equal(trace_take_part(f, 7, "a \"cell\"\\", &m), 0);
    assert_int_equal(trace_end(f, &m), 0);
    trace = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(trace);
    return trace;
}

/* The event of this number among those with this phase, on this lane; -1: on any. */
static const json_t *event(const json_t *trace, const char *phase, int lane, int number)
{
    json_t *e;
    size_t i;

    json_array_foreach(
        json_object_get(trace, "traceEvents"), i,
        e) if (!strcmp(json_string_value(json_object_get(e, "ph")), phase) &&
               (lane < 0 || (json_object_get(e, "tid") &&
                             json_integer_value(json_object_get(e, "tid")) == lane)) &&
               number-- == 0) return e;
    return NULL;
}

static const char *text(const json_t *e, const char *key)
{
    assert_non_null(e);
    return json_string_value(json_object_get(e, key));
}

static const char *argument(const json_t *e, const char *key)
{
    return text(json_object_get(e, "args"), key);
}

static void assert_slice(const json_t *e, const char *called, double ts, double dur)
{
    assert_string_equal(text(e, "name"), called);
    assert_int_equal(json_integer_value(json_object_get(e, "pid")), 7);
    assert_float_equal(json_number_value(json_object_get(e, "ts")), ts, 1e-9);
    assert_float_equal(json_number_value(json_object_get(e, "dur")), dur, 1e-9);
}

static void test_moments_become_slices_of_the_window(void **state)
{
    struct trace_ring *r = ring_of(0);
    struct trace_sum sum;
    json_t *trace;

    (void)state;
    write_at(r, 200, MOMENT_ATTACH, 0);
    write_at(r, 500, MOMENT_GOT, 0);
    write_at(r, 1250, MOMENT_DETACH, 0);
    write_at(r, 1251, MOMENT_RELEASED, 0);
    write_at(r, 3000, MOMENT_ATTACH, 0);
    write_at(r, 4500, MOMENT_GOT, 0);
    write_at(r, 12000, MOMENT_YIELD, 0);
    trace = made("first", &sum);
    assert_slice(event(trace, "X", 2, 0), "running", 0, 0.25);
    assert_slice(event(trace, "X", 2, 1), "waiting", 0.25, 0.001);
    assert_string_equal(argument(event(trace, "X", 2, 1), "for"), "detach");
    assert_slice(event(trace, "X", 2, 2), "detached", 0.251, 1.749);
    assert_slice(event(trace, "X", 2, 3), "waiting", 2, 1.5);
    assert_string_equal(argument(event(trace, "X", 2, 3), "for"), "attach");
    assert_slice(event(trace, "X", 2, 4), "running", 3.5, 4.5);
    assert_null(event(trace, "X", 2, 5));
    assert_null(event(trace, "X", 1, 0));
    assert_int_equal(sum.moments, 7);
    assert_int_equal(sum.dropped, 0);
    json_decref(trace);
}

static void test_names_are_what_they_are(void **state)
{
    static const char nasty[] = "</script>\"'\\\n\x01 0";
    struct trace_sum sum;
    json_t *trace;

    (void)state;
    write_at(ring_of(0), 2000, MOMENT_GOT, 0);
    trace = made(nasty, &sum);
    assert_string_equal(text(event(trace, "M", 2, 0), "name"), "thread_name");
    assert_string_equal(argument(event(trace, "M", 2, 0), "name"), nasty);
    assert_string_equal(argument(event(trace, "M", 1, 0), "name"), "second");
    assert_string_equal(text(event(trace, "M", -1, 0), "name"), "process_name");
    assert_string_equal(argument(event(trace, "M", -1, 0), "name"), "a \"cell\"\\");
    json_decref(trace);
}

static void test_requests_say_who_is_asked(void **state)
{
    struct trace_sum sum;
    json_t *trace;

    (void)state;
    write_at(ring_of(1), 900, MOMENT_REQUEST, 0);
    write_at(ring_of(1), 2500, MOMENT_REQUEST, 0);
    write_at(&watch->outsiders, 3500, MOMENT_REQUEST, 1);
    trace = made("first", &sum);
    assert_string_equal(argument(event(trace, "i", 1, 0), "to"), "first");
    assert_string_equal(text(event(trace, "i", 1, 0), "s"), "t");
    assert_float_equal(json_number_value(json_object_get(event(trace, "i", 1, 0), "ts")), 1.5,
                       1e-9);
    assert_null(event(trace, "i", 1, 1));
    assert_string_equal(argument(event(trace, "i", 0, 0), "to"), "second");
    assert_string_equal(argument(event(trace, "M", 0, 0), "name"), "outside the runtime");
    json_decref(trace);
}

static void test_what_was_dropped_is_said(void **state)
{
    struct trace_ring *r = ring_of(0);
    struct trace_sum sum;
    json_t *trace;

    (void)state;
    for (int i = 0; i < 20; i++)
        write_at(r, 2000 + 100 * (uint64_t)i, i % 2 ? MOMENT_YIELD : MOMENT_GOT, 0);
    trace = made("first", &sum);
    assert_int_equal(sum.moments, PLACES);
    assert_int_equal(sum.dropped, 20 - PLACES);
    assert_string_equal(text(event(trace, "i", 2, 0), "name"), "dropped");
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(event(trace, "i", 2, 0), "args"), "moments")),
                     20 - PLACES);
    assert_slice(event(trace, "X", 2, 0), "running", 2.2, 0.1);
    json_decref(trace);
}

static void test_a_file_without_cells_is_whole(void **state)
{
    struct mistake m;
    struct trace_file *f = trace_begin(path, false, &m);
    json_t *trace;

    (void)state;
    assert_int_equal(trace_end(f, &m), 0);
    trace = json_load_file(path, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(trace, "traceEvents")), 1);
    json_decref(trace);
    assert_null(trace_begin(path, false, &m));
    assert_non_null(strstr(m.text, "is there already"));
    f = trace_begin(path, true, &m);
    assert_non_null(f);
    assert_int_equal(trace_take_part(f, 1, "none", &m), -1); /* nobody wrote it */
    trace_end(f, &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_moments_become_slices_of_the_window), TEST(test_names_are_what_they_are),
        TEST(test_requests_say_who_is_asked),           TEST(test_what_was_dropped_is_said),
        TEST(test_a_file_without_cells_is_whole),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
