/* greenlet.c - who runs on a thread, and how one greenlet goes on with another.
 *
 * Three things make a greenlet. The object (struct greenlet) is what programs hold. The strand is
 * what has begun and not ended: it stands on the greenlet's own stack, at its top, and says where
 * that was left. The home is what the greenlets of one thread have in common. An object that has
 * not begun, or has ended, has no strand; a strand whose object has died has none, until somebody
 * who runs on it asks who runs.
 *
 *   1. A strand that runs holds a reference to its object. It is dropped by who is gone on
 *      with, as the first thing there (arrive): so none dies while the thread is on its stack,
 *      and if that was the last, a suspended one is ended as any other.
 *   2. What the thread has to find on the next stack is set before the switch, and but for the home
 *      nothing that was read before it is used after it. Greenlets do not change threads, so
 *      thread-local storage stays what it was.
 *   3. `strand` and `object` of a pair point to each other. They are parted by who finds the
 *      object's count at zero (finish), or by its own thread: when it ends, or when the thread
 *      does. Only the first may be another thread. It does so under home->lock, and so does
 *      the owner wherever it does not hold a reference; who comes second finds nothing. Under the
 *      lock the owner tries the count before it uses the object (seize). An object is freed
 *      only after its `strand` was NULL, read with acquire: who made it so touches it no more.
 *   4. A home is counted: its thread has a reference, and so has each of its objects. What is on
 *      its list of foreign ones has been put there before it was closed, under the lock.
 *   5. Programs run only where everything is in place: in arrive, in call, and in what kill_strand
 *      switches to; not between the choice of who is next and the switch.
 */
#include "coroutines/greenlet.h"

#include "coroutines/switch/carriers.h"
#include "gil/mutex.h"
#include "objects/collector.h"
#include "objects/execution.h"
#include "objects/function.h"
#include "objects/none.h"
#include "objects/section.h"
#include "objects/warning.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum life { UNSTARTED, STARTED, DEAD };

struct greenlet {
    struct object head;
    _Atomic uint8_t stage;          /* atomic; enum life; written by its own thread */
    struct home *home;              /* set once; owned */
    _Atomic(struct strand *) strand; /* fact 3; NULL: it has not begun, or has ended */
    struct object *function;        /* own thread; owned; NULL: it has begun */
    struct object *parent GUARDED_BY(section_held); /* owned; NULL: a main greenlet. Its own thread
                                       alone writes, and need not be in a section to read */
};

/* All of it: its own thread, but for what says home->lock. */
struct strand {
    struct greenlet *object;       /* fact 3; NULL: nobody holds it */
    struct fiber *left;            /* while it is suspended: what it ran on, `fiber` or one that was
                                      resumed there */
    struct fiber *fiber;           /* set once; its own; NULL: the thread's */
    struct handling *innermost;    /* while it is suspended */
    struct execution execution;    /* while it is suspended */
    struct greenlet_slots *slots;  /* that the collector is told of */
    void *word;                    /* greenlet_word */
    struct strand *killer;         /* it waits in kill for this one; NULL: nobody does */
    struct strand *killing;        /* and the other way round */
    struct object *orphan_parent;  /* owned; while it has no object: the parent of the next */
    struct strand *next, *previous; /* of those of its home, the last to begin first */
    struct strand *next_foreign;   /* home->lock */
    struct object *asked;          /* home->lock; owned: its object, for the collector wants it
                                      ended */
    bool foreign;                  /* home->lock; it is on the list */
};

struct home {
    struct object head;
    struct strand main;            /* of what the thread runs on by itself */
    struct strand *current;        /* owner; who runs */
    struct strand *strands;        /* owner; all that have begun and not ended, but for main */
    struct greenlet *left;         /* owner; owned: who was left by the switch that is under way */
    struct fiber *ended;           /* owner; and whose stack is to be given back */
    bool bare;                     /* owner; the one that begins gets no argument */
    struct carrier *carrier;       /* set once; owner */
    struct last_act end;           /* owner */
    _Atomic bool closed;           /* atomic; its thread has ended; set under the lock */
    _Atomic bool waits;            /* atomic; hint: there are foreign ones */
    struct mutex lock;
    struct strand *foreign;        /* lock; that others have dropped */
    void (*wake)(void *argument);  /* lock; NULL: nobody is told */
    void *argument;                /* lock */
};

