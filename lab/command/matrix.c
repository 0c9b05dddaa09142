/* matrix.c - `lab matrix`: measures what a file describes. */
#include "lab/matrix.h"
#include "lab/options.h"
#include "lab/topology.h"

#include <stdlib.h>

/* Static, as it is large for a stack, and of use until the process ends. */
static struct experiment experiment;

/* Where the results are kept if nobody says: NAME.db. */
static int run_kept(struct experiment *e)
{
    char *results;
    int status;

    if (asprintf(&results, "%s.db", e->name) < 0)
        return 1;
    e->results = results;
    status = experiment_run(e);
    free(results);
    return status;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct experiment *e = &experiment;
    struct matrix *matrix;
    struct mistake m;
    int first, status;

    experiment_init(e, argv[0]);
    first = options_parse(self, argc, argv, e);
    if (topology_load(&m) < 0)
        mistake_exit(argv[0], &m);
    matrix = matrix_read(argv[first], argc - first > 1 ? argv[first + 1] : NULL, e, &m);
    if (!matrix)
        mistake_exit(argv[0], &m);
    matrix_warn(matrix, e, stderr);
    status = e->results ? experiment_run(e) : run_kept(e);
    matrix_free(matrix);
    topology_unload();
    return status;
}

static const struct explained examples[] = {
    { "lab matrix benches/matrices/quick.yaml", "measure it, and keep all in quick.db" },
    { "lab matrix benches/matrices/scaling.yaml --dry-run", "say what would be measured" },
    { NULL, NULL },
};

static const struct explained statuses[] = {
    { "130", "interrupted; what was finished until then has been kept" },
    { NULL, NULL },
};

const struct command command_matrix = {
    .about = "measure what a file describes",
    .doc = "Measures a matrix of FILE, which is in YAML: docs/matrices.md describes it. NAME may "
           "be left out if the file has one matrix, or one that is named as the file. The results "
           "are kept in NAME.db, or where --results says; if it has a part of this run, the same "
           "command goes on with it. What an option says overrides the file.",
    .options = experiment_options,
    .arguments = "FILE [NAME]",
    .least = 1,
    .most = 2,
    .examples = examples,
    .statuses = statuses,
    .take = experiment_take,
    .run = run,
};
