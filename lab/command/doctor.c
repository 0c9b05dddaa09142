/* doctor.c - `lab doctor`: what on this machine will spoil a measurement. */
#include "lab/command.h"

#include "gil/mutex.h"
#include "lab/colour.h"
#include "lab/diagnosis.h"
#include "lab/json.h"
#include "lab/options.h"
#include "lab/provenance.h"
#include "lab/topology.h"

#include <stdio.h>
#include <stdlib.h>

struct options {
    bool json, strict;
};

static const uint64_t watch_ns = NS_PER_S;

/* Keeps one processor busy. */
static void *spin(void *number)
{
    uint64_t until_ns = clock_ns() + watch_ns;
    struct binding binding;

    topology_bind((int)(intptr_t)number, BIND_CORES, &binding);
    while (clock_ns() < until_ns)
        ;
    return NULL;
}

/* A second in which every processor of ours has work: what is missing then was taken. */
static struct disturbance watch(void)
{
    int count = topology_pus(), started = 0;
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    struct pulse before, after;

    pulse_take("", &before);
    while (threads && started < count &&
           pthread_create(&threads[started], NULL, spin, (void *)(intptr_t)started) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pulse_take("", &after);
    free(threads);
    return pulse_between(&before, &after);
}

/* How many of them warn. */
static int count_warnings(const struct finding *findings, int count)
{
    int warnings = 0;

    for (int i = 0; i < count; i++)
        warnings += findings[i].verdict == VERDICT_WARN;
    return warnings;
}

static void write_finding(const struct finding *f)
{
    static const enum tone tones[] = { TONE_GOOD, TONE_WARNING, TONE_FAINT };
    static const int indent = 8;

    printf("%s%-6s%s  %-15s  %s\n", colour(stdout, tones[f->verdict]), verdict_name(f->verdict),
           colour(stdout, TONE_PLAIN), f->topic, f->what);
    if (f->verdict == VERDICT_WARN)
        printf("%*s%s\n%*sto do: %s\n", indent, "", f->effect, indent, "", f->remedy);
}

static void write_all(const struct finding *findings, int count, int warnings)
{
    for (int i = 0; i < count; i++)
        write_finding(&findings[i]);
    printf("\n%d of %d may spoil a measurement. What is absent cannot be looked at here.\n",
           warnings, count);
}

static int write_json(const struct finding *findings, int count, int warnings)
{
    json_t *array = json_array();

    for (int i = 0; i < count; i++) {
        const struct finding *f = &findings[i];

        array = json_with(array, json_pack("{ss ss ss ss ss}", "topic", f->topic, "verdict",
                                           verdict_name(f->verdict), "what", f->what, "effect",
                                           f->effect, "remedy", f->remedy));
    }
    return json_print(array ? json_pack("{so si}", "findings", array, "warnings", warnings) : NULL);
}

/* On another machine's topology (HWLOC_SYNTHETIC) it is still this one that is looked at. */
static int run(const struct command *self, int argc, char **argv)
{
    struct finding findings[FINDINGS_MAX];
    struct facts facts = { 0 };
    struct disturbance watched;
    struct options o = { 0 };
    struct mistake m;
    int count, warnings, status = 0;

    options_parse(self, argc, argv, &o);
    if (topology_load(&m) < 0)
        mistake_exit(argv[0], &m);
    provenance_machine(&facts, "");
    provenance_software(&facts);
    provenance_changing(&facts, "");
    watched = watch();
    topology_unload();
    count = diagnose(&facts, &watched, findings);
    warnings = count_warnings(findings, count);
    if (o.json)
        status = write_json(findings, count, warnings);
    else
        write_all(findings, count, warnings);
    facts_free(&facts);
    return status || (o.strict && warnings);
}

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    (void)value;
    (void)m;
    if (key == 'j')
        o->json = true;
    else
        o->strict = true;
    return 0;
}

static const struct argp_option options[] = {
    JSON_OPTION,
    { "strict", 's', NULL, 0, "exit with status 1 if anything may spoil a measurement", 0 },
    { 0 },
};

static const struct explained examples[] = {
    { "lab doctor", "what is wrong here, what it does, and what to type" },
    { "lab doctor --strict && lab run", "measure only where nothing is wrong" },
    { "lab doctor --json | jq -r '.findings[] | select(.verdict == \"warn\").remedy'",
      "what to do about each warning, a line each" },
    { NULL, NULL },
};

const struct command command_doctor = {
    .about = "what on this machine will spoil a measurement, and what to do about it",
    .doc = "Looks at what is known to disturb measurements, and keeps every processor busy for a "
           "second to see who takes it away. Each finding is ok, warn or absent (there is no such "
           "thing here, or the kernel does not tell). A warning says what it does to a "
           "measurement, and what to do about it. Nothing is changed.",
    .options = options,
    .take = take,
    .examples = examples,
    .run = run,
};