static _Thread_local struct home *own_home; /* owned; NULL: the thread has no greenlets */
static _Atomic uint64_t leaked;

static struct greenlet *as_greenlet(borrowed o)
{
    assert(type_of(o) == &greenlet_type);
    return (struct greenlet *)o;
}

static enum life stage_of(const struct greenlet *g)
{
    return atomic_load_explicit(&((struct greenlet *)g)->stage, memory_order_relaxed);
}

static void set_stage(struct greenlet *g, enum life stage)
{
    atomic_store_explicit(&g->stage, (uint8_t)stage, memory_order_relaxed);
}

static inline struct strand *strand_of(const struct greenlet *g)
{
    return atomic_load_explicit(&((struct greenlet *)g)->strand, memory_order_acquire);
}

static void set_strand(struct greenlet *g, struct strand *s)
{
    atomic_store_explicit(&g->strand, s, memory_order_release);
}

/* For its own thread, and for who makes or destroys it. */
static inline struct object *parent_of(const struct greenlet *g)
{
    section_alone();
    return g->parent;
}

/* ---- the object ---- */

/* It has not begun. */
static struct greenlet *new_greenlet(struct home *home, borrowed function,
                                     struct object *parent /* steals, also on failure */)
{
    struct greenlet *g = (struct greenlet *)container_new(&greenlet_type, sizeof *g);

    if (!g) {
        xdecref(parent);
        return NULL;
    }
    section_alone();
    atomic_init(&g->stage, UNSTARTED);
    atomic_init(&g->strand, NULL);
    g->home = (struct home *)incref(&home->head);
    g->function = function ? incref(function) : NULL;
    g->parent = parent;
    return g;
}

/* Its strand: both are made for each other. */
static void pair(struct greenlet *g, struct strand *s)
{
    set_stage(g, STARTED);
    s->object = g;
    set_strand(g, s);
}

static void part(struct strand *s)
{
    struct greenlet *g = s->object;

    s->object = NULL;
    if (g)
        set_strand(g, NULL);
}

static void visit_if(struct object *o, void (*visit)(borrowed held, void *argument), void *argument)
{
    if (o)
        visit(o, argument);
}

/* Others stand in the frames of generators that run there, which show them themselves. */
static bool stands_on(const struct strand *s, const struct handling *h)
{
    return s->fiber && fiber_has_variable(s->fiber, s->left, h);
}

/* It is suspended. */
static void visit_strand(const struct strand *s, void (*visit)(borrowed held, void *argument),
                         void *argument)
{
    for (const struct greenlet_slots *slots = s->slots; slots; slots = slots->outer)
        for (size_t i = 0; i < slots->count; i++)
            visit_if(slots->slot[i], visit, argument);
    for (const struct handling *h = s->innermost; h; h = h->outer)
        if (stands_on(s, h))
            visit_if(h->exception, visit, argument);
}

/* Of one that runs nothing is seen but what its thread holds: it is alive. */
static void greenlet_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                              void *argument)
{
    const struct greenlet *g = as_greenlet(o);
    const struct strand *s = strand_of(g);

    visit(&g->home->head, argument);
    visit_if(g->function, visit, argument);
    visit_if(parent_of(g), visit, argument);
    if (s && s != g->home->current)
        visit_strand(s, visit, argument);
}

static void greenlet_clear(struct object *o)
{
    struct greenlet *g = as_greenlet(o);
    struct object *function = g->function, *parent = parent_of(g);

    section_alone();
    g->function = NULL;
    g->parent = NULL;
    if (stage_of(g) == UNSTARTED)
        set_stage(g, DEAD);
    xdecref(function);
    xdecref(parent);
}

