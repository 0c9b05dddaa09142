/* compare.c - `lab compare`: what differs between two runs, or two levels of a dial. */
#include "lab/colour.h"
#include "lab/command.h"
#include "lab/intern.h"
#include "lab/json.h"
#include "lab/judgement.h"
#include "lab/options.h"
#include "lab/paragraph.h"
#include "lab/parse.h"
#include "lab/store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_FAIL = 0x100, TEXT_BYTES = 48, SIDES = 2, MODE_WIDTH = 16 };

struct options {
    const char *in; /* results file, if the two are levels of a dial; else NULL */
    const char *run;
    bool fail_on_regression, json;
};

/* What is compared: pairs of outcomes, of one run or of two. */
struct comparing {
    const char *name[SIDES];
    struct run run[SIDES];
    struct results results[SIDES]; /* the second is empty if both are of one run */
    bool paired;
    struct floor floor;
    size_t count, alone[SIDES]; /* alone: cells that only one of two runs has */
    struct verdict *verdict;    /* owned */
};

static int load(const char *path, const char *which, struct run *run, struct results *results,
                struct mistake *m)
{
    struct store *store = store_open(path, STORE_READ, m);
    int status = -1;

    if (store && store_find(store, which, run, m) == 0)
        status = store_load(store, run, results, m);
    store_close(store);
    return status;
}

/* "FILE" or "FILE#RUN"; a file may itself be called so. */
static int load_run(struct comparing *c, int side, const char *argument, struct mistake *m)
{
    char path[4096];
    const char *hash = strrchr(argument, '#');

    c->name[side] = argument;
    if (!hash || access(argument, F_OK) == 0)
        return load(argument, NULL, &c->run[side], &c->results[side], m);
    snprintf(path, sizeof path, "%.*s", (int)(hash - argument), argument);
    return load(path, hash + 1, &c->run[side], &c->results[side], m);
}

/* What is no control, and was to be run. */
static bool counts(const struct outcome *o)
{
    return o && !o->cell.control && !o->cell.refusal;
}

static bool add(struct comparing *c, const struct outcome *a, const struct outcome *b)
{
    if (!counts(a) || !counts(b))
        return false;
    c->verdict[c->count].a = a;
    c->verdict[c->count++].b = b;
    return true;
}

static size_t count_cells(const struct results *r)
{
    size_t count = 0;

    for (size_t i = 0; i < r->count; i++)
        count += counts(&r->outcome[i]);
    return count;
}

static int make_room(struct comparing *c, struct mistake *m)
{
    c->verdict = calloc(c->results[0].count + 1, sizeof *c->verdict);
    return c->verdict ? 0 : mistake_set(m, "no memory for %zu cells", c->results[0].count);
}

static int match_runs(struct comparing *c, struct mistake *m)
{
    if (!strcmp(c->run[0].uuid, c->run[1].uuid))
        return mistake_set(m,
                           "'%.100s' and '%.100s' are one and the same run; for another run of a "
                           "file write FILE#RUN",
                           c->name[0], c->name[1]);
    if (make_room(c, m) < 0)
        return -1;
    for (size_t i = 0; i < c->results[0].count; i++) {
        const struct outcome *a = &c->results[0].outcome[i];

        add(c, a, results_find(&c->results[1], &a->cell, a->cell.mode, a->cell.threads));
    }
    c->floor = judge_floor_between(&c->results[0], &c->results[1]);
    for (int side = 0; side < SIDES; side++)
        c->alone[side] = count_cells(&c->results[side]) - c->count;
    if (!c->count)
        return mistake_set(m, "the two runs have no cell in common");
    return 0;
}

/* A dial's level, where a cell has it. */
struct level {
    const char *dial, *value;
    int number; /* if the dial is one of numbers */
};

static const char **dial_of(struct cell *cell, const char *dial)
{
    if (!strcmp(dial, "workload"))
        return &cell->workload;
    if (!strcmp(dial, "mode"))
        return &cell->mode;
    if (!strcmp(dial, "heap"))
        return &cell->heap;
    if (!strcmp(dial, "unit"))
        return &cell->execution_unit;
    return strcmp(dial, "build") ? NULL : &cell->build;
}

/* Of the other dials. */
static int *number_of(struct cell *cell, const char *dial)
{
    return strcmp(dial, "units") ? &cell->threads : &cell->units;
}

static bool has_level(const struct cell *cell, const struct level *level)
{
    struct cell copy = *cell;
    const char **dial = dial_of(&copy, level->dial);

    return dial ? *dial == level->value : *number_of(&copy, level->dial) == level->number;
}

