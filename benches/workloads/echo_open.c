/* echo_open.c - requests at a fixed rate, beside threads that spin.
 *
 * An open loop. The client of `echo_spin` sends when it has had its answer, so a lock that
 * keeps it waiting gets fewer requests to keep waiting, and a lock that is quick eats what
 * it can of the spinners' time: neither is comparable. Here so many requests a second are
 * due, whatever becomes of them, and a request's latency counts from the moment in which it
 * was due (G. Tene calls the alternative coordinated omission). One that could not be sent
 * then waits in the client, as it would in the socket, and is sent as soon as the one before
 * it is answered. What was not served in the window is in no latency: compare the rate with
 * the one that was asked for.
 *
 * Client and server are bound to one processor and the spinners to the others, so who comes
 * back from a wait never waits for a processor that a spinner has, only for the lock. What as
 * many threads do alone is the workload `countdown`.
 */
#include "benches/countdown.h"
#include "benches/echo.h"
#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/exception.h"

#include <stdlib.h>
#include <sys/prctl.h>

enum { RATE };

/* When the next request is due. A thread's timers are 50 us late by default, which is half
 * of the time between two requests. */
static int client_begin(struct worker *w)
{
    uint64_t *due_ns = malloc(sizeof *due_ns);

    w->state = due_ns;
    if (!due_ns) {
        exception_set_no_memory();
        return -1;
    }
    *due_ns = 0;
    prctl(PR_SET_TIMERSLACK, 1);
    return 0;
}

/* Now, or when the last was due and a period: so that the times do not drift. */
static void set_next_due(uint64_t *due_ns, int64_t rate)
{
    *due_ns = *due_ns ? *due_ns + NS_PER_S / (uint64_t)rate : clock_ns();
}

static int wait_until(uint64_t due_ns)
{
    uint64_t now_ns = clock_ns();

    return due_ns > now_ns ? io_sleep_ns(due_ns - now_ns) : 0;
}

static int client_step(struct worker *w)
{
    int64_t rate = w->job->param[RATE];
    uint64_t *due_ns = w->state;

    set_next_due(due_ns, rate);
    if (wait_until(*due_ns) < 0)
        return -1;
    return echo_client_step_due(w, *due_ns);
}

static void client_end(struct worker *w)
{
    free(w->state);
}

const struct workload workload_echo_open = {
    .about = "64 bytes and back, so many times a second, beside CPU-bound spinners (the threads)",
    .unit = "round trip", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 0,
    .isolated = true,
    .by_role = true,
    .param = { { "rate", "requests a second", 10000, 1, 1000000 } },
    .roles = {
        { .name = "client", .fixed = 1, .records_latency = true, .shares_core = true,
          .begin = client_begin, .step = client_step, .end = client_end },
        { .name = "server", .fixed = 1, .shares_core = true, .step = echo_server_step,
          .end = echo_server_end },
        { .name = "spinner", .per_thread = 1, .begin = countdown_begin, .step = countdown_step,
          .end = countdown_end },
    },
    .setup = echo_setup_pair, .interrupt = echo_interrupt, .check = echo_check,
    .teardown = echo_teardown,
};
