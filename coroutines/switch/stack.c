/* stack.c - slabs of stacks, their guards, and the pools. */
#include "coroutines/switch/stack.h"

#include "coroutines/switch/annotate.h"
#include "gil/mutex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* In test builds a slab has four and a pool keeps two, so that all lists are used. */
#ifdef NDEBUG
enum { SLAB_STACKS = 64, WARM_MOST = 64 };
#else
enum { SLAB_STACKS = 4, WARM_MOST = 2 };
#endif
enum {
    SLAB_BYTES = 4 << 20, /* unless one stack is larger */
    GUARD_PAGES = 4,
    ADVICE_GUARD_INSTALL = 102, /* MADV_GUARD_INSTALL, which libc's headers may not have */
};

/* Those that threads have left, all cold. */
static struct {
    struct mutex lock;
    struct stack_list left[STACK_SIZES]; /* lock */
} nobodys = { .lock = MUTEX_INIT };

/* How many have a guard: for who has to explain why there can be no more. */
static _Atomic size_t guarded_stacks;

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t guard_bytes(void)
{
    return GUARD_PAGES * page_bytes();
}

static void push(struct stack_list *list, struct stack *stack)
{
    stack->next = list->first;
    list->first = stack;
    list->count++;
}

static struct stack *pop(struct stack_list *list)
{
    struct stack *stack = list->first;

    if (stack) {
        list->first = stack->next;
        list->count--;
    }
    return stack;
}

/* The class of a size that is allowed. */
static int class_of(size_t size_bytes)
{
    size_t units = (size_bytes - 1) / STACK_LEAST_BYTES;

    return units ? 64 - __builtin_clzll(units) : 0;
}

/* ---- Guards. */

/* That the advice was taken is not enough: an emulator or an old sandbox may take any, and do
 * nothing. The kernel itself refuses to read a page that is guarded. */
static bool is_guarded(char *page)
{
    int ends[2];
    bool refused;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    refused = write(ends[1], page, 1) < 0 && errno == EFAULT;
    close(ends[0]);
    close(ends[1]);
    return refused;
}

static enum stack_guard probe(void)
{
    size_t size_bytes = page_bytes();
    char *page = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool advice;

    if (page == MAP_FAILED)
        return STACK_GUARD_PROTECT;
    advice = madvise(page, size_bytes, ADVICE_GUARD_INSTALL) == 0 && is_guarded(page);
    munmap(page, size_bytes);
    return advice ? STACK_GUARD_ADVICE : STACK_GUARD_PROTECT;
}

enum { GUARD_UNKNOWN = -1 };
static _Atomic int chosen_guard = GUARD_UNKNOWN;

/* Relaxed: whoever asks first finds the same as anybody else. */
enum stack_guard stack_guard(void)
{
    int guard = atomic_load_explicit(&chosen_guard, memory_order_relaxed);

    if (guard == GUARD_UNKNOWN) {
        guard = (int)probe();
        atomic_store_explicit(&chosen_guard, guard, memory_order_relaxed);
    }
    return (enum stack_guard)guard;
}

void stack_use_guard(enum stack_guard guard)
{
    atomic_store_explicit(&chosen_guard, (int)guard, memory_order_relaxed);
}

bool stack_guards(const struct stack *stack, const void *address)
{
    uintptr_t low = (uintptr_t)stack->low, at = (uintptr_t)address;

    return at < low && low - at <= guard_bytes();
}

/* The advice is refused for memory that is locked (mlockall): there a map is the price. */
static bool install_guard(const struct stack *stack)
{
    char *low = stack->low - guard_bytes();

    if (stack_guard() == STACK_GUARD_ADVICE &&
        madvise(low, guard_bytes(), ADVICE_GUARD_INSTALL) == 0)
        return true;
    return mprotect(low, guard_bytes(), PROT_NONE) == 0;
}

/* 0 if it cannot be read. */
static size_t maps_allowed(void)
{
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    size_t allowed = 0;

    if (file) {
        if (fscanf(file, "%zu", &allowed) != 1)
            allowed = 0;
        fclose(file);
    }
    return allowed;
}

static SLOW_PATH void explain_guard(struct stack_pool *pool)
{
    int error = errno;

    snprintf(
        pool->why, sizeof pool->why,
        "no guard for one more stack, %zu have one: with mprotect each takes two maps, and a "
        "process may have %zu (sysctl vm.max_map_count); from Linux 6.13 on a guard takes none",
        atomic_load_explicit(&guarded_stacks, memory_order_relaxed), maps_allowed());
    errno = error;
}

/* False: it has none, and why is said. */
static bool guard(struct stack_pool *pool, struct stack *stack)
{
    if (!install_guard(stack)) {
        explain_guard(pool);
        return false;
    }
    stack->guarded = true;
    atomic_fetch_add_explicit(&guarded_stacks, 1, memory_order_relaxed);
    return true;
}

/* ---- Slabs. */

static SLOW_PATH void explain_memory(struct stack_pool *pool, size_t size_bytes)
{
    struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
    int error = errno;

    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY)
        snprintf(pool->why, sizeof pool->why, "no memory for %zu KiB of stacks: %s",
                 size_bytes >> 10, strerror(error));
    else
        snprintf(pool->why, sizeof pool->why,
                 "no memory for %zu KiB of stacks: the process may have %zu KiB of addresses "
                 "(RLIMIT_AS, ulimit -v)",
                 size_bytes >> 10, (size_t)limit.rlim_cur >> 10);
    errno = error;
}

