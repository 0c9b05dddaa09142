/* reactor.c - making and deleting a reactor, the list of them, and which is the standard one. */
#include "coroutines/reactor/reactor.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define REACTOR(name) extern const struct reactor_class reactor_##name;
#include "gen/reactors.h"
#undef REACTOR

const struct named_reactor reactor_list[] = {
#define REACTOR(name) { #name, &reactor_##name },
#include "gen/reactors.h"
#undef REACTOR
    { NULL, NULL },
};

static const struct reactor_class *_Atomic used = &reactor_epoll;

/* Relaxed: what it points to never changes. */
void reactor_use(const struct reactor_class *class)
{
    atomic_store_explicit(&used, class ? class : &reactor_epoll, memory_order_relaxed);
}

const struct reactor_class *reactor_standard(void)
{
    return atomic_load_explicit(&used, memory_order_relaxed);
}

const struct reactor_class *reactor_named(const char *name)
{
    for (const struct named_reactor *r = reactor_list; r->name; r++)
        if (strcmp(r->name, name) == 0)
            return r->class;
    return NULL;
}

struct reactor *reactor_new(const struct reactor_class *class)
{
    struct reactor *r = calloc(1, class->size_bytes);

    if (!r)
        return NULL;
    r->class = class;
    if (class->open(r) < 0) {
        int error = errno;

        free(r);
        errno = error;
        return NULL;
    }
    return r;
}

void reactor_delete(struct reactor *r)
{
    r->class->close(r);
    free(r);
}

int reactor_refusal(const struct reactor_class *class)
{
    struct reactor *r = reactor_new(class);

    if (!r)
        return errno;
    reactor_delete(r);
    return 0;
}
