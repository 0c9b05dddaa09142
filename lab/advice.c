/* advice.c - which unit and mode to choose, from what was measured. */
#include "lab/advice.h"

#include "lab/dials.h"
#include "lab/judgement.h"
#include "lab/plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 2 * LABEL_MAX, LISTED_MAX = 6, ROUNDS_WANTED = 15 };
enum { OPERATION_MOST_US = 1000000 }; /* cpu_fraction takes no longer ones */

/* An operation may be so many times longer than one that was measured, or shorter. */
static const double most_scaling = 4;

const char *const fate_names[] = { "beaten", "no better", "as good", "may be better", NULL };

static void put(char *text, size_t size_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends, as far as there is room. */
static void put(char *text, size_t size_bytes, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, size_bytes - used, format, arguments);
    va_end(arguments);
}

static const char *name_of(const struct choice *c, char name[NAME_BYTES])
{
    char line[LABEL_MAX + 32];

    snprintf(name, NAME_BYTES, "%s under %s", line_words(c->point, line, sizeof line),
             c->point->outcome->cell.mode);
    return name;
}

/* ---- what counting costs ---- */

static const struct outcome *countdown_of(const struct results *r, const struct point *like,
                                          const char *mode)
{
    const struct cell *c = &like->outcome->cell;

    for (size_t i = 0; i < r->count; i++) {
        const struct cell *other = &r->outcome[i].cell;

        if (!strcmp(other->workload, "countdown") && !other->units && other->threads == 1 &&
            !other->control && other->heap == c->heap && other->build == c->build &&
            !strcmp(other->mode, mode))
            return &r->outcome[i];
    }
    return NULL;
}

/* Of one thread alone, times the time of plain counts; 0: not known, or not surely. */
static double price_of(const struct results *r, const struct point *p, double margin)
{
    struct estimate e = { .count = 0 };
    const struct outcome *own = countdown_of(r, p, p->outcome->cell.mode);
    const struct outcome *plain = countdown_of(r, p, "gil");

    if (!strcmp(p->outcome->cell.policy, "plain"))
        return 1;
    if (!plain)
        plain = countdown_of(r, p, "nolock");
    if (own && plain)
        e = ratio_of(plain, own, rate_of_window);
    margin = 1 + fmax(margin, least_margin);
    return e.count >= 5 && e.high <= e.low * margin * margin ? e.median : 0;
}

/* ---- between what was measured ---- */

/* The points of a line that stand around a share, of one count in parallel. */
struct around {
    const struct point *low, *high;
    double weight; /* of `high` */
};

static bool look_around(const struct point *line, size_t count, int parallel, double percent,
                        struct around *a)
{
    *a = (struct around){ 0 };
    for (size_t i = 0; i < count; i++) {
        const struct point *p = &line[i];

        if (p->parallel != parallel)
            continue;
        if (p->waits_percent <= percent + 1e-9)
            a->low = p;
        if (p->waits_percent >= percent - 1e-9 && !a->high)
            a->high = p;
    }
    if (!a->low || !a->high)
        return false;
    if (a->high != a->low)
        a->weight =
            (percent - a->low->waits_percent) / (a->high->waits_percent - a->low->waits_percent);
    return true;
}

/* Infinite where nothing was done. */
static double time_for_one(const struct measurement *m)
{
    double rate = measurement_rate(m);

    return rate > 0 ? 1 / rate : INFINITY;
}

/* Between two values, so much of the second, on a straight line or on one of logarithms. Negative
 * if one that counts is not known. */
static double mix(double a, double b, double weight, bool logarithms)
{
    if (weight <= 0 || weight >= 1)
        return weight <= 0 ? a : b;
    if (a < 0 || b < 0)
        return -1;
    if (isinf(a) || isinf(b))
        return INFINITY;
    return logarithms && a > 0 ? a * pow(b / a, weight) : a + weight * (b - a);
}

