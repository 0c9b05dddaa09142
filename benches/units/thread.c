/* thread.c - each worker is a thread: the unit that all others are compared with.
 *
 * Cost: a stack of its own, a switch by the kernel, a wake-up for each wait. Needs nothing of a
 * workload.
 */
#include "benches/hosted.h"

const struct unit unit_thread = {
    .about = "each worker is a thread; there are as many as --threads says",
    .carried = CARRIED_BY_ITSELF, .host = hosted_run_thread,
};
