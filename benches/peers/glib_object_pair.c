/* glib_object_pair.c - g_object_ref and g_object_unref of one GObject. */
#include "benches/peers/peer.h"

#include <glib-object.h>

static GObject *object;

static int setup(void)
{
    object = g_object_new(G_TYPE_OBJECT, NULL);
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    GObject *o = object;

    for (uint64_t i = 0; i < iterations; i++) {
        g_object_ref(o);
        peer_barrier(o);
        g_object_unref(o);
    }
}

static void teardown(void)
{
    g_object_unref(object);
}

extern const struct micro peer_glib_object_pair;

const struct micro peer_glib_object_pair = {
    .about = "g_object_ref and g_object_unref",
    .once = true, .setup = setup, .run = run, .teardown = teardown,
};
