/* export.c - `lab export`: results in the formats of other programs. */
#include "lab/command.h"

#include "lab/export.h"
#include "lab/names.h"
#include "lab/options.h"
#include "lab/output.h"
#include "lab/store.h"

#include <stdio.h>

struct options {
    const struct export_format *format;
    const char *output, *run;
    bool replace;
};

enum { KEY_REPLACE = 256 };

static const struct argp_option options[] = {
    { "format", 'f', "FORMAT", 0, "what to write (csv); `lab export` alone lists what there is",
      0 },
    { "output", 'o', "FILE", 0, "where to (standard output)", 0 },
    { "run", 'r', "RUN", 0, "just this run, by its number or uuid", 0 },
    { "replace", KEY_REPLACE, NULL, 0, "write over FILE if it is there", 0 },
    { 0 },
};

static const struct explained examples[] = {
    { "lab export results.db -o results.csv", "every sample, for pandas, R or gnuplot" },
    { "lab export results.db --format gbench --run 1 -o old.json",
      "for compare.py benchmarks old.json new.json" },
    { NULL, NULL },
};

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct names names = NAMES_OF("format", export_list);
    struct options *o = input;
    int i;

    switch (key) {
    case 'o':
        o->output = value;
        return 0;
    case 'r':
        o->run = value;
        return 0;
    case KEY_REPLACE:
        o->replace = true;
        return 0;
    default:
        i = names_find(&names, value, m);
        if (i >= 0)
            o->format = export_list[i].format;
        return i < 0 ? -1 : 0;
    }
}

static int list_formats(void)
{
    for (const struct named_export *e = export_list; e->name; e++)
        printf("  %-8s %s\n", e->name, e->format->about);
    return 0;
}

static long long count_runs(struct store *store)
{
    sqlite3_stmt *row = NULL;
    long long runs = 0;

    if (sqlite3_prepare_v2(store_database(store), "SELECT count(*) FROM runs", -1, &row, NULL) ==
            SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW)
        runs = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return runs;
}

/* The number of the run that is asked for, 0 for all; or -1 and a mistake. Which of several
 * is meant is not guessed: after a merge the last is an accident. */
static long long choose_run(struct store *store, const struct options *o, struct mistake *m)
{
    struct run run;

    if (!o->run && o->format->many)
        return 0;
    if (!o->run && count_runs(store) > 1)
        return mistake_set(m, "there are several runs, and this format has room for one; --run "
                              "says which, `lab status` lists them");
    return store_find(store, o->run, &run, m) < 0 ? -1 : run.id;
}

/* The process's exit status. */
static int write_run(const struct options *o, struct store *store, long long run,
                     const char *command)
{
    struct output output;
    struct mistake m;

    if (output_open(&output, o->output, o->replace, &m) < 0)
        mistake_exit(command, &m);
    if (o->format->write(output.out, store_database(store), run, &m) < 0)
        output_drop(&output);
    else if (output_finish(&output, &m) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", command, m.text);
    return 1;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options o = { .format = &export_csv };
    const char *path = argv[options_parse(self, argc, argv, &o)];
    struct store *store;
    struct mistake m;
    long long number;
    int status;

    if (!path)
        return list_formats();
    store = store_open(path, STORE_READ, &m);
    if (!store)
        mistake_exit(argv[0], &m);
    number = choose_run(store, &o, &m);
    if (number < 0)
        mistake_exit(argv[0], &m);
    status = write_run(&o, store, number, argv[0]);
    store_close(store);
    return status;
}

const struct command command_export = {
    .about = "results in the formats of other programs",
    .doc = "Writes the results in a format that another program reads. Without RESULTS: which "
           "formats there are.",
    .options = options,
    .arguments = "[RESULTS]",
    .most = 1,
    .examples = examples,
    .take = take,
    .run = run,
};