static void between_shares(const struct around *a, quantity *of, double *values)
{
    static double high[ROUNDS_MAX];

    blocks_of(a->low->outcome, of, values);
    blocks_of(a->high->outcome, of, high);
    for (int k = 0; k < ROUNDS_MAX; k++)
        values[k] = mix(values[k], high[k], a->weight, false);
}

/* Of a line: the nearest counts in parallel on either side of which the share was measured. */
struct neighbours {
    struct around few, many;
    double weight; /* of `many`, on the scale of logarithms */
};

static bool find_neighbours(const struct point *line, size_t count, const struct demand *d,
                            double percent, struct neighbours *n)
{
    int few = 0, many = 0;
    struct around around;

    for (size_t i = 0; i < count; i++) {
        int parallel = line[i].parallel;

        if (!look_around(line, count, parallel, percent, &around))
            continue;
        if (parallel <= d->parallel && parallel >= few) {
            few = parallel;
            n->few = around;
        }
        if (parallel >= d->parallel && (!many || parallel <= many)) {
            many = parallel;
            n->many = around;
        }
    }
    n->weight = few && many > few ? log((double)d->parallel / few) / log((double)many / few) : 0;
    return few && many;
}

static void interpolate(const struct neighbours *n, quantity *of, double scale, double *values)
{
    static double many[ROUNDS_MAX];

    between_shares(&n->few, of, values);
    between_shares(&n->many, of, many);
    for (int k = 0; k < ROUNDS_MAX; k++)
        values[k] = scale * mix(values[k], many[k], n->weight, true);
}

static struct estimate estimate_of(const double *values, size_t blocks)
{
    static double known[ROUNDS_MAX];
    size_t count = 0;

    for (size_t k = 0; k < blocks; k++)
        if (values[k] >= 0)
            known[count++] = values[k];
    return estimate_median(known, count);
}

/* 0; -1: no memory. */
static int fill(struct choice *c, const struct neighbours *n, const struct demand *d, size_t blocks)
{
    double length_us = d->cpu_us * c->price + d->wait_us;
    double scale = length_us / c->point->operation_us;

    c->rate = calloc(ROUNDS_MAX, sizeof *c->rate);
    c->cpu = calloc(ROUNDS_MAX, sizeof *c->cpu);
    if (!c->rate || !c->cpu)
        return -1;
    interpolate(n, time_for_one, scale, c->rate);
    for (int k = 0; k < ROUNDS_MAX; k++)
        c->rate[k] = c->rate[k] > 0 ? 1 / c->rate[k] : -1; /* of an infinite time 0 */
    interpolate(n, cpu_per_operation, scale, c->cpu);
    c->rate_is = estimate_of(c->rate, blocks);
    c->cpu_is = estimate_of(c->cpu, blocks);
    return 0;
}

/* ---- which choices there are ---- */

/* Why lines are left out. */
struct left {
    char far[ADVICE_BYTES], unpriced[ADVICE_BYTES]; /* names */
};

/* Whether one of the names in the list is this. */
static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = list; (at = strstr(at, name)) != NULL; at++)
        if ((at == list || at[-1] == ' ') && strchr(",", at[length]))
            return true;
    return false;
}

static void list_name(char *list, const char *name)
{
    if (!listed(list, name))
        put(list, ADVICE_BYTES, "%s%s", *list ? ", " : "", name);
}

/* The line that begins here, of so many points. */
static int consider(const struct results *r, const struct point *line, size_t count,
                    struct advice *a, struct left *left)
{
    struct choice *c = &a->choice[a->count];
    const struct demand *d = &a->demand;
    struct neighbours n = { 0 };
    char name[NAME_BYTES];

    *c = (struct choice){ .point = line, .price = price_of(r, line, a->margin) };
    if (!c->price) {
        list_name(left->unpriced, line->outcome->cell.mode);
        return 0;
    }
    c->share = d->wait_us / (d->cpu_us * c->price + d->wait_us);
    if (!find_neighbours(line, count, d, 100 * c->share, &n)) {
        list_name(left->far, line_words(line, name, sizeof name));
        return 0;
    }
    a->count++;
    return fill(c, &n, d, a->blocks);
}

