/* ping.c - a thread under the lock that is pinged from outside, beside threads that spin.
 *
 * Two of the three measurements of ccbench (A. Pitrou, 2010, CPython's Tools/ccbench): how soon
 * a thread answers that must get the lock to do so, at `rate` pings a second, and how many
 * answers it gives a second when the next ping comes as soon as it has given one (rate=0:
 * ccbench's bandwidth). Its third, the throughput of threads that compute, is `countdown`.
 *
 * The pinger stands for another program: it never has the lock while it pings, so that only
 * one side waits for it. Its latency counts from when a ping was due.
 */
#include "benches/countdown.h"
#include "benches/echo.h"
#include "gil/mutex.h"
#include "objects/exception.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum { RATE, MESSAGE_BYTES = 64 };

/* Until then, or not at all. */
static void sleep_until(uint64_t due_ns)
{
    struct timespec due = { .tv_sec = (time_t)(due_ns / NS_PER_S),
                            .tv_nsec = (long)(due_ns % NS_PER_S) };

    if (due_ns <= clock_ns())
        return;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
        ;
}

enum direction { SEND, RECEIVE };

/* A whole message. False: the end, or an error. */
static bool transfer(int fd, enum direction direction)
{
    char message[MESSAGE_BYTES] = { 0 };
    size_t done = 0;

    while (done < sizeof message) {
        size_t left = sizeof message - done;
        ssize_t count = direction == SEND ? send(fd, message + done, left, MSG_NOSIGNAL)
                                          : recv(fd, message + done, left, 0);

        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* When the next ping is due. A thread's timers are 50 us late by default. */
static int pinger_begin(struct worker *w)
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

static int ended(struct worker *w)
{
    if (atomic_load_explicit(&w->job->stopping, memory_order_relaxed))
        return 0;
    thread_attach(w->thread);
    exception_set(&os_error, "the connection has ended");
    thread_detach(w->thread);
    return -1;
}

/* Detached, as all that it does is outside. */
static int pinger_step(struct worker *w)
{
    uint64_t rate = (uint64_t)w->job->param[RATE], *due_ns = w->state;
    int fd = echo_connection(w->job, w->index)[ECHO_CLIENT];

    *due_ns = rate && *due_ns ? *due_ns + NS_PER_S / rate : clock_ns();
    sleep_until(*due_ns);
    if (!transfer(fd, SEND) || !transfer(fd, RECEIVE))
        return ended(w);
    worker_latency(w, clock_ns() - *due_ns);
    worker_count(w, 1);
    return 0;
}

static void pinger_end(struct worker *w)
{
    free(w->state);
}

const struct workload workload_ping = {
    .about = "a thread under the lock, pinged from outside, beside CPU-bound spinners (the threads)",
    .unit = "answer", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 0,
    .isolated = true,
    .param = { { "rate", "pings a second; 0: as many as are answered", 100, 0, 1000000 } },
    .roles = {
        { .name = "pinger", .fixed = 1, .records_latency = true, .shares_core = true,
          .outside = true, .begin = pinger_begin, .step = pinger_step, .end = pinger_end },
        { .name = "answerer", .fixed = 1, .shares_core = true, .step = echo_server_step,
          .end = echo_server_end },
        { .name = "spinner", .per_thread = 1, .begin = countdown_begin, .step = countdown_step,
          .end = countdown_end },
    },
    .setup = echo_setup_pair, .interrupt = echo_interrupt, .check = echo_check,
    .teardown = echo_teardown,
};
