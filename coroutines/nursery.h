/* nursery.h - a process that was forked early, and forks others when asked.
 *
 * A child that is forked while other threads run has a copy of their locks, held for ever,
 * and counts that are owed to threads which it has not (gil/fork.h): it may make no objects.
 * So before there is any thread of the runtime, the program forks one process that does
 * nothing but wait. It has one thread and no object, and so have those that it forks: they
 * may begin a runtime of their own. (CPython's "forkserver"; its "spawn" begins the program
 * anew for each, which costs a program's start; its "fork" is the danger just told.)
 *
 * Each child has a socket to the program, and nobody else has either end. So what a child
 * dies of the program reads as the end of that socket, as well as from a pidfd, which cannot
 * mean another process later. A program that dies closes its sockets: then the nursery ends,
 * and what it has forked is killed.
 *
 * The functions that may be called there are known by name, from a table that both have.
 *
 * errno says what failed.
 */
#ifndef COROUTINES_NURSERY_H
#define COROUTINES_NURSERY_H

#include "coroutines/message.h"
#include "objects/function.h"

#include <sys/types.h>

/* What may be called elsewhere. */
struct sendable {
    const char *name; /* NULL ends the table */
    native *body;     /* called without a closure */
    int count;        /* of its arguments, or ARGUMENTS_ANY */
};

/* Before the first thread of the runtime, by a process with one thread. The table must stay.
 * 0 or -1. */
int nursery_start(const struct sendable *table);

/* When no child is needed any more. May be called if it never started. */
void nursery_stop(void);

/* Whether it runs. */
bool nursery_runs(void);

/* NULL: there is no such function in the table. */
const struct sendable *nursery_find(const char *name);

/* Is found besides: calls the function of that name, a str, with each row of a tuple of rows of
 * arguments, and returns a list of what came of them. */
extern const struct sendable nursery_chunk;

/* A new process, which works at the other end of the socket that is returned: see frame_head.
 * The caller closes both that and *pidfd. -1. Any thread; may wait for a moment. */
int nursery_fork(int *pidfd);

/* What goes over that socket: this, and then `length` bytes, objects as message.h says. Both
 * together are no longer than a message may be: what is sent, or has come, is kept as one. */
struct frame_head {
    uint32_t length; /* at most FRAME_MOST_BYTES */
    uint32_t what;   /* enum frame_kind */
    uint64_t number; /* of the call */
};

#define FRAME_MOST_BYTES (MESSAGE_MOST_BYTES - sizeof(struct frame_head))

enum frame_kind {
    FRAME_INITIALISE, /* to the child: a str, the function, and a tuple, its arguments */
    FRAME_CALL,       /* likewise */
    FRAME_LAST_CALL,  /* and leave after that */
    FRAME_RESULT,     /* from the child: what it returned */
    FRAME_ERROR,      /* what it raised, and a str: what Python would print of it */
    FRAME_UNFIT,      /* the same, of an initialiser; the child leaves */
};

#endif
