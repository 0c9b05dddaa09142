/* loop_threads.c - how many threads an event loop has, as the kernel counts them.
 *
 *     async def main():
 *         tasks = [create_task(sleep(0.05)) for _ in range(1000)]
 *         await sleep(0.01)                        # all of them wait: count
 *         await to_thread(nothing)                 # a first call elsewhere: count
 *         calls = [loop.run_in_executor(None, wait_for_all) for _ in range(64)]
 *         ...                                      # they wait for one another: count
 *     asyncio.run(main())                          # and after it: count
 *
 * What is counted are the folders in /proc/self/task; names are those that the kernel has.
 */
#include "benches/demo.h"
#include "benches/demo_coroutines.h"
#include "coroutines/bridge.h"
#include "coroutines/coroutine.h"
#include "coroutines/recruit.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "coroutines/task.h"
#include "gil/mutex.h"
#include "objects/function.h"
#include "objects/tuple.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLEEPERS = 1000, CALLS = 64, NAME_BYTES = 32, LINE_CHARACTERS = 84, LOOKS_MOST = 1000 };

static _Atomic uint32_t may_go; /* block.h */
static struct object *last;     /* owned; the future of the last call */
static int before;              /* threads, when there was no loop */

/* ---- counting ---- */

static void read_name(const char *thread, char *name)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%s/comm", thread);
    snprintf(name, NAME_BYTES, "?"); /* it has just gone */
    file = fopen(path, "r");
    if (file && fgets(name, NAME_BYTES, file))
        name[strcspn(name, "\n")] = '\0';
    if (file)
        fclose(file);
}

/* The main thread has the name of the program's file, which tells nobody anything. */
static void name_thread(const char *thread, char *name)
{
    if (atoi(thread) == getpid())
        snprintf(name, NAME_BYTES, "main");
    else
        read_name(thread, name);
}

/* How many there are; `each`, unless NULL, is called with the name of each. */
static int count_threads(void (*each)(const char *name, int index))
{
    DIR *folder = opendir("/proc/self/task");
    struct dirent *entry;
    char name[NAME_BYTES];
    int count = 0;

    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        name_thread(entry->d_name, name);
        if (each)
            each(name, count);
        count++;
    }
    if (folder)
        closedir(folder);
    return count;
}

static char names[1024];
static size_t column;

static void note_name(const char *name, int index)
{
    size_t used = strlen(names), length = strlen(name) + 2;
    bool wraps = column + length > LINE_CHARACTERS;

    if (!index)
        column = used = 0;
    snprintf(names + used, sizeof names - used, "%s%s%s", index ? "," : "",
             wraps ? "\n        " : index ? " " : "", name);
    column = wraps ? length : column + length;
}

static void tell_threads(const char *when)
{
    int count = count_threads(note_name);

    printf("    %-42s %2d\n        %s\n", when, count, names);
}

/* A thread that has ended is counted until the kernel has put it away. */
static void wait_for_kernel(void)
{
    for (int i = 0; i < LOOKS_MOST && count_threads(NULL) > before; i++)
        usleep(1000);
}

/* ---- what is called elsewhere ---- */

static struct object *do_nothing(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    return none();
}

static struct object *wait_for_all(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    block_until(&may_go, BLOCK_FOREVER, 0);
    return none();
}

static struct object *call_elsewhere(native *body, const char *name)
{
    struct object *function = function_new(name, body, 0, NULL), *future = NULL;

    if (function)
        future = run_in_executor(loop_running(), NULL, function, NULL, 0);
    xdecref(function);
    return future;
}

/* ---- the program ---- */

static int start_sleepers(void)
{
    for (int i = 0; i < SLEEPERS; i++) {
        struct object *sleep = sleep_new(50 * NS_PER_MS, NULL), *task = NULL;

        if (sleep)
            task = ensure_future(loop_running(), sleep);
        xdecref(sleep);
        xdecref(task);
        if (!task)
            return -1;
    }
    return 0;
}

/* Each submit that finds no free thread has started one when it returns. */
static int call_many(void)
{
    for (int i = 0; i < CALLS; i++) {
        struct object *earlier = last;

        last = call_elsewhere(wait_for_all, "wait_for_all");
        xdecref(earlier);
        if (!last)
            return -1;
    }
    return 0;
}

static struct object *next_awaitable(struct frame *f)
{
    struct object *awaited;

    switch (f->at++) {
    case 0:
        return start_sleepers() < 0 ? NULL : sleep_new(10 * NS_PER_MS, NULL);
    case 1:
        tell_threads("a loop runs, and 1000 tasks wait in it:");
        return call_elsewhere(do_nothing, "do_nothing");
    case 2:
        tell_threads("it has had a call made in its executor:");
        if (call_many() < 0)
            return NULL;
        tell_threads("64 calls block there at the same time:");
        block_end(&may_go);
        awaited = last;
        last = NULL;
        return awaited;
    default:
        tell_threads("they have ended:");
        return NULL;
    }
}

static enum turn main_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    struct object *awaitable;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    awaitable = next_awaitable(f);
    if (!awaitable && !exception_pending())
        return frame_return(result);
    *result = demo_await(awaitable);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body main_body = { .name = "main", .kind = COROUTINE, .resume = main_turn };

static int tell(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    int result;

    (void)gil, (void)hooks;
    atomic_store_explicit(&may_go, 0, memory_order_relaxed);
    before = count_threads(NULL);
    printf("%s: kernel threads, and their names\n", mode);
    tell_threads("there is no loop yet:");
    result = demo_run(&main_body);
    block_end(&may_go); /* if something went wrong */
    xdecref(last);
    last = NULL;
    recruit_join_all();
    wait_for_kernel();
    tell_threads("run() has returned:");
    return result;
}

const struct demo demo_loop_threads = {
    .about = "how many threads an event loop has: one, until it has calls made elsewhere",
    .modes = "gil",
    .head = "It is said that a program with an event loop has at least three threads: one that\n"
            "calls, one that loops, and one that works. The kernel knows.\n",
    .tail =
        "A loop has one thread: the one that calls run(). A thousand tasks need no other. The\n"
        "first call in its executor starts a second one. More come only if calls wait and none is\n"
        "free, at most four more than there are processors. Idle ones stay, and leave before\n"
        "run() returns. So one is enough, and three is what it was for somebody who had two calls\n"
        "under way.",
    .run = tell,
};
