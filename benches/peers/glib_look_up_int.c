/* glib_look_up_int.c - one int looked up in a GHashTable among 1024, by an equal key. */
#include "benches/peers/glib/table.h"
#include "benches/peers/peer.h"

extern const struct micro peer_glib_look_up_int;

const struct micro peer_glib_look_up_int = {
    .about = "one int looked up in a GHashTable among 1024, by an equal key",
    .once = true, .setup = glib_table_ints, .run = glib_table_look_up, .teardown = glib_table_end,
};
