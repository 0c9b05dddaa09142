/* attributes.h - what the compilers can be told about locks and branches.
 *
 * The lock attributes are clang's thread-safety analysis (-Wthread-safety); gcc
 * ignores them. They stand behind a function's declaration.
 */
#ifndef GIL_ATTRIBUTES_H
#define GIL_ATTRIBUTES_H

#ifdef __clang__
#define LOCK_ATTRIBUTE(x) __attribute__((x))
#else
#define LOCK_ATTRIBUTE(x)
#endif

#define CAPABILITY(name) LOCK_ATTRIBUTE(capability(name))
#define GUARDED_BY(x) LOCK_ATTRIBUTE(guarded_by(x))
#define REQUIRES(...) LOCK_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ACQUIRES(...) LOCK_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASES(...) LOCK_ATTRIBUTE(release_capability(__VA_ARGS__))
#define NO_LOCK_ANALYSIS LOCK_ATTRIBUTE(no_thread_safety_analysis)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* For slow paths: kept out of the fast path's instructions and registers. */
#define SLOW_PATH __attribute__((noinline, cold))

/* For what each message passes: kept together in the program. Where a system call costs the
 * processor all its translations (page-table isolation without PCID), each page of code is looked
 * up anew after it. */
#define HOT_PATH __attribute__((hot))

/* Whether this build has a sanitizer that must see every allocation. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#else
#define SANITIZED 0
#endif

/* Whether it is the one that reports data races, those on purpose too. */
#if defined(__SANITIZE_THREAD__)
#define REPORTS_RACES 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define REPORTS_RACES 1
#endif
#endif
#ifndef REPORTS_RACES
#define REPORTS_RACES 0
#endif

#endif
