/* annotate.h - what AddressSanitizer, ThreadSanitizer and valgrind must be told of a switch.
 *
 * They believe that a thread has one stack. Each way of switching (way.h) calls these around its
 * swap, in one order:
 *
 *        the resumer                          the fiber
 *        annotate_enter
 *        swap ------------------------------> annotate_inside
 *                                             ...
 *                                             annotate_leave
 *        annotate_outside <------------------ swap
 *
 * Without a sanitizer all of it is nothing, and the structs are empty.
 *
 * Facts that the order rests on:
 *
 *   1. ASan keeps the frames of functions that it instruments on a second, fake stack, one for
 *      each stack. Who leaves a stack saves it and says where the other stack lies; who arrives
 *      says which was saved. What is saved nowhere is freed: right for a stack that is left for
 *      good, and the end of any other.
 *   2. TSan keeps the chain of calls of each fiber. No instrumented function may begin before its
 *      change of fibers and end after it, for it would be entered in one chain and leave another.
 *      Hence all of this is inlined, and whoever calls it is UNINSTRUMENTED.
 *   3. A change of TSan's fibers orders what was done before it by the one before what is done
 *      after it by the other. So the fibers of one thread never race with each other.
 */
#ifndef COROUTINES_SWITCH_ANNOTATE_H
#define COROUTINES_SWITCH_ANNOTATE_H

#include "gil/attributes.h"

#include <stdbool.h>
#include <stddef.h>

#define REPORTS_ADDRESSES (SANITIZED && !REPORTS_RACES)

#if REPORTS_ADDRESSES
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if REPORTS_RACES
#include <sanitizer/tsan_interface.h>
#endif

#ifdef __has_include
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#define VALGRIND_MAKE_MEM_DEFINED(low, size_bytes) ((void)(low), (void)(size_bytes))
#endif

/* For a function that leaves one stack and returns on it later. clang needs the second word: by
 * the first alone it goes on telling TSan of the function's beginning and end. */
#if defined(__clang__) && SANITIZED
#define UNINSTRUMENTED \
    __attribute__((noinline, no_sanitize("thread", "address"), disable_sanitizer_instrumentation))
#elif SANITIZED
#define UNINSTRUMENTED __attribute__((noinline, no_sanitize("thread"), no_sanitize("address")))
#else
#define UNINSTRUMENTED
#endif

#define ANNOTATION static inline __attribute__((always_inline)) void

/* What the sanitizers know one stack by. */
struct annotation {
#if REPORTS_ADDRESSES
    void *fake;
    const void *low;
    size_t size_bytes;
#elif REPORTS_RACES
    void *fiber;
#endif
};

/* A fiber is made, and has not run. */
ANNOTATION annotate_new(struct annotation *own, const void *low, size_t size_bytes,
                        const char *name)
{
    (void)own, (void)low, (void)size_bytes, (void)name;
#if REPORTS_ADDRESSES
    *own = (struct annotation){ .low = low, .size_bytes = size_bytes };
#elif REPORTS_RACES
    own->fiber = __tsan_create_fiber(0);
    __tsan_set_fiber_name(own->fiber, name);
#endif
}

/* On the resumer's stack, right before the swap: `back` will know that stack. */
ANNOTATION annotate_enter(struct annotation *own, struct annotation *back)
{
    (void)own, (void)back;
#if REPORTS_ADDRESSES
    __sanitizer_start_switch_fiber(&back->fake, own->low, own->size_bytes);
#elif REPORTS_RACES
    back->fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(own->fiber, 0);
#endif
}

/* On the fiber's stack, first of all: at its beginning, and whenever it has been resumed. */
ANNOTATION annotate_inside(struct annotation *own, struct annotation *back)
{
    (void)own, (void)back;
#if REPORTS_ADDRESSES
    __sanitizer_finish_switch_fiber(own->fake, &back->low, &back->size_bytes);
#endif
}

/* On the fiber's stack, right before the swap; `ends`: it will not be resumed. */
ANNOTATION annotate_leave(struct annotation *own, struct annotation *back, bool ends)
{
    (void)own, (void)back, (void)ends;
#if REPORTS_ADDRESSES
    __sanitizer_start_switch_fiber(ends ? NULL : &own->fake, back->low, back->size_bytes);
    own->fake = ends ? NULL : own->fake;
#elif REPORTS_RACES
    __tsan_switch_to_fiber(back->fiber, 0);
#endif
}

/* On the resumer's stack, right after the swap. */
ANNOTATION annotate_outside(struct annotation *back)
{
    (void)back;
#if REPORTS_ADDRESSES
    __sanitizer_finish_switch_fiber(back->fake, NULL, NULL);
#endif
}

/* A thread's own stack, of which ASan says the bounds when it is left for the first time. */
ANNOTATION annotate_root(struct annotation *own)
{
    (void)own;
#if REPORTS_RACES
    own->fiber = __tsan_get_current_fiber();
#endif
}

/* Right before a swap between equals; after it, on the other stack, annotate_inside tells whoever
 * was left where its stack lies. */
ANNOTATION annotate_transfer(struct annotation *own, const struct annotation *to)
{
    (void)own, (void)to;
#if REPORTS_ADDRESSES
    __sanitizer_start_switch_fiber(&own->fake, to->low, to->size_bytes);
#elif REPORTS_RACES
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* What is bequeathed is left as if it were resumed from `to`. */
ANNOTATION annotate_bequeath(struct annotation *back, const struct annotation *to)
{
    (void)back, (void)to;
#if REPORTS_ADDRESSES || REPORTS_RACES
    *back = *to;
#endif
}

/* Whether ASan has moved a variable that is at `address` away from the stack, which is left. */
static inline bool annotation_holds(const struct annotation *own, const void *address)
{
    (void)own, (void)address;
#if REPORTS_ADDRESSES
    return __asan_addr_is_in_fake_stack(own->fake, (void *)address, NULL, NULL);
#else
    return false;
#endif
}

/* A fiber that is not running is dropped; the caller is UNINSTRUMENTED. ASan frees only the fake
 * stack of the stack that it believes to be on: so it is made to believe that. (gcc 12 crashes over
 * local variables here: hence `back`.) */
ANNOTATION annotate_delete(struct annotation *own, struct annotation *back)
{
    (void)own, (void)back;
#if REPORTS_ADDRESSES
    if (own->fake) {
        __sanitizer_start_switch_fiber(&back->fake, own->low, own->size_bytes);
        __sanitizer_finish_switch_fiber(own->fake, &back->low, &back->size_bytes);
        __sanitizer_start_switch_fiber(NULL, back->low, back->size_bytes);
        __sanitizer_finish_switch_fiber(back->fake, NULL, NULL);
    }
#elif REPORTS_RACES
    __tsan_destroy_fiber(own->fiber);
#endif
}

/* What the frames that were here have marked as not to be touched is forgotten. (valgrind, for
 * which all below the stack pointer is so, is told by VALGRIND_MAKE_MEM_DEFINED.) */
ANNOTATION annotate_fresh(const void *low, size_t size_bytes)
{
    (void)low, (void)size_bytes;
#if REPORTS_ADDRESSES
    __asan_unpoison_memory_region(low, size_bytes);
#endif
}

#undef ANNOTATION

#endif
