/* parse.c - what a user may write for names, variants, modes and numbers. */
#include "lab/parse.h"

#include "gil/gil.h"
#include "lab/names.h"
#include "lab/runtimes.h"
#include "lab/topology.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct named_mode mode_list[] = {
    { "gil", "plain", "interval", "CPython with its lock" },
    { "atomic", "atomic", "none", "one atomic count per object, no lock" },
    { "nolock", "plain", "none", "no protection at all: the upper bound, and the accident" },
    { NULL, NULL, NULL, NULL },
};

/* Cuts the first item off a comma list; `*rest` is NULL after the last. */
static int next_item(const char **rest, char item[LABEL_MAX], struct mistake *m)
{
    size_t length = strcspn(*rest, ",");

    if (length >= LABEL_MAX)
        return mistake_set(m, "'%.40s...' is longer than %d characters", *rest, LABEL_MAX - 1);
    memcpy(item, *rest, length);
    item[length] = '\0';
    *rest = (*rest)[length] ? *rest + length + 1 : NULL;
    return 0;
}

/* Ends the name at the first colon; what stands behind it, NULL if nothing. */
static char *cut_params(char *text)
{
    char *colon = strchr(text, ':');

    if (colon)
        *colon++ = '\0';
    return colon;
}

/* The whole of `text`, in decimal. */
static bool is_number(const char *text, int64_t least, int64_t most, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return end != text && !*end && !errno && !strpbrk(text, " \t\n\v\f\r") && *out >= least &&
           *out <= most;
}

int parse_number(const char *what, const char *text, int64_t least, int64_t most, int64_t *out,
                 struct mistake *m)
{
    if (is_number(text, least, most, out))
        return 0;
    return mistake_set(m, "%s: '%.100s' is not a number from %lld to %lld", what, text,
                       (long long)least, (long long)most);
}

static int add_number(const char *what, int64_t number, bool merge, struct numbers *out,
                      struct mistake *m)
{
    for (int i = 0; i < out->count; i++)
        if (out->item[i] == number)
            return merge ? 0
                         : mistake_set(m, "%s: %lld is there twice", what, (long long)number);
    if (out->count == NUMBERS_MAX)
        return mistake_set(m, "%s: more than %d numbers", what, NUMBERS_MAX);
    out->item[out->count++] = number;
    return 0;
}

/* "4", or "cores", "2*cores", "cores/2" of this machine: at least 1. */
static int parse_term(const char *what, const char *text, int64_t least, int64_t most,
                      int64_t *out, struct mistake *m)
{
    const char *cores = strstr(text, "cores");
    char times[LABEL_MAX] = "1", shares[LABEL_MAX] = "1", product[24];
    int64_t factor, divisor, number;

    if (!cores && is_number(text, least, most, out))
        return 0;
    if (!cores)
        return mistake_set(m, "%s: '%.100s' is not a number from %lld to %lld, a range such as "
                           "1..4, or cores, 2*cores, cores/2", what, text, (long long)least,
                           (long long)most);
    if (cores > text && cores[-1] == '*')
        snprintf(times, sizeof times, "%.*s", (int)(cores - 1 - text), text);
    else if (cores > text)
        times[0] = '\0';
    if (cores[5] == '/')
        snprintf(shares, sizeof shares, "%s", cores + 6);
    else if (cores[5])
        shares[0] = '\0';
    if (!is_number(times, 1, 1024, &factor) || !is_number(shares, 1, 1024, &divisor))
        return mistake_set(m, "%s: '%.100s' is neither a number nor cores, 2*cores, cores/2", what,
                           text);
    number = factor * topology_pus() / divisor;
    snprintf(product, sizeof product, "%lld", (long long)(number ? number : 1));
    return parse_number(what, product, least, most, out, m);
}

/* "4", "1..4", "1..2*cores". On a machine of two "2,cores" is one level. */
static int add_range(const char *what, char *text, int64_t least, int64_t most,
                     struct numbers *out, struct mistake *m)
{
    bool merge = strstr(text, "cores") != NULL;
    char *dots = strstr(text, "..");
    int64_t first, last;

