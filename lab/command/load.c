/* load.c - `lab load`: the clients of the workloads by themselves, for servers of others. */
#include "lab/command.h"

#include "benches/load/load.h"
#include "gil/mutex.h"
#include "lab/json.h"
#include "lab/names.h"
#include "lab/options.h"
#include "lab/parse.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

enum { PORT_MOST = 65535, RATE_MOST = 10000000, OPENING_S = 60, LOOK_MS = 50,
       TRUSTED_BYTES = 1 << 16 };

static const struct protocol {
    const char *name;
    enum load_protocol protocol;
    int message_bytes;
} protocols[] = {
    { "echo", LOAD_TCP, 64 }, { "http", LOAD_HTTP, 100 }, { "udp", LOAD_UDP, 64 },
    { NULL, LOAD_TCP, 0 },
};

struct options {
    int64_t connections, idle, rate, message_bytes, pid; /* message_bytes -1: the usual; pid 0: none */
    char *trusted; /* owned; certificates; NULL: no TLS */
    double seconds, ramp_s;
    bool json;
};

/* A new text, or NULL and a mistake. */
static char *read_certificates(const char *path, struct mistake *m)
{
    char *text = calloc(1, TRUSTED_BYTES);
    FILE *file = text ? fopen(path, "r") : NULL;
    size_t got = file ? fread(text, 1, TRUSTED_BYTES - 1, file) : 0;

    if (!file)
        mistake_set(m, "--tls: %.200s: %s", path, strerror(errno));
    else if (got == 0 || got == TRUSTED_BYTES - 1)
        mistake_set(m, "--tls: %.200s has no certificates, as lab serve --tls writes them", path);
    if (file)
        fclose(file);
    if (got > 0 && got < TRUSTED_BYTES - 1)
        return text;
    free(text);
    return NULL;
}

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    switch (key) {
    case 'c':
        return parse_number("--connections", value, 1, LOAD_CONNECTIONS_MOST, &o->connections, m);
    case 'i':
        return parse_number("--idle", value, 0, LOAD_CONNECTIONS_MOST - 1, &o->idle, m);
    case 'T':
        free(o->trusted);
        o->trusted = read_certificates(value, m);
        return o->trusted ? 0 : -1;
    case 'r':
        return parse_number("--rate", value, 0, RATE_MOST, &o->rate, m);
    case 'b':
        return parse_number("--message-bytes", value, 0, LOAD_MESSAGE_MOST, &o->message_bytes, m);
    case 'P':
        return parse_number("--pid", value, 1, INT32_MAX, &o->pid, m);
    case 's':
        return parse_seconds("--seconds", value, 0.001, 1e6, &o->seconds, m);
    case 'R':
        return parse_seconds("--ramp", value, 0, 1e6, &o->ramp_s, m);
    default:
        o->json = true;
        return 0;
    }
}

/* ---- what is looked at, at both ends of the window ---- */

struct look {
    uint64_t now_ns, answers, errors, lost, load_cpu_ns; /* lost datagrams are among the errors */
    int64_t server_cpu_ns; /* -1: not known */
};

