/* show.h - a run as JSON: all that is judged of it.
 *
 * docs/reading.md has its shape. What cannot be told is null.
 */
#ifndef LAB_SHOW_H
#define LAB_SHOW_H

#include "lab/json.h"
#include "lab/results.h"
#include "lab/store.h"

/* Prints it on standard output; the exit status. */
int show_json(struct store *store, const struct run *run, const struct results *results);

#endif
