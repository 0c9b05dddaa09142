/* show.h - a run for people and for programs, beside the table and the sentences.
 *
 * docs/reading.md explains the columns and has the JSON's shape. What cannot be told is "-",
 * and null.
 */
#ifndef LAB_SHOW_H
#define LAB_SHOW_H

#include "lab/results.h"
#include "lab/store.h"

#include <jansson.h>
#include <stdio.h>

/* All that is judged, as JSON on standard output. The exit status. */
int show_json(struct store *store, int64_t run, const struct results *results);

/* Speed-up, efficiency, Karp-Flatt's serial share and the scalability law, for each series
 * of cells that differ in their threads alone. */
void show_scaling(const struct results *results, FILE *out);

/* What processor and kernel counted for each operation. */
void show_counters(struct store *store, int64_t run, const struct results *results, FILE *out);

/* Who contended for what, for each cell in which that was counted. */
void show_stats(const struct results *results, FILE *out);

/* What the cycle collector did in each cell, and how long the world stood still for it. */
void show_pauses(const struct results *results, FILE *out);

/* What spinners had of each lock, and those that wait beside them: lab/frontier.sql. */
void show_frontier(struct store *store, int64_t run, FILE *out);
json_t *frontier_json(struct store *store, int64_t run);

/* What waiting costs in each cell: latencies, processor time, switches, bytes of a connection. */
void show_waits(const struct results *results, FILE *out);

/* What the objects of each cell took. */
void show_memory(const struct results *results, FILE *out);

#endif
