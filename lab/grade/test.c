/* test.c - a test program of the lab, run on a submission: what it told with its key. */
#include "lab/grade/judge.h"

#include "lab/random.h"

#include <fnmatch.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LINES_SAID = 8, LINE_BYTES = 160, TEXT_BYTES = 4000 };

/* One run. */
struct trial {
    struct judge *judge;
    const struct check *check;
    int mode;
    uint64_t seed;     /* of what the test draws */
    uint64_t schedule; /* 0: as it comes */
    char reads[PATH_MAX], program[2 * PATH_MAX];
    struct process_report report;
    char *told;   /* owned */
    double count; /* NAN: it told none */
};

/* ---- what was told ---- */

/* Whether the line is "WORD REST"; *rest and its length then. */
static bool is_line(const char *line, const char *word, const char **rest, int *length)
{
    size_t skip = strlen(word);

    if (strncmp(line, word, skip) || line[skip] != ' ')
        return false;
    *rest = line + skip + 1;
    *length = (int)strcspn(*rest, "\n");
    return true;
}

static const char *next_line(const char *line)
{
    const char *end = strchrnul(line, '\n');

    return *end ? end + 1 : end;
}

static bool is_wanted(const struct check *c, const char *name)
{
    for (int i = 0; i < c->only.count; i++)
        if (fnmatch(c->only.item[i], name, 0) == 0)
            return true;
    return !c->only.count;
}

static bool has_passed(const char *told, const char *name)
{
    const char *rest;
    int length;

    for (const char *line = told; *line; line = next_line(line))
        if (is_line(line, "passed", &rest, &length) && strlen(name) == (size_t)length &&
            memcmp(rest, name, strlen(name)) == 0)
            return true;
    return false;
}

/* The first test that is wanted and has not passed goes to `name`; the number of those wanted. */
static int find_failed(const struct trial *t, char *name, size_t size_bytes)
{
    int wanted = 0, length;
    const char *rest;
    char each[300];

    *name = '\0';
    for (const char *line = t->told; *line; line = next_line(line)) {
        if (!is_line(line, "test", &rest, &length))
            continue;
        snprintf(each, sizeof each, "%.*s", length, rest);
        if (!is_wanted(t->check, each))
            continue;
        wanted++;
        if (!*name && !has_passed(t->told, each))
            snprintf(name, size_bytes, "%s", each);
    }
    return wanted;
}

/* Whether it told the count that is asked for. */
static bool find_count(struct trial *t)
{
    size_t skip = strlen(t->check->count);
    const char *rest;
    int length;

    for (const char *line = t->told; *line; line = next_line(line))
        if (is_line(line, "count", &rest, &length) && !strncmp(rest, t->check->count, skip) &&
            sscanf(rest + skip, " = %lf", &t->count) == 1)
            return true;
    return false;
}

/* ---- what is said of it ---- */

static bool tells_little(const char *line)
{
    static const char *const little[] = { "ok ", "TAP ", "1..", "# ok", "===", "---", "\n", NULL };

    for (int i = 0; little[i]; i++)
        if (strncmp(line, little[i], strlen(little[i])) == 0)
            return true;
    return !*line;
}

static bool sums_up(const char *line)
{
    return strstr(line, "Sanitizer") || strstr(line, "not ok") || strstr(line, "Assertion");
}

/* So many of the lines in which it says what went wrong; paths and colours are of no interest. */
static int quote(const char *words, bool summed_up, int lines, char *text)
{
    char line[LINE_BYTES];

    for (const char *at = words; at && *at && lines; at = next_line(at)) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
        if (tells_little(line) || (summed_up && !sums_up(line)))
            continue;
        for (char *c = line; *c; c++)
            if (*c < ' ' || *c > '~')
                *c = '?';
        snprintf(text + strlen(text), TEXT_BYTES - strlen(text), "| %s\n", line);
        lines--;
    }
    return lines;
}

static void quote_all(const struct trial *t, char *text)
{
    const char *both[] = { t->report.out.bytes, t->report.error.bytes };
    bool summed_up = false;
    int lines = LINES_SAID;

    for (int i = 0; i < 2; i++)
        summed_up = summed_up || (both[i] && strstr(both[i], "SUMMARY: "));
    for (int i = 0; i < 2; i++)
        lines = quote(both[i], summed_up, lines, text);
}

