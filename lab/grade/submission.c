/* submission.c - taking files over, and having make build them. */
#include "lab/grade/submission.h"

#include "gil/mutex.h"
#include "lab/grade/ending.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TOOL_OUTPUT_BYTES = 128 << 20, WORDS_OF_MAKE = 60 };

static const uint64_t TOOL_NS = 600ull * NS_PER_S;

/* ---- taking over ---- */

/* FNV-1a (G. Fowler, L. Noll, K.-P. Vo): a name, and a seed that differs where files do. */
static uint64_t hash_of(uint64_t hash, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
    return hash;
}

/* Of other systems' editors: a mark at the beginning, and two other ends of a line, which the
 * compiler takes for one, too. So all that looks at the text sees the same lines. */
static void make_plain(char *text)
{
    const char *from = text;

    if (strncmp(from, "\xef\xbb\xbf", 3) == 0)
        from += 3;
    for (; *from; from++)
        if (*from != '\r')
            *text++ = *from;
        else if (from[1] != '\n')
            *text++ = '\n';
    *text = '\0';
}

/* The file's text, to be freed. NULL and a mistake. No link is followed, nothing is waited for. */
static char *read_text(const char *path, const char *name, struct mistake *m)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *text = calloc(1, FILE_BYTES_MOST + 2);
    struct stat what;
    ssize_t got = -1;

    if (fd < 0)
        mistake_set(m, "there is no %s: %s", name, strerror(errno));
    else if (fstat(fd, &what) < 0 || !S_ISREG(what.st_mode))
        mistake_set(m, "%s is no ordinary file", name);
    else if (!text || (got = read(fd, text, FILE_BYTES_MOST + 1)) < 0)
        mistake_set(m, "%s cannot be read: %s", name, strerror(errno));
    else if (got > FILE_BYTES_MOST)
        mistake_set(m, "%s has more than %d bytes", name, FILE_BYTES_MOST);
    else if (strlen(text) != (size_t)got)
        mistake_set(m, "%s is no text: it has a NUL in it", name);
    else if (fd >= 0 && close(fd) == 0) {
        make_plain(text);
        return text;
    }
    if (fd >= 0)
        close(fd);
    free(text);
    return NULL;
}

/* Every folder above the last slash. */
static void make_folders(const char *path)
{
    char copy[PATH_MAX];

    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        mkdir(copy, 0755);
        *slash = '/';
    }
}

static int write_text(const char *path, const char *text)
{
    FILE *file;

    make_folders(path);
    file = fopen(path, "w");
    if (!file)
        return -1;
    fputs(text, file);
    return fclose(file) ? -1 : 0;
}

/* The texts of all files; false and a mistake if one is not as it should be. */
static bool read_all(struct submission *s, char *text[FILES_MOST], struct mistake *m)
{
    char path[PATH_MAX];

    for (int i = 0; i < s->assignment->files; i++) {
        const char *name = s->assignment->file[i].path;

        snprintf(path, sizeof path, "%s/%s", s->folder, name);
        text[i] = read_text(path, name, m);
        if (!text[i])
            return false;
        s->hash = hash_of(s->hash, text[i], strlen(text[i]));
    }
    return true;
}

static int write_all(const struct submission *s, char *const text[FILES_MOST])
{
    char path[PATH_MAX];

    for (int i = 0; i < s->assignment->files; i++) {
        snprintf(path, sizeof path, "%s/%s", s->copy, s->assignment->file[i].path);
        if (write_text(path, text[i]) < 0)
            return -1;
    }
    return 0;
}

int submission_take(struct submission *s, const struct assignment *a, const char *folder,
                    struct mistake *m)
{
    char *text[FILES_MOST] = { NULL };
    int status = 1;

    *s = (struct submission){ .assignment = a, .folder = folder, .hash = 0xcbf29ce484222325 };
    if (!realpath(".", s->home))
        return -1;
    if (read_all(s, text, m)) {
        snprintf(s->copy, sizeof s->copy, "build/graded/%s-%08x-%d", assignment_number(a),
                 (unsigned)s->hash, getpid());
        status = write_all(s, text);
    }
    for (int i = 0; i < FILES_MOST; i++)
        free(text[i]);
    return status;
}

