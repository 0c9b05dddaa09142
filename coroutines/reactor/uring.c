/* uring.c - the reactor over io_uring: what is to be watched is told together with the wait.
 *
 * Each file that is watched has a poll request in the kernel, for one event. When that has come the
 * file is put on a list, and the next poll asks again before it waits, in the same system call;
 * what is still ready is then told at once. So it is level-triggered, and a file that nobody wants
 * any more by then is not asked for. (A request for many events tells of edges.)
 *
 * A request keeps its file open, also after close. So one for what nobody wants is taken back at
 * once; after an event there is none.
 *
 * A request has the serial number of its place: an answer with another one is not listened to.
 *
 * The ring is made with IORING_SETUP_COOP_TASKRUN: nobody is interrupted to be given an answer, for
 * whoever wants one comes for it. IORING_SETUP_DEFER_TASKRUN goes one step further, but binds
 * the ring to the thread that made it; what it saved could not be measured
 * (docs/decisions/32-reactors.md).
 */
#include "coroutines/reactor/places.h"

#include "gil/mutex.h"

#include <assert.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
#ifdef NDEBUG
    ENTRIES = 256, /* of the ring, asked for in one system call */
#else
    ENTRIES = 2,
#endif
};

/* What an answer is to: a poll request says its number and serial number, an operation where it
 * is. */
#define OF_NOBODY ((uint64_t)0)
#define OF_WAKE ((uint64_t)1)
#define OF_PLACE ((uint64_t)1 << 63)

struct uring_reactor {
    struct reactor head;
    struct io_uring ring;
    int wake;             /* set once */
    struct places places; /* its list is of those to be asked for */
    bool watches_wake;
    int under_way; /* operations that have not finished */
    struct reactor_operation *finished,
        **after; /* that have, and were not taken; the oldest first */
};

static struct uring_reactor *as_uring(struct reactor *r)
{
    return (struct uring_reactor *)r;
}

/* ---- its life ---- */

/* As it can be since Linux 5.19; else as before. */
static int set_up(struct io_uring *ring)
{
    struct io_uring_params params = { .flags =
                                          IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL };
    int result = io_uring_queue_init_params(ENTRIES, ring, &params);

    return result == -EINVAL ? io_uring_queue_init(ENTRIES, ring, 0) : result;
}

/* A wait with a time, and requests for many events: Linux 5.13. */
static bool is_old(const struct io_uring *ring)
{
    unsigned needed = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_RSRC_TAGS;

    return (ring->features & needed) != needed;
}

static int uring_open(struct reactor *head)
{
    struct uring_reactor *r = as_uring(head);
    int error = -set_up(&r->ring);

    if (error) {
        errno = error;
        return -1;
    }
    places_init(&r->places);
    r->after = &r->finished;
    r->wake = is_old(&r->ring) ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake >= 0)
        return 0;
    error = is_old(&r->ring) ? ENOSYS : errno;
    io_uring_queue_exit(&r->ring);
    errno = error;
    return -1;
}

static void uring_close(struct reactor *head)
{
    struct uring_reactor *r = as_uring(head);

    assert(!r->under_way);
    io_uring_queue_exit(&r->ring);
    close(r->wake);
    places_fini(&r->places);
}

/* ---- asking ---- */

/* Of the ring; NULL: the kernel takes none now. */
static struct io_uring_sqe *request(struct uring_reactor *r)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

    if (sqe)
        return sqe;
    io_uring_submit(&r->ring);
    return io_uring_get_sqe(&r->ring);
}

static uint64_t name_of(const struct uring_reactor *r, int fd)
{
    return OF_PLACE | (uint64_t)(r->places.place[fd].serial & INT32_MAX) << 32 | (uint32_t)fd;
}

static unsigned events_of(unsigned interest)
{
    return (interest & READABLE ? POLLIN : 0u) | (interest & WRITABLE ? POLLOUT : 0u);
}

static bool ask(struct uring_reactor *r, int fd)
{
    struct place *place = &r->places.place[fd];
    struct io_uring_sqe *sqe = request(r);

    if (!sqe)
        return false;
    io_uring_prep_poll_add(sqe, fd, events_of(place->wanted));
    io_uring_sqe_set_data64(sqe, name_of(r, fd));
    place->has = place->wanted;
    return true;
}