static void set_level(struct cell *cell, const struct level *level)
{
    const char **dial = dial_of(cell, level->dial);

    if (dial)
        *dial = level->value;
    else
        *number_of(cell, level->dial) = level->number;
}

/* "mode=gil" */
static int parse_level(const char *argument, struct level *level, struct mistake *m)
{
    const char *equals = strchr(argument, '=');
    struct cell cell;
    char dial[32];
    int64_t number = 0;
    bool numbers;

    snprintf(dial, sizeof dial, "%.*s", equals ? (int)(equals - argument) : 0, argument);
    numbers = !strcmp(dial, "threads") || !strcmp(dial, "units");
    if (!numbers && !dial_of(&cell, dial))
        return mistake_set(m,
                           "'%.100s' is no level of a dial; write workload=, mode=, heap=, unit=, "
                           "units=, threads= or build= and the level",
                           argument);
    if (numbers && parse_number(dial, equals + 1, 0, INT32_MAX, &number, m) < 0)
        return -1;
    level->dial = intern(dial);
    level->value = intern(!strcmp(argument, "build=self") ? "" : equals + 1);
    level->number = (int)number;
    return 0;
}

/* What the dial's levels are in this run: "gil, biased". */
static void list_levels(const struct results *r, const char *dial, char *text, size_t size_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < r->count; i++) {
        struct cell cell = r->outcome[i].cell;
        const char **value = dial_of(&cell, dial);
        char word[LABEL_MAX + 4];
        const char *there;

        if (!counts(&r->outcome[i]))
            continue;
        snprintf(word, sizeof word, "%s", value && !**value ? "self" : value ? *value : "");
        if (!value)
            snprintf(word, sizeof word, "%d", *number_of(&cell, dial));
        there = strstr(text, word);
        if (used + strlen(word) + 2 < size_bytes &&
            !(there && strchr(",", there[strlen(word)]) && (there == text || there[-1] == ' ')))
            used +=
                (size_t)snprintf(text + used, size_bytes - used, "%s%s", used ? ", " : "", word);
    }
}

/* A run may have no cell that has the level. */
static int find_level(const struct comparing *c, const struct level *level, int side,
                      struct mistake *m)
{
    char there[400];

    for (size_t i = 0; i < c->results[0].count; i++)
        if (counts(&c->results[0].outcome[i]) && has_level(&c->results[0].outcome[i].cell, level))
            return 0;
    list_levels(&c->results[0], level->dial, there, sizeof there);
    return mistake_set(m, "no cell of this run has %.100s; there is %s", c->name[side], there);
}

/* Rates in other units are no more or less. */
static int check_units(const struct comparing *c, struct mistake *m)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct cell *a = &c->verdict[i].a->cell, *b = &c->verdict[i].b->cell;

        if (strcmp(a->unit, b->unit))
            return mistake_set(m,
                               "%.100s is counted in %ss and %.100s in %ss; such rates cannot "
                               "be compared",
                               a->workload, a->unit, b->workload, b->unit);
    }
    return 0;
}

/* Threads are compared with each count of another unit; others with as many. */
static void add_unit(struct comparing *c, const struct outcome *a, struct cell *other)
{
    const struct results *r = &c->results[0];
    int units = other->units;

    for (size_t i = 0; i < r->count && c->count < r->count; i++) {
        const struct cell *b = &r->outcome[i].cell;

        other->units = b->units;
        if (b->execution_unit == other->execution_unit &&
            (b->units == units || !b->units || !units) &&
            results_find(r, other, other->mode, other->threads) == &r->outcome[i])
            add(c, a, &r->outcome[i]);
    }
}

static int match_levels(struct comparing *c, const struct level *level, struct mistake *m)
{
    if (make_room(c, m) < 0)
        return -1;
    for (int side = 0; side < SIDES; side++)
        if (find_level(c, &level[side], side, m) < 0)
            return -1;
    for (size_t i = 0; i < c->results[0].count; i++) {
        const struct outcome *a = &c->results[0].outcome[i];
        struct cell other = a->cell;

        if (!has_level(&a->cell, &level[0]))
            continue;
        set_level(&other, &level[1]);
        if (strcmp(level->dial, "unit"))
            add(c, a, results_find(&c->results[0], &other, other.mode, other.threads));
        else
            add_unit(c, a, &other);
    }
    if (!c->count)
        return mistake_set(m, "no two cells of this run differ in %s alone", level[0].dial);
    c->floor = judge_floor(&c->results[0]);
    c->paired = true;
    return check_units(c, m);
}

