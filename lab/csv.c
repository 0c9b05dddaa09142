/* csv.c - tidy CSV. */
#include "lab/csv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void write_quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

/* A line with nothing on it is no row to most readers, so it gets quotes, if `alone`. */
static void write_string(FILE *out, const char *text, bool alone)
{
    if (strpbrk(text, ",\"\n\r") || (alone && !*text))
        write_quoted(out, text);
    else
        fputs(text, out);
}

static void write_real(FILE *out, double value)
{
    enum { SURE = 15, ENOUGH = 17 }; /* decimal digits that a double keeps, and that tell all apart */
    char text[32];
    int digits = SURE;

    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (digits++ < ENOUGH && strtod(text, NULL) != value);
    fputs(text, out);
}

static void write_value(FILE *out, sqlite3_stmt *row, int column, bool alone)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        write_string(out, "", alone);
        break;
    case SQLITE_INTEGER:
        fprintf(out, "%lld", sqlite3_column_int64(row, column));
        break;
    case SQLITE_FLOAT:
        write_real(out, sqlite3_column_double(row, column));
        break;
    default:
        write_string(out, (const char *)sqlite3_column_text(row, column), alone);
    }
}

void csv_write_names(FILE *out, sqlite3_stmt *rows)
{
    int columns = sqlite3_column_count(rows);

    for (int i = 0; i < columns; i++) {
        write_string(out, sqlite3_column_name(rows, i), columns == 1);
        putc(i + 1 < columns ? ',' : '\n', out);
    }
}

int csv_write_rows(FILE *out, sqlite3_stmt *rows)
{
    int columns = sqlite3_column_count(rows), result;

    while ((result = sqlite3_step(rows)) == SQLITE_ROW)
        for (int i = 0; i < columns; i++) {
            write_value(out, rows, i, columns == 1);
            putc(i + 1 < columns ? ',' : '\n', out);
        }
    return result;
}

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

static void write_cell(FILE *out, const struct cell *c, const struct measurement *m, int cores)
{
    const struct occasion *when = &m->occasion;

    write_text(out, c->workload);
    write_text(out, kind_names[c->kind]);
    write_text(out, c->unit);
    write_text(out, shares_names[c->shares]);
    write_text(out, c->mode);
    write_text(out, c->policy);
    write_text(out, c->gil);
    write_text(out, c->heap);
    fprintf(out, "%d,%d,%d,%d,%s,%s,", c->threads, cores, when->block, when->sequence,
            when->audit ? "audit" : "timed", status_name(m->status));
    write_text(out, m->note);
    fprintf(out, "%d,", c->safe);
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

static void write_end(FILE *out, const struct measurement *m)
{
    if (m->max_rss_bytes)
        fprintf(out, "%" PRIu64, m->max_rss_bytes);
    fprintf(out, ",%s\n", m->occasion.started);
}

void csv_write(FILE *out, const struct cell *cell, const struct measurement *m, int cores)
{
    for (int i = 0; i < m->samples; i++) {
        const struct sample *s = &m->sample[i];

        write_cell(out, cell, m, cores);
        fprintf(out, "%s,%d,%" PRIu64 ",%.9f,%.4f,%.6f,%d,%d,%s,", s->role, s->worker, s->ops,
                m->seconds, m->overlap, s->cpu_seconds, s->planned_pu, s->observed_pu, s->binding);
        if (s->p50_ns)
            fprintf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", s->p50_ns, s->p90_ns,
                    s->p99_ns, s->max_ns);
        else
            fputs(",,,,", out);
        write_window(out, m);
        write_counters(out, s);
        write_end(out, m);
    }
    if (!m->samples) {
        write_cell(out, cell, m, cores);
        fputs(",,,,,,,,,,,,,", out);
        write_window(out, m);
        fputs(",,,,,", out);
        write_end(out, m);
    }
    fflush(out);
}
