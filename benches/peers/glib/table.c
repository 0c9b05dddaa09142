/* table.c - inserting 1024 keys into a GHashTable, and looking them up. */
#include "benches/peers/glib/table.h"

#include "benches/keys.h"
#include "benches/peers/peer.h"

#include <glib.h>
#include <string.h>

static int64_t inserted_int[KEYS], asked_int[KEYS];
static char inserted_text[KEYS][KEY_BYTES], asked_text[KEYS][KEY_BYTES];

static GHashFunc hash;
static GEqualFunc equal;
static char *inserted, *asked; /* KEYS keys */
static size_t stride;          /* bytes from one to the next */
static GHashTable *full;

static void insert(GHashTable *table, int i)
{
    char *key = inserted + (size_t)i * stride;

    g_hash_table_insert(table, key, key);
}

static int begin(void *first, void *second, size_t size_bytes, GHashFunc with, GEqualFunc by)
{
    inserted = first;
    asked = second;
    stride = size_bytes;
    hash = with;
    equal = by;
    full = g_hash_table_new(hash, equal);
    for (int i = 0; i < KEYS; i++)
        insert(full, i);
    return 0;
}

int glib_table_ints(void)
{
    for (int i = 0; i < KEYS; i++)
        inserted_int[i] = asked_int[i] = key_int(i);
    return begin(inserted_int, asked_int, sizeof *inserted_int, g_int64_hash, g_int64_equal);
}

int glib_table_strs(void)
{
    for (int i = 0; i < KEYS; i++) {
        key_text(i, inserted_text[i]);
        key_text(i, asked_text[i]);
    }
    return begin(inserted_text, asked_text, sizeof *inserted_text, g_str_hash, g_str_equal);
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
        void *value = g_hash_table_lookup(full, asked + i % KEYS * stride);

        peer_barrier(value);
    }
}

void glib_table_end(void)
{
    g_hash_table_destroy(full);
}
