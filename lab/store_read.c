/* store_read.c - what comes out of a results file, which anybody may have made. */
#include "lab/store_private.h"

#include "lab/intern.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a file may ask of us that somebody else has made: so many of SQLite's steps (to read all
 * once takes about one for each byte), so many rounds that are missing. */
enum { STEPS_A_BYTE = 100, STEPS_LEAST = 10000000, STEPS_A_LOOK = 1000 };
enum { MISSING_MOST = 100000 };

/* It will be shown on a terminal, which takes control characters for orders. */
static void make_harmless(char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            *text = '?';
}

/* Cut to the size; "" if it is NULL. */
static void copy_text(sqlite3_stmt *statement, int column, char *text, size_t size_bytes)
{
    const char *found = (const char *)sqlite3_column_text(statement, column);

    snprintf(text, size_bytes, "%s", found ? found : "");
    make_harmless(text);
}

static const char *text_of(sqlite3_stmt *statement, int column)
{
    const char *found = (const char *)sqlite3_column_text(statement, column);
    char *text = found ? strdup(found) : NULL;

    if (text)
        make_harmless(text);
    found = text ? intern(text) : found ? intern(found) : NULL;
    free(text);
    return found;
}

/* Never NULL. */
static const char *word_of(sqlite3_stmt *statement, int column)
{
    const char *text = text_of(statement, column);

    return text ? text : "";
}

static int64_t known_of(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL
               ? -1 : sqlite3_column_int64(statement, column);
}

static double share_of(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL
               ? -1 : sqlite3_column_double(statement, column);
}

static int count_steps(void *store)
{
    struct store *s = store;

    s->steps_left -= STEPS_A_LOOK;
    return s->steps_left < 0;
}

/* Pages of a damaged file may lead back to themselves. */
static void begin_reading(struct store *s)
{
    s->steps_left = STEPS_LEAST +
                    STEPS_A_BYTE * store_pragma(s, "page_count") * store_pragma(s, "page_size");
    sqlite3_progress_handler(s->database, STEPS_A_LOOK, count_steps, s);
}

static void end_reading(struct store *s)
{
    sqlite3_progress_handler(s->database, 0, NULL, NULL);
}

#define RUN_QUERY                                                                               \
    "SELECT r.run, r.uuid, r.matrix, m.key, m.host, m.synthetic, r.plan, r.build, r.started, "  \
    "r.ended, r.cores, "                                                                        \
    "(SELECT count(*) FROM cells c WHERE c.run = r.run), "                                      \
    "(SELECT count(*) FROM windows w JOIN cells c USING (cell) WHERE c.run = r.run AND "        \
    "w.kind = 'timed'), r.seed, r.placing, r.window_s, r.ramp_s, r.timeout_s, r.memory_bytes, " \
    "r.bind, r.rounds_least, r.rounds_most, r.precision, r.budget_s "                           \
    "FROM runs r JOIN machines m USING (machine) "

/* Words of a later lab read as the first. */
static int word_index(sqlite3_stmt *q, int column, const char *const *words)
{
    int i = name_index(words, word_of(q, column));

    return i < 0 ? 0 : i;
}

static void read_settings(sqlite3_stmt *q, int at, struct settings *t)
{
    t->seed = (uint64_t)sqlite3_column_int64(q, at++);
    t->placing = (enum placing)word_index(q, at++, placing_names);
    t->window_s = sqlite3_column_double(q, at++);
    t->ramp_s = sqlite3_column_double(q, at++);
    t->timeout_s = sqlite3_column_double(q, at++);
    t->memory_bytes = (uint64_t)sqlite3_column_int64(q, at++);
    t->bind = (enum bind)word_index(q, at++, bind_names);
    t->rounds_least = sqlite3_column_int(q, at++);
    t->rounds_most = sqlite3_column_int(q, at++);
    t->precision = sqlite3_column_double(q, at++);
    t->budget_s = sqlite3_column_double(q, at++);
}

