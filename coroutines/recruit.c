/* recruit.c - starting threads of the runtime, and waiting for all of them. */
#include "coroutines/recruit.h"

#include "coroutines/block.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 64, KERNEL_NAME_BYTES = 16 };

/* How many there are, above the bits of block.h. */
enum { ONE = 4 };

static _Atomic uint32_t recruits = BLOCK_OVER;

static void note_begin(void)
{
    uint32_t before = atomic_load_explicit(&recruits, memory_order_relaxed), after;

    do
        after = (before & ~(uint32_t)BLOCK_OVER) + ONE;
    while (!atomic_compare_exchange_weak_explicit(&recruits, &before, after, memory_order_relaxed,
                                                  memory_order_relaxed));
}

/* Release, with the acquire of who waits: what was done before is visible then. */
static void note_end(void)
{
    uint32_t before = atomic_load_explicit(&recruits, memory_order_relaxed), after;

    do {
        after = before - ONE;
        if (after < ONE)
            after = BLOCK_OVER;
    } while (!atomic_compare_exchange_weak_explicit(&recruits, &before, after,
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (after == BLOCK_OVER && (before & BLOCK_SLEEPS))
        block_wake(&recruits);
}

void recruit_join_all(void)
{
    block_until(&recruits, BLOCK_FOREVER, BLOCK_SPIN);
}

void recruit_ready(struct recruit *r)
{
    block_end(&r->ready);
}

/* For who looks at the process from outside (top -H, perf, gdb): the end of a long name, which is
 * what tells it from the others. */
static void tell_kernel(const char *name)
{
    size_t length = strlen(name), most = KERNEL_NAME_BYTES - 1;

    pthread_setname_np(pthread_self(), name + (length > most ? length - most : 0));
}

static void *recruit_main(void *argument)
{
    struct recruit *r = argument;
    void (*after)(void *kept) = r->after;
    void *kept = r->kept;
    struct thread self = { .locks_containers = r->like->locks_containers };
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "%s", r->name);
    self.name = name;
    tell_kernel(name);
    if (thread_start(&self, r->like->gil, r->like->hooks) < 0) {
        r->error = errno;
        note_end();
        recruit_ready(r);
        return NULL;
    }
    r->body(&self, r);
    thread_stop(&self);
    if (after)
        after(kept);
    note_end();
    return NULL;
}

/* 0, or an errno. */
static int create(struct recruit *r)
{
    pthread_attr_t attributes;
    pthread_t id;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&id, &attributes, recruit_main, r);
    pthread_attr_destroy(&attributes);
    return error;
}

int recruit_start(struct recruit *r)
{
    int error;

    r->like = thread_self;
    r->error = 0;
    atomic_init(&r->ready, 0);
    note_begin();
    error = create(r);
    if (error) {
        note_end();
        return error;
    }
    block_until(&r->ready, BLOCK_FOREVER, BLOCK_SPIN);
    return r->error;
}
