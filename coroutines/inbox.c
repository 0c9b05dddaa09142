/* inbox.c - how the reader takes letters, and how it goes to sleep. */
#include "coroutines/inbox.h"

struct letter inbox_asleep, inbox_closed;

/* Nothing is ordered by it: it is the letter that carries something. */
bool inbox_sleep(struct inbox *b)
{
    struct letter *empty = NULL;

    return atomic_compare_exchange_strong_explicit(&b->head, &empty, &inbox_asleep,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static struct letter *in_order(struct letter *last)
{
    struct letter *first = NULL;

    while (last) {
        struct letter *before = last->next;

        last->next = first;
        first = last;
        last = before;
    }
    return first;
}

static struct letter *exchange(struct inbox *b, struct letter *word)
{
    struct letter *head = atomic_exchange_explicit(&b->head, word, memory_order_acquire);

    return head == &inbox_asleep || head == &inbox_closed ? NULL : in_order(head);
}

/* A look first: to write a word that others write costs a cache line, and mostly there is none. */
struct letter *inbox_take(struct inbox *b)
{
    struct letter *head = atomic_load_explicit(&b->head, memory_order_relaxed);

    return !head || head == &inbox_closed ? NULL : exchange(b, NULL);
}

struct letter *inbox_close(struct inbox *b)
{
    return exchange(b, &inbox_closed);
}

const struct letter *inbox_look(const struct inbox *b)
{
    const struct letter *head = atomic_load_explicit(&b->head, memory_order_acquire);

    return head == &inbox_asleep || head == &inbox_closed ? NULL : head;
}
