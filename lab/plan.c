/* plan.c - what is to be measured, and in which order. */
#include "lab/plan.h"

#include "gil/mutex.h"
#include "lab/intern.h"
#include "lab/procfs.h"
#include "lab/random.h"
#include "lab/topology.h"

#include <errno.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const placing_names[] = { "shuffled", "pairs", "sorted", NULL };
const char *const bind_names[] = { "auto", "yes", "no", "apart", NULL };

enum { CONTROLS = 2 };

/* What a window's process costs beyond ramp and window, for estimates of time. */
static const double process_s = 0.01;

const struct settings settings_usual = {
    .window_s = 0.25, .ramp_s = 0.05, .rounds_least = 5, .rounds_most = 5, .seed = 1,
    .placing = PLACING_SHUFFLED, .bind = BIND_AUTO, .control = CONTROL_AUTO,
};

/* "5", or "5..25" */
static int set_rounds(struct settings *s, const char *value, struct mistake *m)
{
    const char *dots = strstr(value, "..");
    char least[LABEL_MAX];
    int64_t first, last;

    snprintf(least, sizeof least, "%.*s", dots ? (int)(dots - value) : LABEL_MAX - 1, value);
    if (parse_number("rounds", least, 1, ROUNDS_MAX, &first, m) < 0 ||
        parse_number("rounds", dots ? dots + 2 : least, first, ROUNDS_MAX, &last, m) < 0)
        return -1;
    s->rounds_least = (int)first;
    s->rounds_most = (int)last;
    return 0;
}

static int set_seed(struct settings *s, const char *value, struct mistake *m)
{
    int64_t seed;

    if (parse_number("seed", value, 0, INT64_MAX, &seed, m) < 0)
        return -1;
    s->seed = (uint64_t)seed;
    return 0;
}

/* The index of the word in the list; or -1 and "bind: 'x' is not one of auto, yes, no". */
static int parse_word(const char *what, const char *value, const char *const *words,
                      struct mistake *m)
{
    int i = name_index(words, value);
    char all[LABEL_MAX];
    size_t used = 0;

