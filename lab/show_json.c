/* show_json.c - a run as JSON. */
#include "lab/show.h"

#include "lab/crossovers.h"
#include "lab/json.h"
#include "lab/judgement.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *estimate_json(struct estimate e)
{
    if (!e.count)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:I}", "median", json_finite(e.median), "low",
                     json_finite(e.low), "high", json_finite(e.high), "confidence",
                     json_finite(e.confidence), "count", (json_int_t)e.count);
}

/* A figure of a fit; an infinite one has no value. */
static json_t *figure_json(struct figure f)
{
    return json_pack("{s:o, s:o, s:o}", "median", json_finite(f.value), "low", json_finite(f.low),
                     "high", json_finite(f.high));
}

/* Before and after come as "before: load average". */
static json_t *facts_json(struct store *store, const struct run *run)
{
    json_t *facts = json_object();
    sqlite3_stmt *q = NULL;

    sqlite3_prepare_v2(store_database(store),
                       "SELECT CASE moment WHEN 'run' THEN name ELSE "
                       "moment || ': ' || name END, value FROM facts WHERE run = ? "
                       "ORDER BY moment DESC, name",
                       -1, &q, NULL);
    sqlite3_bind_int64(q, 1, run->id);
    while (facts && sqlite3_step(q) == SQLITE_ROW)
        json_object_set_new(facts, (const char *)sqlite3_column_text(q, 0),
                            json_text((const char *)sqlite3_column_text(q, 1)));
    sqlite3_finalize(q);
    return facts;
}

static json_t *run_json(struct store *store, const struct run *run)
{
    const struct settings *t = &run->settings;

    return json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:I, s:s, s:i, s:i, s:o, s:o, "
        "s:o, s:o, s:o}",
        "run", (json_int_t)run->id, "uuid", json_text(run->uuid), "matrix", json_text(run->matrix),
        "machine", json_text(run->machine), "host", json_text(run->host), "synthetic",
        json_text(run->synthetic), "plan", json_text(run->plan), "build", json_text(run->build),
        "cores", run->cores, "started", json_text(run->started), "ended", json_text(run->ended),
        "seed", (json_int_t)t->seed, "order", placing_names[t->placing], "rounds_least",
        t->rounds_least, "rounds_most", t->rounds_most, "window_s", json_finite(t->window_s),
        "ramp_s", json_finite(t->ramp_s), "precision", json_finite(t->precision), "budget_s",
        json_finite(t->budget_s), "facts", facts_json(store, run));
}

static json_t *floor_json(const struct results *r)
{
    struct floor floor = judge_floor(r);

    if (!floor.pairs || !isfinite(floor.share))
        return json_null();
    return json_pack("{s:f, s:I, s:f}", "ratio", floor.share, "pairs", (json_int_t)floor.pairs,
                     "confidence", floor.confidence);
}

static json_t *audit_json(const struct outcome *o)
{
    const struct damage *d = o->audit ? &o->audit->damage : NULL;

    if (!d || !measured(o->audit))
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "published", (json_int_t)d->published, "off",
                     (json_int_t)d->off, "net", (json_int_t)(d->over - d->under), "leaked",
                     (json_int_t)d->leaked, "early", (json_int_t)d->early);
}

static json_t *warnings_json(const struct results *r, const struct outcome *o)
{
    json_t *array = json_array();
    struct warnings w;

    judge_warnings(r, o, &w);
    for (int i = 0; i < w.count; i++)
        array = json_with(array, json_text(w.text[i]));
    return array;
}

/* Why windows gave nothing, each reason once; and what else is to be known of the others, by the first
 * that has something to say. */
static json_t *notes_json(const struct outcome *o)
{
    json_t *array = json_array();
    const char *said = "";
    int noted = 0;

    for (int k = 0; k < o->rounds; k++) {
        const struct measurement *m = &o->round[k];
        char text[NOTE_BYTES + 32];

        if (m->status == STATUS_SKIPPED || !strcmp(m->note, said) ||
            (m->status == STATUS_OK && (!*m->note || noted++)))
            continue;
        said = m->note;
        snprintf(text, sizeof text, "%s: %s", status_name(m->status), m->note);
        array = json_with(array, json_text(text));
    }
    return array;
}

static uint64_t most_memory(const struct outcome *o)
{
    uint64_t most = 0;

    for (int k = 0; k < o->rounds; k++)
        if (o->round[k].max_rss_bytes > most)
            most = o->round[k].max_rss_bytes;
    return most;
}

static json_t *memory_json(const struct outcome *o)
{
    const struct measurement *w = outcome_counted(o);
    const struct heap_counts *m = w ? &w->memory : NULL;

    if (!m)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:o}", "live_objects", (json_int_t)m->live, "most_objects",
                     (json_int_t)m->most, "asked_bytes", (json_int_t)m->asked_bytes, "taken_bytes",
                     m->taken_bytes < 0 ? json_null() : json_integer((json_int_t)m->taken_bytes));
}

