/* process_pool.c - the manager of processes.
 *
 * The object and the pool are two, as in thread_pool.c: the manager holds the pool. All that
 * is known of processes is the manager's own; others put jobs in the queue and say that the
 * pool is to stop, under the lock, and wake it by an eventfd.
 *
 * A turn of the manager: give queued jobs to free processes; wait, detached, for any socket,
 * any pidfd, the eventfd; take what has come. It never waits for one process alone: it sends
 * and receives what goes without waiting and keeps the rest. So a process that stops in the
 * middle of a message delays its own job, no other.
 *
 * When a process is started. A job is given to one that is free; only if none is, and there
 * may be more, is another started. One is free before its result can be seen, so who has the
 * result of the only call, and submits another, finds the same process. If none can be started,
 * for want of descriptors or processes, those that are there come to the job; each later turn
 * tries again. Only where there is none at all does that break the pool.
 */
#include "coroutines/process_pool.h"

#include "coroutines/deadlock.h"
#include "coroutines/message.h"
#include "coroutines/nursery.h"
#include "coroutines/recruit.h"
#include "gil/mutex.h"
#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAME_BYTES = 64, PROCESSES_MOST = 256, CHUNK_BYTES_READ = 1 << 16 };

/* The manager's, all of it. */
struct process {
    int socket, pidfd;     /* -1: there is none */
    struct object *job;    /* owned; what it does; NULL: it is free */
    uint64_t number;       /* of the call */
    int calls;             /* that it was given */
    bool leaves;           /* after this call */
    struct message out;    /* to be sent, */
    size_t sent;           /* and so much of it was */
    struct message in;     /* what has come of an answer */
};

struct pool {
    struct staff staff;         /* set once: the manager is its only worker */
    char name[NAME_BYTES];      /* set once; of the staff */
    uint32_t most;              /* set once; processes */
    uint32_t spin;              /* set once */
    int tasks_per_child;        /* set once; 0: any number */
    int wake;                   /* set once; an eventfd */
    struct message initialise;  /* set once; a frame; empty: there is nothing to do */
    struct bytelock lock;
    struct job_queue queue;     /* lock */
    bool managed;               /* lock; there is a manager, or one is being started */
    bool stopping, broken;      /* lock; nothing more is accepted; and nothing is done */
    bool dropped;               /* lock; the object is gone */
    _Atomic uint32_t left;      /* block.h: over when it is stopping and nobody manages it */
    _Atomic uint32_t alive;     /* atomic; processes */
    uint64_t calls;             /* manager */
    struct process processes[]; /* manager; of `most` */
};

struct process_pool {
    struct executor_object head;
    struct pool *pool; /* set once */
};

static const char after_shutdown[] = "cannot schedule new futures after shutdown";
static const char cannot_start[] = "can't start new thread";
static const char unusable[] =
    "A child process terminated abruptly, the process pool is not usable anymore";
static const char terminated[] = "A process in the process pool was terminated abruptly while "
                                 "the future was running or pending.";

static struct pool *pool_of(borrowed executor)
{
    assert(type_of(executor) == &process_pool_type);
    return ((const struct process_pool *)executor)->pool;
}

static size_t size_for(uint32_t most)
{
    return sizeof(struct pool) + most * sizeof(struct process);
}

static void pool_free(struct pool *p)
{
    close(p->wake);
    message_fini(&p->initialise);
    heap_free_table(p, size_for(p->most));
}

static void wake_manager(struct pool *p)
{
    uint64_t one = 1;
    ssize_t written = write(p->wake, &one, sizeof one);

    (void)written; /* it is full only if the manager has been woken */
}

/* ---- messages ---- */

/* A frame is begun, and its length is known in the end. */
static int begin_frame(struct message *m, enum frame_kind what, uint64_t number)
{
    struct frame_head head = { 0, what, number };

    m->length = 0;
    return message_add(m, &head, sizeof head);
}

static void end_frame(struct message *m)
{
    uint32_t length = (uint32_t)(m->length - sizeof(struct frame_head));

    memcpy(m->data + offsetof(struct frame_head, length), &length, sizeof length);
}

/* The name of what `function` is known as elsewhere; NULL: TypeError. */
static const char *sendable_name(borrowed function)
{
    char text[80];

    if (type_of(function) == &function_type && nursery_find(function_name(function)))
        return function_name(function);
    object_repr(function, text, sizeof text);
    exception_set(&type_error, "cannot pickle %s: no process knows it by name", text);
    return NULL;
}

