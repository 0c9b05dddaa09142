/* crossovers.h - where one way of running work overtakes another, as it was measured.
 *
 * Three questions, of each line of points (lab/waiting.h) that can answer them:
 *
 *     at what share of waiting does the lock stop costing anything?
 *     from how many in parallel does another unit take less processor time than a thread?
 *     up to what share of waiting do processes beat threads, in spite of their messages?
 *
 * An answer names the two levels that were measured on either side of the crossover, the ratio
 * at each and its interval, or says that it cannot be told, and why. Nothing is claimed between
 * the two, nor beyond what was measured.
 */
#ifndef LAB_CROSSOVERS_H
#define LAB_CROSSOVERS_H

#include "lab/results.h"

#include <jansson.h>
#include <stdio.h>

void show_crossovers(const struct results *r, FILE *out);

/* [{question, words, unit, mode, carriers, parallel, waits_percent, before, after, levels}] */
json_t *crossovers_json(const struct results *r);

#endif
