/* echo_unix.c - the same as echo, over Unix sockets: what of an echo is TCP.
 *
 * No checksum, no acknowledgement, no timer: a message is put into the other end's queue, and its
 * owner is woken. What is left is the system call, the wake-up, and what the unit does about both.
 */
#include "benches/echo.h"
#include "coroutines/net/address.h"

static int setup(struct job *job)
{
    struct address any;

    address_abstract(&any, "");
    return echo_setup_at(job, any);
}

const struct workload workload_echo_unix = {
    .about = "64 bytes over a Unix socket: a client and its server",
    .unit = "round trip", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .roles = {
        { .name = "client", .per_thread = 1, .records_latency = true, .step = echo_client_step,
          .await_step = &echo_client_await_step },
        { .name = "server", .per_thread = 1, .step = echo_server_step, .end = echo_server_end,
          .await_step = &echo_server_await_step },
    },
    .isolated = true,
    .setup = setup, .interrupt = echo_interrupt, .check = echo_check, .teardown = echo_teardown,
};
