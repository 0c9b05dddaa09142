/* scaling.c - Karp-Flatt, and the Universal Scalability Law. */
#include "lab/scaling.h"

#include "lab/random.h"
#include "lab/statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double karp_flatt(double speedup, int threads)
{
    double n = threads;

    return (1 / speedup - 1 / n) / (1 - 1 / n);
}

/* In N / X(N) = c0 + c1 (N - 1) + c2 N (N - 1) the law is linear: g = 1 / c0, a = c1 / c0,
 * b = c2 / c0. */
enum { TERMS = 3 };

static double term(int which, double threads)
{
    return which == 0 ? 1 : which == 1 ? threads - 1 : threads * (threads - 1);
}

/* An observation of the fit: its weight makes all errors relative, as noise takes a share of
 * a rate. (One over the variance of five samples would be mostly noise itself.) */
struct observation {
    double threads, y, weight;
};

struct equations {
    double m[TERMS][TERMS + 1];
};

static struct equations normal_equations(const struct observation *o, size_t count)
{
    struct equations e = { 0 };

    for (size_t i = 0; i < count; i++)
        for (int row = 0; row < TERMS; row++) {
            double weighted = o[i].weight * term(row, o[i].threads);

            for (int column = 0; column < TERMS; column++)
                e.m[row][column] += weighted * term(column, o[i].threads);
            e.m[row][TERMS] += weighted * o[i].y;
        }
    return e;
}

/* A coefficient that is not in `used` (a bit for each) is 0. */
static struct equations restricted(struct equations e, unsigned used)
{
    for (int i = 0; i < TERMS; i++)
        for (int j = 0; j <= TERMS; j++)
            if (!(used >> i & 1) || (j < TERMS && !(used >> j & 1)))
                e.m[i][j] = i == j;
    return e;
}

/* By Gauss and Jordan; the matrix is positive definite, so no pivot needs to be sought. */
static void solve(struct equations e, double *c)
{
    for (int i = 0; i < TERMS; i++)
        for (int row = 0; row < TERMS; row++) {
            double factor = e.m[row][i] / e.m[i][i];

            for (int column = i; row != i && column <= TERMS; column++)
                e.m[row][column] -= factor * e.m[i][column];
        }
    for (int i = 0; i < TERMS; i++)
        c[i] = e.m[i][TERMS] / e.m[i][i];
}

static double squared_error(const struct observation *o, size_t count, const double *c)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        double off = o[i].y;

        for (int k = 0; k < TERMS; k++)
            off -= c[k] * term(k, o[i].threads);
        sum += o[i].weight * off * off;
    }
    return sum;
}

/* The best fit with no negative coefficient. There are four ways to hold c1 and c2 at 0 or not, so
 * all are solved, and the best of those that are allowed is taken. (To set a negative one to
 * 0 after the fit would leave the others as wrong as it was.) */
static struct law fit(const struct observation *o, size_t count)
{
    struct equations all = normal_equations(o, count);
    double best[TERMS] = { 0 }, error = INFINITY;

    for (unsigned used = 1; used < 1 << TERMS; used += 2) {
        double c[TERMS], e;

        solve(restricted(all, used), c);
        e = squared_error(o, count, c);
        if (c[0] > 0 && c[1] >= 0 && c[2] >= 0 && e < error) {
            memcpy(best, c, sizeof best);
            error = e;
        }
    }
    return (struct law){ 1 / best[0], best[1] / best[0], best[2] / best[0] };
}

static double rate_at(struct law law, double n)
{
    return law.g * n / (1 + law.a * (n - 1) + law.b * n * (n - 1));
}

static double peak_of(struct law law)
{
    if (law.a >= 1)
        return 1;
    return law.b > 0 ? fmax(1, sqrt((1 - law.a) / law.b)) : INFINITY;
}

static double limit_of(struct law law)
{
    double peak = peak_of(law);

    if (isfinite(peak))
        return rate_at(law, peak) / law.g;
    return law.a > 0 ? 1 / law.a : INFINITY;
}

static double g_of(struct law law)
{
    return law.g;
}

static double a_of(struct law law)
{
    return law.a;
}

static double b_of(struct law law)
{
    return law.b;
}

/* Between the tails of what the resampled laws give. */
static struct figure between(const struct scaling *s, double value, double *resampled)
{
    size_t rank = (size_t)(s->tail * SCALING_RESAMPLES);

