/* dict_bench.c - inserting and looking up 1024 keys. */
#include "benches/dict_bench.h"

#include "benches/keys.h"
#include "benches/micro.h"
#include "benches/workload.h"
#include "objects/dict.h"
#include "objects/int.h"
#include "objects/str.h"

#include <stdlib.h>

static struct object *full, *inserted[KEYS], *asked[KEYS]; /* owned */

static struct object *make_int(int i)
{
    return int_new(key_int(i));
}

static struct object *make_str(int i)
{
    char text[KEY_BYTES];

    key_text(i, text);
    return str_new(text);
}

/* 0, or -1: no memory, which a benchmark takes for its end. */
static int insert(borrowed dict, int i)
{
    return dict_set(dict, inserted[i], inserted[i]);
}

static int begin(struct object *(*make)(int i))
{
    full = dict_new();
    for (int i = 0; full && i < KEYS; i++) {
        inserted[i] = make(i);
        asked[i] = make(i);
        if (!inserted[i] || !asked[i] || insert(full, i) < 0) {
            dict_bench_end();
            return -1;
        }
    }
    return full ? 0 : -1;
}

int dict_bench_ints(void)
{
    return begin(make_int);
}

int dict_bench_strs(void)
{
    return begin(make_str);
}

MEASURED void dict_bench_insert(uint64_t iterations)
{
    for (uint64_t done = 0; done < iterations; done += KEYS) {
        struct object *dict = dict_new();

        for (int i = 0; i < KEYS && done + (uint64_t)i < iterations; i++)
            if (!dict || insert(dict, i) < 0)
                abort();
        decref(dict);
        safepoint(thread_self);
    }
}

MEASURED void dict_bench_look_up(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        struct object *value = dict_get(full, asked[i % KEYS]);

        barrier(value);
        decref(value);
    }
}

void dict_bench_end(void)
{
    for (int i = 0; i < KEYS; i++) {
        xdecref(inserted[i]);
        xdecref(asked[i]);
        inserted[i] = asked[i] = NULL;
    }
    xdecref(full);
    full = NULL;
}