/* Reserved, not promised: what is never touched is never paid for. Huge pages would make all of
 * it resident with the first touch; a kernel without them refuses to be told so. */
static char *map(size_t size_bytes)
{
    char *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, size_bytes, MADV_NOHUGEPAGE);
    return memory;
}

/* The structs stand apart from the stacks: so a cold one touches none of its pages. */
static void carve(struct stack_list *list, struct stack *stacks, size_t count, char *memory,
                  size_t size_bytes)
{
    for (size_t i = count; i-- > 0;) {
        stacks[i].low = memory + i * (guard_bytes() + size_bytes) + guard_bytes();
        stacks[i].size_bytes = size_bytes;
        stacks[i].colour_bytes = (uint32_t)(i * STACK_COLOUR_BYTES % STACK_COLOURS_BYTES);
        push(list, &stacks[i]);
    }
}

static size_t stacks_in_slab(size_t each_bytes)
{
    size_t fit = SLAB_BYTES / each_bytes;

    if (fit < 1)
        return 1;
    return fit < SLAB_STACKS ? fit : SLAB_STACKS;
}

static SLOW_PATH struct stack *take_of_new_slab(struct stack_pool *pool, int class)
{
    size_t size_bytes = (size_t)STACK_LEAST_BYTES << class, each_bytes = size_bytes + guard_bytes();
    size_t count = stacks_in_slab(each_bytes);
    struct stack *stacks = calloc(count, sizeof *stacks);
    char *memory = stacks ? map(count * each_bytes) : NULL;

    if (!memory) {
        errno = ENOMEM;
        explain_memory(pool, count * each_bytes);
        free(stacks);
        return NULL;
    }
    carve(&pool->cold[class], stacks, count, memory, size_bytes);
    return pop(&pool->cold[class]);
}

/* ---- Pools. */

void stack_pool_init(struct stack_pool *pool)
{
    *pool = (struct stack_pool){ .warm_most = WARM_MOST, .valgrind = RUNNING_ON_VALGRIND };
}

static struct stack *take_of_nobody(int class)
{
    struct stack *stack;

    mutex_lock(&nobodys.lock);
    stack = pop(&nobodys.left[class]);
    mutex_unlock(&nobodys.lock);
    return stack;
}

static struct stack *take_any(struct stack_pool *pool, int class)
{
    struct stack *stack = pop(&pool->warm[class]);

    if (!stack)
        stack = pop(&pool->cold[class]);
    if (!stack)
        stack = take_of_nobody(class);
    return stack ? stack : take_of_new_slab(pool, class);
}

static SLOW_PATH struct stack *refuse_size(struct stack_pool *pool, size_t size_bytes)
{
    snprintf(pool->why, sizeof pool->why, "a stack of %zu KiB: at most %d", size_bytes >> 10,
             STACK_MOST_BYTES >> 10);
    errno = EINVAL;
    return NULL;
}

static void tell_valgrind(struct stack *stack)
{
    stack->valgrind = VALGRIND_STACK_REGISTER(stack->low, stack_high(stack));
    (void)VALGRIND_MAKE_MEM_DEFINED(stack->low, stack->size_bytes);
}

struct stack *stack_take(struct stack_pool *pool, size_t size_bytes)
{
    struct stack *stack;
    int class;

    if (size_bytes > STACK_MOST_BYTES)
        return refuse_size(pool, size_bytes);
    class = class_of(size_bytes ? size_bytes : STACK_STANDARD_BYTES);
    stack = take_any(pool, class);
    if (stack && unlikely(!stack->guarded) && !guard(pool, stack)) {
        push(&pool->cold[class], stack);
        return NULL;
    }
    if (stack) {
        annotate_fresh(stack->low, stack->size_bytes);
        if (unlikely(pool->valgrind))
            tell_valgrind(stack);
    }
    return stack;
}

/* It cannot fail for memory that was mapped so. */
static void chill(struct stack *stack)
{
    int error = errno;

    madvise(stack->low, stack->size_bytes, MADV_DONTNEED);
    errno = error;
}

void stack_give(struct stack_pool *pool, struct stack *stack)
{
    int class = class_of(stack->size_bytes);

    if (unlikely(pool->valgrind))
        VALGRIND_STACK_DEREGISTER(stack->valgrind);
    if (pool->warm[class].count < pool->warm_most) {
        push(&pool->warm[class], stack);
        return;
    }
    chill(stack);
    push(&pool->cold[class], stack);
}

static void leave(struct stack_list *list, int class, bool warm)
{
    struct stack *stack;

    while ((stack = pop(list))) {
        if (warm)
            chill(stack);
        mutex_lock(&nobodys.lock);
        push(&nobodys.left[class], stack);
        mutex_unlock(&nobodys.lock);
    }
}

void stack_pool_fini(struct stack_pool *pool)
{
    for (int i = 0; i < STACK_SIZES; i++) {
        leave(&pool->warm[i], i, true);
        leave(&pool->cold[i], i, false);
    }
}

size_t stack_high_water(const struct stack *stack)
{
    enum { AT_ONCE = 64 };
    size_t page = page_bytes();
    unsigned char resident[AT_ONCE];

    for (char *at = stack->low; at < stack_high(stack); at += AT_ONCE * page) {
        size_t left = (size_t)(stack_high(stack) - at) / page;
        size_t pages = left < AT_ONCE ? left : AT_ONCE;

        if (mincore(at, pages * page, resident) < 0)
            return 0;
        for (size_t i = 0; i < pages; i++)
            if (resident[i] & 1)
                return (size_t)(stack_high(stack) - at) - i * page;
    }
    return 0;
}
