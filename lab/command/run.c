/* run.c - `lab run`: measures every combination of the dials, and says what it found. */
#include "lab/experiment.h"
#include "lab/options.h"
#include "lab/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The command line as it was typed, for the record. */
static char *join(int argc, char **argv)
{
    size_t size_bytes = 1, used = 0;
    char *text;

    for (int i = 0; i < argc; i++)
        size_bytes += strlen(argv[i]) + 1;
    text = calloc(1, size_bytes);
    for (int i = 0; text && i < argc; i++)
        used += (size_t)snprintf(text + used, size_bytes - used, "%s%s", i ? " " : "", argv[i]);
    return text;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct experiment *e = malloc(sizeof *e);
    char *source = join(argc, argv);
    struct mistake m;
    int status;

    if (!e || !source)
        return 1;
    experiment_init(e, argv[0]);
    e->name = "run";
    e->source = source;
    options_parse(self, argc, argv, e);
    if (topology_load(&m) < 0)
        mistake_exit(argv[0], &m);
    status = experiment_run(e);
    topology_unload();
    free(source);
    free(e);
    return status;
}

static const struct explained statuses[] = {
    { "130", "interrupted; what was finished until then has been shown. By another signal than "
             "Ctrl-C: 128 and its number" },
    { NULL, NULL },
};

const struct command command_run = {
    .about = "measure every combination of the dials, and say what was found",
    .doc = "Measures every combination of the dials: each cell in a fresh process, the windows of "
           "the cells interleaved. Without options: the comparison that `make run` shows.",
    .options = experiment_options,
    .take = experiment_take,
    .statuses = statuses,
    .run = run,
};