/* Processor time of another process, of all its threads. */
static int64_t cpu_of(int64_t pid)
{
    clockid_t clock;
    struct timespec used;

    if (!pid || clock_getcpuclockid((pid_t)pid, &clock) || clock_gettime(clock, &used))
        return -1;
    return (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec;
}

static struct look look_at(const struct load *load, int64_t pid)
{
    return (struct look){
        .now_ns = clock_ns(), .load_cpu_ns = load_cpu_ns(load), .server_cpu_ns = cpu_of(pid),
        .answers = atomic_load_explicit(load_answers(load), memory_order_relaxed),
        .errors = load_errors_of_all_kinds(load), .lost = load_errors(load, LOAD_LOST),
    };
}

/* ---- what is told ---- */

static double each_ns(int64_t ns, uint64_t answers)
{
    return answers ? (double)ns / (double)answers : 0;
}

static void tell(const struct look *from, const struct look *to, const struct histogram *latency)
{
    uint64_t answers = to->answers - from->answers;
    double seconds = (double)(to->now_ns - from->now_ns) / NS_PER_S;

    printf("%.0f answers a second; latency p50 %.1f us, p99 %.1f us, most %.1f us\n",
           (double)answers / seconds, (double)histogram_quantile(latency, 0.5) / 1e3,
           (double)histogram_quantile(latency, 0.99) / 1e3, (double)latency->max_ns / 1e3);
    printf("processor time of each: the load's %.0f ns",
           each_ns((int64_t)(to->load_cpu_ns - from->load_cpu_ns), answers));
    if (from->server_cpu_ns >= 0 && to->server_cpu_ns >= 0)
        printf(", the server's %.0f ns",
               each_ns(to->server_cpu_ns - from->server_cpu_ns, answers));
    putchar('\n');
}

static int tell_json(const struct look *from, const struct look *to, const struct load *load)
{
    const struct histogram *latency = load_latency(load);
    json_t *o = json_pack(
        "{s:I, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "answers",
        (json_int_t)(to->answers - from->answers), "seconds",
        (double)(to->now_ns - from->now_ns) / NS_PER_S, "p50_ns",
        (json_int_t)histogram_quantile(latency, 0.5), "p99_ns",
        (json_int_t)histogram_quantile(latency, 0.99), "max_ns", (json_int_t)latency->max_ns,
        "load_cpu_ns", (json_int_t)(to->load_cpu_ns - from->load_cpu_ns), "load_busy",
        load_busy(load), "load_held_up", load_held_up(load), "errors",
        (json_int_t)(to->errors - from->errors), "errors_before", (json_int_t)from->errors, "lost",
        (json_int_t)(to->lost - from->lost), "overdue", (json_int_t)load_overdue(load), "opened",
        (json_int_t)load_opened(load));

    if (from->server_cpu_ns >= 0 && to->server_cpu_ns >= 0)
        json_object_set_new(o, "server_cpu_ns",
                            json_integer(to->server_cpu_ns - from->server_cpu_ns));
    return json_print(o);
}

/* ---- running ---- */

static sigset_t ends; /* set once; the signals that end it, which are blocked */

static void block_signals(void)
{
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
}

/* Has so much time passed, or has the load ended, or a signal come? The signal; 0: none. */
static int wait_for_signal(struct load *load, double seconds, bool *alive)
{
    uint64_t until_ns = clock_ns() + (uint64_t)(seconds * NS_PER_S), now_ns;
    struct timespec none = { 0 };
    int signal = -1;

    while (*alive && signal < 0 && (now_ns = clock_ns()) < until_ns) {
        uint64_t left_ns = until_ns - now_ns, most_ns = (uint64_t)LOOK_MS * NS_PER_MS;

        *alive = load_look(load, left_ns < most_ns ? left_ns : most_ns);
        signal = sigtimedwait(&ends, NULL, &none);
    }
    return signal < 0 ? 0 : signal;
}

static int tell_all(const struct look *from, const struct look *to, const struct load *load,
                    const struct options *o)
{
    char text[2 * LOAD_WHY_BYTES];
    int status = 0;

    if (o->json)
        status = tell_json(from, to, load);
    else
        tell(from, to, load_latency(load));
    if (o->pid && (from->server_cpu_ns < 0 || to->server_cpu_ns < 0))
        fprintf(stderr, "lab load: what process %lld takes is not known: it is not there\n",
                (long long)o->pid);
    if (load_tell(load, text, sizeof text))
        fprintf(stderr, "lab load: %s\n", text);
    return status;
}

static int tell_signal(int signal)
{
    fprintf(stderr, "lab load: ended by SIG%s\n", sigabbrev_np(signal));
    return 128 + signal;
}

/* Datagrams may be lost; of what else went wrong standard error tells. What the server died of is
 * no failure of the load's, but there is nothing to tell. */
static int drive(struct load *load, const struct options *o)
{
    struct look from, to;
    bool alive = true;
    int signal, status;

    load_go(load);
    signal = wait_for_signal(load, o->ramp_s, &alive);
    load_record(load, true);
    from = look_at(load, o->pid);
    if (!signal)
        signal = wait_for_signal(load, o->seconds, &alive);
    to = look_at(load, o->pid);
    load_stop(load);
    if (signal)
        return tell_signal(signal);
    status = tell_all(&from, &to, load, o);
    return alive && to.errors == to.lost && to.answers > from.answers ? status : 1;
}

/* In short waits, so that a signal is heard. 0, a signal, or -1 and `why`. */
static int open_all(struct load *load, char why[LOAD_WHY_BYTES])
{
    uint64_t deadline_ns = clock_ns() + (uint64_t)OPENING_S * NS_PER_S, until_ns;
    struct timespec none = { 0 };
    int result, signal;

    do {
        until_ns = clock_ns() + (uint64_t)LOOK_MS * NS_PER_MS;
        result = load_wait_open(load, until_ns, why);
        signal = sigtimedwait(&ends, NULL, &none);
    } while (result < 0 && signal < 0 && clock_ns() >= until_ns && clock_ns() < deadline_ns);
    return signal > 0 ? signal : result;
}

static int start_and_drive(const struct load_plan *plan, const struct options *o)
{
    char why[LOAD_WHY_BYTES];
    struct load *load = load_start(plan, why);
    int opened = load ? open_all(load, why) : -1, status = 1;

    if (opened > 0)
        status = tell_signal(opened);
    else if (opened == 0)
        status = drive(load, o);
    else
        fprintf(stderr, "lab load: %s\n", why);
    load_free(load);
    return status;
}

static struct load_plan plan_of(const struct options *o, const struct protocol *p, int64_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct load_plan plan = {
        .protocol = p->protocol, .address_bytes = sizeof address,
        .connections = (int)(o->connections + o->idle), .idle = (int)o->idle, .rate = o->rate,
        .trusted = o->trusted,
        .message_bytes = o->message_bytes < 0 ? p->message_bytes : (int)o->message_bytes,
        .life_ns = (uint64_t)((o->seconds + o->ramp_s + OPENING_S) * NS_PER_S),
    };

    memcpy(&plan.address, &address, sizeof address);
    return plan;
}

/* 0; -1 and a mistake: what cannot be. */
static int check(const struct load_plan *plan, struct mistake *m)
{
    if (plan->protocol != LOAD_HTTP && plan->message_bytes < LOAD_MESSAGE_LEAST)
        return mistake_set(m, "--message-bytes: an echo has %d at least", LOAD_MESSAGE_LEAST);
    if (plan->protocol == LOAD_UDP && plan->message_bytes > LOAD_RECEIVE_BYTES)
        return mistake_set(m, "--message-bytes: a datagram has %d at most", LOAD_RECEIVE_BYTES);
    if (plan->protocol == LOAD_UDP && plan->trusted)
        return mistake_set(m, "--tls: not over UDP; http and echo can be asked so");
    if (plan->connections > LOAD_CONNECTIONS_MOST)
        return mistake_set(m, "--connections and --idle: %d at most together",
                           LOAD_CONNECTIONS_MOST);
    return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct names names = NAMES_OF("protocol", protocols);
    struct options o = { .connections = 1, .message_bytes = -1, .seconds = 1, .ramp_s = 0.2 };
    struct load_plan plan;
    struct mistake m;
    int64_t port = 0;
    int first = options_parse(self, argc, argv, &o), i = names_find(&names, argv[first], &m), status;

    if (i < 0 || parse_number("PORT", argv[first + 1], 1, PORT_MOST, &port, &m) < 0)
        mistake_exit(argv[0], &m);
    plan = plan_of(&o, &protocols[i], port);
    if (check(&plan, &m) < 0)
        mistake_exit(argv[0], &m);
    block_signals();
    status = start_and_drive(&plan, &o);
    free(o.trusted);
    return status;
}

static const struct argp_option options[] = {
    { "connections", 'c', "N", 0, "at once, that ask (1)", 0 },
    { "idle", 'i', "N", 0, "beside them, that are asked nothing (0)", 0 },
    { "tls", 'T', "FILE", 0, "over TLS, with localhost; whom to trust, as lab serve has written", 0 },
    { "rate", 'r', "N", 0, "requests a second, due at fixed times (0: as soon as answered)", 0 },
    { "message-bytes", 'b', "N", 0, "of an echo (64), or of the body of an answer (100)", 0 },
    { "seconds", 's', "TIME", 0, "for how long it counts (1)", 0 },
    { "ramp", 'R', "TIME", 0, "for how long it asks before that (0.2)", 0 },
    { "pid", 'P', "PID", 0, "the server's: of which the processor time is told, too", 0 },
    JSON_OPTION,
    { 0 },
};

static const struct explained examples[] = {
    { "lab load echo 7000 --connections 100 --seconds 5", "a closed loop: rate and latency" },
    { "lab load http 8080 --connections 100 --rate 20000", "an open loop, 20 000 requests a second" },
    { "lab load echo 7000 --connections 100 --idle 10000", "beside ten thousand that say nothing" },
    { NULL, NULL },
};

const struct command command_load = {
    .about = "clients that drive an HTTP or an echo server on loopback",
    .doc = "Drives a server at PORT of 127.0.0.1 as the workloads are driven: by a process of one "
           "thread, that checks each answer. In a closed loop each connection has one request under "
           "way, always; with a rate so many are due each second, and their latency counts from when "
           "they were due.\n\n"
           "`udp` counts datagrams that were not answered in a second as lost, and goes on.\n\n"
           "What went wrong, and whether the load was the bottleneck, stands on standard error. An "
           "answer of HTTP is right if it has status 200, and the body that `lab serve http` gives.",
    .options = options,
    .take = take,
    .arguments = "echo|http|udp PORT",
    .least = 2,
    .most = 2,
    .examples = examples,
    .run = run,
};
