/* reactor.h - waits for the kernel until a file can be read or written, or somebody wakes it: the
 * contract.
 *
 * The part of an event loop that is no object and knows no global lock: it is built once,
 * and whoever polls detaches around it (coroutines/io.h). One file beside this one is one
 * reactor: it defines `const struct reactor_class reactor_<file name>` and embeds struct reactor
 * first in its own state. To choose:
 *
 *   epoll  the standard: anywhere on Linux
 *   uring  a ring shared with the kernel: what is watched is told with the wait itself, and files
 *          of a disk are read and written through it. Many containers refuse it
 *
 * One thread at a time watches and polls; any thread may wake it, and so may a signal handler.
 *
 * It is level-triggered: what stays readable is told again with each poll, so nobody has to
 * read a file empty, and what could not be delivered once comes again.
 *
 * A reactor may keep watching what nobody wants any more, and tells nothing of it; so a file that
 * is waited for again and again costs no system call for each wait. Whoever closes a file lets the
 * reactor forget it before. If that was not done and the number is another file's by now, to watch
 * the number is to watch the file that has it now.
 *
 * Failure is -1 and errno.
 */
#ifndef COROUTINES_REACTOR_REACTOR_H
#define COROUTINES_REACTOR_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum interest { READABLE = 1, WRITABLE = 2 };

/* What poll has found. */
struct readiness {
    int fd;
    unsigned
        ready; /* of enum interest, and wanted; all that is wanted after an error or a hang-up */
};

struct reactor {
    const struct reactor_class *class; /* set once */
};

/* A call that the kernel makes meanwhile, of a file of a disk. The caller's memory; all of it, and
 * what `data` points to, is the reactor's from submit until the operation has come out of
 * `finished`. */
enum reactor_call { REACTOR_READ, REACTOR_WRITE, REACTOR_FSYNC };
struct reactor_operation {
    enum reactor_call call;
    int fd;
    void *data;
    size_t size_bytes;
    uint64_t offset;
    int64_t result;                 /* of the call; below 0: -errno */
    struct reactor_operation *next; /* the reactor's */
};

/* Deadlines are of clock_ns(). */
#define REACTOR_AT_ONCE ((uint64_t)0)
#define REACTOR_FOREVER UINT64_MAX

struct reactor_class {
    const char *about;                   /* one line */
    const char *source;                  /* paper, system, or file that it follows */
    const char *opens, *watches, *polls; /* the system calls that may fail, for messages */
    size_t size_bytes;                   /* of the reactor's own struct, which is zero at first */

    int (*open)(struct reactor *r);
    void (*close)(struct reactor *r);

    /* From now on `fd` is watched for `interest`, and for nothing else; 0: not at all, which cannot
     * fail. EBADF and EPERM (a file that is always ready) at the latest for the first interest in a
     * number; if later such a file has it, poll tells that it is ready. */
    int (*watch)(struct reactor *r, int fd, unsigned interest);

    /* It is not watched, and either about to be closed or a number that is new. */
    void (*forget)(struct reactor *r, int fd);

    /* Waits until something is ready, it is woken, or it is `deadline_ns`. How many of `ready` were
     * filled, at most `most`, which is 1 or more; 0 also if a wake-up or a signal was all there
     * was. */
    int (*poll)(struct reactor *r, uint64_t deadline_ns, struct readiness *ready, int most);

    /* The poll of now, or else the next one, returns at once. errno is kept. */
    void (*wake)(struct reactor *r);

    /* These three are optional together. A poll begins what was submitted before it, and returns
     * when one has finished. -1: EAGAIN. */
    int (*submit)(struct reactor *r, struct reactor_operation *op);

    /* The next of those that have; NULL: no other. */
    struct reactor_operation *(*finished)(struct reactor *r);

    /* Waits until all have, for the kernel may write to their memory until then. It blocks: who may
     * let others run meanwhile detaches (io_drain of coroutines/io.h), and who destroys or collects
     * stays attached. -1: the kernel answers no more, and the memory of those that do not come out
     * of `finished` is its own for ever. */
    int (*drain)(struct reactor *r);
};

struct named_reactor {
    const char *name;
    const struct reactor_class *class;
};

/* Every reactor there is, by name; ends with a NULL name. */
extern const struct named_reactor reactor_list[];

/* An open one of this class. NULL and errno: ENOMEM, EMFILE, and what the kernel says that refuses
 * it (ENOSYS, EPERM). To be closed by reactor_delete. */
struct reactor *reactor_new(const struct reactor_class *class);
void reactor_delete(struct reactor *r);

/* The one of loops that name none: epoll, unless reactor_use says otherwise. */
const struct reactor_class *reactor_standard(void);

/* From now on it is this one; NULL: as before. No other thread makes a loop meanwhile. */
void reactor_use(const struct reactor_class *class);

/* NULL: there is none of that name. */
const struct reactor_class *reactor_named(const char *name);

/* Why one cannot be opened in this process now: 0, or errno as of reactor_new. */
int reactor_refusal(const struct reactor_class *class);

#endif
