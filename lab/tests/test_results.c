/* test_results.c - measurements as text, and what is said of them. */
#include "lab/measurement.h"
#include "lab/results.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_near(double got, double want)
{
    if (fabs(got - want) > 1e-9)
        fail_msg("%g is not %g", got, want);
}

static struct measurement two_workers(uint64_t first, uint64_t second)
{
    struct measurement m = { .status = STATUS_OK, .seconds = 0.5, .overlap = 0.75, .lost = 7,
                             .max_rss_bytes = 4096, .handed_over = 20, .held_back = 3,
                             .damage = { .published = 3, .off = 2, .over = 9, .under = 1,
                                         .leaked = 1, .early = 1, .kept_bytes = 96 },
                             .used = true, .usage = { 0.75, 40, 41, 4, 8192 },
                             .latency = { 51, 52, 53, 54, 55 },
                             .counted = true, .memory = { -1, 2, 64, -1 },
                             .watched = true, .collections = { 1, 2, 3, 4, 5, 6, 7 } };

    m.samples = 3;
    m.sample = calloc(3, sizeof *m.sample);
    m.sample[0] = (struct sample){ "client", 0, 0, first, 0.25, 0, 0, "bound", 5, 6, 7, 8 };
    m.sample[1] = (struct sample){ "client", 0, 1, second, 0.25, 1, -1, "refused: EINVAL", 9, 9,
                                   9, 9, 11, 12, 13, 14, 15 };
    m.sample[2] = (struct sample){ "spinner", 1, 0, 1000000, 0.25, 1, 1, "unbound", 0, 0, 0, 0,
                                   -1, -1, -1, 4, 5 };
    snprintf(m.note, sizeof m.note, "a note, with words");
    return m;
}

static void rate_and_fairness_are_of_the_first_role(void **state)
{
    struct measurement m = two_workers(30, 10);

    (void)state;
    assert_near(measurement_rate(&m), 80);
    assert_near(measurement_fairness(&m), 1600.0 / (2 * 1000));
    assert_int_equal(measurement_p50_ns(&m), 9);
    measurement_free(&m);
    m = two_workers(0, 0);
    assert_near(measurement_fairness(&m), 0);
    measurement_free(&m);
}

/* Through a pipe, as a parent gets it. */
static void send(const struct measurement *m, char *text, size_t size_bytes)
{
    int ends[2];
    ssize_t got;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(measurement_write(m, ends[1]), 0);
    close(ends[1]);
    got = read(ends[0], text, size_bytes - 1);
    assert_true(got > 0);
    text[got] = '\0';
    close(ends[0]);
}

static void measurement_comes_back_from_text_as_it_was(void **state)
{
    struct measurement sent = two_workers(30, 10), got;
    char text[4096];

    (void)state;
    send(&sent, text, sizeof text);
    assert_int_equal(measurement_read(&got, text), 0);
    assert_int_equal(got.status, STATUS_OK);
    assert_string_equal(got.note, sent.note);
    assert_near(got.seconds, 0.5);
    assert_int_equal(got.lost, 7);
    assert_int_equal(got.handed_over, 20);
    assert_int_equal(got.held_back, 3);
    assert_int_equal(got.damage.over, 9);
    assert_int_equal(got.damage.kept_bytes, 96);
    assert_int_equal(got.samples, 3);
    assert_memory_equal(&got.sample[1].ops, &sent.sample[1].ops, sizeof(uint64_t));
    assert_string_equal(got.sample[1].binding, "refused: EINVAL");
    assert_int_equal(got.sample[2].role_index, 1);
    assert_int_equal(got.max_rss_bytes, 4096);
    assert_true(got.used);
    assert_near(got.usage.cpu_seconds, 0.75);
    assert_memory_equal(&got.usage.voluntary_switches, &sent.usage.voluntary_switches,
                        4 * sizeof(int64_t));
    assert_memory_equal(&got.latency, &sent.latency, sizeof got.latency);
    assert_true(got.counted);
    assert_memory_equal(&got.memory, &sent.memory, sizeof got.memory);
    assert_true(got.watched);
    assert_memory_equal(&got.collections, &sent.collections, sizeof got.collections);
    assert_memory_equal(&got.sample[1].cycles, &sent.sample[1].cycles, 5 * sizeof(int64_t));
    assert_memory_equal(&got.sample[2].cycles, &sent.sample[2].cycles, 5 * sizeof(int64_t));
    measurement_free(&got);
    measurement_free(&sent);
}

