/* driver.c - the life of a load's process.
 *
 * One thread, one epoll, level-triggered. A client is a connection:
 *
 *     AWAY --connect--> CONNECTING --> READY --request--> ASKING --answer--> READY
 *      ^                 |            ^   |                 |
 *      |                 +-> SHAKING -+   |                 |      over TLS
 *      +----- after so many exchanges ----+   a failure ----+----> GONE
 *
 * In a closed loop a client asks as soon as it is ready. In an open one the ready ones stand in a
 * line, and the first of them sends the request that is due. A datagram that has no answer leads
 * from ASKING to READY as well. What is sent is built from the number of the request, and so is
 * what must come back: no client keeps a message.
 */
#include "benches/load/shared.h"

#include "benches/http.h"
#include "coroutines/tls/session.h"
#include "gil/mutex.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MOST = 256,
    CONNECTING_MOST = 128, /* at a time: a listener's queue is short */
    KEPT_BYTES = 512,      /* of an HTTP head that has come in part */
    SOURCES = 250,         /* addresses that clients come from */
    NUMBER_BYTES = 24,
    BELL = -1,
};

static const uint64_t turn_ns = 20 * NS_PER_MS, retry_ns = NS_PER_MS,
                      patience_ns = 10ull * NS_PER_S, patience_of_datagrams_ns = NS_PER_S;

enum client_state { AWAY, CONNECTING, SHAKING, READY, ASKING, GONE };

struct client {
    int fd; /* -1: none */
    enum client_state state;
    bool wants_room; /* EPOLLOUT is asked for */
    bool in_line;
    uint64_t number;    /* of its request */
    uint64_t due_ns;    /* of that, from when its latency counts */
    uint64_t asked_ns;  /* when it began to be sent, or to shake hands */
    uint32_t exchanges; /* on this connection */
    size_t sent, got;   /* bytes; of HTTP `got` is of the body */
    struct tls_session *tls; /* owned; NULL: none */
    size_t pushed;           /* of what TLS has to send */
    bool in_body;       /* HTTP: the head has come */
    struct http_body body;
    size_t kept_bytes;
    char kept[KEPT_BYTES];
};

struct driver {
    const struct load_order *order;
    const struct load_plan *plan;
    struct load_shared *shared;
    int epoll;
    int schedule;   /* /proc/self/schedstat; -1: there is none */
    bool recording; /* it has begun to */
    struct load_moment last; /* when it looked at itself, some turns ago at most */
    struct client *client; /* of plan->connections */
    uint32_t *line;        /* of as many: the ready ones of an open loop */
    size_t first, waiting;
    int away;      /* clients that have no connection and want one */
    int next_away; /* where to look for the next of them */
    int connecting;
    uint64_t asked;                     /* requests so far; the next one's number */
    uint64_t first_due_ns, next_due_ns; /* of an open loop; 0: it has not begun */
    uint64_t next_look_ns;              /* for those that are late */
    uint64_t retry_at_ns;               /* before this nobody connects */
    uint64_t end_ns;
    size_t message_bytes; /* of an echo */
    char *message;        /* as it is sent; of LOAD_MESSAGE_MOST */
    char received[KEPT_BYTES + LOAD_RECEIVE_BYTES];
    char sealed[LOAD_RECEIVE_BYTES]; /* received, over TLS */
};

size_t load_arena_bytes(const struct load_plan *plan)
{
    size_t each = sizeof(struct client) + sizeof(uint32_t);

    return sizeof(struct driver) + (size_t)plan->connections * each + LOAD_MESSAGE_MOST;
}

/* ---- what is told ---- */

static void count(_Atomic uint64_t *number, int64_t change)
{
    uint64_t now = atomic_load_explicit(number, memory_order_relaxed);

    atomic_store_explicit(number, now + (uint64_t)change, memory_order_relaxed);
}

static bool is_set(const _Atomic bool *flag)
{
    return atomic_load_explicit(flag, memory_order_acquire);
}

static void ring(const struct driver *d)
{
    uint64_t one = 1;

    if (write(d->order->told, &one, sizeof one) < 0)
        return; /* full: nobody listens */
}

static void set_state(const struct driver *d, enum load_state state)
{
    atomic_store_explicit(&d->shared->state, state, memory_order_release);
    ring(d);
}

static uint64_t used_cpu_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