/* 1 if there was a row. Finalizes. */
static int read_run(struct store *s, sqlite3_stmt *q, struct run *run, struct mistake *m)
{
    int status;

    begin_reading(s);
    status = sqlite3_step(q);
    end_reading(s);
    if (status == SQLITE_ROW) {
        *run = (struct run){
            .id = sqlite3_column_int64(q, 0), .uuid = word_of(q, 1), .matrix = word_of(q, 2),
            .machine = word_of(q, 3), .host = text_of(q, 4), .synthetic = text_of(q, 5),
            .plan = word_of(q, 6), .build = word_of(q, 7), .started = word_of(q, 8),
            .ended = text_of(q, 9), .cores = sqlite3_column_int(q, 10),
            .cells = (size_t)sqlite3_column_int64(q, 11),
            .windows = (size_t)sqlite3_column_int64(q, 12),
        };
        read_settings(q, 13, &run->settings);
    } else if (status != SQLITE_DONE) {
        store_fail(s, m);
    }
    sqlite3_finalize(q);
    return status == SQLITE_ROW ? 1 : status == SQLITE_DONE ? 0 : -1;
}

int store_find(struct store *s, const char *which, struct run *run, struct mistake *m)
{
    sqlite3_stmt *q = store_prepare(s, RUN_QUERY "WHERE ?1 IS NULL OR r.run = ?1 OR "
                              "substr(r.uuid, 1, length(?1)) = ?1 "
                              "ORDER BY r.run = ?1 DESC, r.run DESC LIMIT 1", m);
    int found;

    if (!q)
        return -1;
    if (which)
        sqlite3_bind_text(q, 1, which, -1, SQLITE_TRANSIENT);
    found = read_run(s, q, run, m);
    if (found == 0 && which)
        return mistake_set(m, "%s: has no run '%.100s'; `lab status` lists them", s->path, which);
    if (found == 0)
        return mistake_set(m, "%s: has no run yet", s->path);
    return found < 0 ? -1 : 0;
}

