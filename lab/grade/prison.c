/* prison.c - the grader's side of confine.h: a folder, a key, and what came back. */
#include "lab/grade/confine.h"

#include "gil/mutex.h"
#include "lab/grade/ending.h"
#include "lab/process.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 1 << 20, TOLD_BYTES = 256 * 1024, NOBODY = 65534 };

static const uint64_t MEMORY_BYTES = 1ull << 30, MEMORY_SANITIZED_BYTES = 4ull << 30;

static void say_how(struct prison *p, const char *home)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    bool root = geteuid() == 0;

    p->nobody = root && prison_lets_nobody_read(home);
    snprintf(p->how, sizeof p->how, "%s%s%s%s",
             abi > 0 || p->nobody ? "confined:" : "NOT CONFINED:",
             abi > 0 ? " files by Landlock" : " this kernel has no Landlock",
             p->nobody ? ", as user nobody"
             : root    ? ", but as root, for nobody cannot read this folder"
                       : ", as this user",
             ", limits of time, memory, processes and files");
}

int prison_open(struct prison *p, const char *home)
{
    char path[PATH_MAX];

    snprintf(p->scratch, sizeof p->scratch, "/tmp/lab-grade-XXXXXX");
    if (!mkdtemp(p->scratch) || chmod(p->scratch, 0711) < 0)
        return -1;
    prison_path(p, "", path, sizeof path);
    if (mkdir(path, 0700) < 0 || (geteuid() == 0 && chown(path, NOBODY, NOBODY) < 0))
        return -1;
    say_how(p, home);
    return 0;
}

void prison_path(const struct prison *p, const char *name, char *path, size_t size_bytes)
{
    snprintf(path, size_bytes, "%s/work/%s", p->scratch, name);
}

static int write_file(const struct prison *p, const char *name, const char *text)
{
    char path[PATH_MAX];
    int fd;
    ssize_t written;

    snprintf(path, sizeof path, "%s/%s", p->scratch, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    written = write(fd, text, strlen(text));
    return close(fd) < 0 || written != (ssize_t)strlen(text) ? -1 : 0;
}

static int make_key(struct prison *p, uint64_t schedule, char key[PRISON_KEY_BYTES])
{
    unsigned char bytes[(PRISON_KEY_BYTES - 1) / 2];
    char line[100];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return -1;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(key + 2 * i, 3, "%02x", bytes[i]);
    snprintf(line, sizeof line, "%s %llu\n", key, (unsigned long long)schedule);
    return write_file(p, "told", "") < 0 || write_file(p, "key", line) < 0 ? -1 : 0;
}

/* The lines with the key, without it. */
static char *read_told(const struct prison *p, const char *key)
{
    char path[PATH_MAX], *text = calloc(1, TOLD_BYTES), *kept = calloc(1, TOLD_BYTES), *to = kept;
    int fd;

    snprintf(path, sizeof path, "%s/told", p->scratch);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!text || !kept || fd < 0 || read(fd, text, TOLD_BYTES - 1) < 0)
        to = kept;
    for (char *line = text, *end; line && *line && (end = strchr(line, '\n')); line = end + 1)
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ' ')
            to = mempcpy(to, line + strlen(key) + 1, (size_t)(end - line) - strlen(key));
    if (fd >= 0)
        close(fd);
    free(text);
    return kept;
}

static void run(struct prison *p, const struct prisoner *who, struct process_report *report)
{
    const char *arguments[ARGUMENTS_MOST + 7] = { "lab", "confine", p->scratch, who->reads };
    char work[PATH_MAX];
    struct program program = { "/proc/self/exe", (char *const *)arguments,
                               (char *const *)who->environment };
    const uint64_t usual_bytes = who->sanitized ? MEMORY_SANITIZED_BYTES : MEMORY_BYTES;
    struct process_limits limits = { (uint64_t)(who->seconds * NS_PER_S),
                                     who->memory_bytes ? who->memory_bytes : usual_bytes,
                                     OUTPUT_BYTES };

    prison_path(p, "", work, sizeof work);
    arguments[4] = work;
    arguments[5] = p->nobody ? "nobody" : "self";
    for (int i = 0; who->arguments[i] && i < ARGUMENTS_MOST; i++)
        arguments[6 + i] = who->arguments[i];
    process_run(&program, &limits, &ending_signal, report);
}

/* `lab confine` says so where the program cannot: then nothing of that was run. */
static void look_whether_started(const struct prison *p, struct process_report *report)
{
    char path[PATH_MAX];
    FILE *file;
    int cause;

    snprintf(path, sizeof path, "%s/failed", p->scratch);
    file = fopen(path, "re");
    if (file && fscanf(file, "%d", &cause) == 1) {
        report->end = PROCESS_NOT_STARTED;
        report->cause = cause;
    }
    if (file)
        fclose(file);
    unlink(path);
}

void prison_run(struct prison *p, const struct prisoner *who, struct process_report *report,
                char **told)
{
    char key[PRISON_KEY_BYTES] = "";

    if (who->told && make_key(p, who->schedule, key) < 0) {
        *report = (struct process_report){ .end = PROCESS_NOT_STARTED, .cause = errno };
        *told = calloc(1, 1);
        return;
    }
    run(p, who, report);
    look_whether_started(p, report);
    if (who->told)
        *told = read_told(p, key);
}

static int remove_one(const char *path, const struct stat *what, int kind, struct FTW *at)
{
    (void)what, (void)kind, (void)at;
    return remove(path);
}

void prison_close(struct prison *p)
{
    if (*p->scratch)
        nftw(p->scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
