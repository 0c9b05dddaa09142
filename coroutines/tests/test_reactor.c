/* test_reactor.c - of each reactor: what it tells, deadlines, being woken, files that are closed
 * without a word, and what happens where the kernel refuses. */
#include "coroutines/io.h"
#include "coroutines/reactor/reactor.h"
#include "objects/int.h"
#include "objects/tests/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TIMEOUT_S = 60,
    MOST = 8,
    PAIRS = 20,
    SIGNALS = 20,
    TRIES = 50,
    MOST_IN_VAIN = 200,
    QUIET_MS = 8
};
#ifdef GIL_TWIN
enum { PATIENCE_MS = 500 }; /* a twin is found out sooner */
#else
enum { PATIENCE_MS = 20000 };
#endif

/* ---- what all need ---- */

typedef void test_body(void);

/* One test of one reactor. */
struct run {
    const char *reactor;
    test_body *body;
};

static const struct reactor_class *class;
static struct reactor *r; /* NULL: it is refused */
static struct readiness ready[MOST];
static int pair[2];
static _Atomic bool woken; /* atomic; it is about to be */

static int open_all(void **state)
{
    const struct run *run = *state;

    atomic_store(&woken, false);
    class = reactor_named(run->reactor);
    r = reactor_new(class);
    if (!r)
        printf("# %s is refused: %s: %s\n", run->reactor, class->opens, strerror(errno));
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int close_all(void **state)
{
    (void)state;
    if (r)
        reactor_delete(r);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

/* A twin of what is refused cannot be tried, and counts as found out. */
static void skip_refused(void)
{
#ifdef GIL_TWIN
    fail();
#else
    skip();
#endif
}

static void perform(void **state)
{
    if (!r)
        skip_refused();
    ((const struct run *)*state)->body();
}

static void watch(int fd, unsigned interest)
{
    assert_int_equal(class->watch(r, fd, interest), 0);
}

static int poll_now(void)
{
    return class->poll(r, REACTOR_AT_ONCE, ready, MOST);
}

static void expect_ready(int fd, unsigned what)
{
    assert_int_equal(poll_now(), 1);
    assert_int_equal(ready[0].fd, fd);
    assert_int_equal(ready[0].ready, what);
}

static void send_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void read_byte(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 1);
}

/* Only a fault comes to the end of this patience. */
static void await_any(void)
{
    uint64_t until_ns = clock_ns() + PATIENCE_MS * (uint64_t)NS_PER_MS;

    while (class->poll(r, until_ns, ready, MOST) == 0)
        assert_true(clock_ns() < until_ns);
}

/* Of the file that has this number, when it is readable, and it is. */
static void await_readable(int fd)
{
    struct pollfd file = { .fd = fd, .events = POLLIN };

    await_any();
    assert_int_equal(ready[0].fd, fd);
    assert_int_equal(ready[0].ready, READABLE);
    assert_int_equal(poll(&file, 1, 0), 1);
}

/* It sleeps until then, and is told nothing. Some times it may look up: of what is not wanted any
 * more, or since the kernel closes a ring of an earlier test; but it does not spin. */
static void expect_quiet(void)
{
    uint64_t until_ns = clock_ns() + QUIET_MS * NS_PER_MS;
    int polls = 0;

    for (; clock_ns() < until_ns && polls < MOST_IN_VAIN; polls++)
        assert_int_equal(class->poll(r, until_ns, ready, MOST), 0);
    assert_true(polls < MOST_IN_VAIN);
}

/* The other end has seen that this one was closed. */
static void expect_end(int fd)
{
    struct pollfd file = { .fd = fd, .events = POLLIN };
    char byte;

    assert_int_equal(poll(&file, 1, PATIENCE_MS), 1);
    assert_int_equal(read(fd, &byte, 1), 0);
}

/* Closes pair[0], whose number another socket then has; its other end. */
static int reuse_number(void)
{
    int other[2];

    close(pair[0]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    assert_int_equal(other[0], pair[0]);
    return other[1];
}

/* ---- what it tells ---- */

static void tells_what_is_watched_and_ready_again_and_again(void)
{
    watch(pair[0], READABLE);
    assert_int_equal(poll_now(), 0);
    send_byte(pair[1]);
    expect_ready(pair[0], READABLE);
    expect_ready(pair[0], READABLE);
    watch(pair[0], READABLE | WRITABLE);
    expect_ready(pair[0], READABLE | WRITABLE);
    read_byte(pair[0]);
    expect_ready(pair[0], WRITABLE);
    watch(pair[0], 0);
    assert_int_equal(poll_now(), 0);
}

static void tells_nothing_that_is_not_wanted(void)
{
    watch(pair[0], READABLE | WRITABLE);
    expect_ready(pair[0], WRITABLE);
    watch(pair[0], READABLE);
    expect_quiet();
    send_byte(pair[1]);
    expect_ready(pair[0], READABLE);
    watch(pair[0], 0);
    expect_quiet();
    watch(pair[0], WRITABLE);
    expect_ready(pair[0], WRITABLE);
}

/* As who reads does again and again: it is watched, told, and not watched. */
static void a_file_may_be_watched_again_and_again(void)
{
    for (int i = 0; i < TRIES; i++) {
        watch(pair[0], READABLE);
        assert_int_equal(poll_now(), 0);
        send_byte(pair[1]);
        await_readable(pair[0]);
        watch(pair[0], 0);
        if (i % 3 == 0)
            expect_quiet();
        read_byte(pair[0]);
    }
}

static void a_hang_up_is_told_to_who_reads_and_who_writes(void)
{
    watch(pair[0], READABLE | WRITABLE);
    close(pair[1]);
    expect_ready(pair[0], READABLE | WRITABLE);
    watch(pair[0], READABLE);
    expect_ready(pair[0], READABLE);
    watch(pair[0], WRITABLE);
    expect_ready(pair[0], WRITABLE);
    pair[1] = dup(pair[0]);
}

static void what_cannot_be_watched_is_an_error(void)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    assert_int_equal(class->watch(r, -1, READABLE), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(class->watch(r, file, READABLE), -1);
    assert_int_equal(errno, EPERM);
    close(file);
    assert_int_equal(class->watch(r, file, READABLE), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(class->watch(r, file, 0), 0);
    assert_int_equal(class->watch(r, -1, 0), 0);
    class->forget(r, file);
}

static void more_is_ready_than_was_asked_for(void)
{
    watch(pair[0], WRITABLE);
    watch(pair[1], WRITABLE);
    assert_int_equal(class->poll(r, REACTOR_AT_ONCE, ready, 1), 1);
    assert_int_equal(class->poll(r, REACTOR_AT_ONCE, ready + 1, 1), 1);
    assert_int_not_equal(ready[0].fd, ready[1].fd);
}

/* Of all that are ready each is told, in a few polls. */
static void many_files_are_told_each(void)
{
    int pairs[PAIRS][2];
    uint64_t seen = 0;

    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        assert_true(pairs[i][1] < 64);
        watch(pairs[i][0], READABLE);
        send_byte(pairs[i][1]);
    }
    for (int tries = 0; tries < PAIRS && __builtin_popcountll(seen) < PAIRS; tries++)
        for (int i = 0, count = poll_now(); i < count; i++)
            seen |= (uint64_t)1 << ready[i].fd;
    assert_int_equal(__builtin_popcountll(seen), PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        class->forget(r, pairs[i][0]);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    for (int tries = 0; tries < PAIRS; tries++) /* they may have been found before */
        assert_int_equal(poll_now(), 0);
    expect_quiet();
}

/* ---- files that are closed, and numbers that are used again ---- */

static void a_number_is_watched_for_the_file_that_has_it_now(void)
{
    int other;

    watch(pair[0], READABLE);
    other = reuse_number();
    watch(pair[0], WRITABLE);
    expect_ready(pair[0], WRITABLE);
    watch(pair[0], 0);
    watch(pair[0], 0);
    close(other);
}

/* The reactor may believe that it watches the number, for it did. */
static void a_number_that_was_watched_is_watched_anew(bool sleeps)
{
    int other, tries = 0;

    watch(pair[0], READABLE);
    send_byte(pair[1]);
    expect_ready(pair[0], READABLE);
    watch(pair[0], 0);
    other = reuse_number();
    watch(pair[0], READABLE);
    send_byte(other);
    while (!sleeps && tries < TRIES && poll_now() == 0)
        tries++;
    assert_true(tries < TRIES);
    await_readable(pair[0]);
    close(other);
}

static void who_sleeps_hears_of_a_number_used_again(void)
{
    a_number_that_was_watched_is_watched_anew(true);
}

static void who_never_sleeps_hears_of_a_number_used_again(void)
{
    a_number_that_was_watched_is_watched_anew(false);
}

/* And so are many, which are looked for before any of them is asked for again. */
static void many_numbers_are_used_again(void)
{
    int first[2][2], second[2][2];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, first[i]), 0);
        watch(first[i][0], READABLE);
    }
    assert_int_equal(poll_now(), 0);
    for (int i = 0; i < 2; i++) {
        watch(first[i][0], 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, second[i]), 0);
        assert_int_equal(dup2(second[i][0], first[i][0]), first[i][0]);
        watch(first[i][0], READABLE);
    }
    for (int i = 0; i < 2; i++) {
        send_byte(second[i][1]);
        await_readable(first[i][0]);
        read_byte(second[i][0]);
    }
    for (int i = 0; i < 4; i++) {
        close(first[i / 2][i % 2]);
        close(second[i / 2][i % 2]);
    }
}

