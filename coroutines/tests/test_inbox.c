/* test_inbox.c - letters from many to one that sleeps between, and is woken once. */
#include "coroutines/inbox.h"
#include "objects/tests/testing.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <unistd.h>

enum { SENDERS = 3, LETTERS = 60000, TIMEOUT_S = 60 };

struct numbered {
    struct letter letter;
    int sender, number;
};

static struct numbered letters[SENDERS][LETTERS];
static struct inbox box;
static sem_t wake;

static int number_of(const struct letter *letter)
{
    return ((const struct numbered *)letter)->number;
}

static void test_letters_come_in_the_order_in_which_they_were_put(void **state)
{
    struct letter *letter;

    (void)state;
    inbox_init(&box);
    assert_null(inbox_take(&box));
    for (int i = 0; i < 5; i++) {
        letters[0][i].number = i;
        assert_int_equal(inbox_put(&box, &letters[0][i].letter), INBOX_AWAKE);
    }
    letter = inbox_take(&box);
    for (int i = 0; i < 5; i++, letter = letter->next)
        assert_int_equal(number_of(letter), i);
    assert_null(letter);
    assert_null(inbox_take(&box));
}

static void test_only_the_first_letter_to_a_sleeper_wakes_it(void **state)
{
    (void)state;
    inbox_init(&box);
    assert_true(inbox_sleep(&box));
    assert_int_equal(inbox_put(&box, &letters[0][0].letter), INBOX_ASLEEP);
    assert_int_equal(inbox_put(&box, &letters[0][1].letter), INBOX_AWAKE);
    assert_non_null(inbox_take(&box));
    assert_int_equal(inbox_put(&box, &letters[0][0].letter), INBOX_AWAKE);
}

static void test_who_has_mail_does_not_sleep(void **state)
{
    (void)state;
    inbox_init(&box);
    assert_int_equal(inbox_put(&box, &letters[0][0].letter), INBOX_AWAKE);
    assert_false(inbox_sleep(&box));
    assert_ptr_equal(inbox_take(&box), &letters[0][0].letter);
    assert_true(inbox_sleep(&box));
    assert_null(inbox_take(&box)); /* and is awake */
    assert_int_equal(inbox_put(&box, &letters[0][0].letter), INBOX_AWAKE);
}

static void test_a_closed_box_takes_nothing(void **state)
{
    (void)state;
    inbox_init(&box);
    inbox_put(&box, &letters[0][0].letter);
    assert_ptr_equal(inbox_close(&box), &letters[0][0].letter);
    assert_int_equal(inbox_put(&box, &letters[0][1].letter), INBOX_CLOSED);
    assert_null(inbox_close(&box));
    assert_null(inbox_take(&box));
}

static void *send_all(void *argument)
{
    struct numbered *own = argument;

    for (int i = 0; i < LETTERS; i++) {
        own[i].sender = (int)((own - letters[0]) / LETTERS);
        own[i].number = i;
        if (inbox_put(&box, &own[i].letter) == INBOX_ASLEEP)
            sem_post(&wake);
    }
    return NULL;
}

/* Reads until all have come; each sender's in its order. False: it slept, and nobody woke it. */
static bool read_all(void)
{
    int next[SENDERS] = { 0 }, read = 0;

    while (read < SENDERS * LETTERS) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 5;
        if (inbox_sleep(&box) && sem_timedwait(&wake, &until) < 0)
            return false;
        for (struct letter *l = inbox_take(&box); l; l = l->next, read++) {
            struct numbered *n = (struct numbered *)l;

            assert_int_equal(n->number, next[n->sender]++);
        }
    }
    return true;
}

static void test_no_wake_up_is_lost(void **state)
{
    pthread_t sender[SENDERS];

    (void)state;
    inbox_init(&box);
    sem_init(&wake, 0, 0);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&sender[i], NULL, send_all, letters[i]), 0);
    assert_true(read_all());
    for (int i = 0; i < SENDERS; i++)
        pthread_join(sender[i], NULL);
    sem_destroy(&wake);
}

/* How many have been read: the next one is sent only then, just as the reader goes to sleep. */
static _Atomic int letters_read;

static void wait_a_moment(uint64_t *random)
{
    for (uint64_t left = random_of(random, 1500); left; left--)
        __asm__ volatile("" : : : "memory");
}

static void *send_one_by_one(void *argument)
{
    uint64_t random = 88172645463325252;

    (void)argument;
    for (int i = 0; i < LETTERS; i++) {
        for (int spins = 0; atomic_load_explicit(&letters_read, memory_order_acquire) < i; spins++)
            if (spins % 1024 == 1023)
                sched_yield();
        wait_a_moment(&random);
        if (inbox_put(&box, &letters[0][i].letter) == INBOX_ASLEEP)
            sem_post(&wake);
    }
    return NULL;
}

/* It takes its time as well: what it has read is seen late by the sender. */
static bool read_one_by_one(void)
{
    uint64_t random = 1181783497276652981;

    for (int read = 0; read < LETTERS;) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 5;
        wait_a_moment(&random);
        if (inbox_sleep(&box) && sem_timedwait(&wake, &until) < 0)
            return false;
        for (struct letter *l = inbox_take(&box), *next; l; l = next) {
            next = l->next;
            atomic_store_explicit(&letters_read, ++read, memory_order_release);
        }
    }
    return true;
}

static void test_no_wake_up_is_lost_by_who_goes_to_sleep(void **state)
{
    pthread_t sender;
    bool all;

    (void)state;
    inbox_init(&box);
    sem_init(&wake, 0, 0);
    assert_int_equal(pthread_create(&sender, NULL, send_one_by_one, NULL), 0);
    all = read_one_by_one();
    atomic_store_explicit(&letters_read, LETTERS, memory_order_release); /* the sender ends */
    pthread_join(sender, NULL);
    sem_destroy(&wake);
    assert_true(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_come_in_the_order_in_which_they_were_put),
        cmocka_unit_test(test_only_the_first_letter_to_a_sleeper_wakes_it),
        cmocka_unit_test(test_who_has_mail_does_not_sleep),
        cmocka_unit_test(test_a_closed_box_takes_nothing),
        cmocka_unit_test(test_no_wake_up_is_lost_by_who_goes_to_sleep),
        cmocka_unit_test(test_no_wake_up_is_lost),
    };

    alarm(TIMEOUT_S);
    return run_attached(tests);
}
