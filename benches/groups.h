/* groups.h - values in groups, which a generator that delegates to averagers reports on.
 *
 *     def grouper(results, key):
 *         while True:
 *             results[key] = yield from averager()
 *
 * For demos and workloads.
 */
#ifndef BENCHES_GROUPS_H
#define BENCHES_GROUPS_H

#include "objects/object.h"

enum { GROUPS = 4, GROUP_VALUES_MOST = 4 };

/* In the order in which they are reported. */
extern const struct group {
    const char *key; /* name;unit */
    double value[GROUP_VALUES_MOST]; /* 0 ends them */
} groups[GROUPS];

/* How many values a group has. */
int group_length(const struct group *group);

/* Sends each group's values to a grouper of its own, and then None if there is a `sentinel`: that
 * ends the group, and puts a tuple into `results`, of how many there were and their average. 0, or
 * -1 with an exception pending. */
int groups_add_all(borrowed results, bool sentinel);

#endif
