/* contention.c - from entries to the ten that a reader is told of. */
#include "lab/contention.h"

#include "objects/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of which so much is told apart. */
enum { HOT_PART = 100 };

static size_t frames_of(const struct contended *c)
{
    size_t count = 0;

    while (count < STATS_FRAMES && c->frame[count])
        count++;
    return count;
}

/* It goes through a pipe as a line, and onto a terminal. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static void describe(struct hot *h, const struct contended *c, bool is_hot, const char *site)
{
    *h = (struct hot){ .alone = c->alone && is_hot,
                       .objects = c->objects,
                       .threads = c->threads,
                       .own = c->own,
                       .foreign = c->foreign,
                       .retries = c->retries };
    snprintf(h->type, sizeof h->type, "%s", c->type ? c->type->name : "?");
    snprintf(h->site, sizeof h->site, "%s", *site ? site : "?");
    make_plain(h->type);
    make_plain(h->site);
}

/* Places first, those of one type and site together. */
static int by_site(const void *left, const void *right)
{
    const struct hot *a = left, *b = right;
    int difference = a->alone - b->alone;

    if (!difference)
        difference = strcmp(a->site, b->site);
    return difference ? difference : strcmp(a->type, b->type);
}

/* Many ways may lead to one site: what they made is one row, but for what is hot. What
 * remains: how many rows. */
static size_t unite_places(struct hot *hot, size_t count)
{
    size_t kept = 0;

    qsort(hot, count, sizeof *hot, by_site);
    for (size_t i = 0; i < count; i++) {
        struct hot *last = kept ? &hot[kept - 1] : NULL;

        if (!last || hot[i].alone || by_site(last, &hot[i])) {
            hot[kept++] = hot[i];
            continue;
        }
        last->objects += hot[i].objects;
        last->own += hot[i].own;
        last->foreign += hot[i].foreign;
        last->retries += hot[i].retries;
        if (hot[i].threads > last->threads)
            last->threads = hot[i].threads;
    }
    return kept;
}

static int by_contention(const void *left, const void *right)
{
    const struct hot *a = left, *b = right;
    uint64_t x = a->foreign + a->retries, y = b->foreign + b->retries;

    return x == y ? by_site(a, b) : (x < y) - (x > y);
}

/* All of them, named; NULL: no memory. */
static struct hot *name_all(const struct stats *stats)
{
    struct hot *hot = calloc(stats->count + 1, sizeof *hot);
    struct site *site = calloc(stats->count + 1, sizeof *site);

    if (!hot || !site) {
        free(hot);
        free(site);
        return NULL;
    }
    for (size_t i = 0; i < stats->count; i++) {
        site[i].frame = stats->contended[i].frame;
        site[i].frames = frames_of(&stats->contended[i]);
    }
    sites_name(site, stats->count);
    for (size_t i = 0; i < stats->count; i++) {
        const struct contended *c = &stats->contended[i];

        describe(&hot[i], c,
                 (c->foreign + c->retries) * HOT_PART >= stats->foreign + stats->retries,
                 site[i].text);
    }
    free(site);
    return hot;
}

struct contention *contention_name(const struct stats *s)
{
    struct contention *c = calloc(1, sizeof *c);
    struct hot *hot = c ? name_all(s) : NULL;
    size_t count;

    if (!hot) {
        free(c);
        return NULL;
    }
    *c = (struct contention){
        .own = s->own,
        .foreign = s->foreign,
        .retries = s->retries,
        .merges = s->merges,
        .queued = s->queued,
        .most_queued = s->most_queued,
        .most_held_bytes = s->most_held_bytes,
        .delay_p50_ns = s->delay_p50_ns,
        .delay_p99_ns = s->delay_p99_ns,
        .delay_max_ns = s->delay_max_ns,
        .crowded = s->crowded,
        .incomplete = s->incomplete,
    };
    count = unite_places(hot, s->count);
    qsort(hot, count, sizeof *hot, by_contention);
    c->count = count < HOT_MOST ? (int)count : HOT_MOST;
    memcpy(c->hot, hot, (size_t)c->count * sizeof *hot);
    free(hot);
    return c;
}