static int write_name(struct message *m, borrowed function)
{
    const char *name = sendable_name(function);
    struct object *str = name ? str_new(name) : NULL;
    int result = str ? message_write(m, str) : -1;

    xdecref(str);
    return result;
}

/* 0 or -1. */
static int write_call(struct message *m, enum frame_kind what, uint64_t number, borrowed function,
                      borrowed const *arguments, size_t count)
{
    struct object *tuple;
    int result;

    if (begin_frame(m, what, number) < 0 || write_name(m, function) < 0)
        return -1;
    tuple = tuple_new(count, (struct object *const *)arguments);
    result = tuple ? message_write(m, tuple) : -1;
    xdecref(tuple);
    if (result == 0)
        end_frame(m);
    return result;
}

/* ---- processes ---- */

static void close_process(struct pool *p, struct process *one)
{
    close(one->socket);
    close(one->pidfd);
    message_fini(&one->out);
    message_fini(&one->in);
    *one = (struct process){ .socket = -1, .pidfd = -1 };
    atomic_fetch_sub_explicit(&p->alive, 1, memory_order_relaxed);
}

/* Whoever asks it to end, or has killed it, waits here until it has. */
static void wait_for_end(const struct process *one)
{
    struct pollfd end = { .fd = one->pidfd, .events = POLLIN };

    thread_detach(thread_self);
    while (poll(&end, 1, -1) < 0 && errno == EINTR) { }
    thread_attach(thread_self);
}

/* 0; -1, OSError or MemoryError, and the place is as before. */
static int start_process(struct pool *p, struct process *one)
{
    int socket, pidfd;

    thread_detach(thread_self);
    socket = nursery_fork(&pidfd);
    thread_attach(thread_self);
    if (socket < 0) {
        exception_set_errno("fork");
        return -1;
    }
    *one = (struct process){ .socket = socket, .pidfd = pidfd };
    atomic_fetch_add_explicit(&p->alive, 1, memory_order_relaxed);
    if (message_add(&one->out, p->initialise.data, p->initialise.length) == 0)
        return 0;
    shutdown(one->socket, SHUT_RDWR); /* it reads that nothing will come, and leaves */
    wait_for_end(one);
    close_process(p, one);
    return -1;
}

