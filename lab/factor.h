/* factor.h - a parameter of locks or workloads as a factor of a matrix.
 *
 * `gil.interval_us: [100, 5000]` gives both values to each lock among the levels that has
 * such a parameter; the other levels stay as they are. So does `workload.waits_percent`.
 */
#ifndef LAB_FACTOR_H
#define LAB_FACTOR_H

#include "lab/dials.h"

#include <stdbool.h>

/* Whether the key is of this kind: begins with "gil." or "workload.". */
bool factor_is(const char *key);
bool factor_is_of_lock(const char *key);

/* The name of the parameter, "interval_us". */
const char *factor_name(const char *key);

/* What the key stands for, with the widest bounds that a lock or workload has for it. 0; or
 * -1 and a mistake, if none has one of this name. */
int factor_find(const char *key, struct param *out, struct mistake *m);

/* For a key that nobody knows: if it is a parameter without what goes before it, the mistake
 * becomes one that says so. Always -1. */
int factor_explain(const char *key, struct mistake *m);

/* Multiplies levels by values such as "100,5000". How many levels had the parameter; or -1
 * and a mistake. */
int factor_cross(struct dials *dials, const char *key, const char *values, struct mistake *m);

#endif
