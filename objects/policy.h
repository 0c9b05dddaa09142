/* policy.h - what a refcount policy says of itself; `lab list` prints it. */
#ifndef OBJECTS_POLICY_H
#define OBJECTS_POLICY_H

struct policy {
    const char *about;   /* one line */
    const char *cost;    /* of an incref and a decref, in instructions */
    const char *space;   /* per object */
    const char *threads; /* who may do what; where destructors run */
    const char *needs;   /* a GIL, safe points, thread hooks: or "nothing" */
    const char *paper;   /* where the algorithm is from */
};

#endif
