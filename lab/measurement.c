/* measurement.c - what one window gave: sums, and its form as text. */
#include "lab/measurement.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const status_names[] = { "ok", "early", "failed", "timeout", "skipped" };

enum { STATUSES = sizeof status_names / sizeof *status_names };

const char *status_name(enum status status)
{
    return status_names[status];
}

void measurement_free(struct measurement *m)
{
    free(m->sample);
    free(m->contention);
    free(m->turns);
    *m = (struct measurement){ 0 };
}

double measurement_rate(const struct measurement *m)
{
    uint64_t ops = 0;

    for (int i = 0; i < m->samples; i++)
        if (m->sample[i].role_index == 0)
            ops += m->sample[i].ops;
    return m->seconds > 0 ? (double)ops / m->seconds : 0;
}

double measurement_fairness(const struct measurement *m)
{
    double sum = 0, squares = 0;
    int count = 0;

    for (int i = 0; i < m->samples; i++)
        if (m->sample[i].role_index == 0) {
            double ops = (double)m->sample[i].ops;

            sum += ops;
            squares += ops * ops;
            count++;
        }
    return squares > 0 ? sum * sum / (count * squares) : 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

uint64_t measurement_p50_ns(const struct measurement *m)
{
    uint64_t p50_ns[WORKERS_MAX];
    size_t count = 0;

    for (int i = 0; i < m->samples && count < WORKERS_MAX; i++)
        if (m->sample[i].role_index == 0 && m->sample[i].p50_ns)
            p50_ns[count++] = m->sample[i].p50_ns;
    qsort(p50_ns, count, sizeof *p50_ns, by_value);
    return count ? p50_ns[count / 2] : 0;
}

static void write_worker(const struct sample *s, FILE *out)
{
    fprintf(out, "worker %s %d %d %" PRIu64 " %.6f %d %d %" PRIu64 " %" PRIu64 " %" PRIu64
            " %" PRIu64, s->role, s->role_index, s->worker, s->ops, s->cpu_seconds, s->planned_pu,
            s->observed_pu, s->p50_ns, s->p90_ns, s->p99_ns, s->max_ns);
    fprintf(out, " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s\n", s->cycles,
            s->instructions, s->cache_misses, s->voluntary_switches, s->involuntary_switches,
            *s->binding ? s->binding : "unbound"); /* one that has never begun is bound to nothing */
}

static void clean_note(struct measurement *m)
{
    for (char *c = m->note; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

void measurement_fail(struct measurement *m, enum status status, const char *format, ...)
{
    va_list arguments;

    measurement_free(m);
    m->status = status;
    va_start(arguments, format);
    vsnprintf(m->note, sizeof m->note, format, arguments);
    va_end(arguments);
    clean_note(m);
}

static void write_hot(const struct hot *h, FILE *out)
{
    fprintf(out, "hot %d %" PRIu64 " %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\t%s\n", h->alone,
            h->objects, h->threads, h->own, h->foreign, h->retries, h->type, h->site);
}

static void write_contention(const struct contention *c, FILE *out)
{
    fprintf(out, "contention %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, c->own, c->foreign,
            c->retries, c->merges);
    fprintf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d %d\n",
            c->queued, c->most_queued, c->most_held_bytes, c->delay_p50_ns, c->delay_p99_ns,
            c->delay_max_ns, c->crowded, c->incomplete);
    for (int i = 0; i < c->count; i++)
        write_hot(&c->hot[i], out);
}

static void write_collections(const struct collections *c, FILE *out)
{
    fprintf(out, "collections %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
            " %" PRIu64 "\n", c->young, c->all, c->garbage, c->total_ns, c->p50_ns, c->p99_ns,
            c->longest_ns);
}

static void write_usage(const struct measurement *m, FILE *out)
{
    const struct usage *u = &m->usage;
    const struct latency *l = &m->latency;

    fprintf(out, "usage %.6f %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, u->cpu_seconds,
            u->voluntary_switches, u->involuntary_switches, u->connections, u->grown_bytes);
    fprintf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", l->p50_ns,
            l->p90_ns, l->p99_ns, l->p999_ns, l->max_ns);
}

static void write_turns(const struct turns *t, FILE *out)
{
    fputs("turns", out);
    for (int i = 0; i < TURNS_NUMBERS; i++)
        fprintf(out, " %" PRIu64, t->number[i]);
    fputc('\n', out);
}

static void print(const struct measurement *m, FILE *out)
{
    fprintf(out, "status %s %s\n", status_name(m->status), m->note);
    fprintf(out, "window %.9f %.4f %" PRIu64 "\n", m->seconds, m->overlap, m->lost);
    fprintf(out, "damage %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
            " %zu\n", m->damage.published, m->damage.off, m->damage.over, m->damage.under,
            m->damage.leaked, m->damage.early, m->damage.kept_bytes);
    fprintf(out, "memory %" PRIu64 "\n", m->max_rss_bytes);
    if (m->handed_over)
        fprintf(out, "held %" PRIu64 " %" PRIu64 "\n", m->handed_over, m->held_back);
    if (m->used)
        write_usage(m, out);
    if (m->counted)
        fprintf(out, "objects %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", m->memory.live,
                m->memory.most, m->memory.asked_bytes, m->memory.taken_bytes);
    if (m->watched)
        write_collections(&m->collections, out);
    if (m->contention)
        write_contention(m->contention, out);
    for (int i = 0; i < m->samples; i++)
        write_worker(&m->sample[i], out);
    for (int i = 0; m->turns && i <= m->samples; i++)
        write_turns(&m->turns[i], out);
    fprintf(out, "end %d\n", m->samples);
}

int measurement_write(const struct measurement *m, int fd)
{
    FILE *out = fdopen(dup(fd), "w");

    if (!out)
        return -1;
    print(m, out);
    return fclose(out) ? -1 : 0;
}

static int read_status(struct measurement *m, const char *line)
{
    char name[16];
    int used = 0;

    if (sscanf(line, "status %15s %n", name, &used) != 1 || !used)
        return -1;
    for (int i = 0; i < STATUSES; i++)
        if (!strcmp(name, status_names[i])) {
            m->status = (enum status)i;
            snprintf(m->note, sizeof m->note, "%s", line + used);
            return 0;
        }
    return -1;
}

static bool is_amount(double value)
{
    return isfinite(value) && value >= 0;
}

static int read_worker(struct measurement *m, const char *line)
{
    struct sample s, *more;

    if (m->samples >= WORKERS_MAX ||
        sscanf(line, "worker %23s %d %d %" SCNu64 " %lf %d %d %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %31[^\n]",
               s.role, &s.role_index, &s.worker, &s.ops, &s.cpu_seconds, &s.planned_pu,
               &s.observed_pu, &s.p50_ns, &s.p90_ns, &s.p99_ns, &s.max_ns, &s.cycles,
               &s.instructions, &s.cache_misses, &s.voluntary_switches, &s.involuntary_switches,
               s.binding) != 17 || !is_amount(s.cpu_seconds))
        return -1;
    more = realloc(m->sample, (size_t)(m->samples + 1) * sizeof *more);
    if (!more)
        return -1;
    m->sample = more;
    m->sample[m->samples++] = s;
    return 0;
}

static int read_collections(struct measurement *m, const char *line)
{
    struct collections *c = &m->collections;

    m->watched = sscanf(line, "collections %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                        " %" SCNu64 " %" SCNu64 " %" SCNu64, &c->young, &c->all, &c->garbage,
                        &c->total_ns, &c->p50_ns, &c->p99_ns, &c->longest_ns) == 7;
    return m->watched ? 0 : -1;
}

static int read_usage(struct measurement *m, const char *line)
{
    struct usage *u = &m->usage;
    struct latency *l = &m->latency;

    m->used = sscanf(line, "usage %lf %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64
                     " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &u->cpu_seconds,
                     &u->voluntary_switches, &u->involuntary_switches, &u->connections,
                     &u->grown_bytes, &l->p50_ns, &l->p90_ns, &l->p99_ns, &l->p999_ns,
                     &l->max_ns) == 10 && is_amount(u->cpu_seconds);
    return m->used ? 0 : -1;
}

static int read_contention(struct measurement *m, const char *line)
{
    struct contention *c = m->contention;
    int crowded, incomplete;

    if (!c)
        c = m->contention = calloc(1, sizeof *c);
    if (!c || sscanf(line, "contention %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                     " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %d %d", &c->own,
                     &c->foreign, &c->retries, &c->merges, &c->queued, &c->most_queued,
                     &c->most_held_bytes, &c->delay_p50_ns, &c->delay_p99_ns, &c->delay_max_ns,
                     &crowded, &incomplete) != 12)
        return -1;
    c->crowded = crowded;
    c->incomplete = incomplete;
    return 0;
}

static int read_hot(struct measurement *m, const char *line)
{
    struct contention *c = m->contention;
    struct hot h = { 0 };
    int alone;

    if (!c || c->count >= HOT_MOST ||
        sscanf(line, "hot %d %" SCNu64 " %d %" SCNu64 " %" SCNu64 " %" SCNu64
               " %31[^\t]\t%119[^\n]", &alone, &h.objects, &h.threads, &h.own, &h.foreign,
               &h.retries, h.type, h.site) != 8)
        return -1;
    h.alone = alone;
    c->hot[c->count++] = h;
    return 0;
}

/* They come after the workers, of whom there is one fewer. That there is a line for each sees
 * `difference`. */
static int read_turns(struct measurement *m, const char *line, int *turns)
{
    struct turns *t;

    if (!m->turns)
        m->turns = calloc((size_t)m->samples + 1, sizeof *m->turns);
    if (!m->turns || *turns > m->samples)
        return -1;
    t = &m->turns[(*turns)++];
    line += strlen("turns");
    for (int i = 0; i < TURNS_NUMBERS; i++) {
        int used = 0;

        if (sscanf(line, " %" SCNu64 "%n", &t->number[i], &used) != 1)
            return -1;
        line += used;
    }
    return 0;
}

/* 0: read, 1: it was the last line, -1: it is not one of ours. */
static int read_line(struct measurement *m, const char *line, int *turns)
{
    int count;

    if (!strncmp(line, "worker ", 7))
        return m->turns ? -1 : read_worker(m, line);
    if (!strncmp(line, "collections ", 12))
        return read_collections(m, line);
    if (!strncmp(line, "usage ", 6))
        return read_usage(m, line);
    if (!strncmp(line, "turns ", 6))
        return read_turns(m, line, turns);
    if (!strncmp(line, "contention ", 11))
        return read_contention(m, line);
    if (!strncmp(line, "hot ", 4))
        return read_hot(m, line);
    if (!strncmp(line, "status ", 7))
        return read_status(m, line);
    if (sscanf(line, "window %lf %lf %" SCNu64, &m->seconds, &m->overlap, &m->lost) == 3)
        return is_amount(m->seconds) && is_amount(m->overlap) && m->overlap <= 1 ? 0 : -1;
    if (sscanf(line, "damage %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %zu", &m->damage.published, &m->damage.off, &m->damage.over, &m->damage.under,
               &m->damage.leaked, &m->damage.early, &m->damage.kept_bytes) == 7)
        return 0;
    if (sscanf(line, "memory %" SCNu64, &m->max_rss_bytes) == 1)
        return 0;
    if (sscanf(line, "held %" SCNu64 " %" SCNu64, &m->handed_over, &m->held_back) == 2)
        return 0;
    if (sscanf(line, "objects %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &m->memory.live,
               &m->memory.most, &m->memory.asked_bytes, &m->memory.taken_bytes) == 4) {
        m->counted = true;
        return 0;
    }
    return sscanf(line, "end %d", &count) == 1 && count == m->samples ? 1 : -1;
}

/* NULL, or the first line that could not be read. */
static const char *parse(struct measurement *m, const char *text)
{
    int got = 0, turns = 0;

    while (!got) {
        size_t length = strcspn(text, "\n");
        char line[NOTE_BYTES + 256];

        snprintf(line, sizeof line, "%.*s", (int)length, text);
        got = read_line(m, line, &turns);
        if (got < 0)
            return text;
        text += length + (text[length] == '\n');
    }
    return NULL;
}

/* The first line of the text that is not as it would have been written; NULL: all are. So a
 * minus that became a huge number, a number too large, a word too many, a line missing, said
 * twice or said after the end need no rule of their own. */
static const char *difference(const struct measurement *m, const char *text)
{
    const char *strange = text;
    char *written = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&written, &size_bytes);

    if (!out)
        return text;
    print(m, out);
    if (fclose(out) == 0) {
        for (size_t i = 0; strange && text[i] == written[i]; i++)
            if (!text[i])
                strange = NULL;
            else if (text[i] == '\n')
                strange = text + i + 1;
    }
    free(written);
    return strange;
}

int measurement_read(struct measurement *m, const char *text)
{
    const char *strange;
    int number = 1;

    *m = (struct measurement){ 0 };
    strange = parse(m, text);
    if (!strange)
        strange = difference(m, text);
    if (!strange) {
        clean_note(m);
        return 0;
    }
    for (const char *c = text; c < strange; c++)
        number += *c == '\n';
    measurement_fail(m, STATUS_FAILED, "what was printed is no result: line %d is '%.*s'", number,
                     (int)(strcspn(strange, "\n") < 80 ? strcspn(strange, "\n") : 80), strange);
    return -1;
}
