/* count.h - a test tells how many of something it has counted.
 *
 * For tests of an assignment (lab/assignments/NN-name/tests): what is counted depends on no clock,
 * and is graded by a slope instead of yes or no.
 */
#ifndef LAB_GRADE_INSIDE_COUNT_H
#define LAB_GRADE_INSIDE_COUNT_H

/* Tells the grader, if there is one; else a line "# WHAT: VALUE" for people. `what` as in the
 * assignment's `count:`. On the thread that runs the tests. */
void grade_count(const char *what, double value);

#endif