static void greenlet_destroy(struct object *o)
{
    greenlet_clear(o);
    decref(&as_greenlet(o)->home->head);
}

static void greenlet_repr(borrowed o, char *text, size_t size_bytes)
{
    static const char *const names[] = { "pending", "started", "dead" };

    snprintf(text, size_bytes, "<greenlet.greenlet object %s>", names[stage_of(as_greenlet(o))]);
}

/* ---- the home ---- */

static void end_home(struct last_act *a);

static void home_destroy(struct object *o)
{
    mutex_fini(&((struct home *)o)->lock);
}

static const struct type home_type = {
    .name = "greenlets", .size_bytes = sizeof(struct home), .destroy = home_destroy,
};

static struct home *new_home(struct carrier *carrier)
{
    struct home *h = (struct home *)object_new(&home_type, sizeof *h);

    if (!h)
        return NULL;
    h->main = (struct strand){ 0 };
    h->current = &h->main;
    h->strands = h->foreign = NULL;
    h->left = NULL;
    h->ended = NULL;
    h->bare = false;
    h->carrier = carrier;
    h->end.call = end_home;
    atomic_init(&h->closed, false);
    atomic_init(&h->waits, false);
    mutex_init(&h->lock);
    h->wake = NULL;
    return h;
}

/* NULL: MemoryError. */
static SLOW_PATH struct home *open_home(void)
{
    struct home *h = new_home(carrier_here());
    struct greenlet *g = h ? new_greenlet(h, NULL, NULL) : NULL;

    if (!g) {
        if (h)
            decref(&h->head);
        return NULL;
    }
    pair(g, &h->main);
    incref(&g->head); /* the thread's, beside that of fact 1 */
    object_at_stop(&h->end);
    return own_home = h;
}

/* The calling thread's. NULL: MemoryError. */
static inline struct home *home_here(void)
{
    return likely(own_home) ? own_home : open_home();
}

/* ---- switching ---- */

static SLOW_PATH void leave_orphan(struct home *h, struct strand *s);

/* The thread leaves the stack of `s`, whose reference to its object is the next one's to drop. */
static void leave(struct home *h, struct strand *s)
{
    if (unlikely(!s->object))
        leave_orphan(h, s);
    s->left = fiber_here(h->carrier);
    s->innermost = exception_innermost;
    execution_leave(&s->execution);
    h->left = s->object;
}

/* From now on another runs, which has a reference to its object, if that is there. One that begins,
 * `s` NULL, makes its strand itself. */
static void enter(struct home *h, struct strand *s)
{
    if (s)
        h->current = s;
    exception_innermost = s ? s->innermost : NULL;
}

static void hold(struct greenlet *g)
{
    if (likely(g))
        incref(&g->head);
}

static SLOW_PATH void give_back_stack(struct home *h)
{
    struct fiber *ended = h->ended;

    h->ended = NULL;
    fiber_destroy(h->carrier, ended);
}

/* On the stack that was gone on with. `value` is the caller's, and may be NULL. */
static inline struct object *arrive(struct home *h, struct object *value)
{
    struct greenlet *left = h->left;

    h->left = NULL;
    if (unlikely(h->ended))
        give_back_stack(h);
    execution_enter(&h->current->execution);
    if (likely(left))
        decref(&left->head);
    return value;
}

/* `to` is where `s` was left; NULL: `s` is still to be made, by `g`, which begins there. In line:
 * each function that returns after a switch is predicted wrong, for the processor pairs it with a
 * call that was made on the other stack. */
static inline __attribute__((always_inline)) struct object *
go_on(struct home *h, struct strand *s, struct greenlet *g, struct fiber *to,
      struct object *value /* steals; NULL: what is pending */)
{
    hold(s ? s->object : g);
    leave(h, h->current);
    enter(h, s);
    value = fiber_transfer(h->carrier, to, value);
    assert(value != FIBER_FAILED && "who goes on is suspended, or has not begun");
    return arrive(h, value);
}

