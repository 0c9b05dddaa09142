/* testing.h - a plain server for the tests of loads: a thread for each connection.
 *
 * It is right, or wrong in one of the ways that a load must notice. What its threads see goes into
 * counts; assertions are the main thread's.
 */
#ifndef BENCHES_LOAD_TESTS_TESTING_H
#define BENCHES_LOAD_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "benches/http.h"
#include "benches/load/load.h"
#include "coroutines/tls/certificate.h"
#include "coroutines/tls/session.h"
#include "gil/mutex.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WATCHDOG_S = 60, SERVER_CONNECTIONS_MOST = 300 };

enum manner {
    RIGHT,
    CHANGES,      /* a byte of the third answer */
    ADDS,         /* a byte to the third answer */
    HANGS_UP,     /* instead of the third answer */
    RESETS,       /* likewise, so that the client is told ECONNRESET */
    SAYS_NOTHING, /* from the third on */
    LEAVES,       /* when something has come */
    SLOW,         /* a millisecond for each */
    CUTS,         /* each answer into bytes */
    NOT_FOUND,    /* HTTP: 404 */
    BABBLES,      /* HTTP: no head at all */
    CHUNKS,       /* HTTP: the body in chunks, and right */
    CUTS_BODY,    /* HTTP: the third is a byte short, and its length says so */
};

struct server {
    enum load_protocol protocol;
    enum manner manner;
    int body_bytes;
    struct tls_context *context; /* NULL: no TLS */
    const char *trusted;         /* the authority of it; the test's */
    struct sockaddr_storage address;
    socklen_t address_bytes;
    int listener; /* of UDP the only socket */
    pthread_t acceptor;
    pthread_t thread[SERVER_CONNECTIONS_MOST];
    struct seat {
        struct server *server;
        int fd;
        struct tls_session *tls; /* NULL: none */
        struct tls_input in;
        uint64_t answers; /* its thread; the main one's when that has ended */
        char sealed[1024];
    } seat[SERVER_CONNECTIONS_MOST];
    int connections; /* acceptor; the main thread's when that has ended */
    bool joined;
    _Atomic bool waits; /* its thread has begun: a fork beside that may meet a sanitizer's lock */
    _Atomic bool over;
    _Atomic uint64_t answered;
};

static inline bool send_all(int fd, const char *data, size_t size_bytes, bool cuts)
{
    while (size_bytes) {
        ssize_t sent = send(fd, data, cuts ? 1 : size_bytes, MSG_NOSIGNAL);

        if (sent < 0)
            return false;
        data += sent;
        size_bytes -= (size_t)sent;
    }
    return true;
}

/* What TLS has to say. */
static inline bool send_said(struct seat *seat, bool cuts)
{
    const char *data;
    size_t size_bytes = tls_outgoing(seat->tls, &data);
    bool sent = send_all(seat->fd, data, size_bytes, cuts);

    tls_sent(seat->tls);
    return sent;
}

static inline bool receive_sealed(struct seat *seat)
{
    ssize_t got = recv(seat->fd, seat->sealed, sizeof seat->sealed, 0);

    seat->in = (struct tls_input){ seat->sealed, got > 0 ? (size_t)got : 0, got <= 0 };
    return got > 0;
}

/* False: it has come to nothing. */
static inline bool shake_hands(struct seat *seat)
{
    struct tls_error e;
    int shaken;

    while ((shaken = tls_shake_hands(seat->tls, &seat->in, &e)) == 0)
        if (!send_said(seat, false) || !receive_sealed(seat))
            return false;
    return send_said(seat, false) && shaken > 0;
}

/* As recv. */
static inline ssize_t hear(struct seat *seat, char *data, size_t size_bytes)
{
    struct tls_error e;
    int64_t got;

    if (!seat->tls)
        return recv(seat->fd, data, size_bytes, 0);
    while ((got = tls_read(seat->tls, &seat->in, data, size_bytes, &e)) == TLS_NOT_YET)
        if (!receive_sealed(seat))
            return 0;
    return got;
}

static inline bool say(struct seat *seat, const char *data, size_t size_bytes)
{
    bool cuts = seat->server->manner == CUTS;
    struct tls_error e;

    if (!seat->tls)
        return send_all(seat->fd, data, size_bytes, cuts);
    return tls_write(seat->tls, data, size_bytes, &e) == 0 && send_said(seat, cuts);
}

static inline void hang_up(int fd, bool resets)
{
    struct linger at_once = { 1, 0 };

    if (resets)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(fd, resets ? SHUT_RD : SHUT_RDWR);
}

/* False: this connection is over. */
static inline bool misbehave(const struct server *s, int fd, int number)
{
    if (s->manner == SLOW)
        usleep(1000);
    if (number < 3 || (s->manner != HANGS_UP && s->manner != RESETS && s->manner != SAYS_NOTHING))
        return true;
    if (s->manner == SAYS_NOTHING) {
        char byte;

        while (recv(fd, &byte, 1, 0) > 0)
            ;
    }
    hang_up(fd, s->manner == RESETS);
    return false;
}