    sort_values(resampled, SCALING_RESAMPLES);
    return (struct figure){ value, resampled[rank], resampled[SCALING_RESAMPLES - 1 - rank] };
}

static struct figure figure_of(const struct scaling *s, struct law law, double (*get)(struct law))
{
    double values[SCALING_RESAMPLES];

    for (int i = 0; i < SCALING_RESAMPLES; i++)
        values[i] = get(s->resampled[i]);
    return between(s, get(law), values);
}

struct figure scaling_at(const struct scaling *s, double threads)
{
    struct law law = { s->g.value, s->a.value, s->b.value };
    double values[SCALING_RESAMPLES];

    for (int i = 0; i < SCALING_RESAMPLES; i++)
        values[i] = rate_at(s->resampled[i], threads);
    return between(s, rate_at(law, threads), values);
}

static bool fits(const struct scaling_point *p, int cores)
{
    return p->threads >= 1 && p->threads <= cores;
}

static bool refuse_point(struct scaling *s, const struct scaling_point *p)
{
    if (p->count < SCALING_SAMPLES_MIN) {
        snprintf(s->refusal, sizeof s->refusal, "%zu samples at threads %d; a fit needs %d",
                 p->count, p->threads, SCALING_SAMPLES_MIN);
        return true;
    }
    for (size_t i = 0; i < p->count; i++)
        if (!(p->rates[i] > 0)) {
            snprintf(s->refusal, sizeof s->refusal, "a sample at threads %d did nothing",
                     p->threads);
            return true;
        }
    return false;
}

/* Sets `refusal`, `measured`, and the sizes of the fit. */
static bool refused(struct scaling *s, const struct scaling_point *points, size_t count, int cores,
                    size_t *samples_max, size_t *samples_min)
{
    size_t usable = 0;

    *samples_max = 0;
    *samples_min = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!fits(&points[i], cores))
            continue;
        usable++;
        if (refuse_point(s, &points[i]))
            return true;
        s->measured = points[i].threads > s->measured ? points[i].threads : s->measured;
        *samples_max = points[i].count > *samples_max ? points[i].count : *samples_max;
        *samples_min = points[i].count < *samples_min ? points[i].count : *samples_min;
    }
    if (usable >= SCALING_POINTS_MIN)
        return false;
    snprintf(s->refusal, sizeof s->refusal,
             "%zu thread count%s on the %d cores; a fit needs %d", usable,
             usable == 1 ? " fits" : "s fit", cores, SCALING_POINTS_MIN);
    return true;
}

/* The points that fit on the cores, their samples sorted in `rates`, one point's behind the
 * other's. How many. */
static size_t take_points(struct scaling_point *taken, double *rates,
                          const struct scaling_point *points, size_t count, int cores)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (!fits(&points[i], cores))
            continue;
        memcpy(rates, points[i].rates, points[i].count * sizeof *rates);
        sort_values(rates, points[i].count);
        taken[used] = points[i];
        taken[used++].rates = rates;
        rates += points[i].count;
    }
    return used;
}

/* The value at this place, from 0, of a sample that has the i-th of `sorted` times[i] times. */
static double drawn_at(const double *sorted, const size_t *times, size_t place)
{
    size_t i = 0;

    while (place >= times[i])
        place -= times[i++];
    return sorted[i];
}

/* Of as many values as there are, drawn again. Counted, not sorted: there may be thousands, and
 * this is done a thousand times. */
static double redrawn_median(const struct scaling_point *p, size_t *times, uint64_t *random)
{
    memset(times, 0, p->count * sizeof *times);
    for (size_t k = 0; k < p->count; k++)
        times[random_below(random, p->count)]++;
    return (drawn_at(p->rates, times, (p->count - 1) / 2) +
            drawn_at(p->rates, times, p->count / 2)) / 2;
}

/* From the medians of sorted points; with `times`, from those of samples drawn again. */
static void observe(struct observation *o, const struct scaling_point *points, size_t count,
                    size_t *times, uint64_t *random)
{
    for (size_t i = 0; i < count; i++) {
        const struct scaling_point *p = &points[i];
        double y = p->threads / (times ? redrawn_median(p, times, random)
                                       : median_of_sorted(p->rates, p->count));

        o[i] = (struct observation){ p->threads, y, (double)p->count / (y * y) };
    }
}