static fiber_entry run;

/* NULL: MemoryError. */
static struct fiber *new_stack(struct home *h, struct greenlet *g)
{
    const struct way *way = way_standard();
    struct fiber *f = fiber_new_with(h->carrier, "greenlet", run,
                                     way_transfers(way) ? way : way_named("native"), 0);

    if (!f) {
        exception_set_no_memory();
        return NULL;
    }
    f->owner = g;
    return f;
}

/* As a greenlet that ends with what is pending gives it to its parent. */
static struct object *given(struct object *value /* steals; NULL: what is pending */)
{
    return !value && exception_matches(&greenlet_exit) ? exception_take() : value;
}

/* Who goes on with `*value` when that is passed to `g`: the first that has not ended, on the way to
 * the root. One that has not begun ends by an exception. */
static struct greenlet *who_goes_on(struct greenlet *g, struct object **value)
{
    for (;;) {
        enum life stage = stage_of(g);

        if (stage == STARTED || (stage == UNSTARTED && *value))
            return g;
        set_stage(g, DEAD);
        *value = given(*value);
        g = as_greenlet(parent_of(g));
    }
}

/* `g` is of the home. */
static SLOW_PATH struct object *pass_on(struct home *h, struct greenlet *g,
                                        struct object *value /* steals; NULL: what is pending */)
{
    struct strand *s;
    struct fiber *f;

    g = who_goes_on(g, &value);
    s = strand_of(g);
    if (s == h->current)
        return value;
    if (s)
        return go_on(h, s, NULL, s->left, value);
    f = new_stack(h, g);
    if (!f) {
        decref(value);
        return NULL;
    }
    return go_on(h, NULL, g, f, value);
}

static inline struct object *pass_to(struct home *h, struct greenlet *g,
                                     struct object *value /* steals; NULL: what is pending */)
{
    struct strand *s = strand_of(g);

    if (likely(s && s != h->current))
        return go_on(h, s, NULL, s->left, value);
    return pass_on(h, g, value);
}

/* ---- the life of a strand ---- */

static void link_strand(struct home *h, struct strand *s)
{
    s->next = h->strands;
    s->previous = NULL;
    if (s->next)
        s->next->previous = s;
    h->strands = s;
}

static void unlink_strand(struct home *h, struct strand *s)
{
    if (s->next)
        s->next->previous = s->previous;
    if (s->previous)
        s->previous->next = s->next;
    else
        h->strands = s->next;
}

static void take_off_foreign(struct home *h, struct strand *s) REQUIRES(h->lock)
{
    struct strand **link = &h->foreign;

    while (*link != s)
        link = &(*link)->next_foreign;
    *link = s->next_foreign;
    s->foreign = false;
}

static void put_on_foreign(struct home *h, struct strand *s) REQUIRES(h->lock)
{
    if (s->foreign)
        return;
    s->foreign = true;
    s->next_foreign = h->foreign;
    h->foreign = s;
    atomic_store_explicit(&h->waits, true, memory_order_relaxed);
}

/* Nobody could ever switch to it: so it is as if it had been dropped. But who kills it, or is
 * killed by it, sees to that. */
static SLOW_PATH void leave_orphan(struct home *h, struct strand *s)
{
    if (s->killer || s->killing || s == &h->main)
        return;
    mutex_lock(&h->lock);
    put_on_foreign(h, s);
    mutex_unlock(&h->lock);
}

/* It is over: nobody finds it any more. Returns what is to be dropped, if anything: a reference to
 * its object. */
static struct object *bury(struct home *h, struct strand *s)
{
    struct object *asked;

