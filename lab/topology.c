/* topology.c - which processors there are, and which worker runs on which. */
#include "lab/topology.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const binding_policy_names[] = { "no", "yes", "apart", NULL };

static struct {
    hwloc_topology_t hwloc;
    bool simulated;
    hwloc_obj_t *order; /* the PUs as they are given to workers */
    int pus;
} topology;

/* Which sibling of its core a PU is: 0 for the first. */
static int sibling(hwloc_obj_t pu)
{
    hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology.hwloc, HWLOC_OBJ_CORE, pu);
    int before = 0;

    while (core && pu->prev_cousin &&
           hwloc_obj_is_in_subtree(topology.hwloc, pu->prev_cousin, core)) {
        pu = pu->prev_cousin;
        before++;
    }
    return before;
}

static int compare(const void *a, const void *b)
{
    hwloc_obj_t left = *(const hwloc_obj_t *)a, right = *(const hwloc_obj_t *)b;
    int difference = sibling(left) - sibling(right);

    return difference ? difference : (int)left->logical_index - (int)right->logical_index;
}

static int make_order(void)
{
    topology.pus = hwloc_get_nbobjs_by_type(topology.hwloc, HWLOC_OBJ_PU);
    if (topology.pus <= 0) {
        errno = ENODEV;
        return -1;
    }
    topology.order = calloc((size_t)topology.pus, sizeof *topology.order);
    if (!topology.order)
        return -1;
    for (int i = 0; i < topology.pus; i++)
        topology.order[i] = hwloc_get_obj_by_type(topology.hwloc, HWLOC_OBJ_PU, (unsigned)i);
    qsort(topology.order, (size_t)topology.pus, sizeof *topology.order, compare);
    return 0;
}

/* Leaves what the calling thread may use, which its threads will inherit. The flag
 * RESTRICT_TO_CPUBINDING would ask for the process, that is for all of its threads, and
 * it is ignored without IS_THISSYSTEM, which makes hwloc bind by a made-up topology. */
static int restrict_to_mask(void)
{
    hwloc_bitmap_t mask = hwloc_bitmap_alloc();
    int status = hwloc_get_cpubind(topology.hwloc, mask, HWLOC_CPUBIND_THREAD);

    if (status == 0)
        status = hwloc_topology_restrict(topology.hwloc, mask, 0);
    hwloc_bitmap_free(mask);
    return status;
}

/* The variable that declares any topology to be this system's is not obeyed. Without
 * DONT_CHANGE_BINDING hwloc would look by moving from PU to PU, also outside the mask. */
static int load(void)
{
    bool described = getenv("HWLOC_SYNTHETIC") || getenv("HWLOC_XMLFILE");

    unsetenv("HWLOC_THISSYSTEM");
    if (hwloc_topology_set_flags(topology.hwloc, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING) < 0 ||
        hwloc_topology_load(topology.hwloc) < 0)
        return -1;
    topology.simulated = !hwloc_topology_is_thissystem(topology.hwloc);
    if (described && !topology.simulated) {
        errno = EINVAL; /* hwloc could not read the description, and looked here instead */
        return -1;
    }
    if (!topology.simulated && restrict_to_mask() < 0)
        return -1;
    return make_order();
}

int topology_load(struct mistake *m)
{
    if (hwloc_topology_init(&topology.hwloc) < 0)
        return mistake_set(m, "hwloc: %s", strerror(errno));
    if (load() == 0)
        return 0;
    mistake_set(m, "hwloc cannot read the topology%s: %s",
                getenv("HWLOC_SYNTHETIC") || getenv("HWLOC_XMLFILE")
                    ? " that HWLOC_SYNTHETIC or HWLOC_XMLFILE describes" : "",
                strerror(errno));
    hwloc_topology_destroy(topology.hwloc);
    return -1;
}

void topology_unload(void)
{
    free(topology.order);
    hwloc_topology_destroy(topology.hwloc);
}

hwloc_topology_t topology_hwloc(void)
{
    return topology.hwloc;
}

int topology_pus(void)
{
    return topology.pus;
}

bool topology_simulated(void)
{
    return topology.simulated;
}

struct place topology_place(int worker)
{
    hwloc_obj_t pu = topology.order[worker % topology.pus];

    return (struct place){ (int)pu->logical_index, (int)pu->os_index, worker >= topology.pus };
}

int topology_apart(int k)
{
    return topology.pus > 1 ? 1 + k % (topology.pus - 1) : 0;
}

/* The one member of a set; -1 if it has none or several. */
static int only_member(hwloc_const_bitmap_t set)
{
    return hwloc_bitmap_weight(set) == 1 ? hwloc_bitmap_first(set) : -1;
}

/* 0, or -1 and errno. */
static int bind(hwloc_const_bitmap_t pu)
{
    return hwloc_set_cpubind(topology.hwloc, pu, HWLOC_CPUBIND_THREAD | HWLOC_CPUBIND_STRICT);
}

/* The PU that the kernel says the thread is bound to. */
static int observe(hwloc_bitmap_t set)
{
    if (topology.simulated || hwloc_get_cpubind(topology.hwloc, set, HWLOC_CPUBIND_THREAD) < 0)
        return -1;
    return only_member(set);
}

void topology_bind(int worker, enum binding_policy policy, struct binding *binding)
{
    hwloc_obj_t pu = topology.order[worker % topology.pus];
    hwloc_bitmap_t set = hwloc_bitmap_dup(pu->cpuset);

    /* A PU's set has one member; to singlify says so to the kernel in any case. */
    hwloc_bitmap_singlify(set);
    binding->planned = policy == BIND_NONE ? -1 : (int)pu->os_index;
    strcpy(binding->result, "bound");
    if (policy == BIND_NONE)
        strcpy(binding->result, "unbound");
    else if (topology.simulated)
        strcpy(binding->result, "simulated");
    else if (bind(set) < 0)
        snprintf(binding->result, sizeof binding->result, "refused: %s", strerrorname_np(errno));
    binding->observed = observe(set);
    hwloc_bitmap_free(set);
}

int topology_last(void)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int last = -1;

    if (!topology.simulated &&
        hwloc_get_last_cpu_location(topology.hwloc, set, HWLOC_CPUBIND_THREAD) == 0)
        last = only_member(set);
    hwloc_bitmap_free(set);
    return last;
}
