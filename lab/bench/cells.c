/* cells.c - the lab's cells as Google Benchmarks, with that library's flags and JSON.
 *
 *   bench-cells --workload fib --mode gil,atomic --benchmark_repetitions=9
 *   bench-cells --matrix=benches/matrices/quick.yaml --benchmark_out=quick.json
 *
 * A benchmark is a cell, and each repetition one window of it in a fresh process: one
 * iteration, by manual time. That time is of an operation, for compare.py sees times only: a
 * second divided by all that the counted workers did in it together, as in what `lab export
 * --format gbench` writes.
 */
#include "benches/gbench.h"
#include "gil/mutex.h"
#include "lab/child.h"
#include "lab/experiment.h"
#include "lab/intern.h"
#include "lab/machine.h"
#include "lab/matrix.h"
#include "lab/options.h"
#include "lab/process.h"
#include "lab/provenance.h"
#include "lab/results.h"
#include "lab/topology.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char program[] = "bench-cells";

static struct plan plan;
static struct child_rules rules;
static bool failed; /* a window was to give a result, and gave none */
static volatile int interrupted;

static void interrupt(int signal)
{
    interrupted = signal;
}

static double cpu_seconds(const struct measurement *m)
{
    double seconds = 0;

    for (int i = 0; i < m->samples; i++)
        seconds += m->sample[i].cpu_seconds;
    return seconds;
}

/* Not what is 0, or not known: where it is 0 in every window, the library writes as its
 * coefficient of variation a NaN, which is no JSON. */
static void add_counter(struct gbench_state *state, const char *name, double value)
{
    if (value > 0)
        gbench_counter(state, name, value);
}

/* None has the name of a key that the library writes itself. */
static void add_counters(struct gbench_state *state, const struct measurement *m)
{
    add_counter(state, "rate", measurement_rate(m));
    add_counter(state, "fairness", measurement_fairness(m));
    add_counter(state, "overlap", m->overlap);
    add_counter(state, "window_s", m->seconds);
    add_counter(state, "cpu_s", cpu_seconds(m));
    add_counter(state, "lost", (double)m->lost);
    add_counter(state, "p50_ns", (double)measurement_p50_ns(m));
    add_counter(state, "max_rss_bytes", (double)m->max_rss_bytes);
}

static void add_label(struct gbench_state *state, const struct cell *cell,
                      const struct measurement *m)
{
    char text[NOTE_BYTES + 16];

    snprintf(text, sizeof text, "%s%s%s", cell->safe ? "" : "unsafe",
             !cell->safe && *m->note ? "; " : "", m->note);
    if (*text)
        gbench_label(state, text);
}

static double void_run(struct gbench_state *state, const char *reason)
{
    failed = true;
    gbench_skip(state, reason);
    return 0;
}

/* Seconds per operation. */
static double report(struct gbench_state *state, const struct cell *cell,
                     const struct measurement *m)
{
    double rate = measurement_rate(m);

    if (!measured(m))
        return void_run(state, *m->note ? m->note : status_name(m->status));
    if (rate <= 0)
        return void_run(state, "no operation was finished in the window");
    add_counters(state, m);
    add_label(state, cell, m);
    return 1 / rate;
}

/* After an interrupt the library goes on through all that is left, so that its JSON is whole. */
static double run(struct gbench_state *state, uint64_t iterations, void *data)
{
    const struct cell *cell = data;
    const struct window window = plan_window(&plan, cell);
    struct measurement m;
    double seconds;

    (void)iterations;
    if (cell->refusal) {
        gbench_skip(state, cell->refusal);
        return 0;
    }
    if (interrupted || child_measure(&rules, cell, &window, false, &m) < 0)
        return void_run(state, "interrupted");
    seconds = report(state, cell, &m);
    measurement_free(&m);
    return seconds;
}

/* The lab that was built beside this program. */
static const char *find_lab(struct mistake *m)
{
    char path[PATH_MAX] = "";
    char *name;

    if (readlink("/proc/self/exe", path, sizeof path - sizeof "lab") < 0) {
        mistake_set(m, "cannot tell where this program is: %s", strerror(errno));
        return NULL;
    }
    name = strrchr(path, '/') + 1;
    strcpy(name, "lab");
    if (access(path, X_OK) == 0)
        return intern(path);
    mistake_set(m, "cells are run by the lab beside this program, but '%s' is not there", path);
    return NULL;
}

/* Not the twins of the control: they have the name of another cell, and whoever wants a noise
 * floor can repeat any of them. */
static int add_cells(const char *lab)
{
    for (size_t i = 0; i < plan.count; i++) {
        struct cell *cell = &plan.cell[i];
        char *name = cell_benchmark(cell);
        int added = name && !cell->control ? gbench_register_once(name, run, cell) : 0;

        if (!name || added < 0)
            return -1;
        free(name);
        if (!*cell->build)
            cell->build = lab;
    }
    return 0;
}

static int add_facts(void)
{
    static const char *const names[] = { "commit",         "commit_dirty", "build_mode",
                                         "build_compiler", "build_flags",  "kernel_release",
                                         "cpu_model",      "machine_key",  "cpufreq_governor" };
    struct facts facts = { 0 };
    struct machine machine;
    struct mistake ignored;
    int status = 0;

    provenance_machine(&facts, "");
    provenance_software(&facts);
    if (machine_look(&machine, &ignored) == 0) {
        provenance_topology(&facts, &machine);
        machine_free(&machine);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names && status == 0; i++)
        if (facts_get(&facts, names[i]))
            status = gbench_add_context(names[i], facts_get(&facts, names[i]));
    facts_free(&facts);
    return status;
}