static inline void serve_echo(struct server *s, struct seat *seat)
{
    char data[LOAD_MESSAGE_MOST + 1];
    ssize_t got;
    int number = 0;

    while ((got = hear(seat, data, LOAD_MESSAGE_MOST)) > 0) {
        number++;
        if (!misbehave(s, seat->fd, number))
            return;
        if (s->manner == CHANGES && number == 3)
            data[got - 1] ^= 1;
        if (s->manner == ADDS && number == 3)
            data[got++] = 'x';
        if (!say(seat, data, (size_t)got))
            return;
        seat->answers++;
        atomic_fetch_add_explicit(&s->answered, 1, memory_order_release);
    }
}

static inline size_t write_body(char *out, const struct http_head *head, int body_bytes)
{
    for (int i = 0; i < body_bytes; i++)
        out[i] = load_body_byte(head->target.data + 1, head->target.bytes - 1, (size_t)i);
    return (size_t)body_bytes;
}

/* One answer. Its bytes. */
static inline size_t write_answer(const struct server *s, const struct http_head *head, int number,
                                  char *out, size_t size_bytes)
{
    int body_bytes = s->body_bytes - (s->manner == CUTS_BODY && number == 3);
    size_t used;

    if (s->manner == BABBLES)
        return (size_t)snprintf(out, size_bytes, "hello\r\n\r\n");
    if (s->manner == CHUNKS) {
        used = (size_t)snprintf(out, size_bytes,
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
                                (unsigned)body_bytes);
        used += write_body(out + used, head, body_bytes);
        return used + (size_t)snprintf(out + used, size_bytes - used, "\r\n0\r\n\r\n");
    }
    used = (size_t)snprintf(out, size_bytes, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n",
                            s->manner == NOT_FOUND && number == 3 ? "404 Not Found" : "200 OK",
                            body_bytes);
    used += write_body(out + used, head, body_bytes);
    if (s->manner == CHANGES && number == 3)
        out[used - 1] ^= 1;
    if (s->manner == ADDS && number == 3)
        out[used++] = 'x';
    return used;
}

static inline void serve_http(struct server *s, struct seat *seat)
{
    static const struct http_limits limits = { 1000, 2000, 0 };
    char data[4096], out[8192];
    size_t have = 0;
    int number = 0;
    ssize_t got;

    while ((got = hear(seat, data + have, sizeof data - have)) > 0) {
        struct http_head head;
        int64_t taken;

        have += (size_t)got;
        taken = http_head(data, have, &limits, HTTP_REQUEST, &head);
        if (taken == HTTP_MORE)
            continue;
        number++;
        if (taken < 0 || !misbehave(s, seat->fd, number) ||
            !say(seat, out, write_answer(s, &head, number, out, sizeof out)))
            return;
        memmove(data, data + taken, have -= (size_t)taken);
        atomic_fetch_add_explicit(&s->answered, 1, memory_order_release);
    }
}

static inline void *serve(void *argument)
{
    struct seat *seat = argument;

    if (seat->server->manner == LEAVES)
        receive_sealed(seat);
    else if (seat->tls && !shake_hands(seat))
        shutdown(seat->fd, SHUT_RDWR);
    else if (seat->server->protocol == LOAD_HTTP)
        serve_http(seat->server, seat);
    else
        serve_echo(seat->server, seat);
    if (seat->server->manner == RESETS) {
        close(seat->fd);
        seat->fd = -1;
    } else
        shutdown(seat->fd, SHUT_RDWR);
    return NULL;
}

static inline void *accept_all(void *argument)
{
    struct server *s = argument;
    int fd, on = 1;

    atomic_store_explicit(&s->waits, true, memory_order_release);
    while (s->connections < SERVER_CONNECTIONS_MOST &&
           (fd = accept(s->listener, NULL, NULL)) >= 0) {
        struct seat *seat = &s->seat[s->connections];
        struct tls_error e;

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        *seat = (struct seat){ s, fd, s->context ? tls_session_new(s->context, NULL, &e) : NULL };
        if (pthread_create(&s->thread[s->connections++], NULL, serve, seat))
            abort();
    }
    return NULL;
}

/* Loses each third. */
static inline void *serve_datagrams(void *argument)
{
    struct server *s = argument;
    struct sockaddr_storage from;
    socklen_t from_bytes = sizeof from;
    char data[LOAD_RECEIVE_BYTES];
    ssize_t got;
    int number = 0;

    atomic_store_explicit(&s->waits, true, memory_order_release);
    while (!atomic_load_explicit(&s->over, memory_order_relaxed)) {
        struct pollfd file = { .fd = s->listener, .events = POLLIN };

        if (poll(&file, 1, 10) <= 0)
            continue;
        from_bytes = sizeof from;
        got = recvfrom(s->listener, data, sizeof data, 0, (struct sockaddr *)&from, &from_bytes);
        number++;
        if (got <= 0 || (s->manner == SAYS_NOTHING && number % 3 == 0))
            continue;
        sendto(s->listener, data, (size_t)got, 0, (struct sockaddr *)&from, from_bytes);
        atomic_fetch_add_explicit(&s->answered, 1, memory_order_release);
    }
    return NULL;
}

