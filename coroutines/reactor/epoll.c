/* epoll.c - the reactor on Linux: epoll for files, an eventfd to be woken by.
 *
 * *What nobody wants stays registered*, until an event of it comes: so a file that is waited for,
 * read, and waited for again costs no system call but the wait. That must be right although files
 * may be closed without a word to us, and their numbers taken by others:
 *
 *   1. The kernel forgets a file by itself when the last descriptor of it is closed. So what we
 *      believe to be registered may not be: each time that we rely on it, it is *in doubt*.
 *   2. A poll that has slept for a millisecond confirms what is in doubt: it is registered again
 *      (EPOLL_CTL_MOD), and if the number is another file's by now this fails with ENOENT, and the
 *      file is added. So nobody sleeps for long while something that is wanted is not watched. A loop
 *      that never sleeps does so after DOUBT_TURNS polls.
 *   3. An event of a number ends the doubt of it. It may be of another file all the same: of one
 *      whose number this was, and that lives on under another number. So a number is trusted only
 *      TRUSTED_MOST times in succession.
 *   4. A file that lives on under another number cannot be taken out any more, and its events have
 *      a serial number that has passed. Then a new epoll takes the place of the old one, with what
 *      is wanted, as libev does it.
 *
 * Where files are closed and made by io.h a number is forgotten in time, and no doubt is justified; it
 * costs nothing either, for where messages come and go no poll sleeps for a millisecond.
 */
#include "coroutines/reactor/places.h"

#include "gil/mutex.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MOST = 256,
#ifdef NDEBUG
    TRUSTED_MOST = 250,
    DOUBT_TURNS = 64,
#else
    TRUSTED_MOST = 3,
    DOUBT_TURNS = 2,
#endif
    DOUBT_MS = 1,
    MOST_MS = 1000000000,
};

#define WAKE UINT64_MAX /* in the place of a number */

struct epoll_reactor {
    struct reactor head;
    int epoll, wake;      /* set once */
    struct places places; /* its list is of those in doubt */
    int turns;            /* polls since all were sure */
};

static struct epoll_reactor *as_epoll(struct reactor *r)
{
    return (struct epoll_reactor *)r;
}

/* ---- its life ---- */

/* By edges, so that it need never be read: one system call for each wake-up, and not two. */
static int watch_wake(int epoll, int wake)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = WAKE };

    return epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event);
}

static void close_both(struct epoll_reactor *r)
{
    int error = errno;

    if (r->wake >= 0)
        close(r->wake);
    if (r->epoll >= 0)
        close(r->epoll);
    errno = error;
}

static int epoll_open(struct reactor *head)
{
    struct epoll_reactor *r = as_epoll(head);

    places_init(&r->places);
    r->wake = -1;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll >= 0)
        r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake >= 0 && watch_wake(r->epoll, r->wake) == 0)
        return 0;
    close_both(r);
    return -1;
}

static void epoll_close(struct reactor *head)
{
    struct epoll_reactor *r = as_epoll(head);

    close_both(r);
    places_fini(&r->places);
}

/* ---- registering ---- */

static uint32_t events_of(unsigned interest)
{
    return (interest & READABLE ? EPOLLIN : 0u) | (interest & WRITABLE ? EPOLLOUT : 0u);
}

static int control(struct epoll_reactor *r, int what, int fd, unsigned interest)
{
    struct epoll_event event = {
        .events = events_of(interest),
        .data.u64 = (uint64_t)r->places.place[fd].serial << 32 | (uint32_t)fd,
    };

    return epoll_ctl(r->epoll, what, fd, &event);
}

/* A file that has come back to a number which it had before is there already. */
static int add(struct epoll_reactor *r, int fd, unsigned interest)
{
    r->places.place[fd].serial++;
    if (control(r, EPOLL_CTL_ADD, fd, interest) == 0)
        return 0;
    return errno == EEXIST ? control(r, EPOLL_CTL_MOD, fd, interest) : -1;
}

