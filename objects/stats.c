/* stats.c - the tallies of the build that counts, and the entries that they are of. */
#include "objects/stats.h"

#if !RC_STATS
void stats_begin(void)
{
}

void stats_take(struct stats *stats)
{
    *stats = (struct stats){ 0 };
}

void stats_free(struct stats *stats)
{
    (void)stats;
}
#else

#include "gil/histogram.h"
#include "objects/object.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Entry 0; then a hash table of places; then objects, in the order of their publication. In
 * test builds so few that they run out. */
#ifdef NDEBUG
enum { PLACES = 1 << 10, OBJECTS = 3 << 10 };
#else
enum { PLACES = 1 << 6, OBJECTS = 16 };
#endif
enum { FIRST_OBJECT = 1 + PLACES, ENTRIES = FIRST_OBJECT + OBJECTS };

struct entry {
    _Atomic uint64_t hash; /* of what follows; 0: free. Two that are equal are taken for one */
    const struct type *type;         /* who has set the hash; read when no thread counts */
    const void *frame[STATS_FRAMES]; /* likewise */
    uint32_t place;                  /* likewise; of an object: where it was made */
};

struct tally {
    uint64_t own, foreign, retries, made;
};

/* What one thread has counted; it stays when the thread ends. */
struct ledger {
    _Alignas(128) uint32_t number; /* set once; from 1 */
    uintptr_t stack, stack_end;    /* set once: the thread's own stack, from its lowest address */
    struct ledger *next;           /* set once */
    uint64_t lone_retries, merges, queued; /* owner; as is what follows */
    struct histogram delay;
    struct tally of[ENTRIES];
};

static struct {
    struct mutex lock;         /* takes no other */
    struct ledger *ledgers;    /* lock */
    uint32_t threads;          /* lock; that had a ledger */
    _Atomic uint32_t objects;  /* entries given to objects; may go beyond the bound */
    _Atomic bool crowded;      /* atomic */
    _Atomic bool incomplete;   /* atomic */
    struct entry entry[ENTRIES];
} stats = { .lock = MUTEX_INIT };

/* On a line of its own. */
static struct {
    _Alignas(128) _Atomic uint64_t now, most;
} objects_queued, bytes_held;

static _Thread_local struct ledger *own;

static void find_stack(struct ledger *l)
{
    pthread_attr_t attributes;
    size_t size_bytes = 0;
    void *lowest = NULL;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    pthread_attr_getstack(&attributes, &lowest, &size_bytes);
    pthread_attr_destroy(&attributes);
    l->stack = (uintptr_t)lowest;
    l->stack_end = (uintptr_t)lowest + size_bytes;
}

/* To where it can be read. Who has left the thread's stack for one of its own (a fiber) stands on
 * one of which no more is known here than that the page is there. */
static uintptr_t end_of_stack(const struct ledger *l, const void *frame)
{
    enum { PAGE_BYTES = 4096 }; /* or more */
    uintptr_t at = (uintptr_t)frame;

    if (at >= l->stack && at < l->stack_end)
        return l->stack_end;
    return (at & ~(uintptr_t)(PAGE_BYTES - 1)) + PAGE_BYTES;
}

static SLOW_PATH struct ledger *ledger_new(void)
{
    struct ledger *l = aligned_alloc(_Alignof(struct ledger), sizeof *l);

    if (!l) {
        atomic_store_explicit(&stats.incomplete, true, memory_order_relaxed);
        return NULL;
    }
    memset(l, 0, sizeof *l);
    find_stack(l);
    mutex_lock(&stats.lock);
    l->number = ++stats.threads;
    l->next = stats.ledgers;
    stats.ledgers = l;
    mutex_unlock(&stats.lock);
    return own = l;
}

/* The calling thread's; NULL: no memory. */
static struct ledger *ledger(void)
{
    return likely(own) ? own : ledger_new();
}

/* From the caller's caller outwards. Ends where an address is none of this program's code or
 * a frame none of this stack: files of other floors are compiled without frame pointers, so
 * what they leave in that register may be anything. */
