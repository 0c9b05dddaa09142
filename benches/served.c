/* served.c - workloads in which a load in another process asks, and the workers answer. */
#include "benches/served.h"

#include "benches/waiting.h"
#include "coroutines/net/address.h"
#include "coroutines/tls.h"
#include "coroutines/tls/certificate.h"
#include "gil/mutex.h"
#include "objects/exception.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE = 1024, LIFE_S = 3600, PATIENCE_S = 60, LOOK_MS = 20 };
enum { FIRST_HOST = 1 << 16 }; /* 127.1.0.0, of servers that have an address each */

static const uint64_t turn_ns = NS_PER_MS;

static struct {
    struct load *load;            /* set by setup; NULL: none */
    int count;                    /* set by setup; of `fd` */
    int *fd;                      /* set by setup; owned; -1: none */
    struct tls_session **session; /* set by setup; as many, each owned until taken; NULL: no TLS */
    struct tls_identity authority, localhost; /* set by setup; empty without TLS */
    bool is_datagram;                         /* set by setup */
    _Atomic uint64_t answered;                /* atomic; by servers that have ended */
} served;

static int os_failure(const char *call)
{
    exception_set_errno(call);
    return -1;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* ---- setup ---- */

static int make_room(int connections)
{
    char why[LOAD_WHY_BYTES] = "";

    if (load_make_room(connections, why) == 0)
        return 0;
    if (!*why)
        return os_failure("setrlimit");
    exception_set(&os_error, "%s", why);
    return -1;
}

static int make_table(int connections)
{
    served.fd = malloc((size_t)connections * sizeof *served.fd);
    if (!served.fd) {
        exception_set_no_memory();
        return -1;
    }
    served.count = connections;
    for (int i = 0; i < connections; i++)
        served.fd[i] = -1;
    atomic_store_explicit(&served.answered, 0, memory_order_relaxed);
    return 0;
}

static int make_certificates(int connections)
{
    served.session = calloc((size_t)connections, sizeof *served.session);
    if (!served.session) {
        exception_set_no_memory();
        return -1;
    }
    if (tls_make_localhost(&served.authority, &served.localhost) == 0)
        return 0;
    exception_set(&ssl_error, "no certificate could be made");
    return -1;
}

/* On 127.0.0.1, or, of a Unix socket, a name that the kernel chooses. Fills in the address. The
 * listening socket, or -1. */
static int listen_for(struct load_plan *plan)
{
    bool is_unix = plan->protocol == LOAD_UNIX;
    struct sockaddr_in loopback = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr nameless = { .sa_family = AF_UNIX };
    const struct sockaddr *address = is_unix ? &nameless : (struct sockaddr *)&loopback;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return os_failure("socket");
    plan->address_bytes = sizeof plan->address;
    if (bind(fd, address, is_unix ? sizeof(sa_family_t) : sizeof loopback) == 0 &&
        listen(fd, QUEUE) == 0 &&
        getsockname(fd, (struct sockaddr *)&plan->address, &plan->address_bytes) == 0)
        return fd;
    os_failure("listen");
    close(fd);
    return -1;
}

/* Detached. The next one, or -1: nobody has come, and nobody will. */
static int accept_next(int listener)
{
    struct pollfd file = { .fd = listener, .events = POLLIN };
    uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_S * NS_PER_S;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            return -1;
        if (clock_ns() > deadline_ns || !load_look(served.load, 0)) {
            errno = ETIMEDOUT;
            return -1;
        }
        poll(&file, 1, LOOK_MS);
    }
    return fd;
}

