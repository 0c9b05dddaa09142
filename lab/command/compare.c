/* compare.c - `lab compare`: what differs between two runs, or two levels of a dial. */
#include "lab/colour.h"
#include "lab/command.h"
#include "lab/intern.h"
#include "lab/json.h"
#include "lab/judgement.h"
#include "lab/options.h"
#include "lab/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FAIL = 0x100, TEXT_BYTES = 48, SIDES = 2 };

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
    size_t count;
    struct verdict *verdict; /* owned */
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

/* "FILE" or "FILE#RUN" */
static int load_run(struct comparing *c, int side, const char *argument, struct mistake *m)
{
    char path[4096];
    const char *hash = strrchr(argument, '#');

    c->name[side] = argument;
    if (!hash)
        return load(argument, NULL, &c->run[side], &c->results[side], m);
    snprintf(path, sizeof path, "%.*s", (int)(hash - argument), argument);
    return load(path, hash + 1, &c->run[side], &c->results[side], m);
}

static int add(struct comparing *c, const struct outcome *a, const struct outcome *b)
{
    if (!b || a->cell.control || a->cell.refusal || b->cell.refusal)
        return 0;
    c->verdict[c->count].a = a;
    c->verdict[c->count++].b = b;
    return 1;
}

static int make_room(struct comparing *c, struct mistake *m)
{
    c->verdict = calloc(c->results[0].count + 1, sizeof *c->verdict);
    return c->verdict ? 0 : mistake_set(m, "no memory for %zu cells", c->results[0].count);
}

static int match_runs(struct comparing *c, struct mistake *m)
{
    if (make_room(c, m) < 0)
        return -1;
    for (size_t i = 0; i < c->results[0].count; i++) {
        const struct outcome *a = &c->results[0].outcome[i];

        add(c, a, results_find(&c->results[1], &a->cell, a->cell.mode, a->cell.threads));
    }
    c->floor = judge_floor_between(&c->results[0], &c->results[1]);
    if (!c->count)
        return mistake_set(m, "the two runs have no cell in common");
    return 0;
}

/* A dial's level, where a cell has it. */
struct level {
    const char *dial, *value;
};

static const char **dial_of(struct cell *cell, const char *dial)
{
    if (!strcmp(dial, "workload"))
        return &cell->workload;
    if (!strcmp(dial, "mode"))
        return &cell->mode;
    if (!strcmp(dial, "heap"))
        return &cell->heap;
    return strcmp(dial, "build") ? NULL : &cell->build;
}

static bool has_level(const struct cell *cell, const struct level *level)
{
    struct cell copy = *cell;

    if (!strcmp(level->dial, "threads"))
        return cell->threads == atoi(level->value);
    return *dial_of(&copy, level->dial) == level->value;
}

static void set_level(struct cell *cell, const struct level *level)
{
    if (!strcmp(level->dial, "threads"))
        cell->threads = atoi(level->value);
    else
        *dial_of(cell, level->dial) = level->value;
}

/* "mode=gil" */
static int parse_level(const char *argument, struct level *level, struct mistake *m)
{
    const char *equals = strchr(argument, '=');
    struct cell cell;
    char dial[32];

    snprintf(dial, sizeof dial, "%.*s", equals ? (int)(equals - argument) : 0, argument);
    if (strcmp(dial, "threads") && !dial_of(&cell, dial))
        return mistake_set(m, "'%.100s' is no level of a dial; write workload=, mode=, heap=, "
                           "threads= or build= and the level", argument);
    level->dial = intern(dial);
    level->value = intern(!strcmp(equals + 1, "self") ? "" : equals + 1);
    return 0;
}

static int match_levels(struct comparing *c, const struct level *level, struct mistake *m)
{
    size_t found[SIDES] = { 0 };

    if (make_room(c, m) < 0)
        return -1;
    for (size_t i = 0; i < c->results[0].count; i++) {
        const struct outcome *a = &c->results[0].outcome[i];
        struct cell other = a->cell;

        for (int side = 0; side < SIDES; side++)
            found[side] += !a->cell.control && has_level(&a->cell, &level[side]);
        if (!has_level(&a->cell, &level[0]))
            continue;
        set_level(&other, &level[1]);
        add(c, a, results_find(&c->results[0], &other, other.mode, other.threads));
    }
    for (int side = 0; side < SIDES; side++)
        if (!found[side])
            return mistake_set(m, "no cell of this run has %s", c->name[side]);
    if (!c->count)
        return mistake_set(m, "no two cells of this run differ in %s alone", level[0].dial);
    c->floor = judge_floor(&c->results[0]);
    c->paired = true;
    return 0;
}

