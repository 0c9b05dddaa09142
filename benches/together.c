/* together.c - threads of a demonstration, which all begin at once. */
#include "benches/together.h"

#include "gil/thread.h"
#include "objects/exception.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

enum { MOST = 8 };

struct part {
    const struct thread *caller;
    int (*play)(int number, struct thread *self, void *argument);
    void *argument;
    int number;
    pthread_t id;
    bool failed;
};

static void take_core(int core)
{
    cpu_set_t mask;

    if (sched_getaffinity(0, sizeof mask, &mask) < 0)
        return;
    core %= CPU_COUNT(&mask);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &mask) && core-- != 0)
            CPU_CLR(cpu, &mask);
    pthread_setaffinity_np(pthread_self(), sizeof mask, &mask);
}

static void *run(void *argument)
{
    struct part *part = argument;
    struct thread self = { .locks_containers = part->caller->locks_containers };

    take_core(part->number);
    part->failed = thread_start(&self, part->caller->gil, part->caller->hooks) < 0;
    if (part->failed)
        return NULL;
    part->failed = part->play(part->number, &self, part->argument) < 0;
    thread_stop(&self);
    return NULL;
}

int together(int count, int (*play)(int number, struct thread *self, void *argument),
             void *argument)
{
    struct part parts[MOST];
    int started, error = 0, failed = 0;

    assert(count <= MOST);
    thread_detach(thread_self);
    for (started = 0; started < count && !error; started += !error) {
        parts[started] = (struct part){ thread_self, play, argument, started, 0, false };
        error = pthread_create(&parts[started].id, NULL, run, &parts[started]);
    }
    for (int i = 0; i < started; i++) {
        pthread_join(parts[i].id, NULL);
        failed += parts[i].failed;
    }
    thread_attach(thread_self);
    errno = error;
    if (error)
        exception_set_errno("pthread_create");
    else if (failed)
        exception_set(&runtime_error, "%d of %d threads failed", failed, count);
    return error || failed ? -1 : 0;
}
