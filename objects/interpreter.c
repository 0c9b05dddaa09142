/* interpreter.c - the list of interpreters. */
#include "objects/interpreter.h"

#include "gil/mutex.h"
#include "objects/container.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct interpreter interpreter_main;

static struct {
    struct mutex lock;
    struct interpreter *first; /* lock */
} interpreters = { .lock = MUTEX_INIT };

static void link_in(struct interpreter *i)
{
    mutex_lock(&interpreters.lock);
    i->next = interpreters.first;
    i->link = &interpreters.first;
    if (i->next)
        i->next->link = &i->next;
    interpreters.first = i;
    mutex_unlock(&interpreters.lock);
}

static void take_out(struct interpreter *i)
{
    mutex_lock(&interpreters.lock);
    *i->link = i->next;
    if (i->next)
        i->next->link = i->link;
    mutex_unlock(&interpreters.lock);
}

int interpreter_begin(struct gil *gil)
{
    struct interpreter *i;

    assert(!gil->world);
    if (RC_HAS_QUIESCE)
        return 0;
    i = calloc(1, sizeof *i);
    if (!i) {
        errno = ENOMEM;
        return -1;
    }
    link_in(i);
    gil->world = &i->world;
    return 0;
}

void interpreter_end(struct gil *gil)
{
    struct interpreter *i = (struct interpreter *)gil->world;

    if (!i)
        return;
    assert(!i->world.threads && !i->world.stopper);
    take_out(i);
    container_bequeath(i);
    collector_bequeath(i);
    gil->world = NULL;
    free(i);
}

void interpreter_each(void (*visit)(struct interpreter *i, void *argument), void *argument)
{
    mutex_lock(&interpreters.lock);
    visit(&interpreter_main, argument);
    for (struct interpreter *i = interpreters.first; i; i = i->next)
        visit(i, argument);
    mutex_unlock(&interpreters.lock);
}