/* A line for the lock and one for each worker, or none at all. */
static void turns_come_back_from_text_whole_or_not_at_all(void **state)
{
    struct measurement sent = two_workers(30, 10), got;
    char text[4096], more[2 * sizeof text], *last;

    (void)state;
    sent.turns = calloc((size_t)sent.samples + 1, sizeof *sent.turns);
    for (int i = 0; i <= sent.samples; i++)
        for (int k = 0; k < TURNS_NUMBERS; k++)
            sent.turns[i].number[k] = (uint64_t)(100 * i + k);
    send(&sent, text, sizeof text);
    assert_int_equal(measurement_read(&got, text), 0);
    assert_non_null(got.turns);
    assert_memory_equal(got.turns, sent.turns, ((size_t)sent.samples + 1) * sizeof *got.turns);
    measurement_free(&got);
    last = strstr(text, "turns 300");
    assert_non_null(last);
    snprintf(more, sizeof more, "%.*s%.*s\n%s", (int)(last - text), text,
             (int)strcspn(last, "\n"), last, last);
    assert_int_equal(measurement_read(&got, more), -1); /* one too many */
    measurement_free(&got);
    snprintf(more, sizeof more, "%.*sworker worker 9 0 0 0.000000 0 0 0 0 0 0 0 0 0 0 0 bound\n%s",
             (int)(last - text), text, last);
    memcpy(strstr(more, "end 3"), "end 4", 5);
    assert_int_equal(measurement_read(&got, more), -1); /* a worker that comes late */
    measurement_free(&got);
    memmove(last, strchr(last, '\n') + 1, strlen(strchr(last, '\n')));
    assert_int_equal(measurement_read(&got, text), -1); /* one too few */
    measurement_free(&got);
    measurement_free(&sent);
}

/* What a cell prints before it crashes must not pass for a result. */
static void measurement_cut_short_or_garbled_is_refused(void **state)
{
    struct measurement sent = two_workers(30, 10), got;
    char text[4096], cut[4096];

    (void)state;
    send(&sent, text, sizeof text);
    for (size_t length = 0; length + 2 < strlen(text); length++) {
        snprintf(cut, length + 1, "%s", text);
        assert_int_equal(measurement_read(&got, cut), -1);
        assert_int_equal(got.samples, 0);
    }
    assert_int_equal(measurement_read(&got, "hello\n"), -1);
    assert_int_equal(measurement_read(&got, "status splendid \nend 0\n"), -1);
    assert_int_equal(measurement_read(&got, "window nan 0 0\nend 0\n"), -1);
    assert_int_equal(measurement_read(&got, "status ok \nend 1\n"), -1);
    measurement_free(&sent);
}

/* It goes to terminals and into files: what a cell says must not move a cursor there. */
static void note_comes_back_as_printable_ascii(void **state)
{
    struct measurement sent = two_workers(30, 10), got;
    char text[4096];

    (void)state;
    snprintf(sent.note, sizeof sent.note, "went\033[2J wrong \xc3\xa9");
    send(&sent, text, sizeof text);
    assert_int_equal(measurement_read(&got, text), 0);
    assert_string_equal(got.note, "went?[2J wrong ??");
    measurement_free(&got);
    measurement_free(&sent);
}

static void numbers_are_short_for_people(void **state)
{
    char text[48];

    (void)state;
    assert_string_equal(human_rate(0.5, text, sizeof text), "0.50");
    assert_string_equal(human_rate(999.9, text, sizeof text), "1.00 k");
    assert_string_equal(human_rate(12345678, text, sizeof text), "12.3 M");
    assert_string_equal(human_ns(5050000, text, sizeof text), "5.05 ms");
    assert_string_equal(human_bytes(1023, text, sizeof text), "1023 bytes");
    assert_string_equal(human_bytes(2048, text, sizeof text), "2.0 KiB");
    assert_string_equal(human_bytes(400e6, text, sizeof text), "381 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_and_fairness_are_of_the_first_role),
        cmocka_unit_test(measurement_comes_back_from_text_as_it_was),
        cmocka_unit_test(turns_come_back_from_text_whole_or_not_at_all),
        cmocka_unit_test(measurement_cut_short_or_garbled_is_refused),
        cmocka_unit_test(note_comes_back_as_printable_ascii),
        cmocka_unit_test(numbers_are_short_for_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
