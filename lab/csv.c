/* csv.c - tidy CSV. */
#include "lab/csv.h"

#include <inttypes.h>
#include <string.h>

static const char *const kind_names[] = { "cpu", "io", "mixed" };
static const char *const shares_names[] = { "nothing", "handover", "reads", "writes", "tables" };

static void write_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\n\r")) {
        fprintf(out, "%s,", text);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
    }
    fputs("\",", out);
}

void csv_write_head(FILE *out)
{
    /* A line is one write, so that a run that is killed leaves whole lines. */
    setvbuf(out, NULL, _IOLBF, 0);
    fputs("workload,kind,unit,shares,mode,policy,gil,heap,threads,cores,round,order,window,status,"
          "note,safe,role,worker,ops,seconds,overlap,cpu_seconds,planned_pu,observed_pu,binding,"
          "p50_ns,p90_ns,p99_ns,max_ns,lost,published,off,over,under,leaked,early,kept_bytes,"
          "cycles,instructions,cache_misses,voluntary_switches,involuntary_switches,"
          "max_rss_bytes,when\n", out);
}

static void write_cell(FILE *out, const struct cell *c, const struct measurement *m,
                       const struct occasion *when)
{
    write_text(out, c->workload_label);
    write_text(out, kind_names[c->workload->kind]);
    write_text(out, c->workload->unit);
    write_text(out, shares_names[c->workload->shares]);
    write_text(out, c->mode_label);
    write_text(out, c->runtime->name);
    write_text(out, c->gil_label);
    write_text(out, c->heap);
    fprintf(out, "%d,%d,%d,%d,%s,%s,", c->threads, when->cores, when->round, when->order,
            when->audit ? "audit" : "timed", status_name(m->status));
    write_text(out, m->note);
    fprintf(out, "%d,", !cell_unsafe(c));
}

/* Of the whole window; repeated in each of its rows. */
static void write_window(FILE *out, const struct measurement *m)
{
    const struct damage *d = &m->damage;

    fprintf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%zu,", m->lost, d->published, d->off, d->over, d->under, d->leaked, d->early,
            d->kept_bytes);
}

/* What is not known is an empty field. */
static void write_known(FILE *out, int64_t value)
{
    if (value >= 0)
        fprintf(out, "%" PRId64, value);
    fputc(',', out);
}

static void write_counters(FILE *out, const struct sample *s)
{
    write_known(out, s->cycles);
    write_known(out, s->instructions);
    write_known(out, s->cache_misses);
    write_known(out, s->voluntary_switches);
    write_known(out, s->involuntary_switches);
}

static void write_end(FILE *out, const struct measurement *m, const struct occasion *when)
{
    if (m->max_rss_bytes)
        fprintf(out, "%" PRIu64, m->max_rss_bytes);
    fprintf(out, ",%s\n", when->when);
}

void csv_write(FILE *out, const struct cell *cell, const struct measurement *m,
               const struct occasion *when)
{
    for (int i = 0; i < m->samples; i++) {
        const struct sample *s = &m->sample[i];

        write_cell(out, cell, m, when);
        fprintf(out, "%s,%d,%" PRIu64 ",%.9f,%.4f,%.6f,%d,%d,%s,", s->role, s->worker, s->ops,
                m->seconds, m->overlap, s->cpu_seconds, s->planned_pu, s->observed_pu, s->binding);
        if (s->p50_ns)
            fprintf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", s->p50_ns, s->p90_ns,
                    s->p99_ns, s->max_ns);
        else
            fputs(",,,,", out);
        write_window(out, m);
        write_counters(out, s);
        write_end(out, m, when);
    }
    if (!m->samples) {
        write_cell(out, cell, m, when);
        fputs(",,,,,,,,,,,,,", out);
        write_window(out, m);
        fputs(",,,,,", out);
        write_end(out, m, when);
    }
    fflush(out);
}
