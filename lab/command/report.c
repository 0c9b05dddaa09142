/* report.c - `lab report`: one HTML file of all that is known of a run.
 *
 * scripts/report.py writes it, for matplotlib draws; what it says is what `lab show` of
 * this very program says.
 */
#include "lab/command.h"
#include "lab/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT = 'o', RUN = 'r', REPLACE = 'f', ARGUMENTS_MAX = 12 };

struct options {
    const char *output, *run; /* NULL: the script chooses */
    bool replace;
};

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    (void)m;
    if (key == OUTPUT)
        o->output = value;
    else if (key == RUN)
        o->run = value;
    else
        o->replace = true;
    return 0;
}

/* Where this program is: build/MODE/lab; and the script, from there. -1 and errno. */
static int find_script(char *self, char *script)
{
    ssize_t length = readlink("/proc/self/exe", self, PATH_MAX - 1);

    if (length < 0)
        return -1;
    self[length] = '\0';
    strcpy(script, self);
    strcpy(strrchr(script, '/'), "/../../scripts/report.py");
    return access(script, X_OK);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options o = { 0 };
    char *results = argv[options_parse(self, argc, argv, &o)];
    char program[PATH_MAX], script[PATH_MAX + 32];
    const char *arguments[ARGUMENTS_MAX] = { script, "--lab", program };
    int count = 3;
    struct mistake m;

    if (find_script(program, script) < 0) {
        mistake_set(&m, "%s: %s; it belongs to the lab's sources, beside build/", script,
                    strerror(errno));
        mistake_exit(argv[0], &m);
    }
    if (o.output)
        arguments[count++] = "--output", arguments[count++] = o.output;
    if (o.run)
        arguments[count++] = "--run", arguments[count++] = o.run;
    if (o.replace)
        arguments[count++] = "--replace";
    arguments[count++] = "--", arguments[count++] = results;
    execv(script, (char **)arguments);
    mistake_set(&m, "%s: %s; it needs Debian's python3 and python3-matplotlib", script,
                strerror(errno));
    mistake_exit(argv[0], &m);
}

static const struct argp_option described[] = {
    { "output", OUTPUT, "FILE", 0, "where to; without it RESULTS, ending in .html", 0 },
    { "run", RUN, "N", 0, "which run of the file; without it the last one", 0 },
    { "replace", REPLACE, NULL, 0, "write over a report that is there", 0 },
    { 0 },
};

static const struct explained examples[] = {
    { "lab report night.db", "writes night.html" },
    { NULL, NULL },
};

const struct command command_report = {
    .about = "one HTML file with findings, pictures and every cell of a run",
    .doc = "Writes one HTML file that needs no network: findings in sentences, pictures with the "
           "queries that made them, warnings, a table of all cells, and where it all comes from. "
           "A file that is there is written over only if --replace says so.",
    .options = described,
    .arguments = "RESULTS",
    .least = 1,
    .most = 1,
    .take = take,
    .examples = examples,
    .run = run,
};
