/* blocked_loop.c - a thousand clients of an event loop, and somebody who blocks it.
 *
 * Each client asks at fixed times, every 20 ms, whether or not it was answered in time; it is late
 * by how much after that time the loop came to it. So what a blocked loop does to them is not
 * hidden by their waiting for it (an open loop of arrivals). Three times half a second:
 *
 *     nothing else                              what the clients wait ordinarily
 *     loop.call_later(0.1, read_file)           ... and what they all wait, because of one call
 *     loop.run_in_executor(None, read_file)     ... and if that is made elsewhere
 *
 * read_file blocks for 0.2 s, as one does who reads from a slow disk. The watchdog (lag.h) looks at
 * the loop from a thread of its own, and names who runs when it has been stuck for 50 ms; after
 * that the books of the loop itself say the same.
 */
#include "benches/demo.h"
#include "coroutines/bridge.h"
#include "coroutines/io.h"
#include "coroutines/lag.h"
#include "coroutines/recruit.h"
#include "coroutines/run.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"

#include <stdio.h>
#include <string.h>

enum { CLIENTS = 1000, NAME_BYTES = 64, BLOCKS_MOST = 20 };

static const uint64_t interval_ns = 20 * NS_PER_MS, window_ns = 500 * NS_PER_MS,
                      block_after_ns = 100 * NS_PER_MS, block_ns = 200 * NS_PER_MS,
                      patience_ns = 50 * NS_PER_MS;

/* ---- the watchdog: on its own thread, with its lock held ---- */

static struct {
    char name[NAME_BYTES]; /* written before `told` */
    uint64_t since_ns;     /* likewise */
    _Atomic bool told;     /* release, acquire; once a window */
} stuck;

static void note_stuck(const char *loop, const char *callback, uint64_t since_ns)
{
    (void)loop;
    if (atomic_load_explicit(&stuck.told, memory_order_acquire))
        return;
    snprintf(stuck.name, sizeof stuck.name, "%s", callback);
    stuck.since_ns = since_ns;
    atomic_store_explicit(&stuck.told, true, memory_order_release);
}

/* ---- the clients ---- */

static struct {
    uint64_t due_ns[CLIENTS]; /* when each will ask next */
    uint64_t end_ns;
    int left;                 /* clients that have not finished */
    struct histogram late_ns;
} window;

static int serve(borrowed loop, borrowed target, borrowed number);

static int ask_next(borrowed loop, borrowed number)
{
    uint64_t due_ns = window.due_ns[int_value(number)];
    struct object *handle;

    if (due_ns >= window.end_ns) {
        if (!--window.left)
            loop_stop(loop);
        return 0;
    }
    handle = loop_push_at(loop, due_ns, serve, none(), number);
    xdecref(handle);
    return handle ? 0 : -1;
}

static int serve(borrowed loop, borrowed target, borrowed number)
{
    uint64_t *due_ns = &window.due_ns[int_value(number)], now_ns = clock_ns();

    (void)target;
    loop_enter(loop, "serve");
    histogram_record(&window.late_ns, now_ns > *due_ns ? now_ns - *due_ns : 0);
    *due_ns += interval_ns;
    return ask_next(loop, number);
}

