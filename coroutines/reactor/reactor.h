/* reactor.h - waits for the kernel until a file can be read or written, or somebody wakes it.
 *
 * The part of an event loop that is no object and knows no global lock: it is built once,
 * and whoever polls detaches around it (coroutines/io.h). One thread watches and polls;
 * any thread may wake it, and so may a signal handler.
 *
 * It is level-triggered: what stays readable is told again with each poll, so nobody has to
 * read a file empty, and what could not be delivered once comes again.
 *
 * Failure is -1 and errno.
 *
 * Source: D. Libenzi's epoll (Linux 2.6); its wake-up is an eventfd, watched by edges, so
 * that it need never be read: one system call for each wake-up, and not two.
 */
#ifndef COROUTINES_REACTOR_REACTOR_H
#define COROUTINES_REACTOR_REACTOR_H

#include <stdint.h>

enum interest { READABLE = 1, WRITABLE = 2 };

/* What poll has found. */
struct readiness {
    int fd;
    unsigned ready; /* of enum interest; both after an error or a hang-up */
};

struct reactor {
    int epoll, wake; /* set once */
};

/* Deadlines are of clock_ns(). */
#define REACTOR_AT_ONCE ((uint64_t)0)
#define REACTOR_FOREVER UINT64_MAX

int reactor_open(struct reactor *r);
void reactor_close(struct reactor *r);

/* From now on `fd` is watched for `after`, and was for `before` (0: not at all). A file that
 * was closed meanwhile counts as not watched: to end watching it is no failure. */
int reactor_watch(struct reactor *r, int fd, unsigned before, unsigned after);

/* Waits until something is ready, it is woken, or it is `deadline_ns`. How many of `ready` were
 * filled, at most `most`, which is 1 or more; 0 also if a wake-up or a signal was all there was. */
int reactor_poll(struct reactor *r, uint64_t deadline_ns, struct readiness *ready, int most);

/* The poll of now, or else the next one, returns at once. errno is kept. */
void reactor_wake(struct reactor *r);

#endif
