/* choice.c - what a submission says to choose, measured beside all that it could have chosen.
 *
 * Each is a `lab run` of one window, and they take turns: in each round all of them, from another
 * one on, and once more what was chosen. That is the control: one and the same, twice. What counts
 * is how many times as long the chosen takes as the best, whichever that is on this machine.
 */
#include "lab/grade/judge.h"

#include "lab/names.h"
#include "lab/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ATTEMPTS = 3, ROUNDS = 5, ROUNDS_MOST = ROUNDS * ATTEMPTS, RUN_S = 30 };

struct rates {
    int rounds;
    double of[ALTERNATIVES_MOST + 1][ROUNDS_MOST]; /* -1: none. The last: the chosen again */
    double stolen;                                 /* summed over all windows */
    int windows;
    char why[300]; /* of the last that was not measured */
};

/* ---- what was chosen ---- */

static const yaml_node_t *find_key(struct document *d, const char *key)
{
    const yaml_node_t *map = d->root;

    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++)
        if (strcmp((const char *)document_node(d, p->key)->data.scalar.value, key) == 0)
            return document_node(d, p->value);
    return NULL;
}

/* Its place among the alternatives; -1 and a mistake. */
static int find_choice(struct document *d, const struct check *c, struct mistake *m)
{
    const char *names[ALTERNATIVES_MOST + 1] = { NULL }, *text;
    const yaml_node_t *node;
    int i;

    if (document_check_mapping(d, d->root, "a mapping, as \"computing: thread\"", m) < 0)
        return -1;
    node = find_key(d, c->choice);
    if (!node)
        return document_mistake(d, d->root, m, "it does not say what to choose for '%s'",
                                c->choice);
    text = document_text(d, node, "the name of what is chosen", m);
    for (i = 0; i < c->alternatives; i++)
        names[i] = c->among[i].name;
    i = text ? names_find(&NAMES_OF("choice", names), text, m) : -1;
    return text && i < 0 ? document_locate(d, node, m) : i;
}

static int read_choice(const struct judge *j, const struct check *c, struct mistake *m)
{
    char path[PATH_MAX], text[FILE_BYTES_MOST];
    struct document document;
    size_t bytes;
    FILE *file;
    int choice;

    snprintf(path, sizeof path, "%s/choices.yaml", j->submission.copy);
    file = fopen(path, "re");
    if (!file)
        return mistake_set(m, "there is no choices.yaml");
    bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    if (document_load(&document, "choices.yaml", text, bytes, m) < 0)
        return -1;
    choice = find_choice(&document, c, m);
    document_free(&document);
    return choice;
}

/* ---- measuring ---- */

/* The rate of the only window in the file; -1: it was not measured, or there is no such file. */
static double load_rate(const char *path, struct rates *r)
{
    struct results results = { 0 };
    struct run run;
    struct mistake m;
    struct store *store = store_open(path, STORE_READ, &m);
    double rate = -1;

    if (store && store_find(store, NULL, &run, &m) == 0 &&
        store_load(store, &run, &results, &m) == 0) {
        const bool any = results.count && results.outcome[0].rounds;
        const struct measurement *window = any ? &results.outcome[0].round[0] : NULL;

        if (window && measured(window)) {
            rate = measurement_rate(window);
            r->stolen += window->occasion.steal > 0 ? window->occasion.steal : 0;
            r->windows++;
        } else if (window) {
            snprintf(r->why, sizeof r->why, "%.250s", window->note);
        }
        results_free(&results);
    }
    store_close(store);
    return rate;
}

static double run_one(struct judge *j, const struct check *c, int alternative, struct rates *r)
{
    const char *arguments[ARGUMENTS_MOST] = {
        NULL,   "run",    "--workload", c->speed,    "--rounds", "1",         "--window",
        "0.15", "--ramp", "0.05",       "--control", "no",       "--results", "choice.db",
    };
    const char *const environment[] = { "PATH=/usr/bin:/bin", NULL };
    char reads[PATH_MAX], program[PATH_MAX + 8], path[PATH_MAX];
    char *options = strdup(c->among[alternative].options), *rest = options, *word;
    struct process_report report;
    struct prisoner who;
    double rate;
    int count = 0;

    speed_folder(j, c, reads, sizeof reads);
    snprintf(program, sizeof program, "%s/lab", reads);
    arguments[0] = program;
    while (arguments[count])
        count++;
    while (options && (word = strsep(&rest, " ")) && count < ARGUMENTS_MOST - 1)
        arguments[count++] = word;
    prison_path(&j->prison, "choice.db", path, sizeof path);
    unlink(path);
    who = (struct prisoner){
        .arguments = arguments, .environment = environment, .reads = reads, .seconds = RUN_S
    };
    prison_run(&j->prison, &who, &report, NULL);
    rate = load_rate(path, r);
    if (rate < 0 && !*r->why)
        snprintf(r->why, sizeof r->why, "%.250s", report.error.bytes ? report.error.bytes : "");
    process_report_free(&report);
    free(options);
    return rate;
}

