/* query.c - `lab query`: questions in SQL to a results file. */
#include "lab/command.h"

#include "lab/csv.h"
#include "lab/json.h"
#include "lab/names.h"
#include "lab/options.h"
#include "lab/rows.h"
#include "lab/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum form { FORM_TABLE, FORM_CSV = 'c', FORM_JSON = 'j' };

static const struct argp_option options[] = {
    { "csv", FORM_CSV, NULL, 0, "print CSV, with all digits, instead of a table", 0 },
    JSON_OPTION,
    { 0 },
};

static const struct explained examples[] = {
    { "lab query RESULTS \"SELECT workload, mode, threads, speedup FROM speedups\"",
      "what more threads gain" },
    { "lab query RESULTS \"SELECT workload, threads, mode, rate FROM best WHERE threads > 1\"",
      "the safe mode that did most" },
    { "lab query RESULTS \"SELECT mode, max(p99_ns) AS worst FROM rates WHERE kind = 'io' "
      "GROUP BY mode\"",
      "how long the slowest hundredth waited" },
    { NULL, NULL },
};

/* What there is in a results file that can be asked for. */
static const struct explained relations[] = {
    { "machines", "a machine, by a key that stays the same" },
    { "runs", "one matrix on one machine, with its settings" },
    { "facts", "what was true of machine and build" },
    { "cells", "a setting of every dial" },
    { "windows", "one measurement of a cell in a process of its own" },
    { "samples", "a worker's share of a window" },
    { "rates", "each timed window: who, when, how fast" },
    { "medians", "each cell: the median of its windows' rates" },
    { "speedups", "each cell beside its own mode and nolock, at one thread" },
    { "best", "the safe mode that did most" },
    { "contended", "the ten objects or places that were contended most in a stats window" },
    { "turns", "how each worker fared at the global lock, of a window beside a stats one" },
    { "contention", "who contended for what, of cells in which that was counted" },
    { "lock_use", "who had the lock and who waited for it, as shares of the time" },
    { "memory", "what each cell's objects took, and what was left of them" },
    { "pauses", "what the cycle collector did, of windows in which it ran" },
    { "waits", "what waiting costs: latencies, and what an operation uses" },
    { "damage", "what wrong counts did in unsafe cells" },
    { "gaps", "cells that have fewer windows than planned, and why" },
    { "tidy", "every sample with all that is known of it" },
    { NULL, NULL },
};

static const char relations_sql[] =
    "SELECT type, name, (SELECT group_concat(name, ', ') FROM pragma_table_info(r.name)) "
    "AS columns FROM sqlite_schema r WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' "
    "ORDER BY type, rowid";

static int take(void *input, int key, char *value, struct mistake *m)
{
    enum form *form = input;

    (void)value;
    if (*form != FORM_TABLE && *form != (enum form)key)
        return mistake_set(m, "--csv and --json exclude one another");
    *form = (enum form)key;
    return 0;
}

/* Everything but reading is refused, whatever the question and the file's views say. */
static int authorize(void *refused, int action, const char *a, const char *b, const char *database,
                     const char *source)
{
    (void)a, (void)b, (void)database, (void)source;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    default:
        *(bool *)refused = true;
        return SQLITE_DENY;
    }
}

/* What SQLite says of the question. */
static int explain(sqlite3 *db, struct mistake *m)
{
    struct names names = NAMES_OF("table", relations);
    const char *said = sqlite3_errmsg(db);
    char name[64];

    if (sscanf(said, "no such table: %63s", name) == 1)
        return names_unknown(&names, name, m);
    return mistake_set(m, "%s", said);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n;")] == '\0';
}

/* NULL and a mistake. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *question, struct mistake *m)
{
    sqlite3_stmt *rows = NULL;
    const char *rest;

    if (sqlite3_prepare_v2(db, question, -1, &rows, &rest) != SQLITE_OK)
        explain(db, m);
    else if (!rows)
        mistake_set(m, "'%s' asks nothing", question);
    else if (is_blank(rest))
        return rows;
    else
        mistake_set(m, "one question at a time; '%s' is too much", rest);
    sqlite3_finalize(rows);
    return NULL;
}

static int write_rows(sqlite3_stmt *rows, enum form form)
{
    switch (form) {
    case FORM_CSV:
        csv_write_names(stdout, rows);
        return csv_write_rows(stdout, rows);
    case FORM_JSON:
        return rows_write_json(stdout, rows);
    default:
        return rows_write_table(stdout, rows);
    }
}

/* 0, or -1 and a mistake. */
static int ask(sqlite3 *db, const char *question, enum form form, struct mistake *m)
{
    sqlite3_stmt *rows = prepare(db, question, m);
    int result;

    if (!rows)
        return -1;
    result = write_rows(rows, form);
    if (result != SQLITE_DONE)
        explain(db, m);
    sqlite3_finalize(rows);
    return result == SQLITE_DONE ? 0 : -1;
}

static const char *about_relation(const char *name)
{
    for (const struct explained *e = relations; e->what; e++)
        if (strcmp(e->what, name) == 0)
            return e->about;
    return "";
}

/* For people: what can be asked for, and how. */
static int list_relations(sqlite3 *db, struct mistake *m)
{
    sqlite3_stmt *rows = prepare(db, relations_sql, m);
    int result;

    if (!rows)
        return -1;
    while ((result = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(rows, 1);

        printf("%-10s %-5s  %s\n                  %s\n", name, sqlite3_column_text(rows, 0),
               about_relation(name), sqlite3_column_text(rows, 2));
    }
    for (const struct explained *e = examples; e->what; e++)
        printf("\n%s:\n    %s\n", e->about, e->what);
    if (result != SQLITE_DONE)
        explain(db, m);
    sqlite3_finalize(rows);
    return result == SQLITE_DONE ? 0 : -1;
}

/* What the user asks. 0, or -1 and a mistake. */
static int ask_safely(sqlite3 *db, const char *question, enum form form, struct mistake *m)
{
    bool refused = false;
    int result;

    sqlite3_set_authorizer(db, authorize, &refused);
    result = ask(db, question, form, m);
    if (refused)
        mistake_set(m, "a question only reads: it begins with SELECT, WITH or VALUES");
    return result;
}

static int run(const struct command *self, int argc, char **argv)
{
    enum form form = FORM_TABLE;
    char **argument = argv + options_parse(self, argc, argv, &form);
    const char *question = argument[1];
    struct mistake m;
    struct store *store = store_open(argument[0], STORE_READ, &m);
    int result;

    if (!store)
        mistake_exit(argv[0], &m);
    if (question)
        result = ask_safely(store_database(store), question, form, &m);
    else if (form == FORM_TABLE)
        result = list_relations(store_database(store), &m);
    else
        result = ask(store_database(store), relations_sql, form, &m);
    store_close(store);
    if (result < 0)
        mistake_exit(argv[0], &m);
    return 0;
}

const struct command command_query = {
    .about = "questions in SQL to a results file",
    .doc = "Prints the rows that a question in SQL gives, as a table: numbers in it are cut to six "
           "digits and long texts are cut off, but not in CSV and JSON. Without a question: what "
           "can be asked for. The file is not changed, whatever is asked.",
    .options = options,
    .arguments = "RESULTS [QUESTION]",
    .least = 1,
    .most = 2,
    .examples = examples,
    .take = take,
    .run = run,
};