/* How long it was ready, and the kernel gave its processor to others: the second of three numbers. */
static int64_t held_up_ns(const struct driver *d)
{
    char text[80];
    ssize_t got = d->schedule < 0 ? -1 : pread(d->schedule, text, sizeof text - 1, 0);
    char *end = text;

    text[got > 0 ? got : 0] = '\0';
    strtoull(text, &end, 10);
    return *end == ' ' ? (int64_t)strtoull(end, NULL, 10) : -1;
}

static struct load_moment look_at_oneself(const struct driver *d)
{
    return (struct load_moment){ clock_ns(), used_cpu_ns(), held_up_ns(d) };
}

static void record_or_not(struct driver *d, bool records, uint64_t now_ns)
{
    if (records == d->recording && now_ns < d->last.now_ns + turn_ns)
        return;
    d->last = look_at_oneself(d);
    if (records != d->recording)
        *(records ? &d->shared->from : &d->shared->to) = d->last;
    d->recording = records;
}

/* If it was to record, and has not run since: from when it last did. */
static void end_recording(struct driver *d)
{
    if (is_set(&d->shared->recording) && !d->recording) {
        d->shared->from = d->last;
        d->recording = true;
    }
    if (d->recording)
        d->shared->to = look_at_oneself(d);
}

static _Noreturn void leave(struct driver *d)
{
    end_recording(d);
    atomic_store_explicit(&d->shared->cpu_ns, used_cpu_ns(), memory_order_relaxed);
    set_state(d, LOAD_ENDED);
    _exit(0);
}

/* ---- a client's end ---- */

static bool is_open(const struct client *c)
{
    return c->state == READY || c->state == ASKING;
}

/* Says what TLS has to say at the end, if it can go at once. */
static void part(struct client *c)
{
    struct tls_error e;
    const char *data;
    size_t size_bytes;

    if (is_open(c))
        tls_end(c->tls, &e);
    size_bytes = tls_outgoing(c->tls, &data);
    if (size_bytes > c->pushed) /* if that fails it does not hear it */
        (void)!send(c->fd, data + c->pushed, size_bytes - c->pushed, MSG_NOSIGNAL | MSG_DONTWAIT);
    tls_session_free(c->tls);
    c->tls = NULL;
}

static void hang_up(struct driver *d, struct client *c)
{
    if (c->tls)
        part(c);
    if (c->fd >= 0)
        close(c->fd);
    if (is_open(c))
        count(&d->shared->open, -1);
    if (c->state == CONNECTING || c->state == SHAKING)
        d->connecting--;
    c->fd = -1;
}

static void note_error(struct driver *d, enum load_error kind, int error, const char *words)
{
    struct load_shared *s = d->shared;

    if (atomic_load_explicit(&s->first_kind, memory_order_relaxed) < 0) {
        atomic_store_explicit(&s->first_error, error, memory_order_relaxed);
        snprintf(s->first_words, sizeof s->first_words, "%s", words);
        atomic_store_explicit(&s->first_kind, (int)kind, memory_order_release);
    }
    count(&s->error[kind], 1);
    ring(d);
}

/* The server is ended after we were asked to, so what it does then is no error. */
static void fail_saying(struct driver *d, struct client *c, enum load_error kind, int error,
                        const char *words)
{
    if (!is_set(&d->shared->stopping))
        note_error(d, kind, error, words);
    hang_up(d, c);
    c->state = GONE;
}

static void fail(struct driver *d, struct client *c, enum load_error kind, int error)
{
    fail_saying(d, c, kind, error, "");
}

static void fail_by_tls(struct driver *d, struct client *c, const struct tls_error *e)
{
    if (e->what == TLS_CUT_OFF)
        fail(d, c, LOAD_CLOSED, 0);
    else if (e->what == TLS_NO_MEMORY)
        fail(d, c, LOAD_SYSTEM, ENOMEM);
    else
        fail_saying(d, c, LOAD_INSECURE, 0, e->text);
}

static void fail_by_errno(struct driver *d, struct client *c)
{
    int error = errno;

    if (c->state == CONNECTING || c->state == AWAY || error == ECONNREFUSED)
        fail(d, c, LOAD_REFUSED, error);
    else if (error == ECONNRESET || error == EPIPE)
        fail(d, c, LOAD_RESET, error);
    else
        fail(d, c, LOAD_SYSTEM, error);
}

/* ---- asking ---- */

