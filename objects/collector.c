/* collector.c - trial deletion over the register of containers.
 *
 * What is collected is a set of containers, the young ones or all. While the world is
 * stopped and the counts are exact, take from each object's count the references that
 * objects of the set hold to it. What is left over are references from outside: from
 * stacks, from objects that are not in the set or not in the register. Whatever has one,
 * and all that it reaches within the set, survives. The rest is held by nothing but
 * itself.
 *
 * Why this frees nothing that somebody needs:
 *   1. Every reference is counted, and rc_quiesce has brought in what logs and queues
 *      hold back. References that a traverse does not show count as from outside. So an
 *      error can only be that garbage stays.
 *   2. rc_quiesce may destroy objects while the world is stopped. That is as if the thread
 *      that stopped it had dropped them: destructors pass no safe point, and the locks that
 *      they take no stopped thread holds (docs/design.md). What has died so is out of the
 *      register before anything is counted.
 *   3. No thread has a reference to garbage, no weak reference leads there once the
 *      world runs again, and what is alive does not hold it. So nobody else can reach it,
 *      and it is emptied while the world runs.
 *   4. But the thread that collects is perhaps not the one that made it, and drops what
 *      the garbage held: objects of others, alive ones too. So garbage from another part
 *      of the register is published first, and with it what it holds, while the others are
 *      stopped. Of its own part a thread needs no such thing: what is not published there
 *      was made by itself, or by one that has left.
 *   5. Each piece of garbage is held by a reference until all have been emptied, so none
 *      goes while the list of them, linked through their slots, is still walked.
 *   6. What is unfinished may reach all other garbage and hand it out, so while it is
 *      finished nothing else is held, linked or emptied: to a program it is as if it had not
 *      been found. What is to be finished stands in a table, not on a list through slots,
 *      for publishing uses those.
 *   7. One thread collects at a time (`busy`), until its garbage is freed: so the slots'
 *      links are its own, and to a later collection what is still held is alive.
 *
 * A slot says of its object, while the set is worked on: references from outside in `held`;
 * or, if the lowest bit of `object` is set, that it survives, and `next` is free for a list.
 */
#include "objects/collector.h"

#include "gil/gil.h"
#include "gil/mutex.h"
#include "objects/interpreter.h"
#include "objects/weakref.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Of all interpreters; what each has of its own is struct collector_books. */
static struct {
    _Atomic bool disabled;      /* atomic */
    _Atomic uint64_t threshold; /* atomic */
} collector = { .threshold = COLLECTOR_THRESHOLD };

/* ---- the set ---- */

/* The object's slot if it belongs to the set, else NULL. */
static struct slot *slot_in_set(borrowed o)
{
    struct slot *slot;

    if (uncounted(o) || !o->tracked)
        return NULL;
    slot = container_slot(o);
    return container_is_young(slot) ? slot : NULL;
}

static bool survives(const struct slot *slot)
{
    return (uintptr_t)slot->object & 1;
}

static struct object *object_of(const struct slot *slot)
{
    return (struct object *)((uintptr_t)slot->object & ~(uintptr_t)1);
}

/* Calls `visit` for each slot of the set that has an object. Always inline, and `visit` with
 * it: most of a pause is spent here. */
static inline __attribute__((always_inline)) void
each(struct chunk *set, void (*visit)(struct slot *slot, void *argument), void *argument)
{
    for (struct chunk *chunk = set; chunk; chunk = chunk->next_young)
        for (int word = 0; word < YOUNG_WORDS; word++)
            for (uint64_t bits = chunk->young[word]; bits; bits &= bits - 1) {
                struct slot *slot = &chunk->slots[word * YOUNG_BITS + __builtin_ctzll(bits)];

                if (slot->object)
                    visit(slot, argument);
            }
}

/* ---- trial deletion ---- */

/* One that has died is still there while a callback of its weak references waits for
 * something. It is no garbage, nor is what it holds: it will be destroyed by whoever is about
 * to. */
static void count(struct slot *slot, void *examined)
{
    int64_t references = rc_count(&slot->object->rc);

    slot->held = references ? references : INT64_MAX / 2;
    ++*(uint64_t *)examined;
}

static void subtract_reference(borrowed held, void *unused)
{
    struct slot *slot = slot_in_set(held);

    (void)unused;
    if (slot)
        slot->held--;
}

static void subtract(struct slot *slot, void *unused)
{
    slot->object->type->traverse(slot->object, subtract_reference, unused);
}

static void save(struct slot *slot, struct slot **saved)
{
    slot->object = (struct object *)((uintptr_t)slot->object + 1);
    slot->next = *saved;
    *saved = slot;
}