    if (dots)
        *dots = '\0';
    if (parse_term(what, text, least, most, &first, m) < 0 ||
        parse_term(what, dots ? dots + 2 : text, least, most, &last, m) < 0)
        return -1;
    if (first > last)
        return mistake_set(m, "%s: %lld..%lld is empty; write %lld..%lld", what, (long long)first,
                           (long long)last, (long long)last, (long long)first);
    /* The last may be the greatest there is: no number is beyond it. */
    while (first < last)
        if (add_number(what, first++, merge, out, m) < 0)
            return -1;
    return add_number(what, last, merge, out, m);
}

int parse_numbers(const char *what, const char *text, int64_t least, int64_t most,
                  struct numbers *out, struct mistake *m)
{
    char item[LABEL_MAX];

    out->count = 0;
    while (text)
        if (next_item(&text, item, m) < 0 || add_range(what, item, least, most, out, m) < 0)
            return -1;
    return 0;
}

/* One of the words that may stand behind a number, and what it multiplies by. */
struct suffix {
    const char *word;
    double factor;
};

/* A number, perhaps a blank, one of the words or nothing (a factor of 1). */
static bool is_scaled(const char *text, const struct suffix *suffix, double *out)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || !isfinite(value))
        return false;
    end += strspn(end, " ");
    while (suffix->word && strcmp(end, suffix->word) != 0)
        suffix++;
    *out = suffix->word ? value * suffix->factor : value;
    return suffix->word || !*end;
}

int parse_seconds(const char *what, const char *text, double least, double most, double *out,
                  struct mistake *m)
{
    static const struct suffix suffixes[] = {
        { "s", 1 }, { "ms", 1e-3 }, { "us", 1e-6 }, { "min", 60 }, { "h", 3600 }, { NULL, 0 },
    };

    if (is_scaled(text, suffixes, out) && *out >= least && *out <= most)
        return 0;
    return mistake_set(m, "%s: '%.100s' is not a number of seconds from %g to %g, nor one of ms, "
                       "min, h", what, text, least, most);
}

int parse_share(const char *what, const char *text, double *out, struct mistake *m)
{
    static const struct suffix suffixes[] = { { "%", 1e-2 }, { NULL, 0 } };

    if (is_scaled(text, suffixes, out) && *out >= 0 && *out <= 1)
        return 0;
    return mistake_set(m, "%s: '%.100s' is not a share such as 3%% or 0.03", what, text);
}

int parse_bytes(const char *what, const char *text, uint64_t *out, struct mistake *m)
{
    static const struct suffix suffixes[] = {
        { "K", 0x1p10 }, { "KiB", 0x1p10 }, { "M", 0x1p20 }, { "MiB", 0x1p20 },
        { "G", 0x1p30 }, { "GiB", 0x1p30 }, { "T", 0x1p40 }, { "TiB", 0x1p40 }, { NULL, 0 },
    };
    double bytes;

    if (!is_scaled(text, suffixes, &bytes) || bytes < 1 || bytes > 0x1p60)
        return mistake_set(m, "%s: '%.100s' is not a size such as 512M or 2G", what, text);
    *out = (uint64_t)bytes;
    return 0;
}

static const struct named_gil *lock_named(const char *name)
{
    for (const struct named_gil *lock = gil_list; lock->name; lock++)
        if (strcmp(lock->name, name) == 0)
            return lock;
    return NULL;
}

static bool has_param(const struct param *table, const char *name)
{
    for (int i = 0; i < PARAM_MAX && table[i].name; i++)
        if (strcmp(table[i].name, name) == 0)
            return true;
    return false;
}

/* If the table is a lock's: the lock that has this parameter, or NULL. */
static const struct named_gil *lock_with_param(const struct param *table, const char *name)
{
    const struct named_gil *found = NULL;
    bool of_lock = false;

    for (const struct named_gil *lock = gil_list; lock->name; lock++) {
        of_lock |= lock->class->param == table;
        if (!found && has_param(lock->class->param, name))
            found = lock;
    }
    return of_lock ? found : NULL;
}