    unlink_strand(h, s);
    mutex_lock(&h->lock);
    if (s->foreign)
        take_off_foreign(h, s);
    asked = s->asked;
    s->asked = NULL;
    part(s);
    mutex_unlock(&h->lock);
    if (s->killer)
        s->killer->killing = NULL;
    return asked;
}

/* Its object with a reference, though nobody may hold it any more; NULL: it has none. Fact 3. */
static struct greenlet *seize(struct home *h, struct strand *s)
{
    struct greenlet *g;

    mutex_lock(&h->lock);
    g = s->object;
    if (g && !try_incref(&g->head)) {
        part(s);
        g = NULL;
    }
    mutex_unlock(&h->lock);
    return g;
}

/* What is called, and with what, stands where the collector sees it. */
static struct object *call_function(struct greenlet *g, struct object *value /* steals */,
                                    bool bare)
{
    struct object *slot[] = { g->function, value }, *result;
    struct greenlet_slots slots;

    g->function = NULL;
    greenlet_hold(&slots, slot, 2);
    result = call(slot[0], (borrowed[]){ value }, bare ? 0 : 1);
    greenlet_let_go(&slots);
    decref(value);
    decref(slot[0]);
    return result;
}

/* Those that the function has left open. */
static void end_handling(void)
{
    while (exception_innermost)
        exception_handle_end(exception_innermost);
}

/* Where the value goes that the parent of `s` is given: the stack, and in *next the strand, or
 * NULL if one begins there, which is then *begins. */
static struct fiber *find_heir(struct home *h, struct strand *s, struct object **value,
                               struct strand **next, struct greenlet **begins)
{
    struct object *parent = s->object ? parent_of(s->object) : s->orphan_parent;
    struct fiber *f;

    for (;;) {
        *begins = who_goes_on(as_greenlet(parent), value);
        *next = strand_of(*begins);
        if (*next)
            return (*next)->left;
        f = new_stack(h, *begins);
        if (f)
            return f;
        decref(*value); /* one that has no room to begin is passed by, with MemoryError */
        *value = NULL;
        parent = parent_of(*begins);
    }
}

/* The last that happens on its stack: who goes on with what it returns is chosen. It still has the
 * reference to its object that says that it runs, or it has none and a parent of its own. */
static struct object *end(struct home *h, struct strand *s, struct object *value)
{
    struct greenlet *g, *begins = NULL;
    struct strand *next = s->killer;
    struct fiber *to;

    assert(!thread_self->sections && "a section ends in the greenlet in which it has begun");
    value = given(value);
    to = next ? next->left : find_heir(h, s, &value, &next, &begins);
    g = s->object;
    xdecref(bury(h, s));
    if (g)
        set_stage(g, DEAD);
    h->left = g ? g : (struct greenlet *)s->orphan_parent;
    h->ended = s->fiber;
    h->bare = false;
    if (begins)
        hold(begins);
    else
        seize(h, next);
    enter(h, next);
    if (fiber_bequeath(s->fiber, to) < 0)
        assert(!"who goes on is suspended");
    return value;
}

static void *run(struct fiber *f, void *first)
{
    struct home *h = own_home;
    struct greenlet *g = f->owner;
    struct strand s = { .fiber = f };
    bool bare = h->bare;
    struct object *value;

    pair(g, &s);
    link_strand(h, &s);
    h->current = &s;
    value = call_function(g, arrive(h, first), bare);
    end_handling();
    return end(h, &s, value);
}

/* ---- ending what is suspended ---- */

static void drop_slots(const struct strand *s)
{
    for (const struct greenlet_slots *slots = s->slots; slots; slots = slots->outer)
        for (size_t i = 0; i < slots->count; i++) {
            struct object *o = slots->slot[i];

            slots->slot[i] = NULL;
            xdecref(o);
        }
    for (const struct handling *h = s->innermost; h; h = h->outer)
        if (stands_on(s, h))
            xdecref(h->exception);
}

