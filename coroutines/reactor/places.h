/* places.h - what a reactor knows of each file: a row by its number, with a list through it.
 *
 * A number is small and is used again, so a row is the map. The list is of those that the reactor
 * has something to do with later: each stands on it once at most.
 *
 * A registration has a serial number, which goes with it to the kernel and comes back with each
 * event: one with another serial number is of a file that had the number before.
 */
#ifndef COROUTINES_REACTOR_PLACES_H
#define COROUTINES_REACTOR_PLACES_H

#include "coroutines/reactor/reactor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct place {
    uint32_t serial;
    int next;        /* on the list; -1: the last */
    uint8_t wanted;  /* of enum interest */
    uint8_t has;     /* of enum interest: what the kernel was told to look for */
    uint8_t trusted; /* epoll: how often in succession that was taken for true */
    bool doubted;    /* epoll: it may be another file's number by now */
    bool known;      /* uring: it was seen to be one that can be watched */
    bool listed;
};

struct places {
    struct place *place;
    int count;
    int first;  /* on the list; -1: none */
    int listed; /* so many are on it */
};

static inline void places_init(struct places *p)
{
    *p = (struct places){ .first = -1 };
}

static inline void places_fini(struct places *p)
{
    free(p->place);
}

/* NULL: it has none yet. */
static inline struct place *places_look(const struct places *p, int fd)
{
    return fd >= 0 && fd < p->count ? &p->place[fd] : NULL;
}

/* Makes room for it. NULL and errno: EBADF, ENOMEM. */
static inline struct place *places_at(struct places *p, int fd)
{
    int count = 2 * p->count > fd ? 2 * p->count : fd + 1;
    struct place *place;

    if (fd < 0) {
        errno = EBADF;
        return NULL;
    }
    if (fd < p->count)
        return &p->place[fd];
    place = realloc(p->place, (size_t)count * sizeof *place);
    if (!place)
        return NULL;
    memset(place + p->count, 0, (size_t)(count - p->count) * sizeof *place);
    p->place = place;
    p->count = count;
    return &place[fd];
}

static inline void places_list(struct places *p, int fd)
{
    struct place *place = &p->place[fd];

    if (place->listed)
        return;
    place->listed = true;
    place->next = p->first;
    p->first = fd;
    p->listed++;
}

/* The one that was listed last; -1: none. */
static inline int places_unlist(struct places *p)
{
    int fd = p->first;

    if (fd >= 0) {
        p->first = p->place[fd].next;
        p->place[fd].listed = false;
        p->listed--;
    }
    return fd;
}

#endif
