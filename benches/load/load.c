/* load.c - the parent's side of a load. */
#include "benches/load/load.h"

#include "benches/load/shared.h"
#include "coroutines/tls/session.h"
#include "gil/mutex.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FEW = 64 /* descriptors that a process has anyway */, STOP_MS = 5000 };

struct load {
    struct load_order order; /* set once */
    pid_t pid;               /* set once */
    int pidfd;               /* set once */
    _Atomic bool reaped;     /* release, acquire; by who has waited for its end */
};

const char *const load_error_names[LOAD_ERRORS] = {
    [LOAD_REFUSED] = "not connected",  [LOAD_RESET] = "reset",         [LOAD_CLOSED] = "closed",
    [LOAD_WRONG] = "wrong answer",     [LOAD_INSECURE] = "insecure",   [LOAD_STATUS] = "not 200",
    [LOAD_MALFORMED] = "malformed",    [LOAD_LOST] = "lost",           [LOAD_SYSTEM] = "failed",
    [LOAD_LATE] = "no answer in time",
};

/* ---- its start ---- */

int load_make_room(int descriptors, char why[LOAD_WHY_BYTES])
{
    rlim_t wanted = (rlim_t)descriptors + FEW;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) {
        snprintf(why, LOAD_WHY_BYTES,
                 "%d connections need %llu descriptors, and the hard limit (ulimit -Hn) is %llu",
                 descriptors, (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
        errno = EMFILE;
        return -1;
    }
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= wanted)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static bool is_possible(const struct load_plan *p)
{
    int most = p->protocol == LOAD_UDP ? LOAD_RECEIVE_BYTES : LOAD_MESSAGE_MOST;
    int least = p->protocol == LOAD_HTTP ? 0 : LOAD_MESSAGE_LEAST;

    return p->connections >= 1 && p->connections <= LOAD_CONNECTIONS_MOST && p->idle >= 0 &&
           p->idle <= p->connections && p->message_bytes >= least && p->message_bytes <= most &&
           p->rate >= 0 && p->exchanges >= 0 && p->life_ns > 0 &&
           !(p->protocol == LOAD_UDP && p->trusted) &&
           !(p->spread && p->address.ss_family != AF_INET);
}

static void *map(size_t size_bytes, int how)
{
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* What there is of it. */
static void drop(struct load *load)
{
    struct load_order *o = &load->order;

    if (o->shared)
        munmap(o->shared, sizeof *o->shared);
    if (o->arena)
        munmap(o->arena, load_arena_bytes(&o->plan));
    close_if_open(o->told);
    close_if_open(o->bell);
    close_if_open(load->pidfd);
    tls_context_free(o->trusting);
    free(load);
}

/* 0; or -1, errno, and perhaps `why`. */
static int prepare_trust(struct load_order *o, char why[LOAD_WHY_BYTES])
{
    struct tls_error e;

    if (!o->plan.trusted)
        return 0;
    o->trusting = tls_client_context(o->plan.trusted, &e);
    o->plan.trusted = NULL;
    if (o->trusting)
        return 0;
    snprintf(why, LOAD_WHY_BYTES, "no load: whom to trust: %s", e.text);
    errno = e.what == TLS_NO_MEMORY ? ENOMEM : EINVAL;
    return -1;
}

static int prepare(struct load *load, const struct load_plan *plan, char why[LOAD_WHY_BYTES])
{
    struct load_order *o = &load->order;

    *load = (struct load){ .order = { .plan = *plan, .told = -1, .bell = -1 },
                           .pidfd = -1 };
    if (!is_possible(plan)) {
        if (plan->connections > LOAD_CONNECTIONS_MOST)
            snprintf(why, LOAD_WHY_BYTES, "no load: %d connections, and it has %d at most",
                     plan->connections, LOAD_CONNECTIONS_MOST);
        errno = EINVAL;
        return -1;
    }
    if (prepare_trust(o, why) < 0)
        return -1;
    o->shared = map(sizeof *o->shared, MAP_SHARED);
    o->arena = map(load_arena_bytes(plan), MAP_PRIVATE);
    if (!o->shared || !o->arena)
        return -1;
    atomic_store_explicit(&o->shared->first_kind, -1, memory_order_relaxed);
    o->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    o->bell = o->told < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return o->bell < 0 ? -1 : 0;
}

/* From here on the process has only its own. */
static void keep_only(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);

    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    if (low > 3)
        close_range(3, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0u, 0);
}

static void reset_signals(void)
{
    static const int ours[] = { SIGALRM, SIGHUP, SIGQUIT, SIGSEGV, SIGABRT };
    sigset_t none;

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        signal(ours[i], SIG_DFL);
    /* A terminal's Ctrl-C is for all of a group, but who has started it decides. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Nothing here may take a lock that another thread had at the fork, or allocate; over TLS OpenSSL
 * does (decisions/40). */
static _Noreturn void become_load(const struct load_order *o, pid_t parent)
{
    char why[LOAD_WHY_BYTES];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    reset_signals();
    prctl(PR_SET_NAME, "load");
    prctl(PR_SET_TIMERSLACK, 1);
    keep_only(o->told, o->bell);
    load_make_room(o->plan.connections, why);          /* was looked at before the fork */
    alarm((unsigned)(o->plan.life_ns / NS_PER_S) + 2); /* if it should hang */
    load_drive(o);
}

static int start(struct load *load)
{
    pid_t parent = getpid();

    load->pid = fork();
    if (load->pid == 0)
        become_load(&load->order, parent);
    if (load->pid < 0)
        return -1;
    load->pidfd = (int)syscall(SYS_pidfd_open, load->pid, 0);
    if (load->pidfd >= 0)
        return 0;
    kill(load->pid, SIGKILL);
    waitpid(load->pid, NULL, 0);
    return -1;
}

/* The limit is the process's to raise, but the hard one is the same here. */
static int look_at_limit(const struct load_plan *plan, char why[LOAD_WHY_BYTES])
{
    struct rlimit before;
    int result;

    getrlimit(RLIMIT_NOFILE, &before);
    result = load_make_room(plan->connections, why);
    if (result == 0)
        setrlimit(RLIMIT_NOFILE, &before);
    return result;
}

struct load *load_start(const struct load_plan *plan, char why[LOAD_WHY_BYTES])
{
    struct load *load;
    int error;

    *why = '\0';
    if (look_at_limit(plan, why) < 0)
        return NULL;
    load = malloc(sizeof *load);
    if (load && prepare(load, plan, why) == 0 && start(load) == 0) {
        munmap(load->order.arena, load_arena_bytes(plan));
        load->order.arena = NULL;
        return load;
    }
    error = errno;
    if (!*why)
        snprintf(why, LOAD_WHY_BYTES, "no load: %s", strerror(error));
    if (load)
        drop(load);
    errno = error;
    return NULL;
}

/* ---- while it runs ---- */

static void ring(const struct load *load)
{
    uint64_t one = 1;

    if (write(load->order.bell, &one, sizeof one) < 0)
        return; /* full: it has been rung often enough */
}

static bool has_ended(const struct load *load)
{
    return atomic_load_explicit(&load->order.shared->state, memory_order_acquire) == LOAD_ENDED;
}

static bool is_open(const struct load *load)
{
    return atomic_load_explicit(&load->order.shared->state, memory_order_acquire) == LOAD_OPEN;
}

/* Until it has told something, or died. False: neither, by then. */
static bool wait_for_word(const struct load *load, uint64_t deadline_ns)
{
    struct pollfd files[2] = { { .fd = load->pidfd, .events = POLLIN },
                               { .fd = load->order.told, .events = POLLIN } };
    uint64_t now_ns = clock_ns(), told;
    struct timespec left = timespec_of_ns(now_ns < deadline_ns ? deadline_ns - now_ns : 0);
    int ready = ppoll(files, 2, &left, NULL);

    if (ready > 0 && files[1].revents && read(load->order.told, &told, sizeof told) < 0)
        return true;
    return ready != 0;
}

static bool is_reaped(const struct load *load)
{
    return atomic_load_explicit(&load->reaped, memory_order_acquire);
}

static bool is_dead(const struct load *load)
{
    struct pollfd file = { .fd = load->pidfd, .events = POLLIN };

    return is_reaped(load) || poll(&file, 1, 0) > 0;
}

/* Why there is no load any more, or not yet. */
static int say_why(const struct load *load, char why[LOAD_WHY_BYTES])
{
    const struct load_shared *s = load->order.shared;

    if (!load_tell(load, why, LOAD_WHY_BYTES))
        snprintf(why, LOAD_WHY_BYTES, "load: %llu of %d connections are open%s",
                 (unsigned long long)atomic_load_explicit(&s->open, memory_order_relaxed),
                 load->order.plan.connections, is_dead(load) ? ", and it has ended" : "");
    return -1;
}

int load_wait_open(struct load *load, uint64_t deadline_ns, char why[LOAD_WHY_BYTES])
{
    *why = '\0';
    while (!is_open(load))
        if (has_ended(load) || is_dead(load) || load_errors_of_all_kinds(load) ||
            !wait_for_word(load, deadline_ns))
            return is_open(load) ? 0 : say_why(load, why);
    return 0;
}

void load_go(struct load *load)
{
    atomic_store_explicit(&load->order.shared->going, true, memory_order_relaxed);
    ring(load);
}

void load_record(struct load *load, bool record)
{
    atomic_store_explicit(&load->order.shared->recording, record, memory_order_release);
    ring(load);
}

bool load_look(struct load *load, uint64_t ns)
{
    uint64_t deadline_ns = clock_ns() + ns;

    while (!has_ended(load) && !is_dead(load))
        if (!wait_for_word(load, deadline_ns))
            return true;
    return false;
}

/* ---- its end ---- */

/* The flag first: what fails because of what the caller does next is then no error. */
void load_ask_stop(struct load *load)
{
    atomic_store_explicit(&load->order.shared->stopping, true, memory_order_release);
    ring(load);
}

void load_stop(struct load *load)
{
    struct pollfd file = { .fd = load->pidfd, .events = POLLIN };
    uint64_t deadline_ns = clock_ns() + (uint64_t)STOP_MS * NS_PER_MS;

    if (is_reaped(load))
        return;
    load_ask_stop(load);
    while (poll(&file, 1, STOP_MS) < 0 && clock_ns() < deadline_ns)
        ;
    if (!file.revents)
        kill(load->pid, SIGKILL);
    while (waitpid(load->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    atomic_store_explicit(&load->reaped, true, memory_order_release);
}

void load_free(struct load *load)
{
    if (!load)
        return;
    load_stop(load);
    drop(load);
}

/* ---- what came of it ---- */

const _Atomic uint64_t *load_answers(const struct load *load)
{
    return &load->order.shared->answers;
}

static uint64_t value_of(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

pid_t load_process(const struct load *load)
{
    return load->pid;
}

uint64_t load_asked(const struct load *load)
{
    return value_of(&load->order.shared->asked);
}

uint64_t load_open(const struct load *load)
{
    return value_of(&load->order.shared->open);
}

uint64_t load_opened(const struct load *load)
{
    return value_of(&load->order.shared->opened);
}

uint64_t load_overdue(const struct load *load)
{
    return value_of(&load->order.shared->overdue);
}

uint64_t load_errors(const struct load *load, enum load_error kind)
{
    return value_of(&load->order.shared->error[kind]);
}

uint64_t load_errors_of_all_kinds(const struct load *load)
{
    uint64_t sum = 0;

    for (int kind = 0; kind < LOAD_ERRORS; kind++)
        sum += load_errors(load, (enum load_error)kind);
    return sum;
}

/* The kernel knows it while the process lives, and it says so itself when it ends. */
uint64_t load_cpu_ns(const struct load *load)
{
    uint64_t at_end = value_of(&load->order.shared->cpu_ns);
    struct timespec used;
    clockid_t clock;

    if (at_end || is_reaped(load) || clock_getcpuclockid(load->pid, &clock) ||
        clock_gettime(clock, &used))
        return at_end;
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

const struct histogram *load_latency(const struct load *load)
{
    return &load->order.shared->latency;
}

/* Of the time in which it recorded. */
static double share(const struct load_shared *s, int64_t from_ns, int64_t to_ns)
{
    if (!s->from.now_ns || s->to.now_ns <= s->from.now_ns || from_ns < 0 || to_ns < from_ns)
        return -1;
    return (double)(to_ns - from_ns) / (double)(s->to.now_ns - s->from.now_ns);
}

double load_busy(const struct load *load)
{
    const struct load_shared *s = load->order.shared;

    return share(s, (int64_t)s->from.cpu_ns, (int64_t)s->to.cpu_ns);
}

double load_held_up(const struct load *load)
{
    const struct load_shared *s = load->order.shared;

    return share(s, s->from.held_up_ns, s->to.held_up_ns);
}

static void tell_errors(const struct load *load, char *text, size_t size_bytes)
{
    const struct load_shared *s = load->order.shared;
    int first = atomic_load_explicit(&s->first_kind, memory_order_acquire);
    int error = atomic_load_explicit(&s->first_error, memory_order_relaxed);
    const char *words = error ? strerror(error) : s->first_words;
    size_t used = 0;

    for (int kind = 0; kind < LOAD_ERRORS && used < size_bytes; kind++) {
        uint64_t count = load_errors(load, (enum load_error)kind);

        if (count)
            used += (size_t)snprintf(text + used, size_bytes - used, "%s%llu %s",
                                     used ? ", " : "load: ", (unsigned long long)count,
                                     load_error_names[kind]);
    }
    if (first >= 0 && *words && used < size_bytes)
        snprintf(text + used, size_bytes - used, " (first %s: %s)", load_error_names[first], words);
}

/* Also if it was another's processor time that it lacked: then, too, the server waits for it. */
static void tell_bottleneck(const struct load *load, char *text, size_t size_bytes)
{
    double ran = is_reaped(load) ? load_busy(load) * 100 : -1, waited = load_held_up(load) * 100;

    if (ran > LOAD_BUSY_PERCENT)
        snprintf(text, size_bytes, "the load was the bottleneck: it was busy %.0f %% of the time",
                 ran);
    else if (ran >= 0 && waited >= 0 && ran + waited > LOAD_BUSY_PERCENT)
        snprintf(text, size_bytes,
                 "the load was the bottleneck: it ran %.0f %% of the time, and waited for a "
                 "processor %.0f %%", ran, waited);
}

/* Some always are on their way: as many as are due in a twentieth of a second are told. */
static void tell_overdue(const struct load *load, char *text, size_t size_bytes)
{
    uint64_t overdue = load->order.plan.rate ? load_overdue(load) : 0;

    if (overdue * 20 > (uint64_t)load->order.plan.rate)
        snprintf(text, size_bytes, "%llu requests were due and not sent: they are in no latency",
                 (unsigned long long)overdue);
}

static void append(char *text, size_t size_bytes, const char *more)
{
    size_t used = strlen(text);

    if (*more && used < size_bytes)
        snprintf(text + used, size_bytes - used, "%s%s", used ? "; " : "", more);
}

bool load_tell(const struct load *load, char *text, size_t size_bytes)
{
    char overdue[LOAD_WHY_BYTES] = "", bottleneck[LOAD_WHY_BYTES] = "";

    *text = '\0';
    tell_errors(load, text, size_bytes);
    tell_overdue(load, overdue, sizeof overdue);
    append(text, size_bytes, overdue);
    tell_bottleneck(load, bottleneck, sizeof bottleneck);
    append(text, size_bytes, bottleneck);
    return *text;
}