/* It will not come back to what it waits for, and has held its object meanwhile. */
static void leave_killed(struct home *h, struct strand *s, struct greenlet *g)
{
    struct strand *killed = s->killing;

    s->killing = killed->killer = NULL;
    if (!killed->object)
        leave_orphan(h, killed);
    if (g)
        decref(&g->head);
}

/* Nobody looks at its stack any more: what is known to stand there is dropped, all else leaked. */
static void abandon(struct home *h, struct strand *s)
{
    struct greenlet *g = s->object;
    struct object *parent = s->orphan_parent;

    if (g)
        set_stage(g, DEAD);
    xdecref(bury(h, s));
    if (s->killing)
        leave_killed(h, s, g);
    atomic_fetch_add_explicit(&leaked, 1, memory_order_relaxed);
    execution_abandon(&s->execution);
    drop_slots(s);
    fiber_destroy(h->carrier, s->fiber);
    xdecref(parent);
}

static void ignored(void)
{
    exception_set(&runtime_error, "greenlet ignored GreenletExit");
    warning_unraisable("greenlet");
}

/* Raises GreenletExit in one that is suspended, and comes back when it has ended, or when somebody
 * switches here; whoever is the caller. False: it goes on, and has an object. */
static bool kill_strand(struct home *h, struct strand *s)
{
    struct strand *me = h->current;
    struct greenlet *mine = me->object, *g;
    struct object *value;

    if (s->killer)
        s->killer->killing = NULL;
    s->killer = me;
    me->killing = s;
    hold(mine); /* perhaps nothing else does but that it runs */
    exception_restore(exception_kill());
    value = go_on(h, s, NULL, s->left, NULL);
    if (mine)
        decref(&mine->head);
    if (value)
        decref(value);
    else
        warning_unraisable("greenlet");
    if (me->killing != s)
        return true;
    me->killing = s->killer = NULL;
    g = seize(h, s);
    if (g) {
        decref(&g->head);
        return false;
    }
    abandon(h, s);
    ignored();
    return true;
}

/* The first that waits, and in *asked a reference to its object, if it has one; NULL: there is
 * none. */
static struct strand *take_foreign(struct home *h, struct object **asked)
{
    struct strand *s;

    mutex_lock(&h->lock);
    s = h->foreign;
    if (s) {
        h->foreign = s->next_foreign;
        s->foreign = false;
        *asked = s->asked;
        s->asked = NULL;
    } else {
        atomic_store_explicit(&h->waits, false, memory_order_relaxed);
    }
    mutex_unlock(&h->lock);
    return s;
}

static SLOW_PATH void collect_foreign(struct home *h)
{
    struct object *pending = exception_take(), *asked;
    struct strand *s;

    while ((s = take_foreign(h, &asked))) {
        if (s != h->current)
            kill_strand(h, s);
        xdecref(asked);
    }
    exception_restore(pending);
}

static inline void look_for_foreign(struct home *h)
{
    if (unlikely(atomic_load_explicit(&h->waits, memory_order_relaxed)))
        collect_foreign(h);
}

void **greenlet_word(void)
{
    return own_home ? &own_home->current->word : NULL;
}

bool greenlet_foreign_waits(void)
{
    return own_home && atomic_load_explicit(&own_home->waits, memory_order_relaxed);
}

void greenlet_collect_foreign(void)
{
    if (own_home)
        look_for_foreign(own_home);
}

static bool greenlet_unfinished(borrowed o)
{
    return strand_of(as_greenlet(o));
}

/* The object is about to be destroyed, and leaves its strand to its thread; NULL: that was
 * quicker. */
static struct strand *orphan(struct home *h, struct greenlet *g, bool foreign)
{
    struct strand *s;

    mutex_lock(&h->lock);
    s = strand_of(g);
    if (s) {
        section_alone();
        s->orphan_parent = g->parent;
        g->parent = NULL;
        part(s);
    }
    if (s && foreign)
        put_on_foreign(h, s);
    if (s && foreign && h->wake)
        h->wake(h->argument);
    mutex_unlock(&h->lock);
    return s;
}

