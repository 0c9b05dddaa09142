/* child.c - a cell's window in a fresh process: its command line, and what to think of what
 * it said. */
#include "lab/child.h"

#include "gil/mutex.h"
#include "lab/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A line of each of 4096 workers fits, and so does a sanitizer's report. */
enum { OUTPUT_BYTES = 4 << 20, WORDS_MOST = 120 };

static const char *executable(const struct cell *cell)
{
    return *cell->build ? cell->build : "/proc/self/exe";
}

/* The caller's, but for one variable if `quiet`: the races of an unsafe cell are its purpose,
 * and TSan must not end it for them. The array is to be freed. */
static char **environment_for(bool quiet)
{
    size_t count = 0, kept = 0;
    char **copy;

    while (environ[count])
        count++;
    copy = calloc(count + 2, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        if (!quiet || strncmp(environ[i], "TSAN_OPTIONS=", 13))
            copy[kept++] = environ[i];
    if (copy && quiet)
        copy[kept] = "TSAN_OPTIONS=report_bugs=0";
    return copy;
}

static size_t count_words(char *const *words)
{
    size_t count = 0;

    while (words[count])
        count++;
    return count;
}

/* The next place. */
static size_t add_option(char **words, size_t at, char *option, char *value)
{
    words[at] = option;
    words[at + 1] = value;
    return at + 2;
}

/* The child's command line: the same words that a person could type. */
static void run_cell(const struct child_rules *rules, const struct cell *cell,
                     const struct window *window, enum window_kind kind,
                     struct process_report *report)
{
    char mode[2 * LABEL_MAX], units[16], threads[16], ramp[32], length[32], watchdog[32];
    char number[16];
    char *bind = (char *)binding_policy_names[window->bind];
    char *arguments[28] = { "lab",         "cell",  "--workload", (char *)cell->workload,
                            "--mode",      mode,    "--heap",     (char *)cell->heap,
                            "--threads",   threads, "--ramp-ns",  ramp,
                            "--window-ns", length,  "--bind",     bind,
                            NULL };
    size_t words = count_words(arguments);
    char **environment = environment_for(!cell->safe);
    struct program program = { executable(cell), arguments, environment };
    struct process_limits limits = { rules->time_ns, rules->memory_bytes, OUTPUT_BYTES };

    cell_mode_words(cell, kind, mode, sizeof mode);
    snprintf(threads, sizeof threads, "%d", cell->threads);
    snprintf(ramp, sizeof ramp, "%llu", (unsigned long long)window->ramp_ns);
    snprintf(length, sizeof length, "%llu", (unsigned long long)window->length_ns);
    snprintf(units, sizeof units, "%d", cell->units);
    /* Only if it is wanted: another build may not know it. */
    if (cell->units) {
        words = add_option(arguments, words, "--unit", (char *)cell->execution_unit);
        words = add_option(arguments, words, "--units", units);
    }
    if (window->counts)
        arguments[words++] = "--count";
    if (window->watches)
        arguments[words++] = "--watch";
    if (window->watchdog_ns)
        words = add_option(arguments, words, "--watchdog-ns", watchdog);
    if (window->trace) {
        words = add_option(arguments, words, "--trace", (char *)window->trace);
        add_option(arguments, words, "--trace-number", number);
    }
    snprintf(watchdog, sizeof watchdog, "%llu", (unsigned long long)window->watchdog_ns);
    snprintf(number, sizeof number, "%d", window->trace_number);
    process_run(&program, &limits, rules->interrupted, report);
    free(environment);
}

static void make_plain(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            text[i] = '?';
}

/* The lines that begin so: what the child wants to be said, though it has a result. */
static void pass_notes_on(const struct child_rules *rules, struct process_text *error)
{
    static const char mark[] = "note: ";
    char *line = error->bytes, *end;

    for (; rules->note && line && *line; line = *end ? end + 1 : end) {
        char text[NOTE_BYTES + sizeof mark];

        end = strchrnul(line, '\n');
        if (strncmp(line, mark, sizeof mark - 1))
            continue;
        snprintf(text, sizeof text, "%.*s", (int)(end - line), line);
        make_plain(text, strlen(text));
        rules->note(text + sizeof mark - 1);
    }
}

/* The last line that the child said on its standard error, for the note. */
static const char *last_words(struct process_text *error)
{
    char *line;

    while (error->count && error->bytes[error->count - 1] == '\n')
        error->bytes[--error->count] = '\0';
    line = strrchr(error->bytes, '\n');
    return line ? line + 1 : error->bytes;
}

/* A NUL would hide what follows it; so it is made a byte that no result holds either. */
static const char *text_of(struct process_text *out)
{
    for (size_t i = 0; i < out->count; i++)
        if (!out->bytes[i])
            out->bytes[i] = '\1';
    return out->bytes;
}

static bool tells_of_role(const struct measurement *m, int index, const char *name, int count,
                          int *next)
{
    for (int w = 0; w < count; w++) {
        const struct sample *s = &m->sample[*next];

        if ((*next)++ == m->samples || s->role_index != index || s->worker != w ||
            strcmp(s->role, name))
            return false;
    }
    return true;
}

/* The workers must be the cell's, in its order. That the child echoes which cell it ran would
 * say no more: it knows that from us alone. */
static bool tells_of(const struct measurement *m, const struct cell *cell)
{
    const struct role *roles = cell->work->roles;
    int next = 0, r = 0;

    for (; r < ROLE_MAX && roles[r].name; r++)
        if (!tells_of_role(m, r, roles[r].name, cell_samples(cell, &roles[r]), &next))
            return false;
    return tells_of_role(m, r, RECEIVER, cell_receivers(cell), &next) && next == m->samples;
}

/* It was written well; can it be true? */
static void doubt(struct measurement *m, const struct cell *cell, uint64_t lived_ns)
{
    double lived_s = (double)lived_ns / NS_PER_S;

    if (m->status != STATUS_OK && m->status != STATUS_EARLY && m->status != STATUS_FAILED)
        measurement_fail(m, STATUS_FAILED, "a cell cannot say of itself that its status is %s",
                         status_name(m->status));
    else if (m->status != STATUS_FAILED && !tells_of(m, cell))
        measurement_fail(m, STATUS_FAILED, "its result is of other workers than the cell's %d",
                         cell->workers);
    else if (m->seconds > lived_s)
        measurement_fail(m, STATUS_FAILED, "its window of %g s is longer than its life of %.3f s",
                         m->seconds, lived_s);
}

/* A child that fails after its result has failed: so ends one in which a sanitizer found
 * a leak or a race. */
static void judge(struct measurement *m, const struct cell *cell, struct process_report *report)
{
    const char *words = last_words(&report->error), *colon = *words ? ": " : "";
    const int status = report->wait_status;
    bool whole = measurement_read(m, text_of(&report->out)) == 0;

    if (WIFSIGNALED(status))
        measurement_fail(m, STATUS_FAILED, "the cell's process died: %s%s%.*s",
                         strsignal(WTERMSIG(status)), colon, WORDS_MOST, words);
    else if (status || !report->out.count)
        measurement_fail(m, STATUS_FAILED,
                         "the cell's process left with%s a result (status %d)"
                         "%s%.*s",
                         whole ? "" : "out", WEXITSTATUS(status), colon, WORDS_MOST, words);
    else if (whole)
        doubt(m, cell, report->lived_ns);
}

int child_measure(const struct child_rules *rules, const struct cell *cell,
                  const struct window *window, enum window_kind kind, struct measurement *m)
{
    struct process_report report;
    enum process_end end;

    *m = (struct measurement){ .status = STATUS_FAILED };
    run_cell(rules, cell, window, kind, &report);
    end = report.end;
    if (end != PROCESS_NOT_STARTED)
        pass_notes_on(rules, &report.error);
    switch (end) {
    case PROCESS_ENDED:
        judge(m, cell, &report);
        break;
    case PROCESS_NOT_STARTED:
        measurement_fail(m, STATUS_FAILED, "no process for the cell: %s: %s", executable(cell),
                         strerror(report.cause));
        break;
    case PROCESS_OVER_TIME:
        measurement_fail(m, STATUS_TIMEOUT, "ended after its limit of %.1f s",
                         (double)rules->time_ns / NS_PER_S);
        break;
    case PROCESS_OVER_MEMORY:
        measurement_fail(m, STATUS_FAILED,
                         "used more than %llu MiB of memory, its limit (--memory)",
                         (unsigned long long)rules->memory_bytes >> 20);
        break;
    case PROCESS_OVER_OUTPUT:
        measurement_fail(m, STATUS_FAILED, "ended, as it printed more than %d MiB",
                         OUTPUT_BYTES >> 20);
        break;
    case PROCESS_INTERRUPTED:
        break;
    }
    process_report_free(&report);
    return end == PROCESS_INTERRUPTED ? -1 : 0;
}
