/* speed.c - how fast a submission is, as a ratio to the lab's own, or that nobody can tell.
 *
 * One `lab run` measures four cells in an order that is drawn block by block: reference and
 * submission, and both once more by the program under a second name. What the two make of the
 * reference is the control: two cells that are one and the same. If they differ, if the hypervisor
 * took much, or if the ratio of the submission is uncertain where points depend on it, it is
 * measured again, longer, up to three times; and then the verdict is that somebody must run it
 * again.
 */
#include "lab/grade/judge.h"

#include "lab/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ATTEMPTS = 3, ROUNDS = 9, SAMPLES_MOST = 2 * ROUNDS * ATTEMPTS, SPEED_S = 120 };

/* How far the control may be off, as a share of the dead band, and that band where all points are
 * for being faster; what may be stolen; how much of the points may depend on where in its interval
 * the ratio is. */
static const double CONTROL_OFF = 0.75, BAND = 1.2, STOLEN = 0.1, UNDECIDED = 0.25;

struct pairs {
    size_t count;
    double a[SAMPLES_MOST], b[SAMPLES_MOST];
};

static const struct outcome *find_cell(const struct results *r, const char *mode, const char *build)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct cell *c = &r->outcome[i].cell;

        if (!c->control && !strcmp(c->mode, mode) && !strcmp(c->build, build))
            return &r->outcome[i];
    }
    return NULL;
}

/* -1 if the window was not measured, which estimate_ratio leaves out. */
static double rate_of(const struct outcome *o, int round)
{
    return measured(&o->round[round]) ? measurement_rate(&o->round[round]) : -1;
}

static void add_pairs(struct pairs *p, const struct outcome *a, const struct outcome *b)
{
    for (int k = 0; a && b && k < a->rounds && k < b->rounds && p->count < SAMPLES_MOST; k++) {
        p->a[p->count] = rate_of(a, k);
        p->b[p->count++] = rate_of(b, k);
    }
}

static double most_stolen(const struct results *r)
{
    double sum = 0;
    int windows = 0;

    for (size_t i = 0; i < r->count; i++)
        for (int k = 0; k < r->outcome[i].rounds; k++) {
            double steal = r->outcome[i].round[k].occasion.steal;

            sum += steal > 0 ? steal : 0;
            windows++;
        }
    return windows ? sum / windows : 0;
}

static json_t *rates_json(const struct outcome *o)
{
    json_t *array = json_array();

    for (int k = 0; o && k < o->rounds; k++)
        json_array_append_new(array, json_real(rate_of(o, k)));
    return array;
}

/* The cells' builds: the program itself, and its copy. */
static void compare(const struct results *r, const struct check *c, const char *const build[4],
                    struct speed *out)
{
    const struct outcome *reference[2], *mine[2];
    struct pairs pairs = { 0 }, control = { 0 };

    for (int i = 0; i < 2; i++) {
        reference[i] = find_cell(r, c->reference, build[i]);
        mine[i] = find_cell(r, c->mine, build[2 + i]);
        add_pairs(&pairs, reference[i], mine[i]);
    }
    add_pairs(&control, reference[0], reference[1]);
    out->slowdown = estimate_ratio(pairs.a, pairs.b, pairs.count);
    out->control = estimate_ratio(control.a, control.b, control.count);
    out->stolen = most_stolen(r);
    out->samples = json_pack("{s:o, s:o, s:o, s:o}", "reference", rates_json(reference[0]),
                             "reference_again", rates_json(reference[1]), "mine",
                             rates_json(mine[0]), "mine_again", rates_json(mine[1]));
}

static bool is_measured(const struct outcome *o)
{
    for (int k = 0; k < o->rounds; k++)
        if (measured(&o->round[k]))
            return true;
    return false;
}

/* Why nothing was measured goes to *why, and to *referred whether the reference was. */
static bool load(const char *path, const struct check *c, const char *const build[4],
                 struct speed *out, bool *referred, char *why, size_t size_bytes)
{
    struct results results = { 0 };
    struct run run;
    struct mistake m;
    struct store *store = store_open(path, STORE_READ, &m);
    bool loaded = store && store_find(store, NULL, &run, &m) == 0 &&
                  store_load(store, &run, &results, &m) == 0;

