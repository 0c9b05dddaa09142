/* interpreter.c - threads that are cut into interpreters: a lock, a register of containers and a
 * job for each, in one address space.
 *
 * Each interpreter has its share of the workers, as threads, and they take turns under its lock;
 * those of two interpreters run at the same time, whatever the lock is. They share no object, so a
 * workload that does cannot run so. (E. Snow, PEP 684, 2022; objects/interpreter.h.)
 *
 * Cost: that of a thread. What else a workload shares it has once for each interpreter: its
 * program, its constants.
 */
#include "benches/hosted.h"

const struct unit unit_interpreter = {
    .about = "threads in --threads interpreters, each with its own lock and job",
    .carried = CARRIED_APART, .host = hosted_run_thread,
};
