/* async_file.c - files of a disk as futures.
 *
 * The buffer belongs to the request, and whoever is at work holds that: the job that the executor
 * has of it, or the loop, as long as the kernel has an operation of it.
 */
#include "coroutines/async_file.h"

#include "coroutines/bridge.h"
#include "coroutines/io.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/heap.h"
#include "objects/int.h"
#include "objects/none.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#ifdef NDEBUG
enum { PIECE_BYTES = 1 << 30 }; /* the kernel takes no more than some 2 GiB at once */
#else
enum { PIECE_BYTES = 4096 };
#endif

struct request {
    struct future_object future;
    struct loop_operation operation; /* of the kernel; its data is what is left to do */
    void *buffer;                    /* owned; NULL: there is nothing to read or write */
    void *data;                      /* the caller's, to read into */
    size_t size_bytes, done_bytes;
    uint64_t offset;
    int fd;                  /* set once */
    enum reactor_call call;  /* set once */
    struct object *number;   /* owned; what a read will come to; NULL: None */
    _Atomic bool called_off; /* atomic; if it was not begun, it is not */
};

static const struct type file_future_type;

static struct request *as_request(borrowed o)
{
    assert(type_of(o) == &file_future_type);
    return (struct request *)o;
}

static const char *name_of(const struct request *r)
{
    static const char *const names[] = { "read", "write", "fsync" };

    return names[r->call];
}

/* ---- its life ---- */

static void destroy(struct object *o)
{
    struct request *r = as_request(o);

    if (r->buffer)
        heap_free_table(r->buffer, r->size_bytes);
    xdecref(r->number);
    future_destroy(o);
}

static void traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    future_traverse(o, visit, argument);
    if (as_request(o)->number)
        visit(as_request(o)->number, argument);
}

static void repr(borrowed o, char *text, size_t size_bytes)
{
    size_t used;

    snprintf(text, size_bytes, "<Future %s of file fd=%d %s", name_of(as_request(o)),
             as_request(o)->fd, future_state_name(o));
    used = strlen(text);
    future_write_state(o, text + used, size_bytes - used);
}

static const struct type file_future_type = {
    .name = "Future",
    .size_bytes = sizeof(struct request),
    .destroy = destroy,
    .clear = future_clear,
    .unfinished = future_unfinished,
    .finish = future_finish_unseen,
    .traverse = traverse,
    .iterate = incref,
    .next = future_next,
    .await = incref,
    .repr = repr,
};

static int cancel(borrowed o, borrowed message)
{
    int result = future_cancel_plain(o, message);

    if (result == 1)
        atomic_store_explicit(&as_request(o)->called_off, true, memory_order_relaxed);
    return result;
}

static struct request *make(borrowed loop, enum reactor_call call, int fd)
{
    struct object *o = container_new(&file_future_type, sizeof(struct request));
    struct request *r = (struct request *)o;

    if (!o)
        return NULL;
    future_init(&r->future, loop, cancel);
    atomic_init(&r->called_off, false);
    r->buffer = r->data = NULL;
    r->size_bytes = r->done_bytes = 0;
    r->offset = 0;
    r->fd = fd;
    r->call = call;
    r->number = NULL;
    return r;
}

static int make_buffer(struct request *r, size_t size_bytes, uint64_t offset)
{
    r->offset = offset;
    r->buffer = size_bytes ? heap_alloc_table(size_bytes) : NULL;
    if (r->buffer)
        r->size_bytes = size_bytes;
    if (r->buffer || size_bytes == 0)
        return 0;
    exception_set_no_memory();
    return -1;
}

/* ---- its end ---- */

static void succeed(struct request *r)
{
    struct object *number = r->number;

    if (future_done(&r->future.head))
        return;
    r->number = NULL;
    if (number) {
        if (r->data && r->done_bytes)
            memcpy(r->data, r->buffer, r->done_bytes);
        ((struct int_object *)number)->value = (int64_t)r->done_bytes; /* nobody has seen it yet */
    }
    future_finish(&r->future, number ? number : none());
}

static void fail(struct request *r, struct object *exception /* steals */)
{
    if (future_done(&r->future.head))
        decref(exception);
    else
        future_fail(&r->future, exception);
}

/* ---- by the executor ---- */

static struct object *perform(borrowed closure, borrowed const *arguments, size_t count)
{
    struct request *r = as_request(closure);
    int64_t result;

