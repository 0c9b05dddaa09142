/* files.h - who is called when a file can be read or written: a row of callbacks, by its number.
 *
 * A number is small and is used again, so a row is the map. What is to be called stands in the row
 * itself, and is no object of its own: who waits for the same file again and again makes nothing.
 *
 * What a poll has found is called a little later, and by then somebody else may wait for the file, or
 * nobody. So each wait knows how many polls there had been when it began, and is not called for
 * what was found before.
 *
 * By the loop's thread.
 */
#ifndef COROUTINES_FILES_H
#define COROUTINES_FILES_H

#include "coroutines/reactor/reactor.h"
#include "coroutines/ready.h"

/* One that waits. */
struct watch {
    struct callback callback; /* no act: nobody waits */
    uint64_t since : 63;      /* files->polls when it began */
    uint64_t once : 1;        /* it ends when it is called */
};

struct file {
    struct watch reader, writer;
    bool emptied; /* the last who read of it got less than there was room for */
};

struct files {
    struct file *file;
    int count;      /* so many numbers have a place */
    int watched;    /* readers and writers that there are */
    uint64_t polls; /* the loop's; that have begun */
};

/* All zero has none. Drops all, and watches none any more. */
void files_fini(struct files *files, struct reactor *r);

/* From now on this is called when `fd` can do `what`, which is one of enum interest, and not what
 * was called before; each time, or once. 0; -1: OSError, MemoryError, and all is as it was. */
int files_set(struct files *files, struct reactor *r, int fd, enum interest what,
              struct callback callback /* steals, also on failure */, bool once);

/* 1: nothing is called any more; 0: nothing was. */
int files_clear(struct files *files, struct reactor *r, int fd, enum interest what);

/* It is about to be closed: nobody is called for it any more, and what was known of it is not. */
void files_forget(struct files *files, struct reactor *r, int fd);

/* NULL: nobody waits. Good until something is set or cleared. */
const struct watch *files_watch(const struct files *files, int fd, enum interest what);

/* What is to be called for what the last poll has found; the references in it are the caller's. No
 * act: nothing, by now. */
struct callback files_due(struct files *files, struct reactor *r, int fd, enum interest what);

void files_traverse(const struct files *files, void (*visit)(borrowed held, void *argument),
                    void *argument);

#endif
