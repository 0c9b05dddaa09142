/* answer.c - what was found, in three sentences: computing, waiting, and what safety costs.
 *
 * Each is built from measured cells only, and left out if they are not there. Of several
 * heaps they speak of the first.
 */
#include "lab/paragraph.h"
#include "lab/results.h"

#include <stdlib.h>
#include <string.h>

/* Room for every mode that can be asked for. */
enum { RATIO_BYTES = 64, PHRASE_BYTES = (LIST_MAX + 1) * (LABEL_MAX + 40),
       WHAT_BYTES = 3 * LABEL_MAX + 40 };

/* The first workload of the run for which `fits` holds, by its label; NULL: none. */
static const struct cell *find_workload(const struct results *r,
                                        bool (*fits)(const struct cell *c))
{
    for (size_t i = 0; i < r->count; i++)
        if (fits(&r->outcome[i].cell) && r->outcome[i].cell.base && !r->outcome[i].cell.control)
            return &r->outcome[i].cell;
    return NULL;
}

static bool computes_alone(const struct cell *c)
{
    return c->kind == KIND_CPU && c->shares == SHARES_NOTHING && strcmp(c->unit, "safe point");
}

static bool computes_on_shared(const struct cell *c)
{
    return c->kind == KIND_CPU && c->shares == SHARES_READS;
}

static bool waits(const struct cell *c)
{
    return c->kind == KIND_IO;
}

/* The most threads that were measured of cells like this, at most `limit`. */
static int most_threads(const struct results *r, const struct cell *like, int limit)
{
    int most = 0;

    for (size_t i = 0; i < r->count; i++) {
        const struct outcome *o = &r->outcome[i];

        if (comparable(&o->cell, like) && o->cell.threads <= limit &&
            o->cell.threads > most && outcome_rate(o).count)
            most = o->cell.threads;
    }
    return most;
}

/* "1.98 (1.95 to 2.01)" */
static const char *in_words(struct estimate e, char ratio[RATIO_BYTES])
{
    int used = snprintf(ratio, RATIO_BYTES, "%.2f", e.median);

    if (e.count > 1)
        snprintf(ratio + used, (size_t)(RATIO_BYTES - used), " (%.2f to %.2f)", e.low, e.high);
    return ratio;
}

/* Appends "1.00 (0.99 to 1.02) times the work of one under gil, 1.98 (1.95 to 2.01) under
 * atomic" for each mode that has a speed-up at `threads`; the number of modes. */
static int append_speed_ups(const struct results *r, const struct cell *like, int threads,
                            char *text)
{
    int modes = 0;

    for (size_t i = 0; i < r->count; i++) {
        const struct cell *c = &r->outcome[i].cell;
        size_t used = strlen(text);
        char ratio[RATIO_BYTES];
        struct estimate e;

        if (c->threads != threads || !comparable(c, like))
            continue;
        e = outcome_ratio(&r->outcome[i], results_find(r, like, c->mode, 1));
        if (e.count)
            snprintf(text + used, PHRASE_BYTES - used, modes++ ? ", %s under %s"
                     : "%s times the work of one under %s", in_words(e, ratio), c->mode);
    }
    return modes;
}

/* "fib, greenlet x100, build ../lab": as far as they are not the usual ones. */
static const char *what(const struct cell *c, char text[WHAT_BYTES])
{
    char units[LABEL_MAX + 16];

    cell_units(c, units, sizeof units);
    snprintf(text, WHAT_BYTES, "%s%s%s%s%s", c->workload, *units ? ", " : "", units,
             *c->build ? ", build " : "", c->build);
    return text;
}

static void say_computing(const struct results *r, FILE *out)
{
    const struct cell *c = find_workload(r, computes_alone);
    int threads = c ? most_threads(r, c, r->cores) : 0;
    char text[PHRASE_BYTES] = "", of[WHAT_BYTES];

    if (threads > 1 && append_speed_ups(r, c, threads, text))
        fprintf(out, "Computing (%s): %d threads do %s.\n", what(c, of), threads, text);
}

static void say_waiting(const struct results *r, FILE *out)
{
    const struct cell *c = find_workload(r, waits);
    int threads = c ? most_threads(r, c, 1 << 20) : 0;
    char text[PHRASE_BYTES] = "", of[WHAT_BYTES];

    if (threads > 1 && append_speed_ups(r, c, threads, text))
        fprintf(out, "Waiting (%s): %d threads do %s, for whoever waits holds no lock.\n",
                what(c, of), threads, text);
}

/* Appends "0.99 of nolock's speed with gil, 0.41 with atomic" for each safe mode at one
 * thread; the number of modes. */
static int append_costs(const struct results *r, const struct cell *like, char *text)
{
    const struct outcome *base = results_nolock(r, like);
    int modes = 0;

    for (size_t i = 0; i < r->count; i++) {
        const struct cell *c = &r->outcome[i].cell;
        size_t used = strlen(text);
        char ratio[RATIO_BYTES];
        struct estimate e;

        if (c->threads != 1 || !comparable(c, like) || !c->safe)
            continue;
        e = outcome_ratio(&r->outcome[i], base);
        if (e.count)
            snprintf(text + used, PHRASE_BYTES - used, modes++ ? ", %s with %s"
                     : "%s of nolock's speed with %s", in_words(e, ratio), c->mode);
    }
    return modes;
}

static void append_damage(const struct results *r, char *text)
{
    unsigned long long shared = 0, off = 0;
    size_t used = strlen(text);

    for (size_t i = 0; i < r->count; i++) {
        const struct outcome *o = &r->outcome[i];

        if (o->audit && measured(o->audit) && o->cell.threads > 1) {
            shared += o->audit->damage.published;
            off += o->audit->damage.off;
        }
    }
    if (shared)
        snprintf(text + used, PHRASE_BYTES - used,
                 "; without protection %llu of %llu shared objects ended with a wrong count", off,
                 shared);
}

static void say_safety(const struct results *r, FILE *out)
{
    const struct cell *alone = find_workload(r, computes_alone);
    const struct cell *shared = find_workload(r, computes_on_shared);
    char text[PHRASE_BYTES] = "", speed_ups[PHRASE_BYTES] = "", of[WHAT_BYTES];
    int threads = shared ? most_threads(r, shared, r->cores) : 0;

    if (!alone || !append_costs(r, alone, text))
        return;
    if (threads > 1 && append_speed_ups(r, shared, threads, speed_ups))
        fprintf(out, "Safety: a thread alone keeps %s; on shared objects (%s) %d threads do %s",
                text, what(shared, of), threads, speed_ups);
    else
        fprintf(out, "Safety: a thread alone keeps %s", text);
    text[0] = '\0';
    append_damage(r, text);
    fprintf(out, "%s.\n", text);
}

void answer_sentences(const struct results *r, FILE *out)
{
    say_computing(r, out);
    say_waiting(r, out);
    say_safety(r, out);
}

void answer_print(const struct results *r, FILE *out)
{
    char *text = NULL;
    size_t size_bytes;
    FILE *sentences = open_memstream(&text, &size_bytes);

    if (!sentences)
        return;
    answer_sentences(r, sentences);
    if (fclose(sentences) == 0) {
        fputc('\n', out);
        print_paragraph(text, 0, out);
    }
    free(text);
}