/* Sent at once: a message is an answer, and Nagle's algorithm would wait for more. */
static int accept_all(int listener, enum load_protocol protocol)
{
    int on = 1;

    for (int i = 0; i < served.count; i++) {
        served.fd[i] = accept_next(listener);
        if (served.fd[i] < 0)
            return -1;
        if (protocol != LOAD_UNIX &&
            setsockopt(served.fd[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
            return -1;
    }
    return 0;
}

/* ---- TLS: each client waits for its server, whoever comes first ---- */

static int send_said(int fd, struct tls_session *s)
{
    const char *data;
    size_t left = tls_outgoing(s, &data);

    while (left) {
        ssize_t sent = send(fd, data, left, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            return -1;
        data += sent > 0 ? sent : 0;
        left -= sent > 0 ? (size_t)sent : 0;
    }
    tls_sent(s);
    return 0;
}

/* 0; -1: errno, or of what TLS says EPROTO. */
static int shake_hands(int fd, struct tls_session *s)
{
    char data[LOAD_RECEIVE_BYTES];
    struct tls_input in = { 0 };
    struct tls_error e;
    int shaken;
    ssize_t got;

    while ((shaken = tls_shake_hands(s, &in, &e)) == 0) {
        if (send_said(fd, s) < 0)
            return -1;
        while ((got = recv(fd, data, sizeof data, 0)) < 0 && errno == EINTR)
            ;
        if (got < 0)
            return -1;
        in = (struct tls_input){ data, (size_t)got, got == 0 };
    }
    if (send_said(fd, s) == 0 && shaken > 0)
        return 0;
    errno = EPROTO;
    return -1;
}

static int shake_all(struct tls_context *context)
{
    for (int i = 0; i < served.count; i++) {
        struct tls_error e;

        served.session[i] = tls_session_new(context, NULL, &e);
        if (!served.session[i]) {
            errno = ENOMEM;
            return -1;
        }
        if (shake_hands(served.fd[i], served.session[i]) < 0)
            return -1;
    }
    return 0;
}

/* ---- all of them ---- */

static int accept_and_greet(int listener, enum load_protocol protocol, struct tls_context *context)
{
    if (accept_all(listener, protocol) < 0)
        return -1;
    return context ? shake_all(context) : 0;
}

/* What the load has to say about it comes first. */
static int connect_all(int listener, enum load_protocol protocol, struct tls_context *context)
{
    uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_S * NS_PER_S;
    char why[LOAD_WHY_BYTES] = "";
    int result, error;

    thread_detach(thread_self);
    result = listener < 0 ? 0 : accept_and_greet(listener, protocol, context);
    error = errno;
    if (result == 0)
        result = load_wait_open(served.load, deadline_ns, why);
    else
        load_tell(served.load, why, sizeof why);
    thread_attach(thread_self);
    if (result == 0)
        return 0;
    if (*why)
        exception_set(&runtime_error, "%s", why);
    else {
        errno = error;
        exception_set_errno("accept");
    }
    return -1;
}

/* A socket for each client, at one port of as many addresses: nobody listens, and nobody calls. */
static int bind_all(struct load_plan *plan)
{
    uint16_t port = 0;

    for (int i = 0; i < served.count; i++) {
        struct address a = address_loopback_host((uint32_t)(FIRST_HOST + i), port);

        served.fd[i] = socket_bind(&a, SOCK_DGRAM);
        if (served.fd[i] < 0)
            return os_failure("bind");
        port = address_port(&a);
        if (i)
            continue;
        memcpy(&plan->address, &a.internet, sizeof a.internet);
        plan->address_bytes = sizeof a.internet;
    }
    plan->spread = true;
    return 0;
}

static int start_load(const struct load_plan *plan)
{
    char why[LOAD_WHY_BYTES];

    served.load = load_start(plan, why);
    if (served.load)
        return 0;
    exception_set(&os_error, "%s", why);
    return -1;
}

static int check_idle(const struct load_plan *plan)
{
    if (plan->idle < plan->connections)
        return 0;
    exception_set(&value_error, "%d idle of %d connections: one at least must ask", plan->idle,
                  plan->connections);
    return -1;
}

static int listen_and_connect(struct load_plan *plan, struct tls_context *context)
{
    int listener = served.is_datagram ? -1 : listen_for(plan), result;

    if (served.is_datagram ? bind_all(plan) < 0 : listener < 0)
        return -1;
    result = start_load(plan) < 0 ? -1 : connect_all(listener, plan->protocol, context);
    close_if_open(listener);
    return result;
}

/* Of TLS each worker has a copy of its descriptor, for the other one is the job's. */
static int set_up(struct job *job, const struct load_plan *plan, int connections, bool secure)
{
    struct load_plan own = *plan;
    struct tls_context *context = NULL;
    int result;

    own.connections = connections ? connections : job->threads;
    own.life_ns = (uint64_t)LIFE_S * NS_PER_S;
    served.is_datagram = own.protocol == LOAD_UDP;
    if (check_idle(&own) < 0 || make_table(own.connections) < 0 ||
        make_room(own.connections * (secure || served.is_datagram ? 2 : 1)) < 0)
        return -1;
    if (secure) {
        if (make_certificates(own.connections) < 0)
            return -1;
        own.trusted = served.authority.certificate;
        context = tls_server(served.localhost.certificate, served.localhost.key);
        if (!context)
            return -1;
    }
    result = listen_and_connect(&own, context);
    tls_context_free(context);
    job->connections = own.connections;
    return result;
}

int served_setup(struct job *job, const struct load_plan *plan, int connections)
{
    return set_up(job, plan, connections, false);
}

int served_setup_secure(struct job *job, const struct load_plan *plan)
{
    return set_up(job, plan, 0, true);
}

int served_connection(int number)
{
    return served.fd[number];
}

struct tls_session *served_session(int number)
{
    struct tls_session *s = served.session[number];

    served.session[number] = NULL;
    return s;
}

/* ---- the client ---- */

struct client {
    struct histogram *latency; /* where the load's goes in the end; NULL: nowhere yet */
    bool asks;
};

int served_client_begin(struct worker *w)
{
    w->ops_elsewhere = load_answers(served.load);
    w->state = calloc(1, sizeof(struct client));
    if (w->state)
        return 0;
    exception_set_no_memory();
    return -1;
}

/* Until another answer has come, so that a step is one at least. False: the load has ended. */
static bool wait_for_answers(struct worker *w)
{
    const _Atomic uint64_t *answers = load_answers(served.load);
    uint64_t before = atomic_load_explicit(&w->ops, memory_order_relaxed), now;
    bool alive = true;

    do {
        alive = load_look(served.load, turn_ns);
        now = atomic_load_explicit(answers, memory_order_relaxed);
    } while (alive && now == before && !job_stopping(w->job));
    atomic_store_explicit(&w->ops, now, memory_order_relaxed);
    return alive;
}

static int fail_as_load(struct worker *w)
{
    char why[LOAD_WHY_BYTES];

    load_tell(served.load, why, sizeof why);
    thread_attach(w->thread);
    exception_set(&runtime_error, "%s", *why ? why : "load: it has ended too early");
    thread_detach(w->thread);
    return -1;
}

/* Detached. */
int served_client_step(struct worker *w)
{
    struct client *c = w->state;

    if (w->latency && !c->latency) {
        c->latency = w->latency;
        load_record(served.load, true);
    }
    if (!c->asks)
        load_go(served.load);
    c->asks = true;
    if (wait_for_answers(w) || job_stopping(w->job))
        return 0;
    return fail_as_load(w);
}

/* When the load has ended, what it counted is whole. */
void served_client_end(struct worker *w)
{
    struct client *c = w->state;

    if (!c)
        return;
    thread_detach(w->thread);
    load_stop(served.load);
    thread_attach(w->thread);
    atomic_store_explicit(&w->ops,
                          atomic_load_explicit(load_answers(served.load), memory_order_relaxed),
                          memory_order_relaxed);
    if (c->latency)
        histogram_add(c->latency, load_latency(served.load));
    free(c);
    w->state = NULL;
}

/* ---- servers ---- */

enum turn served_fail(const struct worker *w, borrowed thrown, struct object **result)
{
    if (!exception_is(thrown, &os_error))
        return frame_raise(thrown);
    exception_restore(incref(thrown));
    return served_ended(w) < 0 ? TURN_ERROR : frame_return(result);
}

int served_ended(const struct worker *w)
{
    if (job_stopping(w->job)) {
        exception_restore(NULL);
        return 0;
    }
    if (!exception_pending())
        exception_set(&os_error, "the connection has ended");
    return -1;
}

void served_add_answers(uint64_t answers)
{
    atomic_fetch_add_explicit(&served.answered, answers, memory_order_relaxed);
}

/* ---- the end ---- */

/* A message of no bytes is the end: to shut the socket down is none for who does not block, for the
 * kernel then says that it is ready, and that there is nothing. */
static void send_end(int fd)
{
    struct address own;

    if (socket_own_address(fd, &own) == 0)
        sendto(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL, &own.any, own.size_bytes);
}

void served_interrupt(struct job *job)
{
    (void)job;
    if (served.load)
        load_ask_stop(served.load);
    for (int i = 0; i < served.count; i++)
        if (served.fd[i] >= 0 && served.is_datagram)
            send_end(served.fd[i]);
        else if (served.fd[i] >= 0)
            shutdown(served.fd[i], SHUT_RDWR);
}

/* An answer that was on its way at the end the load has not seen. What is lost of datagrams is told,
 * and is no error: it is their way. */
int served_check(struct job *job, uint64_t ops)
{
    uint64_t answered = atomic_load_explicit(&served.answered, memory_order_relaxed);
    uint64_t lost = load_errors(served.load, LOAD_LOST);
    char why[LOAD_WHY_BYTES];

    load_tell(served.load, why, sizeof why);
    if (load_errors_of_all_kinds(served.load) > lost) {
        exception_set(&runtime_error, "%s", why);
        return -1;
    }
    snprintf(job->note, sizeof job->note, "%.*s", (int)sizeof job->note - 1, why);
    if (answered >= ops && answered - ops <= (uint64_t)served.count + lost)
        return 0;
    exception_set(&runtime_error, "%llu answers, of which %llu were seen",
                  (unsigned long long)answered, (unsigned long long)ops);
    return -1;
}

void served_teardown(struct job *job)
{
    (void)job;
    load_free(served.load);
    served.load = NULL;
    for (int i = 0; i < served.count; i++) {
        close_if_open(served.fd[i]);
        if (served.session)
            tls_session_free(served.session[i]);
    }
    free(served.fd);
    free(served.session);
    tls_identity_free(&served.authority);
    tls_identity_free(&served.localhost);
    served.fd = NULL;
    served.session = NULL;
    served.count = 0;
}
