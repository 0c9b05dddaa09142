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

/* A window that is longer than another by this factor did not run all the time. */
static const double stall_warned = 1.25;

/* A claim is wrong, and drift or two heaps are suspected for nothing, at most this often: in all
 * rows of a table together. */
static const double claim_level = 0.05, warning_level = 0.05;

/* A floor that is less sure is not known; five pairs give 94 %. */
static const double floor_confidence = 0.93;

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

    if (ratio->count < 2)
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

/* As texts are interned, that of another run has the same address. */
static bool same_dials(const struct cell *a, const struct cell *b)
{
    return comparable(a, b) && a->mode == b->mode && a->threads == b->threads;
}

struct floor judge_floor_between(const struct results *a, const struct results *b)
{
    const struct outcome *before = twin(a, 1), *after = twin(b, 1);
    struct comparison c = { 0 };

    if (before && after && same_dials(&before->cell, &after->cell))
        c = compare_outcomes(after, before, false);
    return floor_of(&c.ratio);
}

__attribute__((format(printf, 2, 3))) static void warn(struct warnings *w, const char *format, ...)
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

/* Stopped from outside, or by a machine that stood still. */
static void warn_of_length(const struct outcome *o, struct warnings *w)
{
    double least = INFINITY, most = 0;

    for (int k = 0; k < o->rounds; k++) {
        double seconds = measured(&o->round[k]) ? o->round[k].seconds : 0;

        if (seconds > 0 && o->round[k].status == STATUS_OK) {
            least = seconds < least ? seconds : least;
            most = seconds > most ? seconds : most;
        }
    }
    if (most > least * stall_warned)
        warn(w, "stalled: a window lasted %.1f times as long as another", most / least);
}

/* A lock may keep a thread waiting for longer than a window. */
static void warn_of_nothing(const struct outcome *o, struct warnings *w)
{
    struct estimate rate = outcome_rate(o);

    if (rate.count && rate.high <= 0)
        warn(w, "nothing was done: it was starved, or takes longer than a window (--window)");
}

/* By the quartiles: of hundreds of windows one always has another frequency. */
static void warn_of_clock(const struct outcome *o, struct warnings *w)
{
    static double mhz[ROUNDS_MAX];
    size_t count = 0;

    for (int k = 0; k < o->rounds; k++)
        if (measured(&o->round[k]) && o->round[k].occasion.mhz > 0)
            mhz[count++] = o->round[k].occasion.mhz;
    sort_values(mhz, count);
    if (count > 1 && mhz[count - 1 - count / 4] > mhz[count / 4] * (1 + clock_warned))
        warn(w, "frequency: %.0f MHz in some windows, %.0f MHz in others", mhz[count / 4],
             mhz[count - 1 - count / 4]);
}

