/* store.c - the results file: opening and closing it. */
#include "lab/store_private.h"

#include "lab/intern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x6c616221, BUSY_MS = 10000 };

/* So long a text may a file hand us that somebody else has made. */
enum { TEXT_MOST = 64 << 20 };

/* The byte that a writer locks: far behind those that SQLite locks in the same file. */
enum { LOCK_BYTE = 0x7ffffff0 };

/* The schema as it was when this was compiled. */
__asm__(".section .rodata\n"
        ".global schema_sql\n"
        "schema_sql: .incbin \"lab/schema.sql\"\n"
        ".byte 0\n"
        ".previous\n");

int store_fail(const struct store *s, struct mistake *m)
{
    if (sqlite3_errcode(s->database) == SQLITE_INTERRUPT)
        return mistake_set(m, "%s: is damaged: it takes too long to read", s->path);
    return mistake_set(m, "%s: %s", s->path, sqlite3_errmsg(s->database));
}

int store_execute(struct store *s, const char *sql, struct mistake *m)
{
    return sqlite3_exec(s->database, sql, NULL, NULL, NULL) ? store_fail(s, m) : 0;
}

/* What remains of a statement that was stepped for its effect alone. */
int store_finish(struct store *s, sqlite3_stmt *statement, struct mistake *m)
{
    int status = sqlite3_step(statement) == SQLITE_DONE ? 0 : store_fail(s, m);

    sqlite3_finalize(statement);
    return status;
}

sqlite3_stmt *store_prepare(struct store *s, const char *sql, struct mistake *m)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(s->database, sql, -1, &statement, NULL))
        store_fail(s, m);
    return statement;
}

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

int64_t store_pragma(struct store *s, const char *name)
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
    q = store_prepare(s, tables, m);
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
    int64_t tables = store_pragma(s, "schema_version"), id, version;

    if (tables < 0 && sqlite3_errcode(s->database) == SQLITE_NOTADB)
        return mistake_set(m, "%s: is not a results file of the lab", s->path);
    if (tables < 0)
        return store_fail(s, m);
    id = store_pragma(s, "application_id");
    version = store_pragma(s, "user_version");
    s->schema = version ? version : SCHEMA_VERSION; /* an empty file gets it */
    if (tables == 0 && id == 0 && version == 0)
        return 0;
    if (id != APPLICATION_ID)
        return mistake_set(m, "%s: is a database, but no results file of the lab", s->path);
    if (version < (s->writes ? SCHEMA_VERSION : SCHEMA_OLDEST) || version > SCHEMA_VERSION)
        return mistake_set(m, "%s: was written by %s lab (schema %lld; this one has %d)", s->path,
                           version > SCHEMA_VERSION ? "a later" : "an earlier", (long long)version,
                           SCHEMA_VERSION);
    return distrust(s, m) < 0 ? -1 : 1;
}

static int make_tables(struct store *s, struct mistake *m)
{
    if (store_execute(s, "BEGIN IMMEDIATE", m) < 0)
        return -1;
    if (store_execute(s, schema_sql, m) == 0 && store_execute(s, "COMMIT", m) == 0)
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
        return store_fail(s, m);
    sqlite3_busy_timeout(s->database, BUSY_MS);
    known = recognise(s, m);
    if (known < 0 || (known == 0 && make_tables(s, m) < 0))
        return -1;
    return store_execute(s, "PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; "
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
        return store_fail(s, m);
    return store_execute(s, "PRAGMA locking_mode = EXCLUSIVE", m);
}

static int open_to_read(struct store *s, struct mistake *m)
{
    int known;

    if (check_kind(s, m) < 0)
        return -1;
    if (access(s->path, R_OK) < 0)
        return mistake_set(m, "%s: cannot be read: %s", s->path, strerror(errno));
    if (sqlite3_open_v2(s->file, &s->database, SQLITE_OPEN_READONLY, NULL))
        return store_fail(s, m);
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
    sqlite3_finalize(s->hot);
    sqlite3_finalize(s->turns);
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

int64_t store_schema(const struct store *s)
{
    return s->schema;
}

sqlite3 *store_database(struct store *s)
{
    return s->database;
}
