/* files.c - who is called when a file is ready. */
#include "coroutines/files.h"

#include "coroutines/handle.h"
#include "objects/exception.h"
#include "objects/heap.h"

static struct object **place(const struct files *files, int fd, enum interest what)
{
    return what == READABLE ? &files->file[fd].reader : &files->file[fd].writer;
}

borrowed files_handle(const struct files *files, int fd, enum interest what)
{
    return fd < files->count ? *place(files, fd, what) : NULL;
}

static unsigned interest_in(const struct files *files, int fd)
{
    return (files_handle(files, fd, READABLE) ? READABLE : 0u) |
           (files_handle(files, fd, WRITABLE) ? WRITABLE : 0u);
}

static void free_row(struct files *files)
{
    if (files->file)
        heap_free_table(files->file, (size_t)files->count * sizeof *files->file);
}

static int make_room(struct files *files, int fd)
{
    int count = 2 * files->count > fd ? 2 * files->count : fd + 1;
    struct file *file;

    if (fd < files->count)
        return 0;
    file = heap_alloc_table((size_t)count * sizeof *file);
    if (!file) {
        exception_set_no_memory();
        return -1;
    }
    memset(file, 0, (size_t)count * sizeof *file);
    if (files->file)
        memcpy(file, files->file, (size_t)files->count * sizeof *file);
    free_row(files);
    files->file = file;
    files->count = count;
    return 0;
}

static void end(struct object *handle /* steals; may be NULL */)
{
    if (!handle)
        return;
    handle_cancel(handle);
    decref(handle);
}

int files_set(struct files *files, struct reactor *r, int fd, enum interest what, borrowed handle)
{
    struct object *before;
    unsigned interest;

    if (make_room(files, fd) < 0)
        return -1;
    interest = interest_in(files, fd);
    if (reactor_watch(r, fd, interest, interest | what) < 0) {
        exception_set_errno("epoll_ctl");
        return -1;
    }
    before = *place(files, fd, what);
    files->watched += !before;
    *place(files, fd, what) = incref(handle);
    end(before);
    return 0;
}

/* To watch less of a file cannot fail but by its having been closed, and then it is not watched. */
int files_clear(struct files *files, struct reactor *r, int fd, enum interest what)
{
    struct object *handle = (struct object *)files_handle(files, fd, what);
    unsigned interest;

    if (!handle)
        return 0;
    interest = interest_in(files, fd);
    files->watched--;
    *place(files, fd, what) = NULL;
    reactor_watch(r, fd, interest, interest & ~(unsigned)what);
    end(handle);
    return 1;
}

void files_fini(struct files *files, struct reactor *r)
{
    for (int fd = 0; fd < files->count; fd++) {
        files_clear(files, r, fd, READABLE);
        files_clear(files, r, fd, WRITABLE);
    }
    free_row(files);
    *files = (struct files){ NULL };
}

void files_traverse(const struct files *files, void (*visit)(borrowed held, void *argument),
                    void *argument)
{
    for (int fd = 0; fd < files->count; fd++) {
        if (files->file[fd].reader)
            handle_traverse(files->file[fd].reader, visit, argument);
        if (files->file[fd].writer)
            handle_traverse(files->file[fd].writer, visit, argument);
    }
}
