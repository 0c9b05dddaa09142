/* experiment.h - from what a user asked for to what was found.
 *
 * `lab run` takes an experiment from the command line, `lab matrix` from a file, and then
 * they do the same: plan it, measure it window by window, keep what was measured, say what
 * was found.
 */
#ifndef LAB_EXPERIMENT_H
#define LAB_EXPERIMENT_H

#include "lab/dials.h"
#include "lab/plan.h"

#include <argp.h>

enum { SETTINGS_MAX = 64 };

struct experiment {
    const char *command; /* "lab run": begins what is said to the user */
    const char *name;    /* of the matrix */
    const char *source;  /* the text that describes it, for the record */
    struct dials dials;
    struct settings settings;
    bool (*excluded)(const struct cell *cell, const void *with); /* NULL: nothing is */
    const void *with;

    /* What was set on the command line: it goes before what a file says. */
    struct { int letter; const char *value; } asked[SETTINGS_MAX];
    int asks;

    const char *results; /* file; NULL: the results are not kept */
    const char *csv;
    const char *trace;   /* NULL: nothing is traced */
    double watchdog_s;   /* names threads that pass no safe point for so long; 0: it does not */
    bool again, dry_run, replace, json;
};

/* Of both commands: dials and settings, whose keys are letters, then what to do with them. */
extern const struct argp_option experiment_options[];

/* For struct names: whether this argp_option is neither dial nor setting, so that a matrix
 * cannot say it. */
bool experiment_withheld(const void *entry);

/* With the usual settings, and no dial set. */
void experiment_init(struct experiment *e, const char *command);

/* For struct command: keeps one option of the command line. */
int experiment_take(void *input, int key, char *value, struct mistake *m);

/* Sets a dial or a setting by its name, as a matrix file does: "threads", "1,2". 0; or -1 and a
 * mistake, also if there is none of this name. */
int experiment_set(struct experiment *e, const char *name, const char *value, struct mistake *m);

/* Sets what the command line asked for, and plans. 0; or -1 and a mistake. After
 * topology_load. */
int experiment_plan(struct experiment *e, struct plan *plan, struct mistake *m);

/* The same; then measures, keeps, and says what was found. The exit status. */
int experiment_run(struct experiment *e);

#endif
