/* audit.c - the register of published objects, and what was done to them. */
#include "objects/audit.h"

#include "gil/mutex.h"
#include "objects/heap.h"
#include "objects/object.h"
#include "objects/weakref.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef NDEBUG
enum { PAGE_ENTRIES = 1024 };
#else
enum { PAGE_ENTRIES = 4 }; /* so that tests turn many pages */
#endif

enum { CACHE_LINES = 128 }; /* two lines: the prefetcher fetches them in pairs */

struct entry {
    struct object *object;
    size_t size_bytes; /* noted now, for its destructor may take away what tells */
};

/* A page of the register. Entry i of page n is the object with the number
 * n * PAGE_ENTRIES + i + 1: of 0 there is no tally. */
struct page {
    struct page *next; /* books.lock */
    size_t number;     /* set once */
    size_t used;       /* owner: the thread that fills it */
    struct entry entry[PAGE_ENTRIES];
};

/* What one thread did to one object. */
struct tally {
    int64_t change;      /* references taken less references dropped */
    uint64_t after_free; /* how often it did either when the object had been freed */
};

/* A thread's own part of the books; it stays when the thread ends. */
struct ledger {
    _Alignas(CACHE_LINES) _Atomic size_t kept_bytes; /* written by owner, read by any */
    struct ledger *next;    /* set once */
    struct page *page;      /* owner; the one it fills, NULL at first */
    struct tally **tallies; /* owner; by number of page, NULL where it did nothing */
    size_t tallies_room;    /* owner */
};

bool parking;

static struct {
    struct mutex lock;
    struct page *first, *last; /* lock; all pages, in the order of their numbers */
    struct ledger *ledgers;    /* lock; one for each thread that had to write */
    size_t bound_bytes;        /* set once */
    _Atomic bool incomplete;   /* atomic */
} books = { .lock = MUTEX_INIT };

static _Thread_local struct ledger *own;

/* Zeroed, and on lines that no other thread writes. NULL: the books are incomplete. */
static void *books_alloc(struct ledger *for_thread, size_t size_bytes)
{
    size_t rounded = (size_bytes + CACHE_LINES - 1) / CACHE_LINES * CACHE_LINES;
    void *memory = aligned_alloc(CACHE_LINES, rounded);

    if (!memory) {
        atomic_store_explicit(&books.incomplete, true, memory_order_relaxed);
        return NULL;
    }
    if (for_thread)
        atomic_fetch_add_explicit(&for_thread->kept_bytes, rounded, memory_order_relaxed);
    return memset(memory, 0, rounded);
}

static SLOW_PATH struct ledger *ledger_new(void)
{
    own = books_alloc(NULL, sizeof *own);
    if (!own)
        return NULL;
    mutex_lock(&books.lock);
    own->next = books.ledgers;
    books.ledgers = own;
    mutex_unlock(&books.lock);
    return own;
}

/* The calling thread's; NULL: no memory. */
static struct ledger *ledger(void)
{
    return likely(own) ? own : ledger_new();
}

static SLOW_PATH struct page *page_new(struct ledger *l)
{
    struct page *page = books_alloc(l, sizeof *page);

    if (!page)
        return NULL;
    mutex_lock(&books.lock);
    page->number = books.last ? books.last->number + 1 : 0;
    *(books.last ? &books.last->next : &books.first) = page;
    books.last = page;
    mutex_unlock(&books.lock);
    return l->page = page;
}

/* The ledger's page with a free entry; NULL: no memory. */
static struct page *open_page(struct ledger *l)
{
    return likely(l->page && l->page->used < PAGE_ENTRIES) ? l->page : page_new(l);
}

#if RC_AUDIT
static bool tallies_grow(struct ledger *l, size_t least)
{
    size_t room = 2 * least;
    struct tally **more = books_alloc(l, room * sizeof *more);

    if (!more)
        return false;
    if (l->tallies)
        memcpy(more, l->tallies, l->tallies_room * sizeof *more);
    free(l->tallies);
    l->tallies = more;
    l->tallies_room = room;
    return true;
}

static SLOW_PATH bool tallies_open(struct ledger *l, size_t page)
{
    if (page >= l->tallies_room && !tallies_grow(l, page + 1))
        return false;
    if (!l->tallies[page])
        l->tallies[page] = books_alloc(l, PAGE_ENTRIES * sizeof(struct tally));
    return l->tallies[page];
}

/* The ledger's tally of this object, or NULL if there is none. */
static struct tally *tally_find(const struct ledger *l, uint32_t number)
{
    size_t page = (number - 1) / PAGE_ENTRIES;

    if (page >= l->tallies_room || !l->tallies[page])
        return NULL;
    return &l->tallies[page][(number - 1) % PAGE_ENTRIES];
}

/* The calling thread's, made if it was not there; NULL: no memory. */
static struct tally *own_tally(const struct object *o)
{
    struct ledger *l = ledger();
    struct tally *tally = l ? tally_find(l, o->audit) : NULL;

    if (likely(tally))
        return tally;
    return l && tallies_open(l, (o->audit - 1) / PAGE_ENTRIES) ? tally_find(l, o->audit) : NULL;
}
#endif

static void set(struct object *o, int flag)
{
    atomic_fetch_or_explicit(&o->flags, (uint8_t)flag, memory_order_relaxed);
}

