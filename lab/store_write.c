/* store_write.c - what goes into the results file. */
#include "lab/store_private.h"

#include "lab/facts.h"
#include "lab/intern.h"
#include "lab/provenance.h"

#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Looked at once: it takes some milliseconds. */
const struct machine *store_machine(struct mistake *m)
{
    static struct machine machine;

    return machine.xml || machine_look(&machine, m) == 0 ? &machine : NULL;
}

/* What is true of this process until its end. */
static const struct facts *these_facts(void)
{
    static struct facts facts;

    if (!facts.count) {
        provenance_machine(&facts, "");
        provenance_software(&facts);
    }
    return &facts;
}

/* The hash of this program. */
const char *store_build(void)
{
    const char *hash = facts_get(these_facts(), "binary_sha256");

    return hash ? hash : "";
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
}

/* Negative is how the lab says "not known". */
static void bind_known(sqlite3_stmt *statement, int at, int64_t value)
{
    if (value < 0)
        sqlite3_bind_null(statement, at);
    else
        sqlite3_bind_int64(statement, at, value);
}

static void bind_share(sqlite3_stmt *statement, int at, double value)
{
    if (value < 0)
        sqlite3_bind_null(statement, at);
    else
        sqlite3_bind_double(statement, at, value);
}

static void make_uuid(char text[37])
{
    unsigned char b[16];

    if (getrandom(b, sizeof b, 0) != sizeof b)
        sqlite3_randomness(sizeof b, b);
    b[6] = (unsigned char)(0x40 | (b[6] & 0x0f)); /* version 4 (RFC 9562) */
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
             b[13], b[14], b[15]);
}

static void now_text(char text[32])
{
    time_t now = time(NULL);

    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
}

static int write_machine(struct store *s, int64_t *id, struct mistake *m)
{
    const struct machine *machine = store_machine(m);
    struct utsname host;
    sqlite3_stmt *q = store_prepare(s, "INSERT INTO machines (key, host, synthetic, hwloc_xml) "
                              "VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET host = host "
                              "RETURNING machine", m);

    if (!q || !machine) {
        sqlite3_finalize(q);
        return -1;
    }
    bind_text(q, 1, machine->key);
    bind_text(q, 2, uname(&host) == 0 ? host.nodename : NULL);
    bind_text(q, 3, machine->synthetic);
    bind_text(q, 4, machine->xml);
    if (sqlite3_step(q) == SQLITE_ROW)
        *id = sqlite3_column_int64(q, 0);
    return store_finish(s, q, m);
}

static void bind_settings(sqlite3_stmt *q, int at, const struct settings *t)
{
    sqlite3_bind_int64(q, at++, (int64_t)t->seed);
    bind_text(q, at++, placing_names[t->placing]);
    sqlite3_bind_double(q, at++, t->window_s);
    sqlite3_bind_double(q, at++, t->ramp_s);
    sqlite3_bind_double(q, at++, t->timeout_s);
    sqlite3_bind_int64(q, at++, (int64_t)(t->memory_bytes > INT64_MAX ? INT64_MAX
                                                                     : t->memory_bytes));
    bind_text(q, at++, bind_names[t->bind]);
    sqlite3_bind_int(q, at++, t->rounds_least);
    sqlite3_bind_int(q, at++, t->rounds_most);
    sqlite3_bind_double(q, at++, t->precision);
    sqlite3_bind_double(q, at++, t->budget_s);
}

static int write_run(struct store *s, const struct plan *plan, int64_t machine, int64_t *run,
                     struct mistake *m)
{
    sqlite3_stmt *q = store_prepare(s, "INSERT INTO runs (uuid, machine, matrix, source, plan, "
        "build, "
        "cores, started, seed, placing, window_s, ramp_s, timeout_s, memory_bytes, bind, "
        "rounds_least, rounds_most, precision, budget_s) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", m);
    char uuid[37], hash[17], started[32];

    if (!q)
        return -1;
    make_uuid(uuid);
    plan_hash(plan, hash);
    now_text(started);
    bind_text(q, 1, uuid);
    sqlite3_bind_int64(q, 2, machine);
    bind_text(q, 3, plan->name);
    bind_text(q, 4, plan->source);
    bind_text(q, 5, hash);
    bind_text(q, 6, store_build());
    sqlite3_bind_int(q, 7, plan->cores);
    bind_text(q, 8, started);
    bind_settings(q, 9, &plan->settings);
    if (store_finish(s, q, m) < 0)
        return -1;
    *run = sqlite3_last_insert_rowid(s->database);
    return 0;
}

