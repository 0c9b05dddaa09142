/* sites.h - where in this program's source an address is.
 *
 * By addr2line of binutils, which is there wherever this was built: it knows what was
 * inlined into what, and a process of its own keeps its memory and its faults to itself.
 * (libdw could do it in here, and would be one more library for ten lines of output.) Where
 * it cannot be run, or the program has no debug information, sites are addresses.
 */
#ifndef LAB_SITES_H
#define LAB_SITES_H

#include <stddef.h>

enum { SITE_BYTES = 120 };

/* A chain of calls, innermost first: return addresses of this program. */
struct site {
    const void *const *frame;
    size_t frames;
    char text[SITE_BYTES]; /* the result */
};

/* Names each chain by its innermost call that does not stand in objects/:
 * "benches/fibonacci.c:41 in fibonacci_init". */
void sites_name(struct site *site, size_t count);

#endif