void audit_tally(struct object *o, int change)
{
#if RC_AUDIT
    struct tally *tally = own_tally(o);

    if (!tally)
        return;
    tally->change += change;
    tally->after_free += parked(o);
#else
    (void)o;
    (void)change;
#endif
}

void parking_enter(struct object *o)
{
    struct ledger *l = ledger();
    struct page *page = l ? open_page(l) : NULL;
    size_t size_bytes = object_size(o);

    if (!page)
        return;
#if RC_AUDIT
    o->audit = (uint32_t)(page->number * PAGE_ENTRIES + page->used + 1);
    audit_tally(o, (int)rc_count(&o->rc));
#endif
    page->entry[page->used++] = (struct entry){ o, size_bytes };
    atomic_store_explicit(&l->kept_bytes,
                          atomic_load_explicit(&l->kept_bytes, memory_order_relaxed) + size_bytes,
                          memory_order_relaxed);
}

/* A count that is wrong can reach zero again and again: only the first time is the
 * flag written, lest the object's cache line travel for nothing. */
bool park(struct object *o)
{
    if (!published(o))
        return false;
    if (!parked(o))
        set(o, OBJECT_PARKED);
    return true;
}

void parking_begin(size_t bound_bytes)
{
    assert(!parking && !books.first);
    books.bound_bytes = bound_bytes;
    atomic_store_explicit(&books.incomplete, false, memory_order_relaxed);
    parking = true;
}

static size_t kept_bytes(void)
{
    size_t kept = 0;

    mutex_lock(&books.lock);
    for (const struct ledger *l = books.ledgers; l; l = l->next)
        kept += atomic_load_explicit(&l->kept_bytes, memory_order_relaxed);
    mutex_unlock(&books.lock);
    return kept;
}

bool parking_full(void)
{
    return kept_bytes() >= books.bound_bytes ||
           atomic_load_explicit(&books.incomplete, memory_order_relaxed);
}

/* Runs the destructor of every object that has this flag and still has its contents;
 * whether there was any. What is let go of so, if published, is parked in turn. */
static bool empty_all(int flag)
{
    bool any = false;

    for (const struct page *page = books.first; page; page = page->next)
        for (size_t i = 0; i < page->used; i++) {
            struct object *o = page->entry[i].object;

            if (!object_has(o, flag) || object_has(o, OBJECT_EMPTIED))
                continue;
            set(o, OBJECT_EMPTIED);
            if (object_has(o, OBJECT_WEAK))
                weakref_cut(o, NULL);
            if (o->type->destroy)
                o->type->destroy(o);
            any = true;
        }
    return any;
}

#if RC_AUDIT
static void compare(const struct object *o, struct damage *damage)
{
    struct tally sum = { 0 };
    int64_t wrong;

    if (rc_count(&o->rc) == INT64_MAX) /* nobody counts it, so nobody miscounts */
        return;
    for (const struct ledger *l = books.ledgers; l; l = l->next) {
        const struct tally *tally = tally_find(l, o->audit);

        sum.change += tally ? tally->change : 0;
        sum.after_free += tally ? tally->after_free : 0;
    }
    wrong = rc_count(&o->rc) - sum.change;
    damage->off += wrong != 0;
    *(wrong < 0 ? &damage->under : &damage->over) += (uint64_t)(wrong < 0 ? -wrong : wrong);
    damage->early += parked(o) && (sum.after_free > 0 || sum.change > 0);
}
#else
static void compare(const struct object *o, struct damage *damage)
{
    (void)o;
    (void)damage;
}
#endif

static void assess(struct damage *damage)
{
    *damage = (struct damage){
        .kept_bytes = kept_bytes(), .bound_bytes = books.bound_bytes,
        .incomplete = atomic_load_explicit(&books.incomplete, memory_order_relaxed),
    };
    for (const struct page *page = books.first; page; page = page->next)
        for (size_t i = 0; i < page->used; i++) {
            const struct object *o = page->entry[i].object;

            damage->published++;
            ++*(parked(o) ? &damage->freed : &damage->leaked);
            compare(o, damage);
        }
}

static void free_pages(void)
{
    for (struct page *page = books.first, *next; page; page = next) {
        next = page->next;
        for (size_t i = 0; i < page->used; i++)
            heap_free(page->entry[i].object, page->entry[i].size_bytes);
        free(page);
    }
    books.first = books.last = NULL;
}

static void free_ledgers(void)
{
    for (struct ledger *l = books.ledgers, *next; l; l = next) {
        next = l->next;
        for (size_t i = 0; i < l->tallies_room; i++)
            free(l->tallies[i]);
        free(l->tallies);
        free(l);
    }
    books.ledgers = own = NULL;
}

/* Parked objects are emptied first, as they would have been at once in a run that
 * frees: so that what only they held is freed too, and not taken for leaked. */
void parking_end(struct damage *damage)
{
    assert(parking && world_threads() == 1);
    rc_quiesce();
    while (empty_all(OBJECT_PARKED))
        rc_quiesce();
    assess(damage);
    empty_all(OBJECT_PUBLISHED);
    rc_quiesce();
    parking = false;
    free_pages();
    free_ledgers();
}
