/* demo.h - what a demonstration file defines.
 *
 * One file in demos/ is one story for `lab demo NAME`: `const struct demo
 * demo_<file name>`; in NAME a - stands for each _ of it. `lab` runs it in a fresh process for
 * each mode that it names.
 */
#ifndef BENCHES_DEMO_H
#define BENCHES_DEMO_H

#include "gil/thread.h"

struct gil;
struct runtime;

struct demo {
    const char *about;
    const char *modes; /* such as "gil" or "nolock,plain+all", in the order to be shown */
    const char *head;  /* printed once before the first; may be NULL */
    const char *tail;  /* printed once after the last; may be NULL */

    /* Prints its part on standard output, on an attached thread. `mode` is one of
     * `modes`. 0, or -1 with an exception pending. */
    int (*run)(const char *mode, struct gil *gil, const struct thread_hooks *hooks);
};

struct named_demo {
    const char *name;
    const struct demo *demo;
};

#endif
