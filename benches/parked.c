/* parked.c - makes units that wait, in a process of their own, and sees what has become of that. */
#include "benches/parked.h"

#include "coroutines/block.h"
#include "coroutines/generator.h"
#include "coroutines/greenlet.h"
#include "coroutines/recruit.h"
#include "coroutines/sleep.h"
#include "coroutines/stackful.h"
#include "coroutines/task.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/function.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOUR_S = 3600, TEXT_BYTES = 4096, LOOK_EACH = 64 };

/* ---- the kinds: each makes one, which waits; -1: an exception is pending ---- */

static struct object **kept; /* those that were made; the loop holds its tasks itself */
static struct object *helper; /* a loop, or a function */

static int keep(int64_t number, struct object *unit)
{
    kept[number] = unit;
    return unit ? 0 : -1;
}

static enum turn wait_in_yield(struct frame *f, enum resume how, borrowed argument,
                               struct object **result)
{
    (void)f;
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = none();
    return TURN_YIELD;
}

static const struct body waits = { .name = "waits", .resume = wait_in_yield };

static int park_generator(int64_t number)
{
    return keep(number, generator_primed(&waits, NULL, 0));
}

static int park_task(int64_t number)
{
    struct object *coroutine, *task = NULL;

    if (!helper)
        helper = loop_new();
    coroutine = helper ? sleep_new((int64_t)HOUR_S * NS_PER_S, NULL) : NULL;
    if (coroutine)
        task = task_new(helper, coroutine, NULL);
    xdecref(coroutine);
    if (!task)
        return -1;
    decref(task);
    (void)number;
    loop_stop(helper);
    return loop_run_forever(helper); /* its first step */
}

static struct object *wait_on_stack(struct stackful *self)
{
    return stackful_yield(self, none());
}

static const struct body waits_on_stack = {
    .name = "waits", .resume = stackful_turn, .stackful = wait_on_stack,
};

static int park_stackful(int64_t number)
{
    return keep(number, generator_primed(&waits_on_stack, NULL, 0));
}

/* Switches back to who has switched to it. */
static struct object *wait_in_switch(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *self = greenlet_current(), *parent = self ? greenlet_parent(self) : NULL;
    struct object *value = parent ? greenlet_switch(parent, none()) : NULL;

    (void)closure;
    (void)arguments;
    (void)count;
    xdecref(self);
    xdecref(parent);
    return value;
}

static int park_greenlet(int64_t number)
{
    struct object *value;

    if (!helper)
        helper = function_new("waits", wait_in_switch, ARGUMENTS_ANY, NULL);
    if (!helper || keep(number, greenlet_new(helper, NULL)) < 0)
        return -1;
    value = greenlet_switch(kept[number], NULL);
    xdecref(value);
    return value ? 0 : -1;
}

static _Atomic uint32_t never; /* block.h */

static void wait_for_ever(struct thread *self, struct recruit *r)
{
    (void)self;
    recruit_ready(r);
    block_until(&never, BLOCK_FOREVER, 0);
}

static int park_thread(int64_t number)
{
    struct recruit r = { .name = "waits", .body = wait_for_ever };

    (void)number;
    errno = recruit_start(&r);
    if (!errno)
        return 0;
    exception_set_errno("pthread_create");
    return -1;
}

const char *const parked_names[PARKED_KINDS] = {
    [PARKED_GENERATOR] = "generator", [PARKED_TASK] = "task in sleep",
    [PARKED_STACKFUL] = "stackful generator", [PARKED_GREENLET] = "greenlet",
    [PARKED_THREAD] = "thread",
};

static int (*const park_one[PARKED_KINDS])(int64_t number) = {
    [PARKED_GENERATOR] = park_generator, [PARKED_TASK] = park_task,
    [PARKED_STACKFUL] = park_stackful, [PARKED_GREENLET] = park_greenlet,
    [PARKED_THREAD] = park_thread,
};

/* ---- what the kernel tells ---- */

/* The number behind a name, at the beginning of a line; -1: it is not there. */
static int64_t number_in(const char *path, const char *name)
{
    FILE *file = fopen(path, "r");
    char line[200];
    int64_t number = -1;
    size_t length = strlen(name);

    while (file && number < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, name, length) == 0)
            number = strtoll(line + length, NULL, 10);
    if (file)
        fclose(file);
    return number;
}

