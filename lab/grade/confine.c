/* confine.c - limits, Landlock and another user, then the program. */
#include "lab/grade/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534, KEY_FD = 3, TOLD_FD = 4 };

/* Of later kernels than Debian's headers: truncation is of the third version of Landlock, signals
 * of the sixth. */
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_SCOPES = 6, SCOPE_SIGNAL = 2 };

struct ruleset {
    uint64_t handled_files, handled_net, scoped;
};

/* ---- Landlock ---- */

static int landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static const uint64_t reading =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

/* Every right that this kernel knows: what is not handled is not denied. */
static uint64_t all_rights(int abi)
{
    uint64_t first = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

    return first | (abi >= ABI_REFER ? LANDLOCK_ACCESS_FS_MAKE_SYM << 1 : 0) |
           (abi >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_MAKE_SYM << 2 : 0);
}

/* What is not there needs no rule. */
static int allow(int rules, const char *path, uint64_t rights, uint64_t known)
{
    const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                              LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_SYM << 2;
    struct landlock_path_beneath_attr beneath = { .parent_fd = open(path, O_PATH | O_CLOEXEC) };
    struct stat what;
    int status;

    if (beneath.parent_fd < 0)
        return 0;
    beneath.allowed_access = rights & known;
    if (fstat(beneath.parent_fd, &what) == 0 && !S_ISDIR(what.st_mode))
        beneath.allowed_access &= of_files;
    status = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    close(beneath.parent_fd);
    return status;
}

/* 0, or -1 and errno; also 0 where there is no Landlock. */
static int lock_files(const char *reads, const char *writes)
{
    static const char *const read[] = { "/usr",         "/lib", "/lib64",
                                        "/proc",        "/sys", "/etc/ld.so.cache",
                                        "/dev/urandom", NULL };
    const int abi = landlock_abi();
    const uint64_t known = all_rights(abi);
    struct ruleset set = { known, 0, abi >= ABI_SCOPES ? SCOPE_SIGNAL : 0 };
    size_t size_bytes = abi >= ABI_SCOPES ? sizeof set : sizeof set.handled_files;
    int rules, status = 0;

    if (abi < 1)
        return 0;
    rules = (int)syscall(SYS_landlock_create_ruleset, &set, size_bytes, 0);
    if (rules < 0)
        return -1;
    for (int i = 0; read[i] && status == 0; i++)
        status = allow(rules, read[i], reading, known);
    if (status == 0)
        status = allow(rules, reads, reading, known);
    if (status == 0)
        status = allow(rules, writes, known & ~LANDLOCK_ACCESS_FS_EXECUTE, known);
    if (status == 0)
        status = allow(rules, "/dev/null", reading | LANDLOCK_ACCESS_FS_WRITE_FILE, known);
    if (status == 0)
        status = (int)syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
    return status;
}

/* ---- another user ---- */

bool prison_lets_nobody_read(const char *path)
{
    char copy[PATH_MAX];
    struct stat what;

    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = copy; slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (stat(copy, &what) < 0 || !(what.st_mode & S_IXOTH))
            return false;
        if (slash)
            *slash = '/';
    }
    return true;
}

/* Who becomes another does not die with his parent any more: that is asked for once more. */
static int become_nobody(void)
{
    const pid_t parent = getppid();

    return setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                   setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
                   getppid() != parent
               ? -1
               : 0;
}

/* ---- inside ---- */

static void limit(int resource, rlim_t most)
{
    setrlimit(resource, &(struct rlimit){ most, most });
}

/* The kernel counts all threads of this user, on the whole machine: so many as there are of
 * anybody, and those of the program. To be asked before the files are locked. */
static rlim_t most_tasks(void)
{
    FILE *file = fopen("/proc/loadavg", "re");
    unsigned tasks = 0;

    if (file) {
        if (fscanf(file, "%*s %*s %*s %*u/%u", &tasks) != 1)
            tasks = 0;
        fclose(file);
    }
    return tasks + 512;
}

static void limit_all(rlim_t tasks)
{
    limit(RLIMIT_CPU, 600);
    limit(RLIMIT_FSIZE, 64 << 20);
    limit(RLIMIT_NOFILE, 1024);
    limit(RLIMIT_NPROC, tasks);
    limit(RLIMIT_CORE, 0);
}

/* Before anything is taken away: where a test program is to tell. The key goes with its file. */
static int open_telling(const char *scratch)
{
    char path[PATH_MAX];
    int key, told;

    snprintf(path, sizeof path, "%s/key", scratch);
    key = open(path, O_RDONLY);
    unlink(path);
    if (key < 0)
        return 0;
    snprintf(path, sizeof path, "%s/told", scratch);
    told = open(path, O_WRONLY | O_APPEND);
    if (told < 0 || (key != KEY_FD && dup2(key, KEY_FD) < 0) ||
        (told != TOLD_FD && dup2(told, TOLD_FD) < 0))
        return -1;
    return 0;
}

/* What the grader reads if the program was not started: the program itself does not inherit it. */
static int open_failed(const char *scratch)
{
    char path[PATH_MAX];
    int low, fd;

    snprintf(path, sizeof path, "%s/failed", scratch);
    low = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (low < 0)
        return -1;
    fd = fcntl(low, F_DUPFD_CLOEXEC, TOLD_FD + 1);
    close(low);
    return fd;
}

static int fail(int failed, const char *what)
{
    const int cause = errno;

    dprintf(failed, "%d\n", cause);
    fprintf(stderr, "lab confine: %s: %s\n", what, strerror(cause));
    return CONFINE_FAILED;
}

int confine_and_run(int argc, char **argv)
{
    enum { SCRATCH, READS, WRITES, USER, PROGRAM };
    const rlim_t tasks = most_tasks();
    bool nobody;
    int failed;

    if (argc <= PROGRAM)
        return 2;
    failed = open_failed(argv[SCRATCH]);
    nobody = strcmp(argv[USER], "nobody") == 0;
    if (failed < 0 || open_telling(argv[SCRATCH]) < 0 || chdir(argv[WRITES]) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || lock_files(argv[READS], argv[WRITES]) < 0 ||
        (nobody && become_nobody() < 0))
        return fail(failed, "cannot confine");
    limit_all(tasks);
    execve(argv[PROGRAM], argv + PROGRAM, environ);
    return fail(failed, argv[PROGRAM]);
}
