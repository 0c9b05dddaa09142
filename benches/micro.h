/* micro.h - what a micro-benchmark file defines.
 *
 * One file in micro/ is one micro-benchmark: `const struct micro micro_<file name>`,
 * compiled once per policy. It takes batches, for a call per iteration costs more
 * than what is measured.
 *
 * Those whose name begins with bare_ are controls: the instructions that a counted
 * operation comes down to, in the same loop, which it cannot beat.
 *
 * All functions run on one attached thread. No other thread of the runtime exists
 * but those that setup starts and teardown ends.
 */
#ifndef BENCHES_MICRO_H
#define BENCHES_MICRO_H

#include <stdbool.h>
#include <stdint.h>

struct micro {
    const char *about;
    bool once; /* the same under every policy: a bare control; registered once */
    bool per_heap; /* once per heap as well */
    bool per_way; /* once per way of switching stacks as well; it is then the standard one */
    bool per_lock; /* once per global lock as well; the others run under `none` */
    bool threads; /* its threads count the same objects: left out where a policy needs a lock
                     and there is none that excludes */
    int (*setup)(void);    /* may be NULL; 0 or -1 with an exception pending */
    void (*run)(uint64_t iterations);
    void (*teardown)(void); /* may be NULL; not called if setup failed */
};

struct named_micro {
    const char *name;
    const struct micro *micro;
};

/* For `run`: a function that begins a cache line, so that the loops of a benchmark and
 * of its control, which have the same shape, are laid out alike too. */
#define MEASURED __attribute__((noinline, aligned(64)))

#endif
