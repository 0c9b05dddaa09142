/* turns.c - from histograms to numbers. */
#include "lab/turns.h"

const char *const turns_names[TURNS_NUMBERS] = {
    [TURNS_HELD_NS] = "held_ns",    [TURNS_WAITING_NS] = "waiting_ns",
    [TURNS_FREE_NS] = "free_ns",    [TURNS_FORCED] = "forced",
    [TURNS_IN_VAIN] = "in_vain",    [TURNS_VOLUNTARY] = "voluntary",
    [TURNS_REQUESTS] = "requests",  [TURNS_WAITS] = "waits",
    [TURNS_P50_NS] = "wait_p50_ns", [TURNS_P90_NS] = "wait_p90_ns",
    [TURNS_P99_NS] = "wait_p99_ns", [TURNS_P999_NS] = "wait_p999_ns",
    [TURNS_MAX_NS] = "wait_max_ns",
};

void turns_of(const struct gil_stats *s, struct turns *turns)
{
    *turns = (struct turns){ {
        [TURNS_HELD_NS] = s->spent_ns[GIL_HELD],
        [TURNS_WAITING_NS] = s->spent_ns[GIL_WAITING],
        [TURNS_FREE_NS] = s->spent_ns[GIL_FREE],
        [TURNS_FORCED] = s->forced,
        [TURNS_IN_VAIN] = s->in_vain,
        [TURNS_VOLUNTARY] = s->voluntary,
        [TURNS_REQUESTS] = s->requests,
        [TURNS_WAITS] = s->waits.count,
        [TURNS_P50_NS] = histogram_quantile(&s->waits, 0.5),
        [TURNS_P90_NS] = histogram_quantile(&s->waits, 0.9),
        [TURNS_P99_NS] = histogram_quantile(&s->waits, 0.99),
        [TURNS_P999_NS] = histogram_quantile(&s->waits, 0.999),
        [TURNS_MAX_NS] = s->waits.max_ns,
    } };
}

bool turns_lacks(const struct turns *turns, enum turn_number number)
{
    return number > TURNS_WAITS && !turns->number[TURNS_WAITS];
}
