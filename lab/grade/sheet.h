/* sheet.h - what was found of a submission, check by check, and what it gets. */
#ifndef LAB_GRADE_SHEET_H
#define LAB_GRADE_SHEET_H

#include "lab/grade/assignment.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum result {
    RESULT_PASSED,  /* all points */
    RESULT_PARTLY,  /* some, by a slope */
    RESULT_FAILED,  /* none */
    RESULT_SKIPPED, /* not looked at, as a gate before it was closed */
    RESULT_AGAIN,   /* the machine was too noisy, or too slow or full, to say */
};

extern const char *const result_names[]; /* "passed", ... */

struct finding {
    const char *name; /* as the check's */
    double points, score;
    enum result result;
    char *said;   /* owned; what was observed, in lines, and how to see it again; NULL: nothing */
    json_t *data; /* owned; the raw samples, for Gradescope's extra_data; NULL: none */
};

struct sheet {
    const struct assignment *assignment;
    const char *submission; /* as it was asked for */
    const char *typed;      /* the same in commands that the reader is to type */
    char confined[200];     /* how, or that it was not */
    uint64_t seed;
    int findings;
    struct finding finding[CHECKS_MOST + 1]; /* the first is the rules */
};

/* One more finding; `format` may be NULL. */
__attribute__((format(printf, 6, 7)))
struct finding *sheet_add(struct sheet *s, const char *name, double points, double share,
                          enum result result, const char *format, ...);

/* "The share of the points": 1 at full or less, 0 at zero or more, a straight line between. */
double slope(double value, double full, double zero);

double sheet_score(const struct sheet *s);

/* Whether some check says: run again. */
bool sheet_again(const struct sheet *s);
void sheet_free(struct sheet *s);

/* For people; for Gradescope; for those that read JUnit's XML. The last two: 0, or -1 and a
 * mistake. */
void sheet_print(const struct sheet *s, FILE *out);
int sheet_gradescope(const struct sheet *s, const char *path, struct mistake *m);
int sheet_junit(const struct sheet *s, const char *path, struct mistake *m);

#endif