static int load_levels(struct comparing *c, const struct options *o, char **argv,
                       struct mistake *m)
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

    if (v->claim == CLAIM_FASTER || v->claim == CLAIM_SLOWER)
        snprintf(text, TEXT_BYTES, "%s by %.1f %%", claim_name(v->claim),
                 100 * (ratio > 1 ? ratio - 1 : 1 - ratio));
    else
        snprintf(text, TEXT_BYTES, "%s", claim_name(v->claim));
    return text;
}

static void print_row(const struct verdict *v)
{
    const struct cell *c = &v->a->cell;
    const struct estimate *ratio = &v->comparison.ratio;
    char before[TEXT_BYTES], after[TEXT_BYTES], interval[TEXT_BYTES], words[TEXT_BYTES];

    snprintf(interval, sizeof interval, "%.3f .. %.3f", ratio->low, ratio->high);
    printf("  %-20s %-14s %7d %9s %9s %7.3f  %-16s %8.2g  %s%s%s\n", c->workload, c->mode,
           c->threads, human_rate(outcome_rate(v->a).median, before, sizeof before),
           human_rate(outcome_rate(v->b).median, after, sizeof after), ratio->median, interval,
           v->comparison.p, colour(stdout, tone_of(v->claim)), words_for(v, words),
           colour(stdout, TONE_PLAIN));
}

static size_t count_claims(const struct comparing *c, enum claim claim)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++)
        count += c->verdict[i].claim == claim;
    return count;
}

static void print_summary(const struct comparing *c)
{
    printf("\n%zu of %zu cells differ: %zu faster, %zu slower. ",
           count_claims(c, CLAIM_FASTER) + count_claims(c, CLAIM_SLOWER), c->count,
           count_claims(c, CLAIM_FASTER), count_claims(c, CLAIM_SLOWER));
    if (c->floor.pairs)
        printf("Noise floor: %.1f %%, from %zu windows of the control.\n", 100 * c->floor.share,
               c->floor.pairs);
    else
        printf("There is no noise floor: %s no control.\n", c->paired ? "the run has"
                                                                      : "one of the runs has");
    printf("B / A is of rates, the median%s; interval: 95 %%; p: %s, corrected for %zu "
           "comparisons (Holm).\n", c->paired ? " of pairs of one round" : "'s shift",
           c->paired ? "sign test" : "Mann-Whitney", c->count);
}

static void print_all(const struct comparing *c)
{
    printf("A: %s\nB: %s\n", c->name[0], c->name[1]);
    if (!c->paired && strcmp(c->run[0].machine, c->run[1].machine))
        printf("%sThe two runs are of different machines, and so may be what differs.%s\n",
               colour(stdout, TONE_WARNING), colour(stdout, TONE_PLAIN));
    printf("\n  %-20s %-14s %7s %9s %9s %7s  %-16s %8s\n", "workload", "mode", "threads", "A per s",
           "B per s", "B / A", "interval", "p");
    for (size_t i = 0; i < c->count; i++)
        print_row(&c->verdict[i]);
    print_summary(c);
}

static json_t *verdict_json(const struct verdict *v)
{
    const struct cell *c = &v->a->cell;
    const struct estimate *ratio = &v->comparison.ratio;

    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s}",
                     "workload", c->workload, "mode", c->mode, "heap", c->heap, "build", c->build,
                     "threads", c->threads, "a", json_finite(outcome_rate(v->a).median), "b",
                     json_finite(outcome_rate(v->b).median), "ratio", json_finite(ratio->median),
                     "low", json_finite(ratio->low), "high", json_finite(ratio->high), "p",
                     json_finite(v->comparison.p), "superiority",
                     json_finite(v->comparison.superiority), "windows", (json_int_t)ratio->count,
                     "claim", claim_name(v->claim));
}

static int print_json(const struct comparing *c)
{
    json_t *array = json_array();

    for (size_t i = 0; i < c->count; i++)
        array = json_with(array, verdict_json(&c->verdict[i]));
    return json_print(json_pack("{s:s, s:s, s:b, s:o, s:o}", "a", c->name[0], "b", c->name[1],
                                "paired", c->paired, "floor",
                                c->floor.pairs ? json_finite(c->floor.share) : json_null(),
                                "cells", array));
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
    if (o.json)
        status = print_json(&c);
    else
        print_all(&c), status = 0;
    if (o.fail_on_regression && count_claims(&c, CLAIM_SLOWER))
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
    { "fail-on-regression", KEY_FAIL, NULL, 0, "status 1 if anything became slower", 0 },
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
    .least = 2, .most = 2,
    .examples = examples,
    .statuses = statuses,
    .take = take,
    .run = run,
};