static void ask_all(struct uring_reactor *r)
{
    int fd;

    while ((fd = places_unlist(&r->places)) >= 0) {
        const struct place *place = &r->places.place[fd];

        if (place->wanted && !place->has && !ask(r, fd)) {
            places_list(&r->places, fd);
            return;
        }
    }
}

/* Its answer, if one has come, is not listened to. At once, for the file may be closed before the
 * next poll, and be asked for no more by then. */
static void take_back(struct uring_reactor *r, int fd)
{
    struct place *place = &r->places.place[fd];
    uint64_t name = name_of(r, fd);
    struct io_uring_sqe *sqe = request(r);

    place->has = 0;
    place->serial++;
    if (!sqe)
        return;
    io_uring_prep_poll_remove(sqe, name);
    io_uring_sqe_set_data64(sqe, OF_NOBODY);
    io_uring_submit(&r->ring);
}

/* The kernel would call it ready always. */
static int check(int fd)
{
    struct stat about;

    if (fstat(fd, &about) < 0)
        return -1;
    if (!S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode))
        return 0;
    errno = EPERM;
    return -1;
}

static int want(struct uring_reactor *r, int fd, unsigned interest)
{
    struct place *place = places_at(&r->places, fd);

    if (!place || (!place->known && check(fd) < 0))
        return -1;
    place->known = true;
    if (place->has)
        take_back(r, fd);
    place->wanted = (uint8_t)interest;
    places_list(&r->places, fd);
    return 0;
}

static int uring_watch(struct reactor *head, int fd, unsigned interest)
{
    struct uring_reactor *r = as_uring(head);
    struct place *place = places_look(&r->places, fd);

    if (interest)
        return want(r, fd, interest);
    if (!place)
        return 0;
    place->wanted = 0;
    if (place->has)
        take_back(r, fd);
    return 0;
}

static void uring_forget(struct reactor *head, int fd)
{
    struct place *place = places_look(&as_uring(head)->places, fd);

    uring_watch(head, fd, 0);
    if (place)
        place->known = false;
}

/* The counter is never read: each addition is told. */
static void watch_wake(struct uring_reactor *r)
{
    struct io_uring_sqe *sqe = r->watches_wake ? NULL : request(r);

    if (!sqe)
        return;
    io_uring_prep_poll_multishot(sqe, r->wake, POLLIN);
    io_uring_sqe_set_data64(sqe, OF_WAKE);
    r->watches_wake = true;
}

/* ---- answers ---- */

/* An error or a hang-up is for both: whoever reads or writes then is told which. */
static unsigned interest_of(int result)
{
    if (result < 0)
        return READABLE | WRITABLE;
    return (result & ~POLLOUT ? READABLE : 0u) | (result & ~POLLIN ? WRITABLE : 0u);
}

/* Where a thread ends, what it has asked for is called off: it is asked for again. */
static unsigned take_place(struct uring_reactor *r, int fd, uint64_t name, int result)
{
    struct place *place = &r->places.place[fd];

    if (name != name_of(r, fd) || !place->has)
        return 0;
    place->has = 0;
    if (place->wanted)
        places_list(&r->places, fd);
    return result == -ECANCELED ? 0 : interest_of(result) & place->wanted;
}

static void finish(struct uring_reactor *r, struct reactor_operation *op, int result)
{
    op->result = result;
    op->next = NULL;
    *r->after = op;
    r->after = &op->next;
    r->under_way--;
}

static unsigned take(struct uring_reactor *r, const struct io_uring_cqe *cqe, int *fd)
{
    uint64_t name = io_uring_cqe_get_data64(cqe);

    if (name == OF_WAKE && !(cqe->flags & IORING_CQE_F_MORE))
        r->watches_wake = false;
    if (name > OF_WAKE && !(name & OF_PLACE))
        finish(r, (struct reactor_operation *)(uintptr_t)name, cqe->res);
    if (!(name & OF_PLACE))
        return 0;
    *fd = (int)(uint32_t)name;
    return take_place(r, *fd, name, cqe->res);
}