static void bind_cell(sqlite3_stmt *q, const struct cell *c)
{
    const char *texts[] = { c->workload, c->mode, c->policy, c->gil, c->heap, c->build, c->about,
                            kind_names[c->kind], c->unit, shares_names[c->shares] };
    int numbers[] = { c->threads, c->control, c->counted, c->workers, c->base, c->safe,
                      c->miscounts };
    int at = 3;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        sqlite3_bind_text(q, at++, texts[i], -1, SQLITE_STATIC);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sqlite3_bind_int(q, at++, numbers[i]);
    sqlite3_bind_text(q, at++, c->refusal, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, at++, c->execution_unit, -1, SQLITE_STATIC);
    bind_known(q, at++, c->units ? c->units : -1);
    sqlite3_bind_int(q, at, c->carriers);
}

static int write_facts(struct store *s, int64_t run, const char *moment, const struct facts *f,
                       struct mistake *m)
{
    sqlite3_stmt *q = store_prepare(s, "INSERT OR REPLACE INTO facts (run, moment, name, value) "
                              "VALUES (?, ?, ?, ?)", m);
    int status = q ? 0 : -1;

    for (int i = 0; i < f->count && status == 0; i++) {
        sqlite3_bind_int64(q, 1, run);
        bind_text(q, 2, moment);
        bind_text(q, 3, f->fact[i].name);
        bind_text(q, 4, f->fact[i].value);
        if (sqlite3_step(q) != SQLITE_DONE)
            status = store_fail(s, m);
        sqlite3_reset(q);
    }
    sqlite3_finalize(q);
    return status;
}

/* "before" or "after" */
static int write_moment(struct store *s, int64_t run, const char *moment, struct mistake *m)
{
    struct facts facts = { 0 };
    int status;

    provenance_changing(&facts, "");
    status = write_facts(s, run, moment, &facts, m);
    facts_free(&facts);
    return status;
}

static int write_cells(struct store *s, const struct plan *plan, int64_t run, struct mistake *m)
{
    sqlite3_stmt *q = store_prepare(s, "INSERT INTO cells (run, number, " CELL_COLUMNS ") VALUES "
                              "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", m);
    int status = q ? 0 : -1;

    for (size_t i = 0; i < plan->count && status == 0; i++) {
        sqlite3_bind_int64(q, 1, run);
        sqlite3_bind_int64(q, 2, (int64_t)i);
        bind_cell(q, &plan->cell[i]);
        if (sqlite3_step(q) != SQLITE_DONE)
            status = store_fail(s, m);
        sqlite3_reset(q);
    }
    sqlite3_finalize(q);
    return status;
}

