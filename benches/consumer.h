/* consumer.h - a generator of demos and workloads: it is sent items, and replies.
 *
 *     def consumer():
 *         reply = "ready"
 *         while True:
 *             item = yield reply
 *             if not item:
 *                 return
 *             reply = "ok %d" % item
 */
#ifndef BENCHES_CONSUMER_H
#define BENCHES_CONSUMER_H

#include "coroutines/generator.h"

enum { CONSUMER_REPLY_BYTES = 40 };

/* One that has not begun; if it tells, it prints what it does. What it is sent must be ints. NULL:
 * MemoryError. */
struct object *consumer_new(bool tells);

#endif
