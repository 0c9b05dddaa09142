/* child.c - a cell's window in a fresh process. */
#include "lab/child.h"

#include "gil/mutex.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_BYTES = 1 << 20, POLL_MS = 50, STOPPED_NS = NS_PER_S / 2 };

/* What the child said on its standard output and its standard error. */
struct pipe_text {
    int fd;
    size_t used;
    char text[TEXT_BYTES];
};

struct child {
    pid_t pid;
    struct pipe_text out, error;
};

/* The child's command line: the same words that a person could type. */
static void exec_cell(const struct cell *cell, const struct window *window, bool audit)
{
    char mode[2 * LABEL_MAX], threads[16], ramp[32], length[32];

    /* The races of an unsafe cell are its purpose; TSan must not end it for them. */
    if (!cell->safe)
        setenv("TSAN_OPTIONS", "report_bugs=0", 1);
    cell_mode_words(cell, audit, mode, sizeof mode);
    snprintf(threads, sizeof threads, "%d", cell->threads);
    snprintf(ramp, sizeof ramp, "%llu", (unsigned long long)window->ramp_ns);
    snprintf(length, sizeof length, "%llu", (unsigned long long)window->length_ns);
    execl("/proc/self/exe", "lab", "cell", "--workload", cell->workload, "--mode", mode,
          "--heap", cell->heap, "--threads", threads, "--ramp-ns", ramp, "--window-ns", length,
          "--bind", window->bind ? "yes" : "no", (char *)NULL);
    fprintf(stderr, "cannot run itself: %s\n", strerror(errno));
    _exit(127);
}

static int open_pipe(int ends[2])
{
    return pipe2(ends, O_CLOEXEC);
}

static int start_child(struct child *c, const struct cell *cell, const struct window *window,
                       bool audit)
{
    int out[2], error[2];
    pid_t parent = getpid();

    if (open_pipe(out) < 0)
        return -1;
    if (open_pipe(error) < 0)
        goto no_error_pipe;
    c->pid = fork();
    if (c->pid < 0)
        goto no_child;
    if (c->pid == 0) {
        /* Its own group, so that Ctrl-C is the parent's to handle. */
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
        dup2(out[1], STDOUT_FILENO);
        dup2(error[1], STDERR_FILENO);
        exec_cell(cell, window, audit);
    }
    close(out[1]);
    close(error[1]);
    c->out.fd = out[0];
    c->error.fd = error[0];
    return 0;
no_child:
    close(error[0]);
    close(error[1]);
no_error_pipe:
    close(out[0]);
    close(out[1]);
    return -1;
}

/* False at the end of what there is. What does not fit is read and dropped. */
static bool drain(struct pipe_text *p)
{
    char spill[4096];
    size_t room = sizeof p->text - 1 - p->used;
    ssize_t got = room ? read(p->fd, p->text + p->used, room) : read(p->fd, spill, sizeof spill);

    if (got < 0)
        return errno == EINTR;
    if (room)
        p->used += (size_t)got;
    p->text[p->used] = '\0';
    return got > 0;
}

/* Reads both pipes until both end. 0; 1: out of time; -1: interrupted. A gap between two
 * looks is time in which this process itself stood still (Ctrl-Z, a closed lid): the child,
 * which may long have ended, is not to pay for it. */
static int listen_to(struct child *c, uint64_t deadline_ns, const volatile int *interrupted)
{
    struct pollfd pipes[] = { { .fd = c->out.fd, .events = POLLIN },
                              { .fd = c->error.fd, .events = POLLIN } };
    struct pipe_text *texts[] = { &c->out, &c->error };
    uint64_t looked_ns = clock_ns();

    while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
        uint64_t now_ns = clock_ns();

        if (*interrupted)
            return -1;
        if (now_ns - looked_ns > STOPPED_NS)
            deadline_ns += now_ns - looked_ns;
        looked_ns = now_ns;
        if (now_ns > deadline_ns)
            return 1;
        if (poll(pipes, 2, POLL_MS) <= 0)
            continue;
        for (int i = 0; i < 2; i++)
            if (pipes[i].fd >= 0 && pipes[i].revents && !drain(texts[i]))
                pipes[i].fd = -1;
    }
    return 0;
}

/* The last line that the child said on its standard error, for the note. */
static const char *last_words(struct pipe_text *p)
{
    char *line;

    while (p->used && p->text[p->used - 1] == '\n')
        p->text[--p->used] = '\0';
    line = strrchr(p->text, '\n');
    return line ? line + 1 : p->text;
}

/* A child that fails after its result has failed: so ends one in which a sanitizer found
 * a leak or a race. */
static void judge(struct measurement *m, struct child *c, int wait_status)
{
    const char *words = last_words(&c->error);
    bool whole = measurement_read(m, c->out.text) == 0;

    if (whole && wait_status == 0)
        return;
    measurement_free(m);
    m->status = STATUS_FAILED;
    if (WIFSIGNALED(wait_status))
        snprintf(m->note, sizeof m->note, "the cell's process died: %s%s%.120s",
                 strsignal(WTERMSIG(wait_status)), *words ? ": " : "", words);
    else
        snprintf(m->note, sizeof m->note, "the cell's process left with%s a result (status %d)"
                 "%s%.120s", whole ? "" : "out", WEXITSTATUS(wait_status), *words ? ": " : "",
                 words);
}

/* Ends the whole group: a workload may have forked. */
static int end_child(const struct child *c, bool kill_it)
{
    int wait_status = 0;

    if (kill_it) {
        kill(-c->pid, SIGKILL);
        kill(c->pid, SIGKILL);
    }
    while (waitpid(c->pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    return wait_status;
}

int child_measure(const struct cell *cell, const struct window *window, bool audit,
                  uint64_t limit_ns, const volatile int *interrupted, struct measurement *m)
{
    struct child *c = calloc(1, sizeof *c);
    int heard, wait_status;

    *m = (struct measurement){ .status = STATUS_FAILED };
    if (!c || start_child(c, cell, window, audit) < 0) {
        snprintf(m->note, sizeof m->note, "no process for the cell: %s", strerror(errno));
        free(c);
        return 0;
    }
    heard = listen_to(c, clock_ns() + limit_ns, interrupted);
    wait_status = end_child(c, heard != 0);
    if (heard == 0) {
        judge(m, c, wait_status);
    } else if (heard > 0) {
        m->status = STATUS_TIMEOUT;
        snprintf(m->note, sizeof m->note, "ended after its limit of %.1f s",
                 (double)limit_ns / NS_PER_S);
    }
    close(c->out.fd);
    close(c->error.fd);
    free(c);
    return heard < 0 ? -1 : 0;
}
