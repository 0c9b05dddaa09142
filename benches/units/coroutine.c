/* coroutine.c - workers are tasks of one event loop, on one thread.
 *
 * What waits must be awaited (await_step); what computes is a step between two turns. Cost: some
 * hundred bytes and no stack; a wait is a turn of the loop.
 */
#include "benches/hosted.h"

const struct unit unit_coroutine = {
    .about = "tasks of one event loop", .carried = CARRIED_BY_ONE, .awaits = true,
    .lone = "loops has one on each", .param = { UNIT_URING_PARAM }, .host = hosted_run_tasks,
};
