/* bench.c - the micro-benchmarks of every policy, run by Google Benchmark.
 *
 *   bench [--benchmark_filter=REGEX] [--benchmark_format=json] ...
 *
 * A name is `micro/way/policy/heap/lock`, each part only where it matters: pair/biased,
 * int_new/plain/jemalloc, gil_pair/interval, fiber_switch/native, bare_add.
 */
#include "benches/gbench.h"
#include "benches/runtime.h"
#include "coroutines/switch/way.h"
#include "gil/gil.h"
#include "gil/mutex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct gil_class gil_none;

/* Other libraries' micro-benchmarks (peers.c); absent where they are not linked in. */
extern __attribute__((weak)) const struct named_micro peer_list[];

/* What a registered benchmark runs under; lives as long as the process. */
struct bench {
    struct bench *next;
    const struct runtime *runtime;
    const struct micro *micro;
    const struct heap *heap;
    const struct gil_class *lock;
    const struct way *way; /* NULL: the standard one */
};

static struct bench *benches;

/* glibc's mutexes and malloc leave out their lock prefixes while a process has one
 * thread, which would be compared with counts that cannot: so there is a second. */
static void *idle(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static double timed(const struct micro *micro, uint64_t iterations)
{
    uint64_t start_ns = clock_ns();

    micro->run(iterations);
    return (double)(clock_ns() - start_ns) / NS_PER_S;
}

/* On an attached thread. 0 seconds, and an exception pending, if it fails. */
static double set_up_and_time(const struct micro *micro, uint64_t iterations)
{
    double seconds;

    if (micro->setup && micro->setup() < 0)
        return 0;
    seconds = timed(micro, iterations);
    if (micro->teardown)
        micro->teardown();
    return seconds;
}

static double run(struct gbench_state *state, uint64_t iterations, void *data)
{
    const struct bench *b = data;
    struct gil *gil = gil_new(b->lock, NULL);
    struct thread self = { 0 };
    const char *refusal = b->runtime->use_heap(b->heap); /* no object is left of the last run */
    char error[160] = "";
    double seconds = 0;

    way_use(b->way);
    if (refusal) {
        snprintf(error, sizeof error, "no such heap here: %s", refusal);
    } else if (gil && thread_start(&self, gil, b->runtime->hooks) == 0) {
        seconds = set_up_and_time(b->micro, iterations);
        b->runtime->take_error(error, sizeof error);
        thread_stop(&self);
    } else {
        snprintf(error, sizeof error, "cannot start a thread: %s", strerror(errno));
    }
    if (gil)
        gil_delete(gil);
    if (error[0])
        gbench_skip(state, error);
    return seconds;
}

/* Whether its counts would go wrong. */
static bool is_unsafe(const struct bench *b)
{
    return b->micro->threads && b->runtime->needs_gil && !b->lock->excludes;
}

/* NULL parts are left out. */
static int add(struct bench bench, const char *micro, const char *heap, const char *lock)
{
    const char *policy = bench.micro->once ? NULL : bench.runtime->name;
    struct bench *b;
    char name[160];

    if (is_unsafe(&bench))
        return 0;
    b = malloc(sizeof *b);
    if (!b)
        return -1;
    *b = bench;
    b->next = benches;
    benches = b;
    snprintf(name, sizeof name, "%s%s%s%s%s%s%s", micro, policy ? "/" : "", policy ? policy : "",
             heap ? "/" : "", heap ? heap : "", lock ? "/" : "", lock ? lock : "");
    return gbench_register(name, run, b);
}

static int add_per_heap(struct bench bench, const char *micro, const char *lock)
{
    const struct named_heap *h = bench.runtime->heaps;

    bench.heap = h->heap;
    if (!bench.micro->per_heap)
        return add(bench, micro, NULL, lock);
    for (; h->name; h++) {
        bench.heap = h->heap;
        if (add(bench, micro, h->name, lock) < 0)
            return -1;
    }
    return 0;
}

static int add_per_lock(struct bench bench, const char *micro)
{
    bench.lock = &gil_none;
    if (!bench.micro->per_lock)
        return add_per_heap(bench, micro, NULL);
    for (const struct named_gil *g = gil_list; g->name; g++) {
        bench.lock = g->class;
        if (add_per_heap(bench, micro, g->name) < 0)
            return -1;
    }
    return 0;
}

static int add_per_way(struct bench bench, const char *micro)
{
    char name[100];

    if (!bench.micro->per_way)
        return add_per_lock(bench, micro);
    for (const struct named_way *w = way_list; w->name; w++) {
        bench.way = w->way;
        snprintf(name, sizeof name, "%s/%s", micro, w->name);
        if (!w->way->refusal() && add_per_lock(bench, name) < 0)
            return -1;
    }
    return 0;
}

static int add_policy(const struct runtime *runtime, const struct named_micro *named)
{
    struct bench bench = { .runtime = runtime, .micro = named->micro };
    bool again = named->micro->once && runtime != runtime_list[0].runtime;

    return again || runtime->audited || runtime->counts ? 0 : add_per_way(bench, named->name);
}

static int add_peers(void)
{
    struct bench bench = { .runtime = runtime_list[0].runtime, .lock = &gil_none };

    bench.heap = bench.runtime->heaps->heap;
    for (const struct named_micro *peer = peer_list; peer && peer->name; peer++) {
        bench.micro = peer->micro;
        if (add(bench, peer->name, NULL, NULL) < 0)
            return -1;
    }
    return 0;
}

/* Grouped by micro-benchmark, the policies beside each other. Every policy's table
 * lists the same names in the same order. */
static int add_all(void)
{
    for (int m = 0; runtime_list[0].runtime->micros[m].name; m++)
        for (int r = 0; runtime_list[r].name; r++)
            if (add_policy(runtime_list[r].runtime, &runtime_list[r].runtime->micros[m]) < 0)
                return -1;
    return 0;
}

static const char flags[] =
#define FLAGS(...) #__VA_ARGS__
#include "gen/flags"
#undef FLAGS
    ;

static int add_context(void)
{
    static const char *const context[][2] = {
        { "time", "manual: wall time of one thread, per iteration; the same in every version" },
        { "second_thread", "alive and idle, so that glibc keeps its lock prefixes" },
        { "compiler", __VERSION__ },
        { "flags", flags },
        { "mode", BUILD_MODE },
    };

    for (size_t i = 0; i < sizeof context / sizeof *context; i++)
        if (gbench_add_context(context[i][0], context[i][1]) < 0)
            return -1;
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t second;
    int error = pthread_create(&second, NULL, idle, NULL);

    if (error) {
        fprintf(stderr, "bench: no second thread: %s\n", strerror(error));
        return 1;
    }
    if (gbench_init(&argc, argv) < 0)
        return 2;
    if (add_context() < 0 || add_all() < 0 || add_peers() < 0) {
        perror("bench");
        return 1;
    }
    return gbench_run() > 0 ? 0 : 1;
}
