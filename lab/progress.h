/* progress.h - how far a long run is, and how long it will still take.
 *
 * On a terminal one line that is written over; elsewhere a plain line for each tenth.
 * On standard error.
 */
#ifndef LAB_PROGRESS_H
#define LAB_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    size_t done, all, told; /* windows */
    uint64_t began_ns;
    uint64_t expected_ns; /* of one window, until the first is done */
    bool terminal;
};

void progress_begin(struct progress *p, size_t all, uint64_t expected_ns);

/* So many windows turn out to be wanted besides. */
void progress_more(struct progress *p, size_t windows);

/* `what` is about to run. */
void progress_next(struct progress *p, const char *what);

/* "45 s", "12 min", "3.5 h" */
const char *human_time(double seconds, char *text, size_t size_bytes);

/* Clears the line. */
void progress_end(struct progress *p);

#endif