/* It lives on under another number, and is readable all the time. */
static void a_file_that_lives_on_does_not_stand_for_another(void)
{
    int kept = dup(pair[0]), other;

    watch(pair[0], READABLE);
    send_byte(pair[1]);
    expect_ready(pair[0], READABLE);
    watch(pair[0], 0);
    other = reuse_number();
    for (int i = 0; i < TRIES; i++) {
        watch(pair[0], READABLE);
        poll_now(); /* it may be told in vain, a few times */
        watch(pair[0], 0);
    }
    watch(pair[0], READABLE);
    poll_now();
    expect_quiet();
    send_byte(other);
    await_readable(pair[0]);
    close(kept);
    close(other);
}

static void what_is_forgotten_can_be_closed(void)
{
    watch(pair[0], READABLE);
    assert_int_equal(poll_now(), 0);
    class->forget(r, pair[0]);
    close(pair[0]);
    expect_end(pair[1]);
    pair[0] = dup(pair[1]);
}

/* Its file has another number: what comes there is not for who forgot it. */
static void what_is_forgotten_may_live_on(void)
{
    int kept = dup(pair[0]);

    watch(pair[0], READABLE);
    assert_int_equal(poll_now(), 0);
    watch(pair[0], 0);
    class->forget(r, pair[0]);
    close(pair[0]);
    send_byte(pair[1]);
    poll_now();
    expect_quiet();
    pair[0] = kept;
}

