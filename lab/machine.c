/* machine.c - the machine as hwloc describes it, and a key by which it is known again. */
#include "lab/machine.h"

#include <errno.h>
#include <hwloc.h>
#include <hwloc/export.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a machine keeps as long as it is the same. Firmware may bring another microcode, a
 * kernel another release: those are not among them. */
static void write_model(FILE *out, hwloc_obj_t object)
{
    static const char *const kept[] = { "Architecture", "CPUVendor", "CPUModel",
                                        "CPUFamilyNumber", "CPUModelNumber", "CPUStepping" };

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = hwloc_obj_get_info_by_name(object, kept[i]);

        if (value)
            fprintf(out, " %s=%s", kept[i], value);
    }
}

/* Numbers by which the kernel names PUs may change with its release: the order, which is
 * hwloc's, does not. Devices and memory are other lists of children and left out, but for
 * which nodes of memory there are. */
static void write_tree(FILE *out, hwloc_obj_t object)
{
    fprintf(out, "(%s", hwloc_obj_type_string(object->type));
    if (hwloc_obj_type_is_cache(object->type))
        fprintf(out, " %llu %u %d", (unsigned long long)object->attr->cache.size,
                object->attr->cache.linesize, object->attr->cache.associativity);
    write_model(out, object);
    for (hwloc_obj_t node = object->memory_first_child; node; node = node->next_sibling)
        fprintf(out, " +%s", hwloc_obj_type_string(node->type));
    for (hwloc_obj_t child = object->first_child; child; child = child->next_sibling)
        write_tree(out, child);
    fputc(')', out);
}

/* SHA-256 by libmd: small, without a start-up of its own (each window is a new process that
 * loads every library), and on every Debian, for dpkg needs it. Cut to 64 bits, which no
 * collection of machines exhausts. */
static int make_key(struct machine *machine, hwloc_topology_t topology)
{
    char digest[SHA256_DIGEST_STRING_LENGTH], *text = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);

    if (!out)
        return -1;
    write_tree(out, hwloc_get_root_obj(topology));
    if (fclose(out)) {
        free(text);
        return -1;
    }
    SHA256Data((uint8_t *)text, size_bytes, digest);
    snprintf(machine->key, sizeof machine->key, "%.16s", digest);
    free(text);
    return 0;
}

static int export_xml(struct machine *machine, hwloc_topology_t topology)
{
    char *text;
    int length;

    if (hwloc_topology_export_xmlbuffer(topology, &text, &length, 0) < 0)
        return -1;
    machine->xml = strdup(text);
    hwloc_free_xmlbuffer(topology, text);
    return machine->xml ? 0 : -1;
}

static int describe(struct machine *machine, hwloc_topology_t topology)
{
    const char *version =
        hwloc_obj_get_info_by_name(hwloc_get_root_obj(topology), "hwlocVersion");
    char line[4096];

    if (hwloc_topology_export_synthetic(topology, line, sizeof line, 0) > 0)
        machine->synthetic = strdup(line);
    machine->hwloc_version = version ? strdup(version) : NULL;
    return make_key(machine, topology) < 0 ? -1 : export_xml(machine, topology);
}

/* Without moving from PU to PU, as hwloc would: other threads may be at work. */
static int load(hwloc_topology_t topology)
{
    unsigned long flags =
        HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING | HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED;

    return hwloc_topology_set_flags(topology, flags) < 0 ? -1 : hwloc_topology_load(topology);
}

int machine_look(struct machine *machine, struct mistake *m)
{
    hwloc_topology_t topology;
    int status = -1;

    *machine = (struct machine){ "" };
    if (hwloc_topology_init(&topology) == 0) {
        status = load(topology) < 0 ? -1 : describe(machine, topology);
        if (status < 0)
            mistake_set(m, "hwloc cannot describe the machine: %s", strerror(errno));
        hwloc_topology_destroy(topology);
    } else {
        mistake_set(m, "hwloc: %s", strerror(errno));
    }
    if (status < 0)
        machine_free(machine);
    return status;
}

void machine_free(struct machine *machine)
{
    free(machine->xml);
    free(machine->synthetic);
    free(machine->hwloc_version);
    *machine = (struct machine){ "" };
}
