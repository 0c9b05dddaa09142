/* store.c - the results file. */
#include "lab/store.h"

#include "lab/intern.h"
#include "lab/facts.h"
#include "lab/machine.h"
#include "lab/provenance.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x6c616221, BUSY_MS = 10000 };

/* What a file may ask of us that somebody else has made: so many of SQLite's steps (to read all
 * once takes about one for each byte), so long a text, so many rounds that are missing. */
enum { STEPS_A_BYTE = 100, STEPS_LEAST = 10000000, STEPS_A_LOOK = 1000 };
enum { TEXT_MOST = 64 << 20, MISSING_MOST = 100000 };

/* The byte that a writer locks: far behind those that SQLite locks in the same file. */
enum { LOCK_BYTE = 0x7ffffff0 };

struct store {
    sqlite3 *database;
    const char *path;  /* interned; as the user wrote it */
    const char *file;  /* interned; the same as SQLite must get it */
    int lock;          /* descriptor that holds the writer's lock; -1: none */
    bool writes;
    int64_t steps_left; /* before what is being read is given up */
    sqlite3_stmt *window, *sample, *tidy, *all; /* made when first needed */
};

/* Looked at once: it takes some milliseconds. */
static const struct machine *this_machine(struct mistake *m)
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
static const char *this_build(void)
{
    const char *hash = facts_get(these_facts(), "binary_sha256");

    return hash ? hash : "";
}

/* The schema as it was when this was compiled. */
__asm__(".section .rodata\n"
        ".global schema_sql\n"
        "schema_sql: .incbin \"lab/schema.sql\"\n"
        ".byte 0\n"
        ".previous\n");

static int fail(const struct store *s, struct mistake *m)
{
    if (sqlite3_errcode(s->database) == SQLITE_INTERRUPT)
        return mistake_set(m, "%s: is damaged: it takes too long to read", s->path);
    return mistake_set(m, "%s: %s", s->path, sqlite3_errmsg(s->database));
}

static int execute(struct store *s, const char *sql, struct mistake *m)
{
    return sqlite3_exec(s->database, sql, NULL, NULL, NULL) ? fail(s, m) : 0;
}

/* What remains of a statement that was stepped for its effect alone. */
static int finish(struct store *s, sqlite3_stmt *statement, struct mistake *m)
{
    int status = sqlite3_step(statement) == SQLITE_DONE ? 0 : fail(s, m);

    sqlite3_finalize(statement);
    return status;
}

static sqlite3_stmt *prepare(struct store *s, const char *sql, struct mistake *m)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(s->database, sql, -1, &statement, NULL))
        fail(s, m);
    return statement;
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
}

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

/* Opening and closing */

/* SQLite knows names that mean no file: ":memory:" and whatever begins with "file:". */
static const char *file_name(const char *path, enum store_access access)
{
    char *text;
    const char *name;

    if (*path == '/' || (access == STORE_WRITE && !strcmp(path, ":memory:")))
        return intern(path);
    text = sqlite3_mprintf("./%s", path);
    name = intern(text ? text : path);
    sqlite3_free(text);
    return name;
}

/* Only of a plain file: to open a pipe would wait for whoever is at its other end. */
static int check_kind(const struct store *s, struct mistake *m)
{
    struct stat status;

    if (!*s->path || stat(s->path, &status) < 0)
        return s->writes ? 0 : mistake_set(m, "%s: %s", s->path, errno == ENOENT || !*s->path
                                           ? "there is no such file" : strerror(errno));
    if (S_ISREG(status.st_mode))
        return 0;
    return mistake_set(m, "%s: is %s, and no results file", s->path,
                       S_ISDIR(status.st_mode) ? "a folder" : "no plain file");
}

/* One writer, for as long as it lives: the lock belongs to this open file, not to the
 * process, so that closing another descriptor does not drop it, as closing drops SQLite's
 * own; and a process that is killed leaves none. */
