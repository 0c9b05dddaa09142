/* consumer.c - replies to what it is sent. */
#include "benches/consumer.h"

#include "objects/bool.h"
#include "objects/int.h"
#include "objects/str.h"

#include <inttypes.h>
#include <stdio.h>

static enum turn wait_with(bool tells, const char *reply, struct object **result)
{
    if (tells)
        puts("consumer: waiting");
    *result = str_new(reply);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static enum turn begin(bool tells, struct object **result)
{
    if (tells)
        puts("consumer: started");
    return wait_with(tells, "ready", result);
}

/* Frame: [0] True or False. */
static enum turn consume(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    bool tells = is_true(f->reference[0]);
    char reply[CONSUMER_REPLY_BYTES];

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at == 0) {
        f->at = 1;
        return begin(tells, result);
    }
    if (tells)
        printf("consumer: got %" PRId64 "\n", int_value(argument));
    if (int_value(argument) == 0)
        return frame_return(result);
    snprintf(reply, sizeof reply, "ok %" PRId64, int_value(argument));
    return wait_with(tells, reply, result);
}

static const struct body consumer = { .name = "consumer", .resume = consume, .references = 1 };

struct object *consumer_new(bool tells)
{
    return generator_new(&consumer, (borrowed[]){ truth(tells) }, 1);
}
