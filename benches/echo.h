/* echo.h - clients that send 64 bytes and wait for them, servers that send them back.
 *
 * One connection per client and server. What the workloads `echo`, `echo_unix`, `echo_udp`,
 * `echo_tls`, `echo_spin` and `echo_open` differ in is which sockets these are, who runs beside
 * them, and when a client sends: when it has had its answer (a closed loop), or when the time for
 * it has come (an open one).
 */
#ifndef BENCHES_ECHO_H
#define BENCHES_ECHO_H

#include "benches/workload.h"
#include "objects/type.h"

struct address;

enum { ECHO_CLIENT, ECHO_SERVER }; /* the ends of a connection */
enum { ECHO_MESSAGE_BYTES = 64 };

/* Makes room in the job for so many connections, which the caller makes. 0, or -1 with MemoryError
 * pending. To be undone in both cases by echo_teardown, which closes what was opened. */
int echo_init(struct job *job, int count);

/* Both ends of one, to be opened: two file descriptors, -1 so far. */
int *echo_connection(const struct job *job, int number);

/* A connection for each unit, over a listener at this address (coroutines/net/address.h), which is
 * closed again: for setup. */
int echo_setup_at(struct job *job, struct address address);

/* For steps of one's own. Writes the request's number at the beginning of a message. */
void echo_write_request(char *message, borrowed request);

/* 0, and the round trip is counted; -1: it is another's answer. */
int echo_take_answer(struct worker *w, int64_t asked, int64_t answer, uint64_t due_ns);

/* The other end has gone: so it must when the window is over, then it is 0 and nothing is pending;
 * and never before: -1. */
int echo_ended(const struct worker *w);

/* The rest is what a workload's table asks for. */

/* One connection, over a socketpair: setup. */
int echo_setup_pair(struct job *job);

/* One round trip; one answer. The worker's index chooses the connection. When that has
 * been interrupted and the job is stopping, 0 without an op. */
int echo_client_step(struct worker *w);
/* Of a request that ought to have been sent at `due_ns`, from when its latency counts. */
int echo_client_step_due(struct worker *w, uint64_t due_ns);
int echo_server_step(struct worker *w);
/* The same for units that await. */
extern const struct body echo_client_await_step, echo_server_await_step;
void echo_server_end(struct worker *w);

/* Every wait for a connection ends, now and later. */
void echo_interrupt(struct job *job);

/* `ops` round trips took that many answers, and at most one more for each client. */
int echo_check(struct job *job, uint64_t ops);

void echo_teardown(struct job *job);

#endif