/* The collector wants it to end, and another thread has to do it. */
static void ask(struct home *h, struct greenlet *g)
{
    struct strand *s;

    mutex_lock(&h->lock);
    s = strand_of(g);
    if (s && !s->foreign) {
        s->asked = incref(&g->head);
        put_on_foreign(h, s);
        if (h->wake)
            h->wake(h->argument);
    }
    mutex_unlock(&h->lock);
}

/* `tracked`: the collector holds it, and it stays what it is. */
static void greenlet_finish(struct object *o)
{
    struct object *pending = exception_take();
    struct greenlet *g = as_greenlet(o);
    struct home *h = g->home;
    bool own = h == own_home;
    struct strand *s = NULL;

    if (!o->tracked)
        s = orphan(h, g, !own);
    else if (own)
        s = strand_of(g);
    else
        ask(h, g);
    if (own && s && s != h->current)
        kill_strand(h, s);
    exception_restore(pending);
}

/* Of those that the thread leaves behind. */
static void end_one(struct home *h, struct strand *s)
{
    struct greenlet *g = seize(h, s);

    if (!kill_strand(h, s)) {
        abandon(h, s);
        ignored();
    }
    if (g)
        decref(&g->head);
}

static void end_home(struct last_act *a)
{
    struct home *h = own_home;
    struct greenlet *g;

    assert(a == &h->end && h->current == &h->main && "a thread ends on its own stack");
    (void)a;
    do {
        collect_foreign(h);
        if (h->strands)
            end_one(h, h->strands);
    } while (h->strands);
    g = h->main.object;
    set_stage(g, DEAD);
    mutex_lock(&h->lock);
    part(&h->main);
    atomic_store_explicit(&h->closed, true, memory_order_relaxed);
    mutex_unlock(&h->lock);
    own_home = NULL;
    decref(&g->head);
    decref(&g->head);
    decref(&h->head);
}

void greenlet_close(void)
{
    struct home *h = own_home;

    if (!h)
        return;
    object_not_at_stop(&h->end);
    end_home(&h->end);
}

const struct type greenlet_type = {
    .name = "greenlet.greenlet", .size_bytes = sizeof(struct greenlet), .destroy = greenlet_destroy,
    .clear = greenlet_clear, .unfinished = greenlet_unfinished, .finish = greenlet_finish,
    .traverse = greenlet_traverse, .repr = greenlet_repr,
};

/* ---- for programs ---- */

/* Any thread. -1: TypeError. */
static int check_type(borrowed o)
{
    if (type_of(o) == &greenlet_type)
        return 0;
    exception_set(&type_error, "GreenletChecker: Expected any type of greenlet, not %s",
                  type_of(o)->name);
    return -1;
}

static struct object *current(struct home *h)
{
    struct strand *s = h->current;
    struct greenlet *g = s->object;

    if (likely(g))
        return incref(&g->head);
    g = new_greenlet(h, NULL, NULL);
    if (!g)
        return NULL;
    section_alone();
    g->parent = s->orphan_parent;
    s->orphan_parent = NULL;
    pair(g, s);
    return incref(&g->head);
}

HOT_PATH struct object *greenlet_current(void)
{
    struct home *h = home_here();

    if (!h)
        return NULL;
    look_for_foreign(h);
    return current(h);
}

struct object *greenlet_new(borrowed function, borrowed given_parent)
{
    struct object *parent;

    if (given_parent && check_type(given_parent) < 0)
        return NULL;
    parent = given_parent ? incref(given_parent) : greenlet_current();
    if (!parent)
        return NULL;
    return (struct object *)new_greenlet(as_greenlet(parent)->home, function, parent);
}

/* The home of `g`, if that is the calling thread's; else NULL and greenlet.error. */
static inline struct home *check_home(const struct greenlet *g)
{
    struct home *h = g->home;

    if (likely(h == own_home))
        return h;
    exception_set(&greenlet_error, "cannot switch to a different thread%s",
                  atomic_load_explicit(&h->closed, memory_order_relaxed)
                      ? " (which happens to have exited)" : "");
    return NULL;
}