/* Of the lengths that were measured, the nearest as a factor; 0: none was measured. */
static int nearest_length(const struct waiting *w, const struct demand *d)
{
    double length_us = d->cpu_us + d->wait_us, best = INFINITY;
    int nearest = 0;

    for (size_t i = 0; i < w->count; i++) {
        double factor = fabs(log(length_us / w->point[i].operation_us));

        if (factor < best) {
            best = factor;
            nearest = w->point[i].operation_us;
        }
    }
    return nearest;
}

static bool to_be_advised(const struct waiting *w, const struct point *p, int operation_us)
{
    const struct cell *c = &p->outcome->cell, *first = &w->point[0].outcome->cell;

    return c->safe && c->heap == first->heap && c->build == first->build &&
           p->operation_us == operation_us;
}

static int by_rate(const void *left, const void *right)
{
    double a = ((const struct choice *)left)->rate_is.median;
    double b = ((const struct choice *)right)->rate_is.median;

    return (a < b) - (a > b);
}

static int find_choices(const struct results *r, const struct waiting *w, struct advice *a,
                        struct left *left)
{
    size_t next;

    for (size_t i = 0; i < w->count; i = next) {
        for (next = i + 1; next < w->count && !by_line(&w->point[i], &w->point[next]);)
            next++;
        if (a->count < CHOICES_MAX && to_be_advised(w, &w->point[i], a->operation_us) &&
            consider(r, &w->point[i], next - i, a, left) < 0)
            return -1;
    }
    qsort(a->choice, (size_t)a->count, sizeof *a->choice, by_rate);
    return 0;
}

/* ---- which one ---- */

static enum fate fate_of(const struct estimate *of_best, double margin)
{
    if (standing_of(of_best, margin) == LESS)
        return FATE_BEATEN;
    if (standing_of(of_best, margin) == NOT_LESS && of_best->high <= 1 + margin)
        return FATE_AS_GOOD;
    return of_best->count < 5 || of_best->high > 1 + margin ? FATE_RIVAL : FATE_WORSE;
}

static void compare_all(struct advice *a)
{
    for (int i = 0; i < a->count; i++) {
        struct choice *c = &a->choice[i];

        c->of_best = compare_pairs(c->rate, a->choice[0].rate, a->blocks).ratio;
        c->fate = i ? fate_of(&c->of_best, a->margin) : FATE_AS_GOOD;
    }
}

static int cheapest(const struct advice *a)
{
    int least = 0;

    for (int i = 1; i < a->count; i++)
        if (a->choice[i].fate == FATE_AS_GOOD && a->choice[i].cpu_is.count &&
            a->choice[i].cpu_is.median < a->choice[least].cpu_is.median)
            least = i;
    return least;
}

static int count_fates(const struct advice *a, enum fate fate)
{
    int count = 0;

    for (int i = 0; i < a->count; i++)
        count += a->choice[i].fate == fate;
    return count;
}

static void say_rivals(struct advice *a)
{
    char best[NAME_BYTES], name[NAME_BYTES], ratio[64];
    int named = 0;

    put(a->why, ADVICE_BYTES, "%s has the best median, but what may be better is ",
        name_of(&a->choice[0], best));
    for (int i = 1; i < a->count; i++)
        if (a->choice[i].fate == FATE_RIVAL && named++ < LISTED_MAX)
            put(a->why, ADVICE_BYTES, "%s%s (%s%s)", named > 1 ? ", " : "",
                name_of(&a->choice[i], name),
                ratio_words(&a->choice[i].of_best, ratio, sizeof ratio),
                a->choice[i].of_best.count ? " of its rate" : "");
    if (named > LISTED_MAX)
        put(a->why, ADVICE_BYTES, " and %d more", named - LISTED_MAX);
    if (a->choice[0].rate_is.count < 5)
        put(a->why, ADVICE_BYTES, "; there are %zu windows, and it takes five",
            a->choice[0].rate_is.count);
}

