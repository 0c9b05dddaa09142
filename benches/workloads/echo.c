/* echo.c - loopback TCP: a blocking client and its blocking server, a thread each.
 *
 * I/O-bound: a lock is let go for every wait, so it should cost little, and many
 * connections should do more than one. As other units than threads, both ends of a connection are
 * on one thread. Loopback wakes a thread per message and has no
 * wire: what is measured is the kernel, and how fast threads get the lock back.
 */
#include "benches/echo.h"
#include "coroutines/net/address.h"

static int setup(struct job *job)
{
    return echo_setup_at(job, address_loopback(0));
}

const struct workload workload_echo = {
    .about = "64 bytes over loopback TCP: a blocking client and its server, a thread each",
    .unit = "round trip", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = {
        { .name = "client", .per_thread = 1, .records_latency = true, .step = echo_client_step,
          .await_step = &echo_client_await_step },
        { .name = "server", .per_thread = 1, .step = echo_server_step, .end = echo_server_end,
          .await_step = &echo_server_await_step },
    },
    .setup = setup, .interrupt = echo_interrupt, .check = echo_check, .teardown = echo_teardown,
};
