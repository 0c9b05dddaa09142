/* generator.c - resuming a generator, and the chain of those that it delegates to.
 *
 * The one that a caller resumes is the root of a drive. The drive goes down the chain to the leaf,
 * the first that delegates to no other generator, and resumes that; when it ends, the drive
 * goes up to its parent with what it returned or raised, and so on until one yields, or
 * the root ends. So a chain takes a loop and no stack.
 *
 * A root remembers its leaf, that it need not go down again. Why what it remembers is true:
 *
 *   1. The link has two ends and is broken by whoever ends (leaf.h; at the end of the last
 *      turn, and in the destructor). So neither points to what is gone.
 *   2. Every drive that runs a generator links it to its own root, which breaks the link that
 *      there was, or if it is the root itself breaks the link upwards. (That is what LENT is
 *      for: a step that need not look at links sees by it that there may be one.) So if r
 *      still has a leaf, nobody else has run that since.
 *   3. What a generator delegates to changes only when it is resumed itself, for which that must
 *      have ended, or have been closed, in a drive that has run the leaf below. So by 2, as long
 *      as r has a leaf, all between the two is as r's drive left it: delegations, parents,
 *      and the blocks that `base.outer` leads through.
 *   4. Only generators that are `alone` are linked, which no other thread can reach, or which
 *      a lock keeps for the one that runs. (Where the policy lets another thread destroy what
 *      one alone has seen, none is: what dies there is closed there, and what it delegates
 *      to may live on here.) What an alone one delegates to may be published,
 *      but not the other way round, for publishing goes down. So a chain is alone at its
 *      upper end, and below, if anywhere, shared. When a generator is published its
 *      link is broken, and if a drive goes through it at that moment, what that has left
 *      unclaimed is marked as 5 has it (generator_publish).
 *   5. In the shared part each generator is claimed by itself, from above, by a compare-and-swap to
 *      RUNNING, and released at the end of the drive: there is nothing to remember. Its fields
 *      are touched by who has claimed it, and by the destructor.
 */
#include "coroutines/generator.h"

#include "coroutines/coroutine.h"
#include "coroutines/leaf.h"
#include "coroutines/stackful.h"
#include "objects/collector.h"
#include "objects/iterator.h"
#include "objects/warning.h"

#include <assert.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <stdio.h>
#include <string.h>

/* Of the calls that backtrace finds, those of this file; and for a text of them. */
enum { ORIGIN_OWN = 2, ORIGIN_BYTES = 500 };

/* SUSPENDED is at a `yield` of its own, and so is LENT, but by a drive that came from above;
 * DELEGATING in a `yield from`. */
enum stage { CREATED, SUSPENDED, LENT, DELEGATING, RUNNING, CLOSED };

/* Whose the fields are: of whoever has brought it to RUNNING, until it is so no more. */
struct generator {
    struct object head;
    _Atomic uint8_t stage;     /* atomic; enum stage */
    bool finished;             /* it has been closed because nobody holds it */
    bool dying;                /* and will be destroyed, which drops what it holds */
    bool marked;               /* chain_mark */
    uint8_t origins;           /* set once; so many addresses stand behind the frame */
    struct handling base;      /* beneath its own blocks; handles nothing */
    struct handling *top;      /* while it is not running: its innermost block, or the base */
    struct object *from;       /* owned; what it delegates to, or NULL */
    struct generator *parent;  /* who delegates to it in the drive that last ran it */
    struct leaf_link link;     /* to its leaf, or its root */
    struct frame frame;
};

/* A caller's resumption, on its way down and up the chain.
 *
 * While a drive is under way its root and the one that is run are RUNNING, and so is the last
 * alone one above the shared part. The others between are DELEGATING, as when they are
 * suspended; that the drive goes through them is seen by going down (chain_runs).
 *
 * The blocks in which exceptions are handled (struct handling) hang together in the same
 * way: each generator's stand on its `base`, an empty one, and that on its parent's innermost.
 * To resume a chain is to put the root's base on the caller's innermost block, and to make
 * the leaf's innermost one that of the thread.
 */
struct drive {
    struct generator *root;
    struct generator *at;      /* the one that is resumed next, or runs */
    enum resume how;
    borrowed argument;
    struct object *carried;    /* owned; the argument, if it is not the caller's; or NULL */
    bool throws;               /* it began with an exception */
    borrowed exit;             /* the caller's GeneratorExit, which is for the root; or NULL */
    struct object *exit_below; /* owned; and that with which those below it are closed */
    struct generator *closing; /* below the root: the one that is being closed; NULL: none */
};

static struct generator *as_generator(borrowed o)
{
    return (struct generator *)o;
}

/* NULL: there is none. */
static inline struct generator *of_link(struct leaf_link *link)
{
    return link ? (struct generator *)((char *)link - offsetof(struct generator, link)) : NULL;
}

/* A generator is counted always, so this need not look at the pointer as `published` does. */
static inline bool is_published(const struct generator *g)
{
    return object_has(&g->head, OBJECT_PUBLISHED);
}

static inline bool alone(const struct generator *g)
{
    return (!RC_LATE_HERE && !is_published(g)) || !thread_self->locks_containers;
}

