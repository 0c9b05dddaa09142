/* relay.h - one job that every kind of unit does: a producer hands numbers over, one by one, and a
 * consumer adds them up.
 *
 * What is sent to the consumer is a number, which it adds and answers with None, or None, which
 * it answers with the sum, and begins anew. The sum is looked at after each batch.
 */
#ifndef BENCHES_RELAY_H
#define BENCHES_RELAY_H

#include "coroutines/generator.h"
#include "objects/int.h"

#include <assert.h>

enum { RELAY_NUMBERS = 256 };

/* The number of the i-th hand-over; NULL: MemoryError. */
static inline struct object *relay_number(uint64_t i)
{
    return int_new((int64_t)(i % RELAY_NUMBERS));
}

/* What the consumer does with what was sent, and answers. */
static inline struct object *relay_answer(int64_t *sum, struct object *sent /* steals */)
{
    struct object *answer = none();

    if (likely(sent != none())) {
        *sum += int_value(sent);
    } else {
        answer = int_new(*sum);
        *sum = 0;
    }
    decref(sent);
    return answer;
}

/* After `count` hand-overs: whether that is the sum. */
static inline bool relay_right(int64_t sum, uint64_t count)
{
    int64_t rounds = (int64_t)(count / RELAY_NUMBERS), rest = (int64_t)(count % RELAY_NUMBERS);

    return sum == rounds * (RELAY_NUMBERS * (RELAY_NUMBERS - 1) / 2) + rest * (rest - 1) / 2;
}

/* A batch for a consumer that is a generator. */
static inline void relay_send(struct object *consumer, uint64_t count)
{
    struct object *number, *answer;

    for (uint64_t i = 0; i < count; i++) {
        number = relay_number(i);
        generator_send(consumer, number, &answer);
        decref(number);
    }
    generator_send(consumer, none(), &answer);
    assert(relay_right(int_value(answer), count));
    decref(answer);
}

#endif
