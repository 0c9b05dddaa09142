/* class.h - classes, their instances, and the attributes of both.
 *
 * A class is an object of the heap: each instance holds a reference to it, takes it when
 * it is made and drops it when it dies. So a class whose instances many threads make is
 * a hot count, as in CPython, where that was the worst of all (PEP 703, "Deferred
 * reference counting"); a workload may mark_hot it.
 *
 * A class has a name, one base or none, and a dict of attributes. An instance has a class
 * and, from the first store on, a dict of its own. An attribute is looked for in the
 * instance, then in its class, then in the bases; a function that was found in a class
 * is bound to the instance.
 *
 * Each call is a look-up or change of one dict after the other, and each of these one
 * step for other threads. `name` must be a str in all of them. It need not be the same
 * object each time, but then the look-up compares texts.
 */
#ifndef OBJECTS_CLASS_H
#define OBJECTS_CLASS_H

#include "objects/object.h"

extern const struct type class_type, instance_type;

/* `base` is a class or NULL. NULL: MemoryError. */
struct object *class_new(const char *name, borrowed base);

/* Lives as long as the class. */
const char *class_name(borrowed class);

/* Calling a class makes an instance and calls its __init__ with the arguments; so does
 * call() of function.h. NULL: MemoryError; TypeError if there are arguments and no
 * __init__, or that returns something else than None; or what it raises. */
struct object *class_call(borrowed class, borrowed const *arguments, size_t count);

/* A new instance without attributes, whose __init__ is not called; NULL: MemoryError. */
struct object *instance_new(borrowed class);

/* Lives as long as the instance. */
borrowed instance_class(borrowed instance);

/* Its own attributes, which live as long as it does; NULL: none was ever stored. */
borrowed instance_dict(borrowed instance);

/* o.name: a new reference; NULL: AttributeError, MemoryError. */
struct object *attribute_get(borrowed o, borrowed name);

/* o.name = value, of an instance or a class; 0, or -1: AttributeError, MemoryError. */
int attribute_set(borrowed o, borrowed name, borrowed value);

/* del o.name, of what the instance or class itself has; 0, or -1: AttributeError. */
int attribute_delete(borrowed o, borrowed name);

/* o.name(...), where arguments[0] is o: as attribute_get and call, but a method is called
 * without being made, as CPython's LOAD_METHOD does. `count` includes o. */
struct object *call_method(borrowed name, borrowed const *arguments, size_t count);

#endif
