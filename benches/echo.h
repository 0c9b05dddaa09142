/* echo.h - clients that send 64 bytes and wait for them, servers that send them back.
 *
 * One connection per client and server. Which sockets these are, who runs beside them, and
 * when a client sends is what the workloads `echo`, `echo_spin` and `echo_open` differ in:
 * when it has had its answer (a closed loop), or when the time for it has come (an open one).
 */
#ifndef BENCHES_ECHO_H
#define BENCHES_ECHO_H

#include "benches/workload.h"

struct echo {
    int count;                 /* set once; of connections */
    int (*fd)[2];              /* set once; the client's end and the server's; -1: none */
    _Atomic uint64_t answered; /* atomic; by the servers that have ended */
};

enum { ECHO_CLIENT, ECHO_SERVER };

/* Makes room for so many connections, which the caller makes. 0, or -1 with MemoryError
 * pending. To be undone in both cases. */
int echo_init(struct echo *e, int count);

/* The same with one connection, over a socketpair. */
int echo_init_pair(struct echo *e);

/* Closes what was opened. */
void echo_fini(struct echo *e);

/* One round trip; one answer. The worker's index chooses the connection. When that has
 * been interrupted and the job is stopping, 0 without an op. */
int echo_client_step(struct worker *w, const struct echo *e);
/* Of a request that ought to have been sent at `due_ns`, from when its latency counts. */
int echo_client_step_due(struct worker *w, const struct echo *e, uint64_t due_ns);
int echo_server_step(struct worker *w, const struct echo *e);
void echo_server_end(struct worker *w, struct echo *e);

/* Every wait for a connection ends, now and later. */
void echo_interrupt(const struct echo *e);

/* `ops` round trips took that many answers, and at most one more for each client. */
int echo_check(struct echo *e, uint64_t ops);

#endif