/* "force=0", for an owner such as "lock 'interval'". */
static int set_param(const char *owner, char *text, const struct param *table, int64_t *param,
                     struct mistake *m)
{
    struct names names = names_params(table);
    char what[2 * LABEL_MAX + 8];
    const struct named_gil *lock;
    struct mistake unknown;
    char *value = strchr(text, '=');
    int i;

    if (value)
        *value++ = '\0';
    i = names_find(&names, text, &unknown);
    if (i < 0 && (lock = lock_with_param(table, text)))
        return mistake_set(m, "%s has no parameter '%s'; lock '%s' has: POLICY+%s:%s=%s", owner,
                           text, lock->name, lock->name, text, value ? value : "N");
    if (i < 0)
        return mistake_set(m, "%s: %s", owner, unknown.text);
    if (!value)
        return mistake_set(m, "%s: '%s' has no value; write %s=%lld", owner, text, text,
                           (long long)table[i].standard);
    snprintf(what, sizeof what, "%s of %s", text, owner);
    return parse_number(what, value, table[i].least, table[i].most, &param[i], m);
}

/* "interval_us=500:force=0", or NULL for the standard values. */
static int set_params(const char *kind, const char *name, char *text, const struct param *table,
                      int64_t *param, struct mistake *m)
{
    char owner[LABEL_MAX + 32];

    snprintf(owner, sizeof owner, "%s '%s'", kind, name);
    for (int i = 0; i < PARAM_MAX; i++)
        param[i] = table[i].standard;
    while (text) {
        char *next = cut_params(text);

        if (set_param(owner, text, table, param, m) < 0)
            return -1;
        text = next;
    }
    return 0;
}

/* The parameters of entry `index`; none at all if the registry has none. */
typedef const struct param *params_of(int index);

static const struct param no_params[PARAM_MAX];

static const struct param *params_of_workload(int index)
{
    return runtime_list[0].runtime->workloads[index].workload->param;
}

static const struct param *params_of_unit(int index)
{
    return runtime_list[0].runtime->units[index].unit->param;
}

static const struct param *params_of_lock(int index)
{
    return gil_list[index].class->param;
}

static const struct param *params_of_nothing(int index)
{
    (void)index;
    return no_params;
}

static int parse_variant(const struct names *names, params_of *params_of, const char *item,
                         struct variant *out, struct mistake *m)
{
    char name[LABEL_MAX];
    char *params;

    strcpy(out->label, item);
    strcpy(name, item);
    params = cut_params(name);
    out->index = names_find(names, name, m);
    if (out->index < 0)
        return -1;
    return set_params(names->kind, name, params, params_of(out->index), out->param, m);
}

static int add_variant(const struct names *names, params_of *params_of, const char *item,
                       struct variants *out, struct mistake *m)
{
    if (out->count == LIST_MAX)
        return mistake_set(m, "more than %d of %s", LIST_MAX, names->kind);
    if (parse_variant(names, params_of, item, &out->item[out->count], m) < 0)
        return -1;
    for (int i = 0; i < out->count; i++)
        if (strcmp(out->item[i].label, item) == 0)
            return mistake_set(m, "%s '%s' is there twice", names->kind, item);
    out->count++;
    return 0;
}

static int add_every_variant(const struct names *names, params_of *params_of, struct variants *out,
                             struct mistake *m)
{
    for (int i = 0; names_at(names, i); i++)
        if (!names_hidden(names, i) &&
            add_variant(names, params_of, names_at(names, i), out, m) < 0)
            return -1;
    return 0;
}

static int parse_variants(struct names names, params_of *params_of, const char *text,
                          struct variants *out, struct mistake *m)
{
    char item[LABEL_MAX];

