/* glib_look_up_str.c - one str looked up in a GHashTable among 1024, by an equal key. */
#include "benches/peers/glib/table.h"
#include "benches/peers/peer.h"

extern const struct micro peer_glib_look_up_str;

const struct micro peer_glib_look_up_str = {
    .about = "one str looked up in a GHashTable among 1024, by an equal key",
    .once = true, .setup = glib_table_strs, .run = glib_table_look_up, .teardown = glib_table_end,
};