static inline enum stage stage_of(const struct generator *g)
{
    return atomic_load_explicit(&((struct generator *)g)->stage, memory_order_relaxed);
}

/* Release: with the acquire of who claims it next, for all that the turn has written. */
static inline void set_stage(struct generator *g, enum stage stage)
{
    atomic_store_explicit(&g->stage, (uint8_t)stage, memory_order_release);
}

static inline bool is_claimable(uint8_t stage)
{
    return stage != RUNNING && stage != CLOSED;
}

/* It is the caller's from now on. False: somebody else has it, or it is closed. In both cases
 * *was is its stage until then. */
static bool claim(struct generator *g, uint8_t *was)
{
    *was = atomic_load_explicit(&g->stage, memory_order_relaxed);
    if (likely(alone(g))) {
        if (is_claimable(*was))
            set_stage(g, RUNNING);
        return is_claimable(*was);
    }
    while (is_claimable(*was))
        if (atomic_compare_exchange_weak_explicit(&g->stage, was, RUNNING, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}

/* ---- what it holds ---- */

static const char *const kind_names[] = {
    [GENERATOR] = "generator", [COROUTINE] = "coroutine", [ASYNC_GENERATOR] = "async generator",
};

static const char *kind_of(const struct generator *g)
{
    return kind_names[g->frame.body->kind];
}

static void visit_held(const struct generator *g, void (*visit)(borrowed held, void *argument),
                       void *argument)
{
    if (g->from)
        visit(g->from, argument);
    for (int i = 0; i < g->frame.body->references; i++)
        if (g->frame.reference[i])
            visit(g->frame.reference[i], argument);
}

static void visit_handled(const struct generator *g, void (*visit)(borrowed held, void *argument),
                          void *argument)
{
    for (const struct handling *h = g->top; h != &g->base; h = h->outer)
        visit(h->exception, argument);
}

/* Whether it has been left at a `yield` or in a `yield from`. */
static bool is_left(const struct generator *g)
{
    enum stage stage = stage_of(g);

    return stage == SUSPENDED || stage == LENT || stage == DELEGATING;
}

/* Of one that runs the blocks are the thread's, and it is held from outside anyway. */
static void generator_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                               void *argument)
{
    const struct generator *g = as_generator(o);

    visit_held(g, visit, argument);
    if (is_left(g))
        visit_handled(g, visit, argument);
}

static void publish_held(borrowed held, void *unused)
{
    (void)unused;
    publish(held);
}

/* What its last turn has put into a published generator is reached by others through it. Mostly
 * there is nothing new. */
static void publish_turn(const struct generator *g)
{
    if (g->from)
        publish_held(g->from, NULL);
    for (int i = 0; i < g->frame.body->references; i++)
        if (g->frame.reference[i] && !published(g->frame.reference[i]))
            publish(g->frame.reference[i]);
    if (unlikely(g->top != &g->base))
        visit_handled(g, publish_held, NULL);
}

static void drop_references(struct generator *g)
{
    for (int i = 0; i < g->frame.body->references; i++) {
        struct object *o = g->frame.reference[i];

        g->frame.reference[i] = NULL;
        xdecref(o);
    }
}

/* Of one that is not run: the blocks that it will not end itself. */
static void drop_handled(struct generator *g)
{
    while (g->top != &g->base) {
        struct handling *h = g->top;

        g->top = h->outer;
        decref(h->exception);
    }
}

/* ---- chains ---- */

static inline bool is_chained(borrowed o)
{
    return type_of(o) == &generator_type || type_of(o) == &coroutine_type;
}

/* The next below; NULL: it is a leaf. */
static inline struct generator *below(const struct generator *g)
{
    return g->from && is_chained(g->from) ? as_generator(g->from) : NULL;
}

/* The first one below `g` that is running, before any that is shared; NULL: there is none. It
 * may be `g` itself, which has just been told to delegate to what leads back to it. */
static struct generator *find_running(struct generator *g)
{
    do
        g = below(g);
    while (g && alone(g) && stage_of(g) != RUNNING);
    return g && alone(g) ? g : NULL;
}

/* Of all that the drive goes through which runs `running`. */
static void chain_mark(struct generator *running, bool marked)
{
    struct generator *g = running->link.root ? of_link(running->link.root) : running;

    for (; g != running; g = below(g))
        g->marked = marked;
    running->marked = marked;
}

/* Whether a drive goes through `g`, which is DELEGATING and alone. */
static bool chain_runs(struct generator *g)
{
    struct generator *running = find_running(g);
    bool runs;

    if (!running)
        return false;
    chain_mark(running, true);
    runs = g->marked;
    chain_mark(running, false);
    return runs;
}

/* The first of those below `g` through which a drive goes; NULL: there is none that is alone. */
static struct generator *first_running(struct generator *g)
{
    struct generator *running = find_running(g), *first = below(g);

    if (likely(!running))
        return NULL;
    chain_mark(running, true);
    while (!first->marked)
        first = below(first);
    chain_mark(running, false);
    return first;
}

/* What a drive goes through from `g` on is RUNNING, each by itself, from now on. */
static void mark_claimed(struct generator *g)
{
    for (; g && alone(g) && stage_of(g) == DELEGATING; g = below(g))
        set_stage(g, RUNNING);
}

/* Of `g`, through which a drive goes and which is not its root, the parent is now the last that is
 * alone. */
static void leave_to_parent(const struct generator *g, struct leaf_link *root)
{
    struct generator *parent = g->parent;

    if (!alone(parent))
        return;
    if (&parent->link != root)
        set_stage(parent, RUNNING);
    leaf_join(root, &parent->link);
}

/* It is still alone. */
static void generator_publish(struct object *o)
{
    struct generator *g = as_generator(o);

    if (!thread_self->locks_containers)
        return;
    if (stage_of(g) == RUNNING) {
        mark_claimed(below(g));
        if (g->link.root)
            leave_to_parent(g, g->link.root);
    } else if (stage_of(g) == DELEGATING && chain_runs(g)) {
        leave_to_parent(g, find_running(g)->link.root);
        mark_claimed(g);
    }
    leaf_part(&g->link);
}

/* ---- a drive ---- */

static void carry(struct drive *d, enum resume how, struct object *argument /* steals */)
{
    struct object *dropped = d->carried;

    d->how = how;
    d->argument = d->carried = argument;
    xdecref(dropped);
}

/* `g` is the one that is run, and claimed if it is not alone. */
static void enter(struct drive *d, struct generator *g)
{
    d->at = g;
    exception_innermost = g->top;
    if (alone(g)) {
        set_stage(g, RUNNING);
        leaf_join(&d->root->link, &g->link);
    }
}

/* The one at which the drive stands delegates no more. What it has delegated to is the
 * caller's. */
static struct object *take_from(struct drive *d)
{
    struct object *from = d->at->from;

    d->at->from = NULL;
    return from;
}

static void say_executing(const struct generator *g)
{
    exception_set(&value_error, "%s already executing", kind_of(g));
}

static void say_reused(void)
{
    exception_set(&runtime_error, "cannot reuse already awaited coroutine");
}

static bool is_coroutine(const struct generator *g)
{
    return g->frame.body->kind == COROUTINE;
}

/* What it delegates to cannot be resumed: it is as if that had been resumed and had given
 * the answer of one that is running, or closed. (To close one that is closed is no error; and
 * a StopIteration that is thrown at it comes straight back, and looks like its end.) */
static SLOW_PATH void refuse(struct drive *d, bool running)
{
    struct generator *next = below(d->at);

    enter(d, d->at);
    if (running || (is_coroutine(next) && d->argument != d->exit)) {
        running ? say_executing(next) : say_reused();
        carry(d, RESUME_THROW, exception_take());
    } else if (d->how == RESUME_SEND) {
        carry(d, RESUME_SEND, none());
    } else if (exception_is(d->argument, &stop_iteration)) {
        carry(d, RESUME_SEND, incref(exception_value(d->argument)));
    }
    decref(take_from(d));
}

/* From the one that the drive is at, whose `top` is right, to the leaf. */
static void descend(struct drive *d)
{
    struct generator *busy = first_running(d->at), *next;

    /* cut 07: claim all below; what does the root keep? | (void)busy, (void)next, (void)refuse; */
    while ((next = below(d->at))) {
        uint8_t was = RUNNING;

        if (unlikely(next == busy || !claim(next, &was))) {
            refuse(d, was == RUNNING);
            return;
        }
        next->parent = d->at;
        next->base.outer = d->at->top;
        if (alone(next)) {
            if (d->at != d->root)
                set_stage(d->at, DELEGATING);
            leaf_join(&d->root->link, &next->link);
        }
        d->at = next;
    }
    /* end of cut */
    exception_innermost = d->at->top;
}

/* To the leaf that the root remembers, and on from there. */
static void go_to_leaf(struct drive *d)
{
    struct generator *leaf = of_link(d->root->link.leaf);

    if (likely(leaf && alone(leaf) && alone(d->root)))
        enter(d, leaf);
    if (d->at->from && is_chained(d->at->from))
        descend(d);
}

/* ---- what is no generator ---- */

static enum step foreign_send(struct object *o, borrowed value, struct object **result)
{
    const struct type *type = type_of(o);

    if (type->send)
        return type->send(o, value, result);
    if (value == none())
        return iterator_step(o, result);
    exception_set(&attribute_error, "'%s' object has no attribute 'send'", type->name);
    return STEP_ERROR;
}

/* An iterator that ends in Python's way. */
static enum step stopped(struct object **result)
{
    struct object *stop = exception_take();

    *result = incref(exception_value(stop));
    decref(stop);
    return STEP_RETURN;
}

/* False: what is thrown goes to the generator, since there is nobody below who takes it. */
static bool foreign_throw(struct drive *d, struct object *o, enum step *step,
                          struct object **result)
{
    const struct type *type = type_of(o);

    *step = STEP_ERROR;
    /* cut 07: close it, or throw at it? | (void)d, (void)type, (void)result;\nreturn false; */
    if (exception_is(d->argument, &generator_exit))
        return type->close && type->close(o) < 0;
    if (!type->throw)
        return false;
    *step = type->throw(o, incref(d->argument), result);
    return true;
    /* end of cut */
}

/* Resumes what is delegated to. True: it has yielded; false: the generator itself is next. */
static bool step_foreign(struct drive *d, struct object **result)
{
    struct object *from = d->at->from;
    bool answered = true;
    enum step step;

    if (d->how == RESUME_SEND)
        step = foreign_send(from, d->argument, result);
    else
        answered = foreign_throw(d, from, &step, result);
    if (answered && step == STEP_NEXT)
        return true;
    if (answered && step == STEP_ERROR && exception_matches(&stop_iteration))
        step = stopped(result);
    decref(take_from(d));
    if (answered && step == STEP_RETURN)
        carry(d, RESUME_SEND, *result);
    else if (answered)
        carry(d, RESUME_THROW, exception_take());
    return false;
}

/* ---- turns ---- */

static enum turn resume(struct drive *d, struct object **result)
{
    struct generator *g = d->at;
    enum turn turn;

    if (unlikely(g->from) && step_foreign(d, result))
        return TURN_YIELD;
    if (d->how == RESUME_THROW && d->throws && exception_innermost != &g->base)
        exception_chain(d->argument);
    turn = g->frame.body->resume(&g->frame, d->how, d->argument, result);
    if (d->carried) {
        decref(d->carried);
        d->carried = NULL;
    }
    return turn;
}

/* It is not run any more, and can be resumed. */
static void suspend(const struct drive *d, struct generator *g)
{
    if (unlikely(is_published(g)))
        publish_turn(g);
    set_stage(g, g->from ? DELEGATING : g == d->root ? SUSPENDED : LENT);
}

/* From the one that has yielded up to `until`: all that have been claimed. */
static void suspend_all(struct drive *d, struct generator *until)
{
    struct generator *g = d->at, *parent;

    g->top = exception_innermost;
    while (g != until && !alone(g)) {
        parent = g->parent;
        suspend(d, g);
        g = parent;
    }
    suspend(d, g);
    if (g != until)
        suspend(d, until);
}

/* The one that is being closed has yielded instead: it is left alone, and who delegated to it
 * is told. */
static SLOW_PATH void say_ignored(struct drive *d, struct object *yielded /* steals */)
{
    struct generator *closing = d->closing, *parent = closing->parent;

    suspend_all(d, closing);
    enter(d, parent);
    exception_set(&runtime_error, "%s ignored GeneratorExit", kind_of(closing));
    d->closing = parent == d->root ? NULL : parent;
    carry(d, RESUME_THROW, exception_take());
    decref(take_from(d));
    decref(yielded);
}

/* True: so has the root. Once that is suspended it is not ours any more. */
static bool yielded(struct drive *d, struct object **result)
{
    struct handling *outer = d->root->base.outer;

    if (unlikely(d->closing)) {
        say_ignored(d, *result);
        return false;
    }
    suspend_all(d, d->root);
    exception_innermost = outer;
    return true;
}

/* A new delegation, unless there is something against it. */
static bool may_delegate(const struct generator *g, borrowed to)
{
    if (type_of(to) == &coroutine_type && g->frame.body->kind == GENERATOR &&
        !g->frame.body->awaitable)
        exception_set(&type_error, "cannot 'yield from' a coroutine object in a non-coroutine "
                                   "generator");
    else if (!is_chained(to) && !type_of(to)->next && !type_of(to)->send)
        exception_set(&type_error, "'%s' object is not an iterator", type_of(to)->name);
    else
        return true;
    return false;
}

static void delegate(struct drive *d, struct object *to /* steals */)
{
    struct generator *g = d->at;

    if (unlikely(!may_delegate(g, to))) {
        decref(to);
        carry(d, RESUME_THROW, exception_take());
        return;
    }
    publish_into(&g->head, to);
    g->top = exception_innermost;
    g->from = to;
    carry(d, RESUME_SEND, none());
    if (is_chained(to))
        descend(d);
}

/* PEP 479: what ends iterators must not leave one by accident. */
static void check_leak(const struct generator *g)
{
    /* cut 07: which exceptions may not leave it? | (void)g; */
    const char *leaked;

    if (exception_matches(&stop_iteration))
        leaked = stop_iteration.name;
    else if (g->frame.body->kind == ASYNC_GENERATOR && exception_matches(&stop_async_iteration))
        leaked = stop_async_iteration.name;
    else
        return;
    exception_wrap(&runtime_error, "%s raised %s", kind_of(g), leaked);
    /* end of cut */
}

/* What it handles is over. It is not closed yet, and what it holds is still there. */
static void end(struct generator *g, enum turn turn)
{
    if (unlikely(turn == TURN_ERROR))
        check_leak(g);
    g->top = exception_innermost;
    exception_innermost = &g->base; /* what is dropped may run anything */
    drop_handled(g);
    exception_innermost = g->base.outer;
    if (alone(g))
        leaf_part(&g->link);
}

/* As a step of the root, which the caller sees. */
static enum step end_root(struct drive *d, enum turn turn)
{
    struct generator *g = d->root;

    end(g, turn);
    /* cut 07: what is it now, and what does it hold? */
    set_stage(g, CLOSED);
    if (!g->dying)
        drop_references(g);
    /* end of cut */
    return turn == TURN_RETURN ? STEP_RETURN : STEP_ERROR;
}

/* What its parent is told of one that has been closed: of another exception, else to end too. */
static void carry_exit(struct drive *d, enum turn turn, struct object *returned /* steals */)
{
    if (turn == TURN_RETURN)
        decref(returned);
    else if (exception_matches(&generator_exit))
        exception_restore(NULL);
    d->closing = d->at == d->root ? NULL : d->at;
    carry(d, RESUME_THROW, exception_pending() ? exception_take()
                                               : incref(d->closing ? d->exit_below : d->exit));
}

/* One below the root has ended: its parent is next. It is entered before what has ended is
 * dropped, for that may run anything. */
static void end_below(struct drive *d, enum turn turn, struct object *returned /* steals */)
{
    struct generator *g = d->at;

    /* cut 07: what is its parent told? | (void)g, (void)turn, (void)returned, (void)carry_exit; */
    end(g, turn);
    enter(d, g->parent);
    if (d->closing == g)
        carry_exit(d, turn, returned);
    else if (turn == TURN_RETURN)
        carry(d, RESUME_SEND, returned);
    else
        carry(d, RESUME_THROW, exception_take());
    set_stage(g, CLOSED);
    drop_references(g);
    decref(take_from(d));
    /* end of cut */
}

/* From the end of one turn on until one ends in something for the caller. */
static enum step go_on(struct drive *d, enum turn turn, struct object **result)
{
    /* cut 07: who is next? | return turn || !yielded(d, result) ? end_root(d, turn) : STEP_NEXT; */
    for (;; turn = resume(d, result)) {
        if (turn == TURN_YIELD) {
            if (yielded(d, result))
                return STEP_NEXT;
        } else if (turn == TURN_FROM) {
            delegate(d, *result);
        } else if (d->at == d->root) {
            return end_root(d, turn);
        } else {
            end_below(d, turn, *result);
        }
    }
    /* end of cut */
}

/* ---- send ---- */

/* The generator is the drive's. False: it is not to be had; *stage says why not. */
static bool begin(struct drive *d, uint8_t *stage)
{
    struct generator *g = d->root;

    if (!claim(g, stage))
        return false;
    if (unlikely(*stage == DELEGATING && !g->link.leaf && alone(g) && chain_runs(g))) {
        set_stage(g, DELEGATING);
        *stage = RUNNING;
        return false;
    }
    if (alone(g))
        leaf_rise(&g->link);
    d->at = g;
    g->base.outer = exception_innermost;
    exception_innermost = g->top;
    return true;
}

/* Gives back one that has not been run. */
static void let_go(struct generator *g, uint8_t stage)
{
    exception_innermost = g->base.outer;
    set_stage(g, stage);
}

/* What a send finds that comes too early or too late. */
static SLOW_PATH enum step send_in_vain(const struct generator *g, uint8_t stage,
                                        struct object **result)
{
    if (stage == RUNNING)
        say_executing(g);
    else if (stage == CREATED)
        exception_set(&type_error, "can't send non-None value to a just-started %s", kind_of(g));
    else if (is_coroutine(g))
        say_reused();
    else {
        *result = none();
        return STEP_RETURN;
    }
    return STEP_ERROR;
}

/* The leaf, if it is known and can be resumed as it is; else NULL. */
static inline struct generator *ready_leaf(const struct generator *g)
{
    struct generator *leaf = of_link(g->link.leaf);

    if (leaf && stage_of(g) == DELEGATING && stage_of(leaf) == LENT && alone(g) && alone(leaf))
        return leaf;
    return NULL;
}

/* The usual step of a chain: its leaf yields. */
static enum step send_to_leaf(struct generator *g, struct generator *leaf, borrowed value,
                              struct object **result)
{
    enum turn turn;

    set_stage(g, RUNNING);
    set_stage(leaf, RUNNING);
    g->base.outer = exception_innermost;
    exception_innermost = leaf->top;
    turn = leaf->frame.body->resume(&leaf->frame, RESUME_SEND, value, result);
    if (unlikely(turn != TURN_YIELD || is_published(leaf))) {
        struct drive d = { .root = g, .at = leaf };

        return go_on(&d, turn, result);
    }
    leaf->top = exception_innermost;
    exception_innermost = g->base.outer;
    set_stage(leaf, LENT);
    set_stage(g, DELEGATING);
    return STEP_NEXT;
}

static __attribute__((noinline)) enum step drive_send(struct generator *g, borrowed value,
                                                      struct object **result)
{
    struct drive d = { .root = g, .how = RESUME_SEND, .argument = value };
    uint8_t stage;

    if (!begin(&d, &stage))
        return send_in_vain(g, stage, result);
    /* cut 07: what is refused? whose is it? | (void)let_go, (void)delegate, (void)end_below; */
    if (unlikely(stage == CREATED && value != none())) {
        let_go(g, CREATED);
        return send_in_vain(g, CREATED, result);
    }
    if (stage == DELEGATING)
        go_to_leaf(&d);
    /* end of cut */
    return go_on(&d, resume(&d, result), result);
}

/* The rest of a step of one that stands alone in its chain. */
static __attribute__((noinline)) enum step drive_on(struct generator *g, enum turn turn,
                                                    struct object **result)
{
    struct drive d = { .root = g, .at = g };

    return go_on(&d, turn, result);
}

/* Of one that is not at a yield of its own. */
static __attribute__((noinline)) enum step send_to_chain(struct generator *g, borrowed value,
                                                         struct object **result)
{
    struct generator *leaf = ready_leaf(g);

    return likely(leaf) ? send_to_leaf(g, leaf, value, result) : drive_send(g, value, result);
}

/* Whether it could be claimed, and is at a yield of its own. */
static inline bool claim_suspended(struct generator *g)
{
    uint8_t suspended = SUSPENDED;

    if (likely(alone(g))) {
        if (unlikely(stage_of(g) != SUSPENDED))
            return false;
        atomic_store_explicit(&g->stage, RUNNING, memory_order_relaxed);
        return true;
    }
    return atomic_compare_exchange_strong_explicit(&g->stage, &suspended, RUNNING,
                                                   memory_order_acquire, memory_order_relaxed);
}

/* The usual case: it is suspended, delegates to nobody, and yields. */
HOT_PATH enum step generator_send(struct object *o, borrowed value, struct object **result)
{
    struct generator *g = as_generator(o);
    enum turn turn;

    if (unlikely(!claim_suspended(g)))
        return send_to_chain(g, value, result);
    g->base.outer = exception_innermost;
    exception_innermost = g->top;
    turn = g->frame.body->resume(&g->frame, RESUME_SEND, value, result);
    if (unlikely(turn != TURN_YIELD))
        return drive_on(g, turn, result);
    g->top = exception_innermost;
    exception_innermost = g->base.outer;
    if (unlikely(is_published(g)))
        publish_turn(g);
    set_stage(g, SUSPENDED);
    return STEP_NEXT;
}

static enum step generator_next(struct object *o, struct object **result)
{
    return generator_send(o, none(), result);
}

/* ---- throw and close ---- */

/* One that runs, or has ended, is not touched by what is thrown. */
static SLOW_PATH enum step throw_in_vain(const struct generator *g, uint8_t stage,
                                         struct object *exception /* steals */)
{
    if (stage == CLOSED && !is_coroutine(g)) {
        exception_restore(exception);
        return STEP_ERROR;
    }
    decref(exception);
    stage == RUNNING ? say_executing(g) : say_reused();
    return STEP_ERROR;
}

/* GeneratorExit does not go through a chain as others do: those below the root are closed, from
 * the leaf up, and then it is raised in the root. */
static void throw_exit(struct drive *d)
{
    d->exit = d->argument;
    d->exit_below = exception_exit();
    go_to_leaf(d);
    d->closing = d->at == d->root ? NULL : d->at;
    if (d->closing && d->argument == d->exit) {
        d->argument = d->exit_below;
        exception_chain(d->exit_below);
    }
}

/* The root has been begun. */
static enum step drive_throw(struct drive *d, uint8_t stage, struct object **result)
{
    enum step step;

    /* cut 07: where is it raised? | (void)stage, (void)throw_exit; */
    if (stage == CREATED) {
        exception_restore(incref(d->argument));
        return end_root(d, TURN_ERROR);
    }
    if (stage == DELEGATING && exception_is(d->argument, &generator_exit))
        throw_exit(d);
    else if (stage == DELEGATING)
        go_to_leaf(d);
    /* end of cut */
    step = go_on(d, resume(d, result), result);
    xdecref(d->exit_below);
    return step;
}

enum step generator_throw(struct object *o, struct object *exception, struct object **result)
{
    struct drive d = { .root = as_generator(o), .how = RESUME_THROW, .argument = exception,
                       .throws = true };
    uint8_t stage;
    enum step step;

    if (unlikely(!exception_check(exception))) {
        decref(exception);
        return STEP_ERROR;
    }
    if (!begin(&d, &stage))
        return throw_in_vain(d.root, stage, exception);
    step = drive_throw(&d, stage, result);
    decref(exception);
    return step;
}

enum step generator_throw_new(struct object *o, const struct type *kind, borrowed value,
                              struct object **result)
{
    struct object *exception = exception_from(kind, value);

    return exception ? generator_throw(o, exception, result) : STEP_ERROR;
}

/* What the end of one that was told to go means for who has told it. */
static int judge_exit(const struct generator *g, enum step step, struct object **result)
{
    /* cut 07: what may it end in? | (void)g, (void)result;\nreturn step == STEP_RETURN ? 0 : -1; */
    if (step == STEP_RETURN)
        return 0;
    if (step == STEP_NEXT) {
        decref(*result);
        exception_set(&runtime_error, "%s ignored GeneratorExit", kind_of(g));
        return -1;
    }
    if (!exception_matches(&generator_exit))
        return -1;
    exception_restore(NULL);
    *result = none();
    return 0;
    /* end of cut */
}

/* Of one that has not begun: only what it holds is dropped. */
static void close_unbegun(struct drive *d, struct object **result)
{
    exception_innermost = d->root->base.outer;
    /* cut 07: what is it now, and what does it hold? | (void)result; */
    set_stage(d->root, CLOSED);
    if (!d->root->dying)
        drop_references(d->root);
    *result = none();
    /* end of cut */
}

static int close_for(struct generator *g, struct object **result)
{
    struct drive d = { .root = g, .how = RESUME_THROW, .throws = true };
    struct object *exit;
    uint8_t stage;
    enum step step;

    *result = none();
    if (!begin(&d, &stage)) {
        if (stage == RUNNING)
            say_executing(g);
        return stage == RUNNING ? -1 : 0;
    }
    if (stage == CREATED) {
        close_unbegun(&d, result);
        return 0;
    }
    d.argument = exit = exception_exit();
    exception_chain(exit);
    step = drive_throw(&d, stage, result);
    decref(exit);
    return judge_exit(g, step, result);
}

int generator_close(struct object *o, struct object **result)
{
    struct object *returned;
    int failed = close_for(as_generator(o), &returned);

    if (failed == 0 && result)
        *result = returned;
    else if (failed == 0)
        decref(returned);
    return failed;
}

static int generator_close_slot(struct object *o)
{
    return generator_close(o, NULL);
}

static size_t size_for(const struct body *body)
{
    size_t locals_bytes = body->stackful ? stackful_offset(body) + sizeof(struct stackful *)
                                         : body->locals_bytes;

    return sizeof(struct generator) + (size_t)body->references * sizeof(struct object *) +
           locals_bytes;
}

/* ---- where coroutines were made ---- */

static _Atomic int origin_depth; /* atomic */

int coroutine_track_origins(int depth)
{
    assert(depth >= 0 && depth <= COROUTINE_ORIGIN_MOST);
    return atomic_exchange_explicit(&origin_depth, depth, memory_order_relaxed);
}

static int origins_of(const struct body *body)
{
    return body->kind == COROUTINE ? atomic_load_explicit(&origin_depth, memory_order_relaxed) : 0;
}

static const void **origin_of(const struct generator *g)
{
    return (const void **)((char *)g + size_for(g->frame.body));
}

/* Of the calls that led to generator_new, its caller's first; NULL: there were fewer. */
static SLOW_PATH void note_origin(struct generator *g)
{
    void *calls[COROUTINE_ORIGIN_MOST + ORIGIN_OWN] = { NULL };

    backtrace(calls, g->origins + ORIGIN_OWN);
    memcpy(origin_of(g), calls + ORIGIN_OWN, g->origins * sizeof *calls);
}

int coroutine_origin(borrowed o, const void **address, int most)
{
    const struct generator *g = as_generator(o);
    int count = 0;

    while (count < most && count < g->origins && origin_of(g)[count]) {
        address[count] = origin_of(g)[count];
        count++;
    }
    return count;
}

/* "lab(fetch+0x1f)", or without the function's name if only a debugger knows it. */
static int write_call(char *text, size_t size_bytes, const void *address)
{
    const char *file, *name;
    Dl_info found;
    bool named;

    if (!dladdr(address, &found))
        return snprintf(text, size_bytes, "\n  [%p]", address);
    file = strrchr(found.dli_fname, '/');
    named = found.dli_sname;
    name = named ? found.dli_sname : "";
    return snprintf(text, size_bytes, "\n  %s(%s+0x%zx)", file ? file + 1 : found.dli_fname, name,
                    (size_t)((const char *)address -
                             (const char *)(named ? found.dli_saddr : found.dli_fbase)));
}

static void write_origin(const struct generator *g, char *text, size_t size_bytes)
{
    const void *address[COROUTINE_ORIGIN_MOST];
    int count = coroutine_origin(&g->head, address, COROUTINE_ORIGIN_MOST);
    size_t written = 0;

    text[0] = '\0';
    if (count)
        written = (size_t)snprintf(text, size_bytes,
                                   "\nCoroutine created at (most recent call last)");
    while (count-- > 0 && written < size_bytes)
        written += (size_t)write_call(text + written, size_bytes - written, address[count]);
}

static SLOW_PATH void warn_never_awaited(const struct generator *g)
{
    char origin[ORIGIN_BYTES];

    write_origin(g, origin, sizeof origin);
    warn(&runtime_warning, "coroutine '%s' was never awaited%s", g->frame.body->name, origin);
}

/* ---- the end of the object ---- */

static bool generator_unfinished(borrowed o)
{
    const struct generator *g = as_generator(o);

    return !g->finished && (is_left(g) || (stage_of(g) == CREATED && is_coroutine(g)));
}

void generator_tell_end(borrowed o)
{
    const struct generator *g = as_generator(o);

    if (stackful_stands(&g->frame))
        warn(&runtime_warning, "%s '%s' loses its stack, for it does not end", kind_of(g),
             g->frame.body->name);
    warning_unraisable(g->frame.body->name);
}

static void generator_finish(struct object *o)
{
    struct generator *g = as_generator(o);
    struct object *pending = exception_take();

    g->finished = true;
    g->dying = !o->tracked;
    if (stage_of(g) == CREATED)
        warn_never_awaited(g);
    else if (generator_close(o, NULL) < 0)
        generator_tell_end(o);
    g->dying = false;
    exception_restore(pending);
}

/* It is reached by nobody, so it is claimed by who comes here. */
static void generator_clear(struct object *o)
{
    struct generator *g = as_generator(o);
    struct object *from = g->from;

    drop_handled(g);
    if (unlikely(stackful_stands(&g->frame)))
        stackful_drop(&g->frame);
    set_stage(g, CLOSED);
    g->from = NULL;
    drop_references(g);
    xdecref(from);
}

static void generator_destroy(struct object *o)
{
    if (alone(as_generator(o)))
        leaf_part(&as_generator(o)->link);
    generator_clear(o);
}

/* ---- questions ---- */

bool is_generator(borrowed o, enum generator_kind kind)
{
    const struct type *types[] = { &generator_type, &coroutine_type, &async_frame_type };

    return type_of(o) == types[kind];
}

HOT_PATH const struct body *generator_body_of(borrowed o)
{
    return as_generator(o)->frame.body;
}

bool generator_yielded(borrowed o)
{
    return stage_of(as_generator(o)) == SUSPENDED;
}

enum generator_state generator_state(borrowed o)
{
    struct generator *g = as_generator(o);

    switch (stage_of(g)) {
    case CREATED:
        return GENERATOR_CREATED;
    case CLOSED:
        return GENERATOR_CLOSED;
    case RUNNING:
        return GENERATOR_RUNNING;
    case DELEGATING:
        return alone(g) && chain_runs(g) ? GENERATOR_RUNNING : GENERATOR_SUSPENDED;
    default:
        return GENERATOR_SUSPENDED;
    }
}

const char *generator_state_name(borrowed o)
{
    static const char *const names[][4] = {
        { "GEN_CREATED", "GEN_RUNNING", "GEN_SUSPENDED", "GEN_CLOSED" },
        { "CORO_CREATED", "CORO_RUNNING", "CORO_SUSPENDED", "CORO_CLOSED" },
        { "AGEN_CREATED", "AGEN_RUNNING", "AGEN_SUSPENDED", "AGEN_CLOSED" },
    };

    return names[generator_body_of(o)->kind][generator_state(o)];
}

/* Claimed for the look: another thread may be about to resume it. */
struct object *generator_delegate(borrowed o)
{
    struct generator *g = as_generator(o);
    struct object *from = none();
    uint8_t stage;

    if (!claim(g, &stage))
        return from;
    if (stage == DELEGATING && !(alone(g) && chain_runs(g)))
        from = incref(g->from);
    set_stage(g, stage);
    return from;
}

/* ---- making one ---- */

static size_t generator_size(borrowed o)
{
    const struct generator *g = as_generator(o);

    return size_for(g->frame.body) + g->origins * sizeof(void *);
}

static void generator_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "<%s object %s>", type_of(o)->name, generator_body_of(o)->name);
}

