/* merge.c - `lab merge`: results files, perhaps of several machines, become one. */
#include "lab/command.h"

#include "lab/merge.h"
#include "lab/options.h"

#include <limits.h>
#include <stdlib.h>

static const struct argp_option options[] = {
    { "output", 'o', "FILE", 0, "what they are merged into: a new file, or results to add to", 0 },
    { 0 },
};

static const struct explained examples[] = {
    { "lab merge -o all.db here.db there.db", "two machines' results in one file" },
    { NULL, NULL },
};

static int take(void *input, int key, char *value, struct mistake *m)
{
    (void)key, (void)m;
    *(const char **)input = value;
    return 0;
}

/* 0, or -1 and a mistake. */
static int merge_all(const char *output, char **path, FILE *report, struct mistake *m)
{
    struct merge *merge = merge_begin(output, m);
    int result = merge ? 0 : -1;

    while (result == 0 && *path)
        result = merge_add(merge, *path++, report, m);
    if (result == 0)
        result = merge_finish(merge, report, m);
    if (merge)
        merge_end(merge);
    return result;
}

static int run(const struct command *self, int argc, char **argv)
{
    const char *output = NULL;
    char **path = argv + options_parse(self, argc, argv, &output);
    char *text = NULL;
    size_t size_bytes;
    FILE *report;
    struct mistake m;

    if (!output) {
        mistake_set(&m, "--output FILE is missing: what they are merged into");
        mistake_exit(argv[0], &m);
    }
    /* Nothing is said to be there before it is. */
    report = open_memstream(&text, &size_bytes);
    if (!report || merge_all(output, path, report, &m) < 0)
        mistake_exit(argv[0], &m);
    fclose(report);
    fputs(text, stdout);
    free(text);
    return 0;
}

const struct command command_merge = {
    .about = "results files, perhaps of several machines, become one",
    .doc = "Adds to a results file what others have and it has not; it is made if it is not there. "
           "Machines are told apart by their keys, runs by their uuids. A run that is in several "
           "files, as it was at several moments, is there once, with the windows of all. Files "
           "that contradict one another are refused, and then nothing has changed.",
    .options = options,
    .arguments = "RESULTS...",
    .least = 1,
    .most = INT_MAX,
    .examples = examples,
    .take = take,
    .run = run,
};