static void what_is_not_wanted_any_more_can_be_closed(void)
{
    watch(pair[0], READABLE);
    assert_int_equal(poll_now(), 0);
    watch(pair[0], 0);
    close(pair[0]);
    expect_end(pair[1]);
    pair[0] = dup(pair[1]);
}

/* What was asked for first may not keep it open either. */
static void what_was_wanted_otherwise_can_be_closed(void)
{
    watch(pair[0], READABLE);
    assert_int_equal(poll_now(), 0);
    watch(pair[0], READABLE | WRITABLE);
    watch(pair[0], 0);
    close(pair[0]);
    expect_end(pair[1]);
    pair[0] = dup(pair[1]);
}

/* Who waits for it is to be told that it is none, and does not sleep. */
static void a_number_that_is_closed_is_told_as_ready(void)
{
    watch(pair[0], READABLE);
    assert_int_equal(poll_now(), 0);
    watch(pair[0], 0);
    close(pair[0]);
    watch(pair[0], READABLE);
    await_any();
    assert_int_equal(ready[0].fd, pair[0]);
    pair[0] = dup(pair[1]);
}

/* ---- time, and being woken ---- */

static void a_deadline_is_not_early(void)
{
    uint64_t until_ns = clock_ns() + 3 * NS_PER_MS;

    expect_quiet();
    assert_int_equal(class->poll(r, until_ns, ready, MOST), 0);
}