    out->count = 0;
    while (text) {
        int result = next_item(&text, item, m);

        if (result == 0 && strncmp(item, "all:", 4) == 0)
            result = mistake_set(m, "'all' takes no parameters: '%s'; a matrix can give them as factors, "
                                 "as gil.interval_us", item);
        if (result == 0)
            result = strcmp(item, "all") == 0 ? add_every_variant(&names, params_of, out, m)
                                              : add_variant(&names, params_of, item, out, m);
        if (result < 0)
            return -1;
    }
    return 0;
}

int parse_workloads(const char *text, struct variants *out, struct mistake *m)
{
    return parse_variants(names_workloads(), params_of_workload, text, out, m);
}

int parse_units(const char *text, struct variants *out, struct mistake *m)
{
    return parse_variants(names_units(), params_of_unit, text, out, m);
}

int parse_locks(const char *text, struct variants *out, struct mistake *m)
{
    return parse_variants(names_locks(), params_of_lock, text, out, m);
}

int parse_heaps(const char *text, struct variants *out, struct mistake *m)
{
    return parse_variants(names_heaps(), params_of_nothing, text, out, m);
}

int parse_policies(const char *text, struct variants *out, struct mistake *m)
{
    return parse_variants(names_policies(), params_of_nothing, text, out, m);
}

/* The mode of the table with this name, or NULL. */
static const struct named_mode *mode_named(const char *name)
{
    for (const struct named_mode *mode = mode_list; mode->name; mode++)
        if (strcmp(mode->name, name) == 0)
            return mode;
    return NULL;
}

/* A policy to show the lock with: `plain` or another that needs a lock, if this is one, else one
 * that does not; or the first. */
static const char *policy_for(const struct named_gil *lock)
{
    if (lock->class->excludes && runtime_named("plain"))
        return "plain";
    for (const struct named_runtime *r = runtime_list; r->name; r++)
        if (r->runtime->needs_gil == lock->class->excludes && !r->runtime->counts &&
            !r->runtime->audited)
            return r->name;
    return runtime_list[0].name;
}

/* No policy that was built in, where one should stand. */
static int unknown_policy(const char *name, struct mistake *m)
{
    const struct named_mode *mode = mode_named(name);
    struct names policies = names_policies();

    if (mode)
        return mistake_set(m, "'%s' is a mode, for %s+%s, and stands alone; before a + stands a "
                           "policy", name, mode->policy, mode->lock);
    if (lock_named(name))
        return mistake_set(m, "'%s' is a global lock, and stands behind the +: %s+%s", name,
                           policy_for(lock_named(name)), name);
    if (policy_known(name))
        return mistake_set(m, "policy '%s' is not in this build; see make POLICIES=", name);
    return names_unknown(&policies, name, m);
}

/* No lock, where one should stand. */
static int unknown_lock(const char *name, struct mistake *m)
{
    const struct named_mode *mode = mode_named(name);
    struct names locks = names_locks();

    if (strcmp(name, "all") == 0)
        return mistake_set(m, "POLICY+all takes no parameters; a matrix can give them as factors, as "
                           "gil.interval_us");
    if (policy_known(name) || runtime_named(name))
        return mistake_set(m, "'%s' is a refcount policy, and stands before the +: %s+%s", name,
                           name, gil_list[0].name);
    if (mode)
        return mistake_set(m, "'%s' is a mode, for %s+%s, and stands alone; behind a + stands a "
                           "lock", name, mode->policy, mode->lock);
    return names_unknown(&locks, name, m);
}

static int set_lock(const char *name, struct mode *out, struct mistake *m)
{
    const struct named_gil *lock = lock_named(name);

    if (!lock)
        return unknown_lock(name, m);
    out->lock_name = lock->name;
    out->lock = lock->class;
    return 0;
}

static int set_pair(const char *policy, const char *lock, struct mode *out, struct mistake *m)
{
    out->runtime = runtime_named(policy);
    return out->runtime ? set_lock(lock, out, m) : unknown_policy(policy, m);
}