static int load_levels(struct comparing *c, const struct options *o, char **argv, struct mistake *m)
{
    struct level level[SIDES];

    for (int side = 0; side < SIDES; side++) {
        c->name[side] = argv[side];
        if (parse_level(argv[side], &level[side], m) < 0)
            return -1;
    }
    if (level[0].dial != level[1].dial)
        return mistake_set(m, "'%s' and '%s' are of two dials; compare two levels of one",
                           level[0].dial, level[1].dial);
    if (level[0].value == level[1].value && level[0].number == level[1].number)
        return mistake_set(m, "'%.100s' is compared with itself; compare two levels", argv[0]);
    if (load(o->in, o->run, &c->run[0], &c->results[0], m) < 0)
        return -1;
    return match_levels(c, level, m);
}

static enum tone tone_of(enum claim claim)
{
    return claim == CLAIM_SLOWER ? TONE_BAD : claim == CLAIM_FASTER ? TONE_GOOD : TONE_FAINT;
}

/* "slower by 4.9 %" */
static const char *words_for(const struct verdict *v, char *text)
{
    double ratio = v->comparison.ratio.median;

    if (v->claim == CLAIM_FASTER && ratio >= 2)
        snprintf(text, TEXT_BYTES, "%.3g times as fast", ratio);
    else if (v->claim == CLAIM_FASTER || v->claim == CLAIM_SLOWER)
        snprintf(text, TEXT_BYTES, "%s by %.1f %%", claim_name(v->claim), 100 * fabs(ratio - 1));
    else
        snprintf(text, TEXT_BYTES, "%s", claim_name(v->claim));
    return text;
}

/* "0.951", in at most 6 columns */
static const char *ratio_text(double ratio, char *text)
{
    snprintf(text, TEXT_BYTES, ratio < 0.0995 ? "%.2g" : ratio < 9.9995 ? "%.3f" : "%.3g", ratio);
    return text;
}

static const char *rate_text(const struct outcome *o, char *text)
{
    struct estimate rate = outcome_rate(o);

    return rate.count ? human_rate(rate.median, text, TEXT_BYTES) : "-";
}

/* What the cells of a group have in common. */
static void print_head(const struct cell *c, bool other_heap)
{
    char units[LABEL_MAX + 16];

    printf("\n%s (counted in %ss)%s%s%s%s%s%s\n", c->workload, c->unit,
           *cell_units(c, units, sizeof units) ? ", " : "", units, other_heap ? ", heap " : "",
           other_heap ? c->heap : "", *c->build ? ", build " : "", c->build);
    printf("  %-*s %7s %8s %8s %6s  %-16s %7s  %s\n", MODE_WIDTH, "mode", "threads", "A per s",
           "B per s", "B / A", "interval", "p", "B is");
}

/* One that is too long has a line of its own. */
static void print_mode(const char *mode)
{
    if (strlen(mode) > MODE_WIDTH)
        printf("  %s\n  %*s", mode, MODE_WIDTH, "");
    else
        printf("  %-*s", MODE_WIDTH, mode);
}

static const char *units_or_threads(const struct cell *c, char text[TEXT_BYTES])
{
    return *cell_units(c, text, TEXT_BYTES) ? text : "threads";
}

static void print_row(const struct verdict *v)
{
    char units[TEXT_BYTES];
    const struct cell *c = &v->a->cell;
    const struct estimate *ratio = &v->comparison.ratio;
    char before[TEXT_BYTES], after[TEXT_BYTES], words[TEXT_BYTES], interval[2 * TEXT_BYTES + 8];
    char middle[TEXT_BYTES], low[TEXT_BYTES], high[TEXT_BYTES], p[TEXT_BYTES];

    snprintf(interval, sizeof interval, "%s .. %s", ratio_text(ratio->low, low),
             ratio_text(ratio->high, high));
    snprintf(p, sizeof p, "%.2g", v->comparison.p);
    print_mode(c->mode);
    printf(" %7d %8s %8s %6s  %-16s %7s  %s%s%s", c->threads, rate_text(v->a, before),
           rate_text(v->b, after), ratio->count ? ratio_text(ratio->median, middle) : "-",
           ratio->count > 1 ? interval : "-", ratio->count ? p : "-",
           colour(stdout, tone_of(v->claim)), words_for(v, words), colour(stdout, TONE_PLAIN));
    if (!same_units(c, &v->b->cell))
        printf(", by %s", units_or_threads(&v->b->cell, units));
    putchar('\n');
}

