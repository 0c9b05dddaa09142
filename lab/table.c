/* table.c - the readable table. */
#include "lab/results.h"

#include "lab/colour.h"
#include "lab/judgement.h"
#include "lab/paragraph.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 48, MODE_WIDTH = 18, NOTE_INDENT = 6 };

static const char *const kinds[] = { "CPU-bound", "I/O-bound", "mixed" };

/* "1.98", or "-" where there is nothing to say. */
static const char *ratio_text(struct estimate e, char *text)
{
    if (e.count)
        snprintf(text, TEXT_BYTES, e.median < 0.095 ? "%.4f" : "%.2f", e.median);
    else
        snprintf(text, TEXT_BYTES, "-");
    return text;
}

static bool several_heaps(const struct results *r)
{
    for (size_t i = 1; i < r->count; i++)
        if (r->outcome[i].cell.heap != r->outcome[0].cell.heap)
            return true;
    return false;
}

/* One line, or two where that would be too long. */
static void print_head(const struct results *r, const struct cell *c, FILE *out)
{
    char name[5 * LABEL_MAX], units[LABEL_MAX + 16];
    bool tell_heap = several_heaps(r);
    const char *comma = *cell_units(c, units, sizeof units) ? ", " : "";
    int width = snprintf(name, sizeof name, "%s%s%s%s%s%s%s (%s, counted in %ss):", c->workload,
                         comma, units, tell_heap ? ", heap " : "", tell_heap ? c->heap : "",
                         *c->build ? ", build " : "", c->build,
                         kinds[c->kind], c->unit);
    bool one_line = width + 1 + (int)strlen(c->about) <= PARAGRAPH_WIDTH;

    fprintf(out, "\n%s%s %s\n", name, one_line ? "" : "\n ", c->about);
    fprintf(out, "  %-18s %7s %9s  %-19s %9s %8s %8s %8s\n", "mode", "threads", "per s",
            "interval", "of nolock", "speed-up", "fairness", "p50");
}

/* What a reader of the row must know besides its numbers. */
static void print_notes(const struct outcome *o, FILE *out)
{
    const char *refusal = o->cell.refusal;
    char text[NOTE_BYTES + 40];
    int told = 0, noted = 0;

    if (refusal)
        print_paragraph(refusal, NOTE_INDENT, out);
    for (int i = 0; i < o->rounds && !refusal; i++) {
        const struct measurement *m = &o->round[i];

        if (m->status == STATUS_SKIPPED || (m->status == STATUS_OK && !*m->note) ||
            (m->status == STATUS_OK ? noted++ : told++))
            continue;
        snprintf(text, sizeof text, "round %d %s: %s", i + 1, status_name(m->status), m->note);
        print_paragraph(text, NOTE_INDENT, out);
    }
    if (told > 1)
        fprintf(out, "%*sand %d more rounds that were not ok\n", NOTE_INDENT, "", told - 1);
    if (noted > 1)
        fprintf(out, "%*sand %d more rounds with a note\n", NOTE_INDENT, "", noted - 1);
}

static void print_warnings(const struct results *r, const struct outcome *o, FILE *out)
{
    struct warnings w;

    judge_warnings(r, o, &w);
    for (int i = 0; i < w.count; i++)
        fprintf(out, "%*s%s%s%s\n", NOTE_INDENT, "", colour(out, TONE_WARNING), w.text[i],
                colour(out, TONE_PLAIN));
}

static void print_audit(const struct outcome *o, FILE *out)
{
    const struct damage *d;

    if (!o->audit)
        return;
    d = &o->audit->damage;
    if (!measured(o->audit))
        fprintf(out, "%*sthe audit %s: %s\n", NOTE_INDENT, "",
                status_name(o->audit->status), o->audit->note);
    else
        fprintf(out, "%*sof %llu shared objects %llu miscounted (net %+lld), "
                "%llu leaked, %llu freed early\n", NOTE_INDENT, "",
                (unsigned long long)d->published, (unsigned long long)d->off,
                (long long)(d->over - d->under),
                (unsigned long long)d->leaked, (unsigned long long)d->early);
    if (measured(o->audit) && !d->off && !d->early)
        fprintf(out, "%*snone this time, which proves nothing: the threads may never have met\n",
                NOTE_INDENT, "");
}

static void print_lost(const struct outcome *o, FILE *out)
{
    unsigned long long lost = 0;

    for (int i = 0; i < o->rounds; i++)
        lost += o->round[i].lost;
    if (lost)
        fprintf(out, "%*s%llu updates lost by the program: a get and a set are two "
                "operations\n", NOTE_INDENT, "", lost);
}

/* The window in which most was. */
static void print_held_back(const struct outcome *o, FILE *out)
{
    const struct measurement *worst = outcome_held_back(o);

    if (worst)
        fprintf(out, "%*sof %llu objects that had all been dropped, at most %llu were not "
                "destroyed\n", NOTE_INDENT, "", (unsigned long long)worst->handed_over,
                (unsigned long long)worst->held_back);
}

/* In its column; one that is too long has a line of its own. */
static void print_mode(const struct cell *c, FILE *out)
{
    char mode[LABEL_MAX + 16];
    int width = snprintf(mode, sizeof mode, "%s%s", c->mode,
                         c->safe ? "" : ", unsafe");

    if (width > MODE_WIDTH)
        fprintf(out, "  %s\n  %*s", mode, MODE_WIDTH, "");
    else
        fprintf(out, "  %-*s", MODE_WIDTH, mode);
}

/* The median over the rounds of what a role did in a second. */
static struct estimate role_rate(const struct outcome *o, int role, const char **name)
{
    double *rates = calloc((size_t)o->rounds + 1, sizeof *rates);
    struct estimate e = { 0 };
    size_t count = 0;

