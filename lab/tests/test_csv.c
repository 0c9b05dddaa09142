/* test_csv.c - rows of SQL as CSV: what needs quotes, and numbers that read back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static sqlite3 *db;

static int open_database(void **state)
{
    (void)state;
    return sqlite3_open(":memory:", &db);
}

static int close_database(void **state)
{
    (void)state;
    return sqlite3_close(db); /* busy, if a test has not finalized its statement */
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *rows;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
    return rows;
}

static char *csv_of(sqlite3_stmt *rows, int expected)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    csv_write_names(out, rows);
    assert_int_equal(csv_write_rows(out, rows), expected);
    fclose(out);
    sqlite3_finalize(rows);
    return text;
}

static void assert_csv(const char *sql, const char *expected)
{
    char *text = csv_of(prepare(sql), SQLITE_DONE);

    assert_string_equal(text, expected);
    free(text);
}

static void a_head_and_a_line_for_each_row(void **state)
{
    (void)state;
    assert_csv("SELECT 1 AS a, 'x' AS b UNION ALL SELECT -2, 'y'", "a,b\n1,x\n-2,y\n");
    assert_csv("SELECT 1 AS a WHERE 0", "a\n");
    assert_csv("SELECT 9223372036854775807 AS a", "a\n9223372036854775807\n");
}

static void quotes_where_they_are_needed(void **state)
{
    (void)state;
    assert_csv("SELECT 'a b' AS x, 'a,b' AS y", "x,y\na b,\"a,b\"\n");
    assert_csv("SELECT 'say \"no\"' AS x", "x\n\"say \"\"no\"\"\"\n");
    assert_csv("SELECT 'two' || char(10) || 'lines' AS x, char(13) AS y",
               "x,y\n\"two\nlines\",\"\r\"\n");
    assert_csv("SELECT 1 AS \"a,b\"", "\"a,b\"\n1\n");
}

static void null_is_nothing_but_never_an_empty_line(void **state)
{
    (void)state;
    assert_csv("SELECT NULL AS x, 1 AS y, NULL AS z", "x,y,z\n,1,\n");
    assert_csv("SELECT NULL AS x UNION ALL SELECT ''", "x\n\"\"\n\"\"\n");
}

static void numbers_are_short_where_they_can_be(void **state)
{
    (void)state;
    assert_csv("SELECT 0.1 AS x, 0.25 AS y, 2.0 AS z", "x,y,z\n0.1,0.25,2\n");
    assert_csv("SELECT 0.1 + 0.2 AS x", "x\n0.30000000000000004\n");
}

static void assert_reads_back(sqlite3_stmt *rows, double value)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    sqlite3_reset(rows);
    sqlite3_bind_double(rows, 1, value);
    assert_int_equal(csv_write_rows(out, rows), SQLITE_DONE);
    fclose(out);
    if (strtod(text, NULL) != value)
        fail_msg("%.17g was written as %s", value, text);
    free(text);
}

static void numbers_read_back_the_same(void **state)
{
    const char *seed = getenv("TEST_SEED");
    unsigned short random[3] = { 0x330e, (unsigned short)(seed ? atoi(seed) : 1), 0 };
    sqlite3_stmt *rows = prepare("SELECT ?");

    (void)state;
    for (int i = 0; i < 20000; i++)
        assert_reads_back(rows, ldexp(erand48(random), (int)(nrand48(random) % 600) - 300));
    assert_reads_back(rows, 5e-324);
    assert_reads_back(rows, 1.7976931348623157e308);
    sqlite3_finalize(rows);
}

static void an_error_ends_the_rows(void **state)
{
    char *text = csv_of(prepare("SELECT abs(x) AS x FROM (SELECT 1 AS x UNION ALL "
                                "SELECT -9223372036854775807 - 1)"),
                        SQLITE_ERROR);

    (void)state;
    assert_string_equal(text, "x\n1\n");
    free(text);
}

/* A socket of packets keeps writes apart. */
static void a_line_is_one_write(void **state)
{
    sqlite3_stmt *rows = prepare("SELECT 'quoted, ' || column1 AS x, 0.1 AS y, NULL AS z "
                                 "FROM (VALUES (1), (2), (3))");
    char message[256];
    ssize_t size_bytes;
    int ends[2], lines = 0;
    FILE *out;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_non_null(out = fdopen(ends[1], "w"));
    setvbuf(out, NULL, _IOLBF, 0);
    csv_write_names(out, rows);
    assert_int_equal(csv_write_rows(out, rows), SQLITE_DONE);
    fclose(out);
    for (; (size_bytes = read(ends[0], message, sizeof message)) > 0; lines++)
        assert_ptr_equal(memchr(message, '\n', (size_t)size_bytes), message + size_bytes - 1);
    assert_int_equal(lines, 4);
    close(ends[0]);
    sqlite3_finalize(rows);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_head_and_a_line_for_each_row, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(quotes_where_they_are_needed, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(null_is_nothing_but_never_an_empty_line, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(numbers_are_short_where_they_can_be, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(numbers_read_back_the_same, open_database, close_database),
        cmocka_unit_test_setup_teardown(an_error_ends_the_rows, open_database, close_database),
        cmocka_unit_test_setup_teardown(a_line_is_one_write, open_database, close_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
