/* process.c - a program under watch: started, listened to, ended with all that it started. */
#include "lab/process.h"

#include "gil/mutex.h"
#include "lab/family.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 50, LOOK_NS = LOOK_MS * NS_PER_MS, FAMILY_LOOK_NS = NS_PER_S / 2 };

enum { STOPPED_NS = NS_PER_S / 2 }; /* so long nothing takes in between two looks */

enum { READ, WRITE }; /* the ends of a pipe */

struct process {
    const struct program *program;
    const struct process_limits *limits;
    struct process_report *report;
    struct family family;
    pid_t pid, parent;
    int empty;                        /* its standard input */
    int out[2], error[2], refusal[2]; /* refusal: errno of an exec that failed */
    int gone;                         /* a pidfd: readable when the program has ended */
    int memory;                       /* its /proc/PID/statm */
    uint64_t started_ns, memory_looked_ns, family_due_ns;
};

static void close_all(int *const fds[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (*fds[i] >= 0) {
            close(*fds[i]);
            *fds[i] = -1;
        }
}

/* What only the program is to hold open: as long as we do, too, its pipes do not end. */
static void close_its_ends(struct process *p)
{
    int *const fds[] = { &p->empty, &p->out[WRITE], &p->error[WRITE], &p->refusal[WRITE] };

    close_all(fds, sizeof fds / sizeof *fds);
}

static void close_our_ends(struct process *p)
{
    int *const fds[] = { &p->out[READ], &p->error[READ], &p->refusal[READ], &p->gone, &p->memory };

    close_all(fds, sizeof fds / sizeof *fds);
}

/* Only our end does not block: the program's is as any program expects it. */
static int open_stream(int ends[2])
{
    return pipe2(ends, O_CLOEXEC) < 0 ? -1 : fcntl(ends[READ], F_SETFL, O_NONBLOCK);
}

static int open_pipes(struct process *p)
{
    p->empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (p->empty < 0 || open_stream(p->out) < 0 || open_stream(p->error) < 0)
        return -1;
    return pipe2(p->refusal, O_CLOEXEC);
}

/* A byte more than is allowed, to see that it is too much, and one to end it. It takes no
 * memory until it is written to. */
static int make_room(const struct process *p)
{
    p->report->out.bytes = malloc(p->limits->output_bytes + 2);
    p->report->error.bytes = malloc(p->limits->output_bytes + 2);
    if (!p->report->out.bytes || !p->report->error.bytes)
        return -1;
    *p->report->out.bytes = *p->report->error.bytes = '\0';
    return 0;
}

/* To raise it needs no privilege. Where it cannot be, the kernel chooses as it does. */
static void offer_to_oom_killer(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t written = write(fd, "1000", 4);

    (void)written;
    close(fd);
}

static void reset_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the new process, which uses our memory until it is the program: it calls the kernel
 * and writes nothing. Its own group, so that Ctrl-C is ours to handle. */
static _Noreturn void become_program(const struct process *p)
{
    ssize_t told;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != p->parent)
        _exit(127);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    offer_to_oom_killer();
    dup2(p->empty, STDIN_FILENO);
    dup2(p->out[WRITE], STDOUT_FILENO);
    dup2(p->error[WRITE], STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    reset_signals();
    execve(p->program->path, p->program->arguments, p->program->environment);
    told = write(p->refusal[WRITE], &errno, sizeof errno);
    (void)told;
    _exit(127);
}

/* fork copies the page tables first: with 200 MB resident, /bin/true takes 9 ms instead of
 * 0.5. After vfork nothing is copied, and we stand still until the exec. No signal's handler
 * may run in there, for it would write into our memory. posix_spawn does the same, but
 * knows no PR_SET_PDEATHSIG. */
static pid_t spawn(const struct process *p)
{
    sigset_t all, before;
    int cause;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = vfork();
    if (pid == 0)
        become_program(p);
    cause = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = cause;
    return pid;
}

/* 0, or -1 and errno: as the new process found it when it wanted to be the program. */
static int hear_refusal(const struct process *p)
{
    int cause;
    ssize_t got;

    do
        got = read(p->refusal[READ], &cause, sizeof cause);
    while (got < 0 && errno == EINTR);
    if (got != sizeof cause)
        return 0;
    errno = cause;
    return -1;
}

/* 0, or -1 and errno; then, too, there may be a process to be reaped. */
static int start(struct process *p)
{
    char path[32];

    if (make_room(p) < 0 || open_pipes(p) < 0)
        return -1;
    p->started_ns = clock_ns();
    p->family_due_ns = p->started_ns + FAMILY_LOOK_NS;
    p->pid = spawn(p);
    if (p->pid < 0)
        return -1;
    close_its_ends(p);
    if (hear_refusal(p) < 0)
        return -1;
    p->gone = pidfd_open(p->pid, 0);
    snprintf(path, sizeof path, "/proc/%d/statm", p->pid);
    p->memory = open(path, O_RDONLY | O_CLOEXEC);
    return p->gone < 0 || p->memory < 0 ? -1 : 0;
}

/* Bytes; 0 at the stream's end or when it is full; -1 if there is nothing now. */
static ssize_t hear(const struct process *p, int fd, struct process_text *text)
{
    ssize_t got;

    do
        got = read(fd, text->bytes + text->count, p->limits->output_bytes + 1 - text->count);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        text->count += (size_t)got;
    text->bytes[text->count] = '\0';
    return got;
}

static bool over_output(const struct process *p)
{
    return p->report->out.count > p->limits->output_bytes ||
           p->report->error.count > p->limits->output_bytes;
}

/* 0 if it has just ended. */
static uint64_t own_memory_bytes(const struct process *p)
{
    char text[64];
    unsigned long pages = 0;
    ssize_t got = pread(p->memory, text, sizeof text - 1, 0);

    text[got > 0 ? got : 0] = '\0';
    return sscanf(text, "%*u %lu", &pages) == 1 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Each look takes a little from those who are being measured: 9 us for each process of the
 * machine, if it is at the family. Of the time that takes at most a hundredth. */
static bool family_over_memory(struct process *p, uint64_t now_ns)
{
    uint64_t bytes = family_memory_bytes(&p->family);
    uint64_t took_ns = clock_ns() - now_ns;

    p->family_due_ns = now_ns + FAMILY_LOOK_NS + 100 * took_ns;
    return bytes > p->limits->memory_bytes;
}

static bool over_memory(struct process *p, uint64_t now_ns)
{
    if (!p->limits->memory_bytes || now_ns - p->memory_looked_ns < LOOK_NS)
        return false;
    p->memory_looked_ns = now_ns;
    if (own_memory_bytes(p) > p->limits->memory_bytes)
        return true;
    return now_ns >= p->family_due_ns && family_over_memory(p, now_ns);
}

/* A gap between two looks is time in which this process itself stood still (Ctrl-Z, a closed
 * lid): the program, which may long have ended, is not to pay for it. */
static enum process_end watch(struct process *p, const volatile int *interrupted)
{
    struct pollfd fds[] = { { .fd = p->out[READ], .events = POLLIN },
                            { .fd = p->error[READ], .events = POLLIN },
                            { .fd = p->gone, .events = POLLIN } };
    struct process_text *const texts[] = { &p->report->out, &p->report->error };
    uint64_t looked_ns = p->started_ns, deadline_ns = p->started_ns + p->limits->time_ns;

    while (!*interrupted) {
        uint64_t now_ns = clock_ns();

        if (now_ns - looked_ns > STOPPED_NS)
            deadline_ns += now_ns - looked_ns;
        looked_ns = now_ns;
        if (now_ns > deadline_ns)
            return PROCESS_OVER_TIME;
        if (over_memory(p, now_ns))
            return PROCESS_OVER_MEMORY;
        if (poll(fds, 3, LOOK_MS) <= 0)
            continue;
        for (int i = 0; i < 2; i++)
            if (fds[i].revents && hear(p, fds[i].fd, texts[i]) == 0)
                fds[i].fd = -1;
        if (over_output(p))
            return PROCESS_OVER_OUTPUT;
        if (fds[2].revents)
            return PROCESS_ENDED;
    }
    return PROCESS_INTERRUPTED;
}

/* The group before it is reaped: until then its number is nobody else's. */
static void end_program(const struct process *p)
{
    kill(-p->pid, SIGKILL);
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, &p->report->wait_status, 0) < 0 && errno == EINTR)
        ;
}

