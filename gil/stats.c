/* stats.c - the arithmetic of times and counts. */
#include "gil/stats.h"

void gil_stats_stood(struct gil_stats *s, const struct gil_window *w, enum gil_stand stand,
                     uint64_t from_ns, uint64_t to_ns)
{
    if (from_ns < w->from_ns)
        from_ns = w->from_ns;
    if (to_ns > w->to_ns)
        to_ns = w->to_ns;
    if (to_ns > from_ns && stand != GIL_ABSENT)
        s->spent_ns[stand] += to_ns - from_ns;
}

void gil_stats_waited(struct gil_stats *s, const struct gil_window *w, uint64_t from_ns,
                      uint64_t to_ns)
{
    if (from_ns < w->to_ns && to_ns >= w->from_ns)
        histogram_record(&s->waits, to_ns - from_ns);
}

void gil_stats_add(struct gil_stats *s, const struct gil_stats *more)
{
    for (int i = 0; i < GIL_STANDS; i++)
        s->spent_ns[i] += more->spent_ns[i];
    s->forced += more->forced;
    s->in_vain += more->in_vain;
    s->voluntary += more->voluntary;
    s->requests += more->requests;
    histogram_add(&s->waits, &more->waits);
}
