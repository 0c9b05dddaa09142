/* patch.c - the interposer of greenlets: what waits is the hub's.
 *
 * Who is in a block is known by the greenlet's word, not by the thread: others run on it between
 * two waits. The thread's interposer is set while any of its greenlets is in one, so a thread
 * that has none pays for one load (interpose.h).
 *
 * A few descriptors are watched by the hub's loop itself. For more of them, for events that the
 * reactor does not know, and for what another greenlet waits for already, there is an epoll of the
 * wait's own, which the hub watches: the kernel knows for each what poll means.
 */
#include "coroutines/patch.h"

#include "coroutines/hub.h"
#include "coroutines/interpose/interpose.h"
#include "gil/mutex.h"
#include "gil/thread.h"

#include <errno.h>
#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum {
    DIRECT_MOST = 4, /* each costs two system calls there, one in an epoll of its own */
    READS = POLLIN | POLLRDNORM,
    WRITES = POLLOUT | POLLWRNORM,
};

static _Thread_local size_t blocks; /* that greenlets of this thread are in */

static struct patch *current_block(void)
{
    void **word = greenlet_word();

    return word ? *word : NULL;
}

static bool asked(void)
{
    struct thread *t = thread_self;

    return t && atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_ATTACHED &&
           current_block() && hub_cooperates();
}

/* ---- waiting ---- */

/* What has ended a wait that failed: an errno for the library, an exception for the block's end. */
static int keep_thrown(struct patch *p)
{
    int error = errno;

    if (exception_matches(&memory_error))
        error = ENOMEM;
    else if (type_of(exception_pending()) != &os_error)
        error = ECANCELED;
    p->exception = exception_take();
    errno = error;
    return -1;
}

static unsigned interest_of(const struct pollfd *file)
{
    return (file->events & READS ? READABLE : 0u) | (file->events & WRITES ? WRITABLE : 0u);
}

static bool is_watched(int fd, unsigned what)
{
    borrowed loop = hub_loop();

    return (what & READABLE && loop_watches(loop, fd, READABLE)) ||
           (what & WRITABLE && loop_watches(loop, fd, WRITABLE));
}

/* How many of `direct` were filled; -1: the loop cannot watch them. */
static int list_direct(const struct pollfd *files, nfds_t count, struct hub_file *direct)
{
    int length = 0;

    for (nfds_t n = 0; n < count; n++) {
        unsigned what = interest_of(&files[n]);

        if (files[n].fd < 0)
            continue;
        if (length == DIRECT_MOST || !what || files[n].events & ~(READS | WRITES) ||
            is_watched(files[n].fd, what))
            return -1;
        for (int before = 0; before < length; before++)
            if (direct[before].fd == files[n].fd)
                return -1;
        direct[length++] = (struct hub_file){ files[n].fd, what };
    }
    return length;
}

/* What is asked of one that stands there several times. */
static uint32_t events_of(const struct pollfd *files, nfds_t count, int fd)
{
    uint32_t events = 0;

    for (nfds_t n = 0; n < count; n++)
        if (files[n].fd == fd)
            events |= (uint16_t)files[n].events;
    return events;
}

/* One that cannot be watched, a regular file, is always ready; so if it was not, it never is. */
static int watch_in(int epoll, const struct pollfd *files, nfds_t count, nfds_t n)
{
    struct epoll_event event = { .events = (uint16_t)files[n].events };
    int fd = files[n].fd;

    if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EPERM)
        return 0;
    if (errno != EEXIST)
        return -1;
    event.events = events_of(files, count, fd);
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

/* -1 and errno, or with an exception pending. */
static int wait_in_epoll(const struct pollfd *files, nfds_t count, uint64_t deadline_ns)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), result = epoll < 0 ? -1 : 0, error;

    for (nfds_t n = 0; result == 0 && n < count; n++)
        result = watch_in(epoll, files, count, n);
    if (result == 0)
        result = hub_wait_files(&(struct hub_file){ epoll, READABLE }, 1, deadline_ns);
    error = errno;
    if (epoll >= 0) {
        hub_forget_file(epoll);
        real.close(epoll);
    }
    errno = error;
    return result;
}

static int wait_for(const struct pollfd *files, nfds_t count, uint64_t deadline_ns)
{
    struct hub_file direct[DIRECT_MOST];
    int length = list_direct(files, count, direct), result = -1;

    if (length >= 0)
        result = hub_wait_files(direct, (size_t)length, deadline_ns);
    if (length >= 0 && !(result < 0 && errno == EPERM && exception_matches(&os_error)))
        return result;
    exception_restore(NULL);
    return wait_in_epoll(files, count, deadline_ns);
}

/* The caller's own pending exception stays what it is. */
static int wait(const struct pollfd *files, nfds_t count, uint64_t deadline_ns)
{
    struct patch *p = current_block();
    struct object *pending;
    int result;

    errno = ECANCELED;
    if (p->exception)
        return -1;
    pending = exception_take();
    result = wait_for(files, count, deadline_ns);
    if (exception_pending())
        keep_thrown(p);
    exception_restore(pending);
    if (result != HUB_CLOSED)
        return result;
    errno = EBADF;
    return -1;
}

static int sleep_until(uint64_t deadline_ns)
{
    struct patch *p = current_block();
    uint64_t now_ns = clock_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct object *pending;
    int result;

    errno = ECANCELED;
    if (p->exception)
        return -1;
    pending = exception_take();
    result = hub_sleep_ns(left_ns < INT64_MAX ? (int64_t)left_ns : INT64_MAX);
    if (result < 0)
        keep_thrown(p);
    exception_restore(pending);
    return result;
}

static const struct interposer by_hub = {
    .asked = asked, .wait = wait, .sleep = sleep_until, .close = hub_forget_file,
};

/* ---- blocks ---- */

/* The child's thread has the parent's epoll, which it must not touch. */
static void leave_in_child(void)
{
    interposer_here = NULL;
}

static void enter_at_fork(void)
{
    pthread_atfork(NULL, NULL, leave_in_child);
}

int patch_begin(struct patch *p)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    void **word;

    if (!hub_loop())
        return -1;
    pthread_once(&once, enter_at_fork);
    word = greenlet_word();
    p->outer = *word;
    p->exception = NULL;
    greenlet_hold(&p->slots, &p->exception, 1);
    *word = p;
    blocks++;
    interposer_here = &by_hub;
    return 0;
}

int patch_end(struct patch *p)
{
    void **word = greenlet_word();

    assert(*word == p && "blocks end in their order, each in its greenlet");
    *word = p->outer;
    greenlet_let_go(&p->slots);
    if (--blocks == 0)
        interposer_here = NULL;
    if (p->exception)
        exception_restore(p->exception);
    return exception_pending() ? -1 : 0;
}

bool patch_is_on(void)
{
    return interposer_asked();
}

bool patch_is_patched(const char *name)
{
    for (int i = 0; interposed_names[i]; i++)
        if (strcmp(name, interposed_names[i]) == 0)
            return true;
    return false;
}