    if (!loaded) {
        snprintf(why, size_bytes, "%.400s", m.text);
    } else {
        const struct outcome *mine = find_cell(&results, c->mine, build[2]);
        const struct outcome *reference = find_cell(&results, c->reference, build[0]);

        *referred = reference && is_measured(reference);
        compare(&results, c, build, out);
        for (int k = 0; mine && k < mine->rounds; k++)
            if (!measured(&mine->round[k]))
                snprintf(why, size_bytes, "%s", mine->round[k].note);
        results_free(&results);
    }
    store_close(store);
    return loaded && out->slowdown.count;
}

/* ---- running ---- */

/* The program that runs, and the builds of the cells: reference, reference, submission, submission.
 * What differs between reference and submission is the program if it is of coroutines, else the
 * mode. Others than the program itself have short names in the folder where it runs. */
struct builds {
    char program[2 * PATH_MAX];
    const char *of[4]; /* "": the program itself */
    const char *list;
};

static void link_to(const struct judge *j, const char *name, const char *reads, const char *file)
{
    char path[PATH_MAX], target[2 * PATH_MAX];

    prison_path(&j->prison, name, path, sizeof path);
    snprintf(target, sizeof target, "%s/%s", reads, file);
    unlink(path);
    if (symlink(target, path) < 0)
        perror(path); /* then the cells say that there is no such build */
}

static void name_builds(const struct judge *j, const char *reads, struct builds *b)
{
    bool apart = j->sheet->assignment->work == WORK_COROUTINES;

    snprintf(b->program, sizeof b->program, "%s/%s", reads, apart ? "lab-before" : "lab");
    link_to(j, "again", reads, apart ? "lab-before-again" : "lab-again");
    link_to(j, "mine", reads, "lab");
    link_to(j, "mine-again", reads, "lab-again");
    b->of[0] = "";
    b->of[1] = "./again";
    b->of[2] = apart ? "./mine" : "";
    b->of[3] = apart ? "./mine-again" : "./again";
    b->list = apart ? "self,./again,./mine,./mine-again" : "self,./again";
}

static void run_lab(struct judge *j, const struct check *c, const char *reads,
                    const struct builds *b, int attempt, struct process_report *report)
{
    char modes[300], threads[16], seed[32], rounds[16], path[PATH_MAX];
    const char *arguments[] = { b->program,
                                "run",
                                "--workload",
                                c->speed,
                                "--mode",
                                modes,
                                "--build",
                                b->list,
                                "--threads",
                                threads,
                                "--rounds",
                                rounds,
                                "--window",
                                "0.15",
                                "--ramp",
                                "0.05",
                                "--control",
                                "no",
                                "--seed",
                                seed,
                                "--results",
                                "speed.db",
                                c->unit ? "--unit" : NULL,
                                c->unit,
                                NULL };
    const char *const environment[] = { "PATH=/usr/bin:/bin", NULL };
    const struct prisoner who = {
        .arguments = arguments, .environment = environment, .reads = reads, .seconds = SPEED_S
    };
    bool one = strcmp(c->reference, c->mine) == 0;

    snprintf(modes, sizeof modes, "%s%s%s", c->reference, one ? "" : ",", one ? "" : c->mine);
    snprintf(threads, sizeof threads, "%d", (int)c->threads);
    snprintf(rounds, sizeof rounds, "%d", ROUNDS * (attempt + 1));
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)(j->sheet->seed + (uint64_t)attempt));
    prison_path(&j->prison, "speed.db", path, sizeof path);
    unlink(path);
    prison_run(&j->prison, &who, report, NULL);
}

void speed_folder(const struct judge *j, const struct check *c, char *path, size_t size_bytes)
{
    char built[PATH_MAX];

    submission_built(&j->submission, c->build, built, sizeof built);
    snprintf(path, size_bytes, "%.2000s/%.2000s", j->submission.home, built);
}

/* True if there is something to judge. If not even the reference was measured, it is the machine's
 * fault. */
