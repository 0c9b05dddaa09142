/* relay_thread.c - numbers handed to another thread, by a mailbox with one slot.
 *
 * Who waits for the slot detaches, looks for a while and sleeps (coroutines/block.h), so this is
 * what threads take for what generators do by a call: two hand-overs of the lock, if there is
 * one, or two waits for the other processor's write, if there are two.
 */
#include "benches/micro.h"

#include "benches/relay.h"
#include "coroutines/block.h"
#include "coroutines/recruit.h"
#include "objects/exception.h"

#include <errno.h>

struct slot {
    struct object *held;    /* owned; whoever waits for it, or has filled it last */
    _Atomic uint32_t full;  /* block.h: there is something to take */
    _Atomic uint32_t empty; /* there is room */
};

static struct slot to_consumer, to_producer;

static void put(struct slot *slot, struct object *o /* steals; may be NULL */)
{
    if (o)
        publish(o);
    block_until(&slot->empty, BLOCK_FOREVER, BLOCK_SPIN);
    atomic_store_explicit(&slot->empty, 0, memory_order_relaxed);
    slot->held = o;
    block_end(&slot->full);
}

static struct object *take(struct slot *slot)
{
    struct object *o;

    block_until(&slot->full, BLOCK_FOREVER, BLOCK_SPIN);
    atomic_store_explicit(&slot->full, 0, memory_order_relaxed);
    o = slot->held;
    block_end(&slot->empty);
    return o;
}

static void make_empty(struct slot *slot)
{
    atomic_init(&slot->full, 0);
    atomic_init(&slot->empty, BLOCK_OVER);
}

/* Until it is given nothing. Only a sum is answered: of None the producer makes nothing. */
static void consume(struct thread *self, struct recruit *r)
{
    struct object *sent, *answer;
    int64_t sum = 0;

    (void)self;
    recruit_ready(r);
    while ((sent = take(&to_consumer))) {
        answer = relay_answer(&sum, sent);
        if (answer != none())
            put(&to_producer, answer);
    }
}

static int setup(void)
{
    make_empty(&to_consumer);
    make_empty(&to_producer);
    errno = recruit_start(&(struct recruit){ .name = "consumer", .body = consume });
    if (errno)
        exception_set_errno("pthread_create");
    return errno ? -1 : 0;
}

MEASURED static void run(uint64_t iterations)
{
    struct object *sum;

    for (uint64_t i = 0; i < iterations; i++)
        put(&to_consumer, relay_number(i));
    put(&to_consumer, none());
    sum = take(&to_producer);
    assert(relay_right(int_value(sum), iterations));
    decref(sum);
}

static void teardown(void)
{
    put(&to_consumer, NULL);
    recruit_join_all();
}

const struct micro micro_relay_thread = {
    .about = "a number made, and handed to another thread that adds it up",
    .per_lock = true, .threads = true, .setup = setup, .run = run, .teardown = teardown,
};
