/* reclaim.c - the memory that waits until nobody reads it.
 *
 * Each thread has two rows of it. What is given up now goes into `filling`; when that is a
 * batch, it becomes `waiting`, with a goal (gil/qsbr.h), and is freed when the goal has
 * passed. A thread that detaches or leaves moves both into one row for all, `inherited`,
 * from which whoever is quiet next takes it into its own: the memory then gets a new and
 * later goal, which is always right.
 *
 *   1. Nothing is left when the last thread goes: a thread looks for others after it has
 *      left and given up its rows under the lock. Of two that go at once, the second to
 *      take the lock finds the first one gone, and its rows there.
 *      One that has no rows of its own leaves, and then reads `any` by a read-modify-write,
 *      as who has rows writes it before it looks. If the read comes first, the other finds
 *      it gone; else it sees that there is something.
 *   2. The rows are linked through the memory itself, at its end (RECLAIM_BYTES), so that
 *      giving up needs no memory and cannot fail. A count stands at the beginning, in an
 *      object of at least `struct object`: a reader that still tries it finds it whole.
 *   3. A row is freed with no lock held.
 */
#include "objects/reclaim.h"

#include "gil/mutex.h"
#include "gil/qsbr.h"
#include "gil/thread.h"
#include "objects/heap.h"
#include "objects/object.h"

/* Stands at the end of a block, as far as alignment allows. */
struct link {
    struct link *next;
    size_t size_bytes : 63, is_table : 1;
};

_Static_assert(sizeof(struct link) == RECLAIM_BYTES, "the header says how many");
_Static_assert(sizeof(struct object) - sizeof(struct link) >= sizeof(rc_t), "fact 2");

struct row {
    struct link *first, *last; /* NULL: it is empty */
    size_t size_bytes;
};

static _Thread_local struct {
    struct row filling, waiting;
    uint64_t goal;       /* of what waits */
    size_t enough_bytes; /* in `filling`, to look again */
} own = { .enough_bytes = RECLAIM_BATCH_BYTES };

static struct {
    struct mutex lock; /* held for a few instructions, and to look through the threads */
    struct row row;    /* lock */
    _Atomic int any;   /* written under the lock, read by any: 1: there is a row; fact 1 */
} inherited = { .lock = MUTEX_INIT };

static size_t offset_of_link(size_t size_bytes)
{
    return (size_bytes - sizeof(struct link)) & ~(_Alignof(struct link) - 1);
}

static void push(struct row *row, void *memory, size_t size_bytes, bool is_table)
{
    struct link *link = (struct link *)((char *)memory + offset_of_link(size_bytes));

    link->next = row->first;
    link->size_bytes = size_bytes;
    link->is_table = is_table;
    row->first = link;
    if (!row->last)
        row->last = link;
    row->size_bytes += size_bytes;
}

/* Moves all of `from` to the front of `to`. */
static void move(struct row *to, struct row *from)
{
    if (!from->first)
        return;
    from->last->next = to->first;
    to->first = from->first;
    if (!to->last)
        to->last = from->last;
    to->size_bytes += from->size_bytes;
    *from = (struct row){ 0 };
}

static void free_now(void *memory, size_t size_bytes, bool is_table)
{
    if (is_table)
        heap_free_table(memory, size_bytes);
    else
        heap_free(memory, size_bytes);
}

static void free_row(struct row *row)
{
    for (struct link *link = row->first, *next; link; link = next) {
        next = link->next;
        free_now((char *)link - offset_of_link(link->size_bytes), link->size_bytes, link->is_table);
    }
    *row = (struct row){ 0 };
}

/* Frees what waits, if its goal has passed, and then lets the next batch wait if there is
 * one. Who holds it back is asked. */
static SLOW_PATH void look(void)
{
    if (own.waiting.first && qsbr_passed(own.goal, true))
        free_row(&own.waiting);
    if (!own.waiting.first && own.filling.size_bytes >= RECLAIM_BATCH_BYTES) {
        move(&own.waiting, &own.filling);
        own.goal = qsbr_goal();
        if (qsbr_passed(own.goal, true))
            free_row(&own.waiting);
    }
    own.enough_bytes = own.filling.size_bytes + RECLAIM_BATCH_BYTES;
}

static void give_up(void *memory, size_t size_bytes, bool is_table)
{
    if (!thread_self || !thread_self->locks_containers) {
        free_now(memory, size_bytes, is_table);
        return;
    }
    push(&own.filling, memory, size_bytes, is_table);
    if (unlikely(own.filling.size_bytes >= own.enough_bytes))
        look();
}

void free_later(void *memory, size_t size_bytes)
{
    give_up(memory, size_bytes, false);
}

void free_table_later(void *table, size_t size_bytes)
{
    give_up(table, size_bytes, true);
}

/* Moves the row of all to `to`. */
static void take_inherited(struct row *to) REQUIRES(inherited.lock)
{
    move(to, &inherited.row);
    atomic_store_explicit(&inherited.any, 0, memory_order_relaxed);
}

static void inherit(void)
{
    if (!atomic_load_explicit(&inherited.any, memory_order_relaxed))
        return;
    mutex_lock(&inherited.lock);
    take_inherited(&own.filling);
    mutex_unlock(&inherited.lock);
}

void reclaim_quiet(struct thread *t)
{
    if (!t->locks_containers)
        return;
    qsbr_quiet(t);
    inherit();
    look();
}

void reclaim_enter(struct thread *t)
{
    if (t->locks_containers)
        qsbr_enter(t);
}

/* Gives what waits to the others; to nobody, and free, if there are none. */
static SLOW_PATH void bequeath(void)
{
    struct row nobodys = { 0 };

    move(&own.filling, &own.waiting);
    mutex_lock(&inherited.lock);
    move(&inherited.row, &own.filling);
    atomic_exchange_explicit(&inherited.any, 1, memory_order_acq_rel); /* fact 1 */
    if (qsbr_passed(qsbr_goal(), inherited.row.size_bytes >= RECLAIM_BATCH_BYTES))
        take_inherited(&nobodys);
    mutex_unlock(&inherited.lock);
    own.enough_bytes = RECLAIM_BATCH_BYTES;
    free_row(&nobodys);
}

void reclaim_leave(struct thread *t)
{
    if (!t->locks_containers)
        return;
    qsbr_leave(t);
    if (own.filling.first || own.waiting.first ||
        atomic_fetch_or_explicit(&inherited.any, 0, memory_order_acq_rel)) /* fact 1 */
        bequeath();
}

void reclaim_all(void)
{
    reclaim_leave(thread_self);
    reclaim_enter(thread_self);
}
