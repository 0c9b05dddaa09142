/* echo_spin.c - a client and a server over a socketpair, beside threads that spin.
 *
 * All are threads of this process and under its lock. Whoever comes back from a wait
 * must get the lock from a spinner, so under `interval` each of the two waits of a round
 * trip lasts about an interval: the convoy effect (D. Beazley, Understanding the Python
 * GIL, PyCon 2010; bpo-7946). `threads` is the number of spinners, and may be 0.
 *
 * Place client and server on different cores. On the same one they hand the lock to
 * each other before the spinner has woken, and most round trips are fast: in CPython
 * 3.11 too, whose figures are ours with either placement.
 */
#include "benches/countdown.h"
#include "benches/echo.h"

const struct workload workload_echo_spin = {
    .about = "64 bytes over a socketpair and back, beside CPU-bound spinners (the threads)",
    .unit = "round trip", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 0,
    .isolated = true,
    .roles = {
        { .name = "client", .fixed = 1, .records_latency = true, .shares_core = true,
          .step = echo_client_step },
        { .name = "server", .fixed = 1, .shares_core = true, .step = echo_server_step,
          .end = echo_server_end },
        { .name = "spinner", .per_thread = 1, .begin = countdown_begin, .step = countdown_step,
          .end = countdown_end },
    },
    .setup = echo_setup_pair, .interrupt = echo_interrupt, .check = echo_check,
    .teardown = echo_teardown,
};