static const char *end_of(const struct trial *t, char *text, size_t size_bytes)
{
    const int status = t->report.wait_status;

    if (t->report.end == PROCESS_OVER_TIME)
        snprintf(text, size_bytes, "was ended after %g s", t->check->seconds);
    else if (t->report.end == PROCESS_OVER_MEMORY)
        snprintf(text, size_bytes, "was ended, as it used too much memory");
    else if (t->report.end == PROCESS_OVER_OUTPUT)
        snprintf(text, size_bytes, "was ended, as it printed too much");
    else if (t->report.end != PROCESS_ENDED)
        snprintf(text, size_bytes, "could not be run: %s", strerror(t->report.cause));
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(text, size_bytes, "hung, and its watchdog ended it");
    else if (WIFSIGNALED(status))
        snprintf(text, size_bytes, "died: %s", strsignal(WTERMSIG(status)));
    else
        snprintf(text, size_bytes, "ended with status %d", WEXITSTATUS(status));
    return text;
}

/* Above the submission there may be no assignment: then make has to be told which. */
static void say_command(const struct trial *t, char *text)
{
    const struct assignment *a = t->judge->sheet->assignment;
    const char *folder = t->judge->sheet->typed;
    bool own = strncmp(folder, a->folder, strlen(a->folder)) == 0;
    const char *quote = strchr(folder, ' ') ? "'" : "";

    snprintf(
        text + strlen(text), TEXT_BYTES - strlen(text),
        "again: make MODE=%s ASSIGNMENT=%s%s%s%s%s TEST=%s TEST_SEED=%llu LAB_SCHEDULE=%llu public",
        build_modes[t->mode], quote, folder, quote, own ? "" : " OF=", own ? "" : a->folder,
        t->check->test, (unsigned long long)t->seed, (unsigned long long)t->schedule);
}

static void say_failure(const struct trial *t, const char *failed, int wanted, char *text)
{
    const char *what = wanted ? "each test passed, and something is wrong with all together"
                              : "no test came to its end";
    char end[100], quoted[300];

    snprintf(quoted, sizeof quoted, "\"%.200s\" did not pass", failed);
    snprintf(text, TEXT_BYTES, "%s: in %s, with seed %llu and schedule %llu, the program %s\n",
             *failed ? quoted : what, build_modes[t->mode], (unsigned long long)t->seed,
             (unsigned long long)t->schedule, end_of(t, end, sizeof end));
    quote_all(t, text);
    say_command(t, text);
}

/* ---- running ---- */

static bool is_sanitized(const char *mode)
{
    return strcmp(mode, "asan") == 0 || strcmp(mode, "tsan") == 0;
}

/* The program is told a key and the schedule; the seed is for what the test itself draws. */
static void run_trial(struct trial *t)
{
    char seed[64];
    const char *const arguments[] = { t->program, NULL };
    const char *const environment[] = {
        "PATH=/usr/bin:/bin",
        "LAB_GRADE=1",
        "CMOCKA_MESSAGE_OUTPUT=TAP",
        seed,
        "ASAN_OPTIONS=detect_stack_use_after_return=1",
        "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1",
        NULL,
    };
    const struct prisoner who = { .arguments = arguments,
                                  .environment = environment,
                                  .reads = t->reads,
                                  .seconds = t->check->seconds,
                                  .memory_bytes = (uint64_t)t->check->memory << 20,
                                  .sanitized = is_sanitized(build_modes[t->mode]),
                                  .told = true,
                                  .schedule = t->schedule };

    snprintf(seed, sizeof seed, "TEST_SEED=%llu", (unsigned long long)t->seed);
    prison_run(&t->judge->prison, &who, &t->report, &t->told);
}

/* Of some tests only, what the others did to the status does not matter. */
static bool ended_well(const struct trial *t)
{
    return t->report.end == PROCESS_ENDED && (t->report.wait_status == 0 || t->check->only.count);
}

/* Nothing has run: the machine is to blame. (gcc 12's TSan does not start where addresses are drawn
 * from 32 bits.) */
static bool could_not_start(const struct trial *t, int wanted)
{
    const char *said = t->report.error.bytes;

    return t->report.end == PROCESS_NOT_STARTED ||
           (!wanted && said && strstr(said, "ThreadSanitizer: unexpected memory mapping"));
}

