/* script.h - sequences of operations (model_operations.h): made by chance, run, and made short.
 *
 * Each runs in a process of its own, so that an abort, a crash, a hang or a sanitizer's
 * report is a failure like any other, and ends nobody else. One that fails is shortened:
 * pieces are taken out, large ones first, as long as what is left still fails
 * (A. Zeller, R. Hildebrandt, Simplifying and Isolating Failure-Inducing Input, IEEE TSE
 * 28(2), 2002), then its numbers are made 0 where that changes nothing.
 *
 * As text a script is a row of words such as append.3.0.7: for $TEST_SCRIPT.
 */
#ifndef OBJECTS_TESTS_SCRIPT_H
#define OBJECTS_TESTS_SCRIPT_H

#include "objects/tests/model_operations.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum {
    STEPS_MOST = 400,
    STEPS_LEAST = 30,
    CHECKED_EACH = 16,                      /* steps */
    PATIENCE_SECONDS = SANITIZED ? 60 : 20, /* with one that ought to take milliseconds */
    TRIALS_MOST = 3000,                     /* of a script that is made short */
};

struct script {
    int length;
    struct script_step {
        int operation;
        unsigned x[OPERANDS];
    } step[STEPS_MOST];
};

/* ---- running ---- */

/* Calls `body` on a thread of a runtime that begins and ends with it, alone. */
static inline void in_runtime(void (*body)(const void *argument), const void *argument)
{
    struct gil *gil = gil_new(&gil_none, NULL);
    struct thread self = { .locks_containers = !RC_NEEDS_GIL };
    int64_t left;

    heap = &heap_checked;
    if (!gil || thread_start(&self, gil, &object_hooks) < 0)
        abort();
    collector_enable(false);
    body(argument);
    rc_quiesce();
    rc_finish();
    thread_stop(&self);
    gil_delete(gil);
    left = atomic_load_explicit(&heap_state.blocks, memory_order_relaxed);
    if (left)
        wrong("%lld blocks are left over", (long long)left);
}

static inline void run_steps(const void *argument)
{
    const struct script *script = argument;

    world_begin(true);
    for (int i = 0; i < script->length; i++) {
        world->step = i;
        world->doing = operations[script->step[i].operation].name;
        operations[script->step[i].operation].run(script->step[i].x);
        if (i % CHECKED_EACH == CHECKED_EACH - 1)
            world_check();
    }
    world_end();
}

static inline void run_script(const struct script *script)
{
    in_runtime(run_steps, script);
    world_free(world);
}

/* ---- processes ---- */

static inline void be_the_child(bool quiet)
{
    static const int deadly[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV };
    struct rlimit none_at_all = { 0, 0 };
    int nowhere;

    setrlimit(RLIMIT_CORE, &none_at_all);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        signal(deadly[i], SIG_DFL); /* not as cmocka has it */
    alarm(PATIENCE_SECONDS);
    if (!quiet)
        return;
    nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    dup2(nowhere, STDOUT_FILENO);
}

/* Whether it fails when it is run in another process, which says nothing if `quiet`. */
static inline bool fails(void (*run)(const struct script *script), const struct script *script,
                         bool quiet)
{
    pid_t child;
    int status;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        be_the_child(quiet);
        run(script);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    if (!quiet && WIFSIGNALED(status))
        fprintf(stderr, "ended by: %s\n", strsignal(WTERMSIG(status)));
    return status != 0;
}

/* ---- by chance ---- */

/* Some operations are left out altogether, others each time: so that what two of them do
 * together is not always undone by a third (A. Groce et al., Swarm Testing, ISSTA 2012). */
static inline int weigh(uint64_t *state, int weight[OPERATIONS])
{
    int sum = 0;

    for (int i = 0; i < OPERATIONS; i++) {
        weight[i] = random_of(state, 3) ? operations[i].weight : 0;
        sum += weight[i];
    }
    return sum;
}

static inline int choose(uint64_t *state, const int weight[OPERATIONS], int sum)
{
    int left = (int)random_of(state, (uint64_t)sum), i = 0;

    while (left >= weight[i])
        left -= weight[i++];
    return i;
}

static inline void script_random(struct script *script, uint64_t seed)
{
    uint64_t state = (seed * UINT64_C(0x9E3779B97F4A7C15)) | 1; /* neighbours are not alike */
    int weight[OPERATIONS], sum;

    do
        sum = weigh(&state, weight);
    while (sum == 0);
    script->length = STEPS_LEAST + (int)random_of(&state, (uint64_t)(STEPS_MOST - STEPS_LEAST));
    for (int i = 0; i < script->length; i++) {
        script->step[i].operation = choose(&state, weight, sum);
        for (int k = 0; k < OPERANDS; k++)
            script->step[i].x[k] = (unsigned)random_of(&state, 64);
    }
}

/* ---- as text ---- */

