/* files.h - who is called when a file can be read or written: a row of handles, by its number.
 *
 * A number is small and is used again, so a row is the map. By the loop's thread.
 */
#ifndef COROUTINES_FILES_H
#define COROUTINES_FILES_H

#include "coroutines/reactor/reactor.h"
#include "objects/object.h"

struct file {
    struct object *reader, *writer; /* handles; owned; NULL: nobody */
};

struct files {
    struct file *file;
    int count;   /* so many numbers have a place */
    int watched; /* readers and writers that there are */
};

/* All zero has none. Drops all, and watches none any more. */
void files_fini(struct files *files, struct reactor *r);

/* From now on `handle` is called when `fd` can do `what`, which is one of enum interest; it cancels
 * the one before. 0; -1: OSError, MemoryError, and all is as it was. */
int files_set(struct files *files, struct reactor *r, int fd, enum interest what, borrowed handle);

/* 1: it is called no more, and cancelled; 0: there was none. */
int files_clear(struct files *files, struct reactor *r, int fd, enum interest what);

/* NULL: nobody. Lives until it is replaced. */
borrowed files_handle(const struct files *files, int fd, enum interest what);

void files_traverse(const struct files *files, void (*visit)(borrowed held, void *argument),
                    void *argument);

#endif
