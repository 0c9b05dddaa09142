/* offspring.c - forking them, hearing of them, burying them. */
#include "lab/offspring.h"

#include "benches/unit.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void *offspring_memory(size_t size_bytes)
{
    void *memory =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void offspring_free(void *memory, size_t size_bytes)
{
    if (memory)
        munmap(memory, size_bytes);
}

/* A parent that died before the call would not be noticed. */
static void die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

pid_t offspring_fork(struct offspring *all, int number)
{
    struct offspring *o = &all[number];
    pid_t parent = getpid();
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    o->process = fork();
    if (o->process == 0) {
        die_with_parent(parent);
        close(pair[0]);
        for (int i = 0; i < number; i++)
            close(all[i].socket);
        o->socket = pair[1];
        return 0;
    }
    close(pair[1]);
    o->socket = pair[0];
    if (o->process > 0)
        return o->process;
    o->process = 0;
    return -1;
}

void offspring_tell(const struct offspring *o)
{
    while (send(o->socket, &(char){ RECORD_NEWS }, 1, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

void offspring_fail(const struct offspring *o, const char *note)
{
    snprintf(o->told->note, sizeof o->told->note, "%s", note);
    atomic_store_explicit(&o->told->failed, true, memory_order_release);
    offspring_tell(o);
}

static ssize_t receive(const struct offspring *o, int flags)
{
    char first;
    ssize_t length;

    do
        length = recv(o->socket, &first, 1, flags);
    while (length < 0 && errno == EINTR);
    return length;
}

void offspring_wait(const struct offspring *o)
{
    receive(o, MSG_PEEK);
}

void offspring_drain(const struct offspring *o)
{
    while (receive(o, 0) > 0)
        ;
}

static void describe_end(int number, int status, char *text, size_t size_bytes)
{
    if (WIFSIGNALED(status))
        snprintf(text, size_bytes, "process %d died: %s", number, strsignal(WTERMSIG(status)));
    else
        snprintf(text, size_bytes, "process %d left before its end (status %d)", number,
                 WEXITSTATUS(status));
}

void offspring_bury(struct offspring *o, int number, char *text, size_t size_bytes)
{
    int status = 0;
    pid_t buried;

    do
        buried = waitpid(o->process, &status, 0);
    while (buried < 0 && errno == EINTR);
    o->process = 0;
    *text = '\0';
    if (status || !atomic_load_explicit(&o->told->done, memory_order_acquire))
        describe_end(number, status, text, size_bytes);
}

/* Not gil/futex.h, which is for the threads of one process. */
void phase_sleep(_Atomic int *phase, int while_it_is)
{
    syscall(SYS_futex, phase, FUTEX_WAIT, while_it_is, NULL, NULL, 0);
}

void phase_wake(_Atomic int *phase)
{
    syscall(SYS_futex, phase, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
