/* comparison.c - paired and unpaired comparisons, and the correction for many of them. */
#include "lab/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_MAX = 400 };

/* What the interval leaves out on each side, and the normal distribution's quantile for it. */
static const double tail = 0.025, tail_quantile = 1.959963984540054;

/* A logarithm with which one can calculate: nothing at all becomes a number whose exponential
 * is 0 again, and no sum of two is undefined. */
static double finite_log(double value)
{
    return value > 0 ? log(value) : -1000;
}

static double ratio(double log_ratio)
{
    return log_ratio > 300 ? INFINITY : log_ratio < -300 ? 0 : exp(log_ratio);
}

static struct estimate as_ratio(struct estimate logs)
{
    logs.median = ratio(logs.median);
    logs.low = ratio(logs.low);
    logs.high = ratio(logs.high);
    return logs;
}

static double sign_test(size_t above, size_t below)
{
    size_t fewer = above < below ? above : below;

    return fmin(1, 2 * binomial_at_most(fewer, above + below, 0.5));
}

struct comparison compare_pairs(const double *a, const double *b, size_t count)
{
    struct comparison c = { .superiority = 0.5, .p = 1 };
    double *logs = malloc((count + 1) * sizeof *logs);
    size_t kept = 0, above = 0, below = 0;

    if (!logs)
        return c;
    for (size_t i = 0; i < count; i++) {
        if (a[i] < 0 || b[i] < 0)
            continue;
        logs[kept++] = finite_log(a[i]) - finite_log(b[i]);
        above += a[i] > b[i];
        below += a[i] < b[i];
    }
    c.ratio = as_ratio(estimate_median(logs, kept));
    c.p = sign_test(above, below);
    if (kept)
        c.superiority = 0.5 + ((double)above - (double)below) / (2 * (double)kept);
    free(logs);
    return c;
}

/* A group, sorted. */
struct group {
    double *value;
    size_t count;
};

/* How many differences of a value of `a` and one of `b` are at most `limit`. */
static size_t differences_within(struct group a, struct group b, double limit)
{
    size_t pairs = 0;

    for (size_t i = 0, j = 0; i < a.count; i++) {
        while (j < b.count && a.value[i] - b.value[j] > limit)
            j++;
        pairs += b.count - j;
    }
    return pairs;
}

/* The k-th lowest difference, from 0, to a billionth: by halving, as there may be a million. */
static double difference(struct group a, struct group b, size_t k)
{
    double low = a.value[0] - b.value[b.count - 1], high = a.value[a.count - 1] - b.value[0];
    double middle;

    if (differences_within(a, b, low) > k)
        return low;
    while ((middle = low / 2 + high / 2) > low && middle < high && high - low > 1e-9)
        if (differences_within(a, b, middle) > k)
            high = middle;
        else
            low = middle;
    return high;
}

static double shift(struct group a, struct group b)
{
    size_t pairs = a.count * b.count;
    double upper = difference(a, b, pairs / 2);

    return pairs % 2 ? upper : (difference(a, b, pairs / 2 - 1) + upper) / 2;
}

/* For each value that occurs t times in both groups together, t^3 - t; summed. */
static int tie_sum(struct group a, struct group b, double *sum)
{
    size_t count = a.count + b.count, times = 1;
    double *all = malloc(count * sizeof *all);

    if (!all)
        return -1;
    memcpy(all, a.value, a.count * sizeof *all);
    memcpy(all + a.count, b.value, b.count * sizeof *all);
    sort_values(all, count);
    *sum = 0;
    for (size_t i = 1; i <= count; i++, times++)
        if (i == count || all[i] != all[i - 1]) {
            *sum += (double)times * (double)times * (double)times - (double)times;
            times = 0;
        }
    free(all);
    return 0;
}

/* The chance that U is at most `u`, if there is no difference and no tie. Of all ways to
 * rank m values among n others, as many give U as there are ways to write U as a sum of up to
 * m numbers from 1 to n: how many of the others each value exceeds. ways[k][s]: k numbers
 * with the sum s. */
static int exact_at_most(size_t m, size_t n, size_t u, double *chance)
{
    size_t width = u + 1;
    double *ways = calloc((m + 1) * width, sizeof *ways), sum = 0, all = 1;

    if (!ways)
        return -1;
    ways[0] = 1;
    for (size_t number = 1; number <= n; number++)
        for (size_t k = 1; k <= m; k++)
            for (size_t s = number; s < width; s++)
                ways[k * width + s] += ways[(k - 1) * width + s - number];
    for (size_t i = 0; i < (m + 1) * width; i++)
        sum += ways[i];
    for (size_t k = 1; k <= m; k++)
        all *= (double)(n + k) / (double)k;
    *chance = sum / all;
    free(ways);
    return 0;
}

/* How many of the lowest differences lie below the interval, and of the highest above it: as
 * many as U may be and still have no more chance than `tail`. 0 with fewer than four values. */