static size_t number_text(uint64_t number, char text[NUMBER_BYTES])
{
    return (size_t)snprintf(text, NUMBER_BYTES, "%llu", (unsigned long long)number);
}

/* The request of this number, in d->message. Its bytes. */
static size_t write_request(struct driver *d, uint64_t number)
{
    if (d->plan->protocol == LOAD_HTTP)
        return (size_t)snprintf(d->message, LOAD_MESSAGE_MOST,
                                "GET /%llu HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\n"
                                "Accept: */*\r\n\r\n",
                                (unsigned long long)number);
    memcpy(d->message, &number, sizeof number);
    return d->message_bytes;
}

static void ask_for_room(struct driver *d, struct client *c, bool wants)
{
    struct epoll_event event = { .events = EPOLLIN | (wants ? EPOLLOUT : 0u),
                                 .data.u64 = (uint64_t)(c - d->client) };

    if (c->wants_room == wants)
        return;
    c->wants_room = wants;
    epoll_ctl(d->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

/* Sends on from *sent. Whether all of it has gone; if not, the client waits for room, or has
 * failed. */
static bool send_rest(struct driver *d, struct client *c, const char *data, size_t size_bytes,
                      size_t *sent)
{
    while (*sent < size_bytes) {
        ssize_t went = send(c->fd, data + *sent, size_bytes - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (went < 0 && errno == EINTR)
            continue;
        if (went < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            ask_for_room(d, c, true);
            return false;
        }
        if (went < 0) {
            fail_by_errno(d, c);
            return false;
        }
        *sent += (size_t)went;
    }
    ask_for_room(d, c, false);
    return true;
}

/* What TLS has to say. */
static void push(struct driver *d, struct client *c)
{
    const char *data;
    size_t size_bytes = tls_outgoing(c->tls, &data);

    if (!send_rest(d, c, data, size_bytes, &c->pushed))
        return;
    tls_sent(c->tls);
    c->pushed = 0;
}

/* What is left of the request. */
static void send_on(struct driver *d, struct client *c)
{
    if (c->tls)
        push(d, c);
    else
        send_rest(d, c, d->message, write_request(d, c->number), &c->sent);
}

/* The request is enciphered as a whole. False: the client has failed. */
static bool encipher(struct driver *d, struct client *c)
{
    struct tls_error e;

    c->sent = write_request(d, c->number);
    if (tls_write(c->tls, d->message, c->sent, &e) == 0)
        return true;
    fail_by_tls(d, c, &e);
    return false;
}

static void ask(struct driver *d, struct client *c, uint64_t due_ns, uint64_t now_ns)
{
    c->state = ASKING;
    c->number = d->asked++;
    c->due_ns = due_ns;
    c->asked_ns = now_ns;
    c->sent = c->got = 0;
    c->in_body = false;
    atomic_store_explicit(&d->shared->asked, d->asked, memory_order_relaxed);
    if (!c->tls || encipher(d, c))
        send_on(d, c);
}

static void stand_in_line(struct driver *d, struct client *c)
{
    if (c->in_line)
        return;
    c->in_line = true;
    d->line[(d->first + d->waiting++) % (size_t)d->plan->connections] = (uint32_t)(c - d->client);
}

/* NULL: nobody is ready. */
static struct client *first_in_line(struct driver *d)
{
    while (d->waiting) {
        struct client *c = &d->client[d->line[d->first]];

        d->first = (d->first + 1) % (size_t)d->plan->connections;
        d->waiting--;
        c->in_line = false;
        if (c->state == READY)
            return c;
    }
    return NULL;
}

static bool is_idle(const struct driver *d, const struct client *c)
{
    return c - d->client < d->plan->idle;
}

/* A client that may ask again. */
static void be_ready(struct driver *d, struct client *c, uint64_t now_ns)
{
    c->state = READY;
    if (is_idle(d, c))
        return;
    if (d->plan->rate)
        stand_in_line(d, c);
    else if (is_set(&d->shared->going))
        ask(d, c, now_ns, now_ns);
}

/* ---- an answer ---- */

static void leave_for_another(struct driver *d, struct client *c)
{
    hang_up(d, c);
    c->state = AWAY;
    d->away++;
}

static void be_answered(struct driver *d, struct client *c)
{
    uint64_t now_ns = clock_ns();

    if (is_set(&d->shared->recording))
        histogram_record(&d->shared->latency, now_ns - c->due_ns);
    count(&d->shared->answers, 1);
    c->exchanges++;
    if (d->plan->exchanges && c->exchanges >= (uint32_t)d->plan->exchanges)
        leave_for_another(d, c);
    else
        be_ready(d, c, now_ns);
}

/* An echo is what was sent so far, and nothing else. */
static void take_echo(struct driver *d, struct client *c, const char *data, size_t size_bytes)
{
    write_request(d, c->number);
    if (c->state != ASKING || size_bytes > c->sent - c->got ||
        memcmp(data, d->message + c->got, size_bytes) != 0) {
        fail(d, c, LOAD_WRONG, 0);
        return;
    }
    c->got += size_bytes;
    if (c->got == d->message_bytes)
        be_answered(d, c);
}

/* One that comes when it was given up for lost is passed over. */
static void take_datagram(struct driver *d, struct client *c, const char *data, size_t size_bytes)
{
    uint64_t number;

    memcpy(&number, data, sizeof number);
    if (size_bytes >= sizeof number && number < d->asked &&
        (c->state != ASKING || number != c->number))
        return;
    take_echo(d, c, data, size_bytes);
}

static const struct http_limits limits = {
    .line_bytes = KEPT_BYTES - 1,
    .head_bytes = KEPT_BYTES - 1,
    .body_bytes = LOAD_MESSAGE_MOST,
};

/* How many bytes of it were taken; 0: more must come; -1: the client has failed. */
static int64_t take_answer_head(struct driver *d, struct client *c, const char *data,
                                size_t size_bytes)
{
    struct http_head head;
    int64_t taken = http_head(data, size_bytes, &limits, HTTP_RESPONSE, &head);

    if (taken == HTTP_MORE)
        return 0;
    if (taken < 0 || c->state != ASKING ||
        (head.status == 200 && !head.has_length && !head.chunked))
        fail(d, c, taken < 0 || c->state == ASKING ? LOAD_MALFORMED : LOAD_WRONG, 0);
    else if (head.status != 200)
        fail(d, c, LOAD_STATUS, 0);
    if (c->state == GONE)
        return -1;
    c->in_body = true;
    http_body_begin(&c->body, &head, &limits);
    return taken;
}

static bool is_right(const struct client *c, const struct http_text *piece)
{
    char number[NUMBER_BYTES];
    size_t length = number_text(c->number, number);

    for (size_t i = 0; i < piece->bytes; i++)
        if (piece->data[i] != load_body_byte(number, length, c->got + i))
            return false;
    return true;
}

static int64_t take_answer_body(struct driver *d, struct client *c, const char *data,
                                size_t size_bytes)
{
    struct http_text piece;
    int64_t taken = http_body(&c->body, data, size_bytes, &piece);

    if (taken < 0 || !is_right(c, &piece)) {
        fail(d, c, taken < 0 ? LOAD_MALFORMED : LOAD_WRONG, 0);
        return -1;
    }
    c->got += piece.bytes;
    return taken;
}

/* True: it has come, and is right. */
static bool is_whole(struct driver *d, struct client *c)
{
    if (!c->in_body || !c->body.ended)
        return false;
    if (c->got == (size_t)d->plan->message_bytes)
        return true;
    fail(d, c, LOAD_WRONG, 0);
    return false;
}

/* `data` begins with what was kept. What is not taken is kept again. */
static void take_http(struct driver *d, struct client *c, const char *data, size_t size_bytes)
{
    int64_t taken = 1;

    while (taken > 0 && !(c->in_body && c->body.ended)) {
        taken = c->in_body ? take_answer_body(d, c, data, size_bytes)
                           : take_answer_head(d, c, data, size_bytes);
        if (taken < 0)
            return;
        data += taken;
        size_bytes -= (size_t)taken;
    }
    if (size_bytes > KEPT_BYTES || (size_bytes && c->in_body && c->body.ended)) {
        fail(d, c, LOAD_WRONG, 0); /* more than one answer */
        return;
    }
    memcpy(c->kept, data, size_bytes);
    c->kept_bytes = size_bytes;
    if (is_whole(d, c))
        be_answered(d, c);
}

static void take(struct driver *d, struct client *c, size_t size_bytes)
{
    switch (d->plan->protocol) {
    case LOAD_HTTP:
        take_http(d, c, d->received, c->kept_bytes + size_bytes);
        break;
    case LOAD_UDP:
        take_datagram(d, c, d->received, size_bytes);
        break;
    default:
        take_echo(d, c, d->received, size_bytes);
    }
}

/* Once: what is left makes it readable again. */
static void receive_bare(struct driver *d, struct client *c)
{
    ssize_t got;

    memcpy(d->received, c->kept, c->kept_bytes);
    got = recv(c->fd, d->received + c->kept_bytes, LOAD_RECEIVE_BYTES, MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        fail_by_errno(d, c);
    else if (got == 0 && d->plan->protocol != LOAD_UDP)
        fail(d, c, LOAD_CLOSED, 0);
    else if (got >= 0)
        take(d, c, (size_t)got);
}

/* ---- over TLS ---- */

static void be_open(struct driver *d, struct client *c);

static void shake_hands(struct driver *d, struct client *c, struct tls_input *in)
{
    struct tls_error e;
    int shaken = tls_shake_hands(c->tls, in, &e);

    if (shaken < 0) {
        fail_by_tls(d, c, &e);
        return;
    }
    push(d, c);
    if (shaken && c->state == SHAKING)
        be_open(d, c);
}

static void begin_to_shake(struct driver *d, struct client *c)
{
    struct tls_input nothing = { 0 };
    struct tls_error e;

    c->state = SHAKING;
    c->asked_ns = clock_ns();
    c->pushed = 0;
    c->tls = tls_session_new(d->order->trusting, "localhost", &e);
    if (c->tls)
        shake_hands(d, c, &nothing);
    else
        fail_by_tls(d, c, &e);
}

/* False: there is no more, or the client has failed. */
static bool decipher(struct driver *d, struct client *c, struct tls_input *in)
{
    struct tls_error e;
    int64_t got;

    memcpy(d->received, c->kept, c->kept_bytes);
    got = tls_read(c->tls, in, d->received + c->kept_bytes, LOAD_RECEIVE_BYTES, &e);
    if (got > 0)
        take(d, c, (size_t)got);
    else if (got == 0)
        fail(d, c, LOAD_CLOSED, 0);
    else if (got != TLS_NOT_YET)
        fail_by_tls(d, c, &e);
    return got > 0;
}

/* OpenSSL keeps the beginning of a record, so all that came is taken. */
static void receive_sealed(struct driver *d, struct client *c)
{
    ssize_t got = recv(c->fd, d->sealed, LOAD_RECEIVE_BYTES, MSG_DONTWAIT);
    struct tls_input in = { d->sealed, got > 0 ? (size_t)got : 0, got == 0 };

    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            fail_by_errno(d, c);
        return;
    }
    if (c->state == SHAKING)
        shake_hands(d, c, &in);
    while (is_open(c) && decipher(d, c, &in))
        ;
}

static void receive(struct driver *d, struct client *c)
{
    if (c->tls)
        receive_sealed(d, c);
    else
        receive_bare(d, c);
}

/* ---- connecting ---- */

static int set_option(int fd, int level, int option)
{
    int on = 1;

    return setsockopt(fd, level, option, &on, sizeof on);
}

/* From one of many addresses, so that ports do not run out. */
static int bind_source(const struct driver *d, const struct client *c)
{
    uint32_t host = INADDR_LOOPBACK + 1 + (uint32_t)((c - d->client) % SOURCES);
    struct sockaddr_in source = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(host) };

    if (d->plan->address.ss_family != AF_INET)
        return 0;
    if (set_option(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) < 0)
        return -1;
    return bind(c->fd, (const struct sockaddr *)&source, sizeof source);
}

static int open_socket(struct driver *d, struct client *c)
{
    bool is_stream = d->plan->protocol != LOAD_UDP;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT,
                                 .data.u64 = (uint64_t)(c - d->client) };

    c->fd = socket(d->plan->address.ss_family,
                   (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind_source(d, c) < 0)
        return -1;
    if (is_stream && d->plan->address.ss_family != AF_UNIX &&
        set_option(c->fd, IPPROTO_TCP, TCP_NODELAY) < 0)
        return -1;
    c->wants_room = true;
    return epoll_ctl(d->epoll, EPOLL_CTL_ADD, c->fd, &event);
}

/* To the server's address, or if they are spread, to that of a server of its own. */
static int call(const struct driver *d, const struct client *c)
{
    struct sockaddr_storage to = d->plan->address;
    struct in_addr *host = &((struct sockaddr_in *)&to)->sin_addr;

    if (d->plan->spread)
        host->s_addr = htonl(ntohl(host->s_addr) + (uint32_t)(c - d->client));
    return connect(c->fd, (const struct sockaddr *)&to, d->plan->address_bytes);
}

static void connect_client(struct driver *d, struct client *c)
{
    c->kept_bytes = 0;
    c->exchanges = 0;
    if (open_socket(d, c) < 0) {
        d->away--;
        fail_by_errno(d, c);
        return;
    }
    if (call(d, c) < 0 && errno != EINPROGRESS) {
        if (errno == EAGAIN) { /* of a Unix socket: the queue is full, and nobody says until when */
            close(c->fd);
            c->fd = -1;
            d->retry_at_ns = clock_ns() + retry_ns;
            return;
        }
        d->away--;
        fail_by_errno(d, c);
        return;
    }
    d->away--;
    d->connecting++;
    c->state = CONNECTING; /* writable when it is connected */
}

/* A few of them. */
static void connect_some(struct driver *d)
{
    if (!d->away || d->connecting >= CONNECTING_MOST || clock_ns() < d->retry_at_ns)
        return;
    for (int looked = 0; looked < d->plan->connections && d->away &&
                         d->connecting < CONNECTING_MOST && clock_ns() >= d->retry_at_ns;
         looked++) {
        struct client *c = &d->client[d->next_away];

        if (c->state == AWAY)
            connect_client(d, c);
        if (c->state != AWAY)
            d->next_away = (d->next_away + 1) % d->plan->connections;
    }
}

static void be_open(struct driver *d, struct client *c)
{
    d->connecting--;
    c->state = READY;
    count(&d->shared->open, 1);
    count(&d->shared->opened, 1);
    if (atomic_load_explicit(&d->shared->open, memory_order_relaxed) ==
            (uint64_t)d->plan->connections &&
        atomic_load_explicit(&d->shared->state, memory_order_relaxed) == LOAD_OPENING)
        set_state(d, LOAD_OPEN);
    be_ready(d, c, clock_ns());
}

static void finish_connecting(struct driver *d, struct client *c)
{
    int error = 0;
    socklen_t size_bytes = sizeof error;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) < 0)
        error = errno;
    if (error) {
        errno = error;
        fail_by_errno(d, c);
        return;
    }
    ask_for_room(d, c, false);
    if (d->order->trusting)
        begin_to_shake(d, c);
    else
        be_open(d, c);
}