int store_find_plan(struct store *s, const struct plan *plan, struct run *run, struct mistake *m)
{
    sqlite3_stmt *q = store_prepare(s, RUN_QUERY "WHERE r.plan = ? AND r.build = ? AND m.key = ? "
                              "ORDER BY r.run DESC LIMIT 1", m);
    const struct machine *machine = store_machine(m);
    char hash[17];

    if (!q || !machine) {
        sqlite3_finalize(q);
        return -1;
    }
    plan_hash(plan, hash);
    sqlite3_bind_text(q, 1, hash, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(q, 2, store_build(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(q, 3, machine->key, -1, SQLITE_TRANSIENT);
    return read_run(s, q, run, m);
}

static void read_cell(sqlite3_stmt *q, struct cell *c)
{
    *c = (struct cell){
        .workload = word_of(q, 0), .mode = word_of(q, 1), .policy = word_of(q, 2),
        .gil = word_of(q, 3), .heap = word_of(q, 4), .build = word_of(q, 5), .build_hash = "",
        .about = word_of(q, 6), .kind = (enum kind)word_index(q, 7, kind_names),
        .unit = word_of(q, 8), .shares = (enum shares)word_index(q, 9, shares_names),
        .threads = sqlite3_column_int(q, 10), .control = sqlite3_column_int(q, 11),
        .counted = sqlite3_column_int(q, 12), .workers = sqlite3_column_int(q, 13),
        .base = sqlite3_column_int(q, 14), .safe = sqlite3_column_int(q, 15),
        .miscounts = sqlite3_column_int(q, 16), .refusal = text_of(q, 17),
        .execution_unit = word_of(q, 18), .units = sqlite3_column_int(q, 19),
        .carriers = sqlite3_column_int(q, 20),
    };
}

#define CELLS_OF_RUN(columns) "SELECT " columns ", number FROM cells WHERE run = ? ORDER BY number"

/* As many as there is room for; a file that was tampered with may have others. */
static int read_cells(struct store *s, const struct run *run, struct cell *cell, size_t *count,
                      struct mistake *m)
{
    static const char now[] = CELLS_OF_RUN(CELL_COLUMNS);
    static const char before_4[] = CELLS_OF_RUN(OLD_CELL_COLUMNS ", 'thread', NULL, workers");
    sqlite3_stmt *q = store_prepare(s, s->schema < 4 ? before_4 : now, m);
    bool whole = true;
    int status;

    if (!q)
        return -1;
    begin_reading(s);
    sqlite3_bind_int64(q, 1, run->id);
    for (*count = 0; (status = sqlite3_step(q)) == SQLITE_ROW && *count < run->cells; ++*count) {
        whole &= sqlite3_column_int64(q, CELL_COLUMN_COUNT) == (int64_t)*count;
        read_cell(q, &cell[*count]);
    }
    if (!whole)
        status = mistake_set(m, "%s: lacks a cell of its run %lld", s->path, (long long)run->id);
    else
        status = status == SQLITE_ROW || status == SQLITE_DONE ? 0 : store_fail(s, m);
    end_reading(s);
    sqlite3_finalize(q);
    return status;
}

static enum status status_named(const char *name)
{
    for (int i = 0; i <= STATUS_SKIPPED; i++)
        if (!strcmp(status_name((enum status)i), name))
            return (enum status)i;
    return STATUS_FAILED;
}

#define WINDOW_COLUMNS                                                                    \
    "w.window, w.kind, w.block, w.sequence, w.started, w.started_ns, w.took_s, w.status, " \
    "w.note, w.steal, w.busy, w.mhz, w.seconds, w.overlap, w.max_rss_bytes, w.lost, "      \
    "w.published, w.off, w.over, w.under, w.leaked, w.early, w.kept_bytes, c.number, "
#define WINDOWS_OF_RUN(later)                                                             \
    "SELECT " WINDOW_COLUMNS later " FROM windows w JOIN cells c USING (cell) "           \
    "WHERE c.run = ? ORDER BY c.number, w.kind, w.block"

/* Those that came with schema 2, with schema 3, and with schema 5; and instead of them. */
#define COUNTS                                                                            \
    "w.live_objects, w.most_objects, w.asked_bytes, w.taken_bytes, "                      \
    "w.handed_over, w.held_back, w.own_ops, w.foreign_ops, w.retries, "                   \
    "w.merges, w.queued, w.most_queued, w.most_held_bytes, w.crowded, "                   \
    "w.incomplete, w.delay_p50_ns, w.delay_p99_ns, w.delay_max_ns"
#define NO_COUNTS                                                                         \
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "      \
    "NULL, NULL, NULL, NULL, NULL"
#define PAUSES                                                                            \
    "w.young_collections, w.all_collections, w.garbage, w.pause_total_ns, "               \
    "w.pause_p50_ns, w.pause_p99_ns, w.pause_max_ns"
#define NO_PAUSES "NULL, NULL, NULL, NULL, NULL, NULL, NULL"
#define USAGE                                                                             \
    "w.process_cpu_s, w.process_voluntary_switches, w.process_involuntary_switches, "     \
    "w.connections, w.grown_bytes, w.latency_p50_ns, w.latency_p90_ns, "                  \
    "w.latency_p99_ns, w.latency_p999_ns, w.latency_max_ns"
#define NO_USAGE "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"

enum { MEMORY_AT = 24, HELD_BACK_AT = 28, CONTENTION_AT = 30, /* columns of a window */
       COLLECTIONS_AT = 42, USAGE_AT = 49 };

/* A file of an earlier lab has none. 0; or -1: no memory. */
static int read_contention(sqlite3_stmt *q, struct measurement *w)
{
    uint64_t number[12];

    for (int i = 0; i < 12; i++)
        number[i] = (uint64_t)sqlite3_column_int64(q, CONTENTION_AT + i);
    if (known_of(q, CONTENTION_AT) < 0)
        return 0;
    w->contention = malloc(sizeof *w->contention);
    if (!w->contention)
        return -1;
    *w->contention = (struct contention){
        .own = number[0], .foreign = number[1], .retries = number[2], .merges = number[3],
        .queued = number[4], .most_queued = number[5], .most_held_bytes = number[6],
        .crowded = number[7], .incomplete = number[8], .delay_p50_ns = number[9],
        .delay_p99_ns = number[10], .delay_max_ns = number[11],
    };
    return 0;
}

/* Likewise. */
static void read_collections(sqlite3_stmt *q, struct measurement *w)
{
    uint64_t number[7];

    for (int i = 0; i < 7; i++)
        number[i] = (uint64_t)sqlite3_column_int64(q, COLLECTIONS_AT + i);
    w->watched = known_of(q, COLLECTIONS_AT) >= 0;
    w->collections = (struct collections){ number[0], number[1], number[2], number[3], number[4],
                                           number[5], number[6] };
}

/* Likewise. */
static void read_usage(sqlite3_stmt *q, struct measurement *w)
{
    uint64_t latency[5];

    w->used = sqlite3_column_type(q, USAGE_AT) != SQLITE_NULL;
    if (!w->used)
        return;
    for (int i = 0; i < 5; i++)
        latency[i] = (uint64_t)sqlite3_column_int64(q, USAGE_AT + 5 + i);
    w->usage = (struct usage){
        sqlite3_column_double(q, USAGE_AT), sqlite3_column_int64(q, USAGE_AT + 1),
        sqlite3_column_int64(q, USAGE_AT + 2), sqlite3_column_int64(q, USAGE_AT + 3),
        known_of(q, USAGE_AT + 4),
    };
    w->latency = (struct latency){ latency[0], latency[1], latency[2], latency[3], latency[4] };
}

static enum window_kind kind_of(const char *name)
{
    int i = name_index(window_names, name);

    return i < 0 ? WINDOW_TIMED : (enum window_kind)i;
}

static void read_window(sqlite3_stmt *q, struct measurement *w)
{
    struct occasion *o = &w->occasion;
    struct damage *d = &w->damage;

    o->kind = kind_of(word_of(q, 1));
    o->block = sqlite3_column_int(q, 2);
    o->sequence = sqlite3_column_int(q, 3);
    copy_text(q, 4, o->started, sizeof o->started);
    o->started_ns = (uint64_t)sqlite3_column_int64(q, 5);
    o->took_s = sqlite3_column_double(q, 6);
    w->status = status_named(word_of(q, 7));
    copy_text(q, 8, w->note, sizeof w->note);
    o->steal = share_of(q, 9);
    o->busy = share_of(q, 10);
    o->mhz = share_of(q, 11);
    w->seconds = sqlite3_column_double(q, 12);
    w->overlap = sqlite3_column_double(q, 13);
    w->max_rss_bytes = (uint64_t)sqlite3_column_int64(q, 14);
    w->lost = (uint64_t)sqlite3_column_int64(q, 15);
    d->published = (uint64_t)sqlite3_column_int64(q, 16);
    d->off = (uint64_t)sqlite3_column_int64(q, 17);
    d->over = (uint64_t)sqlite3_column_int64(q, 18);
    d->under = (uint64_t)sqlite3_column_int64(q, 19);
    d->leaked = (uint64_t)sqlite3_column_int64(q, 20);
    d->early = (uint64_t)sqlite3_column_int64(q, 21);
    d->kept_bytes = (size_t)sqlite3_column_int64(q, 22);
    w->handed_over = (uint64_t)sqlite3_column_int64(q, HELD_BACK_AT);
    w->held_back = (uint64_t)sqlite3_column_int64(q, HELD_BACK_AT + 1);
    w->counted = known_of(q, MEMORY_AT + 1) >= 0;
    if (w->counted)
        w->memory = (struct heap_counts){
            sqlite3_column_int64(q, MEMORY_AT), known_of(q, MEMORY_AT + 1),
            known_of(q, MEMORY_AT + 2), known_of(q, MEMORY_AT + 3),
        };
    read_collections(q, w);
    read_usage(q, w);
}

static void read_sample(sqlite3_stmt *q, struct sample *p)
{
    p->role_index = sqlite3_column_int(q, 1);
    p->worker = sqlite3_column_int(q, 2);
    copy_text(q, 3, p->role, sizeof p->role);
    p->ops = (uint64_t)sqlite3_column_int64(q, 4);
    p->cpu_seconds = sqlite3_column_double(q, 5);
    p->planned_pu = (int)known_of(q, 6);
    p->observed_pu = (int)known_of(q, 7);
    copy_text(q, 8, p->binding, sizeof p->binding);
    p->p50_ns = (uint64_t)sqlite3_column_int64(q, 9);
    p->p90_ns = (uint64_t)sqlite3_column_int64(q, 10);
    p->p99_ns = (uint64_t)sqlite3_column_int64(q, 11);
    p->max_ns = (uint64_t)sqlite3_column_int64(q, 12);
    p->cycles = known_of(q, 13);
    p->instructions = known_of(q, 14);
    p->cache_misses = known_of(q, 15);
    p->voluntary_switches = known_of(q, 16);
    p->involuntary_switches = known_of(q, 17);
}

/* The samples of one window. */
static int read_samples(struct store *s, sqlite3_stmt *q, int64_t window, struct measurement *w,
                        struct mistake *m)
{
    int status, room = 0;

    sqlite3_reset(q);
    sqlite3_bind_int64(q, 1, window);
    while ((status = sqlite3_step(q)) == SQLITE_ROW && w->samples < WORKERS_MAX) {
        if (w->samples == room) {
            struct sample *more;

            room = room ? 2 * room : 4;
            more = realloc(w->sample, (size_t)room * sizeof *more);
            if (!more)
                return mistake_set(m, "%s: no memory", s->path);
            w->sample = more;
        }
        w->sample[w->samples] = (struct sample){ 0 };
        read_sample(q, &w->sample[w->samples++]);
    }
    return status == SQLITE_DONE || status == SQLITE_ROW ? 0 : store_fail(s, m);
}

static void read_hot(sqlite3_stmt *q, struct hot *h)
{
    copy_text(q, 0, h->type, sizeof h->type);
    copy_text(q, 1, h->site, sizeof h->site);
    h->alone = sqlite3_column_int(q, 2);
    h->objects = (uint64_t)sqlite3_column_int64(q, 3);
    h->threads = sqlite3_column_int(q, 4);
    h->own = (uint64_t)sqlite3_column_int64(q, 5);
    h->foreign = (uint64_t)sqlite3_column_int64(q, 6);
    h->retries = (uint64_t)sqlite3_column_int64(q, 7);
}

/* What is most contended in a window that has counted it. */
static int read_contended(struct store *s, int64_t window, struct contention *c, struct mistake *m)
{
    sqlite3_stmt *q = store_prepare(s, "SELECT type, site, alone, objects, threads, own_ops, "
                                    "foreign_ops, retries FROM contended WHERE window = ? "
                                    "ORDER BY rank", m);
    int status;

    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, window);
    while ((status = sqlite3_step(q)) == SQLITE_ROW && c->count < HOT_MOST)
        read_hot(q, &c->hot[c->count++]);
    status = status == SQLITE_DONE || status == SQLITE_ROW ? 0 : store_fail(s, m);
    sqlite3_finalize(q);
    return status;
}

/* Of a window whose samples have been read; a file of an earlier lab has none. They are all
 * there, or the window has none. */
static int read_turns(struct store *s, int64_t window, struct measurement *w, struct mistake *m)
{
    sqlite3_stmt *q = s->schema < 3 ? NULL : store_prepare(s, "SELECT * FROM turns WHERE window = ? "
                                                           "ORDER BY role, worker", m);
    int count = 0, status;

    if (!q)
        return s->schema < 3 ? 0 : -1;
    sqlite3_bind_int64(q, 1, window);
    w->turns = calloc((size_t)w->samples + 1, sizeof *w->turns);
    while ((status = sqlite3_step(q)) == SQLITE_ROW && w->turns && count <= w->samples) {
        for (int i = 0; i < TURNS_NUMBERS; i++)
            w->turns[count].number[i] = (uint64_t)sqlite3_column_int64(q, 4 + i);
        count++;
    }
    if (count != w->samples + 1) {
        free(w->turns);
        w->turns = NULL;
    }
    status = status == SQLITE_DONE || status == SQLITE_ROW ? 0 : store_fail(s, m);
    sqlite3_finalize(q);
    return status;
}

/* Where a window of this block goes. Blocks that are missing are rounds that were skipped. NULL
 * and a mistake if there is none. */
static struct measurement *room_for(const struct store *s, struct outcome *o,
                                    enum window_kind kind, int block, int *missing, struct mistake *m)
{
    const bool timed = kind == WINDOW_TIMED;
    struct measurement *w = NULL;

    if (timed ? o->rounds >= block : (kind == WINDOW_AUDIT ? o->audit : o->stats) != NULL) {
        mistake_set(m, "%s: is damaged: it has a window twice", s->path);
        return NULL;
    }
    *missing += timed ? block - o->rounds - 1 : 0;
    if (*missing > MISSING_MOST) {
        mistake_set(m, "%s: is damaged: more than %d rounds are missing", s->path, MISSING_MOST);
        return NULL;
    }
    if (!timed)
        w = outcome_window(o, kind);
    while (timed && o->rounds < block && (w = outcome_window(o, kind)))
        w->status = STATUS_SKIPPED;
    if (!w)
        mistake_set(m, "%s: no memory", s->path);
    return w;
}

/* The window in this row, with its samples. */
static int read_row(struct store *s, sqlite3_stmt *q, sqlite3_stmt *samples, struct results *r,
                    int *missing, int *sequence, struct mistake *m)
{
    int64_t number = sqlite3_column_int64(q, 23), block = sqlite3_column_int64(q, 2);
    enum window_kind kind = kind_of(word_of(q, 1));
    struct measurement *w;

    if (number < 0 || number >= (int64_t)r->count || block < (kind == WINDOW_TIMED) ||
        block > ROUNDS_MAX)
        return mistake_set(m, "%s: is damaged: it has a window that belongs to no cell", s->path);
    w = room_for(s, &r->outcome[number], kind, (int)block, missing, m);
    if (!w)
        return -1;
    read_window(q, w);
    if (read_contention(q, w) < 0)
        return mistake_set(m, "%s: no memory", s->path);
    if (w->contention && read_contended(s, sqlite3_column_int64(q, 0), w->contention, m) < 0)
        return -1;
    if (w->occasion.sequence > *sequence)
        *sequence = w->occasion.sequence;
    if (read_samples(s, samples, sqlite3_column_int64(q, 0), w, m) < 0)
        return -1;
    return kind == WINDOW_STATS ? read_turns(s, sqlite3_column_int64(q, 0), w, m) : 0;
}

int store_load_windows(struct store *s, const struct run *run, struct results *r, int *sequence,
                       struct mistake *m)
{
    static const char *const by_schema[] = {
        [1] = WINDOWS_OF_RUN(NO_COUNTS ", " NO_PAUSES ", " NO_USAGE),
        [2] = WINDOWS_OF_RUN(COUNTS ", " NO_PAUSES ", " NO_USAGE),
        [3] = WINDOWS_OF_RUN(COUNTS ", " PAUSES ", " NO_USAGE),
        [4] = WINDOWS_OF_RUN(COUNTS ", " PAUSES ", " NO_USAGE),
        [5] = WINDOWS_OF_RUN(COUNTS ", " PAUSES ", " USAGE),
    };
    sqlite3_stmt *q = store_prepare(s, by_schema[s->schema], m);
    sqlite3_stmt *samples = store_prepare(s, "SELECT window, role, worker, name, ops, cpu_s, "
        "planned_pu, "
        "observed_pu, binding, p50_ns, p90_ns, p99_ns, max_ns, cycles, instructions, "
        "cache_misses, voluntary_switches, involuntary_switches FROM samples WHERE window = ?",
        m);
    int status = q && samples ? 0 : -1, step = SQLITE_DONE, missing = 0;

    *sequence = 0;
    begin_reading(s);
    if (status == 0)
        sqlite3_bind_int64(q, 1, run->id);
    while (status == 0 && (step = sqlite3_step(q)) == SQLITE_ROW)
        status = read_row(s, q, samples, r, &missing, sequence, m);
    if (status == 0 && step != SQLITE_DONE)
        status = store_fail(s, m);
    end_reading(s);
    sqlite3_finalize(q);
    sqlite3_finalize(samples);
    return status;
}

int store_load(struct store *s, const struct run *run, struct results *r, struct mistake *m)
{
    struct cell *cell = run->cells <= CELLS_MOST + 2 ? calloc(run->cells + 1, sizeof *cell) : NULL;
    size_t count = 0;
    int status = -1, sequence;

    *r = (struct results){ 0 };
    if (!cell)
        mistake_set(m, "%s: no memory for %zu cells", s->path, run->cells);
    else if (read_cells(s, run, cell, &count, m) == 0 &&
             results_init(r, cell, count, run->cores, run->settings.precision) < 0)
        mistake_set(m, "%s: no memory for %zu cells", s->path, count);
    else
        status = r->outcome ? 0 : -1;
    free(cell);
    if (status == 0 && store_load_windows(s, run, r, &sequence, m) < 0) {
        results_free(r);
        status = -1;
    }
    return status;
}
