/* runtime.h - the one export of a policy's build.
 *
 * Everything under objects/, coroutines/ and benches/ that counts is compiled once
 * per policy and joined into one object file whose only global symbol is such a
 * struct. The lab calls through it once per batch, never per operation.
 */
#ifndef BENCHES_RUNTIME_H
#define BENCHES_RUNTIME_H

#include "gil/thread.h"
#include "benches/demo.h"
#include "benches/micro.h"
#include "benches/serve.h"
#include "benches/unit.h"
#include "benches/workload.h"
#include "objects/audit.h"
#include "objects/collector.h"
#include "objects/heap.h"
#include "objects/policy.h"
#include "objects/stats.h"

struct runtime {
    const char *name; /* of the policy */
    const struct policy *policy;
    bool needs_gil; /* its counts are right only if one thread at a time counts */
    bool audited;   /* the second build, which tallies */
    bool counts;    /* the build that counts who contends for what: objects/stats.h */
    const struct thread_hooks *hooks;            /* for thread_start */
    const struct named_heap *heaps;              /* ends with a NULL name; so do the others */
    const struct named_workload *workloads;
    const struct named_unit *units;
    const struct named_micro *micros;
    const struct named_demo *demos;

    /* While no thread of the runtime and no object lives; NULL, or why it cannot be used. */
    const char *(*use_heap)(const struct heap *heap);
    void (*count_heap)(void); /* after that: as heap_count, */
    void (*heap_counted)(struct heap_counts *counts); /* and this, when all has ended */
    void (*quiesce)(void);                       /* every count exact; no other thread runs */
    void (*finish)(void);                        /* the last act; as rc_finish */

    /* As objects/interpreter.h says. */
    int (*interpreter_begin)(struct gil *gil);
    void (*interpreter_end)(struct gil *gil);

    /* The collector, as objects/collector.h says; the pauses when no other thread runs. */
    uint64_t (*collect)(enum generation generation);
    void (*collector_enable)(bool enabled);
    void (*collector_pauses)(struct pauses pauses[GENERATIONS]);

    /* Around a cell whose counts may go wrong, if it shares objects at all: begin before
     * setup, ask every few milliseconds whether it is full, end after teardown. */
    void (*parking_begin)(size_t bound_bytes);
    bool (*parking_full)(void);
    void (*parking_end)(struct damage *damage);

    /* As stats_begin, before setup; and as stats_take, when the workers have ended. */
    void (*stats_begin)(void);
    void (*stats_take)(struct stats *stats);
    void (*stats_free)(struct stats *stats);

    /* As serve.h says, on an attached thread. */
    int (*serve)(struct serve_order *order);

    /* Takes the pending exception and writes "KeyError: 'x'" or "" into `text`. */
    void (*take_error)(char *text, size_t size_bytes);
};

struct named_runtime {
    const char *name;
    const struct runtime *runtime;
};

/* Every policy that was built in, by name; ends with a NULL name. */
extern const struct named_runtime runtime_list[];

#endif