/* At any port, or there. */
static inline void open_listener(struct server *s, const struct sockaddr_in *where)
{
    bool is_unix = s->protocol == LOAD_UNIX, is_datagram = s->protocol == LOAD_UDP;
    struct sockaddr *address = (struct sockaddr *)&s->address;

    if (is_unix)
        *(struct sockaddr_un *)address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    else
        *(struct sockaddr_in *)address =
            where ? *where
                  : (struct sockaddr_in){ .sin_family = AF_INET,
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    /* A Unix socket that is bound to its family alone gets a name from the kernel. */
    s->address_bytes = is_unix ? sizeof(sa_family_t) : sizeof(struct sockaddr_in);
    s->listener =
        socket(address->sa_family, (is_datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, address, s->address_bytes), 0);
    s->address_bytes = sizeof s->address;
    assert_int_equal(getsockname(s->listener, address, &s->address_bytes), 0);
    if (!is_datagram)
        assert_int_equal(listen(s->listener, 128), 0);
}

static inline struct server *new_server(enum load_protocol protocol, enum manner manner,
                                        int body_bytes)
{
    struct server *s = calloc(1, sizeof *s);

    assert_non_null(s);
    s->protocol = protocol;
    s->manner = manner;
    s->body_bytes = body_bytes;
    return s;
}

static inline struct server *start_new_server(struct server *s, const struct sockaddr_in *where)
{
    open_listener(s, where);
    assert_int_equal(pthread_create(&s->acceptor, NULL,
                                    s->protocol == LOAD_UDP ? serve_datagrams : accept_all, s),
                     0);
    while (!atomic_load_explicit(&s->waits, memory_order_acquire))
        sched_yield();
    return s;
}

static inline struct server *start_server(enum load_protocol protocol, enum manner manner,
                                          int body_bytes)
{
    return start_new_server(new_server(protocol, manner, body_bytes), NULL);
}

/* Over TLS, unless `identity` is NULL. */
static inline struct server *start_server_as(enum load_protocol protocol, enum manner manner,
                                             int body_bytes, const struct tls_identity *identity,
                                             const char *trusted)
{
    struct server *s = new_server(protocol, manner, body_bytes);
    struct tls_error e;

    if (identity) {
        s->context = tls_server_context(identity->certificate, identity->key, &e);
        assert_non_null(s->context);
    }
    s->trusted = trusted;
    return start_new_server(s, NULL);
}

/* Waits for the threads of connections that have ended. */
static inline void join_server(struct server *s)
{
    if (s->joined)
        return;
    s->joined = true;
    atomic_store_explicit(&s->over, true, memory_order_relaxed);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    for (int i = 0; i < s->connections; i++)
        pthread_join(s->thread[i], NULL);
}

/* Ends it, if nobody has. How much it has answered. */
static inline uint64_t stop_server(struct server *s)
{
    uint64_t answered;

    join_server(s);
    for (int i = 0; i < s->connections; i++) {
        if (s->seat[i].fd >= 0)
            close(s->seat[i].fd);
        tls_session_free(s->seat[i].tls);
    }
    tls_context_free(s->context);
    close(s->listener);
    answered = atomic_load_explicit(&s->answered, memory_order_relaxed);
    free(s);
    return answered;
}

static inline struct load_plan plan_for(const struct server *s, int connections)
{
    return (struct load_plan){ .protocol = s->protocol,
                               .address = s->address,
                               .address_bytes = s->address_bytes,
                               .connections = connections,
                               .trusted = s->trusted,
                               .message_bytes = s->protocol == LOAD_HTTP ? s->body_bytes : 64,
                               .life_ns = (uint64_t)WATCHDOG_S * NS_PER_S };
}

/* All its connections are open, and it asks. */
static inline struct load *start_load(const struct load_plan *plan)
{
    char why[LOAD_WHY_BYTES];
    struct load *load = load_start(plan, why);

    if (!load)
        fail_msg("%s", why);
    if (load_wait_open(load, clock_ns() + 30ull * NS_PER_S, why) < 0)
        fail_msg("%s", why);
    load_record(load, true);
    load_go(load);
    return load;
}

static inline uint64_t answers_of(const struct load *load)
{
    return atomic_load_explicit(load_answers(load), memory_order_relaxed);
}

/* Or until it has ended. */
static inline void wait_for_answers(struct load *load, uint64_t count)
{
    while (answers_of(load) < count && load_look(load, NS_PER_MS))
        ;
}

static inline void wait_for_error(struct load *load)
{
    while (!load_errors_of_all_kinds(load) && load_look(load, NS_PER_MS))
        ;
}

#endif