static int64_t kilobytes_in(const char *path, const char *name)
{
    int64_t number = number_in(path, name);

    return number < 0 ? -1 : number * 1024;
}

static int64_t count_maps(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    int64_t count = 0;
    int c;

    while (file && (c = getc_unlocked(file)) != EOF)
        count += c == '\n';
    if (file)
        fclose(file);
    return count;
}

static struct parked look(void)
{
    return (struct parked){
        .resident_bytes = kilobytes_in("/proc/self/smaps_rollup", "Anonymous:"),
        .tables_bytes = kilobytes_in("/proc/self/status", "VmPTE:"),
        .maps = count_maps(),
        .stacks_bytes = kilobytes_in("/proc/meminfo", "KernelStack:"),
    };
}

/* What the machine has left, or less if this container may not have so much. -1: nobody says. */
static int64_t available_bytes(void)
{
    static const char *const limits[] = { "/sys/fs/cgroup/memory.max",
                                          "/sys/fs/cgroup/memory/memory.limit_in_bytes" };
    int64_t available = kilobytes_in("/proc/meminfo", "MemAvailable:");

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t limit = number_in(limits[i], ""); /* "max" is no number */

        if (limit > 0 && limit < available)
            available = limit;
    }
    return available;
}

/* ---- refusals ---- */

/* The limits that a process may have reached, and how much of each it has. */
static void name_limit(enum parked_kind kind, int64_t made, char *text)
{
    int64_t maps_most = number_in("/proc/sys/vm/max_map_count", ""), maps = count_maps();
    int64_t threads_most = number_in("/proc/sys/kernel/threads-max", "");
    int64_t pids_most = number_in("/sys/fs/cgroup/pids.max", "");
    struct rlimit processes = { RLIM_INFINITY, RLIM_INFINITY };
    const char *said = exception_message(exception_pending());

    getrlimit(RLIMIT_NPROC, &processes);
    if (maps_most > 0 && maps + 16 >= maps_most)
        snprintf(text, PARKED_WHY_BYTES, "vm.max_map_count: %" PRId64 " maps", maps_most);
    else if (kind == PARKED_THREAD && pids_most > 0 && made + 16 >= pids_most)
        snprintf(text, PARKED_WHY_BYTES, "the cgroup's pids.max: %" PRId64, pids_most);
    else if (kind == PARKED_THREAD && (rlim_t)made + 1000 >= processes.rlim_cur)
        snprintf(text, PARKED_WHY_BYTES, "ulimit -u: %" PRId64 " processes and threads",
                 (int64_t)processes.rlim_cur);
    else if (kind == PARKED_THREAD && threads_most > 0 && made + 1000 >= threads_most)
        snprintf(text, PARKED_WHY_BYTES, "kernel.threads-max: %" PRId64, threads_most);
    else
        snprintf(text, PARKED_WHY_BYTES, "%s: %s", type_of(exception_pending())->name, said);
}

/* ---- the process ---- */

static void make_all(enum parked_kind kind, int64_t count, struct parked *p)
{
    uint64_t until_ns = clock_ns() + (uint64_t)PARKED_TIME_S * NS_PER_S;

    for (p->made = 0; p->made < count; p->made++) {
        if (p->made % LOOK_EACH == 0 && clock_ns() > until_ns) {
            snprintf(p->why, sizeof p->why, "no more in %d s", PARKED_TIME_S);
            return;
        }
        if (park_one[kind](p->made) < 0) {
            name_limit(kind, p->made, p->why);
            return;
        }
    }
}

/* Room for what is kept is there, and resident, before the first look. */
static bool make_room(int64_t count)
{
    size_t size_bytes = (size_t)count * sizeof *kept;

    kept = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (kept == MAP_FAILED)
        return false;
    memset(kept, 0, size_bytes);
    return true;
}

static void subtract(struct parked *p, const struct parked *before, const struct parked *after)
{
    p->resident_bytes = after->resident_bytes - before->resident_bytes;
    p->tables_bytes = after->tables_bytes - before->tables_bytes;
    p->maps = after->maps - before->maps;
    p->stacks_bytes =
        before->stacks_bytes < 0 ? -1 : after->stacks_bytes - before->stacks_bytes;
}

