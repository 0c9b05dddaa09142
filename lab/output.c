/* output.c - a file that is there whole, or not at all. */
#include "lab/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_MOST = 64 };

/* `head` is shorter than HEAD_MOST. */
static bool begins_with(const char *path, const char *head)
{
    char there[HEAD_MOST];
    size_t length = strlen(head);
    FILE *file = fopen(path, "r");
    bool does = file && fread(there, 1, length, file) == length && !memcmp(there, head, length);

    if (file)
        fclose(file);
    return does;
}

bool output_is_database(const char *path)
{
    return begins_with(path, "SQLite format 3");
}

bool output_may_replace(const char *path, const char *head)
{
    struct stat there;

    if (stat(path, &there) < 0 || !S_ISREG(there.st_mode) || there.st_size == 0)
        return true;
    return begins_with(path, head);
}

static int check_folder(const char *option, const char *path, struct mistake *m)
{
    char *copy = strdup(path);
    int error = !copy ? ENOMEM : access(dirname(copy), W_OK | X_OK) < 0 ? errno : 0;

    free(copy);
    return error ? mistake_set(m, "%s: '%s' cannot be written: %s", option, path, strerror(error))
                 : 0;
}

int output_check(const char *option, const char *path, bool replace, struct mistake *m)
{
    struct stat there;

    if (!path)
        return 0;
    if (stat(path, &there) < 0)
        return check_folder(option, path, m);
    if (S_ISDIR(there.st_mode))
        return mistake_set(m, "%s: '%s' is a folder", option, path);
    return replace ? 0 : mistake_set(m, "%s: '%s' is there already; --replace writes over it",
                                     option, path);
}

/* 0, or -1 and a mistake. Only a regular file is replaced: a device is no result. */
static int check_place(const char *path, bool replace, struct mistake *m)
{
    struct stat there;

    if (lstat(path, &there) < 0)
        return 0;
    if (!replace)
        return mistake_set(m, "'%s' is there already; --replace writes over it", path);
    if (!S_ISREG(there.st_mode))
        return mistake_set(m, "'%s' is not a regular file, and not replaced", path);
    if (output_is_database(path))
        return mistake_set(m, "'%s' is a database, and not replaced", path);
    return 0;
}

static int refuse(const struct output *o, const char *why, struct mistake *m)
{
    return mistake_set(m, "'%s' cannot be written: %s", o->path, why);
}

int output_open(struct output *o, const char *path, bool replace, struct mistake *m)
{
    *o = (struct output){ stdout, path, NULL, replace };
    if (!path)
        return 0;
    if (check_place(path, replace, m) < 0)
        return -1;
    if (asprintf(&o->part, "%s.%d.part", path, (int)getpid()) < 0) {
        o->part = NULL;
        return refuse(o, strerror(errno), m);
    }
    o->out = fopen(o->part, "wx");
    if (o->out)
        return 0;
    refuse(o, strerror(errno), m);
    free(o->part);
    return -1;
}

/* Where the file system knows no exclusive rename, the look at opening has to do. */
static int move(const struct output *o)
{
    if (o->replace)
        return rename(o->part, o->path);
    if (renameat2(AT_FDCWD, o->part, AT_FDCWD, o->path, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EINVAL ? rename(o->part, o->path) : -1;
}

int output_finish(struct output *o, struct mistake *m)
{
    if (!o->path)
        return 0;
    /* A disk that was full may have room again: then only this tells. */
    if (ferror(o->out))
        refuse(o, "a write failed; is the disk full?", m);
    else if (fflush(o->out) || fsync(fileno(o->out)) < 0 || move(o) < 0)
        refuse(o, strerror(errno), m);
    else {
        fclose(o->out);
        free(o->part);
        return 0;
    }
    output_drop(o);
    return -1;
}

void output_drop(struct output *o)
{
    if (!o->path)
        return;
    unlink(o->part);
    fclose(o->out);
    free(o->part);
}
