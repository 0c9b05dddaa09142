/* exclusion.h - the cells that a matrix file leaves out.
 *
 *     exclude:
 *       - { mode: nolock, workload: [handoff, dict_grow] }
 *       - { workload: echo, threads: "> 2*cores" }
 *
 * An item leaves out the cells for which all its conditions hold; a condition of several
 * values holds for each of them. A level without parameters stands for all that have some:
 * `cpu_fraction` for `cpu_fraction:waits_percent=20`, too. Numbers may be compared, by
 * < <= > >= !=, and be ranges.
 */
#ifndef LAB_EXCLUSION_H
#define LAB_EXCLUSION_H

#include "lab/cell.h"
#include "lab/dials.h"
#include "lab/levels.h"

struct exclusion;

/* One item. `scratch` is for its use. NULL and a mistake, as for a level that nobody knows.
 * After topology_load. */
struct exclusion *exclusion_read(struct document *d, const yaml_node_t *node,
                                 struct levels *scratch, struct mistake *m);
void exclusion_free(struct exclusion *exclusion); /* or NULL */

bool exclusion_holds(const struct exclusion *exclusion, const struct cell *cell);

/* Whether it holds for any cell of these dials, which are completed. */
bool exclusion_is_of_use(const struct exclusion *exclusion, const struct dials *dials);

#endif
