/* show_stats.c - who contended for what, as `lab run --stats` and `lab show --stats` print it. */
#include "lab/show.h"

#include <stdio.h>

enum { AMOUNT_BYTES = 24 };

/* "2.00 KiB" */
static const char *human_bytes(uint64_t bytes, char text[AMOUNT_BYTES])
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB" };
    double value = (double)bytes;
    int unit = 0;

    while (value >= 1023.5 && unit < 3) {
        value /= 1024;
        unit++;
    }
    snprintf(text, AMOUNT_BYTES, "%.*f %s", unit && value < 99.95 ? 1 : 0, value, units[unit]);
    return text;
}

/* "12.3 M", and small ones as they are. */
static const char *human_count(uint64_t count, char text[AMOUNT_BYTES])
{
    if (count >= 1000)
        return human_rate((double)count, text, AMOUNT_BYTES);
    snprintf(text, AMOUNT_BYTES, "%d", (int)count);
    return text;
}

static void print_sums(const struct contention *c, FILE *out)
{
    uint64_t counts = c->own + c->foreign;
    char own[AMOUNT_BYTES], foreign[AMOUNT_BYTES], retries[AMOUNT_BYTES], merges[AMOUNT_BYTES];

    fprintf(out, "  counts   %s own, %s foreign", human_count(c->own, own),
            human_count(c->foreign, foreign));
    if (counts)
        fprintf(out, " (%.1f %%)", 100 * (double)c->foreign / (double)counts);
    fprintf(out, "\n  retries  %s", human_count(c->retries, retries));
    if (c->foreign)
        fprintf(out, " (%.3g for each foreign count)", (double)c->retries / (double)c->foreign);
    fprintf(out, "\n  merges   %s\n", human_count(c->merges, merges));
}

static void print_queue(const struct contention *c, FILE *out)
{
    char most[AMOUNT_BYTES], queued[AMOUNT_BYTES], p50[AMOUNT_BYTES], p99[AMOUNT_BYTES];
    char longest[AMOUNT_BYTES], held[AMOUNT_BYTES];

    if (!c->queued) {
        fprintf(out, "  queue    never used\n");
        return;
    }
    fprintf(out, "  queue    at most %s of %s objects, %s held back\n",
            human_count(c->most_queued, most), human_count(c->queued, queued),
            human_bytes(c->most_held_bytes, held));
    fprintf(out, "  delay    p50 %s, p99 %s, max %s\n",
            human_ns((double)c->delay_p50_ns, p50, sizeof p50),
            human_ns((double)c->delay_p99_ns, p99, sizeof p99),
            human_ns((double)c->delay_max_ns, longest, sizeof longest));
}

static void print_hot(const struct hot *h, FILE *out)
{
    char objects[AMOUNT_BYTES], own[AMOUNT_BYTES], foreign[AMOUNT_BYTES], retries[AMOUNT_BYTES];

    fprintf(out, "  %7s %7d %7s %7s %7s  %s at %s\n",
            h->alone ? "one" : human_count(h->objects, objects), h->threads,
            human_count(h->own, own), human_count(h->foreign, foreign),
            human_count(h->retries, retries), h->type, h->site);
}

static void print_contended(const struct contention *c, FILE *out)
{
    if (!c->count) {
        fprintf(out, "  no object was counted by another thread than its maker's\n");
        return;
    }
    fprintf(out, "  %7s %7s %7s %7s %7s  %s\n", "objects", "threads", "own", "foreign", "retries",
            "most contended");
    for (int i = 0; i < c->count; i++)
        print_hot(&c->hot[i], out);
    if (c->crowded)
        fprintf(out,
                "  There were more places or published objects than are told apart: the others "
                "are\n  with their place, or at '?'.\n");
    if (c->incomplete)
        fprintf(out, "  There was no memory to count all of it.\n");
}

static void print_cell(const struct outcome *o, FILE *out)
{
    const struct measurement *w = o->stats;
    char what[3 * LABEL_MAX];

    cell_describe(&o->cell, what, sizeof what);
    fprintf(out, "\n%s\n", what);
    if (o->cell.refusal)
        fprintf(out, "  %s\n", o->cell.refusal);
    else if (!w)
        fprintf(out, "  not counted: the lab was built without STATS=%s, or there was no --stats\n",
                o->cell.policy);
    else if (!measured(w) || !w->contention)
        fprintf(out, "  not counted: %s: %s\n", status_name(w->status), w->note);
    else {
        print_sums(w->contention, out);
        print_queue(w->contention, out);
        print_contended(w->contention, out);
    }
}

void show_stats(const struct results *r, FILE *out)
{
    fputs(
        "\nWho contends for what. Counted in a window of its own, by the build of the policy that "
        "counts:\nit is slower, and the rates above are not of it. docs/reading.md explains each "
        "line.\n",
        out);
    for (size_t i = 0; i < r->count; i++)
        if (!r->outcome[i].cell.control)
            print_cell(&r->outcome[i], out);
}