static bool measure_once(struct judge *j, const struct check *c, int attempt, struct speed *out,
                         char *why, size_t size_bytes)
{
    char reads[PATH_MAX], results[PATH_MAX];
    struct builds builds;
    struct process_report report;
    bool loaded, referred = false;

    speed_folder(j, c, reads, sizeof reads);
    name_builds(j, reads, &builds);
    run_lab(j, c, reads, &builds, attempt, &report);
    prison_path(&j->prison, "speed.db", results, sizeof results);
    snprintf(why, size_bytes, "%.300s", report.error.bytes ? report.error.bytes : "it was not run");
    loaded = load(results, c, builds.of, out, &referred, why, size_bytes);
    j->again = !referred;
    process_report_free(&report);
    return loaded;
}

/* ---- judging ---- */

/* What can be chosen lies far apart: there the control makes the interval wider, and no more. */
void speed_doubt(const struct speed *m, const struct check *c, char *text, size_t size_bytes)
{
    double band = CONTROL_OFF * log(fmax(c->full, BAND)), off = fabs(log(m->control.median));
    double wider = c->choice ? exp(off) : 1;
    double low = m->slowdown.low / wider, high = m->slowdown.high * wider;
    double undecided = slope(low, c->full, c->zero) - slope(high, c->full, c->zero);

    *text = '\0';
    if (!c->choice && !(off <= band))
        snprintf(text, size_bytes, "the reference differs from itself by a factor of %.2f",
                 exp(off));
    else if (m->stolen > STOLEN)
        snprintf(text, size_bytes, "the hypervisor took %.0f %% of the processors' time",
                 100 * m->stolen);
    else if (!(undecided <= UNDECIDED))
        snprintf(text, size_bytes, "the ratio may be anything from %.2f to %.2f", low, high);
}

/* Of what is uncertain the better end counts. */
static void add_verdict(struct judge *j, const struct check *c, const struct speed *m)
{
    double share = slope(m->slowdown.low, c->full, c->zero);
    struct finding *f = sheet_add(j->sheet, c->name, c->points, share,
                                  share == 1  ? RESULT_PASSED
                                  : share > 0 ? RESULT_PARTLY
                                              : RESULT_FAILED,
                                  "%s takes %.2f (%.2f to %.2f) times as long as %s for %s; the "
                                  "reference beside itself: %.2f\n"
                                  "(all points up to %g, none from %g; the lower end counts)",
                                  c->mine, m->slowdown.median, m->slowdown.low, m->slowdown.high,
                                  c->reference, c->speed, m->control.median, c->full, c->zero);

    f->data = json_pack("{s:f, s:f, s:f, s:f, s:f, s:O}", "slowdown", m->slowdown.median, "low",
                        m->slowdown.low, "high", m->slowdown.high, "control", m->control.median,
                        "stolen", m->stolen, "samples", m->samples);
}

static bool judge_built(struct judge *j, const struct check *c)
{
    char why[500];

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct speed m = { .samples = NULL };

        if (!measure_once(j, c, attempt, &m, why, sizeof why)) {
            sheet_add(j->sheet, c->name, c->points, 0, j->again ? RESULT_AGAIN : RESULT_FAILED,
                      "nothing could be measured of %s under %s: %s", c->speed, c->mine, why);
            json_decref(m.samples);
            return false;
        }
        speed_doubt(&m, c, why, sizeof why);
        if (!*why)
            add_verdict(j, c, &m);
        json_decref(m.samples);
        if (!*why)
            return true;
    }
    sheet_add(j->sheet, c->name, c->points, 0, RESULT_AGAIN,
              "measured %d times: %s; run it again when the machine is quieter", ATTEMPTS, why);
    return true;
}

bool speed_build(struct judge *j, const struct check *c)
{
    const char *const targets[] = {
        "lab", j->sheet->assignment->work == WORK_COROUTINES ? "lab-before" : NULL, NULL
    };
    struct process_report report;
    bool built = submission_make(&j->submission, c->build, NULL, NULL, targets, &report);

    if (!built)
        sheet_add(j->sheet, c->name, c->points, 0, RESULT_AGAIN,
                  "the lab could not be built with it, for measuring:\n%.1000s",
                  report.error.bytes ? report.error.bytes : "");
    process_report_free(&report);
    return built;
}

bool judge_speed(struct judge *j, const struct check *c)
{
    return !speed_build(j, c) || judge_built(j, c);
}
