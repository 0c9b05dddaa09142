/* show.c - `lab show`: the table and the sentences of a run that is in a results file. */
#include "lab/command.h"
#include "lab/crossovers.h"
#include "lab/json.h"
#include "lab/options.h"
#include "lab/show.h"
#include "lab/store.h"

#include <stdio.h>

struct options {
    const char *run;
    bool json, scaling, counters, memory, pauses, waits, stats, frontier, crossovers;
};

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    (void)m;
    if (key == 'r')
        o->run = value;
    o->json |= key == 'j';
    o->scaling |= key == 's';
    o->counters |= key == 'c';
    o->memory |= key == 'm';
    o->pauses |= key == 'p';
    o->waits |= key == 'w';
    o->stats |= key == 'S';
    o->frontier |= key == 'f';
    o->crossovers |= key == 'x';
    return 0;
}

static void print_run(const struct run *run)
{
    printf("run %lld of matrix %s, on %s with %d core%s, %s %s\n", (long long)run->id, run->matrix,
           run->host ? run->host : "a machine without a name", run->cores,
           run->cores == 1 ? "" : "s", run->ended ? "finished" : "unfinished, begun",
           run->ended ? run->ended : run->started);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options o = { 0 };
    const char *path = argv[options_parse(self, argc, argv, &o)];
    struct mistake m;
    struct store *store = store_open(path, STORE_READ, &m);
    struct results results;
    struct run run;
    int status = 0;

    if (!store || store_find(store, o.run, &run, &m) < 0 ||
        store_load(store, &run, &results, &m) < 0)
        mistake_exit(argv[0], &m);
    if (o.json) {
        status = show_json(store, run.id, &results);
    } else if (o.scaling || o.counters || o.memory || o.pauses || o.waits || o.stats ||
               o.frontier || o.crossovers) {
        if (o.scaling)
            show_scaling(&results, stdout);
        if (o.counters)
            show_counters(store, run.id, &results, stdout);
        if (o.memory)
            show_memory(&results, stdout);
        if (o.pauses)
            show_pauses(&results, stdout);
        if (o.waits)
            show_waits(&results, stdout);
        if (o.stats)
            show_stats(&results, stdout);
        if (o.frontier)
            show_frontier(store, run.id, stdout);
        if (o.crossovers)
            show_crossovers(&results, stdout);
    } else {
        print_run(&run);
        table_print(&results, stdout);
        answer_print(&results, stdout);
    }
    results_free(&results);
    store_close(store);
    return status;
}

static const struct argp_option described[] = {
    { "run", 'r', "N", 0, "which run of the file, by number or uuid (the last)", 0 },
    { "scaling", 's', NULL, 0, "instead: what more threads bring, and the scalability law", 0 },
    { "counters", 'c', NULL, 0, "instead: cycles, cache misses, switches for each operation", 0 },
    { "memory", 'm', NULL, 0, "instead: bytes of each object, their peak, objects left over", 0 },
    { "pauses", 'p', NULL, 0, "instead: how often, how long the cycle collector stopped all", 0 },
    { "waits", 'w', NULL, 0,
      "instead: latencies, processor time and switches for each operation, bytes of a connection", 0 },
    { "stats", 'S', NULL, 0,
      "instead: who contended for which object, and for the lock, of a run with --stats", 0 },
    { "frontier", 'f', NULL, 0,
      "instead: what each lock leaves spinners beside what it does for those that wait", 0 },
    { "crossovers", 'x', NULL, 0,
      "instead: from which share of waiting, how many units on, one way overtakes another", 0 },
    JSON_OPTION,
    { 0 },
};

const struct command command_show = {
    .about = "the table and the sentences of a run that is in a results file",
    .doc = "Prints what `lab run` and `lab matrix` print when they have measured. With --json all "
           "that is judged: medians with intervals, the noise floor, warnings, fits.",
    .options = described,
    .arguments = "RESULTS",
    .least = 1, .most = 1,
    .take = take,
    .run = run,
};
