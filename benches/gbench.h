/* gbench.h - Google Benchmark for C.
 *
 * The library's header is C++, so a C program cannot include it (google/benchmark
 * issue 592). This one and gbench.cc, which a C++ compiler must see once, are all it
 * takes; they depend on nothing else here. Link with -lbenchmark -lstdc++.
 *
 * A benchmark is a function that does so many iterations and says how many seconds
 * they took. The library chooses the number and keeps the statistics; the clock, and
 * any threads, are the function's own. That is what the library calls manual time on
 * one thread: the one mode in which a figure means the same in its every version,
 * for 1.7 divides real time by the threads, 1.9.0 does not, and rates followed only
 * in 1.9.5.
 *
 * No C++ exception leaves these functions. Those that return int return 0, or -1 and
 * errno (ENOMEM). To be called from one thread.
 */
#ifndef BENCHES_GBENCH_H
#define BENCHES_GBENCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One run of one benchmark; belongs to the library. */
struct gbench_state;

/* Does `iterations` of them, at least 1, and returns the seconds they took. Is called
 * several times, with more and more, until the seconds are enough to be trusted. */
typedef double gbench_function(struct gbench_state *state, uint64_t iterations, void *data);

/* Takes the arguments that are the library's (--benchmark_...) out of argv; for
 * --help it prints and exits. EINVAL: one is left that nobody knows, and has been
 * named on standard error. */
int gbench_init(int *argc, char **argv);

/* For a program that answers --help by itself: prints the library's own flags. */
int gbench_print_flags(void);

/* `name` is copied; `data` is handed to `function` and must outlive gbench_run. */
int gbench_register(const char *name, gbench_function *function, void *data);

/* The same for a function that is a whole measurement: each repetition calls it once, with
 * one iteration, however short the time that it returns. */
int gbench_register_once(const char *name, gbench_function *function, void *data);

/* A pair of texts for the head of the results: what the figures depend on. */
int gbench_add_context(const char *key, const char *value);

/* Runs what was registered and not filtered out. How many that were, or -1. */
int gbench_run(void);

/* Only inside a gbench_function. When it was called is a counter of every run, `began_s`, from
 * the first call: results have no time stamps, and repetitions in random order are sorted
 * before they are shown. */

/* A number beside the times of this run. Stored as it is, neither divided by the time
 * nor summed: flags that ask for that mean different things in different versions. */
int gbench_counter(struct gbench_state *state, const char *name, double value);

/* A text beside the numbers; copied. */
int gbench_label(struct gbench_state *state, const char *text);

/* This run is void, for the reason given; what the function returns is ignored. */
int gbench_skip(struct gbench_state *state, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