static void save_held(borrowed held, void *saved)
{
    struct slot *slot = slot_in_set(held);

    if (slot && !survives(slot))
        save(slot, saved);
}

/* Saves the object if it is held from outside, and all that it reaches. */
static void save_from(struct slot *slot, void *unused)
{
    struct slot *saved = NULL;

    (void)unused;
    if (survives(slot))
        return;
    assert(slot->held >= 0 && "more references than were counted");
    if (slot->held > 0)
        save(slot, &saved);
    while ((slot = saved)) {
        saved = slot->next;
        object_of(slot)->type->traverse(object_of(slot), save_held, &saved);
    }
}

/* Fact 4. Before garbage is linked: publishing links through the same slots. */
static void publish_strange(struct slot *slot, void *unused)
{
    (void)unused;
    if (!survives(slot) && !container_is_own(slot))
        publish(slot->object);
}

struct sorted {
    struct slot *garbage;
    uint64_t survivors;
};

static void sort(struct slot *slot, void *argument)
{
    struct sorted *sorted = argument;

    if (survives(slot)) {
        slot->object = object_of(slot);
        sorted->survivors++;
    } else {
        slot->next = sorted->garbage;
        sorted->garbage = slot;
    }
}

/* The world is stopped, the counts are exact. */
static struct sorted find_garbage(enum generation generation, uint64_t *examined)
{
    struct chunk *set = container_gather(generation == GENERATION_ALL);
    struct sorted sorted = { NULL, 0 };

    each(set, count, examined);
    each(set, subtract, NULL);
    each(set, save_from, NULL);
    each(set, publish_strange, NULL);
    each(set, sort, &sorted);
    container_grow_old(set);
    return sorted;
}

/* ---- garbage ---- */

/* The world is stopped: from here on nobody can reach it. No callback of a weak reference is
 * called: it may be garbage itself, and bring the others back. */
static void hold(struct slot *garbage)
{
    for (struct slot *slot = garbage; slot; slot = slot->next) {
        if (object_has(slot->object, OBJECT_WEAK))
            weakref_cut(slot->object, NULL);
        incref(slot->object);
    }
}

/* The world runs. Returns how many there were. */
static uint64_t empty(struct slot *garbage)
{
    uint64_t found = 0;

    for (struct slot *slot = garbage; slot; slot = slot->next) {
        if (slot->object->type->clear)
            slot->object->type->clear(slot->object);
        found++;
    }
    return found;
}

static void let_go(struct slot *garbage)
{
    for (struct slot *slot = garbage, *next; slot; slot = next) {
        next = slot->next;
        decref(slot->object);
    }
}

/* ---- what is unfinished ---- */

/* Of the garbage: with a reference to each, from outside the set. */
struct unfinished {
    struct object **object; /* owned; NULL: there was no memory for them */
    size_t count;
};

static bool is_unfinished(borrowed o)
{
    return o->type->unfinished && o->type->unfinished(o);
}

/* The world is stopped. */
static struct unfinished find_unfinished(struct slot *garbage)
{
    struct unfinished found = { NULL, 0 };
    size_t i = 0;

    for (struct slot *slot = garbage; slot; slot = slot->next)
        found.count += is_unfinished(slot->object);
    if (found.count)
        found.object = malloc(found.count * sizeof *found.object);
    if (!found.object)
        return found;
    for (struct slot *slot = garbage; slot; slot = slot->next)
        if (is_unfinished(slot->object))
            found.object[i++] = incref(slot->object);
    return found;
}

/* The world runs. */
static void finish(struct unfinished *found)
{
    if (!found->object)
        return;
    for (size_t i = 0; i < found->count; i++) {
        struct object *o = found->object[i];

        if (is_unfinished(o)) /* another has not ended it */
            o->type->finish(o);
        decref(o);
    }
    free(found->object);
}

/* ---- when ---- */

/* Whether counts may be wrong, or may become so when one thread drops what another holds. */
static bool counts_race(const struct thread *t)
{
    return parking || (RC_NEEDS_GIL && !t->gil->class->excludes && world_size(t) > 1);
}

/* Acquire and release: what belongs to who is busy. */
static bool become_busy(struct collector_books *c)
{
    return !atomic_exchange_explicit(&c->busy, true, memory_order_acquire);
}

static void become_idle(struct collector_books *c)
{
    atomic_store_explicit(&c->busy, false, memory_order_release);
}

static void note(struct collector_books *c, enum generation generation, uint64_t survivors)
{
    if (generation == GENERATION_ALL) {
        c->old = survivors;
        c->grown_old = 0;
    } else {
        c->grown_old += survivors;
    }
}

