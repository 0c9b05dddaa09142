/* weakref.h - references that do not keep alive.
 *
 * A weak reference leads to its referent until that dies, and to nothing after. For
 * caches, and for parents that children point back to.
 *
 * The first one publishes the referent: it may be taken to another thread, which then
 * reaches the referent through it.
 *
 * `weakref` must be one in all of these.
 */
#ifndef OBJECTS_WEAKREF_H
#define OBJECTS_WEAKREF_H

#include "objects/object.h"

extern const struct type weakref_type;

/* `callback` may be NULL, or is called once with the weak reference, after the referent has
 * died, if the weak reference itself is still there. It is called wherever the last
 * reference was dropped, so it passes no safe point; what it raises is dropped.
 * NULL: MemoryError; TypeError for None, True and False. */
struct object *weakref_new(borrowed referent, borrowed callback);

/* A new reference to the referent; NULL, and no exception: it is dead. Where counts are
 * late (RC_HAS_LATE), an object that nobody holds any more may still be had until its
 * policy notices. */
struct object *weakref_get(borrowed weakref);

struct weakref_object;

/* For who ends objects. The weak references to `referent`, which has OBJECT_WEAK and is
 * about to be destroyed, lead to nothing from now on. Those with a callback are put in
 * front of the list *called, each with a reference, to be called when nothing is locked;
 * `called` NULL: they are not. */
void weakref_cut(borrowed referent, struct weakref_object **called);
void weakref_call(struct weakref_object *called /* steals */);

#endif
