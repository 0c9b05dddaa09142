/* deltablue.h - an incremental constraint solver, and two problems for it.
 *
 * B. Freeman-Benson, J. Maloney, A. Borning, "An incremental constraint solver",
 * Communications of the ACM 33(1), 1990. Constraints of different strength are put on
 * variables. When one is added or removed, the solver finds out which constraints hold, and
 * which variable each of them determines, by looking only at what that changes: by the
 * walkabout strength of a variable, how strong a constraint must be to take it over. A plan is
 * then the order in which constraints compute their variables when an input changes.
 *
 * A benchmark of objects that refer to each other in cycles, of small lists, and of methods
 * called on objects whose class only the run tells. Variables, constraints and the solver are
 * instances, and all they know of each other are attributes. -1: an exception is pending,
 * RuntimeError if the answer is wrong.
 */
#ifndef BENCHES_DELTABLUE_H
#define BENCHES_DELTABLUE_H

#include "benches/program.h"

enum deltablue_class {
    VARIABLE, PLANNER, CONSTRAINT, STAY, EDIT, EQUALITY, SCALING, DELTABLUE_CLASSES
};

int deltablue_init(struct program *p); /* program_fini, also after a failure */

/* So many equalities in a row: what the first variable is set to, the last becomes. 0 or -1. */
int deltablue_chain(const struct program *p, int length);

/* So many pairs of variables, one the other's scaled and shifted image: whichever is set, the
 * other follows; and when the scale is set, all the images do. 0 or -1. */
int deltablue_projection(const struct program *p, int pairs);

#endif
