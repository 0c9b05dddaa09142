/* bare_loop.c - an event loop without objects. */
#include "benches/bare_loop.h"

#include "gil/mutex.h"
#include "objects/exception.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_CAPACITY = 64, FILES_MOST = 64 };

int bare_loop_init(struct bare_loop *loop)
{
    memset(loop, 0, sizeof *loop);
    inbox_init(&loop->inbox);
    loop->reactor = reactor_new(reactor_standard());
    if (loop->reactor)
        return 0;
    exception_set_errno(reactor_standard()->opens);
    return -1;
}

void bare_loop_fini(struct bare_loop *loop)
{
    while (loop->timers.count)
        free((char *)timers_pop(&loop->timers) - offsetof(struct bare_timer, timer));
    for (struct letter *l = inbox_close(&loop->inbox), *next; l; l = next) {
        next = l->next;
        free(l);
    }
    timers_fini(&loop->timers);
    free(loop->callback);
    reactor_delete(loop->reactor);
}

static SLOW_PATH bool grow(struct bare_loop *loop)
{
    size_t capacity = loop->capacity ? 2 * loop->capacity : LEAST_CAPACITY;
    struct bare_callback *callback = malloc(capacity * sizeof *callback);

    if (!callback)
        return false;
    for (size_t i = 0; i < loop->count; i++)
        callback[i] = loop->callback[(loop->first + i) & (loop->capacity - 1)];
    free(loop->callback);
    loop->callback = callback;
    loop->capacity = capacity;
    loop->first = 0;
    return true;
}

static inline bool push(struct bare_loop *loop, struct bare_callback callback)
{
    if (unlikely(loop->count == loop->capacity) && !grow(loop))
        return false;
    loop->callback[(loop->first + loop->count++) & (loop->capacity - 1)] = callback;
    return true;
}

bool bare_call_soon(struct bare_loop *loop, bare_action *act, void *argument)
{
    return push(loop, (struct bare_callback){ act, argument });
}

bool bare_call_at(struct bare_loop *loop, uint64_t when_ns, bare_action *act, void *argument)
{
    struct bare_timer *t = malloc(sizeof *t);

    if (!t)
        return false;
    t->timer.when_ns = when_ns;
    t->callback = (struct bare_callback){ act, argument };
    return timers_add(&loop->timers, &t->timer) == 0;
}

bool bare_call_soon_threadsafe(struct bare_loop *loop, bare_action *act, void *argument)
{
    struct bare_letter *l = malloc(sizeof *l);

    if (!l)
        return false;
    l->callback = (struct bare_callback){ act, argument };
    if (inbox_put(&loop->inbox, &l->letter) == INBOX_ASLEEP)
        loop->reactor->class->wake(loop->reactor);
    return true;
}

static void take_letters(struct bare_loop *loop)
{
    for (struct letter *l = inbox_take(&loop->inbox), *next; l; l = next) {
        next = l->next;
        push(loop, ((struct bare_letter *)l)->callback);
        free(l);
    }
}

static void take_due(struct bare_loop *loop, uint64_t now_ns)
{
    while (timers_due(&loop->timers, now_ns)) {
        struct bare_timer *t = (struct bare_timer *)timers_pop(&loop->timers);

        push(loop, t->callback);
        free(t);
    }
}

void bare_turn(struct bare_loop *loop)
{
    struct readiness ready[FILES_MOST];

    loop->reactor->class->poll(loop->reactor, REACTOR_AT_ONCE, ready, FILES_MOST);
    take_letters(loop);
    take_due(loop, clock_ns());
    for (size_t n = loop->count; n; n--) {
        struct bare_callback callback = loop->callback[loop->first];

        loop->first = (loop->first + 1) & (loop->capacity - 1);
        loop->count--;
        callback.act(callback.argument);
    }
}