/* Twice, for the first look makes what stdio needs. */
static _Noreturn void be_child(enum parked_kind kind, int64_t count, int out)
{
    struct parked p = { 0 }, before, after;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!make_room(count))
        _exit(1);
    look();
    before = look();
    make_all(kind, count, &p);
    after = look();
    subtract(&p, &before, &after);
    _exit(write(out, &p, sizeof p) == sizeof p ? 0 : 1);
}

static int os_failure(const char *call)
{
    exception_set_errno(call);
    return -1;
}

/* What the child has written, or how it ended. */
static int read_child(pid_t child, int in, struct parked *p)
{
    ssize_t length;
    int status = 0;

    thread_detach(thread_self);
    do
        length = read(in, p, sizeof *p);
    while (length < 0 && errno == EINTR);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) { }
    thread_attach(thread_self);
    if (length == sizeof *p)
        return 0;
    *p = (struct parked){ 0 };
    snprintf(p->why, sizeof p->why, WIFSIGNALED(status) ? "the process died of signal %d"
             : "the process ended with %d", WIFSIGNALED(status) ? WTERMSIG(status)
             : WEXITSTATUS(status));
    return 0;
}

int parked_measure(enum parked_kind kind, int64_t count, struct parked *p)
{
    int ends[2], result;
    pid_t child;

    if (pipe(ends) < 0)
        return os_failure("pipe");
    fflush(stdout);
    child = fork();
    if (child == 0)
        be_child(kind, count, ends[1]);
    close(ends[1]);
    result = child < 0 ? os_failure("fork") : read_child(child, ends[0], p);
    close(ends[0]);
    return result;
}

/* ---- the table ---- */

static int64_t together(const struct parked *p)
{
    return p->resident_bytes + p->tables_bytes + (p->stacks_bytes > 0 ? p->stacks_bytes : 0);
}

static void print_line(enum parked_kind kind, int64_t count, const struct parked *p)
{
    int64_t made = p->made ? p->made : 1;

    printf("%-18s %7" PRId64 " %9" PRId64 " %11" PRId64 " %9.2f", parked_names[kind], count,
           p->resident_bytes / made, p->tables_bytes / made, (double)p->maps / (double)made);
    if (kind == PARKED_THREAD && p->stacks_bytes >= 0)
        printf(" %12" PRId64, p->stacks_bytes / made);
    else
        printf(" %12s", "-");
    if (*p->why)
        printf("  %" PRId64 " made: %s", p->made, p->why);
    putchar('\n');
}

/* False: it was said why not. `each_bytes` is what one has taken at least. */
static bool may_try(enum parked_kind kind, int64_t count, int64_t each_bytes)
{
    int64_t available = available_bytes(), needed = each_bytes * count;

    if (available < 0 || needed <= available / PARKED_MEMORY_SHARE)
        return true;
    printf("%-18s %7" PRId64 "  not tried: it would take some %" PRId64 " MiB of %" PRId64
           " MiB, more than a quarter\n", parked_names[kind], count, needed >> 20,
           available >> 20);
    return false;
}

static int tell_kind(enum parked_kind kind, int64_t most)
{
    struct parked p = { .made = 0 };
    int64_t each_bytes = 0, now_bytes;

    for (int64_t count = 1; count <= most && !*p.why; count *= 10) {
        if (!may_try(kind, count, each_bytes))
            return 0;
        if (parked_measure(kind, count, &p) < 0)
            return -1;
        print_line(kind, count, &p);
        now_bytes = p.made ? together(&p) / p.made : 0;
        each_bytes = each_bytes && each_bytes < now_bytes ? each_bytes : now_bytes;
    }
    return 0;
}

int parked_tell(int64_t most)
{
    printf("%-18s %7s %9s %11s %9s %12s\n", "bytes for each", "count", "resident", "page tables",
           "maps", "kernel stack");
    for (int kind = 0; kind < PARKED_KINDS; kind++)
        if (tell_kind((enum parked_kind)kind, most) < 0)
            return -1;
    return 0;
}