static inline void script_write(const struct script *script, FILE *out)
{
    for (int i = 0; i < script->length; i++) {
        fprintf(out, "%s%s", i ? " " : "", operations[script->step[i].operation].name);
        for (int k = 0; k < OPERANDS; k++)
            fprintf(out, ".%u", script->step[i].x[k]);
    }
}

static inline int operation_named(const char *name, size_t length)
{
    for (int i = 0; i < OPERATIONS; i++)
        if (strlen(operations[i].name) == length && !memcmp(operations[i].name, name, length))
            return i;
    return -1;
}

/* The step that the text begins with; NULL: it is none, else what follows. */
static inline const char *step_read(struct script_step *step, const char *text)
{
    size_t length = strcspn(text, ".");
    char *end = (char *)text + length;

    step->operation = operation_named(text, length);
    if (step->operation < 0)
        return NULL;
    for (int k = 0; k < OPERANDS; k++) {
        if (*end != '.' || !isdigit((unsigned char)end[1]))
            return NULL;
        step->x[k] = (unsigned)strtoul(end + 1, &end, 10);
    }
    return end;
}

/* False: what is at *text is no step, or there are too many. */
static inline bool script_read(struct script *script, const char **text)
{
    const char *end;

    script->length = 0;
    for (;;) {
        while (isspace((unsigned char)**text))
            ++*text;
        if (!**text)
            return true;
        end =
            script->length < STEPS_MOST ? step_read(&script->step[script->length++], *text) : NULL;
        if (!end)
            return false;
        *text = end;
    }
}

/* ---- making it short ---- */

struct shortening {
    void (*run)(const struct script *script);
    int trials;
};

/* Whether it still fails without `count` steps from `from` on; then they are out. */
static inline bool without(struct shortening *s, struct script *script, int from, int count)
{
    struct script shorter = *script;

    if (s->trials++ >= TRIALS_MOST)
        return false;
    shorter.length -= count;
    memmove(shorter.step + from, shorter.step + from + count,
            (size_t)(shorter.length - from) * sizeof *shorter.step);
    if (!fails(s->run, &shorter, true))
        return false;
    *script = shorter;
    return true;
}

/* Takes out pieces of this size; whether there was one. From the end, for what comes late
 * needs what comes early. */
static inline bool take_out_pieces(struct shortening *s, struct script *script, int size)
{
    bool any = false;

    for (int from = script->length - size; from > -size; from -= size) {
        int first = from < 0 ? 0 : from;

        if (script->length > 0 && first + size <= script->length)
            any = without(s, script, first, size) || any;
    }
    return any;
}

static inline void make_zero(struct shortening *s, struct script *script, unsigned *x)
{
    unsigned old = *x;

    *x = 0;
    if (old && (s->trials++ >= TRIALS_MOST || !fails(s->run, script, true)))
        *x = old;
}

static inline void script_shorten(struct script *script, void (*run)(const struct script *script))
{
    struct shortening s = { .run = run };

    for (int size = script->length / 2; size > 1; size /= 2)
        take_out_pieces(&s, script, size);
    while (take_out_pieces(&s, script, 1))
        ;
    for (int i = 0; i < script->length; i++)
        for (int k = 0; k < OPERANDS; k++)
            make_zero(&s, script, &script->step[i].x[k]);
}

/* ---- looking for one that fails ---- */

struct search {
    _Atomic uint64_t seed; /* of the session that runs */
    _Atomic int sessions;  /* that have ended well */
};

/* Runs scripts by chance until the time is up. True: one has failed. */
static inline bool search_fails(struct search *shared, void (*run)(const struct script *script),
                                uint64_t seed, uint64_t budget_ns)
{
    static struct script script;
    uint64_t began_ns = clock_ns();
    pid_t child;
    int status;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        be_the_child(false);
        do {
            alarm(PATIENCE_SECONDS);
            atomic_store_explicit(&shared->seed, seed, memory_order_relaxed);
            script_random(&script, seed++);
            run(&script);
            atomic_fetch_add_explicit(&shared->sessions, 1, memory_order_relaxed);
        } while (clock_ns() - began_ns < budget_ns);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    return status != 0;
}

static inline struct search *search_new(void)
{
    struct search *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return shared == MAP_FAILED ? NULL : shared;
}

static inline void search_free(struct search *shared)
{
    munmap(shared, sizeof *shared);
}

/* Looks for a script that fails, and makes it short. False: there was none in that time;
 * *sessions: how many were run. (One that fails only after others, in memory as they left
 * it, is as long as it was.) */
static inline bool find_failing(struct script *script, void (*run)(const struct script *script),
                                uint64_t seed, uint64_t budget_ns, int *sessions)
{
    struct search *shared = search_new();
    bool found;

    if (!shared)
        abort();
    found = search_fails(shared, run, seed, budget_ns);
    *sessions = atomic_load_explicit(&shared->sessions, memory_order_relaxed);
    if (found) {
        script_random(script, atomic_load_explicit(&shared->seed, memory_order_relaxed));
        if (fails(run, script, true))
            script_shorten(script, run);
    }
    search_free(shared);
    return found;
}

#endif