static void until_detached(struct thread *t)
{
    while (atomic_load_explicit(&t->state, memory_order_relaxed) != THREAD_DETACHED)
        usleep(100);
}

/* It may look up before. */
static void poll_until_woken(void)
{
    while (!atomic_load(&woken))
        assert_int_equal(io_poll(r, REACTOR_FOREVER, ready, MOST), 0);
    atomic_store(&woken, false);
}

static void *wake_when_detached(void *argument)
{
    until_detached(argument);
    atomic_store(&woken, true);
    class->wake(r);
    return NULL;
}

static void another_thread_wakes_it_and_it_waits_detached(void)
{
    pthread_t other;

    assert_int_equal(pthread_create(&other, NULL, wake_when_detached, thread_self), 0);
    poll_until_woken();
    assert_int_equal(thread_self->state, THREAD_ATTACHED);
    pthread_join(other, NULL);
}

/* It is kept until the next poll, and is gone then. */
static void a_wake_up_that_comes_early_is_kept(void)
{
    class->wake(r);
    class->wake(r);
    assert_int_equal(class->poll(r, REACTOR_FOREVER, ready, MOST), 0);
    a_deadline_is_not_early();
    for (int i = 0; i < TRIES; i++) {
        class->wake(r);
        assert_int_equal(class->poll(r, REACTOR_FOREVER, ready, MOST), 0);
    }
}

/* Also while there is something in doubt. */
static void a_wake_up_is_kept_beside_what_is_watched(void)
{
    for (int i = 0; i < TRIES; i++) {
        for (int end = 0; end < 2; end++) {
            watch(pair[end], READABLE);
            watch(pair[end], 0);
            watch(pair[end], READABLE);
        }
        class->wake(r);
        assert_int_equal(class->poll(r, REACTOR_FOREVER, ready, MOST), 0);
    }
    expect_quiet();
}

static _Atomic int signals; /* atomic */

static void on_signal(int number)
{
    if (number == SIGUSR2) {
        atomic_store(&woken, true);
        class->wake(r);
    }
    atomic_fetch_add(&signals, 1);
}

static pthread_t tester;

/* Returns when it has been handled. */
static void signal_tester(int number)
{
    int before = atomic_load(&signals);

    while (atomic_load(&signals) == before) {
        pthread_kill(tester, number);
        sched_yield();
    }
}

static void *interrupt_and_send(void *argument)
{
    until_detached(argument);
    for (int i = 0; i < SIGNALS; i++)
        signal_tester(SIGUSR1);
    if (write(pair[1], "x", 1) != 1)
        abort();
    return NULL;
}

static void signals_end_no_wait(void)
{
    pthread_t other;
    int count = 0;

    tester = pthread_self();
    watch(pair[0], READABLE);
    assert_int_equal(pthread_create(&other, NULL, interrupt_and_send, thread_self), 0);
    while (count == 0)
        count = io_poll(r, REACTOR_FOREVER, ready, MOST);
    assert_int_equal(count, 1);
    pthread_join(other, NULL);
}

static void *interrupt_and_wake(void *argument)
{
    until_detached(argument);
    signal_tester(SIGUSR2);
    return NULL;
}

static void a_signal_handler_wakes_it(void)
{
    pthread_t other;

    tester = pthread_self();
    assert_int_equal(pthread_create(&other, NULL, interrupt_and_wake, thread_self), 0);
    poll_until_woken();
    pthread_join(other, NULL);
}