/* By how much it takes less time than those that do as much. */
static void say_cheapest(struct advice *a)
{
    const struct choice *chosen = &a->choice[a->chosen];
    char name[NAME_BYTES], ratio[64];
    int named = 0;

    for (int i = 0; i < a->count; i++) {
        struct choice *c = &a->choice[i];

        if (i == a->chosen || c->fate != FATE_AS_GOOD)
            continue;
        c->cpu_of_best = compare_pairs(chosen->cpu, c->cpu, a->blocks).ratio;
        if (named++ < LISTED_MAX)
            put(a->why, ADVICE_BYTES, "%s%s (%s of its processor time%s)",
                named > 1 ? ", " : "As much is done by ", name_of(c, name),
                ratio_words(&c->cpu_of_best, ratio, sizeof ratio),
                standing_of(&c->cpu_of_best, a->margin) == LESS ? "" : ", no difference shown");
    }
    if (named > LISTED_MAX)
        put(a->why, ADVICE_BYTES, " and %d more", named - LISTED_MAX);
    if (named)
        put(a->why, ADVICE_BYTES, "; it is chosen for the least processor time. ");
}

static void say_runner_up(struct advice *a)
{
    char name[NAME_BYTES], ratio[64];

    for (int i = 0; i < a->count; i++)
        if (a->choice[i].fate != FATE_AS_GOOD) {
            put(a->why, ADVICE_BYTES, "%s, %s, does %s of the best rate. ",
                count_fates(a, FATE_AS_GOOD) > 1 ? "The next" : "The runner-up",
                name_of(&a->choice[i], name),
                ratio_words(&a->choice[i].of_best, ratio, sizeof ratio));
            return;
        }
}

static void choose(struct advice *a)
{
    compare_all(a);
    if (count_fates(a, FATE_RIVAL) || a->choice[0].rate_is.count < 5) {
        say_rivals(a);
        return;
    }
    a->chosen = cheapest(a);
    say_cheapest(a);
    say_runner_up(a);
    if (a->count == 1)
        put(a->why, ADVICE_BYTES, "Nothing else that is safe was measured here. ");
}

/* ---- what would settle it ---- */

/* What to measure: lists without what is in them already. */
struct wanted {
    char units[ADVICE_BYTES], modes[ADVICE_BYTES], threads[ADVICE_BYTES];
    double least_share, most_share;
    int most_carriers;    /* of those that are no threads; 0: all are threads */
    bool threads_as_well; /* some are */
    bool counts;          /* otherwise than gil */
};

static void want(struct wanted *w, const struct choice *c, const struct demand *d)
{
    const struct cell *cell = &c->point->outcome->cell;
    char number[16];

    if (!cell->units && d->parallel > THREADS_MOST)
        return;
    snprintf(number, sizeof number, "%d", cell->units ? cell->threads : d->parallel);
    list_name(w->units, cell->execution_unit);
    list_name(w->modes, cell->mode);
    list_name(w->threads, number);
    w->counts |= strcmp(cell->policy, "plain") != 0;
    w->threads_as_well |= !cell->units;
    if (cell->units && cell->threads > w->most_carriers)
        w->most_carriers = cell->threads;
    w->least_share = fmin(w->least_share, c->share);
    w->most_share = fmax(w->most_share, c->share);
}

/* As a word of a command line names go together without the blanks that stand in sentences. */
static const char *tight(char *list)
{
    char *to = list;

    for (const char *from = list; *from; from++)
        if (*from != ' ')
            *to++ = *from;
    *to = '\0';
    return list;
}

/* Both shares between which the point lies, for a share is a whole number. */
static void list_workloads(const struct advice *a, const struct wanted *w, const char *quote,
                           char *list)
{
    int low = (int)floor(100 * w->least_share + 1e-9);
    int high = (int)ceil(100 * w->most_share - 1e-9);
    int length_us = (int)lround(a->demand.cpu_us + a->demand.wait_us);
    char label[LABEL_MAX];

    for (int percent = low; percent <= high; percent += high > low ? high - low : 1) {
        snprintf(label, sizeof label, "%scpu_fraction:waits_percent=%d:operation_us=%d%s", quote,
                 percent, length_us, quote);
        list_name(list, label);
    }
    if (w->counts)
        list_name(list, "countdown");
}

