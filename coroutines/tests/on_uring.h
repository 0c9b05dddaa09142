/* on_uring.h - every loop of a test program is one over io_uring; where that is refused all of it is
 * skipped.
 *
 * Included before a test program: so what is said of loops is said of those, too.
 */
#ifndef COROUTINES_TESTS_ON_URING_H
#define COROUTINES_TESTS_ON_URING_H

#include "coroutines/reactor/reactor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __attribute__((constructor)) void use_uring(void)
{
    const struct reactor_class *class = reactor_named("uring");
    int error = reactor_refusal(class);

    if (error) {
        printf("ok 1 - # SKIP %s: %s\n1..1\n", class->opens, strerror(error));
        exit(0);
    }
    reactor_use(class);
}

#endif