/* ---- counts ---- */

#define TEXT_OF(policy) #policy
#define NAME_OF(policy) TEXT_OF(policy)

/* Policies in which the last decref destroys, be it late: by who merges what others have queued. */
static bool merges(void)
{
    static const char *const names[] = { "atomic", "biased", "biased_suspend", "locked" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(NAME_OF(RC_POLICY), names[i]) == 0)
            return true;
    return false;
}

struct stranger {
    struct thread *tester;
    struct gil *gil;
    struct object *dropped; /* of the tester's making */
    _Atomic bool has_dropped, freed;
    bool in_time;
};

/* A thread of the runtime, which drops what the tester has made, and looks whether it is destroyed
 * while that sleeps. */
static void *drop_and_look(void *argument)
{
    struct stranger *s = argument;
    struct thread self = { .locks_containers = true };

    if (thread_start(&self, s->gil, &object_hooks) < 0)
        abort();
    decref(s->dropped);
    atomic_store(&s->has_dropped, true);
    thread_detach(&self);
    until_detached(s->tester);
    for (int i = 0; i < PATIENCE_MS && !s->in_time; i++) {
        s->in_time = atomic_load(&s->freed);
        usleep(1000);
    }
    thread_attach(&self);
    thread_stop(&self);
    atomic_store(&woken, true);
    class->wake(r);
    return NULL;
}

static void what_others_have_counted_is_merged_before_it_sleeps(void)
{
    struct stranger s = { .tester = thread_self, .gil = thread_self->gil };
    pthread_t other;

    if (!merges())
        skip();
    s.dropped = int_new(1 << 20);
    tell_freed(s.dropped, &s.freed);
    publish(s.dropped);
    incref(s.dropped);
    assert_int_equal(pthread_create(&other, NULL, drop_and_look, &s), 0);
    while (!atomic_load(&s.has_dropped))
        sched_yield(); /* it stays attached, and passes no safe point */
    decref(s.dropped);
    poll_until_woken();
    pthread_join(other, NULL);
    assert_true(s.in_time);
}

/* ---- threads ---- */

static void *watch_and_poll(void *unused)
{
    (void)unused;
    watch(pair[0], READABLE);
    assert_int_equal(poll_now(), 0);
    return NULL;
}

/* What one thread watched is told to the next, also when the first has ended. */
static void a_thread_may_go_on_where_another_one_ended(void)
{
    pthread_t other;

    assert_int_equal(pthread_create(&other, NULL, watch_and_poll, NULL), 0);
    pthread_join(other, NULL);
    send_byte(pair[1]);
    await_readable(pair[0]);
    read_byte(pair[0]);
    another_thread_wakes_it_and_it_waits_detached();
}

/* ---- where it is refused ---- */

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* In a child that may open `left` more: the errno with which it was refused; 255: one is left open.
 */
static int refused_without_descriptors(int left)
{
    int lowest = dup(0), error;

    close(lowest);
    limit_descriptors((rlim_t)(lowest + left));
    error = reactor_refusal(class);
    limit_descriptors(RLIM_INFINITY);
    return dup(0) == lowest ? error : 255;
}

static long refused_call(void)
{
    return strcmp(class->opens, "io_uring_setup") == 0 ? __NR_io_uring_setup : __NR_epoll_create1;
}

/* From now on this call fails so, as in a container that does not allow it. */
static void forbid(long call, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(254);
}

static int refused_by_filter(int error)
{
    forbid(refused_call(), error);
    return reactor_refusal(class);
}

static int in_child(int (*act)(int argument), int argument)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(act(argument));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* It says so, and does not ask again and again: 0. */
static int drain_what_is_refused(int error)
{
    char byte;
    struct reactor_operation op = {
        .call = REACTOR_READ, .fd = pair[0], .data = &byte, .size_bytes = 1
    };
    struct reactor *own = reactor_new(class);

    alarm(TIMEOUT_S / 4);
    if (!own || class->submit(own, &op) < 0)
        return 1;
    forbid(__NR_io_uring_enter, error);
    if (class->drain(own) == 0 || errno != error || class->finished(own))
        return 2;
    reactor_delete(own);
    return 0;
}

