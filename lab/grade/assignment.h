/* assignment.h - what an assignment asks for and how it is graded: its assignment.yaml.
 *
 *     title: Write the interval GIL
 *     kind: lock                      policy, lock, workload or coroutines: what is handed in
 *     policies: plain atomic          of the lab, in the build that is measured (plain)
 *     may call: [sqrt]                beyond what every file of its kind may (lab/grade/rules.h)
 *     files:
 *       - locks/mine.c from gil/locks/interval.c as gil_interval=gil_mine interval.c=mine.c
 *     checks:                         in this order
 *       - name: what every lock promises
 *         test: gil/tests/test_locks  or tests/test_x: of the assignment's own folder
 *         only: ["*exclude*"]         just the tests of these names (all)
 *         modes: debug asan tsan      or release (debug)
 *         schedules: 3                runs in each mode, each under another seed (1)
 *         seconds: 60                 after which a run is ended (120)
 *         memory: 256                 MiB for all its processes (1024; 4096 with a sanitizer)
 *         points: 40                  all or nothing
 *         gate: yes                   unless it passes, nothing after it is looked at (no)
 *       - name: turns kept
 *         test: tests/test_interval
 *         count: turns kept           what the test counts, by grade_count
 *         full: 0                     all points up to here, ...
 *         zero: 20                    ... none from here on, and a straight line between
 *         points: 10
 *       - name: as fast as the lab's
 *         speed: fib                  a workload
 *         mine: plain+mine            the mode of the submission, and with what it is compared;
 *         reference: plain+interval   of coroutines both are one mode, and the builds differ
 *         unit: coroutine             (thread)
 *         threads: 2                  (1)
 *         modes: debug                how it is built (release)
 *         full: 1.2                   times as slow as the reference
 *         zero: 2
 *         points: 20
 *       - name: sixteen that compute
 *         choice: computing           what the submission's choices.yaml says for this word: the
 *         among:                      name of one of these, which are measured side by side, each
 *           thread: --unit thread --threads 16                      with options of `lab run`
 *           process: --unit process --units 16 --threads 2
 *         speed: cpu_fraction         the lab's own workload
 *         full: 1.2                   times as slow as the best of them
 *         zero: 3
 *         points: 5
 *
 * scripts/cut.py and assignment.mk read `title`, `policies`, `files` and `test`, each on a line of
 * its own.
 */
#ifndef LAB_GRADE_ASSIGNMENT_H
#define LAB_GRADE_ASSIGNMENT_H

#include "lab/document.h"

#include <stdbool.h>

enum { CHECKS_MOST = 24, FILES_MOST = 4, WORDS_MOST = 40, BUILD_MODES = 4, SCHEDULES_MOST = 100 };
enum { ALTERNATIVES_MOST = 8 };

enum work { WORK_POLICY, WORK_LOCK, WORK_WORKLOAD, WORK_COROUTINES };

extern const char *const build_modes[BUILD_MODES + 1]; /* debug, asan, tsan, release; NULL */

/* A list of texts that a NULL ends. */
struct words {
    int count;
    const char *item[WORDS_MOST + 1];
};

struct alternative {
    const char *name, *options; /* "process", "--unit process --units 16" */
};

struct check {
    const char *name, *test, *count, *speed, *mine, *reference, *unit; /* NULL: not said */
    const char *choice;                                                /* likewise */
    int alternatives;
    struct alternative among[ALTERNATIVES_MOST];
    struct words only;
    bool in_mode[BUILD_MODES];
    const char *build;                                              /* of a speed */
    double schedules, seconds, memory, threads, points, full, zero; /* NAN: not said */
    bool gate;
    const yaml_node_t *node;
};

struct handed_in {
    char path[128], from[128]; /* in the submission's folder; in the lab's tree */
};

/* Its texts are the document's. */
struct assignment {
    char folder[256]; /* without a slash at its end */
    char path[300];
    char *source; /* owned */
    struct document document;
    const char *title, *policies;
    enum work work;
    struct words may_call;
    int files, checks;
    struct handed_in file[FILES_MOST];
    struct check check[CHECKS_MOST];
};

/* 0; or -1 and a mistake, as FILE:LINE:COLUMN: where the document has one. To be freed, unless
 * it fails. `folder` "02" or "02-one-count" is found under lab/assignments. */
int assignment_read(struct assignment *a, const char *folder, struct mistake *m);

/* The same from a text; `path` must live as long. */
int assignment_parse(struct assignment *a, const char *path, const char *text, size_t size_bytes,
                     struct mistake *m);
void assignment_free(struct assignment *a);

/* "04": what its folder's name begins with. */
const char *assignment_number(const struct assignment *a);

double assignment_points(const struct assignment *a);

#endif