static double misfit_of(struct law law, const struct observation *o, size_t count)
{
    double worst = 0;

    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs(o[i].y / o[i].threads * rate_at(law, o[i].threads) - 1));
    return worst;
}

static void summarise(struct scaling *s, struct law law)
{
    s->g = figure_of(s, law, g_of);
    s->a = figure_of(s, law, a_of);
    s->b = figure_of(s, law, b_of);
    s->peak = figure_of(s, law, peak_of);
    s->limit = figure_of(s, law, limit_of);
}

static void fit_points(struct scaling *s, const struct scaling_point *points, size_t count,
                       struct observation *o, size_t *times, uint64_t seed)
{
    struct law law;

    observe(o, points, count, NULL, NULL);
    law = fit(o, count);
    s->misfit = misfit_of(law, o, count);
    for (int i = 0; i < SCALING_RESAMPLES; i++) {
        observe(o, points, count, times, &seed);
        s->resampled[i] = fit(o, count);
    }
    summarise(s, law);
}

bool scaling_fit(struct scaling *s, const struct scaling_point *points, size_t count, int cores,
                 uint64_t seed)
{
    struct observation *o = malloc((count + 1) * sizeof *o);
    struct scaling_point *taken = malloc((count + 1) * sizeof *taken);
    size_t most, fewest, used, *times = NULL;
    double *rates = NULL;

    *s = (struct scaling){ 0 };
    if (refused(s, points, count, cores, &most, &fewest))
        goto out;
    times = malloc(most * sizeof *times);
    rates = malloc(most * count * sizeof *rates);
    if (!o || !taken || !times || !rates) {
        snprintf(s->refusal, sizeof s->refusal, "no memory");
        goto out;
    }
    s->tail = bootstrap_tail(fewest);
    used = take_points(taken, rates, points, count, cores);
    fit_points(s, taken, used, o, times, seed);
out:
    free(rates);
    free(times);
    free(taken);
    free(o);
    return !s->refusal[0];
}

/* Below these a cause is called absent, and threads are said to take turns; above the last one,
 * the law is said not to hold. */
static const double unseen = 0.05, turns = 1.1, wrong = 0.1;

/* One cause of what is lost, which at `measured` threads costs `weight` times its share. */
static void cause(FILE *out, struct figure share, double weight, const char *present,
                  const char *absent, const char *unknown)
{
    if (share.high * weight < unseen)
        fprintf(out, "%s (at most %.2g %%). ", absent, 100 * share.high);
    else if (share.low > 0)
        fprintf(out, "%s %.3g %% (%.3g .. %.3g %%). ", present, 100 * share.value, 100 * share.low,
                100 * share.high);
    else
        fprintf(out, "%s cannot be told (0 .. %.3g %%). ", unknown, 100 * share.high);
}

static void peak_reading(FILE *out, struct figure peak, int measured)
{
    if (isinf(peak.low))
        fprintf(out, "No peak is in sight.");
    else if (isfinite(peak.high))
        fprintf(out, "The peak is at %.0f threads (%.0f .. %.0f).", peak.value, peak.low,
                peak.high);
    else if (peak.low > measured)
        fprintf(out, "No peak is in sight up to %.0f threads.", floor(peak.low));
    else
        fprintf(out, "Where the peak is, if anywhere, cannot be told.");
}

static void law_reading(FILE *out, const struct scaling *s)
{
    double n = s->measured;

    if (s->limit.high < turns)
        fprintf(out,
                "Threads take turns: no number of them does more than %.2f times the work of one.",
                s->limit.high);
    else {
        cause(out, s->a, n - 1, "The serial share is", "No serial share is seen",
              "The serial share");
        cause(out, s->b, n * (n - 1), "The coherence cost of each thread to each other is",
              "No coherence cost is seen", "The coherence cost");
        peak_reading(out, s->peak, s->measured);
    }
    if (s->misfit > wrong)
        fprintf(out, " But the law is up to %.0f %% off what was measured.", 100 * s->misfit);
}

const char *scaling_reading(const struct scaling *s, char *text, size_t size_bytes)
{
    FILE *out;

    if (s->refusal[0]) {
        snprintf(text, size_bytes, "%s", s->refusal);
        return text;
    }
    text[0] = '\0';
    out = fmemopen(text, size_bytes, "w");
    if (out) {
        law_reading(out, s);
        fclose(out);
    }
    return text;
}