HOT_PATH struct object *greenlet_switch(borrowed o, borrowed value)
{
    struct greenlet *g = as_greenlet(o);
    struct home *h;

    assert(!exception_pending());
    h = check_home(g);
    if (unlikely(!h))
        return NULL;
    look_for_foreign(h);
    h->bare = !value;
    return pass_to(h, g, value ? incref(value) : none());
}

/* It will not begin. */
static void cancel(struct greenlet *g)
{
    struct object *function = g->function;

    set_stage(g, DEAD);
    g->function = NULL;
    decref(function);
}

struct object *greenlet_throw(borrowed o, struct object *exception)
{
    struct greenlet *g = as_greenlet(o);
    struct home *h;

    assert(!exception_pending());
    h = check_home(g);
    if (unlikely(!h)) {
        xdecref(exception);
        return NULL;
    }
    look_for_foreign(h);
    if (stage_of(g) == UNSTARTED)
        cancel(g);
    exception_restore(exception ? exception : exception_kill());
    return pass_to(h, g, NULL);
}

bool greenlet_dead(borrowed o)
{
    return stage_of(as_greenlet(o)) == DEAD;
}

bool greenlet_started(borrowed o)
{
    return stage_of(as_greenlet(o)) != UNSTARTED;
}

struct object *greenlet_parent(borrowed o)
{
    struct section s;
    struct object *parent;

    section_begin(&s, o);
    parent = as_greenlet(o)->parent;
    if (parent)
        incref(parent);
    section_end(&s);
    return parent;
}

/* Of the same home, so both chains are this thread's. */
static int check_parent(borrowed o, borrowed parent)
{
    if (!parent_of(as_greenlet(o))) {
        exception_set(&attribute_error, "cannot set the parent of a main greenlet");
        return -1;
    }
    if (check_type(parent) < 0)
        return -1;
    if (as_greenlet(parent)->home != own_home || as_greenlet(o)->home != own_home) {
        exception_set(&value_error, "parent cannot be on a different thread");
        return -1;
    }
    for (borrowed above = parent; above; above = parent_of(as_greenlet(above)))
        if (above == o) {
            exception_set(&value_error, "cyclic parent chain");
            return -1;
        }
    return 0;
}

int greenlet_set_parent(borrowed o, borrowed parent)
{
    struct object *dropped;
    struct section s;

    if (check_parent(o, parent) < 0)
        return -1;
    publish_into(o, parent);
    section_begin(&s, o);
    dropped = as_greenlet(o)->parent;
    as_greenlet(o)->parent = incref(parent);
    section_end(&s);
    decref(dropped);
    return 0;
}

int greenlet_set_waker(void (*wake)(void *argument), void *argument)
{
    struct home *h = home_here();

    if (!h)
        return -1;
    mutex_lock(&h->lock);
    h->wake = wake;
    h->argument = argument;
    mutex_unlock(&h->lock);
    return 0;
}

uint64_t greenlets_leaked(void)
{
    return atomic_load_explicit(&leaked, memory_order_relaxed);
}

size_t greenlets_suspended(void)
{
    size_t count = 0;

    for (const struct strand *s = own_home ? own_home->strands : NULL; s; s = s->next)
        count += s != own_home->current;
    return count;
}

void greenlet_hold(struct greenlet_slots *slots, struct object **slot, size_t count)
{
    struct home *h = own_home;

    *slots = (struct greenlet_slots){ .slot = h ? slot : NULL, .count = count };
    if (!h)
        return;
    slots->outer = h->current->slots;
    h->current->slots = slots;
}

void greenlet_let_go(struct greenlet_slots *slots)
{
    if (!slots->slot)
        return;
    assert(own_home->current->slots == slots);
    own_home->current->slots = slots->outer;
}