/* ---- building ---- */

void submission_built(const struct submission *s, const char *mode, char *path, size_t size_bytes)
{
    int length = snprintf(path, size_bytes, "build/%s/of/", mode);

    snprintf(path + length, size_bytes - (size_t)length, "%s", s->copy);
    for (char *slash = path + length; (slash = strchr(slash, '/'));)
        *slash = '+';
}

static bool is_for_tools(const char *variable)
{
    static const char *const others[] = { "MAKE", "MFLAGS", "LANG", "LC_" };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strncmp(variable, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}

/* Without that of a make above us, which would make a part of it of ours; and in English. The array
 * is to be freed. */
static char **environment_of_tools(void)
{
    size_t count = 0, kept = 0;
    char **copy;

    while (environ[count])
        count++;
    copy = calloc(count + 2, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        if (is_for_tools(environ[i]))
            copy[kept++] = environ[i];
    if (copy)
        copy[kept] = "LC_ALL=C";
    return copy;
}

bool submission_tool(const char *const *arguments, struct process_report *report)
{
    char **environment = environment_of_tools();
    char path[64];
    struct program program = { path, (char *const *)arguments, environment };
    struct process_limits limits = { TOOL_NS, 0, TOOL_OUTPUT_BYTES };

    snprintf(path, sizeof path, "/usr/bin/%s", arguments[0]);
    process_run(&program, &limits, &ending_signal, report);
    free(environment);
    return report->end == PROCESS_ENDED && report->wait_status == 0;
}

bool submission_make(const struct submission *s, const char *mode, const char *from,
                     const char *also, const char *const *targets, struct process_report *report)
{
    const char *arguments[WORDS_OF_MAKE] = { "make", "-s", "--no-print-directory" };
    char jobs[16], words[5][PATH_MAX], full[WORDS_OF_MAKE][PATH_MAX];
    int count = 3, first;

    snprintf(jobs, sizeof jobs, "-j%ld", sysconf(_SC_NPROCESSORS_ONLN));
    snprintf(words[0], PATH_MAX, "MODE=%s", mode);
    snprintf(words[1], PATH_MAX, "ASSIGNMENT=%s", s->copy);
    snprintf(words[2], PATH_MAX, "OF=%s", s->assignment->folder);
    snprintf(words[3], PATH_MAX, "FROM=%s", from ? from : "");
    snprintf(words[4], PATH_MAX, "ALSO=%s", also ? also : "");
    arguments[count++] = jobs;
    for (int i = 0; i < 5; i++)
        arguments[count++] = words[i];
    first = count;
    for (; targets[count - first] && count < WORDS_OF_MAKE - 1; count++) {
        submission_built(s, mode, full[count], PATH_MAX);
        snprintf(full[count] + strlen(full[count]), PATH_MAX - strlen(full[count]), "/%s",
                 targets[count - first]);
        arguments[count] = full[count];
    }
    return submission_tool(arguments, report);
}

bool submission_was_hindered(const struct process_report *report)
{
    static const char *const said[] = { "No space left on device", "Cannot allocate memory",
                                        "fatal error: Killed signal", "out of memory" };
    const char *words = report->error.bytes ? report->error.bytes : "";

    if (report->end != PROCESS_ENDED)
        return true;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (strstr(words, said[i]))
            return true;
    return false;
}

/* ---- the end ---- */

static int remove_one(const char *path, const struct stat *what, int kind, struct FTW *at)
{
    (void)what, (void)kind, (void)at;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void submission_drop(struct submission *s)
{
    static const char *const modes[] = { "debug", "asan", "tsan", "release" };
    char path[PATH_MAX];

    if (!*s->copy)
        return;
    remove_tree(s->copy);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        submission_built(s, modes[i], path, sizeof path);
        remove_tree(path);
    }
}
