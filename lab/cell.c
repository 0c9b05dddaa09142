/* cell.c - one point of the matrix. */
#include "lab/cell.h"

#include "lab/intern.h"
#include "lab/runtimes.h"

#include <stdio.h>
#include <string.h>

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

static int workers_of(const struct role *role, int threads)
{
    return role->fixed + role->per_thread * threads;
}

static const char *refusal(const struct cell *cell)
{
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
    cell->counted = workers_of(&roles[0], cell->threads);
    cell->base = roles[0].per_thread ? 1 : 0;
    for (int i = 0; i < ROLE_MAX && roles[i].name; i++)
        cell->workers += workers_of(&roles[i], cell->threads);
    cell->safe = !cell->runtime->needs_gil || cell->lock->excludes;
    cell->miscounts = !cell->safe && cell->shares > SHARES_HANDOVER &&
                      (cell->workers > 1 || cell->work->has_threads);
    cell->refusal = refusal(cell);
}

void cell_init(struct cell *cell, const struct variant *workload, const struct mode *mode,
               const char *heap, const char *build, int threads)
{
    *cell = (struct cell){
        .workload = intern(workload->label), .mode = intern(mode->label),
        .policy = intern(mode->runtime->name), .gil = label_lock(mode), .heap = intern(heap),
        .build = intern(build), .build_hash = "", .threads = threads, .runtime = mode->runtime,
        .audited = runtime_audited(mode->runtime), .counting = runtime_counting(mode->runtime),
        .lock = mode->lock,
        .work = mode->runtime->workloads[workload->index].workload,
    };
    memcpy(cell->work_param, workload->param, sizeof cell->work_param);
    memcpy(cell->lock_param, mode->param, sizeof cell->lock_param);
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
    snprintf(text, size_bytes, "%s%s, %s, %d thread%s%s%s", cell->control ? "control: " : "",
             cell->workload, cell->mode, cell->threads, cell->threads == 1 ? "" : "s",
             *cell->build ? ", " : "", cell->build);
}

/* The heap is always in the name: what a cell is called must not depend on which others
 * there are. */
char *cell_benchmark(const struct cell *cell)
{
    char *name;
    int length = asprintf(&name, "workload:%s/mode:%s/heap:%s%s%s/threads:%d", cell->workload,
                          cell->mode, cell->heap, *cell->build ? "/build:" : "", cell->build,
                          cell->threads);

    return length < 0 ? NULL : name;
}