/* What goes without waiting. What cannot be sent, for nobody is there, is seen elsewhere. */
static void send_some(struct process *one)
{
    while (one->sent < one->out.length) {
        ssize_t sent = send(one->socket, one->out.data + one->sent, one->out.length - one->sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return;
        one->sent += (size_t)sent;
    }
    one->sent = one->out.length = 0;
}

/* 1: something has come; 0: nothing more for now; -1: it has ended. Of an exception, for want
 * of memory, it is as if it had. */
static int receive_some(struct process *one)
{
    unsigned char chunk[CHUNK_BYTES_READ];
    ssize_t got = recv(one->socket, chunk, sizeof chunk, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0)
        return -1;
    return message_add(&one->in, chunk, (size_t)got) < 0 ? -1 : 1;
}

/* ---- giving jobs ---- */

static struct process *find_free(struct pool *p)
{
    for (uint32_t i = 0; i < p->most; i++)
        if (p->processes[i].socket >= 0 && !p->processes[i].job)
            return &p->processes[i];
    return NULL;
}

static struct process *find_place(struct pool *p)
{
    for (uint32_t i = 0; i < p->most; i++)
        if (p->processes[i].socket < 0)
            return &p->processes[i];
    return NULL;
}

static bool has_queued(struct pool *p)
{
    bool queued;

    bytelock_lock(&p->lock);
    queued = p->queue.first;
    bytelock_unlock(&p->lock);
    return queued;
}

/* The caller's; NULL: there is none. */
static struct object *take_job(struct pool *p)
{
    struct object *job;

    bytelock_lock(&p->lock);
    job = job_queue_take(&p->queue);
    bytelock_unlock(&p->lock);
    return job;
}

/* Appends the call to what is to be sent to the process; 0 or -1. */
static int write_job(struct pool *p, struct process *one, borrowed job)
{
    struct job_object *j = as_job(job);
    bool last = p->tasks_per_child && one->calls + 1 >= p->tasks_per_child;
    struct message m = { 0 };
    int result = write_call(&m, last ? FRAME_LAST_CALL : FRAME_CALL, p->calls, j->function,
                            (borrowed const *)j->argument, j->count);

    if (result == 0)
        result = message_add(&one->out, m.data, m.length);
    message_fini(&m);
    if (result < 0)
        return -1;
    one->leaves = last;
    return 0;
}

static void give(struct pool *p, struct process *one, struct object *job /* steals */)
{
    bool fits = false;

    if (job_set_running(job) == 1) {
        fits = write_job(p, one, job) == 0;
        job_drop_call(job);
        if (!fits)
            job_fail(job);
    } else {
        exception_restore(NULL); /* it was cancelled */
        job_drop_call(job);
    }
    if (!fits) {
        decref(job);
        return;
    }
    one->job = job;
    one->number = p->calls++;
    one->calls++;
    send_some(one);
}

/* If another is there it does not matter. All that are there are busy, so there will be a turn. */
static int excuse_failed_start(struct pool *p)
{
    if (!atomic_load_explicit(&p->alive, memory_order_relaxed))
        return -1;
    exception_restore(NULL);
    return 0;
}

/* 0; -1: there is no process, and none could be started. */
static int give_jobs(struct pool *p)
{
    while (has_queued(p)) {
        struct process *one = find_free(p);
        struct object *job;

        if (!one && !(one = find_place(p)))
            return 0;
        if (one->socket < 0 && start_process(p, one) < 0)
            return excuse_failed_start(p);
        job = take_job(p);
        if (job)
            give(p, one, job);
    }
    return 0;
}

/* ---- taking results ---- */

/* With what happened elsewhere as its cause. */
static void set_cause(borrowed e, borrowed text)
{
    struct object *cause = exception_new(&remote_traceback, "%s", str_text(text));

    if (cause)
        exception_set_cause(e, cause);
    else
        exception_restore(NULL);
    xdecref(cause);
}

/* Whatever the other process writes is judged here. NULL: an exception is pending. */
static struct object *read_error(struct reader *r)
{
    struct object *e = message_read(r), *text = e ? message_read(r) : NULL;

    if (text && (type_of(text) != &str_type || !exception_is(e, &base_exception))) {
        exception_set(&value_error, "a message is damaged");
        decref(text);
        text = NULL;
    }
    if (text)
        set_cause(e, text);
    xdecref(text);
    if (text)
        return e;
    xdecref(e);
    return NULL;
}

static void complete(borrowed job, bool failed, borrowed outcome)
{
    int result = failed ? job_set_exception(job, outcome) : job_set_result(job, outcome);

    if (result < 0)
        exception_restore(NULL); /* somebody else has */
}

/* The process is free before anybody can see that. */
static int finish_job(struct process *one, bool failed, struct reader *r)
{
    struct object *outcome = failed ? read_error(r) : message_read(r), *job = one->job;

    if (outcome && r->at != r->end) {
        exception_set(&value_error, "a message is damaged");
        decref(outcome);
        outcome = NULL;
    }
    one->in.length = 0;
    if (!outcome)
        return -1;
    one->job = NULL;
    complete(job, failed, outcome);
    decref(job);
    decref(outcome);
    return 0;
}

static int report_unfit(struct reader *r)
{
    struct object *e = read_error(r);

    if (!e)
        return -1;
    exception_restore(e);
    job_report("Exception in initializer:", NULL);
    return -1;
}

/* A frame has come whole. 0; -1: the process cannot be relied on, and if an exception is
 * pending it says why. */
static int take_frame(struct process *one, const struct frame_head *head)
{
    struct reader r = { one->in.data + sizeof *head, one->in.data + one->in.length };

    if (head->what == FRAME_UNFIT)
        return report_unfit(&r);
    if ((head->what != FRAME_RESULT && head->what != FRAME_ERROR) || !one->job ||
        head->number != one->number) {
        exception_set(&value_error, "a message is damaged");
        return -1;
    }
    return finish_job(one, head->what == FRAME_ERROR, &r);
}

/* The same, of what has come so far. */
static int take_answer(struct process *one)
{
    struct frame_head head;

    if (one->in.length < sizeof head)
        return 0;
    memcpy(&head, one->in.data, sizeof head);
    if (head.length > FRAME_MOST_BYTES || one->in.length - sizeof head > head.length) {
        exception_set(&value_error, "a message is damaged");
        return -1;
    }
    return one->in.length - sizeof head == head.length ? take_frame(one, &head) : 0;
}

/* All that has come from it. 0; -1: it has died, or talks nonsense. One that has done its last
 * call may go. */
static int listen_to(struct pool *p, struct process *one)
{
    int got;

    while ((got = receive_some(one)) > 0)
        if (take_answer(one) < 0)
            return -1;
    if (!one->leaves || one->job)
        return got;
    wait_for_end(one);
    close_process(p, one);
    return 0;
}

/* ---- waiting ---- */

/* Two places for each process; the first of all is the eventfd's. */
static void fill_polled(const struct pool *p, struct pollfd *polled)
{
    polled[0] = (struct pollfd){ .fd = p->wake, .events = POLLIN };
    for (uint32_t i = 0; i < p->most; i++) {
        const struct process *one = &p->processes[i];
        short events = one->sent < one->out.length ? POLLIN | POLLOUT : POLLIN;

        polled[1 + 2 * i] = (struct pollfd){ .fd = one->socket, .events = events };
        polled[2 + 2 * i] = (struct pollfd){ .fd = one->pidfd, .events = POLLIN };
    }
}

/* From now on it must be woken again. */
static void forget_wakes(struct pool *p)
{
    uint64_t count;
    ssize_t got = read(p->wake, &count, sizeof count);

    (void)got; /* there may have been none */
}

static void wait_for_something(struct pool *p, struct pollfd *polled)
{
    fill_polled(p, polled);
    thread_detach(thread_self);
    while (poll(polled, 1 + 2 * p->most, -1) < 0 && errno == EINTR) { }
    forget_wakes(p);
    thread_attach(thread_self);
}

/* What is there of a process that has died is read first: it may have answered. 0 or -1, as
 * listen_to. */
static int take_what_came(struct pool *p, const struct pollfd *polled)
{
    for (uint32_t i = 0; i < p->most; i++) {
        struct process *one = &p->processes[i];

        if (one->socket < 0)
            continue;
        if (polled[1 + 2 * i].revents & POLLOUT)
            send_some(one);
        if ((polled[1 + 2 * i].revents | polled[2 + 2 * i].revents) & ~POLLOUT)
            if (listen_to(p, one) < 0 || (one->socket >= 0 && polled[2 + 2 * i].revents))
                return -1;
    }
    return 0;
}

/* ---- the end ---- */

static bool is_idle(const struct pool *p)
{
    for (uint32_t i = 0; i < p->most; i++)
        if (p->processes[i].job)
            return false;
    return true;
}

/* Whether it is to stop and has nothing more to do. */
static bool is_over(struct pool *p)
{
    bool over;

    bytelock_lock(&p->lock);
    over = p->stopping && !p->queue.first;
    bytelock_unlock(&p->lock);
    return over && is_idle(p);
}

/* They read that nothing more will come, and leave. */
static void end_processes(struct pool *p)
{
    for (uint32_t i = 0; i < p->most; i++)
        if (p->processes[i].socket >= 0)
            shutdown(p->processes[i].socket, SHUT_RDWR);
    for (uint32_t i = 0; i < p->most; i++)
        if (p->processes[i].socket >= 0) {
            wait_for_end(&p->processes[i]);
            close_process(p, &p->processes[i]);
        }
}

static void kill_processes(struct pool *p)
{
    for (uint32_t i = 0; i < p->most; i++)
        if (p->processes[i].pidfd >= 0)
            syscall(SYS_pidfd_send_signal, p->processes[i].pidfd, SIGKILL, NULL, 0);
}

/* With `cause`, which may be NULL, as what it was. */
static void fail_running(struct process *one, borrowed cause)
{
    struct object *job = one->job, *e;

    if (!job)
        return;
    one->job = NULL;
    e = exception_new(&broken_process_pool, "%s", terminated);
    if (!e)
        e = exception_take();
    if (cause)
        exception_set_cause(e, cause);
    complete(job, true, e);
    decref(e);
    decref(job);
}

/* The pending exception, if there is one, is why. */
static void break_pool(struct pool *p)
{
    struct object *cause = exception_take();
    struct job_queue queue;

    bytelock_lock(&p->lock);
    p->stopping = p->broken = true;
    queue = p->queue;
    p->queue = (struct job_queue){ 0 };
    bytelock_unlock(&p->lock);
    kill_processes(p);
    for (uint32_t i = 0; i < p->most; i++)
        fail_running(&p->processes[i], cause);
    job_queue_fail(&queue, &broken_process_pool, terminated);
    xdecref(cause);
}

/* ---- the manager ---- */

static void manage(struct pool *p)
{
    struct pollfd polled[1 + 2 * PROCESSES_MOST];

    while (!is_over(p)) {
        if (give_jobs(p) < 0) {
            break_pool(p);
            continue;
        }
        if (is_over(p))
            break;
        wait_for_something(p, polled);
        if (take_what_came(p, polled) < 0)
            break_pool(p);
        safepoint(thread_self);
    }
    end_processes(p);
}

static void live(struct thread *self, struct recruit *r)
{
    struct pool *p = r->kept;
    struct hand hand = { self->name, &p->staff };

    recruit_ready(r);
    deadlock_self = &hand;
    manage(p);
    deadlock_self = NULL;
}

/* As in thread_pool.c: to unlock is the last that is done to the pool. */
static void leave_pool(void *kept)
{
    struct pool *p = kept;
    bool sleeps, dropped;

    bytelock_lock(&p->lock);
    p->managed = false;
    sleeps = block_mark(&p->left);
    dropped = p->dropped;
    bytelock_unlock(&p->lock);
    if (sleeps)
        block_wake(&p->left);
    if (dropped)
        pool_free(p);
}

/* ---- submit, shutdown ---- */

/* 0, and *start: a manager must be; -1: it is not accepted. */
static int put(struct pool *p, struct object *job, bool *start)
{
    bool stopping, broken;

    bytelock_lock(&p->lock);
    stopping = p->stopping;
    broken = p->broken;
    if (!stopping) {
        job_queue_put(&p->queue, incref(job));
        *start = !p->managed;
        p->managed = true;
    }
    bytelock_unlock(&p->lock);
    if (!stopping) {
        wake_manager(p);
        return 0;
    }
    if (broken)
        exception_set(&broken_process_pool, "%s", unusable);
    else
        exception_set(&runtime_error, "%s", after_shutdown);
    return -1;
}

/* What is queued by others relied on the manager, too. -1 and RuntimeError, if the job has not
 * been cancelled meanwhile. */
static int give_up_manager(struct pool *p, borrowed job)
{
    struct job_queue queue;
    bool queued, sleeps;

    bytelock_lock(&p->lock);
    p->managed = false;
    queued = job_queue_remove(&p->queue, job);
    queue = p->queue;
    p->queue = (struct job_queue){ 0 };
    sleeps = p->stopping && block_mark(&p->left);
    bytelock_unlock(&p->lock);
    if (sleeps)
        block_wake(&p->left);
    job_queue_fail(&queue, &runtime_error, cannot_start);
    if (!queued)
        return 0;
    decref((struct object *)job); /* the queue's */
    exception_set(&runtime_error, "%s", cannot_start);
    return -1;
}

static int start_manager(struct pool *p, borrowed job)
{
    struct recruit r = { .name = p->name, .body = live, .after = leave_pool, .kept = p };

    return recruit_start(&r) == 0 ? 0 : give_up_manager(p, job);
}

static struct object *submit(borrowed executor, borrowed function, borrowed const *arguments,
                             size_t count)
{
    struct pool *p = pool_of(executor);
    struct object *job = job_new(function, arguments, count, p->spin);
    bool start = false;

    if (!job)
        return NULL;
    atomic_store_explicit(&as_job(job)->staff, &p->staff, memory_order_relaxed);
    if (put(p, job, &start) == 0 && (!start || start_manager(p, job) == 0))
        return job;
    decref(job);
    return NULL;
}

/* What was queued, if it is to be cancelled, is left in `queue`. */
static void stop(struct pool *p, bool cancel, struct job_queue *queue)
{
    bytelock_lock(&p->lock);
    p->stopping = true;
    if (cancel) {
        *queue = p->queue;
        p->queue = (struct job_queue){ 0 };
    }
    if (!p->managed)
        block_mark(&p->left);
    wake_manager(p); /* under the lock, or it might be gone */
    bytelock_unlock(&p->lock);
}

static int shut_down_pool(borrowed executor, bool wait, bool cancel)
{
    struct pool *p = pool_of(executor);
    struct job_queue queue = { 0 };

    stop(p, cancel, &queue);
    job_queue_cancel(&queue);
    if (!wait)
        return 0;
    if (deadlock_self && deadlock_self->staff == &p->staff) {
        exception_set(&runtime_error, "cannot join current thread");
        return -1;
    }
    block_until(&p->left, BLOCK_FOREVER, p->spin);
    return 0;
}

/* ---- the object ---- */

static void process_pool_destroy(struct object *o)
{
    struct pool *p = pool_of(o);
    struct job_queue queue;
    bool managed;

    if (!p)
        return;
    stop(p, false, &queue);
    bytelock_lock(&p->lock);
    p->dropped = true;
    managed = p->managed;
    bytelock_unlock(&p->lock);
    if (!managed)
        pool_free(p);
}

/* It is in no register: it holds no object. */
const struct type process_pool_type = {
    .name = "ProcessPoolExecutor", .size_bytes = sizeof(struct process_pool),
    .destroy = process_pool_destroy,
};

/* A call of its own, which has the function's name. What no process knows is refused as ever. */
static struct object *submit_chunk(borrowed executor, borrowed function, borrowed rows)
{
    struct object *chunk, *name = NULL, *job = NULL;

    if (!sendable_name(function)) {
        exception_restore(NULL);
        return submit(executor, function, &rows, 1);
    }
    chunk = function_new(nursery_chunk.name, nursery_chunk.body, nursery_chunk.count, NULL);
    if (chunk)
        name = str_new(function_name(function));
    if (name)
        job = submit(executor, chunk, (borrowed[]){ name, rows }, 2);
    xdecref(chunk);
    xdecref(name);
    return job;
}

static const struct executor_class process_pool_class = { submit, shut_down_pool, submit_chunk };

static int init_pool(struct pool *p, const struct pool_options *options)
{
    static _Atomic unsigned made;

    if (options->name)
        snprintf(p->name, sizeof p->name, "%s", options->name);
    else
        snprintf(p->name, sizeof p->name, "ProcessPoolExecutor-%u",
                 atomic_fetch_add_explicit(&made, 1, memory_order_relaxed));
    p->staff = (struct staff){ p->name, 1 };
    for (uint32_t i = 0; i < p->most; i++)
        p->processes[i].socket = p->processes[i].pidfd = -1;
    if (options->initialiser && write_call(&p->initialise, FRAME_INITIALISE, 0,
                                           options->initialiser, options->arguments,
                                           options->count) < 0)
        return -1;
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->wake >= 0)
        return 0;
    exception_set_errno("eventfd");
    return -1;
}