static json_t *pause_json(const struct collections *c, uint64_t ns)
{
    return c->young + c->all ? json_integer((json_int_t)ns) : json_null();
}

static json_t *pauses_json(const struct outcome *o)
{
    struct collections c;

    if (!outcome_collections(o, &c))
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "young_collections",
                     (json_int_t)c.young, "all_collections", (json_int_t)c.all, "garbage",
                     (json_int_t)c.garbage, "pause_total_ns", pause_json(&c, c.total_ns),
                     "pause_p50_ns", pause_json(&c, c.p50_ns), "pause_p99_ns",
                     pause_json(&c, c.p99_ns), "pause_max_ns", pause_json(&c, c.longest_ns));
}

static json_t *waits_json(const struct outcome *o)
{
    struct waits w;

    if (!outcome_waits(o, &w))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "p50_ns",
                     estimate_json(w.p50_ns), "p90_ns", estimate_json(w.p90_ns), "p99_ns",
                     estimate_json(w.p99_ns), "p999_ns", estimate_json(w.p999_ns), "max_ns",
                     w.max_ns ? json_integer((json_int_t)w.max_ns) : json_null(), "cpu_ns",
                     estimate_json(w.cpu_ns), "voluntary_switches",
                     estimate_json(w.voluntary_switches), "involuntary_switches",
                     estimate_json(w.involuntary_switches), "connections",
                     json_count((int)w.connections), "connection_bytes",
                     estimate_json(w.connection_bytes), "connection_heap_bytes",
                     w.heap_bytes < 0 ? json_null() : json_real(w.heap_bytes));
}

static json_t *hot_json(const struct hot *h)
{
    return json_pack("{s:o, s:o, s:b, s:I, s:i, s:I, s:I, s:I}", "type", json_text(h->type), "site",
                     json_text(h->site), "alone", h->alone, "objects", (json_int_t)h->objects,
                     "threads", h->threads, "own_ops", (json_int_t)h->own, "foreign_ops",
                     (json_int_t)h->foreign, "retries", (json_int_t)h->retries);
}

static json_t *delay_json(const struct contention *c, uint64_t ns)
{
    return c->queued ? json_integer((json_int_t)ns) : json_null();
}

static json_t *turns_json(const struct sample *of, const struct turns *t)
{
    json_t *object = json_pack("{s:o, s:i}", "role", json_text(of ? of->role : "lock"), "worker",
                               of ? of->worker : 0);

    for (int i = 0; i < TURNS_NUMBERS; i++)
        json_object_set_new(object, turns_names[i],
                            turns_lacks(t, i) ? json_null()
                                              : json_integer((json_int_t)t->number[i]));
    return object;
}

/* The lock first. */
static json_t *lock_json(const struct outcome *o)
{
    const struct measurement *w = o->stats;
    json_t *array;

    if (!w || !w->turns || !measured(w))
        return json_null();
    array = json_array();
    for (int i = 0; i <= w->samples && array; i++)
        array = json_with(array, turns_json(i ? &w->sample[i - 1] : NULL, &w->turns[i]));
    return array;
}

static json_t *stats_json(const struct outcome *o)
{
    const struct contention *c = o->stats ? o->stats->contention : NULL;
    json_t *contended;

    if (!c || !measured(o->stats))
        return json_null();
    contended = json_array();
    for (int i = 0; i < c->count && contended; i++)
        contended = json_with(contended, hot_json(&c->hot[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:b, s:b, s:o}", "own_ops",
                     (json_int_t)c->own, "foreign_ops", (json_int_t)c->foreign, "retries",
                     (json_int_t)c->retries, "merges", (json_int_t)c->merges, "queued",
                     (json_int_t)c->queued, "most_queued", (json_int_t)c->most_queued,
                     "most_held_bytes", (json_int_t)c->most_held_bytes, "delay_p50_ns",
                     delay_json(c, c->delay_p50_ns), "delay_p99_ns", delay_json(c, c->delay_p99_ns),
                     "delay_max_ns", delay_json(c, c->delay_max_ns), "crowded", c->crowded,
                     "incomplete", c->incomplete, "contended", contended);
}

static uint64_t lost(const struct outcome *o)
{
    uint64_t sum = 0;

    for (int k = 0; k < o->rounds; k++)
        sum += o->round[k].lost;
    return sum;
}

static json_t *held_back_json(const struct outcome *o)
{
    const struct measurement *worst = outcome_held_back(o);

    if (!worst)
        return json_null();
    return json_pack("{s:I, s:I}", "handed_over", (json_int_t)worst->handed_over, "held_back",
                     (json_int_t)worst->held_back);
}

static json_t *cell_json(const struct results *r, const struct outcome *o)
{
    const struct cell *c = &o->cell;
    struct estimate speed_up = outcome_ratio(o, results_find(r, c, c->mode, c->base));
    uint64_t memory = most_memory(o);

    return json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:s, s:o, s:o, s:b, s:i, "
        "s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, "
        "s:o, s:o}",
        "cell", (json_int_t)(o - r->outcome), "workload", json_text(c->workload), "mode",
        json_text(c->mode), "policy", json_text(c->policy), "gil", json_text(c->gil), "heap",
        json_text(c->heap), "build", json_text(c->build), "execution_unit",
        json_text(c->execution_unit), "units", json_count(c->units), "threads", c->threads, "base",
        c->base, "kind", kind_names[c->kind], "unit", json_text(c->unit), "about",
        json_text(c->about), "safe", c->safe, "control", c->control, "windows", o->rounds, "rate",
        estimate_json(outcome_rate(o)), "fairness",
        tells_fairness(o) ? estimate_json(outcome_fairness(o)) : json_null(), "p50_ns",
        estimate_json(outcome_p50_ns(o)), "of_nolock",
        estimate_json(outcome_ratio(o, results_nolock(r, c))), "speedup", estimate_json(speed_up),
        "karp_flatt", json_finite(judge_serial_share(r, c, speed_up)), "max_rss_bytes",
        memory ? json_integer((json_int_t)memory) : json_null(), "memory", memory_json(o), "pauses",
        pauses_json(o), "waits", waits_json(o), "audit", audit_json(o), "stats", stats_json(o),
        "lock", lock_json(o), "lost", (json_int_t)lost(o), "held_back", held_back_json(o),
        "refusal", json_text(c->refusal), "warnings", warnings_json(r, o), "notes", notes_json(o));
}