/* What `await` gets to step. */
static struct object *generator_await(borrowed o)
{
    if (generator_body_of(o)->awaitable)
        return incref(o);
    exception_set(&type_error, "object generator can't be used in 'await' expression");
    return NULL;
}

const struct type generator_type = {
    .name = "generator", .size_of = generator_size, .destroy = generator_destroy,
    .clear = generator_clear, .unfinished = generator_unfinished, .finish = generator_finish,
    .publish = generator_publish, .traverse = generator_traverse, .repr = generator_repr,
    .iterate = incref, .next = generator_next, .send = generator_send, .throw = generator_throw,
    .close = generator_close_slot, .await = generator_await,
};

/* No iterable, and no iterator. */
const struct type coroutine_type = {
    .name = "coroutine", .size_of = generator_size, .destroy = generator_destroy,
    .clear = generator_clear, .unfinished = generator_unfinished, .finish = generator_finish,
    .publish = generator_publish, .traverse = generator_traverse, .repr = generator_repr,
    .send = generator_send, .throw = generator_throw, .close = generator_close_slot,
    .await = coroutine_await,
};

/* It is the object around it that is unfinished. */
const struct type async_frame_type = {
    .name = "async_generator", .size_of = generator_size, .destroy = generator_destroy,
    .clear = generator_clear, .publish = generator_publish, .traverse = generator_traverse,
    .repr = generator_repr,
};

struct object *generator_new(const struct body *body, borrowed const *arguments, size_t count)
{
    static const struct type *const types[] = { &generator_type, &coroutine_type,
                                                &async_frame_type };
    size_t origins = (size_t)origins_of(body), size_bytes = size_for(body);
    struct object *o = container_new(types[body->kind], size_bytes + origins * sizeof(void *));
    struct generator *g = as_generator(o);

    assert((int)count <= body->references);
    if (unlikely(!o))
        return NULL;
    memset((char *)g + sizeof g->head, 0, size_bytes - sizeof g->head);
    g->top = &g->base;
    g->frame.body = body;
    g->origins = (uint8_t)origins;
    if (unlikely(origins))
        note_origin(g);
    for (size_t i = 0; i < count; i++)
        g->frame.reference[i] = incref(arguments[i]);
    return o;
}

struct object *generator_primed(const struct body *body, borrowed const *arguments, size_t count)
{
    struct object *g = generator_new(body, arguments, count);
    struct object *first = g ? iterator_next(g) : NULL;

    if (first) {
        decref(first);
        return g;
    }
    xdecref(g);
    return NULL;
}