/* True if it passed; else `text` says why not. */
static bool try_once(struct trial *t, char *text)
{
    char failed[300];
    bool passed;
    int wanted;

    t->count = NAN;
    run_trial(t);
    wanted = find_failed(t, failed, sizeof failed);
    passed = wanted && !*failed && ended_well(t) && (!t->check->count || find_count(t));
    if (!passed)
        say_failure(t, failed, wanted, text);
    t->judge->again = !passed && could_not_start(t, wanted);
    process_report_free(&t->report);
    free(t->told);
    return passed;
}

/* "plain/coroutines/tests/test_loop"; one of the assignment's own is in its folder. */
static void name_program(const struct judge *j, const struct check *c, const char *folder,
                         char *name, size_t size_bytes)
{
    bool own = strncmp(c->test, "tests/", 6) == 0;

    snprintf(name, size_bytes, "%s/%s%s%s", folder, own ? j->sheet->assignment->folder : "",
             own ? "/" : "", c->test);
}

/* In one build, under each schedule: the first as it comes, others disturbed. The worst count of
 * all goes to *count. */
static bool try_program(struct trial *t, const char *name, double *count, char *text)
{
    uint64_t random = t->judge->sheet->seed + (uint64_t)t->mode;
    char built[PATH_MAX];

    submission_built(&t->judge->submission, build_modes[t->mode], built, sizeof built);
    snprintf(t->reads, sizeof t->reads, "%.2000s/%.2000s", t->judge->submission.home, built);
    snprintf(t->program, sizeof t->program, "%s/%s", t->reads, name);
    for (int i = 0; i < t->check->schedules; i++) {
        t->seed = random_next(&random) >> 34 | 1;
        t->schedule = i ? t->seed : 0;
        if (!try_once(t, text))
            return false;
        *count = fmax(*count, t->count);
    }
    return true;
}

static bool build(struct judge *j, const struct check *c, int mode, char folder[WORDS_MOST][32],
                  int folders, char *text)
{
    char name[WORDS_MOST][PATH_MAX];
    const char *targets[WORDS_MOST + 1] = { NULL };
    struct process_report report;
    bool built;

    for (int i = 0; i < folders; i++) {
        name_program(j, c, folder[i], name[i], sizeof name[i]);
        targets[i] = name[i];
    }
    built = submission_make(&j->submission, build_modes[mode], NULL, NULL, targets, &report);
    if (!built)
        snprintf(text, TEXT_BYTES, "it does not build with %s in %s:\n%.2000s", c->test,
                 build_modes[mode], report.error.bytes ? report.error.bytes : "");
    j->again = !built && submission_was_hindered(&report);
    process_report_free(&report);
    return built;
}

/* All modes, all folders. */
static bool try_all(struct judge *j, const struct check *c, double *count, char *text)
{
    char folder[WORDS_MOST][32], name[PATH_MAX];
    int folders = judge_folders(j->sheet->assignment, folder);

    for (int mode = 0; mode < BUILD_MODES; mode++) {
        struct trial t = { .judge = j, .check = c, .mode = mode };

        if (!c->in_mode[mode])
            continue;
        if (!build(j, c, mode, folder, folders, text))
            return false;
        for (int i = 0; i < folders; i++) {
            name_program(j, c, folder[i], name, sizeof name);
            if (!try_program(&t, name, count, text))
                return false;
        }
    }
    return true;
}

bool judge_test(struct judge *j, const struct check *c)
{
    char text[TEXT_BYTES] = "";
    double count = -INFINITY, share = 1;
    struct finding *f;

    if (!try_all(j, c, &count, text)) {
        sheet_add(j->sheet, c->name, c->points, 0, j->again ? RESULT_AGAIN : RESULT_FAILED, "%s",
                  text);
        return false;
    }
    if (c->count) {
        share = slope(count, c->full, c->zero);
        snprintf(text, sizeof text, "%s: %g (all points up to %g, none from %g)", c->count, count,
                 c->full, c->zero);
    }
    f = sheet_add(j->sheet, c->name, c->points, share,
                  share == 1  ? RESULT_PASSED
                  : share > 0 ? RESULT_PARTLY
                              : RESULT_FAILED,
                  *text ? "%s" : NULL, text);
    if (c->count)
        f->data = json_pack("{s:f}", "count", count);
    return share > 0;
}
