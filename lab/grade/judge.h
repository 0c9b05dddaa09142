/* judge.h - the checks of an assignment, of one submission, one after the other.
 *
 * Rules, then the checks in their order; behind a gate that is closed nothing is looked at.
 */
#ifndef LAB_GRADE_JUDGE_H
#define LAB_GRADE_JUDGE_H

#include "lab/grade/confine.h"
#include "lab/grade/sheet.h"
#include "lab/grade/submission.h"
#include "lab/statistics.h"

struct judge {
    struct submission submission;
    struct prison prison;
    struct sheet *sheet;
    bool progress; /* says on standard error what is looked at */
    bool again;    /* what did not pass last was kept from it by the machine */
};

/* Fills the sheet, whose assignment, submission and seed are set (0: that of the files). 0, or -1
 * and a mistake: the grader itself could not do its work. A signal ends it early (ending.h). */
int judge_submission(struct sheet *sheet, const char *folder, bool progress, struct mistake *m);

/* One check, whose rules were kept. Adds a finding; false: it did not pass. */
bool judge_test(struct judge *j, const struct check *c);
bool judge_speed(struct judge *j, const struct check *c);
bool judge_choice(struct judge *j, const struct check *c);

/* What was measured of a check of speed. */
struct speed {
    struct estimate slowdown, control; /* of submission to reference; of that to itself */
    double stolen;                     /* share of the processors' time */
    json_t *samples;
};

/* Has the lab built with it, for measuring; else adds a finding: it has been built for its tests by
 * then, so what fails is not the submission's. */
bool speed_build(struct judge *j, const struct check *c);

/* The folder from which it is run then. */
void speed_folder(const struct judge *j, const struct check *c, char *path, size_t size_bytes);

/* What speaks against believing it, in words; "" if nothing does. */
void speed_doubt(const struct speed *m, const struct check *c, char *text, size_t size_bytes);

/* The folders under submission_built with tests of this assignment: "once"; "mine"; "plain",
 * "atomic". Their number. */
int judge_folders(const struct assignment *a, char folder[WORDS_MOST][32]);

#endif
