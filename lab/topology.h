/* topology.h - which processors there are, and which worker runs on which.
 *
 * By hwloc. Only what the process may use is seen: hwloc by itself shows processors
 * outside the affinity mask, and a harness that believes it binds its workers to
 * processors that are not its own.
 *
 * The order of placement: one processing unit (PU) of every core first, then the
 * siblings of each. Beyond the last PU it begins again, and workers share.
 *
 * HWLOC_SYNTHETIC and HWLOC_XMLFILE describe another machine, to plan for it: then
 * binding is simulated, and says so. hwloc would return success and do nothing.
 */
#ifndef LAB_TOPOLOGY_H
#define LAB_TOPOLOGY_H

#include "lab/mistake.h"

#include <hwloc.h>
#include <stdbool.h>

/* L#, the logical index, is hwloc's; P#, the OS index, is the kernel's. */
struct place {
    int logical, os;     /* of the PU */
    bool oversubscribed; /* an earlier worker has this PU */
};

/* BIND_ROLES: the worker's role says whether it shares the first PU; the others take turns
 * on the rest. */
enum binding_policy { BIND_NONE, BIND_CORES, BIND_ROLES };

/* "no", "yes", "apart"; ends with NULL. */
extern const char *const binding_policy_names[];

/* What has come of a plan, for the record. P#, or -1: none, several, or not known. */
struct binding {
    int planned, observed;
    char result[32]; /* "bound", "unbound", "simulated", "refused: EINVAL" */
};

/* Looks at the machine, as far as the calling thread's affinity mask lets it; once, before
 * the first worker. 0, or -1 and a mistake. */
int topology_load(struct mistake *m);
void topology_unload(void);

/* Everything below: after topology_load. The workers' functions may run on many
 * threads at once. */

hwloc_topology_t topology_hwloc(void);

/* How many PUs the process may use: workers beyond share. */
int topology_pus(void);

/* Whether it is another machine than this one. */
bool topology_simulated(void);

/* The plan for worker 0, 1, ... */
struct place topology_place(int worker);

/* Whose plan the k-th of those workers has that keep away from worker 0, which has the first
 * PU; if that is the only one, it is theirs too. */
int topology_apart(int k);

/* Binds the calling thread as planned for this worker, and reads back. A worker calls
 * it itself: a binding made by its parent would be inherited by all. */
void topology_bind(int worker, enum binding_policy policy, struct binding *binding);

/* The PU that last ran the calling thread; -1 if not known, or simulated. */
int topology_last(void);

#endif