/* ---- an open loop's requests, and those that wait too long ---- */

/* Each from the first, so that they do not drift. */
static uint64_t due_ns(const struct driver *d, uint64_t number)
{
    return d->first_due_ns + number * NS_PER_S / (uint64_t)d->plan->rate;
}

static void tell_overdue(struct driver *d, uint64_t now_ns)
{
    uint64_t late_ns = now_ns > d->next_due_ns ? now_ns - d->next_due_ns : 0,
             overdue = late_ns * (uint64_t)d->plan->rate / NS_PER_S;

    atomic_store_explicit(&d->shared->overdue, overdue, memory_order_relaxed);
}

static void ask_what_is_due(struct driver *d)
{
    uint64_t now_ns = clock_ns();
    struct client *c;

    if (!d->first_due_ns)
        d->first_due_ns = d->next_due_ns = now_ns;
    while (d->next_due_ns <= now_ns && (c = first_in_line(d))) {
        uint64_t due = d->next_due_ns;

        d->next_due_ns = due_ns(d, d->asked + 1);
        ask(d, c, due, now_ns);
    }
    tell_overdue(d, now_ns);
}

/* Those that were ready before the word came. */
static void begin_to_ask(struct driver *d)
{
    uint64_t now_ns = clock_ns();

    for (int i = 0; i < d->plan->connections; i++)
        if (d->client[i].state == READY && !is_idle(d, &d->client[i]))
            ask(d, &d->client[i], now_ns, now_ns);
}