static int take_lock(struct store *s, struct mistake *m)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_BYTE,
                          .l_len = 1 };

    s->lock = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock < 0)
        return mistake_set(m, "%s: cannot be written: %s", s->path, strerror(errno));
    if (fcntl(s->lock, F_OFD_SETLK, &lock) == 0)
        return 0;
    if (errno == EAGAIN || errno == EACCES)
        return mistake_set(m, "%s: another lab is writing to it; `lab status %s` shows how far "
                           "it is", s->path, s->path);
    return mistake_set(m, "%s: cannot be locked: %s", s->path, strerror(errno));
}

bool store_is_busy(const char *path)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_BYTE,
                          .l_len = 1 };
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool busy;

    if (file < 0)
        return false;
    busy = fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(file);
    return busy;
}

static int64_t pragma(struct store *s, const char *name)
{
    char sql[64];
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;

    snprintf(sql, sizeof sql, "PRAGMA %s", name);
    if (sqlite3_prepare_v2(s->database, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* A file may come from anywhere: nothing in it is run. A view or a virtual table in the place
 * of a table could do anything, and without end. */
static int distrust(struct store *s, struct mistake *m)
{
    static const char tables[] =
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND "
        "name IN ('machines', 'runs', 'facts', 'cells', 'windows', 'samples')";
    sqlite3_stmt *q;
    int64_t found;

    sqlite3_db_config(s->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_limit(s->database, SQLITE_LIMIT_LENGTH, TEXT_MOST);
    q = prepare(s, tables, m);
    if (!q)
        return -1;
    found = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : -1;
    sqlite3_finalize(q);
    return found == 6 ? 0 : mistake_set(m, "%s: is damaged: its tables are not those of a results "
                                        "file", s->path);
}

/* 1: it is ours; 0: it is empty; -1 and a mistake. */
static int recognise(struct store *s, struct mistake *m)
{
    int64_t tables = pragma(s, "schema_version"), id, version;

    if (tables < 0 && sqlite3_errcode(s->database) == SQLITE_NOTADB)
        return mistake_set(m, "%s: is not a results file of the lab", s->path);
    if (tables < 0)
        return fail(s, m);
    id = pragma(s, "application_id");
    version = pragma(s, "user_version");
    if (tables == 0 && id == 0 && version == 0)
        return 0;
    if (id != APPLICATION_ID)
        return mistake_set(m, "%s: is a database, but no results file of the lab", s->path);
    if (version != SCHEMA_VERSION)
        return mistake_set(m, "%s: was written by %s lab (schema %lld; this one has %d)", s->path,
                           version > SCHEMA_VERSION ? "a later" : "an earlier", (long long)version,
                           SCHEMA_VERSION);
    return distrust(s, m) < 0 ? -1 : 1;
}

static int make_tables(struct store *s, struct mistake *m)
{
    if (execute(s, "BEGIN IMMEDIATE", m) < 0)
        return -1;
    if (execute(s, schema_sql, m) == 0 && execute(s, "COMMIT", m) == 0)
        return 0;
    sqlite3_exec(s->database, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

/* The log makes a commit cheap and lets others read meanwhile. NORMAL: after a loss of power
 * the file is whole, but may lack the last windows; after kill -9 it lacks none. */
static int open_to_write(struct store *s, struct mistake *m)
{
    int known;

    if (strcmp(s->file, ":memory:") && (check_kind(s, m) < 0 || take_lock(s, m) < 0))
        return -1;
    if (sqlite3_open_v2(s->file, &s->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
        return fail(s, m);
    sqlite3_busy_timeout(s->database, BUSY_MS);
    known = recognise(s, m);
    if (known < 0 || (known == 0 && make_tables(s, m) < 0))
        return -1;
    return execute(s, "PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; "
                   "PRAGMA synchronous = NORMAL", m);
}

/* Beside a log that a killed run has left SQLite wants to write an index of it. Where it may
 * not, in a folder that is read-only, the index can be kept in memory by who is alone with
 * the file. We are: who writes here has that index beside the file. */
static int open_alone(struct store *s, struct mistake *m)
{
    sqlite3_close(s->database);
    s->database = NULL;
    if (sqlite3_open_v2(s->file, &s->database, SQLITE_OPEN_READONLY, "unix-none"))
        return fail(s, m);
    return execute(s, "PRAGMA locking_mode = EXCLUSIVE", m);
}

static int open_to_read(struct store *s, struct mistake *m)
{
    int known;

    if (check_kind(s, m) < 0)
        return -1;
    if (access(s->path, R_OK) < 0)
        return mistake_set(m, "%s: cannot be read: %s", s->path, strerror(errno));
    if (sqlite3_open_v2(s->file, &s->database, SQLITE_OPEN_READONLY, NULL))
        return fail(s, m);
    sqlite3_busy_timeout(s->database, BUSY_MS);
    known = recognise(s, m);
    if (known < 0 && sqlite3_errcode(s->database) == SQLITE_CANTOPEN)
        known = open_alone(s, m) == 0 ? recognise(s, m) : -1;
    if (known == 0)
        return mistake_set(m, "%s: is empty", s->path);
    return known < 0 ? -1 : 0;
}

struct store *store_open(const char *path, enum store_access access, struct mistake *m)
{
    struct store *s = calloc(1, sizeof *s);

    if (!s) {
        mistake_set(m, "%s: no memory", path);
        return NULL;
    }
    s->path = intern(path);
    s->file = file_name(path, access);
    s->lock = -1;
    s->writes = access == STORE_WRITE;
    if ((s->writes ? open_to_write(s, m) : open_to_read(s, m)) == 0)
        return s;
    store_close(s);
    return NULL;
}

/* At rest a file is one file, which can be copied and read anywhere. If somebody reads it just
 * now, it keeps its log until the next writer closes it. */
void store_close(struct store *s)
{
    if (!s)
        return;
    sqlite3_finalize(s->window);
    sqlite3_finalize(s->sample);
    sqlite3_finalize(s->tidy);
    sqlite3_finalize(s->all);
    if (s->database && s->writes) {
        sqlite3_busy_timeout(s->database, 0);
        sqlite3_exec(s->database, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    }
    sqlite3_close(s->database);
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

sqlite3 *store_database(struct store *s)
{
    return s->database;
}

/* Writing */

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
    const struct machine *machine = this_machine(m);
    struct utsname host;
    sqlite3_stmt *q = prepare(s, "INSERT INTO machines (key, host, synthetic, hwloc_xml) "
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
    return finish(s, q, m);
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
    sqlite3_stmt *q = prepare(s, "INSERT INTO runs (uuid, machine, matrix, source, plan, build, "
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
    bind_text(q, 6, this_build());
    sqlite3_bind_int(q, 7, plan->cores);
    bind_text(q, 8, started);
    bind_settings(q, 9, &plan->settings);
    if (finish(s, q, m) < 0)
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
    sqlite3_bind_text(q, at, c->refusal, -1, SQLITE_STATIC);
}

static int write_facts(struct store *s, int64_t run, const char *moment, const struct facts *f,
                       struct mistake *m)
{
    sqlite3_stmt *q = prepare(s, "INSERT OR REPLACE INTO facts (run, moment, name, value) "
                              "VALUES (?, ?, ?, ?)", m);
    int status = q ? 0 : -1;

    for (int i = 0; i < f->count && status == 0; i++) {
        sqlite3_bind_int64(q, 1, run);
        bind_text(q, 2, moment);
        bind_text(q, 3, f->fact[i].name);
        bind_text(q, 4, f->fact[i].value);
        if (sqlite3_step(q) != SQLITE_DONE)
            status = fail(s, m);
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

enum { CELL_COLUMN_COUNT = 18 };
#define CELL_COLUMNS                                                                          \
    "workload, mode, policy, gil, heap, build, about, kind, unit, shares, "                   \
    "threads, control, counted, workers, base, safe, miscounts, refusal"

static int write_cells(struct store *s, const struct plan *plan, int64_t run, struct mistake *m)
{
    sqlite3_stmt *q = prepare(s, "INSERT INTO cells (run, number, " CELL_COLUMNS ") VALUES "
                              "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", m);
    int status = q ? 0 : -1;

    for (size_t i = 0; i < plan->count && status == 0; i++) {
        sqlite3_bind_int64(q, 1, run);
        sqlite3_bind_int64(q, 2, (int64_t)i);
        bind_cell(q, &plan->cell[i]);
        if (sqlite3_step(q) != SQLITE_DONE)
            status = fail(s, m);
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
    if (good && execute(s, "COMMIT", m) == 0)
        return check_there(s, m);
    sqlite3_exec(s->database, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

/* Of the file's runs this one is the one that is going on: who writes is alone. */
int store_resume(struct store *s, int64_t run, struct mistake *m)
{
    sqlite3_stmt *q = prepare(s, "UPDATE runs SET pid = CASE run WHEN ?1 THEN ?2 END "
                              "WHERE run = ?1 OR pid IS NOT NULL", m);

    if (!q)
        return -1;
    sqlite3_bind_int64(q, 1, run);
    sqlite3_bind_int64(q, 2, getpid());
    return finish(s, q, m);
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

    if (execute(s, "BEGIN IMMEDIATE", m) < 0)
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
        *q = prepare(s, sql, m);
    return *q ? 0 : -1;
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
}

static int write_window(struct store *s, int64_t run, size_t cell, const struct measurement *w,
                        struct mistake *m)
{
    const struct occasion *o = &w->occasion;
    sqlite3_stmt *q;

    if (prepare_once(s, &s->window, "INSERT INTO windows (cell, kind, block, sequence, started, "
            "started_ns, took_s, status, note, steal, busy, mhz, seconds, overlap, max_rss_bytes, "
            "lost, published, off, over, under, leaked, early, kept_bytes) "
            "SELECT cell, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
            "?18, ?19, ?20, ?21, ?22, ?23, ?24 FROM cells WHERE run = ?1 AND number = ?2", m) < 0)
        return -1;
    q = s->window;
    sqlite3_bind_int64(q, 1, run);
    sqlite3_bind_int64(q, 2, (int64_t)cell);
    bind_text(q, 3, o->audit ? "audit" : "timed");
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
    return sqlite3_step(q) == SQLITE_DONE ? 0 : fail(s, m);
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

static int write_samples(struct store *s, const struct measurement *w, struct mistake *m)
{
    int64_t window = sqlite3_last_insert_rowid(s->database);

    if (prepare_once(s, &s->sample, "INSERT INTO samples (window, role, worker, name, ops, cpu_s, "
                  "planned_pu, observed_pu, binding, p50_ns, p90_ns, p99_ns, max_ns, cycles, "
                  "instructions, cache_misses, voluntary_switches, involuntary_switches) "
                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", m) < 0)
        return -1;
    for (int i = 0; i < w->samples; i++) {
        bind_sample(s->sample, window, &w->sample[i]);
        if (sqlite3_step(s->sample) != SQLITE_DONE)
            return fail(s, m);
        sqlite3_reset(s->sample);
    }
    return 0;
}

int store_window(struct store *s, int64_t run, size_t cell, const struct measurement *w,
                 struct mistake *m)
{
    int status;

    if (execute(s, "BEGIN IMMEDIATE", m) < 0)
        return -1;
    status = settle(s, write_window(s, run, cell, w, m) == 0 && write_samples(s, w, m) == 0, m);
    if (s->window) {
        sqlite3_reset(s->window);
        sqlite3_clear_bindings(s->window);
    }
    sqlite3_reset(s->sample);
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
    sqlite3_stmt *q = prepare(s, "UPDATE runs SET ended = coalesce(ended, ?), pid = NULL "
                              "WHERE run = ?", m);
    char ended[32];

    if (!q)
        return -1;
    now_text(ended);
    bind_text(q, 1, ended);
    sqlite3_bind_int64(q, 2, run);
    return finish(s, q, m);
}

int store_end(struct store *s, int64_t run, struct mistake *m)
{
    if (execute(s, "BEGIN IMMEDIATE", m) < 0)
        return -1;
    return settle(s, write_end(s, run, m) == 0 && write_moment(s, run, "after", m) == 0, m);
}

/* Reading */

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
                    STEPS_A_BYTE * pragma(s, "page_count") * pragma(s, "page_size");
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
        fail(s, m);
    }
    sqlite3_finalize(q);
    return status == SQLITE_ROW ? 1 : status == SQLITE_DONE ? 0 : -1;
}

int store_find(struct store *s, const char *which, struct run *run, struct mistake *m)
{
    sqlite3_stmt *q = prepare(s, RUN_QUERY "WHERE ?1 IS NULL OR r.run = ?1 OR "
                              "substr(r.uuid, 1, length(?1)) = ?1 "
                              "ORDER BY r.run = ?1 DESC, r.run DESC LIMIT 1", m);
    int found;

    if (!q)
        return -1;
    if (which)
        bind_text(q, 1, which);
    found = read_run(s, q, run, m);
    if (found == 0 && which)
        return mistake_set(m, "%s: has no run '%.100s'; `lab status` lists them", s->path, which);
    if (found == 0)
        return mistake_set(m, "%s: has no run yet", s->path);
    return found < 0 ? -1 : 0;
}

int store_find_plan(struct store *s, const struct plan *plan, struct run *run, struct mistake *m)
{
    sqlite3_stmt *q = prepare(s, RUN_QUERY "WHERE r.plan = ? AND r.build = ? AND m.key = ? "
                              "ORDER BY r.run DESC LIMIT 1", m);
    const struct machine *machine = this_machine(m);
    char hash[17];

    if (!q || !machine) {
        sqlite3_finalize(q);
        return -1;
    }
    plan_hash(plan, hash);
    bind_text(q, 1, hash);
    bind_text(q, 2, this_build());
    bind_text(q, 3, machine->key);
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
    };
}

/* As many as there is room for; a file that was tampered with may have others. */
static int read_cells(struct store *s, const struct run *run, struct cell *cell, size_t *count,
                      struct mistake *m)
{
    sqlite3_stmt *q = prepare(s, "SELECT " CELL_COLUMNS ", number FROM cells WHERE run = ? "
                              "ORDER BY number", m);
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
        status = status == SQLITE_ROW || status == SQLITE_DONE ? 0 : fail(s, m);
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
    "w.published, w.off, w.over, w.under, w.leaked, w.early, w.kept_bytes"

static void read_window(sqlite3_stmt *q, struct measurement *w)
{
    struct occasion *o = &w->occasion;
    struct damage *d = &w->damage;

    o->audit = !strcmp(word_of(q, 1), "audit");
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
    return status == SQLITE_DONE || status == SQLITE_ROW ? 0 : fail(s, m);
}

/* Where a window of this block goes. Blocks that are missing are rounds that were skipped. NULL
 * and a mistake if there is none. */
static struct measurement *room_for(const struct store *s, struct outcome *o, bool audit,
                                    int block, int *missing, struct mistake *m)
{
    struct measurement *w = NULL;

    if (audit ? o->audit != NULL : o->rounds >= block) {
        mistake_set(m, "%s: is damaged: it has a window twice", s->path);
        return NULL;
    }
    *missing += audit ? 0 : block - o->rounds - 1;
    if (*missing > MISSING_MOST) {
        mistake_set(m, "%s: is damaged: more than %d rounds are missing", s->path, MISSING_MOST);
        return NULL;
    }
    if (audit)
        w = outcome_audit(o);
    while (!audit && o->rounds < block && (w = outcome_round(o)))
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
    bool audit = !strcmp(word_of(q, 1), "audit");
    struct measurement *w;

    if (number < 0 || number >= (int64_t)r->count || block < !audit || block > ROUNDS_MAX)
        return mistake_set(m, "%s: is damaged: it has a window that belongs to no cell", s->path);
    w = room_for(s, &r->outcome[number], audit, (int)block, missing, m);
    if (!w)
        return -1;
    read_window(q, w);
    if (w->occasion.sequence > *sequence)
        *sequence = w->occasion.sequence;
    return read_samples(s, samples, sqlite3_column_int64(q, 0), w, m);
}

int store_load_windows(struct store *s, const struct run *run, struct results *r, int *sequence,
                       struct mistake *m)
{
    sqlite3_stmt *q = prepare(s, "SELECT " WINDOW_COLUMNS ", c.number FROM windows w "
                              "JOIN cells c USING (cell) WHERE c.run = ? "
                              "ORDER BY c.number, w.kind, w.block", m);
    sqlite3_stmt *samples = prepare(s, "SELECT window, role, worker, name, ops, cpu_s, planned_pu, "
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
        status = fail(s, m);
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