static void measure_rounds(struct judge *j, const struct check *c, int chosen, struct rates *r)
{
    const int all = c->alternatives + 1;

    for (int round = 0; round < ROUNDS; round++, r->rounds++)
        for (int i = 0; i < all; i++) {
            int which = (int)((j->sheet->seed + (uint64_t)(r->rounds + i)) % (uint64_t)all);

            r->of[which][r->rounds] = run_one(j, c, which < c->alternatives ? which : chosen, r);
        }
}

/* ---- judging ---- */

static double median_of(const struct rates *r, int which)
{
    double copy[ROUNDS_MOST];
    size_t count = 0;

    for (int i = 0; i < r->rounds; i++)
        if (r->of[which][i] > 0)
            copy[count++] = r->of[which][i];
    return count ? estimate_median(copy, count).median : 0;
}

static int best_of(const struct check *c, const struct rates *r)
{
    int best = 0;

    for (int i = 1; i < c->alternatives; i++)
        if (median_of(r, i) > median_of(r, best))
            best = i;
    return best;
}

static json_t *rates_json(const struct check *c, const struct rates *r)
{
    json_t *all = json_object();

    for (int i = 0; i < c->alternatives; i++) {
        json_t *array = json_array();

        for (int k = 0; k < r->rounds; k++)
            json_array_append_new(array, json_real(r->of[i][k]));
        json_object_set_new(all, c->among[i].name, array);
    }
    return all;
}

static struct speed compare(const struct check *c, const struct rates *r, int best, int chosen)
{
    size_t rounds = (size_t)r->rounds;

    return (struct speed){
        .slowdown = estimate_ratio(r->of[best], r->of[chosen], rounds),
        .control = estimate_ratio(r->of[chosen], r->of[c->alternatives], rounds),
        .stolen = r->windows ? r->stolen / r->windows : 0,
    };
}

static void add_verdict(struct judge *j, const struct check *c, const struct rates *r, int best,
                        int chosen, const struct speed *m)
{
    double share = slope(m->slowdown.low, c->full, c->zero);
    enum result result = share == 1 ? RESULT_PASSED : share > 0 ? RESULT_PARTLY : RESULT_FAILED;
    struct finding *f =
        sheet_add(j->sheet, c->name, c->points, share, result,
                  "%s: %s takes %.2f (%.2f to %.2f) times as long as %s, the best here; beside "
                  "itself: %.2f\n(all points up to %g, none from %g; the lower end counts)",
                  c->choice, c->among[chosen].name, m->slowdown.median, m->slowdown.low,
                  m->slowdown.high, c->among[best].name, m->control.median, c->full, c->zero);

    f->data = json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "slowdown", m->slowdown.median, "low",
                        m->slowdown.low, "high", m->slowdown.high, "control", m->control.median,
                        "stolen", m->stolen, "samples", rates_json(c, r));
}

static bool judge_measured(struct judge *j, const struct check *c, int chosen)
{
    struct rates rates = { .rounds = 0 };
    char why[300] = "";

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct speed m;
        int best;

        measure_rounds(j, c, chosen, &rates);
        best = best_of(c, &rates);
        m = compare(c, &rates, best, chosen);
        if (!m.slowdown.count || !m.control.count) {
            snprintf(why, sizeof why, "%.290s", rates.why);
            continue;
        }
        speed_doubt(&m, c, why, sizeof why);
        if (!*why) {
            add_verdict(j, c, &rates, best, chosen, &m);
            return true;
        }
    }
    sheet_add(j->sheet, c->name, c->points, 0, RESULT_AGAIN,
              "measured %d times: %s; run it again when the machine is quieter", ATTEMPTS, why);
    return true;
}

bool judge_choice(struct judge *j, const struct check *c)
{
    struct mistake m;
    int chosen = read_choice(j, c, &m);

    if (chosen < 0) {
        sheet_add(j->sheet, c->name, c->points, 0, RESULT_FAILED, "%s", m.text);
        return false;
    }
    return !speed_build(j, c) || judge_measured(j, c, chosen);
}