__attribute__((no_sanitize("address", "thread", "undefined")))
static void walk(const uintptr_t *frame, uintptr_t end, const void *found[STATS_FRAMES])
{
    extern const char __executable_start[], etext[];
    int count = 0;

    while (count < STATS_FRAMES) {
        const uintptr_t *outer = (const uintptr_t *)frame[0];
        uintptr_t address = frame[1];

        if (address < (uintptr_t)__executable_start || address >= (uintptr_t)etext)
            break;
        found[count++] = (const void *)address;
        if (outer <= frame || (uintptr_t)(outer + 2) > end || (uintptr_t)outer % sizeof *outer)
            break;
        frame = outer;
    }
    while (count < STATS_FRAMES)
        found[count++] = NULL;
}

/* FNV-1a, word by word, and mixed at the end, as the lowest bits choose. Never 0. */
static uint64_t hash_place(const struct type *type, const void *const frame[STATS_FRAMES])
{
    uint64_t hash = 0xcbf29ce484222325u ^ (uintptr_t)type;

    for (int i = 0; i < STATS_FRAMES; i++)
        hash = (hash ^ (uintptr_t)frame[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

/* Whether the entry is of this hash, or has become so by this call, and then *fresh. */
static bool claim(struct entry *entry, uint64_t hash, bool *fresh)
{
    uint64_t there = atomic_load_explicit(&entry->hash, memory_order_relaxed);

    *fresh = !there && atomic_compare_exchange_strong_explicit(
                           &entry->hash, &there, hash, memory_order_relaxed, memory_order_relaxed);
    return *fresh || there == hash;
}

/* Its number; 0 if there is no room. */
static uint32_t find_place(const struct type *type, const void *const frame[STATS_FRAMES])
{
    uint64_t hash = hash_place(type, frame);

    for (uint32_t i = 0; i < PLACES; i++) {
        uint32_t number = 1 + (uint32_t)((hash + i) % PLACES);
        struct entry *entry = &stats.entry[number];
        bool fresh;

        if (!claim(entry, hash, &fresh))
            continue;
        if (fresh) {
            entry->type = type;
            memcpy(entry->frame, frame, sizeof entry->frame);
        }
        return number;
    }
    atomic_store_explicit(&stats.crowded, true, memory_order_relaxed);
    return 0;
}

__attribute__((noinline))
void stats_made(struct object *o)
{
    const void *here = __builtin_frame_address(0), *frame[STATS_FRAMES];
    struct ledger *l = ledger();

    o->stats = (struct object_stats){ 0 };
    if (!l)
        return;
    walk(here, end_of_stack(l, here), frame);
    o->stats.maker = l->number;
    o->stats.entry = find_place(o->type, frame);
    l->of[o->stats.entry].made++;
}

void stats_published(struct object *o)
{
    uint32_t i = atomic_load_explicit(&stats.objects, memory_order_relaxed);
    struct ledger *l = ledger();
    struct entry *entry;

    if (i < OBJECTS)
        i = atomic_fetch_add_explicit(&stats.objects, 1, memory_order_relaxed);
    if (i >= OBJECTS) {
        atomic_store_explicit(&stats.crowded, true, memory_order_relaxed);
        return;
    }
    entry = &stats.entry[FIRST_OBJECT + i];
    entry->place = o->stats.entry;
    entry->type = o->type;
    if (l)
        l->of[entry->place].made--; /* below zero, if others made it: the sum is right */
    o->stats.entry = FIRST_OBJECT + i;
}

void stats_count(const struct object *o)
{
    struct ledger *l = ledger();
    struct tally *tally;

    if (!l)
        return;
    tally = &l->of[o->stats.entry];
    ++*(o->stats.maker == l->number ? &tally->own : &tally->foreign);
}

void rc_note_retry(const struct rc *rc)
{
    struct ledger *l = ledger();

    if (l)
        ++*(rc ? &l->of[((const struct object *)rc)->stats.entry].retries : &l->lone_retries);
}

void rc_note_merge(void)
{
    struct ledger *l = ledger();

    if (l)
        l->merges++;
}

static void add(_Atomic uint64_t *now, _Atomic uint64_t *most, uint64_t change)
{
    uint64_t sum = atomic_fetch_add_explicit(now, change, memory_order_relaxed) + change;
    uint64_t before = atomic_load_explicit(most, memory_order_relaxed);

    while (before < sum &&
           !atomic_compare_exchange_weak_explicit(most, &before, sum, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

/* Without what this build alone adds. */
static uint64_t ordinary_size(const struct object *o)
{
    return object_size(o) - sizeof o->stats;
}

void rc_note_queued(struct rc *rc)
{
    struct object *o = (struct object *)rc;
    struct ledger *l = ledger();

    if (l)
        l->queued++;
    o->stats.queued_ns = clock_ns();
    add(&objects_queued.now, &objects_queued.most, 1);
    add(&bytes_held.now, &bytes_held.most, ordinary_size(o));
}

void rc_note_drained(struct rc *rc)
{
    struct object *o = (struct object *)rc;
    struct ledger *l = ledger();

    if (!o->stats.queued_ns)
        return;
    if (l)
        histogram_record(&l->delay, clock_ns() - o->stats.queued_ns);
    o->stats.queued_ns = 0;
    atomic_fetch_sub_explicit(&objects_queued.now, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&bytes_held.now, ordinary_size(o), memory_order_relaxed);
}

static void begin_most(_Atomic uint64_t *now, _Atomic uint64_t *most)
{
    atomic_store_explicit(most, atomic_load_explicit(now, memory_order_relaxed),
                          memory_order_relaxed);
}

void stats_begin(void)
{
    mutex_lock(&stats.lock);
    for (struct ledger *l = stats.ledgers; l; l = l->next) {
        l->lone_retries = l->merges = l->queued = 0;
        memset(&l->delay, 0, sizeof l->delay);
        memset(l->of, 0, sizeof l->of);
    }
    mutex_unlock(&stats.lock);
    begin_most(&objects_queued.now, &objects_queued.most);
    begin_most(&bytes_held.now, &bytes_held.most);
}

/* What all threads have done to one entry, added to the sums. */
static struct contended sum_entry(uint32_t number, struct stats *sums) REQUIRES(stats.lock)
{
    const struct entry *entry = &stats.entry[number];
    const struct entry *place = number >= FIRST_OBJECT ? &stats.entry[entry->place] : entry;
    struct contended c = { .type = entry->type, .alone = number >= FIRST_OBJECT };

    memcpy(c.frame, place->frame, sizeof c.frame);
    c.objects = c.alone;
    for (const struct ledger *l = stats.ledgers; l; l = l->next) {
        const struct tally *tally = &l->of[number];

        c.objects += tally->made;
        c.threads += tally->own || tally->foreign;
        c.own += tally->own;
        c.foreign += tally->foreign;
        c.retries += tally->retries;
    }
    sums->own += c.own;
    sums->foreign += c.foreign;
    sums->retries += c.retries;
    return c;
}

static void sum_ledgers(struct stats *sums) REQUIRES(stats.lock)
{
    struct histogram delay = { 0 };

    for (const struct ledger *l = stats.ledgers; l; l = l->next) {
        sums->retries += l->lone_retries;
        sums->merges += l->merges;
        sums->queued += l->queued;
        histogram_add(&delay, &l->delay);
    }
    sums->delay_p50_ns = histogram_quantile(&delay, 0.5);
    sums->delay_p99_ns = histogram_quantile(&delay, 0.99);
    sums->delay_max_ns = delay.max_ns;
}

void stats_take(struct stats *sums)
{
    *sums = (struct stats){
        .most_queued = atomic_load_explicit(&objects_queued.most, memory_order_relaxed),
        .most_held_bytes = atomic_load_explicit(&bytes_held.most, memory_order_relaxed),
        .crowded = atomic_load_explicit(&stats.crowded, memory_order_relaxed),
        .contended = calloc(ENTRIES, sizeof *sums->contended),
    };
    sums->incomplete = !sums->contended ||
                       atomic_load_explicit(&stats.incomplete, memory_order_relaxed);
    mutex_lock(&stats.lock);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct contended c = sum_entry(i, sums);

        if (sums->contended && (c.foreign || c.retries))
            sums->contended[sums->count++] = c;
    }
    sum_ledgers(sums);
    mutex_unlock(&stats.lock);
}

void stats_free(struct stats *sums)
{
    free(sums->contended);
    *sums = (struct stats){ 0 };
}
#endif
