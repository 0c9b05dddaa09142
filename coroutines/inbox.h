/* inbox.h - letters from any thread to one that sleeps between.
 *
 * Any number of threads put letters in, one takes them, all at once and in the order in which
 * they came. Whoever puts one in is told whether the other has to be woken: once, by the first
 * letter since it went to sleep, and never while it is awake.
 *
 * It is one word. The head of a list of letters, last one first; or ASLEEP, which is an empty list
 * whose reader sleeps, or is about to; or CLOSED. Why no wake-up is lost:
 *
 *   1. The reader goes to sleep by changing the word from empty to ASLEEP in one step. If a letter
 *      came before, that fails, and it does not sleep.
 *   2. Each letter changes the word in one step, too. So after 1 the first letter finds ASLEEP, and
 *      only the first; who put it in wakes the reader, which takes it as its own step.
 *   3. A wake-up that comes when the reader is up already is kept by the reactor until its next
 *      poll: one poll too many, and none too few.
 *
 * (An armed flag beside the list would be two words, and the reader would have to look at the list
 * again after it has set the flag: see coroutines/wrong/inbox_sleeps_blindly.c.)
 *
 * Source: the list that is pushed by compare-and-swap and taken as a whole is R. K. Treiber's
 * (Systems Programming: Coping with Parallelism, IBM RJ 5118, 1986); taken as a whole it has no
 * ABA.
 */
#ifndef COROUTINES_INBOX_H
#define COROUTINES_INBOX_H

#include "gil/attributes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Stands first in what is sent. */
struct letter {
    struct letter *next;
};

struct inbox {
    _Atomic(struct letter *) head; /* atomic */
};

enum inbox_answer { INBOX_AWAKE, INBOX_ASLEEP, INBOX_CLOSED };

extern struct letter inbox_asleep, inbox_closed; /* what the word says; never read or written */

static inline void inbox_init(struct inbox *b)
{
    atomic_init(&b->head, NULL);
}

/* INBOX_ASLEEP: the caller must wake the reader. INBOX_CLOSED: the letter is still the caller's.
 * Release: what the letter says is seen by whoever takes it. */
static inline enum inbox_answer inbox_put(struct inbox *b, struct letter *letter)
{
    struct letter *head = atomic_load_explicit(&b->head, memory_order_relaxed);

    do {
        if (unlikely(head == &inbox_closed))
            return INBOX_CLOSED;
        letter->next = head == &inbox_asleep ? NULL : head;
    } while (!atomic_compare_exchange_weak_explicit(&b->head, &head, letter, memory_order_release,
                                                    memory_order_relaxed));
    return head == &inbox_asleep ? INBOX_ASLEEP : INBOX_AWAKE;
}

/* ---- for the one that reads ---- */

/* Whether it may sleep: from now on the next letter wakes it. False: there is mail. */
bool inbox_sleep(struct inbox *b);

/* It is awake. All letters, the first one first; NULL: none. They are the caller's. */
struct letter *inbox_take(struct inbox *b);

/* The same for the last time: from now on nothing is put in. Twice is no harm. */
struct letter *inbox_close(struct inbox *b);

/* Those that are there, the last one first; they stay where they are. */
const struct letter *inbox_look(const struct inbox *b);

#endif