static int add_context(void)
{
    static const char time[] = "manual: a second, divided by all that the counted workers did in "
                               "it together",
                      cpu[] = "of this program, which only waits; the cell's is cpu_s, in a "
                              "window of window_s";
    char window[64];

    snprintf(window, sizeof window, "%g s, after a ramp of %g s", plan.settings.window_s,
             plan.settings.ramp_s);
    if (gbench_add_context("time", time) < 0 || gbench_add_context("cpu", cpu) < 0 ||
        gbench_add_context("window", window) < 0)
        return -1;
    return add_facts();
}

struct input {
    struct experiment experiment;
    char *matrix; /* NULL: the dials say it all */
};

enum { KEY_MATRIX = 0x200, OPTIONS_MOST = 32 };

static struct argp_option options[OPTIONS_MOST] = {
    { "matrix", KEY_MATRIX, "FILE[:NAME]", 0,
      "the cells of this file, as `lab matrix` reads it; what an option says goes before it", 0 },
};

static int take(void *data, int key, char *value, struct mistake *m)
{
    struct input *input = data;

    if (key != KEY_MATRIX)
        return experiment_take(&input->experiment, key, value, m);
    input->matrix = value;
    return 0;
}

static const struct command command = {
    .doc = "Runs cells of the lab as benchmarks of Google's library: every combination of the "
           "dials, each repetition a window in a fresh process. How often, in which order and "
           "what is written where is for the library's own flags to say.",
    .options = options,
    .take = take,
};

/* Of the lab's options those that say what a window is. */
static void copy_options(void)
{
    int count = 1;

    for (const struct argp_option *o = experiment_options; o->name; o++)
        if (o->key <= 'z' && strchr("wmpgHtBWRTMb", o->key))
            options[count++] = *o;
}

/* What the library has printed went through stdout's buffer, too. */
static bool written(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "%s: cannot write to standard output\n", program);
    return false;
}

static int help(void)
{
    const struct argp argp = { options, NULL, NULL, command.doc, NULL, NULL, NULL };

    argp_help(&argp, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK, (char *)program);
    printf("\nThe library's flags:\n\n");
    return gbench_print_flags() < 0 || !written();
}

static bool asks_for_help(char **argv)
{
    while (*argv && strcmp(*argv, "--help") != 0)
        argv++;
    return *argv;
}

static bool is_library_flag(const char *argument)
{
    return !strncmp(argument, "--benchmark_", 12) || !strncmp(argument, "--v=", 4);
}

/* Takes the library's flags out of argv and hands them over; it names one that it does not
 * know. 0, or -1. */
static int take_library_flags(int *argc, char **argv)
{
    char **theirs = calloc((size_t)*argc + 1, sizeof *theirs);
    int ours = 1, count = 1, status = -1;

    if (!theirs)
        return -1;
    theirs[0] = argv[0];
    for (int i = 1; i < *argc; i++)
        if (is_library_flag(argv[i]))
            theirs[count++] = argv[i];
        else
            argv[ours++] = argv[i];
    argv[ours] = NULL;
    *argc = ours;
    status = gbench_init(&count, theirs);
    free(theirs);
    return status;
}

/* FILE:NAME is taken apart in its place. */
static struct matrix *read_matrix(char *text, struct experiment *e, struct mistake *m)
{
    char *colon = strrchr(text, ':');

    if (colon && strchr(colon, '/'))
        colon = NULL;
    if (colon)
        *colon = '\0';
    return matrix_read(text, colon ? colon + 1 : NULL, e, m);
}

static int make_plan(struct input *input, struct mistake *m)
{
    struct experiment *e = &input->experiment;
    struct matrix *matrix = NULL;
    int status;

    e->name = e->source = program;
    if (input->matrix && !(matrix = read_matrix(input->matrix, e, m)))
        return -1;
    if (matrix)
        matrix_warn(matrix, e, stderr);
    status = experiment_plan(e, &plan, m);
    matrix_free(matrix);
    return status;
}

static void make_rules(void)
{
    rules = (struct child_rules){ .time_ns = (uint64_t)(plan.settings.timeout_s * NS_PER_S),
                                  .memory_bytes = plan.settings.memory_bytes,
                                  .interrupted = &interrupted };
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = interrupt }, NULL);
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = interrupt }, NULL);
}

/* The exit status. */
static int finish(int benchmarks)
{
    plan_free(&plan);
    topology_unload();
    if (!written() || benchmarks <= 0)
        return 1;
    return interrupted ? 128 + interrupted : failed;
}

int main(int argc, char **argv)
{
    static struct input input;
    struct mistake m;
    const char *lab;

    process_keep_streams();
    argv[0] = (char *)program;
    copy_options();
    if (asks_for_help(argv))
        return help();
    experiment_init(&input.experiment, program);
    if (take_library_flags(&argc, argv) < 0)
        return 2;
    options_parse(&command, argc, argv, &input);
    lab = find_lab(&m);
    if (!lab || topology_load(&m) < 0 || make_plan(&input, &m) < 0)
        mistake_exit(program, &m);
    if (add_context() < 0 || add_cells(lab) < 0) {
        perror(program);
        return 1;
    }
    make_rules();
    return finish(gbench_run());
}