static int left_out(size_t m, size_t n, size_t *count)
{
    double pairs = (double)m * (double)n, chance;
    double deviation = sqrt(pairs * (double)(m + n + 1) / 12);
    size_t high = m * n / 2;

    *count = 0;
    if (m * n > EXACT_MAX) {
        *count = (size_t)fmax(0, pairs / 2 - tail_quantile * deviation + 0.5);
        return 0;
    }
    while (*count < high) {
        size_t middle = (*count + high) / 2;

        if (exact_at_most(m, n, middle, &chance))
            return -1;
        if (chance <= tail)
            *count = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* The ratios that the test of Mann and Whitney would not reject at 5 %. */
static int shift_interval(struct group a, struct group b, struct estimate *e)
{
    size_t out;
    double chance;

    if (left_out(a.count, b.count, &out))
        return -1;
    e->low = difference(a, b, out ? out - 1 : 0);
    e->high = difference(a, b, a.count * b.count - (out ? out : 1));
    e->confidence = 1 - 2 * tail;
    if (out)
        return 0;
    if (exact_at_most(a.count, b.count, 0, &chance))
        return -1;
    e->confidence = 1 - fmin(1, 2 * chance);
    return 0;
}

static double normal_p(double u, double m, double n, double ties)
{
    double all = m + n, variance = m * n / 12 * (all + 1 - ties / (all * (all - 1)));
    double off = fmax(0, fabs(u - m * n / 2) - 0.5);

    return variance > 0 ? fmin(1, 2 * normal_above(off / sqrt(variance))) : 1;
}

static int mann_whitney(struct group a, struct group b, struct comparison *c)
{
    size_t pairs = a.count * b.count;
    size_t above = pairs - differences_within(a, b, 0), below = pairs - differences_within(b, a, 0);
    double u = ((double)pairs + (double)above - (double)below) / 2, ties = 0;

    if (tie_sum(a, b, &ties))
        return -1;
    c->superiority = u / (double)pairs;
    c->p = normal_p(u, (double)a.count, (double)b.count, ties);
    if (ties > 0 || pairs > EXACT_MAX)
        return 0;
    if (exact_at_most(a.count, b.count, above < below ? above : below, &c->p))
        return -1;
    c->p = fmin(1, 2 * c->p);
    return 0;
}

static struct group sorted_logs(const double *values, size_t count)
{
    struct group g = { malloc((count + 1) * sizeof *g.value), count };

    for (size_t i = 0; g.value && i < count; i++)
        g.value[i] = finite_log(values[i]);
    if (g.value)
        sort_values(g.value, count);
    return g;
}

struct comparison compare_groups(const double *a, size_t a_count, const double *b, size_t b_count)
{
    struct comparison nothing = { .superiority = 0.5, .p = 1 }, c = nothing;
    struct group la = sorted_logs(a, a_count), lb = sorted_logs(b, b_count);

    if (!la.value || !lb.value || !a_count || !b_count)
        goto out;
    c.ratio.count = a_count < b_count ? a_count : b_count;
    c.ratio.median = shift(la, lb);
    if (mann_whitney(la, lb, &c) || shift_interval(la, lb, &c.ratio)) {
        c = nothing;
        goto out;
    }
    c.ratio = as_ratio(c.ratio);
out:
    free(la.value);
    free(lb.value);
    return c;
}

double mann_whitney_p(const double *a, size_t a_count, const double *b, size_t b_count)
{
    struct group la = sorted_logs(a, a_count), lb = sorted_logs(b, b_count);
    struct comparison c = { .p = 1 };

    if (!la.value || !lb.value || (a_count && b_count && mann_whitney(la, lb, &c)))
        c.p = 1;
    free(la.value);
    free(lb.value);
    return c.p;
}

struct ranked {
    double p;
    size_t place;
};

static int by_p(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->p, y = ((const struct ranked *)b)->p;

    return (x > y) - (x < y);
}

static struct ranked *ranked(const double *p, size_t count)
{
    struct ranked *r = malloc((count + 1) * sizeof *r);

    for (size_t i = 0; r && i < count; i++)
        r[i] = (struct ranked){ p[i], i };
    if (r)
        qsort(r, count, sizeof *r, by_p);
    return r;
}

/* The smallest p times how many there are, the next times one less: none below one before. */
int adjust_holm(const double *p, double *adjusted, size_t count)
{
    struct ranked *r = ranked(p, count);
    double least = 0;

    if (!r)
        return -1;
    for (size_t i = 0; i < count; i++) {
        least = fmax(least, fmin(1, r[i].p * (double)(count - i)));
        adjusted[r[i].place] = least;
    }
    free(r);
    return 0;
}

/* The i-th smallest p times count / i, from the largest: none above one before. */
int adjust_benjamini_hochberg(const double *p, double *adjusted, size_t count)
{
    struct ranked *r = ranked(p, count);
    double most = 1;

    if (!r)
        return -1;
    for (size_t i = count; i-- > 0;) {
        most = fmin(most, r[i].p * (double)count / (double)(i + 1));
        adjusted[r[i].place] = most;
    }
    free(r);
    return 0;
}