/* What is written into a file that has no name any more is gone when we are. */
static int check_there(struct store *s, struct mistake *m)
{
    int moved = 0;

    sqlite3_file_control(s->database, NULL, SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved ? mistake_set(m, "%s: was deleted or replaced while it was written: what was "
                               "measured is lost, but for what is shown", s->path) : 0;
}

/* Ends a transaction: commits what was `good`, else undoes it and keeps the mistake. */
static int settle(struct store *s, bool good, struct mistake *m)
{
    if (good && store_execute(s, "COMMIT", m) == 0)
        return check_there(s, m);
    sqlite3_exec(s->database, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

/* Of the file's runs this one is the one that is going on: who writes is alone. */
int store_resume(struct store *s, int64_t run, struct mistake *m)
{
    sqlite3_stmt *q = store_prepare(s, "UPDATE runs SET pid = CASE run WHEN ?1 THEN ?2 END "
                              "WHERE run = ?1 OR pid IS NOT NULL", m);

    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    sqlite3_bind_int64(q, 2, getpid());
    return store_finish(s, q, m);
}

/* Which programs they were that are compared with this one. */
static int write_builds(struct store *s, const struct plan *plan, int64_t run, struct mistake *m)
{
    struct facts facts = { 0 };
    const char *last = "";
    int status;

    for (size_t i = 0; i < plan->count; i++) {
        const struct cell *c = &plan->cell[i];
        char name[LABEL_MAX + 32];

        snprintf(name, sizeof name, "build_sha256 %s", c->build);
        if (*c->build && c->build != last && !facts_get(&facts, intern(name)))
            facts_add(&facts, intern(name), c->build_hash);
        last = c->build;
    }
    status = write_facts(s, run, "run", &facts, m);
    facts_free(&facts);
    return status;
}

int store_begin(struct store *s, const struct plan *plan, int64_t *run, struct mistake *m)
{
    int64_t id = 0;

    if (store_execute(s, "BEGIN IMMEDIATE", m) < 0)
        return -1;
    return settle(s, write_machine(s, &id, m) == 0 &&
                         write_run(s, plan, id, run, m) == 0 && store_resume(s, *run, m) == 0 &&
                         write_cells(s, plan, *run, m) == 0 &&
                         write_facts(s, *run, "run", these_facts(), m) == 0 &&
                         write_builds(s, plan, *run, m) == 0 &&
                         write_moment(s, *run, "before", m) == 0, m);
}

/* Prepares the statement when it is first needed. */
static int prepare_once(struct store *s, sqlite3_stmt **q, const char *sql, struct mistake *m)
{
    if (!*q)
        *q = store_prepare(s, sql, m);
    return *q ? 0 : -1;
}

enum { MEMORY_COLUMNS = 4 };

static void bind_memory(sqlite3_stmt *q, int at, const struct heap_counts *memory)
{
    sqlite3_bind_int64(q, at++, memory->live); /* below 0: freed more often than made */
    sqlite3_bind_int64(q, at++, memory->most);
    sqlite3_bind_int64(q, at++, memory->asked_bytes);
    bind_known(q, at++, memory->taken_bytes);
}

static void bind_contention(sqlite3_stmt *q, int at, const struct contention *c)
{
    uint64_t counts[] = { c->own, c->foreign, c->retries, c->merges, c->queued, c->most_queued,
                          c->most_held_bytes, c->crowded, c->incomplete };
    uint64_t delays[] = { c->delay_p50_ns, c->delay_p99_ns, c->delay_max_ns };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        sqlite3_bind_int64(q, at++, (int64_t)counts[i]);
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++)
        bind_known(q, at++, c->queued ? (int64_t)delays[i] : -1);
}

enum { COLLECTIONS_COLUMNS = 7 };

static void bind_collections(sqlite3_stmt *q, int at, const struct collections *c)
{
    uint64_t counts[] = { c->young, c->all, c->garbage };
    uint64_t pauses[] = { c->total_ns, c->p50_ns, c->p99_ns, c->longest_ns };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        sqlite3_bind_int64(q, at++, (int64_t)counts[i]);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++)
        bind_known(q, at++, c->young + c->all ? (int64_t)pauses[i] : -1);
}

enum { CONTENTION_COLUMNS = 12 };

static void bind_usage(sqlite3_stmt *q, int at, const struct measurement *w)
{
    const struct usage *u = &w->usage;
    const struct latency *l = &w->latency;
    uint64_t latencies[] = { l->p50_ns, l->p90_ns, l->p99_ns, l->p999_ns, l->max_ns };

    sqlite3_bind_double(q, at++, u->cpu_seconds);
    sqlite3_bind_int64(q, at++, u->voluntary_switches);
    sqlite3_bind_int64(q, at++, u->involuntary_switches);
    bind_known(q, at++, u->connections ? u->connections : -1);
    bind_known(q, at++, u->grown_bytes);
    for (size_t i = 0; i < sizeof latencies / sizeof *latencies; i++)
        bind_known(q, at++, l->max_ns ? (int64_t)latencies[i] : -1);
}

/* What was not measured is not there. */
static void bind_measured(sqlite3_stmt *q, int at, const struct measurement *w)
{
    const struct damage *d = &w->damage;
    uint64_t counts[] = { w->lost, d->published, d->off, d->over, d->under, d->leaked, d->early,
                          d->kept_bytes };

    if (!measured(w))
        return;
    sqlite3_bind_double(q, at++, w->seconds);
    sqlite3_bind_double(q, at++, w->overlap);
    bind_known(q, at++, w->max_rss_bytes ? (int64_t)w->max_rss_bytes : -1);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        sqlite3_bind_int64(q, at++, (int64_t)counts[i]);
    bind_known(q, at++, w->handed_over ? (int64_t)w->handed_over : -1);
    bind_known(q, at++, w->handed_over ? (int64_t)w->held_back : -1);
    if (w->counted)
        bind_memory(q, at, &w->memory);
    at += MEMORY_COLUMNS;
    if (w->watched)
        bind_collections(q, at, &w->collections);
    at += COLLECTIONS_COLUMNS;
    if (w->contention)
        bind_contention(q, at, w->contention);
    at += CONTENTION_COLUMNS;
    if (w->used)
        bind_usage(q, at, w);
}

/* The number of the row is *id. */
static int write_window(struct store *s, int64_t run, size_t cell, const struct measurement *w,
                        int64_t *id, struct mistake *m)
{
    const struct occasion *o = &w->occasion;
    sqlite3_stmt *q;

    if (prepare_once(s, &s->window, "INSERT INTO windows (cell, kind, block, sequence, started, "
            "started_ns, took_s, status, note, steal, busy, mhz, seconds, overlap, max_rss_bytes, "
            "lost, published, off, over, under, leaked, early, kept_bytes, "
            "handed_over, held_back, live_objects, most_objects, asked_bytes, taken_bytes, "
            "young_collections, all_collections, garbage, pause_total_ns, pause_p50_ns, "
            "pause_p99_ns, pause_max_ns, "
            "own_ops, foreign_ops, retries, merges, queued, most_queued, most_held_bytes, crowded, "
            "incomplete, delay_p50_ns, delay_p99_ns, delay_max_ns, "
            "process_cpu_s, process_voluntary_switches, process_involuntary_switches, "
            "connections, grown_bytes, latency_p50_ns, latency_p90_ns, latency_p99_ns, "
            "latency_p999_ns, latency_max_ns) "
            "SELECT cell, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
            "?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, "
            "?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, ?44, ?45, ?46, ?47, ?48, ?49, "
            "?50, ?51, ?52, ?53, ?54, ?55, ?56, ?57, ?58, ?59 "
            "FROM cells WHERE run = ?1 AND number = ?2", m) < 0)
        return -1;
    q = s->window;
    sqlite3_bind_int64(q, 1, run);
    sqlite3_bind_int64(q, 2, (int64_t)cell);
    bind_text(q, 3, window_names[o->kind]);
    sqlite3_bind_int(q, 4, o->block);
    sqlite3_bind_int(q, 5, o->sequence);
    bind_text(q, 6, o->started);
    sqlite3_bind_int64(q, 7, (int64_t)o->started_ns);
    sqlite3_bind_double(q, 8, o->took_s);
    bind_text(q, 9, status_name(w->status));
    bind_text(q, 10, w->note);
    bind_share(q, 11, o->steal);
    bind_share(q, 12, o->busy);
    bind_share(q, 13, o->mhz);
    bind_measured(q, 14, w);
    if (sqlite3_step(q) != SQLITE_DONE)
        return store_fail(s, m);
    *id = sqlite3_last_insert_rowid(s->database);
    return 0;
}

static void bind_sample(sqlite3_stmt *q, int64_t window, const struct sample *p)
{
    uint64_t latencies[] = { p->p50_ns, p->p90_ns, p->p99_ns, p->max_ns };
    int64_t counts[] = { p->cycles, p->instructions, p->cache_misses, p->voluntary_switches,
                         p->involuntary_switches };
    int at = 10;

    sqlite3_bind_int64(q, 1, window);
    sqlite3_bind_int(q, 2, p->role_index);
    sqlite3_bind_int(q, 3, p->worker);
    bind_text(q, 4, p->role);
    sqlite3_bind_int64(q, 5, (int64_t)p->ops);
    sqlite3_bind_double(q, 6, p->cpu_seconds);
    bind_known(q, 7, p->planned_pu);
    bind_known(q, 8, p->observed_pu);
    bind_text(q, 9, p->binding);
    for (size_t i = 0; i < sizeof latencies / sizeof *latencies; i++)
        bind_known(q, at++, p->p50_ns ? (int64_t)latencies[i] : -1);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        bind_known(q, at++, counts[i]);
}

static void bind_hot(sqlite3_stmt *q, int64_t window, int rank, const struct hot *h)
{
    uint64_t counts[] = { h->alone, h->objects, (uint64_t)h->threads, h->own, h->foreign,
                          h->retries };

    sqlite3_bind_int64(q, 1, window);
    sqlite3_bind_int(q, 2, rank);
    bind_text(q, 3, h->type);
    bind_text(q, 4, h->site);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        sqlite3_bind_int64(q, 5 + (int)i, (int64_t)counts[i]);
}

static int write_contended(struct store *s, int64_t window, const struct measurement *w,
                           struct mistake *m)
{
    int count = w->contention && measured(w) ? w->contention->count : 0;

    if (prepare_once(s, &s->hot, "INSERT INTO contended (window, rank, type, site, alone, objects, "
                     "threads, own_ops, foreign_ops, retries) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", m) < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        bind_hot(s->hot, window, i + 1, &w->contention->hot[i]);
        if (sqlite3_step(s->hot) != SQLITE_DONE)
            return store_fail(s, m);
        sqlite3_reset(s->hot);
    }
    return 0;
}

static void bind_turns(sqlite3_stmt *q, int64_t window, const struct sample *of,
                       const struct turns *t)
{
    sqlite3_bind_int64(q, 1, window);
    sqlite3_bind_int(q, 2, of ? of->role_index : -1);
    sqlite3_bind_int(q, 3, of ? of->worker : 0);
    bind_text(q, 4, of ? of->role : "lock");
    for (int i = 0; i < TURNS_NUMBERS; i++)
        bind_known(q, 5 + i, turns_lacks(t, i) ? -1 : (int64_t)t->number[i]);
}

static int write_turns(struct store *s, int64_t window, const struct measurement *w,
                       struct mistake *m)
{
    if (prepare_once(s, &s->turns, "INSERT INTO turns VALUES "
                     "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", m) < 0)
        return -1;
    for (int i = 0; w->turns && measured(w) && i <= w->samples; i++) {
        bind_turns(s->turns, window, i ? &w->sample[i - 1] : NULL, &w->turns[i]);
        if (sqlite3_step(s->turns) != SQLITE_DONE)
            return store_fail(s, m);
        sqlite3_reset(s->turns);
    }
    return 0;
}

static int write_samples(struct store *s, int64_t window, const struct measurement *w,
                         struct mistake *m)
{
    if (prepare_once(s, &s->sample, "INSERT INTO samples (window, role, worker, name, ops, cpu_s, "
                  "planned_pu, observed_pu, binding, p50_ns, p90_ns, p99_ns, max_ns, cycles, "
                  "instructions, cache_misses, voluntary_switches, involuntary_switches) "
                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", m) < 0)
        return -1;
    for (int i = 0; i < w->samples; i++) {
        bind_sample(s->sample, window, &w->sample[i]);
        if (sqlite3_step(s->sample) != SQLITE_DONE)
            return store_fail(s, m);
        sqlite3_reset(s->sample);
    }
    return 0;
}

int store_window(struct store *s, int64_t run, size_t cell, const struct measurement *w,
                 struct mistake *m)
{
    int64_t id = 0;
    int status;

    if (store_execute(s, "BEGIN IMMEDIATE", m) < 0)
        return -1;
    status = settle(s, write_window(s, run, cell, w, &id, m) == 0 &&
                           write_samples(s, id, w, m) == 0 &&
                           write_contended(s, id, w, m) == 0 &&
                           write_turns(s, id, w, m) == 0, m);
    if (s->window) {
        sqlite3_reset(s->window);
        sqlite3_clear_bindings(s->window);
    }
    sqlite3_reset(s->sample);
    sqlite3_reset(s->hot);
    sqlite3_reset(s->turns);
    return status;
}

sqlite3_stmt *store_tidy(struct store *s, int64_t run, size_t cell, int sequence,
                         struct mistake *m)
{
    sqlite3_stmt **q = sequence ? &s->tidy : &s->all;

    if (prepare_once(s, q, sequence ? "SELECT * FROM tidy WHERE cell = (SELECT cell FROM cells "
                                   "WHERE run = ?1 AND number = ?2) AND sequence = ?3"
                                 : "SELECT * FROM tidy WHERE run = (SELECT uuid FROM runs "
                                   "WHERE run = ?1) ORDER BY sequence, cell", m) < 0)
        return NULL;
    sqlite3_reset(*q);
    sqlite3_bind_int64(*q, 1, run);
    if (sequence) {
        sqlite3_bind_int64(*q, 2, (int64_t)cell);
        sqlite3_bind_int(*q, 3, sequence);
    }
    return *q;
}

static int write_end(struct store *s, int64_t run, struct mistake *m)
{
    sqlite3_stmt *q = store_prepare(s, "UPDATE runs SET ended = coalesce(ended, ?), pid = NULL "
                              "WHERE run = ?", m);
    char ended[32];

    if (!q)
        return -1;
    now_text(ended);
    bind_text(q, 1, ended);
    sqlite3_bind_int64(q, 2, run);
    return store_finish(s, q, m);
}

int store_end(struct store *s, int64_t run, struct mistake *m)
{
    if (store_execute(s, "BEGIN IMMEDIATE", m) < 0)
        return -1;
    return settle(s, write_end(s, run, m) == 0 && write_moment(s, run, "after", m) == 0, m);
}