static void print_rows(const struct comparing *c)
{
    const struct cell *last = NULL;

    for (size_t i = 0; i < c->count; i++) {
        const struct cell *cell = &c->verdict[i].a->cell;

        if (!last || !comparable(cell, last))
            print_head(cell, cell->heap != c->verdict[0].a->cell.heap);
        last = cell;
        print_row(&c->verdict[i]);
    }
}

static size_t count_claims(const struct comparing *c, enum claim claim)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++)
        count += c->verdict[i].claim == claim;
    return count;
}

static size_t count_compared(const struct comparing *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++)
        count += c->verdict[i].comparison.ratio.count > 0;
    return count;
}

static void say_floor(const struct comparing *c, FILE *out)
{
    if (c->floor.pairs)
        fprintf(out,
                "Noise floor: %.1f %%, from %zu windows of the control, %.0f %% sure: by so much "
                "may equals differ here. ",
                100 * c->floor.share, c->floor.pairs, 100 * c->floor.confidence);
    else
        fprintf(out, "There is no noise floor, for %s. ",
                c->paired ? "no two windows of a control were measured"
                          : "the two runs have no control in common");
}

/* Of all intervals that are shown: of few windows they are whole ranges. */
static double least_confidence(const struct comparing *c)
{
    double least = 1;

    for (size_t i = 0; i < c->count; i++)
        if (c->verdict[i].comparison.ratio.count > 1 &&
            c->verdict[i].comparison.ratio.confidence < least)
            least = c->verdict[i].comparison.ratio.confidence;
    return least;
}

/* Cells that A has measured and of which B gave nothing: as bad as slower. */
static size_t count_lost(const struct comparing *c)
{
    size_t lost = 0;

    for (size_t i = 0; i < c->count; i++)
        lost += outcome_rate(c->verdict[i].a).count && !outcome_rate(c->verdict[i].b).count;
    return lost;
}

static void say_summary(const struct comparing *c, FILE *out)
{
    size_t compared = count_compared(c), unsure = count_claims(c, CLAIM_CANNOT_TELL);

    fprintf(out, "%zu of %zu cells differ: %zu faster, %zu slower. ",
            count_claims(c, CLAIM_FASTER) + count_claims(c, CLAIM_SLOWER), c->count,
            count_claims(c, CLAIM_FASTER), count_claims(c, CLAIM_SLOWER));
    if (count_lost(c))
        fprintf(out, "Of %zu B gave nothing. ", count_lost(c));
    say_floor(c, out);
    if (unsure && compared)
        fprintf(out,
                "Of %zu it cannot be told: so many comparisons want %zu windows of each cell and "
                "of the control. ",
                unsure, judge_windows_needed(compared, c->paired));
    if (c->alone[0] || c->alone[1])
        fprintf(out, "Not compared: %zu cells that only A has, %zu that only B has. ", c->alone[0],
                c->alone[1]);
    if (!compared)
        return;
    fprintf(out,
            "\nB / A: of rates, the median%s. ",
            c->paired ? " of the pairs of a round" : " shift");
    if (least_confidence(c) < 1)
        fprintf(out, "interval: of that, with %.0f %% confidence%s. ", 100 * least_confidence(c),
                compared > 1 ? " or more" : "");
    fprintf(out, "p: %s, corrected for %zu comparisons (Holm).%s",
            c->paired ? "sign test" : "Mann-Whitney", compared,
            c->paired ? " Rows are called as A's cells." : "");
}

static void print_summary(const struct comparing *c)
{
    char *text = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);

    if (!out)
        return;
    say_summary(c, out);
    if (fclose(out) == 0) {
        putchar('\n');
        print_paragraph(text, 0, stdout);
    }
    free(text);
}

/* What, beside what is to be compared, may make the two runs differ; NULL: nothing that is
 * known. */
static const char *difference(const struct comparing *c)
{
    const struct run *a = &c->run[0], *b = &c->run[1];

    if (c->paired)
        return NULL;
    if (strcmp(a->machine, b->machine))
        return "of different machines";
    if (a->cores != b->cores)
        return "of different numbers of cores";
    if (a->settings.window_s != b->settings.window_s || a->settings.ramp_s != b->settings.ramp_s)
        return "of windows of different lengths";
    return a->settings.bind == b->settings.bind ? NULL : "bound to processors in different ways";
}

static void print_all(const struct comparing *c)
{
    const char *different = difference(c);

    printf("A: %s\nB: %s\n", c->name[0], c->name[1]);
    if (different)
        printf("%sThe two runs are %s, and that may be what differs.%s\n",
               colour(stdout, TONE_WARNING), different, colour(stdout, TONE_PLAIN));
    print_rows(c);
    print_summary(c);
}

