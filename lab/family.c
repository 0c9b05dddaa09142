/* family.c - every process that came from those that we start, by what /proc tells. */
#include "lab/family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
    pid_t pid, parent;
    uint64_t resident_bytes;
    bool member;
};

struct processes {
    struct process *item; /* owned */
    size_t count, room;
};

/* proc(5): behind the name, which may hold anything, come state and parent; the resident
 * pages are the 24th field of all. */
static bool parse_stat(const char *text, struct process *p)
{
    const char *rest = strrchr(text, ')');
    long pages;

    if (!rest || sscanf(rest + 1,
                        " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                        " %*s %*s %*s %*s %*s %ld",
                        &p->parent, &pages) != 2)
        return false;
    p->resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

/* False if it has gone meanwhile. */
static bool read_process(int proc, const char *pid, struct process *p)
{
    char path[32], text[1024];
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "%.20s/stat", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    *p = (struct process){ .pid = atoi(pid) };
    return parse_stat(text, p);
}

static bool next_process(DIR *proc, struct process *p)
{
    struct dirent *entry;

    while ((entry = readdir(proc)))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            read_process(dirfd(proc), entry->d_name, p))
            return true;
    return false;
}

/* Each step with no child at all, the usual case, costs one system call. */
static bool has_children(void)
{
    siginfo_t one;

    return waitid(P_ALL, 0, &one, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

static int add_other(struct family *family, pid_t pid)
{
    pid_t *more = realloc(family->other, (family->others + 1) * sizeof *more);

    if (!more)
        return -1;
    family->other = more;
    family->other[family->others++] = pid;
    return 0;
}

static int list_others(struct family *family)
{
    DIR *proc = opendir("/proc");
    struct process p;
    int status = 0;

    if (!proc)
        return -1;
    while (status == 0 && next_process(proc, &p))
        if (p.parent == getpid())
            status = add_other(family, p.pid);
    closedir(proc);
    return status;
}

int family_begin(struct family *family)
{
    *family = (struct family){ 0 };
    /* Whoever started us may have had SIGCHLD ignored: then the kernel reaps by itself, and
     * how a child ended is not to be known. */
    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return -1;
    if (has_children() && list_others(family) < 0) {
        free(family->other);
        return -1;
    }
    return 0;
}

static bool is_ours(const struct family *family, const struct process *p)
{
    if (p->parent != getpid())
        return false;
    for (size_t i = 0; i < family->others; i++)
        if (family->other[i] == p->pid)
            return false;
    return true;
}

static bool add_process(struct processes *all, const struct process *p)
{
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 256;
        struct process *more = realloc(all->item, room * sizeof *more);

        if (!more)
            return false;
        all->item = more;
        all->room = room;
    }
    all->item[all->count++] = *p;
    return true;
}

static int by_pid(const void *key, const void *item)
{
    pid_t pid = *(const pid_t *)key, other = ((const struct process *)item)->pid;

    return (pid > other) - (pid < other);
}

/* The kernel lists /proc by rising numbers. */
static bool parent_is_member(const struct processes *all, const struct process *p)
{
    const struct process *parent =
        bsearch(&p->parent, all->item, all->count, sizeof *all->item, by_pid);

    return parent && parent->member;
}

/* Until nobody new is found: a child's number may be lower than its parent's. */
static void mark_descendants(struct processes *all)
{
    bool found = true;

    while (found) {
        found = false;
        for (size_t i = 0; i < all->count; i++) {
            struct process *p = &all->item[i];

            if (!p->member && parent_is_member(all, p))
                p->member = found = true;
        }
    }
}

uint64_t family_memory_bytes(const struct family *family)
{
    struct processes all = { 0 };
    DIR *proc = opendir("/proc");
    uint64_t bytes = 0;
    struct process p;

    if (!proc)
        return 0;
    while (next_process(proc, &p)) {
        p.member = is_ours(family, &p);
        if (!add_process(&all, &p))
            break;
    }
    closedir(proc);
    mark_descendants(&all);
    for (size_t i = 0; i < all.count; i++)
        if (all.item[i].member)
            bytes += all.item[i].resident_bytes;
    free(all.item);
    return bytes;
}

/* Our children, not theirs: when these have gone, theirs are ours. True if there were some. */
static bool end_children(const struct family *family, DIR *proc)
{
    bool found = false;
    struct process p;

    rewinddir(proc);
    while (next_process(proc, &p))
        if (is_ours(family, &p) && kill(p.pid, SIGKILL) == 0) {
            found = true;
            while (waitpid(p.pid, NULL, 0) < 0 && errno == EINTR)
                ;
        }
    return found;
}

void family_end(struct family *family)
{
    DIR *proc = has_children() ? opendir("/proc") : NULL;

    if (proc) {
        while (end_children(family, proc))
            ;
        closedir(proc);
    }
    free(family->other);
}
