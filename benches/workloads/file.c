/* file.c - a record is written to a file of the worker's own, brought to the disk, and read again.
 *
 * What a program waits for that keeps something. Between write and read stands the disk, if `fsync`
 * is 1; else it is the kernel's memory, and what is measured is who makes the calls: the worker's
 * thread, or for greenlets and tasks a pool of threads, or the kernel (uring=1 of the unit).
 *
 * The files have no name, and lie in $TMPDIR, or in /var/tmp.
 */
#include "benches/hosted.h"
#include "coroutines/async_file.h"
#include "coroutines/coroutine.h"
#include "coroutines/io.h"
#include "coroutines/recruit.h"
#include "gil/mutex.h"
#include "objects/exception.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES, FSYNC };
enum { PLACES = 16, PATH_BYTES = 4096 }; /* records have so many places in the file, in turn */

struct notebook {
    int fd;
    char *record;
    uint64_t written, start_ns;
    int64_t number; /* of the record that is under way */
};

static size_t record_bytes(const struct worker *w)
{
    return (size_t)w->job->param[BYTES];
}

static uint64_t place_of(const struct worker *w)
{
    const struct notebook *n = w->state;

    return n->written % PLACES * record_bytes(w);
}

static int open_nameless(void)
{
    const char *folder = getenv("TMPDIR");
    char path[PATH_BYTES];
    int fd;

    snprintf(path, sizeof path, "%s/lab-file-XXXXXX", folder ? folder : "/var/tmp");
    fd = mkstemp(path);
    if (fd < 0)
        exception_set_errno("mkstemp");
    else
        unlink(path);
    return fd;
}

static int begin(struct worker *w)
{
    struct notebook *n = calloc(1, sizeof *n);

    w->state = n;
    if (n)
        n->record = calloc(1, record_bytes(w));
    if (!n || !n->record) {
        if (n)
            n->fd = -1;
        exception_set_no_memory();
        return -1;
    }
    n->fd = open_nameless();
    return n->fd < 0 ? -1 : 0;
}

/* The loop that called the pool is closed by now, and its threads are to be gone when the last
 * worker has ended. */
static void end(struct worker *w)
{
    struct notebook *n = w->state;

    recruit_join_all();
    if (!n)
        return;
    if (n->fd >= 0)
        close(n->fd);
    free(n->record);
    free(n);
    w->state = NULL;
}

/* Both ends of a record say its number. */
static void write_number(const struct worker *w, int64_t number)
{
    struct notebook *n = w->state;

    memcpy(n->record, &number, sizeof number);
    memcpy(n->record + record_bytes(w) - sizeof number, &number, sizeof number);
}

static void make_record(struct worker *w)
{
    struct notebook *n = w->state;

    n->start_ns = clock_ns();
    n->number = (int64_t)worker_random(w);
    write_number(w, n->number);
}

static bool is_record(const struct worker *w)
{
    const struct notebook *n = w->state;

    return !memcmp(n->record, &n->number, sizeof n->number) &&
           !memcmp(n->record + record_bytes(w) - sizeof n->number, &n->number, sizeof n->number);
}

static int take_record(struct worker *w, int64_t read_bytes)
{
    struct notebook *n = w->state;

    if (read_bytes != w->job->param[BYTES] || !is_record(w)) {
        exception_set(&runtime_error, "what was read is not what was written");
        return -1;
    }
    n->written++;
    worker_latency(w, clock_ns() - n->start_ns);
    worker_count(w, 1);
    return 0;
}

static int step(struct worker *w)
{
    struct notebook *n = w->state;
    uint64_t place = place_of(w);
    int64_t read_bytes;

    safepoint(w->thread);
    make_record(w);
    if (io_file_write(n->fd, n->record, record_bytes(w), place) < 0 ||
        (w->job->param[FSYNC] && io_file_fsync(n->fd) < 0))
        return -1;
    write_number(w, 0);
    read_bytes = io_file_read(n->fd, n->record, record_bytes(w), place);
    return read_bytes < 0 ? -1 : take_record(w, read_bytes);
}

enum { BEGINS, WRITTEN, SYNCED, READ };

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);
    const struct notebook *n = w->state;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at == WRITTEN && !w->job->param[FSYNC])
        f->at = SYNCED;
    switch (f->at++) {
    case BEGINS:
        make_record(w);
        *result = async_file_write(loop_running(), n->fd, n->record, record_bytes(w), place_of(w));
        break;
    case WRITTEN:
        *result = async_file_fsync(loop_running(), n->fd);
        break;
    case SYNCED:
        write_number(w, 0);
        *result = async_file_read(loop_running(), n->fd, n->record, record_bytes(w), place_of(w));
        break;
    default: /* READ */
        return take_record(w, int_value(argument)) < 0 ? TURN_ERROR : frame_return(result);
    }
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body await_step = {
    .name = "file_step", .kind = COROUTINE, .resume = await, .references = 1,
};

const struct workload workload_file = {
    .about = "a record is written to a file, brought to the disk, and read again",
    .unit = "record", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .calls_pool = true,
    .param = { { "bytes", "size of a record", 4096, 16, 1 << 24 },
               { "fsync", "1: each is brought to the disk", 1, 0, 1 } },
    .roles = { { .name = "writer", .per_thread = 1, .records_latency = true, .begin = begin,
                 .step = step, .end = end, .await_step = &await_step } },
};
