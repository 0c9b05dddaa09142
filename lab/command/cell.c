/* cell.c - `lab cell`: one window of one cell, in this process, for `lab run`.
 *
 * The measurement goes to standard output as measurement_write writes it.
 */
#include "lab/cell.h"
#include "lab/command.h"
#include "lab/measure.h"
#include "lab/options.h"
#include "lab/parse.h"
#include "lab/topology.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    struct variants workload, heap;
    struct modes mode;
    int64_t threads, ramp_ns, length_ns;
    bool bind;
};

enum { THREADS_MOST = 1024 };

static const struct argp_option described[] = {
    { "workload", 'w', "NAME", 0, "", 0 },  { "mode", 'm', "POLICY+LOCK", 0, "", 0 },
    { "heap", 'H', "NAME", 0, "", 0 },      { "threads", 't', "N", 0, "", 0 },
    { "ramp-ns", 'r', "N", 0, "", 0 },      { "window-ns", 'W', "N", 0, "", 0 },
    { "bind", 'b', "yes|no", 0, "", 0 },    { 0 },
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *o = state->input;
    struct mistake m = { "" };
    int status = 0;

    switch (key) {
    case 'w':
        status = parse_workloads(value, &o->workload, &m);
        break;
    case 'm':
        status = parse_modes(value, &o->mode, &m);
        break;
    case 'H':
        status = parse_heaps(value, &o->heap, &m);
        break;
    case 't':
        status = parse_number("--threads", value, 0, THREADS_MOST, &o->threads, &m);
        break;
    case 'r':
        status = parse_number("--ramp-ns", value, 0, INT64_MAX, &o->ramp_ns, &m);
        break;
    case 'W':
        status = parse_number("--window-ns", value, 1, INT64_MAX, &o->length_ns, &m);
        break;
    case 'b':
        o->bind = !strcmp(value, "yes");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (status < 0)
        options_fail(state, &m);
    return 0;
}

static int run(int argc, char **argv)
{
    static const struct argp parser = { described, parse_option, NULL, NULL, NULL, NULL, NULL };
    struct options *o = calloc(1, sizeof *o);
    struct measurement measurement;
    struct mistake m;
    struct cell cell;
    int written;

    if (!o)
        return 1;
    options_parse(&parser, argc, argv, o);
    if (!o->workload.count || !o->mode.count || !o->heap.count || !o->length_ns) {
        mistake_set(&m, "this command is for `lab run`, which gives it every option");
        mistake_exit("lab cell", &m);
    }
    if (topology_load(&m) < 0)
        mistake_exit("lab cell", &m);
    cell_init(&cell, &o->workload.item[0], &o->mode.item[0],
              o->heap.item[0].label, (int)o->threads);
    measure(&cell, &(struct window){ (uint64_t)o->ramp_ns, (uint64_t)o->length_ns, o->bind },
            &measurement);
    topology_unload();
    written = measurement_write(&measurement, STDOUT_FILENO);
    measurement_free(&measurement);
    free(o);
    return written < 0;
}

const struct command command_cell = { .about = NULL, .run = run };