/* NULL: an exception is pending. */
static struct pool *pool_new(const struct pool_options *options)
{
    uint32_t most = (uint32_t)options->workers;
    struct pool *p = heap_alloc_table(size_for(most));

    if (!p) {
        exception_set_no_memory();
        return NULL;
    }
    memset(p, 0, size_for(most));
    p->most = most;
    p->spin = options->spin;
    p->tasks_per_child = options->tasks_per_child;
    if (init_pool(p, options) == 0)
        return p;
    message_fini(&p->initialise);
    heap_free_table(p, size_for(most));
    return NULL;
}

static int standard_workers(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors > 0 && processors < PROCESSES_MOST ? (int)processors : PROCESSES_MOST;
}

static int check(struct pool_options *options)
{
    if (pool_options_check(options, standard_workers()) < 0)
        return -1;
    if (options->workers > PROCESSES_MOST) {
        exception_set(&value_error, "max_workers must be <= %d", PROCESSES_MOST);
        return -1;
    }
    if (nursery_runs())
        return 0;
    exception_set(&runtime_error, "a nursery must be started before the first thread");
    return -1;
}

struct object *process_pool_new(const struct pool_options *given)
{
    struct pool_options options = given ? *given : (struct pool_options){ 0 };
    struct process_pool *executor;

    if (check(&options) < 0)
        return NULL;
    executor = (struct process_pool *)object_new(&process_pool_type, sizeof *executor);
    if (!executor)
        return NULL;
    executor->head.class = &process_pool_class;
    executor->pool = pool_new(&options);
    if (!executor->pool) {
        decref(&executor->head.head);
        return NULL;
    }
    publish(&executor->head.head);
    return &executor->head.head;
}

uint32_t process_pool_processes(borrowed executor)
{
    return atomic_load_explicit(&pool_of(executor)->alive, memory_order_relaxed);
}
