/* ownership_store.c - keeps a reference that was only lent.
 *
 * Does not compile; with FIXED 1 it does. See `make ownership`.
 */
#include "objects/object.h"

#ifndef FIXED
#define FIXED 0
#endif

struct box {
    struct object head;
    struct object *item; /* owned */
};

void box_put(struct box *box, borrowed item);

void box_put(struct box *box, borrowed item)
{
    xdecref(box->item);
#if FIXED
    box->item = incref(item);
#else
    box->item = item; /* nobody keeps it alive for the box */
#endif
}
