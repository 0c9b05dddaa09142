/* histogram.h - durations in buckets of bounded relative error.
 *
 * Log-linear: each power of two is cut into 32 equal buckets, so a value read back
 * is off by at most 1/32 (3.2 %). Recording is a few instructions and no allocation.
 * After HdrHistogram (G. Tene, 2012). One writer.
 */
#ifndef GIL_HISTOGRAM_H
#define GIL_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_STEPS_LOG2 = 5, HISTOGRAM_BUCKETS = 60 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t count, max_ns;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Values below 32 have a bucket each; above, the five bits after the first choose. */
static inline int histogram_bucket(uint64_t ns)
{
    int shift;

    if (ns < HISTOGRAM_STEPS)
        return (int)ns;
    shift = 63 - __builtin_clzll(ns) - HISTOGRAM_STEPS_LOG2;
    return (shift + 1) * HISTOGRAM_STEPS + (int)(ns >> shift) - HISTOGRAM_STEPS;
}

/* The same value `times` times. */
static inline void histogram_record_many(struct histogram *h, uint64_t ns, uint64_t times)
{
    h->bucket[histogram_bucket(ns)] += times;
    h->count += times;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

static inline void histogram_record(struct histogram *h, uint64_t ns)
{
    histogram_record_many(h, ns, 1);
}

/* What `more` has recorded, too. */
static inline void histogram_add(struct histogram *h, const struct histogram *more)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->bucket[i] += more->bucket[i];
    h->count += more->count;
    if (more->max_ns > h->max_ns)
        h->max_ns = more->max_ns;
}

/* What stands for all values of a bucket. */
static inline uint64_t histogram_middle(int bucket)
{
    int shift = bucket < HISTOGRAM_STEPS ? 0 : bucket / HISTOGRAM_STEPS - 1;

    return ((uint64_t)(bucket - shift * HISTOGRAM_STEPS) << shift) + ((1ull << shift) - 1) / 2;
}

/* The middle of the bucket that holds the value of this rank, and no more than the longest; 0 if
 * there is none.
 * `quantile` is 0.5 for the median, at most 1. */
static inline uint64_t histogram_quantile(const struct histogram *h, double quantile)
{
    uint64_t rank = (uint64_t)(quantile * (double)h->count), seen = 0;

    if (rank >= h->count && h->count)
        rank = h->count - 1;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > rank) {
            uint64_t middle = histogram_middle(i);

            return middle < h->max_ns ? middle : h->max_ns;
        }
    }
    return 0;
}

#endif
