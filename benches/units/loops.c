/* loops.c - workers are tasks, spread over threads that have an event loop each.
 *
 * As coroutine, on more than one core: loops share nothing.
 */
#include "benches/hosted.h"

const struct unit unit_loops = {
    .about = "tasks, spread over threads that have an event loop each",
    .carried = CARRIED_BY_ALL, .awaits = true, .param = { UNIT_URING_PARAM },
    .host = hosted_run_tasks,
};
