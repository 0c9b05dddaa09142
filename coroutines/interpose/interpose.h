/* interpose.h - calls of the C library that block, defined again by the program itself.
 *
 * What a program defines and exports is preferred to what its libraries define, by all of them: so
 * when libcurl calls poll it is ours (System V ABI, "Shared Object Dependencies"). The names are
 * in calls.h, and the linker exports just those (--dynamic-list). Within libc its own functions
 * call one another directly: getaddrinfo, stdio and the like are as they were.
 *
 * A call asks whether the thread has an *interposer*, that is: whether somebody else should do the
 * waiting (coroutines/patch.h). If not, which is one load and a branch, it goes on to the real one
 * with all as it came: errno, EINTR, cancellation, and a sanitizer's own interception, which is
 * next in line.
 *
 * Built once. It knows no object: what it needs of those who do is in struct interposer.
 *
 * The real ones are found (dlsym, RTLD_NEXT) before the first constructor of any library runs,
 * in the program's .preinit_array; so there is no moment in which one has to be looked for, and
 * a signal handler or a forked child finds all in place. To make the system calls here instead
 * would leave out the sanitizers, and the cancellation of threads.
 */
#ifndef COROUTINES_INTERPOSE_INTERPOSE_H
#define COROUTINES_INTERPOSE_INTERPOSE_H

#include "gil/attributes.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#define INTERPOSE_NEVER UINT64_MAX /* a deadline; the others are of clock_ns() */

struct interposer {
    /* Whether the caller's waits are to be made by this one. errno is kept. */
    bool (*asked)(void);

    /* Until one of them may be ready, as poll would say. 1; 0: it is the deadline; -1 and errno. */
    int (*wait)(const struct pollfd *files, nfds_t count, uint64_t deadline_ns);

    /* 0; -1 and errno. */
    int (*sleep)(uint64_t deadline_ns);

    /* The descriptor is about to be closed. errno is kept. */
    void (*close)(int fd);
};

/* The calling thread's; NULL: all is as it was. */
extern _Thread_local const struct interposer *interposer_here;

/* What would be called if nothing were interposed. Set once, before any constructor. */
struct real_calls {
#define CALL(name, returns, parameters) returns(*name) parameters;
#include "coroutines/interpose/calls.h"
#undef CALL
};
extern struct real_calls real;

/* Their names; ends with NULL. */
extern const char *const interposed_names[];

/* ---- for the files here ---- */

#define CALL(name, returns, parameters) returns interposed_##name parameters __asm__(#name);
#include "coroutines/interpose/calls.h"
#undef CALL

/* Who waits for the caller; NULL: the kernel. */
static inline const struct interposer *interposer_asked(void)
{
    const struct interposer *i = interposer_here;

    return unlikely(i != NULL) && i->asked() ? i : NULL;
}

/* Deadlines: saturated; a negative time is none. */
uint64_t interpose_after_ns(int64_t ns);

/* INT64_MAX: more than that; -1: it is no valid time. */
int64_t interpose_ns(const struct timespec *time);

/* poll, without waiting. A signal that is pending would end even that. */
int interpose_look(struct pollfd *files, nfds_t count);

/* poll, by the interposer. */
int interpose_poll(const struct interposer *i, struct pollfd *files, nfds_t count,
                   uint64_t deadline_ns);

#endif