/* The garbage is held for the caller; if there is any that is unfinished, that is, and
 * the rest is left as it was. */
static struct slot *pause(struct collector_books *c, enum generation generation,
                          struct unfinished *unfinished)
{
    struct thread *t = thread_self;
    struct pauses *p = &c->pauses[generation];
    struct sorted sorted;
    uint64_t began_ns = clock_ns(), took_ns;

    world_stop(t);
    p->stop_total_ns += clock_ns() - began_ns;
    p->collections++;
    object_postpone();
    rc_quiesce();
    sorted = find_garbage(generation, &p->examined);
    *unfinished = find_unfinished(sorted.garbage);
    if (unfinished->count)
        sorted.garbage = NULL;
    hold(sorted.garbage);
    note(c, generation, sorted.survivors);
    world_start(t);
    took_ns = clock_ns() - began_ns;
    p->pause_total_ns += took_ns;
    histogram_record(&p->pauses_ns, took_ns);
    object_catch_up();
    return sorted.garbage;
}

/* The caller is busy. What becomes unfinished in the second pass waits for another
 * collection. */
static uint64_t run(struct collector_books *c, enum generation generation)
{
    struct unfinished unfinished;
    struct slot *garbage;
    uint64_t found;

    atomic_store_explicit(&c->young, 0, memory_order_relaxed);
    if (counts_race(thread_self))
        return 0;
    garbage = pause(c, generation, &unfinished);
    if (unlikely(unfinished.count)) {
        finish(&unfinished);
        generation = GENERATION_ALL;
        garbage = pause(c, generation, &unfinished);
        finish(&unfinished);
    }
    found = empty(garbage);
    c->pauses[generation].found += found;
    let_go(garbage);
    return found;
}

bool collector_works(void)
{
    return !counts_race(thread_self);
}

uint64_t collect(enum generation generation)
{
    struct collector_books *c = &interpreter_self()->collector;
    uint64_t found;

    if (!become_busy(c))
        return 0;
    found = run(c, generation);
    become_idle(c);
    return found;
}

static bool due(const struct collector_books *c)
{
    return !atomic_load_explicit(&collector.disabled, memory_order_relaxed) &&
           atomic_load_explicit(&c->young, memory_order_relaxed) >=
               atomic_load_explicit(&collector.threshold, memory_order_relaxed);
}

/* All, when a quarter as many have grown old as there were: then the work of looking at
 * all grows with what is made, and not with its square (M. von Loewis, CPython issue 4074). */
static enum generation due_generation(const struct collector_books *c)
{
    return c->grown_old > c->old / 4 ? GENERATION_ALL : GENERATION_YOUNG;
}

/* Of those that were asked at once the first does it, and for the others it is not due any
 * more. */
void collector_asked(struct thread *t)
{
    struct collector_books *c = &interpreter_self()->collector;

    (void)t;
    if (!due(c) || !become_busy(c))
        return;
    if (due(c))
        run(c, due_generation(c));
    become_idle(c);
}

void collector_tell(uint32_t more)
{
    struct collector_books *c = &interpreter_self()->collector;

    atomic_fetch_add_explicit(&c->young, more, memory_order_relaxed);
    if (due(c))
        thread_request(thread_self, BREAKER_COLLECT);
}

/* ---- settings ---- */

void collector_enable(bool enabled)
{
    atomic_store_explicit(&collector.disabled, !enabled, memory_order_relaxed);
}

void collector_threshold(uint64_t slots)
{
    atomic_store_explicit(&collector.threshold, slots, memory_order_relaxed);
}

static void add_pauses(struct pauses sum[GENERATIONS], const struct pauses more[GENERATIONS])
{
    for (int i = 0; i < GENERATIONS; i++) {
        sum[i].collections += more[i].collections;
        sum[i].examined += more[i].examined;
        sum[i].found += more[i].found;
        sum[i].stop_total_ns += more[i].stop_total_ns;
        sum[i].pause_total_ns += more[i].pause_total_ns;
        histogram_add(&sum[i].pauses_ns, &more[i].pauses_ns);
    }
}

static void add_those_of(struct interpreter *i, void *sum)
{
    add_pauses(sum, i->collector.pauses);
}

void collector_pauses(struct pauses pauses[GENERATIONS])
{
    for (int i = 0; i < GENERATIONS; i++)
        pauses[i] = (struct pauses){ 0 };
    interpreter_each(add_those_of, pauses);
}

void collector_bequeath(struct interpreter *ended)
{
    add_pauses(interpreter_main.collector.pauses, ended->collector.pauses);
}
