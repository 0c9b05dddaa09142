/* two_hellos.c - two coroutines that sleep at the same time, on one thread.
 *
 *     async def hello(name):
 *         print("hello from", name, "on", threading.current_thread().name)
 *         await asyncio.sleep(0.1)
 *         print("hello again from", name)
 *     async def main():
 *         await asyncio.gather(hello("first"), hello("second"))
 *     asyncio.run(main())
 */
#include "benches/demo.h"
#include "benches/demo_coroutines.h"

#include "coroutines/coroutine.h"
#include "coroutines/gather.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "gil/mutex.h"
#include "objects/str.h"

#include <stdio.h>

enum { NAP_NS = 100 * NS_PER_MS, ONE_NAP_NS = 190 * NS_PER_MS };

static enum turn hello(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    const char *name = str_text(f->reference[0]), *thread = thread_self->name;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++) {
        printf("hello again from %s\n", name);
        return frame_return(result);
    }
    printf("hello from %s on %s\n", name, thread ? thread : "MainThread");
    *result = demo_await(sleep_new(NAP_NS, NULL));
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body hello_body = {
    .name = "hello", .kind = COROUTINE, .resume = hello, .references = 1,
};

static struct object *hello_new(const char *text)
{
    struct object *name = str_new(text), *coroutine;

    if (!name)
        return NULL;
    coroutine = generator_new(&hello_body, (borrowed[]){ name }, 1);
    decref(name);
    return coroutine;
}

static struct object *gather_hellos(void)
{
    struct object *first = hello_new("first"), *second = first ? hello_new("second") : NULL;
    struct object *both = NULL;

    if (second)
        both = gather(loop_running(), (borrowed[]){ first, second }, 2, false);
    xdecref(first);
    xdecref(second);
    return both;
}

static enum turn main_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++)
        return frame_return(result);
    *result = demo_await(gather_hellos());
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body main_body = { .name = "main", .kind = COROUTINE, .resume = main_turn };

static int tell(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    uint64_t start_ns = clock_ns();

    (void)mode, (void)gil, (void)hooks;
    if (demo_run(&main_body) < 0)
        return -1;
    printf("took one sleep, not two: %s\n", clock_ns() - start_ns < ONE_NAP_NS ? "True" : "False");
    return 0;
}

const struct demo demo_two_hellos = {
    .about = "two coroutines that sleep at the same time on one thread, as asyncio has them",
    .modes = "gil", .run = tell,
};
