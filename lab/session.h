/* session.h - measures the cells of a plan, window by window, until each has enough.
 *
 * A window is a process of its own (lab/child.h). When it is over, it goes to the results, to
 * the store, and to the CSV; then the next one starts.
 */
#ifndef LAB_SESSION_H
#define LAB_SESSION_H

#include "lab/plan.h"
#include "lab/results.h"
#include "lab/store.h"
#include "lab/trace.h"

#include <stdio.h>

struct session {
    const struct plan *plan;
    struct results *results; /* of the plan's cells; what they hold already is not repeated */
    struct store *store;
    int64_t run;             /* in the store */
    FILE *csv;               /* NULL: none */
    const char *trace_path;  /* of `trace` */
    struct trace_file *trace; /* NULL: nothing is traced */
    int untraced;            /* cells of which no trace could be had */
    uint64_t watchdog_ns;    /* 0: none */
    int sequence;            /* of the last window */
    const volatile int *interrupted;
};

/* 0 when every cell has what it wants; 1 if `*interrupted` became true; -1 and a mistake if a
 * window could not be kept. What is finished is kept in any case. */
int session_run(struct session *s, struct mistake *m);

/* Writes the rows of a window to the CSV; if `sequence` is 0, all that the store
 * has of the run. */
int session_csv(struct session *s, size_t cell, int sequence, struct mistake *m);

/* How many windows are wanted at least, audits too, beside those that are there; and how many
 * at most. */
void session_windows_left(const struct plan *plan, const struct results *r, size_t *least,
                          size_t *most);

#endif
