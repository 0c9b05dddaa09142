/* runtimes.h - finding a policy's build by name.
 *
 * The list itself is runtime_list of benches/runtime.h.
 */
#ifndef LAB_RUNTIMES_H
#define LAB_RUNTIMES_H

#include "benches/runtime.h"

/* NULL if it was not built in. */
const struct runtime *runtime_named(const char *name);

/* Whether there is such a policy, though perhaps not in this build. */
bool policy_known(const char *name);

/* The second build of the same policy, which tallies; NULL if there is none. */
const struct runtime *runtime_audited(const struct runtime *runtime);

/* The one that counts who contends for what; NULL if it was not built in. */
const struct runtime *runtime_counting(const struct runtime *runtime);

#endif