/* The file that has the number now, whichever it is. */
static int enter(struct epoll_reactor *r, int fd, unsigned interest)
{
    struct place *place = &r->places.place[fd];
    int result = -1;

    errno = ENOENT;
    if (place->has)
        result = control(r, EPOLL_CTL_MOD, fd, interest);
    if (result < 0 && errno == ENOENT)
        result = add(r, fd, interest);
    place->has = result < 0 ? 0 : (uint8_t)interest;
    place->doubted = false;
    place->trusted = 0;
    return result;
}

/* 0; -1: it was not there. */
static int leave(struct epoll_reactor *r, int fd)
{
    r->places.place[fd].has = 0;
    return control(r, EPOLL_CTL_DEL, fd, 0);
}

static HOT_PATH int epoll_watch(struct reactor *head, int fd, unsigned interest)
{
    struct epoll_reactor *r = as_epoll(head);
    struct place *place = interest ? places_at(&r->places, fd) : places_look(&r->places, fd);

    if (!place)
        return interest ? -1 : 0;
    if (interest & ~(unsigned)place->has || (interest && place->trusted == TRUSTED_MOST)) {
        if (enter(r, fd, interest) < 0)
            return -1;
    } else if (interest) {
        place->trusted++;
        place->doubted = true;
        places_list(&r->places, fd);
    }
    place->wanted = (uint8_t)interest;
    return 0;
}

/* The kernel does so by itself when it is closed. */
static void epoll_forget(struct reactor *head, int fd)
{
    struct place *place = places_look(&as_epoll(head)->places, fd);

    if (!place)
        return;
    place->wanted = place->has = 0;
    place->serial++; /* a file that lives on under another number tells of itself in vain: fact 4 */
}

/* ---- doubts ---- */

/* Those that cannot be watched any more are told as ready: who uses them is told why. How many. */
static int confirm(struct epoll_reactor *r, struct readiness *ready, int most)
{
    int count = 0;

    while (count < most && r->places.listed) {
        int fd = places_unlist(&r->places);
        struct place *place = &r->places.place[fd];

        if (place->wanted && place->doubted && enter(r, fd, place->wanted) < 0)
            ready[count++] = (struct readiness){ fd, place->wanted };
    }
    r->turns = 0;
    return count;
}

static void doubt_all(struct epoll_reactor *r)
{
    for (int fd = 0; fd < r->places.count; fd++) {
        struct place *place = &r->places.place[fd];

        place->has = 0;
        place->doubted = true;
        if (place->wanted)
            places_list(&r->places, fd);
    }
}

/* It gets the number of the old one, which is closed by that. Where there is no descriptor for it
 * things stay as they are: a file is told again and again, in vain. */
static void renew(struct epoll_reactor *r)
{
    int fresh = epoll_create1(EPOLL_CLOEXEC);

    if (fresh < 0)
        return;
    if (watch_wake(fresh, r->wake) == 0 && dup3(fresh, r->epoll, O_CLOEXEC) >= 0)
        doubt_all(r);
    close(fresh);
}

/* ---- polling ---- */

/* Where there is none that counts nanoseconds (before Linux 5.11, under valgrind): no sooner. */
static int wait_for(int epoll, struct epoll_event *events, int most, uint64_t ns)
{
    struct timespec left = timespec_of_ns(ns);
    int found = epoll_pwait2(epoll, events, most, &left, NULL);

    if (found >= 0 || errno != ENOSYS)
        return found;
    if (ns > MOST_MS * (uint64_t)NS_PER_MS)
        ns = MOST_MS * (uint64_t)NS_PER_MS;
    return epoll_wait(epoll, events, most, (int)((ns + NS_PER_MS - 1) / NS_PER_MS));
}

static int wait_until(int epoll, struct epoll_event *events, int most, uint64_t deadline_ns)
{
    uint64_t now_ns;

    if (deadline_ns == REACTOR_AT_ONCE)
        return epoll_wait(epoll, events, most, 0);
    if (deadline_ns == REACTOR_FOREVER)
        return epoll_wait(epoll, events, most, -1);
    now_ns = clock_ns();
    return wait_for(epoll, events, most, now_ns < deadline_ns ? deadline_ns - now_ns : 0);
}

