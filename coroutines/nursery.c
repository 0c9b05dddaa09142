/* nursery.c - the process that forks, and what its children do.
 *
 * The program asks by sending a byte and with it the child's end of a socket (SCM_RIGHTS,
 * unix(7)), and is answered by a byte and a pidfd. The nursery waits for one request after
 * the other; what has died meanwhile it buries before it forks, and after it was told by
 * SIGCHLD. A child is buried only after its pidfd was made, so that cannot be another's.
 */
#include "coroutines/nursery.h"

#include "coroutines/message.h"
#include "gil/gil.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct gil_class gil_none;

enum { TRACE_BYTES = 2048 };

static struct {
    struct mutex lock;             /* one asks at a time */
    int socket;                    /* set once; the program's end of that to the nursery */
    pid_t process;                 /* set once; 0: there is none */
    const struct sendable *table;  /* set once */
} nursery = { .lock = MUTEX_INIT };

bool nursery_runs(void)
{
    return nursery.process != 0;
}

const struct sendable *nursery_find(const char *name)
{
    const struct sendable *s = nursery.table;

    if (strcmp(name, nursery_chunk.name) == 0)
        return &nursery_chunk;
    while (s && s->name && strcmp(s->name, name) != 0)
        s++;
    return s && s->name ? s : NULL;
}

/* ---- a byte and a descriptor ---- */

static int send_descriptor(int socket, int fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof fd)];
    } control = { 0 };
    char byte = fd >= 0;
    struct iovec data = { &byte, 1 };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd),
                                         .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* *fd is -1 if none came. 1, or 0 at the end, or -1. */
static int receive_descriptor(int socket, int *fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof *fd)];
    } control;
    char byte;
    struct iovec data = { &byte, 1 };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control };
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;

    *fd = -1;
    if (head && head->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(head), sizeof *fd);
    return (int)got;
}

/* ---- a child ---- */

static void read_all(int fd, void *data, size_t length)
{
    while (length) {
        ssize_t got = recv(fd, data, length, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            _exit(0); /* nobody needs us any more */
        data = (char *)data + got;
        length -= (size_t)got;
    }
}

static void write_all(int fd, const void *data, size_t length)
{
    while (length) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            _exit(0);
        data = (const char *)data + sent;
        length -= (size_t)sent;
    }
}

static void send_frame(int fd, enum frame_kind what, uint64_t number, const struct message *m)
{
    struct frame_head head = { (uint32_t)m->length, what, number };

    write_all(fd, &head, sizeof head);
    write_all(fd, m->data, m->length);
}

/* Whoever collects the frame keeps its head and this in one message. 0; -1: OverflowError. */
static int check_length(const struct message *m)
{
    if (m->length <= FRAME_MOST_BYTES)
        return 0;
    exception_set(&overflow_error, "an answer would be longer than %zu bytes", FRAME_MOST_BYTES);
    return -1;
}

/* As Python's message about an exception elsewhere: how it came to be, between quotes. */
static int write_trace(struct message *m, borrowed e)
{
    char text[TRACE_BYTES + 16], chain[TRACE_BYTES];
    struct object *str;
    int result;

    exception_write_chain(e, chain, sizeof chain);
    snprintf(text, sizeof text, "\n\"\"\"\n%s\n\"\"\"", chain);
    str = str_new(text);
    result = str ? message_write(m, str) : -1;
    xdecref(str);
    return result;
}

static int write_error(struct message *m, borrowed e)
{
    m->length = 0;
    return message_write(m, e) < 0 || write_trace(m, e) < 0 ? -1 : check_length(m);
}

/* One whose value cannot be sent is sent as the error that says so. */
static void send_error(int fd, enum frame_kind what, uint64_t number, struct message *m)
{
    struct object *e = exception_take(), *why;

    if (write_error(m, e) < 0) {
        why = exception_take();
        if (write_error(m, why) < 0)
            _exit(1);
        decref(why);
    }
    send_frame(fd, what, number, m);
    decref(e);
}

static struct object *sendable_function(borrowed name)
{
    const struct sendable *s = nursery_find(str_text(name));

    if (s)
        return function_new(s->name, s->body, s->count, NULL);
    exception_set(&attribute_error, "no function '%s' is known here", str_text(name));
    return NULL;
}

static struct object *call_row(borrowed function, borrowed arguments)
{
    return call(function, (borrowed const *)((const struct tuple_object *)arguments)->item,
                tuple_length(arguments));
}

static struct object *call_sendable(borrowed name, borrowed arguments)
{
    struct object *function = sendable_function(name), *result = NULL;

    if (function)
        result = call_row(function, arguments);
    xdecref(function);
    return result;
}

static int append_each(borrowed list, borrowed function, borrowed rows)
{
    for (size_t i = 0; i < tuple_length(rows); i++) {
        struct object *result = call_row(function, tuple_get(rows, i));
        int failed = result ? list_append(list, result) : -1;

        xdecref(result);
        if (failed)
            return -1;
        safepoint(thread_self);
    }
    return 0;
}

static struct object *call_each(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *function = sendable_function(arguments[0]);
    struct object *list = function ? list_new() : NULL;

    (void)closure;
    (void)count;
    if (list && append_each(list, function, arguments[1]) < 0) {
        decref(list);
        list = NULL;
    }
    xdecref(function);
    return list;
}