/* A line, unless threads would have to carry others, too: there may be hundreds. */
static void say_command(struct advice *a, struct wanted *w)
{
    char workloads[ADVICE_BYTES] = "", *text = a->command;
    size_t room = sizeof a->command;
    bool both = w->threads_as_well && w->most_carriers;
    double length_us = a->demand.cpu_us + a->demand.wait_us;
    double window_s = fmax(0.25, 20e-6 * length_us); /* so that there are some operations in it */

    if (!*w->units || length_us > OPERATION_MOST_US)
        return;
    if (w->counts) {
        list_name(w->modes, "gil");
        list_name(w->threads, "1");
        list_name(w->units, "thread");
    }
    list_workloads(a, w, both ? "\"" : "", workloads);
    if (both)
        put(text, room,
            "cat >advice.yaml <<END\nadvice:\n  workload: [%s]\n  mode: [%s]\n  unit: [%s]\n"
            "  units: %d\n  threads: [%s]\n  rounds: %d\n  window: %.3g\n"
            "  exclude: [{ units: \">= 1\", threads: \"> %d\" }]\nEND\nlab matrix advice.yaml",
            workloads, w->modes, w->units, a->demand.parallel, w->threads, ROUNDS_WANTED,
            window_s, w->most_carriers);
    else
        put(text, room,
            "lab run --workload %s --unit %s --units %d --threads %s --mode %s --rounds %d "
            "--window %.3g --results advice.db",
            tight(workloads), tight(w->units), a->demand.parallel, tight(w->threads),
            tight(w->modes), ROUNDS_WANTED, window_s);
}

static void settle(struct advice *a)
{
    struct wanted w = { .least_share = 1 };

    for (int i = 0; i < a->count; i++)
        if (i == 0 || a->choice[i].fate == FATE_RIVAL)
            want(&w, &a->choice[i], &a->demand);
    say_command(a, &w);
}

/* Where no choice is near: all that was measured elsewhere. */
static void settle_all(struct advice *a, const struct results *r, const struct waiting *w)
{
    struct wanted wanted = { .least_share = 1 };

    for (size_t i = 0; i < w->count; i++) {
        struct choice c = { .point = &w->point[i], .price = price_of(r, &w->point[i], a->margin) };

        c.price += !c.price;
        c.share = a->demand.wait_us / (a->demand.cpu_us * c.price + a->demand.wait_us);
        if (to_be_advised(w, c.point, c.point->operation_us))
            want(&wanted, &c, &a->demand);
    }
    say_command(a, &wanted);
}

static void say_far(struct advice *a, const struct waiting *w)
{
    int least = w->point[0].parallel, most = least, low = 100, high = 0;

    for (size_t i = 0; i < w->count; i++) {
        const struct point *p = &w->point[i];

        least = p->parallel < least ? p->parallel : least;
        most = p->parallel > most ? p->parallel : most;
        low = p->waits_percent < low ? p->waits_percent : low;
        high = p->waits_percent > high ? p->waits_percent : high;
    }
    put(a->why, ADVICE_BYTES,
        "%d in parallel that wait %.0f %% lie outside of what was measured, which is %d to %d in "
        "parallel that wait %d to %d %%",
        a->demand.parallel, 100 * a->demand.wait_us / (a->demand.cpu_us + a->demand.wait_us), least,
        most, low, high);
}

/* Of the cells that may be advised: how many have warnings. */
static int count_warned(const struct results *r, const struct waiting *w, const struct advice *a)
{
    const struct outcome *last = NULL;
    int count = 0;

    for (size_t i = 0; i < w->count; i++) {
        struct warnings warnings;

        if (w->point[i].outcome == last || !to_be_advised(w, &w->point[i], a->operation_us))
            continue;
        last = w->point[i].outcome;
        judge_warnings(r, last, &warnings);
        count += warnings.count > 0;
    }
    return count;
}

