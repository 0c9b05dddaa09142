/* program.h - what stands in a program's text: classes, functions, names, constants.
 *
 * The threads of one process run the same text. So they share what it was compiled to, and
 * count it, even where each works on objects of its own: a class by each of its instances,
 * a function by each call, a name by each dict that has it as a key. Workloads that show
 * this make their program by these few functions.
 */
#ifndef BENCHES_PROGRAM_H
#define BENCHES_PROGRAM_H

#include "benches/workload.h"
#include "objects/function.h"

/* The first parameter of a workload that calls program_share. (A macro, since in C no
 * constant of a struct can stand in an initialiser.) */
#define PROGRAM_MARKED \
    { "marked", "1: the policy is told that what is shared is hot", 0, 0, 1 }

enum { PROGRAM_CLASSES_MOST = 8, PROGRAM_NAMES_MOST = 32, PROGRAM_NO_BASE = -1 };

struct program_class {
    const char *name;
    int base; /* its number, lower than the class's own; or PROGRAM_NO_BASE */
};

struct program_method {
    int class, name; /* their numbers */
    native *body;    /* its closure: the tuple of names */
    int count;       /* of its arguments, the object included */
};

/* What a program is made of. */
struct program_text {
    const char *const *names; /* of attributes and methods */
    size_t names_count;
    const struct program_class *classes;
    size_t classes_count;
    const struct program_method *methods;
    size_t methods_count;
};

struct program {
    struct object *names;                       /* owned; a tuple of strs */
    struct object *class[PROGRAM_CLASSES_MOST]; /* owned; NULL after the last */
};

/* 0, or -1 with MemoryError pending. */
int program_init(struct program *p, const struct program_text *text);

/* Also after a failure; or of one that is all zero. */
void program_fini(struct program *p);

/* A tuple of strs; NULL: MemoryError. */
struct object *program_names(size_t count, const char *const *names);

/* `def` in a class: a function whose closure is `names`, and which is called like one of them.
 * 0, or -1: MemoryError. */
int program_define(borrowed class, borrowed names, size_t name, native *body, int count);

/* program_share of all of it. */
void program_share_all(const struct job *job, const struct program *p);

/* All workers are about to use it, and what it holds: publishes them, and marks them hot if
 * the job says so. What it holds must hold no cycle. */
void program_share(const struct job *job, borrowed o);

/* In check: everybody has dropped what it took of `o`, so that so many references are left.
 * 0, or -1: RuntimeError. Says nothing of what nobody counts any more; and where counts are
 * known to go wrong, they are the audit's business. */
int program_check(borrowed o, int64_t references);

#endif
