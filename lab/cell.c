/* cell.c - one point of the matrix. */
#include "lab/cell.h"

#include "lab/runtimes.h"

#include <stdio.h>
#include <string.h>

/* The lock's name, and those parameters that are not as usual. */
static void label_gil(struct cell *cell, const char *name)
{
    size_t used = (size_t)snprintf(cell->gil_label, sizeof cell->gil_label, "%s", name);

    for (int i = 0; i < PARAM_MAX && cell->gil->param[i].name; i++)
        if (cell->gil_param[i] != cell->gil->param[i].standard && used < sizeof cell->gil_label)
            used += (size_t)snprintf(cell->gil_label + used, sizeof cell->gil_label - used,
                                     ":%s=%lld", cell->gil->param[i].name,
                                     (long long)cell->gil_param[i]);
}

void cell_init(struct cell *cell, const struct variant *workload, const struct mode *mode,
               const char *heap, int threads)
{
    *cell = (struct cell){
        .workload = mode->runtime->workloads[workload->index].workload,
        .runtime = mode->runtime, .audited = runtime_audited(mode->runtime),
        .gil = mode->lock, .heap = heap, .threads = threads,
    };
    memcpy(cell->workload_label, workload->label, sizeof cell->workload_label);
    memcpy(cell->workload_param, workload->param, sizeof cell->workload_param);
    memcpy(cell->mode_label, mode->label, sizeof cell->mode_label);
    memcpy(cell->gil_param, mode->param, sizeof cell->gil_param);
    label_gil(cell, mode->lock_name);
}

void cell_mode_words(const struct cell *cell, bool audit, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "%s+%s", audit ? cell->audited->name : cell->runtime->name,
             cell->gil_label);
}

bool cell_unsafe(const struct cell *cell)
{
    return cell->runtime->needs_gil && !cell->gil->excludes;
}

bool cell_miscounts(const struct cell *cell)
{
    return cell_unsafe(cell) && cell->workload->shares > SHARES_HANDOVER && cell_workers(cell) > 1;
}

const char *cell_refusal(const struct cell *cell)
{
    if (cell_miscounts(cell) && cell->workload->shares == SHARES_TABLES)
        return "not run: threads would rebuild one table with nothing to protect it";
    if (cell->threads < cell->workload->least_threads)
        return "not run: this workload needs a thread";
    return NULL;
}

int cell_workers(const struct cell *cell)
{
    int workers = 0;

    for (int i = 0; i < ROLE_MAX && cell->workload->roles[i].name; i++)
        workers += cell->workload->roles[i].fixed +
                   cell->workload->roles[i].per_thread * cell->threads;
    return workers;
}

void cell_describe(const struct cell *cell, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "%s, %s, %d thread%s", cell->workload_label, cell->mode_label,
             cell->threads, cell->threads == 1 ? "" : "s");
}
