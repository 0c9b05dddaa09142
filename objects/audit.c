/* audit.c - parking. */
#include "objects/object.h"

bool parking;

bool park(struct object *o)
{
    return published(o);
}