static json_t *cells_json(const struct results *r)
{
    json_t *array = json_array();

    for (size_t i = 0; i < r->count && array; i++)
        array = json_with(array, cell_json(r, &r->outcome[i]));
    return array;
}

/* Each whole number of threads up to twice those that were measured. */
static json_t *curve_json(const struct scaling *s)
{
    json_t *array = json_array();

    for (int threads = 1; threads <= 2 * s->measured && array; threads++) {
        json_t *point = figure_json(scaling_at(s, threads));

        if (point) {
            json_object_set_new(point, "threads", json_integer(threads));
            json_object_set_new(point, "extrapolated", json_boolean(threads > s->measured));
        }
        array = json_with(array, point);
    }
    return array;
}

static json_t *fit_json(const struct cell *c, const struct scaling *s, bool fits)
{
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "workload", json_text(c->workload), "mode",
                  json_text(c->mode), "heap", json_text(c->heap), "build", json_text(c->build),
                  "execution_unit", json_text(c->execution_unit), "units", json_count(c->units),
                  "refusal", fits ? json_null() : json_text(s->refusal));
    char text[1024];

    if (!fits || !object)
        return object;
    json_object_set_new(object, "gain", figure_json(s->g));
    json_object_set_new(object, "serial", figure_json(s->a));
    json_object_set_new(object, "coherence", figure_json(s->b));
    json_object_set_new(object, "peak", figure_json(s->peak));
    json_object_set_new(object, "misfit", json_finite(s->misfit));
    json_object_set_new(object, "words", json_text(scaling_reading(s, text, sizeof text)));
    json_object_set_new(object, "curve", curve_json(s));
    return object;
}

static json_t *scaling_json(const struct results *r)
{
    struct scaling *scaling = malloc(sizeof *scaling);
    json_t *array = scaling ? json_array() : NULL;

    for (size_t i = 0; i < r->count && array; i++) {
        const struct cell *c = &r->outcome[i].cell;
        size_t count;
        const struct outcome *const *series = results_series(r, c, &count);

        /* Once for each series: at the outcome with which it begins. */
        if (!c->control && count > 1 && series[0] == &r->outcome[i]) {
            bool fits = judge_scaling(r, c, scaling);

            array = json_with(array, fit_json(c, scaling, fits));
        }
    }
    free(scaling);
    return array;
}

static json_t *findings_json(const struct results *r)
{
    json_t *array = json_array();
    char *text = NULL, *line, *rest;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);

    if (!out)
        return array;
    answer_sentences(r, out);
    fclose(out);
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        array = json_with(array, json_text(line));
    free(text);
    return array;
}

int show_json(struct store *store, int64_t number, const struct results *r)
{
    char which[24];
    struct run run;
    struct mistake m;

    snprintf(which, sizeof which, "%lld", (long long)number);
    if (store_find(store, which, &run, &m) < 0) {
        fprintf(stderr, "lab: %s\n", m.text);
        return 1;
    }
    return json_print(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "run", run_json(store, &run),
                                "floor", floor_json(r), "cells", cells_json(r), "scaling",
                                scaling_json(r), "frontier", frontier_json(store, number),
                                "crossovers", crossovers_json(r), "findings", findings_json(r)));
}
