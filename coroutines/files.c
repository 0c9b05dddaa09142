/* files.c - who is called when a file is ready. */
#include "coroutines/files.h"

#include "objects/exception.h"
#include "objects/heap.h"

#include <errno.h>

static HOT_PATH struct watch *place(const struct files *files, int fd, enum interest what)
{
    return what == READABLE ? &files->file[fd].reader : &files->file[fd].writer;
}

HOT_PATH const struct watch *files_watch(const struct files *files, int fd, enum interest what)
{
    const struct watch *watch = fd >= 0 && fd < files->count ? place(files, fd, what) : NULL;

    return watch && watch->callback.act ? watch : NULL;
}

static HOT_PATH unsigned interest_in(const struct files *files, int fd)
{
    return (files_watch(files, fd, READABLE) ? READABLE : 0u) |
           (files_watch(files, fd, WRITABLE) ? WRITABLE : 0u);
}

static void free_row(struct files *files)
{
    if (files->file)
        heap_free_table(files->file, (size_t)files->count * sizeof *files->file);
}

static SLOW_PATH int make_room(struct files *files, int fd)
{
    int count = 2 * files->count > fd ? 2 * files->count : fd + 1;
    struct file *file = heap_alloc_table((size_t)count * sizeof *file);

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

static SLOW_PATH void refuse(const char *call)
{
    if (errno == ENOMEM)
        exception_set_no_memory();
    else
        exception_set_errno(call);
}

HOT_PATH int files_set(struct files *files, struct reactor *r, int fd, enum interest what,
                       struct callback callback, bool once)
{
    struct callback before;
    struct watch *watch;

    if (unlikely(fd >= files->count) && make_room(files, fd) < 0)
        goto drop;
    if (unlikely(r->class->watch(r, fd, interest_in(files, fd) | what) < 0)) {
        refuse(r->class->watches);
        goto drop;
    }
    watch = place(files, fd, what);
    before = watch->callback;
    *watch = (struct watch){ callback, files->polls, once };
    if (before.act)
        callback_drop(before);
    else
        files->watched++;
    return 0;

drop:
    callback_drop(callback);
    return -1;
}

/* Somebody waits. */
static HOT_PATH struct callback take(struct files *files, struct reactor *r, int fd,
                                     enum interest what)
{
    struct watch *watch = place(files, fd, what);
    struct callback taken = watch->callback;

    watch->callback = (struct callback){ NULL };
    files->watched--;
    r->class->watch(r, fd, interest_in(files, fd));
    return taken;
}

int files_clear(struct files *files, struct reactor *r, int fd, enum interest what)
{
    if (!files_watch(files, fd, what))
        return 0;
    callback_drop(take(files, r, fd, what));
    return 1;
}

HOT_PATH struct callback files_due(struct files *files, struct reactor *r, int fd,
                                   enum interest what)
{
    const struct watch *watch = files_watch(files, fd, what);

    if (unlikely(!watch || watch->since == files->polls))
        return (struct callback){ NULL };
    if (watch->once)
        return take(files, r, fd, what);
    return callback_of(watch->callback.act, watch->callback.target, watch->callback.argument);
}

void files_forget(struct files *files, struct reactor *r, int fd)
{
    files_clear(files, r, fd, READABLE);
    files_clear(files, r, fd, WRITABLE);
    if (fd >= 0 && fd < files->count)
        files->file[fd].emptied = false;
    r->class->forget(r, fd);
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
        if (files->file[fd].reader.callback.act)
            callback_traverse(&files->file[fd].reader.callback, visit, argument);
        if (files->file[fd].writer.callback.act)
            callback_traverse(&files->file[fd].writer.callback, visit, argument);
    }
}