const struct sendable nursery_chunk = { "_process_chunk", call_each, 2 };

/* NULL: an exception is pending. */
static struct object *make_call(struct reader *r)
{
    struct object *name = message_read(r), *arguments = name ? message_read(r) : NULL;
    struct object *result = NULL;

    if (arguments && (type_of(name) != &str_type || type_of(arguments) != &tuple_type ||
                      tuple_length(arguments) > ARGUMENTS_MOST))
        exception_set(&value_error, "a message is damaged");
    else if (arguments)
        result = call_sendable(name, arguments);
    xdecref(name);
    xdecref(arguments);
    return result;
}

static void answer(int fd, const struct frame_head *head, struct object *result /* steals; NULL */)
{
    struct message m = { 0 };

    if (result && message_write(&m, result) == 0 && check_length(&m) == 0)
        send_frame(fd, FRAME_RESULT, head->number, &m);
    else
        send_error(fd, FRAME_ERROR, head->number, &m);
    message_fini(&m);
    xdecref(result);
}

static void initialised(int fd, struct object *result /* steals; NULL */)
{
    struct message m = { 0 };

    if (!result) {
        send_error(fd, FRAME_UNFIT, 0, &m);
        _exit(1);
    }
    decref(result);
}

/* The bytes are let go of before the answer, as what they hold may be big. */
static bool serve(int fd)
{
    struct object *result = NULL;
    struct frame_head head;
    struct reader r;
    unsigned char *data;

    read_all(fd, &head, sizeof head);
    data = heap_alloc_table(head.length + 1); /* never nothing */
    if (!data)
        _exit(1);
    read_all(fd, data, head.length);
    r = (struct reader){ data, data + head.length };
    result = make_call(&r);
    heap_free_table(data, head.length + 1);
    if (head.what == FRAME_INITIALISE)
        initialised(fd, result);
    else
        answer(fd, &head, result);
    safepoint(thread_self);
    return head.what != FRAME_LAST_CALL;
}

static _Noreturn void be_child(int fd)
{
    struct gil *gil = gil_new(&gil_none, NULL);
    struct thread self = { .name = "process pool's worker" };

    if (!gil || thread_start(&self, gil, &object_hooks) < 0)
        _exit(1);
    while (serve(fd)) { }
    _exit(0);
}

/* ---- the nursery ---- */

static void be_told(int signal)
{
    (void)signal;
}

static void bury(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) { }
}

static void die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static int pidfd_of(pid_t process)
{
    return (int)syscall(SYS_pidfd_open, process, 0);
}

/* A child of its own at the other end of `fd`. */
static void fork_one(int socket, int fd)
{
    pid_t parent = getpid(), child;
    int pidfd;

    bury();
    child = fd >= 0 ? fork() : -1;
    if (child == 0) {
        close(socket);
        signal(SIGCHLD, SIG_DFL);
        die_with_parent(parent);
        be_child(fd);
    }
    pidfd = child > 0 ? pidfd_of(child) : -1;
    if (child > 0 && pidfd < 0)
        kill(child, SIGKILL);
    if (send_descriptor(socket, pidfd) < 0)
        _exit(0);
    if (pidfd >= 0)
        close(pidfd);
    if (fd >= 0)
        close(fd);
}

/* Without SA_RESTART: a child that dies wakes it, to be buried. */
static _Noreturn void be_nursery(int socket)
{
    struct sigaction action = { .sa_handler = be_told };
    int fd, got;

    sigaction(SIGCHLD, &action, NULL);
    for (;;) {
        bury();
        got = receive_descriptor(socket, &fd);
        if (got > 0)
            fork_one(socket, fd);
        else if (got == 0 || errno != EINTR)
            _exit(0);
    }
}

int nursery_start(const struct sendable *table)
{
    int pair[2];
    pid_t parent = getpid();

    assert(!nursery.process && !thread_self && world_threads() == 0);
    nursery.table = table;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    nursery.process = fork();
    if (nursery.process == 0) {
        close(pair[0]);
        die_with_parent(parent);
        be_nursery(pair[1]);
    }
    close(pair[1]);
    nursery.socket = pair[0];
    if (nursery.process > 0)
        return 0;
    nursery.process = 0;
    close(pair[0]);
    return -1;
}

void nursery_stop(void)
{
    if (!nursery.process)
        return;
    close(nursery.socket);
    waitpid(nursery.process, NULL, 0);
    nursery.process = 0;
}

/* 0 or -1: the nursery has gone, or could not fork. */
static int ask_for_child(int theirs, int *pidfd)
{
    int got = -1;

    mutex_lock(&nursery.lock);
    if (send_descriptor(nursery.socket, theirs) == 0)
        do
            got = receive_descriptor(nursery.socket, pidfd);
        while (got < 0 && errno == EINTR);
    mutex_unlock(&nursery.lock);
    if (got <= 0)
        errno = ECHILD;
    else if (*pidfd < 0)
        errno = EAGAIN;
    return got > 0 && *pidfd >= 0 ? 0 : -1;
}

int nursery_fork(int *pidfd)
{
    int pair[2], error = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    if (ask_for_child(pair[1], pidfd) < 0)
        error = errno;
    close(pair[1]);
    if (!error)
        return pair[0];
    close(pair[0]);
    errno = error;
    return -1;
}
