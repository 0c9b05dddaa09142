/* fiber.c - making, beginning, ending and destroying fibers; switching by the table. */
#include "coroutines/switch/fiber.h"

#include "coroutines/switch/begin.h"

#include <errno.h>
#include <stdio.h>

static _Thread_local struct carrier *self_carrier;

__attribute__((noinline)) struct carrier *carrier_self(void)
{
    struct carrier *t = self_carrier;

    /* So that the compiler does not find out that two calls return the same. */
    __asm__ volatile("" : "+r"(t) : : "memory");
    return t;
}

void carrier_open(struct carrier *t)
{
    assert(!self_carrier && "it is one already");
    *t = (struct carrier){ 0 };
    stack_pool_init(&t->stacks);
    t->root = (struct fiber){ .carrier = t, .name = "thread", .state = FIBER_RUNNING };
    annotate_root(&t->root.own_note);
    self_carrier = t;
}

void carrier_close(struct carrier *t)
{
    assert(t == self_carrier && !t->current);
    for (const struct named_way *w = way_list; w->name; w++)
        if (w->way->close)
            w->way->close(t);
    stack_pool_fini(&t->stacks);
    self_carrier = NULL;
}

SLOW_PATH void carrier_do_after(struct carrier *t)
{
    fiber_after *call = t->after.call;

    t->after.call = NULL;
    call(t->after.argument);
}

/* ---- Making and destroying. */

static struct fiber *refuse_way(struct carrier *t, const char *refusal)
{
    snprintf(t->stacks.why, sizeof t->stacks.why, "%s", refusal);
    errno = ENOTSUP;
    return NULL;
}

struct fiber *fiber_new_with(struct carrier *t, const char *name, fiber_entry *entry,
                             const struct way *way, size_t stack_bytes)
{
    struct fiber *f;

    if (!way)
        way = way_standard();
    else if (way->refusal())
        return refuse_way(t, way->refusal());
    f = way->make(t, stack_bytes);
    if (!f)
        return NULL;
    f->name = name;
    f->entry = entry;
    f->way = way;
    f->carrier = t;
    annotate_new(&f->own_note, f->stack->low, f->stack->size_bytes, name);
    return f;
}

struct fiber *fiber_on_own_stack(struct carrier *t, size_t stack_bytes)
{
    struct stack *stack = stack_take(&t->stacks, stack_bytes);
    struct fiber *f;

    if (!stack)
        return NULL;
    f = (struct fiber *)(stack_top(stack) - sizeof *f);
    *f = (struct fiber){ .stack = stack, .state = FIBER_RUNNING };
    return f;
}

void fiber_goes_by_table(struct fiber *f)
{
    f->kind = FIBER_BY_TABLE;
    atomic_store_explicit(&f->state, FIBER_SUSPENDED, memory_order_relaxed);
}

void fiber_drop_own_stack(struct carrier *t, struct fiber *f)
{
    stack_give(&t->stacks, (struct stack *)f->stack);
}

struct fiber *fiber_new(struct carrier *t, const char *name, fiber_entry *entry)
{
    return fiber_new_with(t, name, entry, NULL, 0);
}