static uint64_t patience(const struct load_plan *plan)
{
    if (plan->patience_ns)
        return plan->patience_ns;
    return plan->protocol == LOAD_UDP ? patience_of_datagrams_ns : patience_ns;
}

static void look_for_late(struct driver *d, uint64_t now_ns)
{
    uint64_t most_ns = patience(d->plan);

    if (now_ns < d->next_look_ns)
        return;
    d->next_look_ns = now_ns + most_ns / 8;
    for (int i = 0; i < d->plan->connections; i++) {
        struct client *c = &d->client[i];

        if ((c->state != ASKING && c->state != SHAKING) || now_ns < c->asked_ns + most_ns)
            continue;
        if (d->plan->protocol != LOAD_UDP) {
            fail(d, c, LOAD_LATE, 0);
            continue;
        }
        note_error(d, LOAD_LOST, 0, "");
        be_ready(d, c, now_ns);
    }
}

/* ---- the loop ---- */

static void handle(struct driver *d, struct client *c, uint32_t events)
{
    if (c->state == CONNECTING) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            finish_connecting(d, c);
        return;
    }
    if (events & EPOLLOUT && (c->tls || c->state == ASKING))
        send_on(d, c);
    if (events & ~(uint32_t)EPOLLOUT && (c->state == SHAKING || is_open(c)))
        receive(d, c);
}

