/* gil.h - the contract of a global lock.
 *
 * A lock owns waiting and order: who goes next, when the holder is asked to let
 * go. It knows nothing about objects. One file in locks/ is one lock: it defines
 * `const struct gil_class gil_<file name>` and embeds struct gil first in its own
 * state. Chosen at run time, called through a pointer once per time slice.
 *
 * All functions run on the thread that they name.
 */
#ifndef GIL_GIL_H
#define GIL_GIL_H

#include "gil/param.h"

#include <stdbool.h>
#include <stddef.h>

struct thread;
struct thread_world;

struct gil {
    const struct gil_class *class; /* set once */
    int64_t param[PARAM_MAX];      /* set once; as class->param */
    struct thread_world *world;    /* set before its first thread: with whom its threads share
                                      objects (thread.h). NULL: the world of all such locks */
};

struct gil_class {
    const char *about;   /* one line for `lab list` */
    const char *source;  /* paper, system, or file that it follows */
    size_t size_bytes;   /* of the lock's own struct, which begins with struct gil */
    bool excludes;       /* at most one thread is attached at a time */
    bool fair;           /* every wait ends after a bounded number of turns of others; the file
                            says which */
    struct param param[PARAM_MAX];

    /* 0, or -1 and errno. `param` has been set. */
    int (*init)(struct gil *gil);

    /* Nobody holds the lock or waits for it. */
    void (*fini)(struct gil *gil);

    /* Optional: the thread joins those that the lock serves, or leaves them. */
    void (*enter)(struct gil *gil, struct thread *t);
    void (*leave)(struct gil *gil, struct thread *t);

    /* Blocks until `t` holds the lock. Everything that the last holder wrote
     * before its release is visible after. */
    void (*acquire)(struct gil *gil, struct thread *t);
    void (*release)(struct gil *gil, struct thread *t);

    /* Optional, for locks that count safe points and so keep BREAKER_GIL set:
     * whether this one is to yield. */
    bool (*due)(struct gil *gil, struct thread *t);

    /* At a safe point with BREAKER_GIL set (and due), the lock held: let others run
     * if the lock's rules say so. Holds the lock again when it returns, and has
     * cleared BREAKER_GIL unless it counts safe points. */
    void (*yield)(struct gil *gil, struct thread *t);
};

struct named_gil {
    const char *name;
    const struct gil_class *class;
};

/* Every lock there is, by name; ends with a NULL name. */
extern const struct named_gil gil_list[];

/* A lock of this class; `param` NULL means the standard values. NULL and errno
 * (ENOMEM, or what init said). To be freed with gil_delete. */
struct gil *gil_new(const struct gil_class *class, const int64_t *param);
void gil_delete(struct gil *gil);

#endif
