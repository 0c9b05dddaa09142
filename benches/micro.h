/* micro.h - what a micro-benchmark file defines.
 *
 * One file in micro/ is one micro-benchmark: `const struct micro micro_<file name>`,
 * compiled once per policy. It takes batches, for a call per iteration costs more
 * than what is measured.
 */
#ifndef BENCHES_MICRO_H
#define BENCHES_MICRO_H

#include <stdbool.h>
#include <stdint.h>

struct micro {
    const char *about;
    bool once; /* the same under every policy: a bare control; registered once */
    bool per_heap; /* once per heap as well */
    int (*setup)(void);    /* may be NULL; 0 or -1 with an exception pending */
    void (*run)(uint64_t iterations);
    void (*teardown)(void); /* may be NULL */
};

struct named_micro {
    const char *name;
    const struct micro *micro;
};

#endif