/* Spread over the interval. */
static int start_clients(borrowed loop)
{
    uint64_t now_ns = clock_ns();

    memset(&window.late_ns, 0, sizeof window.late_ns);
    window.end_ns = now_ns + window_ns;
    window.left = CLIENTS;
    for (int i = 0; i < CLIENTS; i++) {
        struct object *number = int_new(i);
        int result;

        if (!number)
            return -1;
        window.due_ns[i] = now_ns + interval_ns + interval_ns * (uint64_t)i / CLIENTS;
        result = ask_next(loop, number);
        decref(number);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* ---- who blocks ---- */

/* Until the watchdog has had its chance, which it has at once unless the machine is very busy. */
static struct object *block_until_named(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    for (int i = 0; i < BLOCKS_MOST; i++) {
        if (io_sleep_ns(block_ns) < 0)
            return NULL;
        if (atomic_load_explicit(&stuck.told, memory_order_acquire))
            break;
    }
    return none();
}

static struct object *block_once(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    return io_sleep_ns(block_ns) < 0 ? NULL : none();
}

/* What it returns is nobody's business. */
static struct object *block_elsewhere(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *function = function_new("read_file", block_once, 0, NULL), *future = NULL;

    (void)closure, (void)arguments, (void)count;
    if (function)
        future = run_in_executor(loop_running(), NULL, function, NULL, 0);
    xdecref(function);
    return future;
}

static int block_later(borrowed loop, const char *name, native *body /* may be NULL */)
{
    struct object *function, *handle = NULL;

    if (!body)
        return 0;
    function = function_new(name, body, 0, NULL);
    if (function)
        handle = loop_call_later(loop, (int64_t)block_after_ns, function, NULL);
    xdecref(function);
    xdecref(handle);
    return handle ? 0 : -1;
}

/* ---- a window ---- */

static double ms(uint64_t ns)
{
    return (double)ns / NS_PER_MS;
}

static void tell_window(borrowed loop, const char *what)
{
    const struct histogram *h = &window.late_ns;
    struct lag_figures f;

    loop_figures(loop, &f);
    printf("    %-24s %6llu  %8.2f %8.2f %8.2f  %8.2f  ", what, (unsigned long long)h->count,
           ms(histogram_quantile(h, 0.5)), ms(histogram_quantile(h, 0.99)), ms(h->max_ns),
           ms(f.turn_ns.max_ns));
    if (f.slowest_among > 1)
        printf("one of %u, the last of them %s: %.2f\n", f.slowest_among, f.slowest,
               ms(f.slowest_ns));
    else
        printf("%s: %.2f\n", f.slowest ? f.slowest : "-", ms(f.slowest_ns));
    if (atomic_load_explicit(&stuck.told, memory_order_acquire))
        printf("        the watchdog, while the loop was stuck: %s has run for %.0f ms\n",
               stuck.name, ms(stuck.since_ns));
}

static int join_threads(borrowed loop)
{
    struct object *over = shutdown_default_executor(loop), *result = NULL;

    if (over)
        result = run_until_complete(loop, over);
    xdecref(over);
    xdecref(result);
    return result ? 0 : -1;
}

static int run_loop(borrowed loop, const char *what, const char *name, native *body)
{
    if (start_clients(loop) < 0 || block_later(loop, name, body) < 0)
        return -1;
    if (loop_run_forever(loop) < 0 || join_threads(loop) < 0)
        return -1;
    tell_window(loop, what);
    return 0;
}

static int run_window(const char *what, const char *name, native *body)
{
    struct object *loop = loop_new(), *pending;
    int result;

    if (!loop)
        return -1;
    atomic_store_explicit(&stuck.told, false, memory_order_release); /* the name has been read */
    loop_set_name(loop, "server");
    result = run_loop(loop, what, name, body);
    pending = exception_take();
    loop_close(loop);
    exception_restore(pending);
    decref(loop);
    recruit_join_all();
    return result;
}

static int tell(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    int result = -1;

    (void)gil, (void)hooks;
    if (lag_watchdog_start(patience_ns, note_stuck) < 0)
        return -1;
    printf("%s: 1000 clients, each asks every 20 ms; how late they were answered, in ms\n"
           "                             asked       p50      p99      max"
           "  max turn  slowest callback\n", mode);
    if (run_window("before", "", NULL) == 0 &&
        run_window("a callback blocks", "read_file", block_until_named) == 0)
        result = run_window("run_in_executor", "submit", block_elsewhere);
    lag_watchdog_stop();
    return result;
}

const struct demo demo_blocked_loop = {
    .about = "one call that blocks a loop with a thousand clients: who waits, who names it, the cure",
    .modes = "gil",
    .head = "    loop.call_later(0.1, read_file)             # blocks for 0.2 s\n"
            "    loop.run_in_executor(None, read_file)       # the cure\n",
    .tail =
        "read_file lets go of the global lock while it waits, which helps threads. It does not\n"
        "help the loop, which can call nothing else before it returns: all clients wait for the\n"
        "one. The watchdog names it while the loop is stuck, also if it never comes back. (The\n"
        "loop's own books, on the right, time short callbacks in groups: there the one that blocks\n"
        "may be known as one of a few.) Made by another thread the same call delays nobody.",
    .run = tell,
};