/* SUSPENDED to RUNNING, for one of all who try. */
static bool claim(struct fiber *f)
{
    int suspended = FIBER_SUSPENDED;

    if (!(f->kind & FIBER_BY_TABLE))
        return fiber_claim(f);
    /* Acquire, with the release in fiber_resume_by_table. */
    return atomic_compare_exchange_strong_explicit(&f->state, &suspended, FIBER_RUNNING,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void unclaim(struct fiber *f)
{
    atomic_store_explicit(&f->state, FIBER_SUSPENDED, memory_order_release);
}

/* Acquire: all that its last resumer did is over. */
static bool is_finished(const struct fiber *f)
{
    return atomic_load_explicit(&f->state, memory_order_acquire) == FIBER_FINISHED;
}

static int admit(struct carrier *t, struct fiber *f)
{
    return f->way->admit ? f->way->admit(t, f) : 0;
}

UNINSTRUMENTED static void drop(struct carrier *t, struct fiber *f)
{
    annotate_delete(&f->own_note, &f->back_note);
    f->way->drop(t, f);
}

int fiber_destroy(struct carrier *t, struct fiber *f)
{
    if (!f->way->migrates && f->carrier != t) {
        errno = EPERM;
        return -1;
    }
    if (!is_finished(f) && !claim(f)) {
        errno = EBUSY;
        return -1;
    }
    drop(t, f);
    return 0;
}

enum fiber_state fiber_state(const struct fiber *f)
{
    bool left = atomic_load_explicit(&f->own.sp, memory_order_acquire);

    if (!(f->kind & FIBER_BY_TABLE) && left)
        return FIBER_SUSPENDED;
    return (enum fiber_state)atomic_load_explicit(&f->state, memory_order_acquire);
}

bool fiber_has_variable(const struct fiber *f, const struct fiber *left, const void *address)
{
    const struct annotation *note = &f->own_note;
    const char *at = address;

    if (at >= f->stack->low && at < stack_high(f->stack))
        return true;
    for (; left && left != f; left = left->resumer)
        note = &left->back_note;
    return annotation_holds(note, address);
}

size_t fiber_high_water(const struct fiber *f)
{
    return stack_high_water(f->stack);
}

void fiber_share(struct fiber *f)
{
    if (!(f->kind & FIBER_BY_TABLE))
        f->kind |= FIBER_SHARED;
}

/* ---- The first function on a stack, and the last. */

#if FIBER_INLINE
/* On the resumer's stack: before, who sees that the fiber has finished could destroy it while
 * its last instructions run. */
static void note_end(void *argument)
{
    struct fiber *f = argument;

    atomic_store_explicit(&f->state, FIBER_FINISHED, memory_order_release);
}
#endif

/* What it was bequeathed: the heir takes the place of the resumer. In line it is claimed with the
 * last load. */
static void inherit(struct carrier *t, struct fiber *f, void *value)
{
    struct fiber *heir = f->heir;
    bool claimed = !(heir->kind & FIBER_BY_TABLE) || claim(heir);

    assert(claimed && "who inherits is suspended until then");
    (void)claimed;
    heir->carrier = t;
    heir->value = value;
    f->resumer = heir == &t->root ? NULL : heir;
    f->back = &heir->own;
    annotate_bequeath(&f->back_note, &heir->own_note);
    if (f->kind & FIBER_BY_TABLE)
        t->left = f;
}

#if FIBER_INLINE
static void *left_at(const struct context *c)
{
    return atomic_load_explicit(&c->sp, memory_order_relaxed);
}
#endif

/* Its registers are left in the grave, not in own.sp: nobody goes on with it. */
UNINSTRUMENTED static void end(struct fiber *f, void *value)
{
    struct carrier *t = f->carrier;

    if (f->heir)
        inherit(t, f, value);
    t->current = f->resumer;
#if FIBER_INLINE
    if (!(f->kind & FIBER_BY_TABLE)) {
        t->after.call = note_end;
        t->after.argument = f;
        context_swap(&t->grave, f->back, f->heir ? fiber_claim(f->heir) : left_at(f->back), value);
    }
#endif
    f->value = value;
    f->ended = true;
    f->way->end(f);
}

static void arrive(struct carrier *t);

UNINSTRUMENTED void fiber_begin(void *argument, void *first)
{
    struct fiber *f = argument;
    struct carrier *t = f->carrier;

    annotate_inside(&f->own_note, t->left ? &t->left->own_note : &f->back_note);
    arrive(t);
    end(f, f->entry(f, f->kind & FIBER_BY_TABLE ? f->value : first));
    __builtin_trap();
}

/* ---- Switching by the table. */

static SLOW_PATH void *refuse(const struct fiber *f)
{
    errno = is_finished(f) ? EINVAL : EBUSY;
    return FIBER_FAILED;
}

/* From the moment in which the state is stored it may be another's. */
static void *let_go(struct fiber *f)
{
    void *value = f->value;

    atomic_store_explicit(&f->state, f->ended ? FIBER_FINISHED : FIBER_SUSPENDED,
                          memory_order_release);
    return value;
}

void *fiber_resume_by_table(struct carrier *t, struct fiber *f, void *value)
{
    if (!(f->kind & FIBER_BY_TABLE) || !claim(f))
        return refuse(f);
    if (admit(t, f) < 0) {
        unclaim(f);
        return FIBER_FAILED;
    }
    fiber_board(t, f);
    f->value = value;
    f->way->enter(f);
    value = let_go(f);
    if (t->after.call)
        carrier_do_after(t);
    return value;
}

void *fiber_yield_by_table(struct fiber *self, void *value)
{
    struct carrier *t = self->carrier;

    self->value = value;
    t->current = self->resumer;
    if (self->way->leave(self) < 0) {
        t->current = self;
        t->after.call = NULL;
        return FIBER_FAILED;
    }
    return self->value;
}

/* ---- Between equals. */

/* By the table one of two must be of a way, and the other of the same, or the thread itself. */
static bool same_way(const struct fiber *from, const struct fiber *to)
{
    const struct way *way = to->way ? to->way : from->way;

    return way && way->transfer && (!from->way || from->way == way);
}

/* On the stack that was gone on with. */
static void arrive(struct carrier *t)
{
    struct fiber *left = t->left;

    t->left = NULL;
    if (left)
        let_go(left);
    if (unlikely(t->after.call))
        carrier_do_after(t);
}

/* 0, and it is the caller's to go on with; in line it was not to be had. */
static int claim_for(const struct fiber *from, struct fiber *to)
{
    if (!same_way(from, to)) {
        errno = ENOTSUP;
        return -1;
    }
    if (!(to->kind & FIBER_BY_TABLE) || !claim(to)) {
        refuse(to);
        return -1;
    }
    return 0;
}

/* A root is left in line, as any other, or by the table, which its kind tells those who go on with
 * it; while it runs it may do either. */
static void set_root(struct fiber *from, uint8_t kind)
{
    if (!from->way)
        from->kind = kind;
}

void *fiber_transfer_by_table(struct carrier *t, struct fiber *to, void *value)
{
    struct fiber *from = fiber_here(t);
    const struct way *way = to->way ? to->way : from->way;

    if (claim_for(from, to) < 0)
        return FIBER_FAILED;
    set_root(from, FIBER_BY_TABLE);
    to->carrier = t;
    to->value = value;
    t->left = from;
    t->current = to == &t->root ? NULL : to;
    way->transfer(from, to);
    arrive(from->carrier);
    set_root(from, 0);
    return from->value;
}

int fiber_bequeath(struct fiber *self, struct fiber *to)
{
    if (!same_way(self, to)) {
        errno = ENOTSUP;
        return -1;
    }
    if (fiber_state(to) != FIBER_SUSPENDED) {
        refuse(to);
        return -1;
    }
    self->heir = to;
    return 0;
}
