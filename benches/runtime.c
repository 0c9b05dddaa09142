/* runtime.c - the one export of a policy's build. */
#include "benches/runtime.h"

#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/interpreter.h"
#include "objects/object.h"
#include "objects/reclaim.h"

#include <stdio.h>

#define WORKLOAD(name) extern const struct workload workload_##name;
#include "gen/workloads.h"
#undef WORKLOAD
static const struct named_workload workloads[] = {
#define WORKLOAD(name) { #name, &workload_##name },
#include "gen/workloads.h"
#undef WORKLOAD
    { NULL, NULL },
};

#define UNIT(name) extern const struct unit unit_##name;
#include "gen/units.h"
#undef UNIT
static const struct named_unit units[] = {
#define UNIT(name) { #name, &unit_##name },
#include "gen/units.h"
#undef UNIT
    { NULL, NULL },
};

#define MICRO(name) extern const struct micro micro_##name;
#include "gen/micros.h"
#undef MICRO
static const struct named_micro micros[] = {
#define MICRO(name) { #name, &micro_##name },
#include "gen/micros.h"
#undef MICRO
    { NULL, NULL },
};

#define DEMO(file, name) extern const struct demo demo_##file;
#include "gen/demos.h"
#undef DEMO
static const struct named_demo demos[] = {
#define DEMO(file, name) { #name, &demo_##file },
#include "gen/demos.h"
#undef DEMO
    { NULL, NULL },
};

static const char *use_heap(const struct heap *chosen)
{
    const char *refusal = chosen->open ? chosen->open() : NULL;

    if (!refusal)
        heap = chosen;
    return refusal;
}

static void quiesce(void)
{
    rc_quiesce();
    reclaim_all();
}

static void take_error(char *text, size_t size_bytes)
{
    struct object *e = exception_take();

    snprintf(text, size_bytes, "%s%s%s", e ? type_of(e)->name : "", e ? ": " : "",
             e ? exception_message(e) : "");
    xdecref(e);
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define JOIN_OF(a, b) a##b
#define JOIN(a, b) JOIN_OF(a, b)

extern const struct runtime JOIN(runtime_, RC_POLICY);

const struct runtime JOIN(runtime_, RC_POLICY) = {
    .name = TEXT(RC_POLICY), .policy = &rc_policy,
    .needs_gil = RC_NEEDS_GIL, .audited = RC_AUDIT, .counts = RC_STATS,
    .hooks = &object_hooks, .heaps = heap_list,
    .workloads = workloads, .units = units, .micros = micros, .demos = demos,
    .use_heap = use_heap, .count_heap = heap_count, .heap_counted = heap_counted,
    .quiesce = quiesce, .finish = rc_finish, .take_error = take_error,
    .interpreter_begin = interpreter_begin, .interpreter_end = interpreter_end,
    .collect = collect, .collector_enable = collector_enable, .collector_pauses = collector_pauses,
    .parking_begin = parking_begin, .parking_full = parking_full, .parking_end = parking_end,
    .serve = serve,
    .stats_begin = stats_begin, .stats_take = stats_take, .stats_free = stats_free,
};
