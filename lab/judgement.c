/* judgement.c - what may be believed of a run. */
#include "lab/judgement.h"

#include "lab/plan.h"
#include "lab/stability.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* From these on a row is warned of. Steal and other programs' time are shares of all
 * processors; 2 % is what a quiet machine of two cores stays below. */
static const double steal_warned = 0.02, busy_warned = 0.05, clock_warned = 0.05;

/* Chances of a warning where nothing is wrong: one row in a hundred. */
static const double drift_level = 0.01, bimodal_level = 0.01;

/* A claim is wrong at most this often, in all comparisons of a table together. */
static const double claim_level = 0.05;

static const uint64_t seed = 1;

static const struct outcome *twin(const struct results *r, int number)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->outcome[i].cell.control == number)
            return &r->outcome[i];
    return NULL;
}

/* The farther end, on the scale on which 2 and 1/2 are as far from 1. */
static struct floor floor_of(const struct estimate *ratio)
{
    double low = ratio->low > 0 ? 1 / ratio->low : INFINITY;

    if (!ratio->count)
        return (struct floor){ 0 };
    return (struct floor){ ratio->count, (low > ratio->high ? low : ratio->high) - 1,
                           ratio->confidence };
}

struct floor judge_floor(const struct results *r)
{
    const struct outcome *a = twin(r, 1), *b = twin(r, 2);
    struct estimate ratio = { 0 };

    if (a && b)
        ratio = outcome_ratio(a, b);
    return floor_of(&ratio);
}

/* The rates of all rounds, as far as they were measured; how many. */
static size_t rates_of(const struct outcome *o, double *rates)
{
    size_t count = 0;

    for (int k = 0; k < o->rounds; k++)
        if (measured(&o->round[k]))
            rates[count++] = measurement_rate(&o->round[k]);
    return count;
}

/* By block: negative where it was not measured. */
static void rates_by_block(const struct outcome *o, double *rates, int blocks)
{
    for (int k = 0; k < blocks; k++)
        rates[k] = k < o->rounds && measured(&o->round[k]) ? measurement_rate(&o->round[k]) : -1;
}

static struct comparison compare_outcomes(const struct outcome *b, const struct outcome *a,
                                          bool paired)
{
    static double left[ROUNDS_MAX], right[ROUNDS_MAX];
    int blocks = a->rounds > b->rounds ? a->rounds : b->rounds;
    size_t left_count, right_count;

    if (paired) {
        rates_by_block(b, left, blocks);
        rates_by_block(a, right, blocks);
        return compare_pairs(left, right, (size_t)blocks);
    }
    left_count = rates_of(b, left);
    right_count = rates_of(a, right);
    return compare_groups(left, left_count, right, right_count);
}

struct floor judge_floor_between(const struct results *a, const struct results *b)
{
    const struct outcome *before = twin(a, 1), *after = twin(b, 1);
    struct comparison c = { 0 };

    if (before && after)
        c = compare_outcomes(after, before, false);
    return floor_of(&c.ratio);
}