/* An error or a hang-up is for both: whoever reads or writes then is told which. */
static unsigned interest_of(uint32_t events)
{
    return (events & ~(uint32_t)EPOLLOUT ? READABLE : 0u) |
           (events & ~(uint32_t)EPOLLIN ? WRITABLE : 0u);
}

/* What of it is to be told; 0: nothing. False in *known: the event is of a file that was there
 * before. */
static unsigned take(struct epoll_reactor *r, const struct epoll_event *event, bool *known)
{
    int fd = (int)(uint32_t)event->data.u64;
    struct place *place = &r->places.place[fd];
    unsigned found = interest_of(event->events);

    *known = place->serial == event->data.u64 >> 32;
    if (!*known)
        return 0;
    place->doubted = false;
    if (found & place->has & ~(unsigned)place->wanted) {
        if (!place->wanted)
            *known = leave(r, fd) == 0;
        else if (enter(r, fd, place->wanted) < 0)
            found = place->wanted;
    }
    return found & place->wanted;
}

/* How many are told. */
static HOT_PATH int take_all(struct epoll_reactor *r, const struct epoll_event *events, int found,
                             struct readiness *ready)
{
    bool all_known = true, known;
    int count = 0;

    for (int i = 0; i < found; i++) {
        unsigned told;

        if (events[i].data.u64 == WAKE)
            continue;
        told = take(r, &events[i], &known);
        all_known &= known;
        if (told)
            ready[count++] = (struct readiness){ (int)(uint32_t)events[i].data.u64, told };
    }
    if (!all_known)
        renew(r);
    return count;
}

/* False: there was nothing, not even a wake-up. In *count how many are told, or -1. */
static bool take_found(struct epoll_reactor *r, int found, const struct epoll_event *events,
                       struct readiness *ready, int *count)
{
    *count = found < 0 && errno != EINTR ? -1 : take_all(r, events, found, ready);
    return found != 0;
}

/* What is in doubt is not waited for longer than this. */
static bool is_later(uint64_t deadline_ns)
{
    return deadline_ns == REACTOR_FOREVER || deadline_ns > clock_ns() + DOUBT_MS * NS_PER_MS;
}

static HOT_PATH int epoll_poll(struct reactor *head, uint64_t deadline_ns,
                               struct readiness *ready, int most)
{
    struct epoll_reactor *r = as_epoll(head);
    struct epoll_event events[EVENTS_MOST];
    int limit = most < EVENTS_MOST ? most : EVENTS_MOST, count = 0;

    assert(most > 0);
    if (r->places.listed && ++r->turns >= DOUBT_TURNS)
        count = confirm(r, ready, most);
    if (count == 0 && r->places.listed && is_later(deadline_ns)) {
        if (take_found(r, epoll_wait(r->epoll, events, limit, DOUBT_MS), events, ready, &count))
            return count;
        count = confirm(r, ready, most);
    }
    if (count == 0)
        take_found(r, wait_until(r->epoll, events, limit, deadline_ns), events, ready, &count);
    return count;
}

/* It fails only if the counter is full, at 2^64 - 2. */
static void epoll_wake(struct reactor *r)
{
    int error = errno;
    uint64_t one = 1;
    ssize_t written = write(as_epoll(r)->wake, &one, sizeof one);

    assert(written == sizeof one);
    (void)written;
    errno = error;
}

const struct reactor_class reactor_epoll = {
    .about = "epoll, in which stays what may be waited for again",
    .source = "D. Libenzi, Linux 2.6; M. Lehmann's libev, for what is left in",
    .opens = "epoll_create1", .watches = "epoll_ctl", .polls = "epoll_wait",
    .size_bytes = sizeof(struct epoll_reactor),
    .open = epoll_open, .close = epoll_close, .watch = epoll_watch, .forget = epoll_forget,
    .poll = epoll_poll, .wake = epoll_wake,
};