/* What is in the pipes when nobody is left to write. */
static void hear_rest(const struct process *p)
{
    while (hear(p, p->out[READ], &p->report->out) > 0)
        ;
    while (hear(p, p->error[READ], &p->report->error) > 0)
        ;
    if (p->report->end == PROCESS_ENDED && over_output(p))
        p->report->end = PROCESS_OVER_OUTPUT;
}

void process_run(const struct program *program, const struct process_limits *limits,
                 const volatile int *interrupted, struct process_report *report)
{
    struct process p = { .program = program,
                         .limits = limits,
                         .report = report,
                         .parent = getpid(),
                         .empty = -1,
                         .out = { -1, -1 },
                         .error = { -1, -1 },
                         .refusal = { -1, -1 },
                         .gone = -1,
                         .memory = -1 };

    *report = (struct process_report){ .end = PROCESS_NOT_STARTED };
    if (family_begin(&p.family) < 0) {
        report->cause = errno;
        return;
    }
    if (start(&p) < 0)
        report->cause = errno;
    else
        report->end = watch(&p, interrupted);
    close_its_ends(&p);
    if (p.pid > 0)
        end_program(&p);
    family_end(&p.family);
    if (report->end != PROCESS_NOT_STARTED)
        hear_rest(&p);
    close_our_ends(&p);
    report->lived_ns = clock_ns() - p.started_ns;
}

void process_report_free(struct process_report *report)
{
    free(report->out.bytes);
    free(report->error.bytes);
    *report = (struct process_report){ 0 };
}

/* For reading, so that results do not seem written either. */
void process_keep_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", O_RDONLY);
}