__attribute__((format(printf, 2, 3)))
static void warn(struct warnings *w, const char *format, ...)
{
    va_list arguments;

    if (w->count == WARNINGS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(w->text[w->count++], WARNING_BYTES, format, arguments);
    va_end(arguments);
}

/* The median over the rounds in which it is known; negative if it never is. */
static double median_of(const struct outcome *o, double (*value)(const struct occasion *occasion))
{
    static double values[ROUNDS_MAX];
    size_t count = 0;

    for (int k = 0; k < o->rounds; k++)
        if (measured(&o->round[k]) && value(&o->round[k].occasion) >= 0)
            values[count++] = value(&o->round[k].occasion);
    return count ? estimate_median(values, count).median : -1;
}

static double steal(const struct occasion *occasion)
{
    return occasion->steal;
}

static double busy(const struct occasion *occasion)
{
    return occasion->busy;
}

static void warn_of_others(const struct outcome *o, struct warnings *w)
{
    double stolen = median_of(o, steal), used = median_of(o, busy);

    if (stolen > steal_warned)
        warn(w, "steal: other machines took %.0f %% of the processors", 100 * stolen);
    if (used > busy_warned)
        warn(w, "load: other programs used %.0f %% of the processors", 100 * used);
}

static void warn_of_clock(const struct outcome *o, struct warnings *w)
{
    double least = INFINITY, most = 0;

    for (int k = 0; k < o->rounds; k++) {
        double mhz = o->round[k].occasion.mhz;

        if (!measured(&o->round[k]) || mhz <= 0)
            continue;
        least = mhz < least ? mhz : least;
        most = mhz > most ? mhz : most;
    }
    if (most > least * (1 + clock_warned))
        warn(w, "frequency: between %.0f and %.0f MHz", least, most);
}

static void warn_of_shape(const struct outcome *o, struct warnings *w)
{
    static double rates[ROUNDS_MAX];
    size_t count = rates_of(o, rates);
    struct drift drift;

    if (drift_over_order(rates, count, &drift) == 0 && drift.p < drift_level)
        warn(w, "drift: it became %s while the run went on (tau %.2f)",
             drift.tau > 0 ? "faster" : "slower", drift.tau);
    if (count >= DIP_MIN && bimodality_p(rates, count) < bimodal_level)
        warn(w, "bimodal: the windows fall into two heaps, and the median is of neither");
}

static void warn_of_width(const struct outcome *o, double precision, struct warnings *w)
{
    struct estimate rate = outcome_rate(o);
    double width = rate.median > 0 ? (rate.high - rate.low) / 2 / rate.median : 0;

    if (precision > 0 && rate.count > 1 && width > precision)
        warn(w, "precision: the interval is %.1f %% wide to each side, and not %.1f %%",
             100 * width, 100 * precision);
}

static void warn_of_failures(const struct outcome *o, struct warnings *w)
{
    int failures = 0;

    for (int k = 0; k < o->rounds; k++)
        failures += !measured(&o->round[k]);
    if (failures)
        warn(w, "failed: %d of %d windows gave nothing", failures, o->rounds);
}

void judge_warnings(const struct outcome *o, double precision, struct warnings *w)
{
    w->count = 0;
    warn_of_failures(o, w);
    warn_of_others(o, w);
    warn_of_clock(o, w);
    warn_of_shape(o, w);
    warn_of_width(o, precision, w);
}

const char *claim_name(enum claim claim)
{
    static const char *const names[] = { "faster", "slower", "no difference shown",
                                         "below the noise floor", "cannot tell" };

    return names[claim];
}

/* The least p that this many windows could give. Five pairs that all agree have 1/16. */
static bool could_tell(const struct comparison *c, bool paired, double level)
{
    return !paired || 2 * pow(0.5, (double)c->ratio.count) < level;
}

static enum claim claim(const struct verdict *v, bool paired, size_t count,
                        const struct floor *floor)
{
    const struct estimate *ratio = &v->comparison.ratio;

    if (!ratio->count || !could_tell(&v->comparison, paired, claim_level / (double)count))
        return CLAIM_CANNOT_TELL;
    if (v->comparison.p >= claim_level || (ratio->low <= 1 && ratio->high >= 1))
        return CLAIM_NONE;
    if (ratio->median < 1 + floor->share && ratio->median > 1 / (1 + floor->share))
        return CLAIM_BELOW_FLOOR;
    return ratio->median > 1 ? CLAIM_FASTER : CLAIM_SLOWER;
}

int judge(struct verdict *verdict, size_t count, bool paired, const struct floor *floor)
{
    double *p = calloc(count + 1, sizeof *p);
    int status = -1;

    if (!p)
        return -1;
    for (size_t i = 0; i < count; i++) {
        verdict[i].comparison = compare_outcomes(verdict[i].b, verdict[i].a, paired);
        p[i] = verdict[i].comparison.ratio.count ? verdict[i].comparison.p : 1;
    }
    if (adjust_holm(p, p, count) == 0) {
        for (size_t i = 0; i < count; i++) {
            verdict[i].comparison.p = p[i];
            verdict[i].claim = claim(&verdict[i], paired, count, floor);
        }
        status = 0;
    }
    free(p);
    return status;
}

/* The points' rates lie one behind the other in `rates`. */
static size_t points_of(const struct outcome *const *series, size_t count,
                        struct scaling_point *points, double *rates)
{
    size_t used = 0, kept = 0;

    for (size_t i = 0; i < count; i++) {
        size_t its = rates_of(series[i], rates + used);

        if (its)
            points[kept++] = (struct scaling_point){ series[i]->cell.threads, rates + used, its };
        used += its;
    }
    return kept;
}

bool judge_scaling(const struct results *r, const struct cell *like, struct scaling *scaling)
{
    size_t count, rounds = 0;
    const struct outcome *const *series = results_series(r, like, &count);
    struct scaling_point *points = calloc(count + 1, sizeof *points);
    double *rates;
    bool fits = false;

    for (size_t i = 0; i < count; i++)
        rounds += (size_t)series[i]->rounds;
    rates = calloc(rounds + 1, sizeof *rates);
    if (!like->base)
        snprintf(scaling->refusal, sizeof scaling->refusal,
                 "its threads are neighbours of what is counted, and do not share it");
    else if (points && rates)
        fits = scaling_fit(scaling, points, points_of(series, count, points, rates), r->cores, seed);
    else
        snprintf(scaling->refusal, sizeof scaling->refusal, "no memory");
    free(points);
    free(rates);
    return fits;
}
