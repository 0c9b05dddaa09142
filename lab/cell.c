/* cell.c - one point of the matrix. */
#include "lab/cell.h"

#include "coroutines/reactor/reactor.h"
#include "lab/intern.h"
#include "lab/measurement.h"
#include "lab/runtimes.h"

#include <stdio.h>
#include <string.h>

enum { NOTE_MAX = 200 };

const char *const kind_names[] = { "cpu", "io", "mixed", NULL };
const char *const shares_names[] = { "nothing", "handover", "reads", "writes", "tables", NULL };
const char *const window_names[] = { "timed", "audit", "stats", NULL };

int name_index(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

const char *cell_units(const struct cell *cell, char *text, size_t size_bytes)
{
    if (cell->units)
        snprintf(text, size_bytes, "%s x%d", cell->execution_unit, cell->units);
    else
        snprintf(text, size_bytes, "%s", "");
    return text;
}

bool same_units(const struct cell *a, const struct cell *b)
{
    return a->execution_unit == b->execution_unit && a->units == b->units;
}

/* The lock's name, and those parameters that are not as usual. */
static const char *label_lock(const struct mode *mode)
{
    char text[LABEL_MAX];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", mode->lock_name);

    for (int i = 0; i < PARAM_MAX && mode->lock->param[i].name; i++)
        if (mode->param[i] != mode->lock->param[i].standard && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, ":%s=%lld",
                                     mode->lock->param[i].name, (long long)mode->param[i]);
    return intern(text);
}

int cell_workers(const struct cell *cell, const struct role *role)
{
    return role->fixed + role->per_thread * (cell->units ? cell->units : cell->threads);
}

bool cell_is_apart(const struct cell *cell)
{
    return cell->units && cell->kind_of_unit->carried == CARRIED_APART;
}

/* What is fixed is threads of its own, whatever the others are. */
int cell_samples(const struct cell *cell, const struct role *role)
{
    int hosts = cell->kind_of_unit->carried == CARRIED_BY_ALL ? cell->threads : 1;

    if (!cell->units || !role->per_thread || cell_is_apart(cell))
        return cell_workers(cell, role);
    return role->fixed + hosts;
}

int cell_jobs(const struct cell *cell)
{
    return cell_is_apart(cell) ? cell->threads : 1;
}

int cell_receivers(const struct cell *cell)
{
    return cell_is_apart(cell) && cell->kind_of_unit->receive ? cell->threads : 0;
}

int cell_share_units(const struct cell *cell, int share)
{
    int jobs = cell_jobs(cell), units = cell->units ? cell->units : cell->threads;

    return units / jobs + (share < units % jobs);
}

int cell_share(const struct cell *cell, const struct role *role, int share)
{
    return (share ? 0 : role->fixed) + role->per_thread * cell_share_units(cell, share);
}

/* Whether two workers of one share may count one object at once. */
static bool share_has_several(const struct cell *cell)
{
    const struct role *roles = cell->work->roles;
    int workers = 0;

    for (int i = 0; i < ROLE_MAX && roles[i].name; i++)
        workers += cell_share(cell, &roles[i], 0);
    return workers > 1;
}

/* Of the workload; NULL: its workers can be such units. */
static const char *refuse_seating(const struct cell *cell)
{
    const struct workload *w = cell->work;
    char text[NOTE_MAX];

    switch (unit_seating(cell->kind_of_unit, w)) {
    case SEATING_NOT_CUT:
        snprintf(text, sizeof text, "not run: how many %ss there are depends on no units",
                 w->roles[0].name);
        return intern(text);
    case SEATING_ALONE:
        snprintf(text, sizeof text, "not run: each needs a thread; its workers %s", w->alone);
        return intern(text);
    case SEATING_UNAWAITED:
        return "not run: it waits as threads and greenlets do, and has nothing to await";
    case SEATING_SHARES:
        snprintf(text, sizeof text, "not run: its units share objects, and %s none",
                 cell->kind_of_unit->receive ? "processes share" : "interpreters share");
        return intern(text);
    case SEATING_TOGETHER:
        return "not run: what its units share stands in static memory, which interpreters have "
               "in common";
    default: /* SEATING_RIGHT */
        return NULL;
    }
}

static const char *refuse_apart(const struct cell *cell)
{
    const char *them = cell->kind_of_unit->receive ? "processes" : "interpreters";
    char text[NOTE_MAX];

    if (cell->units < cell->threads)
        snprintf(text, sizeof text, "not run: fewer units than %s", them);
    else if (cell->carriers > WORKERS_MAX)
        snprintf(text, sizeof text, "not run: more than %d threads", WORKERS_MAX);
    else if (cell->units / cell->threads < cell->work->least_threads)
        snprintf(text, sizeof text, "not run: each of the %s needs %d units", them,
                 cell->work->least_threads);
    else if (cell->miscounts)
        snprintf(text, sizeof text,
                 "not run: nobody adds up the damage in several %s; one unit in each has none",
                 them);
    else
        return NULL;
    return intern(text);
}

/* The kernel is asked, for it says differently in a container. */
static const char *refuse_reactor(const struct cell *cell)
{
    const struct reactor_class *class =
        reactor_named(unit_reactor(cell->kind_of_unit, cell->unit_param));
    int error = class == reactor_standard() ? 0 : reactor_refusal(class);
    char text[NOTE_MAX];

    if (!error)
        return NULL;
    snprintf(text, sizeof text, "not run: %s is refused here: %s", class->opens, strerror(error));
    return intern(text);
}

static bool has_pool(const struct cell *cell)
{
    const char *reactor = unit_reactor(cell->kind_of_unit, cell->unit_param);

    return cell->kind_of_unit->carried == CARRIED_BY_A_POOL ||
           (cell->work->calls_pool && reactor_named(reactor) == reactor_standard());
}

/* Of the unit's count and threads. */
static const char *refuse_unit(const struct cell *cell)
{
    const struct unit *unit = cell->kind_of_unit;
    char text[NOTE_MAX];

    if (cell->threads < 1)
        return "not run: units need a thread that carries them";
    if (unit->carried == CARRIED_BY_ALL && cell->units < cell->threads)
        return "not run: fewer units than threads to carry them";
    if (unit->carried == CARRIED_APART)
        return refuse_apart(cell);
    if (!cell->safe && has_pool(cell))
        return "not run: the loop and the pool would count one object at once, unprotected";
    if (unit->carried != CARRIED_BY_ONE || cell->threads == 1)
        return NULL;
    snprintf(text, sizeof text, "not run: it is on one thread%s%s", unit->lone ? "; " : "",
             unit->lone ? unit->lone : "");
    return intern(text);
}

static const char *refusal(const struct cell *cell)
{
    const char *why = cell->units ? refuse_seating(cell) : NULL;

    if (!why && cell->units)
        why = refuse_unit(cell);
    if (!why && cell->units)
        why = refuse_reactor(cell);
    if (why)
        return why;
    if (cell->miscounts && cell->shares == SHARES_TABLES)
        return "not run: threads would rebuild one table with nothing to protect it";
    if (cell->threads < cell->work->least_threads)
        return cell->work->least_threads == 1 ? "not run: this workload needs a thread"
                                              : "not run: this workload needs two threads";
    return NULL;
}

/* What follows from the dials. */
static void derive(struct cell *cell)
{
    const struct role *roles = cell->work->roles;

    cell->about = intern(cell->work->about ? cell->work->about : "");
    cell->unit = intern(cell->work->unit ? cell->work->unit : "operation");
    cell->kind = cell->work->kind;
    cell->shares = cell->work->shares;
    cell->counted = cell_workers(cell, &roles[0]);
    cell->base = roles[0].per_thread ? 1 : 0;
    for (int i = 0; i < ROLE_MAX && roles[i].name; i++) {
        cell->workers += cell_workers(cell, &roles[i]);
        cell->carriers += roles[i].fixed;
        if (!cell->units)
            cell->carriers += roles[i].per_thread * cell->threads;
    }
    if (cell_is_apart(cell))
        cell->carriers = cell->workers + cell_receivers(cell);
    else if (cell->units)
        cell->carriers += cell->kind_of_unit->carried == CARRIED_BY_ALL ? cell->threads : 1;
    cell->safe = !cell->runtime->needs_gil || cell->lock->excludes;
    cell->miscounts = !cell->safe && cell->shares > SHARES_HANDOVER &&
                      ((cell_is_apart(cell) ? share_has_several(cell) : cell->carriers > 1) ||
                       cell->work->has_threads);
    cell->refusal = refusal(cell);
}

void cell_init(struct cell *cell, const struct variant *workload, const struct mode *mode,
               const char *heap, const char *build, const struct variant *unit, int units,
               int threads)
{
    const struct unit *kind = mode->runtime->units[unit->index].unit;

    *cell = (struct cell){
        .workload = intern(workload->label), .mode = intern(mode->label),
        .policy = intern(mode->runtime->name), .gil = label_lock(mode), .heap = intern(heap),
        .build = intern(build), .build_hash = "", .threads = threads, .runtime = mode->runtime,
        .audited = runtime_audited(mode->runtime), .counting = runtime_counting(mode->runtime),
        .lock = mode->lock,
        .work = mode->runtime->workloads[workload->index].workload,
        .execution_unit = intern(unit->label), .kind_of_unit = kind,
        .units = kind->carried == CARRIED_BY_ITSELF ? 0 : units,
    };
    memcpy(cell->work_param, workload->param, sizeof cell->work_param);
    memcpy(cell->lock_param, mode->param, sizeof cell->lock_param);
    memcpy(cell->unit_param, unit->param, sizeof cell->unit_param);
    derive(cell);
}

void cell_mode_words(const struct cell *cell, enum window_kind kind, char *text,
                     size_t size_bytes)
{
    const char *policy = cell->policy;

    if (kind == WINDOW_AUDIT)
        policy = cell->audited->name;
    else if (kind == WINDOW_STATS && cell->counting)
        policy = cell->counting->name;
    snprintf(text, size_bytes, "%s+%s", policy, cell->gil);
}

bool cell_audits(const struct cell *cell)
{
    return cell->miscounts && cell->audited && !cell->refusal;
}

void cell_describe(const struct cell *cell, char *text, size_t size_bytes)
{
    char units[LABEL_MAX + 16];

    cell_units(cell, units, sizeof units);
    snprintf(text, size_bytes, "%s%s, %s%s%s, %d thread%s%s%s", cell->control ? "control: " : "",
             cell->workload, cell->mode, *units ? ", " : "", units, cell->threads,
             cell->threads == 1 ? "" : "s", *cell->build ? ", " : "", cell->build);
}

/* The heap is always in the name: what a cell is called must not depend on which others
 * there are. A unit is, where it is no thread: names of old stay. */
char *cell_benchmark(const struct cell *cell)
{
    char *name, units[LABEL_MAX + 32] = "";
    int length;

    if (cell->units)
        snprintf(units, sizeof units, "/unit:%s/units:%d", cell->execution_unit, cell->units);
    length = asprintf(&name, "workload:%s/mode:%s/heap:%s%s%s%s/threads:%d", cell->workload,
                      cell->mode, cell->heap, *cell->build ? "/build:" : "", cell->build, units,
                      cell->threads);

    return length < 0 ? NULL : name;
}
