/* show_stats.c - who contended for what, and for the lock, as `lab run --stats` and `lab show
 * --stats` print it. */
#include "lab/show.h"

#include <stdio.h>

enum { AMOUNT_BYTES = 24 };

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
            human_bytes((double)c->most_held_bytes, held, sizeof held));
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

enum { ROWS_MOST = 16 };

/* "99.7": of the thread's time, or of so many threads' */
static double percent(const struct turns *t, enum turn_number number, double of_ns)
{
    return of_ns > 0 ? 100 * (double)t->number[number] / of_ns : 0;
}

static double whole_ns(const struct turns *t)
{
    return (double)(t->number[TURNS_HELD_NS] + t->number[TURNS_WAITING_NS] +
                    t->number[TURNS_FREE_NS]);
}

static const char *wait_of(const struct turns *t, enum turn_number number, char text[AMOUNT_BYTES])
{
    if (turns_lacks(t, number))
        return "-";
    return human_ns((double)t->number[number], text, AMOUNT_BYTES);
}

static void print_lock(const struct turns *lock, int workers, FILE *out)
{
    double one_ns = whole_ns(lock) / workers;
    char p50[AMOUNT_BYTES], p90[AMOUNT_BYTES], p99[AMOUNT_BYTES], p999[AMOUNT_BYTES];
    char longest[AMOUNT_BYTES], waits[AMOUNT_BYTES];

    fprintf(
        out, "  lock     on average %.2f of %d threads have it, %.2f wait, %.2f need none of it\n",
        percent(lock, TURNS_HELD_NS, one_ns) / 100, workers,
        percent(lock, TURNS_WAITING_NS, one_ns) / 100, percent(lock, TURNS_FREE_NS, one_ns) / 100);
    fprintf(out, "  waits    %s: p50 %s, p90 %s, p99 %s, p99.9 %s, max %s\n",
            human_count(lock->number[TURNS_WAITS], waits), wait_of(lock, TURNS_P50_NS, p50),
            wait_of(lock, TURNS_P90_NS, p90), wait_of(lock, TURNS_P99_NS, p99),
            wait_of(lock, TURNS_P999_NS, p999), wait_of(lock, TURNS_MAX_NS, longest));
}

static void print_turns(const struct sample *s, const struct turns *t, FILE *out)
{
    double all_ns = whole_ns(t);
    char p50[AMOUNT_BYTES], p99[AMOUNT_BYTES], longest[AMOUNT_BYTES], text[4][AMOUNT_BYTES];

    fprintf(out, "  %4.0f %% %5.0f %% %4.0f %%", percent(t, TURNS_HELD_NS, all_ns),
            percent(t, TURNS_WAITING_NS, all_ns), percent(t, TURNS_FREE_NS, all_ns));
    for (int i = 0; i < 4; i++)
        fprintf(out, " %7s", human_count(t->number[TURNS_FORCED + i], text[i]));
    fprintf(out, " %8s %8s %8s  %s %d\n", wait_of(t, TURNS_P50_NS, p50),
            wait_of(t, TURNS_P99_NS, p99), wait_of(t, TURNS_MAX_NS, longest), s->role, s->worker);
}

/* Of threads that carry several roles, the turns stand in the first. */
static int count_threads(const struct measurement *w)
{
    int threads = 0;

    for (int i = 0; i < w->samples; i++)
        threads += whole_ns(&w->turns[i + 1]) > 0;
    return threads ? threads : w->samples;
}

/* The lock, then each thread. */
static void print_lock_use(const struct measurement *w, FILE *out)
{
    int told = 0, threads;

    if (!w->turns || !w->samples) {
        fprintf(out, "  lock     not watched\n");
        return;
    }
    threads = count_threads(w);
    print_lock(&w->turns[0], threads, out);
    fprintf(out, "  %6s %7s %6s %7s %7s %7s %7s %8s %8s %8s  %s\n", "held", "waits", "free",
            "forced", "in vain", "volunt.", "asked", "wait p50", "p99", "max", "thread");
    for (int i = 0; i < w->samples && told < ROWS_MOST; i++)
        if (whole_ns(&w->turns[i + 1]) > 0 || threads == w->samples) {
            print_turns(&w->sample[i], &w->turns[i + 1], out);
            told++;
        }
    if (threads > told)
        fprintf(out, "  and %d more threads: table turns of the results file, or --json\n",
                threads - told);
}

static void print_objects(const char *policy, const struct contention *c, FILE *out)
{
    if (!c) {
        fprintf(out, "  counts   not counted: the lab was built without STATS=%s\n", policy);
        return;
    }
    print_sums(c, out);
    print_queue(c, out);
    print_contended(c, out);
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
        fprintf(out, "  not counted: there was no --stats, or the run ended before it\n");
    else if (!measured(w))
        fprintf(out, "  not counted: %s: %s\n", status_name(w->status), w->note);
    else {
        print_objects(o->cell.policy, w->contention, out);
        print_lock_use(w, out);
    }
}

void show_stats(const struct results *r, FILE *out)
{
    fputs(
        "\nWho contends for what. Counted in a window of its own, by the build of the policy that "
        "counts:\nit is slower, and its rates are in no table. Of the lock: in another, by the "
        "usual build.\ndocs/reading.md explains each line.\n",
        out);
    for (size_t i = 0; i < r->count; i++)
        if (!r->outcome[i].cell.control)
            print_cell(&r->outcome[i], out);
}
