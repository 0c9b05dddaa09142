/* progress.c - how far a long run is. */
#include "lab/progress.h"

#include "gil/mutex.h"

#include <stdio.h>
#include <unistd.h>

void progress_begin(struct progress *p, size_t all, uint64_t expected_ns)
{
    *p = (struct progress){ .all = all, .began_ns = clock_ns(), .expected_ns = expected_ns,
                            .terminal = isatty(STDERR_FILENO) };
}

void progress_more(struct progress *p, size_t windows)
{
    p->all += windows;
}

static unsigned long long seconds_left(const struct progress *p)
{
    uint64_t each_ns = p->done ? (clock_ns() - p->began_ns) / p->done : p->expected_ns;

    return (p->all - p->done) * each_ns / NS_PER_S + 1;
}

const char *human_time(double seconds, char *text, size_t size_bytes)
{
    if (seconds < 90)
        snprintf(text, size_bytes, "%.0f s", seconds);
    else if (seconds < 5400)
        snprintf(text, size_bytes, "%.0f min", seconds / 60);
    else
        snprintf(text, size_bytes, "%.1f h", seconds / 3600);
    return text;
}

void progress_next(struct progress *p, const char *what)
{
    char left[24];

    human_time((double)seconds_left(p), left, sizeof left);
    if (p->terminal) {
        fprintf(stderr, "\r\033[K[%zu/%zu] %.60s  %s left", p->done + 1, p->all, what, left);
    } else if (p->done * 10 / p->all >= p->told) {
        fprintf(stderr, "window %zu of %zu, about %s left\n", p->done + 1, p->all, left);
        p->told = p->done * 10 / p->all + 1;
    }
    p->done++;
}

void progress_end(struct progress *p)
{
    if (p->terminal)
        fprintf(stderr, "\r\033[K");
}
