/* cell.c - `lab cell`: one window of one cell, in this process, for `lab run`.
 *
 * The measurement goes to standard output as measurement_write writes it.
 */
#include "lab/cell.h"
#include "lab/command.h"
#include "lab/dials.h"
#include "lab/measure.h"
#include "lab/options.h"
#include "lab/parse.h"
#include "lab/topology.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    struct variants workload, heap, unit;
    struct modes mode;
    int64_t units, threads, trace_number;
    struct window window;
};

static const struct argp_option described[] = {
    { "workload", 'w', "NAME", 0, "", 0 },  { "mode", 'm', "POLICY+LOCK", 0, "", 0 },
    { "heap", 'H', "NAME", 0, "", 0 },      { "threads", 't', "N", 0, "", 0 },
    { "unit", 'U', "NAME", 0, "", 0 },      { "units", 'N', "N", 0, "", 0 },
    { "ramp-ns", 'r', "N", 0, "", 0 },      { "window-ns", 'W', "N", 0, "", 0 },
    { "bind", 'b', "no|yes|apart", 0, "", 0 }, { "count", 'c', NULL, 0, "", 0 },
    { "watch", 'l', NULL, 0, "", 0 },       { "watchdog-ns", 'd', "N", 0, "", 0 },
    { "trace", 'x', "FILE", 0, "", 0 },     { "trace-number", 'X', "N", 0, "", 0 },
    { 0 },
};

static int take_ns(const char *what, const char *value, uint64_t *ns, struct mistake *m)
{
    int64_t number = 0;
    int status = parse_number(what, value, 0, INT64_MAX, &number, m);

    *ns = (uint64_t)number;
    return status;
}

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    switch (key) {
    case 'w':
        return parse_workloads(value, &o->workload, m);
    case 'm':
        return parse_modes(value, &o->mode, m);
    case 'H':
        return parse_heaps(value, &o->heap, m);
    case 't':
        return parse_number("--threads", value, 0, THREADS_MOST, &o->threads, m);
    case 'U':
        return parse_units(value, &o->unit, m);
    case 'N':
        return parse_number("--units", value, 1, UNITS_MOST, &o->units, m);
    case 'r':
        return take_ns("--ramp-ns", value, &o->window.ramp_ns, m);
    case 'W':
        return take_ns("--window-ns", value, &o->window.length_ns, m);
    case 'd':
        return take_ns("--watchdog-ns", value, &o->window.watchdog_ns, m);
    case 'X':
        return parse_number("--trace-number", value, 0, INT32_MAX, &o->trace_number, m);
    case 'x':
        o->window.trace = value;
        return 0;
    case 'l':
        o->window.watches = true;
        return 0;
    case 'c':
        o->window.counts = true;
        return 0;
    default: /* --bind */
        o->window.bind = (enum binding_policy)name_index(binding_policy_names, value);
        assert(o->window.bind <= BIND_ROLES && "lab run gives a word that there is");
        return 0;
    }
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options *o = calloc(1, sizeof *o);
    struct measurement measurement;
    struct mistake m;
    struct cell cell;
    int written;

    if (!o)
        return 1;
    options_parse(self, argc, argv, o);
    if (!o->workload.count || !o->mode.count || !o->heap.count || !o->window.length_ns) {
        mistake_set(&m, "this command is for `lab run`, which gives it every option");
        mistake_exit("lab cell", &m);
    }
    if (topology_load(&m) < 0 ||
        (!o->unit.count && parse_units("thread", &o->unit, &m) < 0))
        mistake_exit("lab cell", &m);
    cell_init(&cell, &o->workload.item[0], &o->mode.item[0], o->heap.item[0].label, "",
              &o->unit.item[0], (int)o->units, (int)o->threads);
    o->window.trace_number = (int)o->trace_number;
    measure(&cell, &o->window, &measurement);
    topology_unload();
    written = measurement_write(&measurement, STDOUT_FILENO);
    measurement_free(&measurement);
    free(o);
    return written < 0;
}

const struct command command_cell = { .options = described, .take = take, .run = run };
