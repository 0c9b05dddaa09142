/* table.c - inserting 1024 keys into a GHashTable, and looking them up. */
#include "benches/peers/glib/table.h"

#include "benches/keys.h"
#include "benches/peers/peer.h"

#include <glib.h>

static GHashFunc hash;
static GEqualFunc equal;
static void *inserted[KEYS], *asked[KEYS]; /* owned */
static GHashTable *full;

static void *make_int(int i)
{
    gint64 *key = g_new(gint64, 1);

    *key = key_int(i);
    return key;
}

static void *make_text(int i)
{
    char text[KEY_BYTES];

    key_text(i, text);
    return g_strdup(text);
}

static void insert(GHashTable *table, int i)
{
    g_hash_table_insert(table, inserted[i], inserted[i]);
}

static int begin(void *(*make)(int i), GHashFunc with, GEqualFunc by)
{
    hash = with;
    equal = by;
    full = g_hash_table_new(hash, equal);
    for (int i = 0; i < KEYS; i++) {
        inserted[i] = make(i);
        asked[i] = make(i);
        insert(full, i);
    }
    return 0;
}

int glib_table_ints(void)
{
    return begin(make_int, g_int64_hash, g_int64_equal);
}

int glib_table_strs(void)
{
    return begin(make_text, g_str_hash, g_str_equal);
}

MEASURED void glib_table_insert(uint64_t iterations)
{
    for (uint64_t done = 0; done < iterations; done += KEYS) {
        GHashTable *table = g_hash_table_new(hash, equal);

        for (int i = 0; i < KEYS && done + (uint64_t)i < iterations; i++)
            insert(table, i);
        g_hash_table_destroy(table);
    }
}

MEASURED void glib_table_look_up(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        void *value = g_hash_table_lookup(full, asked[i % KEYS]);

        peer_barrier(value);
    }
}

void glib_table_end(void)
{
    g_hash_table_destroy(full);
    for (int i = 0; i < KEYS; i++) {
        g_free(inserted[i]);
        g_free(asked[i]);
    }
}