    if (i >= 0)
        return i;
    for (int k = 0; words[k]; k++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", k ? ", " : "", words[k]);
    return mistake_set(m, "%s: '%.100s' is not one of %s", what, value, all);
}

static int set_control(struct settings *s, const char *value, struct mistake *m)
{
    static const char *const words[] = { "auto", "yes", "no", NULL };
    int i = parse_word("control", value, words, m);

    s->control = i < 0 ? CONTROL_AUTO : (enum control)i;
    return i < 0 ? -1 : 0;
}

static int set_placing(struct settings *s, const char *value, struct mistake *m)
{
    int i = parse_word("order", value, placing_names, m);

    s->placing = i < 0 ? PLACING_SHUFFLED : (enum placing)i;
    return i < 0 ? -1 : 0;
}

static int set_bind(struct settings *s, const char *value, struct mistake *m)
{
    int i = parse_word("bind", value, bind_names, m);

    s->bind = i < 0 ? BIND_AUTO : (enum bind)i;
    return i < 0 ? -1 : 0;
}

/* NULL: the option of the command line, which takes no value. */
static int set_stats(struct settings *s, const char *value, struct mistake *m)
{
    static const char *const words[] = { "no", "yes", NULL };
    int i = value ? parse_word("stats", value, words, m) : 1;

    s->stats = i > 0;
    return i < 0 ? -1 : 0;
}

int settings_take(struct settings *s, int letter, const char *value, struct mistake *m)
{
    switch (letter) {
    case 'r':
        return set_rounds(s, value, m);
    case 'W':
        return parse_seconds("window", value, 0.001, 3600, &s->window_s, m);
    case 'R':
        return parse_seconds("ramp", value, 0, 3600, &s->ramp_s, m);
    case 'P':
        return parse_share("precision", value, &s->precision, m);
    case 'u':
        return parse_seconds("budget", value, 0, 30 * 86400, &s->budget_s, m);
    case 'O':
        return set_placing(s, value, m);
    case 's':
        return set_seed(s, value, m);
    case 'T':
        return parse_seconds("timeout", value, 0.001, 86400, &s->timeout_s, m);
    case 'M':
        return parse_bytes("memory", value, &s->memory_bytes, m);
    case 'b':
        return set_bind(s, value, m);
    case 'c':
        return set_control(s, value, m);
    case 'S':
        return set_stats(s, value, m);
    default:
        return 1;
    }
}

/* The most threads of any cell that have a core each: what is calm with one thread may not
 * be with all cores at work. */
static int control_threads(const struct dials *d, int cores)
{
    int64_t most = 1;

    for (int i = 0; i < d->threads.count; i++)
        if (d->threads.item[i] <= cores && d->threads.item[i] > most)
            most = d->threads.item[i];
    return (int)most;
}

/* The twins. A build without `plain` has none. */
static void add_controls(struct plan *plan, const struct dials *dials)
{
    static struct variants workload, unit;
    static struct modes mode;
    struct mistake ignored;

    if (parse_workloads("empty", &workload, &ignored) < 0 ||
        parse_units("thread", &unit, &ignored) < 0 ||
        parse_modes("nolock", &mode, &ignored) < 0)
        return;
    for (int twin = 1; twin <= CONTROLS; twin++) {
        struct cell *cell = &plan->cell[plan->count++];

        cell_init(cell, &workload.item[0], &mode.item[0], dials->heap.item[0].label, "",
                  &unit.item[0], 0, control_threads(dials, plan->cores));
        cell->control = twin;
    }
}

/* What changes results though no dial says so: a run that goes on elsewhere is another. */
static const char *conditions(void)
{
    static const char *const variables[] = { "MALLOC_CONF", "LD_PRELOAD", "GLIBC_TUNABLES" };
    hwloc_const_bitmap_t set = hwloc_topology_get_topology_cpuset(topology_hwloc());
    char *processors = NULL, text[1024];
    size_t used;

    hwloc_bitmap_list_asprintf(&processors, set);
    used = (size_t)snprintf(text, sizeof text, "%s%s", topology_simulated() ? "simulated " : "",
                            processors ? processors : "");
    free(processors);
    for (size_t i = 0; i < sizeof variables / sizeof *variables && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, " %s",
                                 getenv(variables[i]) ? getenv(variables[i]) : "");
    return intern(text);
}

/* The hash of each build's file: a build that has changed makes another plan. */
static int hash_builds(const struct dials *d, const char *hash[BUILDS_MAX], struct mistake *m)
{
    char digest[SHA256_DIGEST_STRING_LENGTH];

    for (int b = 0; b < d->builds; b++) {
        hash[b] = "";
        if (!d->build[b][0])
            continue;
        if (access(d->build[b], X_OK) < 0 || !SHA256File(d->build[b], digest))
            return mistake_set(m, "build: '%s' is no program that can be run: %s", d->build[b],
                               strerror(errno));
        hash[b] = intern(digest);
    }
    return 0;
}

/* What is left out, and the hash of each build. */
struct adding {
    struct plan *plan;
    const struct dials *dials;
    const char *const *hash;
    bool (*excluded)(const struct cell *cell, const void *with);
    const void *with;
};

/* Levels of the outer dials. */
struct levels_at {
    int workload, heap, build, unit, units;
};

/* Threads are innermost, so that what is compared stands together. */
static void add_modes(const struct adding *a, const struct levels_at *at)
{
    const struct dials *d = a->dials;

    for (int m = 0; m < d->mode.count; m++)
        for (int t = 0; t < d->threads.count; t++) {
            struct cell *cell = &a->plan->cell[a->plan->count];

            cell_init(cell, &d->workload.item[at->workload], &d->mode.item[m],
                      d->heap.item[at->heap].label, d->build[at->build], &d->unit.item[at->unit],
                      (int)d->units.item[at->units], (int)d->threads.item[t]);
            cell->build_hash = a->hash[at->build];
            a->plan->count += !a->excluded || !a->excluded(cell, a->with);
        }
}

static void add_cells(const struct adding *a)
{
    const struct dials *d = a->dials;

    for (int w = 0; w < d->workload.count; w++)
        for (int h = 0; h < d->heap.count; h++)
            for (int b = 0; b < d->builds; b++)
                for (int u = 0; u < d->unit.count; u++)
                    for (int n = 0; n < dials_units_of(d, u); n++)
                        add_modes(a, &(struct levels_at){ w, h, b, u, n });
}

/* Half of what is free now: the lab, too, and what else runs here must live. */
static uint64_t half_of_memory(void)
{
    char text[PROCFS_TEXT_BYTES];
    int64_t kib = -1;

    if (procfs_read("", "/proc/meminfo", text, sizeof text) >= 0)
        kib = procfs_number(text, "MemAvailable");
    return kib > 0 ? (uint64_t)kib * 512 : UINT64_MAX;
}

static void complete(struct settings *s)
{
    if (s->timeout_s == 0)
        s->timeout_s = 10 * (s->window_s + s->ramp_s) + 10;
    if (!s->memory_bytes)
        s->memory_bytes = half_of_memory();
    /* A precision without a bound of its own may take five times as long, a bound in time
     * as long as that says. */
    if (s->rounds_most == s->rounds_least && s->precision > 0)
        s->rounds_most = s->budget_s > 0 ? ROUNDS_MAX : 5 * s->rounds_least;
}

int plan_make(struct plan *plan, const char *name, const char *source, const struct dials *dials,
              const struct settings *settings,
              bool (*excluded)(const struct cell *cell, const void *with), const void *with,
              struct mistake *m)
{
    const char *hash[BUILDS_MAX];
    size_t count = dials_count(dials);