/* A mode of the table. That its policy exists is certain, but not that it was built. */
static int set_named(const struct named_mode *named, struct mode *out, struct mistake *m)
{
    out->runtime = runtime_named(named->policy);
    if (!out->runtime)
        return mistake_set(m, "mode '%s' needs the policy '%s', which is not in this build",
                           named->name, named->policy);
    return set_lock(named->lock, out, m);
}

/* Neither a mode of the table nor a pair nor a policy: suggest what can stand alone. */
static int unknown_mode(const char *name, struct mistake *m)
{
    const char *alone[LIST_MAX + 1] = { NULL };
    struct names names = NAMES_OF("mode", alone);
    const struct named_gil *lock = lock_named(name);
    int count = 0;

    if (lock)
        return mistake_set(m, "'%s' is a global lock; the mode %s+%s uses it", name,
                           policy_for(lock), name);
    if (policy_known(name))
        return mistake_set(m, "policy '%s' is not in this build; see make POLICIES=", name);
    for (const struct named_mode *mode = mode_list; mode->name; mode++)
        alone[count++] = mode->name;
    for (const struct named_runtime *r = runtime_list; r->name && count < LIST_MAX - 1; r++)
        if (!r->runtime->needs_gil && !r->runtime->counts && !mode_named(r->name))
            alone[count++] = r->name;
    alone[count] = "POLICY+LOCK";
    return names_unknown(&names, name, m);
}

static int set_policy(const char *name, struct mode *out, struct mistake *m)
{
    out->runtime = runtime_named(name);
    if (!out->runtime)
        return unknown_mode(name, m);
    if (out->runtime->needs_gil)
        return mistake_set(m, "mode '%s': this policy needs a lock; write %s+LOCK", name, name);
    return set_lock("none", out, m);
}

static int set_mode(char *name, struct mode *out, struct mistake *m)
{
    const struct named_mode *named = mode_named(name);
    char *plus = strchr(name, '+');

    if (named)
        return set_named(named, out, m);
    if (!plus)
        return set_policy(name, out, m);
    *plus = '\0';
    return set_pair(name, plus + 1, out, m);
}

static int parse_mode(const char *item, struct mode *out, struct mistake *m)
{
    char name[LABEL_MAX];
    char *params;

    strcpy(out->label, item);
    strcpy(name, item);
    params = cut_params(name);
    if (set_mode(name, out, m) < 0)
        return -1;
    return set_params("lock", out->lock_name, params, out->lock->param, out->param, m);
}

static int add_mode(const char *item, struct modes *out, struct mistake *m)
{
    if (out->count == LIST_MAX)
        return mistake_set(m, "more than %d modes", LIST_MAX);
    if (parse_mode(item, &out->item[out->count], m) < 0)
        return -1;
    for (int i = 0; i < out->count; i++)
        if (strcmp(out->item[i].label, item) == 0)
            return mistake_set(m, "mode '%s' is there twice", item);
    out->count++;
    return 0;
}

/* Of "plain+all" what stands before "all"; 0: it is another mode. */
static size_t before_all(const char *item)
{
    const char *plus = strchr(item, '+');

    return plus && strcmp(plus, "+all") == 0 ? (size_t)(plus + 1 - item) : 0;
}

static int add_every_lock(const char *item, size_t length, struct modes *out, struct mistake *m)
{
    char mode[LABEL_MAX];

    for (const struct named_gil *lock = gil_list; lock->name; lock++) {
        int wanted = snprintf(mode, sizeof mode, "%.*s%s", (int)length, item, lock->name);

        if ((size_t)wanted >= sizeof mode)
            return mistake_set(m, "'%.40s...' is longer than %d characters", item, LABEL_MAX - 1);
        if (add_mode(mode, out, m) < 0)
            return -1;
    }
    return 0;
}

int parse_modes(const char *text, struct modes *out, struct mistake *m)
{
    char item[LABEL_MAX];

    out->count = 0;
    while (text) {
        if (next_item(&text, item, m) < 0)
            return -1;
        if (before_all(item) ? add_every_lock(item, before_all(item), out, m) < 0
                             : add_mode(item, out, m) < 0)
            return -1;
    }
    return 0;
}
