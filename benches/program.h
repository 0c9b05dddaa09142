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

/* A tuple of at most 32 strs; NULL: MemoryError. */
struct object *program_names(size_t count, const char *const *names);

/* `def` in a class: a function whose closure is `names`, and which is called like one of them.
 * 0, or -1: MemoryError. */
int program_define(borrowed class, borrowed names, size_t name, native *body, int count);

/* All workers are about to use it, and what it holds: publishes them, and marks them hot if
 * the job says so. What it holds must hold no cycle. */
void program_share(const struct job *job, borrowed o);

/* In check: everybody has dropped what it took of `o`, so that so many references are left.
 * 0, or -1: RuntimeError. Says nothing of what nobody counts any more; and where counts are
 * known to go wrong, they are the audit's business. */
int program_check(borrowed o, int64_t references);

/* The attribute of an instance, which is an int: 0 and *value, or -1. */
int program_get_int(borrowed o, borrowed name, int64_t *value);

/* 0, or -1: MemoryError. */
int program_set_int(borrowed o, borrowed name, int64_t value);

#endif
