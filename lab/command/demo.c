/* demo.c - `lab demo`: a story, told under each of its modes.
 *
 * Each mode is a process of its own, for a demo may show what crashes. Where nothing
 * protects the counts the audited build runs, which keeps what is freed too early.
 */
#include "lab/command.h"

#include "gil/gil.h"
#include "lab/catalogue.h"
#include "lab/json.h"
#include "lab/names.h"
#include "lab/options.h"
#include "lab/parse.h"
#include "lab/runtimes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_S = 60 };

static bool is_unsafe(const struct mode *mode)
{
    return mode->runtime->needs_gil && !mode->lock->excludes;
}

static int say_error(const struct runtime *runtime, const char *name, const char *mode)
{
    char text[512];

    runtime->take_error(text, sizeof text);
    fprintf(stderr, "lab demo: %s, %s: %s\n", name, mode, text);
    return 1;
}

static int tell(const struct runtime *runtime, const struct named_demo *named,
                const struct mode *mode, struct gil *gil)
{
    struct thread self = { .locks_containers = !mode->lock->excludes && !mode->runtime->needs_gil };
    int status = 0;

    if (thread_start(&self, gil, runtime->hooks) < 0) {
        perror("lab demo: no thread");
        return 1;
    }
    if (named->demo->run(mode->label, gil, runtime->hooks) < 0)
        status = say_error(runtime, named->name, mode->label);
    thread_stop(&self);
    return status;
}

static int run_child(int index, const char *mode_text)
{
    const struct runtime *runtime;
    static struct modes modes;
    struct mode *mode = &modes.item[0];
    struct gil *gil;
    struct mistake m;
    int status;

    if (parse_modes(mode_text, &modes, &m) < 0)
        mistake_exit("lab demo", &m);
    setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not take along what was said before it */
    runtime = is_unsafe(mode) ? runtime_audited(mode->runtime) : NULL;
    if (!runtime)
        runtime = mode->runtime;
    gil = gil_new(mode->lock, mode->param);
    if (!gil) {
        perror("lab demo: no lock");
        return 1;
    }
    status = tell(runtime, &runtime->demos[index], mode, gil);
    gil_delete(gil);
    return status;
}

static _Noreturn void become_child(const char *name, const struct mode *mode, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    /* In a build for TSan: it would end the process at the race that is being shown. */
    if (is_unsafe(mode))
        setenv("TSAN_OPTIONS", "report_bugs=0", 1);
    alarm(LIMIT_S); /* outlives exec */
    execl("/proc/self/exe", "lab", "demo", "--child", mode->label, name, (char *)NULL);
    perror("lab demo: cannot run itself");
    _exit(1);
}

/* What has become of the process. One that leaves with a status has said why itself. */
static int judge(const char *name, const char *mode, int status)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        printf("%s, %s: ended after %d seconds\n", name, mode, LIMIT_S);
    else if (WIFSIGNALED(status))
        printf("%s, %s: died of signal %d (%s)\n", name, mode, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    return status == 0 ? 0 : 1;
}

static int run_mode(const char *name, const struct mode *mode)
{
    pid_t parent = getpid(), child;
    int status;

    if (fflush(stdout) || ferror(stdout))
        return 1; /* said at exit */
    child = fork();
    if (child == 0)
        become_child(name, mode, parent);
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        perror("lab demo: no process");
        return 1;
    }
    return judge(name, mode->label, status);
}

/* An item of the demo's list: a mode, or several ("plain+all"). */
static int run_item(const char *name, const char *item)
{
    static struct modes known;
    struct mistake m;
    int status = 0;

    if (parse_modes(item, &known, &m) < 0) {
        printf("%s, %s: not run: %s\n", name, item, m.text);
        return 0;
    }
    for (int i = 0; i < known.count; i++)
        status |= run_mode(name, &known.item[i]);
    return status;
}

static int run_modes(const char *name, const struct demo *demo)
{
    char *modes = strdup(demo->modes ? demo->modes : ""), *rest = modes, *item;
    int status = 0;

    if (demo->head)
        puts(demo->head);
    while ((item = strsep(&rest, ",")))
        status |= run_item(name, item);
    if (demo->tail)
        puts(demo->tail);
    free(modes);
    return status;
}

static int list_demos(void)
{
    const struct named_demo *demos = runtime_list[0].runtime->demos;

    if (!demos->name)
        puts("there are no demos in this build");
    for (; demos->name; demos++)
        printf("%-18s %s\n", demos->name, demos->demo->about ? demos->demo->about : "-");
    return 0;
}

struct options {
    const char *child; /* this process is the one for this mode; NULL: the first */
    bool json;
};

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    (void)m;
    if (key == 'j')
        o->json = true;
    else
        o->child = value;
    return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct names demos = names_demos();
    struct options o = { NULL, false };
    int first = options_parse(self, argc, argv, &o);
    const char *name = argv[first];
    struct mistake m;
    int i;

    if (!name)
        return o.json ? json_print(json_pack("{so}", "demos", catalogue_demos())) : list_demos();
    i = names_find(&demos, name, &m);
    if (i >= 0 && o.json)
        i = mistake_set(&m, "--json is for the list of demos; '%s' tells a story", name);
    if (i < 0)
        mistake_exit(argv[0], &m);
    if (o.child)
        return run_child(i, o.child);
    return run_modes(name, runtime_list[0].runtime->demos[i].demo);
}

static const struct argp_option options[] = {
    JSON_OPTION,
    { "child", 'c', "MODE", OPTION_HIDDEN, NULL, 0 },
    { 0 },
};

static const struct explained examples[] = {
    { "lab demo refcount", "how many references a list has, line by line" },
    { "lab demo race", "two threads, one dict, and what becomes of a count" },
    { "lab demo deadlock", "two threads, two lists, and why not simply lock both" },
    { "lab demo not-thread-safe", "what no global lock does for a program, under each of them" },
    { "lab demo blocked-loop", "one call that blocks a loop with 1000 clients, named and cured" },
    { NULL, NULL },
};

const struct command command_demo = {
    .about = "a small program that shows one thing, told as it runs",
    .doc = "Tells what a small program does, line by line: about counts, locks, generators, event "
           "loops, executors, memory. Without a NAME, lists them.",
    .options = options,
    .take = take,
    .arguments = "[NAME]",
    .most = 1,
    .examples = examples,
    .run = run,
};
