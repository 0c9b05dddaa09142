/* served.h - workloads in which a load in another process asks, and the workers answer.
 *
 * The first role, `client`, stands for the load (load/load.h): what it counts and how long its
 * answers took are the load's, its own processor time is next to nothing. The second, `server`, is
 * what is measured: one worker for each connection, so there are as many connections as there are
 * servers. The server's processor time for each answer is the sum over its role by the first role's
 * operations. Whatever goes wrong on a connection voids the cell, and is named; but datagrams that
 * are lost are told in a note.
 */
#ifndef BENCHES_SERVED_H
#define BENCHES_SERVED_H

#include "benches/load/load.h"
#include "benches/workload.h"
#include "coroutines/generator.h"

/* Opens a listener on loopback and starts a load by this plan, of which the address, the number of
 * connections and its time are filled in here: as many as there are `threads`, or `connections`
 * if that is not 0. All are open when it returns. Over UDP there is a bound socket for each client
 * instead. 0 or -1: OSError, MemoryError, RuntimeError; ValueError: all are idle. */
int served_setup(struct job *job, const struct load_plan *plan, int connections);

/* The same over TLS. Certificates are made here, and both sides know each other when it returns. */
int served_setup_secure(struct job *job, const struct load_plan *plan);

/* The server's end of a connection, a blocking descriptor; stays ours. */
int served_connection(int number);

/* Its session, which is the caller's from now on. */
struct tls_session *served_session(int number);

/* The client's. */
int served_client_begin(struct worker *w);
int served_client_step(struct worker *w);
void served_client_end(struct worker *w);

/* A server has read the end, or failed: 0 if the job is stopping, for then it must, and the
 * exception that may be pending is dropped. */
int served_ended(const struct worker *w);

/* The same in a coroutine in which this was raised: an OSError may be the end. */
enum turn served_fail(const struct worker *w, borrowed thrown, struct object **result);

/* By each server, at its end: so many answers it gave. */
void served_add_answers(uint64_t answers);

/* The rest is what a workload's table asks for. */
void served_interrupt(struct job *job);
int served_check(struct job *job, uint64_t ops);
void served_teardown(struct job *job);

#endif