static void hear_bell(const struct driver *d)
{
    uint64_t rung;

    if (read(d->order->bell, &rung, sizeof rung) < 0)
        return; /* it was heard before */
}

static uint64_t time_to_wait(const struct driver *d, uint64_t now_ns)
{
    uint64_t until_ns = now_ns + turn_ns;

    if (d->plan->rate && d->waiting && d->next_due_ns && d->next_due_ns < until_ns)
        until_ns = d->next_due_ns;
    if (d->away && d->connecting < CONNECTING_MOST && d->retry_at_ns < until_ns)
        until_ns = d->retry_at_ns;
    return until_ns > now_ns ? until_ns - now_ns : 0;
}

static void turn(struct driver *d)
{
    struct epoll_event events[EVENTS_MOST];
    struct timespec left = timespec_of_ns(time_to_wait(d, clock_ns()));
    int ready = epoll_pwait2(d->epoll, events, EVENTS_MOST, &left, NULL);

    for (int i = 0; i < ready; i++)
        if (events[i].data.u64 == (uint64_t)BELL)
            hear_bell(d);
        else
            handle(d, &d->client[events[i].data.u64], events[i].events);
}

static bool has_anybody(const struct driver *d)
{
    return d->away || d->connecting || atomic_load_explicit(&d->shared->open, memory_order_relaxed);
}

