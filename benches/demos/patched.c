/* patched.c - libcurl and nanosleep, which know of no greenlets, in greenlets: patched.h. */
#include "benches/patched.h"

#include "benches/demo.h"

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    return patched_tell(PATCHED_TRANSFERS, PATCHED_SLEEPERS, PATCHED_WAIT_MS);
}

const struct demo demo_patched = {
    .about = "libcurl and nanosleep, unmodified, in greenlets of one thread and in threads",
    .modes = "gil", .run = run,
    .head = "Code that blocks and knows of no greenlets: in greenlets of one thread, where its calls "
            "let the\nothers go on (coroutines/patch.h), and in as many threads.",
    .tail = "CPU: of the process, user and kernel. resident: at the most, more than before; a thread's "
            "stack in\nthe kernel, 16 KiB, is not in it. switches: to and from the hub.",
};
