/* topo.c - `lab topo`: the processors, and which thread will run on which. */
#include "lab/command.h"

#include "lab/options.h"
#include "lab/topology.h"

#include <stdio.h>
#include <stdlib.h>

/* What an object of the tree is called here; NULL: it is left out. */
static const char *word_for(hwloc_obj_type_t type)
{
    switch (type) {
    case HWLOC_OBJ_PACKAGE:
        return "package";
    case HWLOC_OBJ_L3CACHE:
        return "L3";
    case HWLOC_OBJ_CORE:
        return "core";
    case HWLOC_OBJ_PU:
        return "PU";
    default:
        return NULL;
    }
}

static void write_object(hwloc_obj_t object)
{
    printf("%s L#%u", word_for(object->type), object->logical_index);
    if (object->os_index != HWLOC_UNKNOWN_INDEX)
        printf(" P#%u", object->os_index);
    if (object->type == HWLOC_OBJ_L3CACHE && object->attr->cache.size)
        printf(" %.4g MiB", (double)object->attr->cache.size / (1 << 20));
    putchar('\n');
}

static void write_tree(hwloc_obj_t object, int depth)
{
    bool shown = word_for(object->type);

    if (shown) {
        printf("%*s", 2 * depth, "");
        write_object(object);
    }
    for (hwloc_obj_t child = object->first_child; child; child = child->next_sibling)
        write_tree(child, depth + shown);
}

static void write_mask(void)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    char *text = NULL;

    if (topology_simulated())
        printf("affinity mask: not applied; this is another machine, so binding is simulated\n");
    else if (hwloc_get_cpubind(topology_hwloc(), set, HWLOC_CPUBIND_THREAD) < 0 ||
             hwloc_bitmap_list_asprintf(&text, set) < 0)
        printf("affinity mask: not known\n");
    else
        printf("affinity mask: P# %s\n", text);
    free(text);
    hwloc_bitmap_free(set);
}

static void write_order(void)
{
    int pus = topology_pus();

    printf("placement of threads: one PU of each core first, then its siblings\n");
    for (int i = 0; i < pus; i++) {
        struct place place = topology_place(i);

        printf("  %4d  PU L#%d P#%d\n", i + 1, place.logical, place.os);
    }
    printf("  from %d on, again in this order: oversubscribed\n", pus + 1);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct mistake m;

    options_parse(self, argc, argv, NULL);
    if (topology_load(&m) < 0)
        mistake_exit(argv[0], &m);
    write_tree(hwloc_get_root_obj(topology_hwloc()), 0);
    write_mask();
    write_order();
    topology_unload();
    return 0;
}

const struct command command_topo = {
    .about = "the processors, and which thread will run on which",
    .doc = "The processors that this process may use, as hwloc sees them, and the order in which "
           "threads are placed. L# counts, P# is the kernel's number. HWLOC_SYNTHETIC or "
           "HWLOC_XMLFILE shows another machine.",
    .run = run,
};