static bool goes_on(const struct driver *d, uint64_t now_ns)
{
    return !is_set(&d->shared->stopping) && has_anybody(d) && now_ns < d->end_ns;
}

static void drive(struct driver *d)
{
    bool asks = false;
    uint64_t now_ns;

    while (now_ns = clock_ns(), goes_on(d, now_ns)) {
        connect_some(d);
        if (!asks && d->plan->idle < d->plan->connections && is_set(&d->shared->going)) {
            asks = true;
            if (!d->plan->rate)
                begin_to_ask(d);
        }
        if (asks && d->plan->rate)
            ask_what_is_due(d);
        look_for_late(d, now_ns);
        record_or_not(d, is_set(&d->shared->recording), now_ns);
        turn(d);
    }
    for (int i = 0; d->order->trusting && i < d->plan->connections; i++)
        hang_up(d, &d->client[i]);
}

static int open_epoll(struct driver *d)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)BELL };

    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (d->epoll < 0)
        return -1;
    return epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->order->bell, &event);
}

/* Lays out the arena, which begins with the driver. */
static struct driver *lay_out(const struct load_order *order)
{
    struct driver *d = order->arena;
    size_t connections = (size_t)order->plan.connections;

    d->order = order;
    d->schedule = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
    d->plan = &order->plan;
    d->shared = order->shared;
    d->client = (struct client *)(d + 1);
    d->line = (uint32_t *)(d->client + connections);
    d->message = (char *)(d->line + connections);
    d->message_bytes = (size_t)order->plan.message_bytes;
    memset(d->message, 'x', LOAD_MESSAGE_MOST);
    d->away = order->plan.connections;
    for (size_t i = 0; i < connections; i++)
        d->client[i].fd = -1;
    d->end_ns = clock_ns() + order->plan.life_ns;
    return d;
}

_Noreturn void load_drive(const struct load_order *order)
{
    struct driver *d = lay_out(order);

    if (open_epoll(d) < 0)
        note_error(d, LOAD_SYSTEM, errno, "");
    else
        drive(d);
    leave(d);
}
