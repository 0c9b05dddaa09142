/* cell.h - one point of the matrix: every dial set. */
#ifndef LAB_CELL_H
#define LAB_CELL_H

#include "benches/runtime.h"
#include "gil/gil.h"
#include "lab/parse.h"

#include <stdbool.h>
#include <stddef.h>

struct cell {
    char workload_label[LABEL_MAX]; /* as typed: "cpu_fraction:waits_percent=50" */
    char mode_label[LABEL_MAX];     /* as typed: "gil", or "biased+none" */
    char gil_label[LABEL_MAX];      /* "interval:interval_us=500" */
    const struct workload *workload;
    int64_t workload_param[PARAM_MAX];
    const struct runtime *runtime;    /* the policy */
    const struct runtime *audited;    /* its second build; NULL: it needs none, or has none */
    const struct gil_class *gil;
    int64_t gil_param[PARAM_MAX];
    const char *heap;
    int threads;
};

/* Sets every dial. The heap's name must outlive the cell. */
void cell_init(struct cell *cell, const struct variant *workload, const struct mode *mode,
               const char *heap, int threads);

/* The words with which a process of its own is told which cell to run: the mode as
 * POLICY+LOCK, of the audited build if `audit`. */
void cell_mode_words(const struct cell *cell, bool audit, char *text, size_t size_bytes);

/* Two threads may count one object at the same time, and this policy cannot stand it. */
bool cell_unsafe(const struct cell *cell);

/* An unsafe cell in which two threads do count the same object: what they share is
 * parked, not freed, and audited (objects/audit.h). */
bool cell_miscounts(const struct cell *cell);

/* Why this cell is not run; NULL: it is. */
const char *cell_refusal(const struct cell *cell);

/* The sum over the roles. */
int cell_workers(const struct cell *cell);

/* "fib, gil, 2 threads" */
void cell_describe(const struct cell *cell, char *text, size_t size_bytes);

#endif