static int take_all(struct uring_reactor *r, struct readiness *ready, int most)
{
    struct io_uring_cqe *cqe;
    unsigned head, taken = 0;
    int count = 0, fd;

    io_uring_for_each_cqe(&r->ring, head, cqe)
    {
        unsigned told;

        if (count == most)
            break;
        taken++;
        told = take(r, cqe, &fd);
        if (told)
            ready[count++] = (struct readiness){ fd, told };
    }
    io_uring_cq_advance(&r->ring, taken);
    return count;
}

static int enter(struct uring_reactor *r, uint64_t deadline_ns)
{
    uint64_t now_ns = clock_ns(), left_ns = now_ns < deadline_ns ? deadline_ns - now_ns : 0;
    struct __kernel_timespec left = { .tv_sec = (int64_t)(left_ns / NS_PER_S),
                                      .tv_nsec = (long long)(left_ns % NS_PER_S) };
    struct io_uring_cqe *cqe;

    if (left_ns == 0)
        return io_uring_submit_and_get_events(&r->ring);
    return io_uring_submit_and_wait_timeout(&r->ring, &cqe, 1,
                                            deadline_ns == REACTOR_FOREVER ? NULL : &left, NULL);
}

/* EBUSY: there are answers that found no room; EAGAIN: the kernel takes no more now. */
static bool is_failure(int result)
{
    return result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY &&
           result != -EAGAIN;
}

static int uring_poll(struct reactor *head, uint64_t deadline_ns, struct readiness *ready, int most)
{
    struct uring_reactor *r = as_uring(head);
    int result;

    assert(most > 0);
    watch_wake(r);
    ask_all(r);
    result = enter(r, deadline_ns);
    if (is_failure(result)) {
        errno = -result;
        return -1;
    }
    return take_all(r, ready, most);
}

/* It fails only if the counter is full, at 2^64 - 2. */
static void uring_wake(struct reactor *r)
{
    int error = errno;
    uint64_t one = 1;
    ssize_t written = write(as_uring(r)->wake, &one, sizeof one);

    assert(written == sizeof one);
    (void)written;
    errno = error;
}

/* ---- operations ---- */

static int uring_submit(struct reactor *head, struct reactor_operation *op)
{
    struct uring_reactor *r = as_uring(head);
    struct io_uring_sqe *sqe = request(r);

    if (!sqe) {
        errno = EAGAIN;
        return -1;
    }
    if (op->call == REACTOR_READ)
        io_uring_prep_read(sqe, op->fd, op->data, (unsigned)op->size_bytes, op->offset);
    else if (op->call == REACTOR_WRITE)
        io_uring_prep_write(sqe, op->fd, op->data, (unsigned)op->size_bytes, op->offset);
    else
        io_uring_prep_fsync(sqe, op->fd, 0);
    io_uring_sqe_set_data64(sqe, (uintptr_t)op);
    r->under_way++;
    return 0;
}

static struct reactor_operation *uring_finished(struct reactor *head)
{
    struct uring_reactor *r = as_uring(head);
    struct reactor_operation *op = r->finished;

    if (!op)
        return NULL;
    r->finished = op->next;
    if (!r->finished)
        r->after = &r->finished;
    return op;
}

/* What is told of files meanwhile is told again. */
static int uring_drain(struct reactor *head)
{
    struct uring_reactor *r = as_uring(head);
    struct readiness ready;

    while (r->under_way) {
        if (uring_poll(head, REACTOR_FOREVER, &ready, 1) < 0) {
            r->under_way = 0; /* nobody will hear of them */
            return -1;
        }
    }
    return 0;
}

const struct reactor_class reactor_uring = {
    .about = "io_uring: what is watched is told with the wait, in one system call",
    .source = "J. Axboe, Linux 5.1; liburing",
    .opens = "io_uring_setup", .watches = "io_uring_enter", .polls = "io_uring_enter",
    .size_bytes = sizeof(struct uring_reactor),
    .open = uring_open, .close = uring_close, .watch = uring_watch, .forget = uring_forget,
    .poll = uring_poll, .wake = uring_wake,
    .submit = uring_submit, .finished = uring_finished, .drain = uring_drain,
};
