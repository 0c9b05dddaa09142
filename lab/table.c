/* table.c - the readable table. */
#include "lab/results.h"

#include <string.h>

enum { TEXT_BYTES = 48 };

static const char *const kind_names[] = { "CPU-bound", "I/O-bound", "mixed" };

/* "1.98", or "-" where there is nothing to say. */
static const char *ratio_text(struct estimate e, char *text)
{
    if (e.count)
        snprintf(text, TEXT_BYTES, e.median < 0.095 ? "%.4f" : "%.2f", e.median);
    else
        snprintf(text, TEXT_BYTES, "-");
    return text;
}

static void print_head(const struct cell *c, FILE *out)
{
    fprintf(out, "\n%s (%s): %s; counted in %ss\n", c->workload_label,
            kind_names[c->workload->kind], c->workload->about, c->workload->unit);
    fprintf(out, "  %-18s %7s %9s  %-19s %9s %8s %8s %8s\n", "mode", "threads", "per s",
            "interval", "of nolock", "speed-up", "fairness", "p50");
}

/* What a reader of the row must know besides its numbers. */
static void print_notes(const struct outcome *o, FILE *out)
{
    const char *refusal = cell_refusal(&o->cell);
    int told = 0;

    if (refusal)
        fprintf(out, "  %-18s %7s %s\n", "", "", refusal);
    for (int i = 0; i < o->rounds && !refusal; i++) {
        const struct measurement *m = &o->round[i];

        if (m->status != STATUS_OK && !told++)
            fprintf(out, "  %-18s %7s round %d %s: %s\n", "", "", i + 1, status_name(m->status),
                    m->note);
    }
    if (told > 1)
        fprintf(out, "  %-18s %7s and %d more rounds that were not ok\n", "", "", told - 1);
}

static void print_audit(const struct outcome *o, FILE *out)
{
    const struct damage *d = &o->audit.damage;

    if (!o->audited)
        return;
    if (!measured(&o->audit))
        fprintf(out, "  %-18s %7s the audit %s: %s\n", "", "",
                status_name(o->audit.status), o->audit.note);
    else
        fprintf(out, "  %-18s %7s of %llu shared objects %llu miscounted (net %+lld), "
                "%llu leaked, %llu freed early\n", "", "", (unsigned long long)d->published,
                (unsigned long long)d->off, (long long)(d->over - d->under),
                (unsigned long long)d->leaked, (unsigned long long)d->early);
}

static void print_lost(const struct outcome *o, FILE *out)
{
    unsigned long long lost = 0;

    for (int i = 0; i < o->rounds; i++)
        lost += o->round[i].lost;
    if (lost)
        fprintf(out, "  %-18s %7s %llu updates lost by the program: a get and a set are two "
                "operations\n", "", "", lost);
}

static void print_row(const struct results *r, const struct outcome *o, FILE *out)
{
    const struct cell *c = &o->cell;
    struct estimate rate = outcome_rate(o), p50 = outcome_p50_ns(o), fair = outcome_fairness(o);
    char median[TEXT_BYTES], low[TEXT_BYTES], high[TEXT_BYTES], interval[2 * TEXT_BYTES + 8];
    char mode[LABEL_MAX + 16], cost[TEXT_BYTES], speed_up[TEXT_BYTES], fairness[TEXT_BYTES], latency[TEXT_BYTES];

    if (!rate.count)
        snprintf(median, sizeof median, "-");
    else
        human_rate(rate.median, median, sizeof median);
    snprintf(interval, sizeof interval, "%s .. %s", human_rate(rate.low, low, sizeof low),
             human_rate(rate.high, high, sizeof high));
    snprintf(mode, sizeof mode, "%s%s", c->mode_label, cell_unsafe(c) ? ", unsafe" : "");
    fprintf(out, "  %-18s %7d %9s  %-19s %9s %8s %8s %8s\n", mode, c->threads, median,
            rate.count > 1 ? interval : "-",
            ratio_text(outcome_ratio(o, results_find(r, c->workload_label, "nolock", 1)), cost),
            ratio_text(outcome_ratio(o, results_find(r, c->workload_label, c->mode_label, 1)),
                       speed_up),
            c->threads > 1 ? ratio_text(fair, fairness) : "-",
            p50.count ? human_ns(p50.median, latency, sizeof latency) : "-");
    print_notes(o, out);
    print_lost(o, out);
    print_audit(o, out);
}

void table_print(const struct results *r, FILE *out)
{
    const char *workload = "";

    for (size_t i = 0; i < r->count; i++) {
        const struct outcome *o = &r->outcome[i];

        if (strcmp(o->cell.workload_label, workload))
            print_head(&o->cell, out);
        workload = o->cell.workload_label;
        print_row(r, o, out);
    }
    fprintf(out, "\nper s: operations per second, the median of %d windows, each in a fresh process;"
            " interval: of that median.\nof nolock: times nolock at one thread. speed-up: times the"
            " same mode at one thread.\nfairness: Jain's index, 1 = every thread did as much."
            " More threads than the %d cores share them.\nunsafe: nothing protects the counts. What"
            " is shared is kept, not freed, so that the row can be run: that costs it time.\n",
            r->rounds, r->cores);
}