    for (int k = 0; k < o->rounds && rates; k++) {
        const struct measurement *m = &o->round[k];
        double ops = 0;
        bool there = false;

        for (int i = 0; i < m->samples && measured(m); i++)
            if (m->sample[i].role_index == role) {
                ops += (double)m->sample[i].ops;
                *name = m->sample[i].role;
                there = true;
            }
        if (there && m->seconds > 0)
            rates[count++] = ops / m->seconds;
    }
    if (count)
        e = estimate_median(rates, count);
    free(rates);
    return e;
}

/* Where some wait and others compute: what the others did meanwhile. */
static void print_beside(const struct outcome *o, FILE *out)
{
    const char *name = "";
    char text[TEXT_BYTES];
    int told = 0;

    for (int role = 1; role < ROLE_MAX && o->cell.kind == KIND_MIXED; role++) {
        struct estimate rate = role_rate(o, role, &name);

        if (rate.count)
            fprintf(out, "%*s%s %s %s per s", told ? 0 : NOTE_INDENT, "",
                    told ? "," : "beside it:", name, human_rate(rate.median, text, sizeof text));
        told += rate.count > 0;
    }
    if (told)
        fputc('\n', out);
}

static void print_row(const struct results *r, const struct outcome *o, FILE *out)
{
    const struct cell *c = &o->cell;
    struct estimate rate = outcome_rate(o), p50 = outcome_p50_ns(o), fair = outcome_fairness(o);
    char median[TEXT_BYTES], low[TEXT_BYTES], high[TEXT_BYTES], interval[2 * TEXT_BYTES + 8];
    char cost[TEXT_BYTES], speed_up[TEXT_BYTES], fairness[TEXT_BYTES], latency[TEXT_BYTES];

    if (!rate.count)
        snprintf(median, sizeof median, "-");
    else
        human_rate(rate.median, median, sizeof median);
    snprintf(interval, sizeof interval, "%s .. %s", human_rate(rate.low, low, sizeof low),
             human_rate(rate.high, high, sizeof high));
    print_mode(c, out);
    fprintf(out, " %7d %9s  %-19s %9s %8s %8s %8s\n", c->threads, median,
            rate.count > 1 ? interval : "-",
            ratio_text(outcome_ratio(o, results_nolock(r, c)), cost),
            ratio_text(outcome_ratio(o, results_find(r, c, c->mode, c->base)), speed_up),
            tells_fairness(o) ? ratio_text(fair, fairness) : "-",
            p50.count ? human_ns(p50.median, latency, sizeof latency) : "-");
    print_notes(o, out);
    print_warnings(r, o, out);
    print_beside(o, out);
    print_lost(o, out);
    print_held_back(o, out);
    print_audit(o, out);
}

/* Of how many windows the medians are, and how sure: a run may have been interrupted. */
static void print_windows(const struct results *r, FILE *out)
{
    size_t least = 0, most = 0;
    double confidence = 1;

    for (size_t i = 0; i < r->count; i++) {
        struct estimate rate = outcome_rate(&r->outcome[i]);

        if (rate.count && (!least || rate.count < least))
            least = rate.count;
        if (rate.count > most)
            most = rate.count;
        if (rate.count > 1 && rate.confidence < confidence)
            confidence = rate.confidence;
    }
    fprintf(out, "\nper s: operations per second, the median of ");
    if (least < most)
        fprintf(out, "%zu to ", least);
    fprintf(out, "%zu window%s, each in a fresh process.\n", most, most == 1 ? "" : "s");
    if (most > 1)
        fprintf(out, "interval: of that median, with %.0f %% confidence%s.\n", 100 * confidence,
                least < most ? " or more" : "");
    if (r->precision > 0 && least < most)
        fprintf(out, "A cell stopped when it was precise enough, and whoever stops when it looks "
                "good is lucky too\noften: such intervals hold the median less often than they "
                "say.\n");
}

/* What the twins of the control say about all rows. */
static void print_floor(const struct results *r, FILE *out)
{
    struct floor floor = judge_floor(r);

    if (floor.pairs)
        fprintf(out, "noise floor: %.1f %%. By so much may two cells differ here that are the same "
                "(%zu pairs, %.0f %%\nconfidence); no smaller difference is one.\n",
                100 * floor.share, floor.pairs, 100 * floor.confidence);
    else if (r->count > 1)
        fprintf(out, "noise floor: not known, for no two windows of a control were measured.\n");
}

/* Another machine was planned for: what was measured was measured here. */
static void print_simulated(const struct results *r, FILE *out)
{
    if (results_simulated(r))
        fprintf(out, "simulated: planned for another machine of %d cores, and measured on this "
                "one, unbound.\n", r->cores);
}

void table_print(const struct results *r, FILE *out)
{
    const struct cell *last = NULL;

    for (size_t i = 0; i < r->count; i++) {
        const struct outcome *o = &r->outcome[i];

        if (o->cell.control)
            continue;
        if (!last || !comparable(&o->cell, last))
            print_head(r, &o->cell, out);
        last = &o->cell;
        print_row(r, o, out);
    }
    print_windows(r, out);
    fprintf(out, "of nolock: times nolock at one thread. speed-up: times the same mode at one "
            "thread.\n(Where threads are only neighbours of what is counted: at none.)\n"
            "fairness: Jain's index, 1 = every thread did as much. More threads than "
            "the %d cores share them.\nunsafe: nothing protects the counts. What is shared is "
            "kept, not freed, so that the row can\nbe run: that costs it time.\n", r->cores);
    print_floor(r, out);
    print_simulated(r, out);
}
