/* offspring.h - the processes of a window whose units are processes.
 *
 * They are forked before this process has a second thread (but one of a lock's own, such as
 * quantum's timer, which they have not) or an object, so each may have a runtime
 * of its own. What they need to see of one another stands in memory that all have: the phase of
 * the window, what is counted, what each has to say. A socket from each child carries its results,
 * and wakes who receives them when there is news; a child that dies is its end. Children are
 * killed when their parent dies.
 */
#ifndef LAB_OFFSPRING_H
#define LAB_OFFSPRING_H

#include "benches/runtime.h"
#include "lab/measurement.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a child says: in memory that both have. Each `_Atomic` is stored with release when what it
 * stands for has been written. */
struct told {
    _Atomic bool ready;  /* its workers stand at the gate */
    _Atomic bool failed; /* `note` says why */
    _Atomic bool done;   /* it has checked its answer; the rest has been written */
    char note[NOTE_BYTES]; /* else what a reader must know; "" */
    struct pauses pauses[GENERATIONS];
    struct heap_counts memory;
    uint64_t max_rss_bytes;
    struct usage usage;
};

struct offspring {
    pid_t process; /* the parent's; 0: not forked, or buried */
    int socket;    /* owned; this process's end; -1: there is none */
    struct told *told;
};

/* Memory that is zero, and that children have in common with this process. NULL and errno. To be
 * given back with the same size. */
void *offspring_memory(size_t size_bytes);
void offspring_free(void *memory, size_t size_bytes);

/* Forks the `number`-th of `all`. In the parent its process, and the parent's end of the socket is
 * in its place. 0 in the child, which has the other end, and none of the others'. -1 and errno. */
pid_t offspring_fork(struct offspring *all, int number);

/* By the child, on any thread: there is news, or `note` is. */
void offspring_tell(const struct offspring *o);
void offspring_fail(const struct offspring *o, const char *note);

/* By the parent: until the child has sent something, or has ended. It stays in the socket. */
void offspring_wait(const struct offspring *o);

/* By the parent: reads and forgets what comes, up to the end. */
void offspring_drain(const struct offspring *o);

/* By the parent, at the end of the socket: waits until the child has gone. Writes why it has died,
 * or "" if it had done all it had to. */
void offspring_bury(struct offspring *o, int number, char *text, size_t size_bytes);

/* Sleeps while the phase is this; wakes who does. Between all these processes. */
void phase_sleep(_Atomic int *phase, int while_it_is);
void phase_wake(_Atomic int *phase);

#endif
