/* hub_sync.h - what greenlets of one thread wait for from one another: events, semaphores, queues.
 *
 * They need no lock, for only one greenlet of a thread runs, and only a wait lets another run. (For
 * threads they are no use, and are not to be seen by any other.) A future of the hub's loop that
 * somebody will set is one more such thing: hub_join, hub_get.
 *
 * Who is woken goes on in the hub's next turn, in the order in which they came to wait. One that
 * gets an exception instead takes nothing away from the others.
 *
 * A deadline is of clock_ns(), or HUB_NEVER; one that has passed, such as 0, does not wait. Waits
 * return 1; 0, the deadline came before; or -1 with what was thrown, or MemoryError. NULL:
 * MemoryError. Who waits keeps the object alive.
 *
 * Source: gevent 22.10, src/gevent/event.py, lock.py and queue.py.
 */
#ifndef COROUTINES_HUB_SYNC_H
#define COROUTINES_HUB_SYNC_H

#include "coroutines/hub.h"

extern const struct type hub_event_type, hub_semaphore_type, hub_queue_type;

/* ---- an event: it is set or not ---- */

struct object *hub_event_new(void);

/* All that wait go on. */
void hub_event_set(borrowed event);
void hub_event_clear(borrowed event);
bool hub_event_is_set(borrowed event);

/* Until it is set; also if it is cleared before the greenlet has gone on. */
int hub_event_wait(borrowed event, uint64_t deadline_ns);

/* ---- a semaphore ---- */

struct object *hub_semaphore_new(size_t value);

/* Takes one, as soon as there is one. */
int hub_semaphore_acquire(borrowed semaphore, uint64_t deadline_ns);
void hub_semaphore_release(borrowed semaphore);
size_t hub_semaphore_value(borrowed semaphore);

/* ---- a queue, the first in first out ---- */

/* `most`: a put waits while so many are in there; 0: it never waits. */
struct object *hub_queue_new(size_t most);

int hub_queue_put(borrowed queue, borrowed item, uint64_t deadline_ns);

/* *item is a new reference; set only if 1 is returned. */
int hub_queue_get(borrowed queue, struct object **item, uint64_t deadline_ns);
size_t hub_queue_length(borrowed queue);

#endif
