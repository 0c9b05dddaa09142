/* glib_insert_int.c - one int inserted into a GHashTable, from an empty one on, of 1024. */
#include "benches/peers/glib/table.h"
#include "benches/peers/peer.h"

extern const struct micro peer_glib_insert_int;

const struct micro peer_glib_insert_int = {
    .about = "one int inserted into a GHashTable, from an empty one on, of 1024",
    .once = true, .setup = glib_table_ints, .run = glib_table_insert, .teardown = glib_table_end,
};