static void warn_of_shape(const struct outcome *o, double level, struct warnings *w)
{
    static double rates[ROUNDS_MAX];
    size_t count = rates_of(o, rates);
    struct drift drift;

    if (drift_over_order(rates, count, &drift) == 0 && drift.p < level)
        warn(w, "drift: it became %s while the run went on (tau %.2f)",
             drift.tau > 0 ? "faster" : "slower", drift.tau);
    if (bimodality_p(rates, count) < level)
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

/* A round that was skipped, as it was not wanted or comes later, did not fail. */
static void warn_of_failures(const struct outcome *o, struct warnings *w)
{
    int failures = 0, windows = 0;

    for (int k = 0; k < o->rounds; k++) {
        windows += o->round[k].status != STATUS_SKIPPED;
        failures += o->round[k].status != STATUS_SKIPPED && !measured(&o->round[k]);
    }
    if (failures)
        warn(w, "failed: %d of %d windows gave nothing", failures, windows);
}

static void warn_of_leaks(const struct outcome *o, struct warnings *w)
{
    const struct measurement *counted = outcome_counted(o);
    long long live = counted ? (long long)counted->memory.live : 0;

    if (live > 0)
        warn(w, "leaked: %lld objects were still alive when all had ended", live);
    if (live < 0)
        warn(w, "leaked: %lld objects fewer were made than freed", -live);
}

void judge_warnings(const struct results *r, const struct outcome *o, struct warnings *w)
{
    w->count = 0;
    warn_of_failures(o, w);
    warn_of_leaks(o, w);
    warn_of_others(o, w);
    warn_of_nothing(o, w);
    warn_of_length(o, w);
    warn_of_clock(o, w);
    warn_of_shape(o, warning_level / (double)r->count, w);
    warn_of_width(o, r->precision, w);
}

const char *claim_name(enum claim claim)
{
    static const char *const names[] = { "faster", "slower", "no difference shown",
                                         "below the noise floor", "cannot tell" };

    return names[claim];
}

static size_t windows_of(const struct outcome *o)
{
    size_t count = 0;

    for (int k = 0; k < o->rounds; k++)
        count += measured(&o->round[k]);
    return count;
}

/* The least p that there can be: all pairs agree, or no value of a group is among the other's. */
static double least_p(size_t a, size_t b, bool paired)
{
    if (paired)
        return 2 * pow(0.5, (double)(a < b ? a : b));
    return 2 * exp(lgamma((double)a + 1) + lgamma((double)b + 1) - lgamma((double)(a + b) + 1));
}

size_t judge_windows_needed(size_t comparisons, bool paired)
{
    size_t windows = 1;

    while (least_p(windows, windows, paired) * (double)comparisons >= claim_level)
        windows++;
    return windows;
}

/* Whether this many windows could have been enough, if it were the first to be claimed. */
static bool could_tell(const struct verdict *v, bool paired, size_t comparisons)
{
    size_t a = paired ? v->comparison.ratio.count : windows_of(v->a);
    size_t b = paired ? v->comparison.ratio.count : windows_of(v->b);

    return least_p(a, b, paired) * (double)comparisons < claim_level;
}

static enum claim claim(const struct verdict *v, bool paired, size_t comparisons,
                        const struct floor *floor)
{
    const struct estimate *ratio = &v->comparison.ratio;

    if (!ratio->count)
        return CLAIM_CANNOT_TELL;
    if (v->comparison.p >= claim_level || (ratio->low <= 1 && ratio->high >= 1))
        return could_tell(v, paired, comparisons) ? CLAIM_NONE : CLAIM_CANNOT_TELL;
    if (floor->pairs && floor->confidence < floor_confidence)
        return CLAIM_CANNOT_TELL;
    if (ratio->median < 1 + floor->share && ratio->median > 1 / (1 + floor->share))
        return CLAIM_BELOW_FLOOR;
    return ratio->median > 1 ? CLAIM_FASTER : CLAIM_SLOWER;
}

/* Cells that gave nothing are no comparisons, and must not make the others' p larger. */
static int correct(struct verdict *verdict, size_t count, size_t *comparisons)
{
    double *p = calloc(count + 1, sizeof *p);
    size_t used = 0;
    int status = -1;

    if (!p)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (verdict[i].comparison.ratio.count)
            p[used++] = verdict[i].comparison.p;
    *comparisons = used;
    if (adjust_holm(p, p, used) == 0) {
        for (size_t i = count; i-- > 0;)
            if (verdict[i].comparison.ratio.count)
                verdict[i].comparison.p = p[--used];
        status = 0;
    }
    free(p);
    return status;
}

int judge(struct verdict *verdict, size_t count, bool paired, const struct floor *floor)
{
    size_t comparisons;

    for (size_t i = 0; i < count; i++)
        verdict[i].comparison = compare_outcomes(verdict[i].b, verdict[i].a, paired);
    if (correct(verdict, count, &comparisons) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        verdict[i].claim = claim(&verdict[i], paired, comparisons, floor);
    return 0;
}

/* Whether every worker that is a thread has a core: some workloads start two of each. */
static bool fits(const struct results *r, const struct cell *c)
{
    return c->carriers <= r->cores;
}

double judge_serial_share(const struct results *r, const struct cell *c, struct estimate speed_up)
{
    if (!speed_up.count || c->base != 1 || c->threads < 2 || !fits(r, c) ||
        results_simulated(r))
        return NAN;
    return karp_flatt(speed_up.median, c->threads);
}

/* The points' rates lie one behind the other in `rates`. */
static size_t points_of(const struct results *r, const struct outcome *const *series, size_t count,
                        struct scaling_point *points, double *rates)
{
    size_t used = 0, kept = 0;

    for (size_t i = 0; i < count; i++) {
        size_t its = fits(r, &series[i]->cell) ? rates_of(series[i], rates + used) : 0;

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
    bool fitted = false;

    for (size_t i = 0; i < count; i++)
        rounds += (size_t)series[i]->rounds;
    rates = calloc(rounds + 1, sizeof *rates);
    if (results_simulated(r))
        snprintf(scaling->refusal, sizeof scaling->refusal,
                 "the machine was simulated: the cores are not there");
    else if (!like->base)
        snprintf(scaling->refusal, sizeof scaling->refusal,
                 "its threads are neighbours of what is counted, and do not share it");
    else if (points && rates)
        fitted = scaling_fit(scaling, points, points_of(r, series, count, points, rates), r->cores,
                             seed);
    else
        snprintf(scaling->refusal, sizeof scaling->refusal, "no memory");
    free(points);
    free(rates);
    return fitted;
}
