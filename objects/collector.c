/* collector.c - until there is a collector, a container is an object like any other. */
#include "objects/collector.h"

struct object *container_new(const struct type *type, size_t size_bytes)
{
    return object_new(type, size_bytes);
}