    (void)arguments, (void)count;
    if (atomic_load_explicit(&r->called_off, memory_order_relaxed))
        return none();
    if (r->call == REACTOR_READ)
        result = io_file_read(r->fd, r->buffer, r->size_bytes, r->offset);
    else if (r->call == REACTOR_WRITE)
        result = io_file_write(r->fd, r->buffer, r->size_bytes, r->offset);
    else
        result = io_file_fsync(r->fd);
    if (result < 0)
        return NULL;
    r->done_bytes = (size_t)result;
    return none();
}

/* What it came to elsewhere. */
static int act_performed(borrowed loop, borrowed target, borrowed argument)
{
    struct request *r = as_request(target);
    struct object *result = future_result(argument);

    loop_enter(loop, name_of(r));
    if (result)
        succeed(r);
    else
        fail(r, exception_take());
    xdecref(result);
    return 0;
}

/* That it will be told is promised first, for once it is called it cannot be called back. */
static int call_elsewhere(struct request *r)
{
    borrowed loop = r->future.loop;
    struct object *function = function_new(name_of(r), perform, 0, &r->future.head), *f = NULL;

    if (function && loop_promise(loop) == 0) {
        f = run_in_executor(loop, NULL, function, NULL, 0);
        if (f)
            future_on_done(f, act_performed, &r->future.head, true);
        else
            loop_unpromise(loop);
    }
    xdecref(function);
    xdecref(f);
    return f ? 0 : -1;
}

/* ---- by the kernel ---- */

static loop_action act_answered;

static int submit(struct request *r)
{
    struct reactor_operation *op = &r->operation.head;
    size_t left_bytes = r->size_bytes - r->done_bytes;

    op->call = r->call;
    op->fd = r->fd;
    op->data = (char *)r->buffer + r->done_bytes;
    op->size_bytes = left_bytes < PIECE_BYTES ? left_bytes : PIECE_BYTES;
    op->offset = r->offset + r->done_bytes;
    return loop_submit(r->future.loop, &r->operation, act_answered, &r->future.head);
}

/* It is to go on: a part was done, or it was called off with a thread that has ended. */
static bool goes_on(struct request *r, int64_t result)
{
    if (result > 0)
        r->done_bytes += (size_t)result;
    if (result == -EINTR || result == -EAGAIN || result == -ECANCELED)
        return true;
    return result > 0 && r->done_bytes < r->size_bytes;
}

static int act_answered(borrowed loop, borrowed target, borrowed argument)
{
    struct request *r = as_request(target);
    int64_t result = r->operation.head.result;

    if (result == 0 && r->call == REACTOR_WRITE && r->done_bytes < r->size_bytes)
        result = -EIO; /* it does nothing, and says nothing */
    (void)argument;
    loop_enter(loop, name_of(r));
    if (future_done(target))
        return 0;
    if (goes_on(r, result)) {
        if (submit(r) < 0)
            fail(r, exception_take());
    } else if (result < 0) {
        errno = (int)-result;
        exception_set_errno(name_of(r));
        fail(r, exception_take());
    } else {
        succeed(r);
    }
    return 0;
}

/* ---- the operations ---- */

/* What has no places the ring would read until something comes; elsewhere that is ESPIPE. */
static bool has_places(const struct request *r)
{
    return lseek(r->fd, 0, SEEK_CUR) >= 0 || errno != ESPIPE;
}

static struct object *begin(struct request *r /* steals; may be NULL */)
{
    int result = -1;

    if (!r)
        return NULL;
    if (loop_check(r->future.loop) == 0)
        result = loop_submits(r->future.loop) && has_places(r) ? submit(r)
                                                               : call_elsewhere(r);
    if (result == 0)
        return &r->future.head;
    decref(&r->future.head);
    return NULL;
}

static void drop(struct request *r)
{
    if (r)
        decref(&r->future.head);
}

struct object *async_file_read(borrowed loop, int fd, void *data, size_t size_bytes,
                               uint64_t offset)
{
    struct request *r = make(loop, REACTOR_READ, fd);

    if (r)
        r->number = int_new(0);
    if (!r || !r->number || make_buffer(r, size_bytes, offset) < 0) {
        drop(r);
        return NULL;
    }
    r->data = data;
    return begin(r);
}

const void *async_file_data(borrowed future)
{
    return as_request(future)->buffer;
}

struct object *async_file_write(borrowed loop, int fd, const void *data, size_t size_bytes,
                                uint64_t offset)
{
    struct request *r = make(loop, REACTOR_WRITE, fd);

    if (!r || make_buffer(r, size_bytes, offset) < 0) {
        drop(r);
        return NULL;
    }
    if (size_bytes)
        memcpy(r->buffer, data, size_bytes);
    return begin(r);
}

struct object *async_file_fsync(borrowed loop, int fd)
{
    return begin(make(loop, REACTOR_FSYNC, fd));
}
