/* config.c - a configuration that all threads read, and one replaces now and then.
 *
 * A dict of sections, each a dict from names to values. A reader looks up a section, and
 * in it a value; a section does not change, it is replaced as a whole. So everybody counts
 * the same few objects, and whoever drops the last reference to an old section frees it.
 */
#include "benches/workload.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/str.h"

enum { WRITE_EVERY };
enum { SECTIONS = 4, NAMES = 8, VALUES = SECTIONS * NAMES, ROUNDS = 256 };

static struct object *config, *section_name[SECTIONS], *name[NAMES]; /* owned */
static int64_t lookups, replaced; /* by the writer, which is the first worker */

/* A value says what it is the value of, and how often that has been replaced. */
static int64_t value_of(int64_t version, int section, int n)
{
    return version * VALUES + section * NAMES + n;
}

static int set_value(borrowed dict, borrowed key, int64_t number)
{
    struct object *value = int_new(number);
    int result = value ? dict_set(dict, key, value) : -1;

    xdecref(value);
    return result;
}

static int replace(int section, int64_t version)
{
    struct object *dict = dict_new();
    int result = dict ? 0 : -1;

    for (int n = 0; n < NAMES && result == 0; n++)
        result = set_value(dict, name[n], value_of(version, section, n));
    if (result == 0)
        result = dict_set(config, section_name[section], dict);
    xdecref(dict);
    return result;
}

static int make_names(struct object **names, int count, char first)
{
    for (int i = 0; i < count; i++) {
        names[i] = str_new((char[]){ (char)(first + i), '\0' });
        if (!names[i])
            return -1;
    }
    return 0;
}

static int setup(struct job *job)
{
    (void)job;
    lookups = replaced = 0;
    config = dict_new();
    if (!config || make_names(section_name, SECTIONS, 'A') < 0 || make_names(name, NAMES, 'a') < 0)
        return -1;
    for (int section = 0; section < SECTIONS; section++)
        if (replace(section, 0) < 0)
            return -1;
    publish(config); /* and so all that it holds */
    return 0;
}

/* config[section][name]; -1: an exception is pending. */
static int64_t look_up(int section, int n)
{
    struct object *dict = dict_get(config, section_name[section]), *value;
    int64_t number = -1;

    if (!dict)
        return -1;
    value = dict_get(dict, name[n]);
    decref(dict);
    if (value)
        number = int_value(value);
    xdecref(value);
    return number;
}

static int expect_value(int64_t number, int section, int n)
{
    if (number >= 0 && number % VALUES == value_of(0, section, n))
        return 0;
    if (!exception_pending())
        exception_set(&runtime_error, "the value of %c.%c is %lld", 'A' + section, 'a' + n,
                      (long long)number);
    return -1;
}

/* Section by section. */
static int write_now_and_then(const struct worker *w)
{
    int64_t every = w->job->param[WRITE_EVERY];

    if (w->index > 0 || every == 0 || ++lookups % every)
        return 0;
    replaced++;
    return replace((int)(replaced % SECTIONS), replaced);
}

static int step(struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t random = worker_random(w);
        int section = (int)(random % SECTIONS), n = (int)(random / SECTIONS % NAMES);

        if (expect_value(look_up(section, n), section, n) < 0 || write_now_and_then(w) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

/* What was written last stands there. */
static int check(struct job *job, uint64_t ops)
{
    (void)job;
    (void)ops;
    for (int64_t back = 0; back < SECTIONS; back++) {
        int64_t version = replaced > back ? replaced - back : 0;
        int section = (int)(version % SECTIONS);
        int64_t found = look_up(section, 0);

        if (found == value_of(version, section, 0))
            continue;
        exception_set(&runtime_error, "section %d has %lld after %lld replacements", section,
                      (long long)found, (long long)replaced);
        return -1;
    }
    return 0;
}

static void drop_all(struct object **names, int count)
{
    for (int i = 0; i < count; i++) {
        xdecref(names[i]);
        names[i] = NULL;
    }
}

static void teardown(struct job *job)
{
    (void)job;
    xdecref(config);
    config = NULL;
    drop_all(section_name, SECTIONS);
    drop_all(name, NAMES);
}

const struct workload workload_config = {
    .about = "a configuration, dicts in a dict, that all threads read and one replaces",
    .unit = "look-up", .kind = KIND_CPU, .shares = SHARES_WRITES, .least_threads = 1,
    .param = { { "write_every", "look-ups per replacement, or 0", 1000, 0, 1000000 } },
    .roles = { { .name = "reader", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