    *plan = (struct plan){ .name = intern(name), .settings = *settings, .cores = topology_pus(),
                           .conditions = conditions() };
    if (count > CELLS_MOST)
        return mistake_set(m, "%zu cells are too many; at most %d", count, CELLS_MOST);
    if (hash_builds(dials, hash, m) < 0)
        return -1;
    complete(&plan->settings);
    plan->source = strdup(source);
    plan->cell = calloc(count + CONTROLS, sizeof *plan->cell);
    if (!plan->source || !plan->cell) {
        plan_free(plan);
        return mistake_set(m, "no memory for %zu cells", count);
    }
    if (settings->control == CONTROL_YES || (settings->control == CONTROL_AUTO && count > 1))
        add_controls(plan, dials);
    count = plan->count;
    add_cells(&(struct adding){ plan, dials, hash, excluded, with });
    if (plan->count > count)
        return 0;
    plan_free(plan);
    return mistake_set(m, "every cell of '%s' is excluded", name);
}

void plan_free(struct plan *plan)
{
    free(plan->source);
    free(plan->cell);
    *plan = (struct plan){ 0 };
}

static void shuffle(const struct plan *plan, int block, uint32_t *order)
{
    uint64_t state = plan->settings.seed + (uint64_t)block * 0x9E3779B97F4A7C15u;

    for (size_t i = plan->count; i > 1; i--) {
        size_t k = random_below(&state, i);
        uint32_t last = order[i - 1];

        order[i - 1] = order[k];
        order[k] = last;
    }
}

void plan_order(const struct plan *plan, int block, uint32_t *order)
{
    bool backwards = plan->settings.placing == PLACING_PAIRS && block % 2 == 0;

    for (size_t i = 0; i < plan->count; i++)
        order[i] = (uint32_t)(backwards ? plan->count - 1 - i : i);
    if (plan->settings.placing == PLACING_SHUFFLED)
        shuffle(plan, block, order);
}

/* Those of a pool too; not those that receive. */
static int busy_threads(const struct cell *cell)
{
    bool pool = cell->units && cell->kind_of_unit->carried == CARRIED_BY_A_POOL;

    return cell->carriers - cell_receivers(cell) + (pool ? cell->threads : 0);
}

static enum binding_policy binding(const struct plan *plan, const struct cell *cell)
{
    switch (plan->settings.bind) {
    case BIND_YES:
        return BIND_CORES;
    case BIND_NO:
        return BIND_NONE;
    case BIND_APART:
        return BIND_ROLES;
    default: /* BIND_AUTO */
        if (cell->work->by_role)
            return BIND_ROLES;
        return busy_threads(cell) <= plan->cores ? BIND_CORES : BIND_NONE;
    }
}

struct window plan_window(const struct plan *plan, const struct cell *cell)
{
    const struct settings *s = &plan->settings;

    return (struct window){ (uint64_t)(s->ramp_s * NS_PER_S), (uint64_t)(s->window_s * NS_PER_S),
                            binding(plan, cell) };
}

/* FNV-1a (G. Fowler, L. Noll, K.-P. Vo, 1991): to tell plans apart, not to keep secrets. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return (hash ^ 0xff) * 0x100000001b3u;
}

void plan_hash(const struct plan *plan, char text[17])
{
    const struct settings *s = &plan->settings;
    uint64_t hash = 0xcbf29ce484222325u;
    char line[256];

    /* Not the bound on memory, which is of the day; nor the source, which may be re-indented. */
    hash = hash_text(hash, plan->conditions);
    snprintf(line, sizeof line, "%a %a %a %d %d %a %a %llu %d %d", s->window_s, s->ramp_s,
             s->timeout_s, s->rounds_least, s->rounds_most, s->precision, s->budget_s,
             (unsigned long long)s->seed, s->placing, s->bind);
    hash = hash_text(hash, line);
    for (size_t i = 0; i < plan->count; i++) {
        const struct cell *c = &plan->cell[i];

        hash = hash_text(hash, c->workload);
        hash = hash_text(hash, c->mode);
        hash = hash_text(hash, c->gil);
        hash = hash_text(hash, c->heap);
        hash = hash_text(hash, c->build);
        hash = hash_text(hash, c->build_hash);
        hash = hash_text(hash, c->execution_unit);
        snprintf(line, sizeof line, "%d %d %d", c->units, c->threads, c->control);
        hash = hash_text(hash, line);
    }
    snprintf(text, 17, "%016llx", (unsigned long long)hash);
}

double plan_window_s(const struct plan *plan)
{
    return plan->settings.ramp_s + plan->settings.window_s + process_s;
}
