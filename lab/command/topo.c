/* topo.c - `lab topo`: the processors, and which thread will run on which. */
#include "lab/command.h"

#include "lab/json.h"
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

/* The P# that the process may use, to be freed by the caller; NULL: not known, or another
 * machine's. */
static hwloc_bitmap_t affinity(void)
{
    hwloc_bitmap_t set = topology_simulated() ? NULL : hwloc_bitmap_alloc();

    if (set && hwloc_get_cpubind(topology_hwloc(), set, HWLOC_CPUBIND_THREAD) == 0)
        return set;
    hwloc_bitmap_free(set);
    return NULL;
}

static void write_mask(void)
{
    hwloc_bitmap_t set = affinity();
    char *text = NULL;

    if (topology_simulated())
        printf("affinity mask: not applied; this is another machine, so binding is simulated\n");
    else if (!set || hwloc_bitmap_list_asprintf(&text, set) < 0)
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

static json_t *objects_below(hwloc_obj_t parent, json_t *array);

static json_t *object_json(hwloc_obj_t object)
{
    json_t *json = json_pack("{ss si}", "type", word_for(object->type), "logical",
                             (int)object->logical_index);

    if (object->os_index != HWLOC_UNKNOWN_INDEX)
        json_object_set_new(json, "os", json_integer(object->os_index));
    if (object->type == HWLOC_OBJ_L3CACHE)
        json_object_set_new(json, "size_bytes", json_integer((json_int_t)object->attr->cache.size));
    if (object->first_child)
        json_object_set_new(json, "children", objects_below(object, json_array()));
    return json;
}

/* Those that are shown; of others, what is below them. */
static json_t *objects_below(hwloc_obj_t parent, json_t *array)
{
    for (hwloc_obj_t child = parent->first_child; child; child = child->next_sibling)
        array = word_for(child->type) ? json_with(array, object_json(child))
                                      : objects_below(child, array);
    return array;
}

static json_t *affinity_json(void)
{
    hwloc_bitmap_t set = affinity();
    json_t *array = set ? json_array() : json_null();

    for (int pu = set ? hwloc_bitmap_first(set) : -1; pu >= 0; pu = hwloc_bitmap_next(set, pu))
        array = json_with(array, json_integer(pu));
    hwloc_bitmap_free(set);
    return array;
}

static json_t *order_json(void)
{
    json_t *array = json_array();

    for (int i = 0; i < topology_pus(); i++) {
        struct place place = topology_place(i);

        array = json_with(array, json_pack("{si si si}", "thread", i + 1, "logical", place.logical,
                                           "os", place.os));
    }
    return array;
}

static int print_json(void)
{
    return json_print(json_pack("{sb so so so}", "simulated", topology_simulated(), "affinity",
                                affinity_json(), "objects",
                                objects_below(hwloc_get_root_obj(topology_hwloc()), json_array()),
                                "placement", order_json()));
}

static int print_text(void)
{
    write_tree(hwloc_get_root_obj(topology_hwloc()), 0);
    write_mask();
    write_order();
    return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct mistake m;
    bool json = false;
    int status;

    options_parse(self, argc, argv, &json);
    if (topology_load(&m) < 0)
        mistake_exit(argv[0], &m);
    status = json ? print_json() : print_text();
    topology_unload();
    return status;
}

static const struct argp_option options[] = { JSON_OPTION, { 0 } };

static const struct explained examples[] = {
    { "HWLOC_SYNTHETIC='pack:2 core:8 pu:2' lab topo", "what would run where on such a machine" },
    { NULL, NULL },
};

const struct command command_topo = {
    .about = "the processors, and which thread will run on which",
    .doc = "The processors that this process may use, as hwloc sees them, and the order in which "
           "threads are placed. L# counts, P# is the kernel's number.\n\n"
           "HWLOC_SYNTHETIC or HWLOC_XMLFILE shows another machine.",
    .options = options,
    .take = options_take_flag,
    .examples = examples,
    .run = run,
};