static json_t *rate_json(const struct outcome *o)
{
    struct estimate rate = outcome_rate(o);

    return rate.count ? json_finite(rate.median) : json_null();
}

/* Null if there is no ratio. */
static json_t *of_ratio(const struct verdict *v, double value)
{
    return v->comparison.ratio.count ? json_finite(value) : json_null();
}

static json_t *verdict_json(const struct verdict *v)
{
    const struct cell *c = &v->a->cell;
    const struct estimate *ratio = &v->comparison.ratio;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, "
                     "s:s}", "workload", json_text(c->workload), "mode", json_text(c->mode), "heap",
                     json_text(c->heap), "build", json_text(c->build), "execution_unit",
                     json_text(c->execution_unit), "units", json_count(c->units), "units_of_b",
                     json_count(v->b->cell.units), "threads", c->threads, "a",
                     rate_json(v->a), "b", rate_json(v->b), "ratio", of_ratio(v, ratio->median),
                     "low", of_ratio(v, ratio->low), "high", of_ratio(v, ratio->high), "p",
                     of_ratio(v, v->comparison.p), "superiority",
                     of_ratio(v, v->comparison.superiority), "windows", (json_int_t)ratio->count,
                     "claim", claim_name(v->claim));
}

static int print_json(const struct comparing *c)
{
    json_t *array = json_array();

    for (size_t i = 0; i < c->count; i++)
        array = json_with(array, verdict_json(&c->verdict[i]));
    return json_print(json_pack(
        "{s:o, s:o, s:b, s:o, s:o, s:o}", "a", json_text(c->name[0]), "b", json_text(c->name[1]),
        "paired", c->paired, "warning", json_text(difference(c)), "floor",
        c->floor.pairs ? json_finite(c->floor.share) : json_null(), "cells", array));
}

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    (void)m;
    if (key == 'i')
        o->in = value;
    else if (key == 'r')
        o->run = value;
    else if (key == KEY_FAIL)
        o->fail_on_regression = true;
    else
        o->json = true;
    return 0;
}

static int match(struct comparing *c, const struct options *o, char **argv, struct mistake *m)
{
    if (o->in)
        return load_levels(c, o, argv, m);
    if (o->run)
        return mistake_set(m, "--run goes with --in; for a run of a file write FILE#RUN");
    if (load_run(c, 0, argv[0], m) < 0 || load_run(c, 1, argv[1], m) < 0)
        return -1;
    return match_runs(c, m);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options o = { 0 };
    struct comparing c = { 0 };
    struct mistake m;
    int status;

    if (match(&c, &o, argv + options_parse(self, argc, argv, &o), &m) < 0)
        mistake_exit(argv[0], &m);
    if (judge(c.verdict, c.count, c.paired, &c.floor) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        return 1;
    }
    status = o.json ? print_json(&c) : (print_all(&c), 0);
    if (o.fail_on_regression && (count_claims(&c, CLAIM_SLOWER) || count_lost(&c)))
        status = 1;
    results_free(&c.results[0]);
    results_free(&c.results[1]);
    free(c.verdict);
    return status;
}

static const struct argp_option described[] = {
    { "in", 'i', "RESULTS", 0, "A and B are levels of a dial, as mode=gil, in a run of this file",
      0 },
    { "run", 'r', "N", 0, "which run of that file (the last)", 0 },
    { "fail-on-regression", KEY_FAIL, NULL, 0,
      "status 1 if anything became slower, or gives nothing any more", 0 },
    JSON_OPTION,
    { 0 },
};

static const struct explained examples[] = {
    { "lab compare before.db after.db", "two runs, the last of each file" },
    { "lab compare all.db#1 all.db#2", "two runs of one file" },
    { "lab compare --in all.db mode=gil mode=biased", "two levels of a dial, round by round" },
    { "lab compare --in all.db build=old/lab build=self --fail-on-regression",
      "two builds, measured in turn: for a check before a merge" },
    { NULL, NULL },
};

static const struct explained statuses[] = {
    { "1", "something became slower, with --fail-on-regression" },
    { NULL, NULL },
};

const struct command command_compare = {
    .about = "what differs between two runs, or two levels of a dial, and how surely",
    .doc = "B is judged against A, cell by cell. A difference is claimed only if its interval "
           "excludes 1, its p (corrected for the number of comparisons) is below 0.05, and it is "
           "larger than the noise floor: what two cells differed that are the same.",
    .options = described,
    .arguments = "A B",
    .least = 2,
    .most = 2,
    .examples = examples,
    .statuses = statuses,
    .take = take,
    .run = run,
};