static void to_drain_ends_where_the_kernel_answers_no_more(void)
{
    int status;

    if (!class->drain)
        skip();
    status = in_child(drain_what_is_refused, EPERM);
    if (status == 254)
        skip();
    assert_int_equal(status, 0);
}

static void without_descriptors_it_is_refused_and_leaves_none(void)
{
    assert_int_equal(in_child(refused_without_descriptors, 0), EMFILE);
    assert_int_equal(in_child(refused_without_descriptors, 1), EMFILE);
}

static void a_kernel_that_refuses_it_is_an_error(void)
{
    int status = in_child(refused_by_filter, EPERM);

    if (status == 254)
        skip();
    assert_int_equal(status, EPERM);
    assert_int_equal(in_child(refused_by_filter, ENOSYS), ENOSYS);
}

/* ---- the list ---- */

static void test_reactors_have_names_and_epoll_is_the_standard(void **state)
{
    (void)state;
    assert_ptr_equal(reactor_standard(), reactor_named("epoll"));
    assert_null(reactor_named("kqueue"));
    reactor_use(reactor_named("uring"));
    assert_ptr_equal(reactor_standard(), reactor_named("uring"));
    reactor_use(NULL);
    assert_ptr_equal(reactor_standard(), reactor_named("epoll"));
    for (const struct named_reactor *n = reactor_list; n->name; n++)
        assert_ptr_equal(reactor_named(n->name), n->class);
}

#define of(which, test)                                                                            \
    {                                                                                              \
        .name = "test_" #which "_" #test, .test_func = perform, .setup_func = open_all,            \
        .teardown_func = close_all, .initial_state = &(struct run){ #which, test },                \
    }
#define of_both(test) of(epoll, test), of(uring, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        of_both(tells_what_is_watched_and_ready_again_and_again),
        of_both(tells_nothing_that_is_not_wanted),
        of_both(a_file_may_be_watched_again_and_again),
        of_both(a_hang_up_is_told_to_who_reads_and_who_writes),
        of_both(what_cannot_be_watched_is_an_error),
        of_both(more_is_ready_than_was_asked_for),
        of_both(many_files_are_told_each),
        of_both(a_number_is_watched_for_the_file_that_has_it_now),
        of_both(who_sleeps_hears_of_a_number_used_again),
        of_both(who_never_sleeps_hears_of_a_number_used_again),
        of_both(many_numbers_are_used_again),
        of_both(a_file_that_lives_on_does_not_stand_for_another),
        of_both(what_is_forgotten_can_be_closed),
        of_both(what_is_forgotten_may_live_on),
        of_both(what_is_not_wanted_any_more_can_be_closed),
        of_both(what_was_wanted_otherwise_can_be_closed),
        of_both(a_number_that_is_closed_is_told_as_ready),
        of_both(a_deadline_is_not_early),
        of_both(another_thread_wakes_it_and_it_waits_detached),
        of_both(a_wake_up_that_comes_early_is_kept),
        of_both(a_wake_up_is_kept_beside_what_is_watched),
        of_both(signals_end_no_wait),
        of_both(a_signal_handler_wakes_it),
        of_both(what_others_have_counted_is_merged_before_it_sleeps),
        of_both(a_thread_may_go_on_where_another_one_ended),
        of(uring, to_drain_ends_where_the_kernel_answers_no_more),
        of_both(without_descriptors_it_is_refused_and_leaves_none),
        of_both(a_kernel_that_refuses_it_is_an_error),
        cmocka_unit_test(test_reactors_have_names_and_epoll_is_the_standard),
    };
    /* Without SA_RESTART: the kernel restarts nothing by itself. */
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    alarm(TIMEOUT_S);
    return run_attached(tests);
}
