/* parked.c - what a unit takes of memory while it waits: parked.h. */
#include "benches/parked.h"

#include "benches/demo.h"

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    return parked_tell(PARKED_COUNT_MOST);
}

const struct demo demo_parked = {
    .about = "what a unit takes of memory while it waits, by how many there are",
    .modes = "gil", .run = run,
    .head = "What a unit takes while it waits. resident, page tables: bytes for each. maps: of "
            "address space,\nfor each. kernel stack: bytes for each, on the whole machine; so of "
            "few threads it is a guess.",
};
