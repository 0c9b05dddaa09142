/* pipe.c - messages through a pipe: who writes waits while it is full, who reads while it is empty.
 *
 * A producer and its consumer as the kernel has them between programs: back-pressure and nothing
 * else. A message is one object's number, and `bytes` long.
 *
 * When the window is over the lab itself empties each pipe and puts a last message into it, by
 * descriptors of its own that do not block: so whoever waits goes on, at either end.
 */
#include "benches/hosted.h"
#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/int.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES };
enum { READS, WRITES, LAB_READS, LAB_WRITES, DESCRIPTORS };

struct line {
    int fd[DESCRIPTORS];
    int64_t sent, received; /* by the writer; by the reader */
    char out[PIPE_BUF], in[PIPE_BUF];
    size_t have_bytes; /* of `in`, if it is awaited */
};

static struct line *lines; /* set by setup */
static int count;

static int open_again(int fd, int flags)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_NONBLOCK | O_CLOEXEC);
}

static int open_line(struct line *l)
{
    if (pipe2(l->fd, O_CLOEXEC) < 0)
        goto fail;
    l->fd[LAB_READS] = open_again(l->fd[READS], O_RDONLY);
    l->fd[LAB_WRITES] = open_again(l->fd[WRITES], O_WRONLY);
    if (l->fd[LAB_READS] >= 0 && l->fd[LAB_WRITES] >= 0)
        return 0;
fail:
    exception_set_errno("pipe");
    return -1;
}

static int setup(struct job *job)
{
    int result = 0;

    lines = calloc((size_t)job->threads, sizeof *lines);
    if (!lines) {
        exception_set_no_memory();
        return -1;
    }
    count = job->threads;
    for (int i = 0; i < count; i++)
        memset(lines[i].fd, -1, sizeof lines[i].fd);
    for (int i = 0; i < count && result == 0; i++)
        result = open_line(&lines[i]);
    return result;
}

static void teardown(struct job *job)
{
    (void)job;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < DESCRIPTORS; k++)
            if (lines[i].fd[k] >= 0)
                close(lines[i].fd[k]);
    free(lines);
    lines = NULL;
    count = 0;
}

static void interrupt(struct job *job)
{
    char rest[PIPE_BUF], last[PIPE_BUF] = { 0 };

    for (int i = 0; i < count; i++) {
        while (read(lines[i].fd[LAB_READS], rest, sizeof rest) > 0)
            ;
        if (write(lines[i].fd[LAB_WRITES], last, (size_t)job->param[BYTES]) < 0)
            continue; /* it is full again: then whoever reads has what to read */
    }
}

static struct line *line_of(const struct worker *w)
{
    return &lines[w->index];
}

static bool is_over(const struct worker *w)
{
    return atomic_load_explicit(&w->job->stopping, memory_order_relaxed);
}

static size_t message_bytes(const struct worker *w)
{
    return (size_t)w->job->param[BYTES];
}

/* An object whose number is the message. */
static int make_message(struct worker *w)
{
    struct line *l = line_of(w);
    struct object *number = int_new(++l->sent);

    if (!number)
        return -1;
    memcpy(l->out, &(int64_t){ int_value(number) }, sizeof(int64_t));
    decref(number);
    return 0;
}

static int write_step(struct worker *w)
{
    struct line *l = line_of(w);

    safepoint(w->thread);
    if (make_message(w) < 0)
        return -1;
    return io_write(l->fd[WRITES], l->out, message_bytes(w));
}

/* In order, and none is missing; but for the lab's own, and those it has taken. */
static int take_message(struct worker *w)
{
    struct line *l = line_of(w);
    int64_t number;

    if (is_over(w))
        return 0;
    memcpy(&number, l->in, sizeof number);
    if (number != ++l->received) {
        exception_set(&runtime_error, "message %lld comes in the place of %lld", (long long)number,
                      (long long)l->received);
        return -1;
    }
    worker_count(w, 1);
    return 0;
}

static int read_step(struct worker *w)
{
    struct line *l = line_of(w);

    safepoint(w->thread);
    if (io_read_all(l->fd[READS], l->in, message_bytes(w)) < 0)
        return -1;
    return take_message(w);
}

static enum turn await_write(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);
    struct line *l = line_of(w);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++)
        return frame_return(result);
    *result = make_message(w) < 0
                  ? NULL
                  : async_io_write(loop_running(), l->fd[WRITES], l->out, message_bytes(w));
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn await_read(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);
    struct line *l = line_of(w);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    l->have_bytes = f->at++ ? l->have_bytes + (size_t)int_value(argument) : 0;
    if (l->have_bytes == message_bytes(w))
        return take_message(w) < 0 ? TURN_ERROR : frame_return(result);
    *result = async_io_read(loop_running(), l->fd[READS], l->in + l->have_bytes,
                            message_bytes(w) - l->have_bytes);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body write_body = {
    .name = "pipe_write_step", .kind = COROUTINE, .resume = await_write, .references = 1,
};
static const struct body read_body = {
    .name = "pipe_read_step", .kind = COROUTINE, .resume = await_read, .references = 1,
};

const struct workload workload_pipe = {
    .about = "messages through a pipe, from a writer to its reader",
    .unit = "message", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .param = { { "bytes", "size of a message", 64, 8, PIPE_BUF } },
    .roles = {
        { .name = "reader", .per_thread = 1, .step = read_step, .await_step = &read_body },
        { .name = "writer", .per_thread = 1, .step = write_step, .await_step = &write_body },
    },
    .setup = setup, .interrupt = interrupt, .teardown = teardown,
};
