/* patch.h - unmodified code that blocks, in greenlets: what gevent does by patching.
 *
 * A library that knows nothing of hubs calls recv or nanosleep, and its thread stands still, with
 * all its greenlets. Between patch_begin and patch_end the calls that a greenlet makes, in whatever
 * library, are made so that it waits by the hub (hub.h) and the others go on:
 *
 *      struct patch p;
 *
 *      if (patch_begin(&p) < 0)
 *          return NULL;
 *      code = curl_easy_perform(easy);
 *      if (patch_end(&p) < 0)
 *          return NULL;               // it was killed, or its time was up
 *
 * Nothing is ever patched that has not asked. Calls are as they always were in a thread that has no
 * such block, in a greenlet that is in none, in the hub and what its loop calls, and where the
 * thread is *detached*: who detaches has said that it blocks. That costs a load and a branch, or in
 * a thread where another greenlet is in a block some ns.
 *
 * *What is patched* (coroutines/interpose/calls.h is the list; patch_is_patched asks it):
 *
 *   read readv recv recvfrom recvmsg      tried without waiting, and again when it is readable.
 *                                         With MSG_WAITALL until all is there
 *   write writev send sendto sendmsg      likewise, until all is taken, as a blocking one does
 *   connect                               under way; on when it is writable. To a Unix socket whose
 *                                         queue is full, and so with sendto: again after 1 to
 *                                         64 ms, for nobody says when there is room
 *   accept accept4                        when it is readable
 *   poll ppoll select pselect epoll_wait epoll_pwait
 *                                         looks; waits for all of them; looks again
 *   sleep usleep nanosleep clock_nanosleep (of CLOCK_MONOTONIC and CLOCK_REALTIME)
 *                                         a timer of the hub's
 *   close                                 who waits in this thread for that descriptor gets EBADF;
 *                                         but who waits for more than four, or is not the only one,
 *                                         waits on, as threads do
 *   and __read_chk and so on, which are these in libraries that were compiled with _FORTIFY_SOURCE.
 *
 * *What stays as it is.* A descriptor: it is as blocking as it was, also for others; there is no
 * need to patch socket. What is not to wait: O_NONBLOCK, MSG_DONTWAIT, a timeout of 0. SO_RCVTIMEO
 * and SO_SNDTIMEO, and their EAGAIN. errno, if a call succeeds. What the real call returns: it is
 * the real call that reads, writes and polls, and a sanitizer sees it. Several greenlets may wait
 * for the same descriptor, as threads may.
 *
 * *What is other.* No call ends with EINTR, for it is the hub that a signal interrupts.
 * SO_RCVLOWAT is not heeded.
 *
 * *What still blocks the thread:* getaddrinfo and what else libc does within itself (stdio, locks,
 * system); regular files; ppoll, pselect and epoll_pwait with a mask of signals; select beyond
 * FD_SETSIZE; MSG_WAITALL with MSG_PEEK or with recvmsg; MSG_FASTOPEN; recvmmsg, sendmmsg,
 * sendfile, splice; other clocks; a close that lingers; a pipe or listener that another thread or
 * process empties between the look and the call (make it O_NONBLOCK); a terminal that is full.
 *
 * *What is thrown into the greenlet* (hub_kill, a timeout, LoopExit) cannot pass through code that
 * knows no exceptions. The call ends with ECANCELED, and so does at once each further one that
 * would have to wait, until the library has given up; patch_end raises it. A write that had taken a
 * part says so. Likewise a wait for which there is no memory (ENOMEM).
 *
 * *Rules for libraries.* What a library holds while it calls these it holds over the switch:
 *   - A lock of its own that it holds while it reads is held by the thread. Another greenlet of the
 *     thread that wants it waits for ever, or if it is recursive, gets it. So one handle for each
 *     greenlet, and none shared that the library locks around I/O.
 *   - Thread-local state is that of all greenlets of the thread: what a library keeps there over
 *     such a call the next one finds. errno is right after each call. Of libcurl an easy handle is
 *     all there is, with CURLOPT_NOSIGNAL (else it sets SIGPIPE for the time of a transfer);
 *     OpenSSL's queue of errors is per thread, and emptied before each operation.
 *   - The stack is the greenlet's, 64 KiB, not a thread's 8 MiB. With a transfer of libcurl by http
 *     16 KiB of it have been used (lab demo patched says how much); fiber_high_water tells of
 *     others. Sanitized builds have 256 KiB.
 *
 * *Signals.* A handler may call these where the real ones do not wait, with nothing but system
 * calls done. One that would wait in a greenlet's block must not: as it must not anyway.
 *
 * *fork.* In the child nothing is patched. (Of vfork it does nothing but exec.)
 *
 * Source: gevent 22.10, src/gevent/monkey.py, whose words these are; the interposition of calls for
 * threads of its own, GNU Pth 2.0 (R. Engelschall, 2006), "hard syscall mapping".
 */
#ifndef COROUTINES_PATCH_H
#define COROUTINES_PATCH_H

#include "coroutines/greenlet.h"

/* Stands on the stack of the block. */
struct patch {
    struct patch *outer;
    struct object *exception; /* owned; what was thrown; NULL: nothing */
    struct greenlet_slots slots;
};

/* The calling greenlet's calls are patched from now on, until patch_end by the same greenlet. The
 * thread gets a hub, if it has none. Blocks nest. 0; -1: the block has not begun. */
int patch_begin(struct patch *p);

/* 0; -1: an exception is pending, which was thrown in the block, or was pending before. */
int patch_end(struct patch *p);

/* Whether a call of the caller's would be made by the hub now. */
bool patch_is_on(void);

/* Whether a call of that name is among those that are patched. */
bool patch_is_patched(const char *name);

#endif