static bool has_several_heaps(const struct waiting *w)
{
    for (size_t i = 1; i < w->count; i++)
        if (strcmp(w->point[i].outcome->cell.heap, w->point[0].outcome->cell.heap))
            return true;
    return false;
}

/* How far what was measured may be believed. */
static void say_doubts(struct advice *a, const struct results *r, const struct waiting *w)
{
    int warned = count_warned(r, w, a);

    if (results_simulated(r))
        put(a->notes, ADVICE_BYTES, "The machine was simulated: %d cores that are not there. ",
            r->cores);
    if (warned)
        put(a->notes, ADVICE_BYTES, "%d of the rows that this rests on carry warnings (lab show). ",
            warned);
    if (has_several_heaps(w))
        put(a->notes, ADVICE_BYTES, "Of the heaps that were measured this is of %s. ",
            w->point[0].outcome->cell.heap);
}

static void say_notes(struct advice *a, const struct left *left)
{
    double length_us = a->demand.cpu_us + a->demand.wait_us;

    if (fabs(length_us - a->operation_us) > 0.5)
        put(a->notes, ADVICE_BYTES,
            "Operations of %d us were measured, and yours take %.0f: rates and times are scaled, "
            "as "
            "if all that a wait costs grew with them. ",
            a->operation_us, length_us);
    if (*left->unpriced)
        put(a->notes, ADVICE_BYTES,
            "Left out: %s, for what their counting costs is not in the file, or not surely: "
            "countdown, one thread, five windows. ",
            left->unpriced);
    if (*left->far)
        put(a->notes, ADVICE_BYTES, "Not measured around this point: %s. ", left->far);
}

static size_t blocks_in(const struct waiting *w)
{
    int most = 0;

    for (size_t i = 0; i < w->count; i++)
        most = w->point[i].outcome->rounds > most ? w->point[i].outcome->rounds : most;
    return (size_t)most;
}

/* Of points that are there. */
static int advise_from(const struct results *r, const struct waiting *w, struct advice *a)
{
    double length_us = a->demand.cpu_us + a->demand.wait_us, factor;
    struct left left = { 0 };

    a->operation_us = nearest_length(w, &a->demand);
    a->blocks = blocks_in(w);
    factor = length_us / a->operation_us;
    if (factor > most_scaling || factor < 1 / most_scaling) {
        put(a->why, ADVICE_BYTES,
            "operations of %d us were measured, which are too far from yours of %.0f to be scaled",
            a->operation_us, length_us);
    } else {
        if (find_choices(r, w, a, &left) < 0)
            return -1;
        if (a->count)
            choose(a);
        else if (*left.unpriced && !*left.far)
            put(a->why, ADVICE_BYTES, "what its counting costs is not known of any mode here");
        else
            say_far(a, w);
        say_notes(a, &left);
        say_doubts(a, r, w);
    }
    if (a->chosen >= 0)
        return 0;
    if (a->count)
        settle(a);
    else
        settle_all(a, r, w);
    return 0;
}

int advise(const struct results *r, const struct demand *demand, struct advice *a)
{
    struct waiting w;
    int status = 0;

    *a = (struct advice){ .demand = *demand, .chosen = -1 };
    a->margin = waiting_margin(r, a->why, ADVICE_BYTES);
    if (waiting_init(&w, r) < 0)
        return -1;
    if (!w.count)
        snprintf(a->why, ADVICE_BYTES, "the run has no cell of cpu_fraction that was measured");
    else if (a->margin >= 0)
        status = advise_from(r, &w, a);
    else
        settle_all(a, r, &w);
    a->points = w.point;
    return status;
}

void advice_free(struct advice *a)
{
    for (int i = 0; i < CHOICES_MAX; i++) {
        free(a->choice[i].rate);
        free(a->choice[i].cpu);
    }
    free(a->points);
}
