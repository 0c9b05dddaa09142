/* serve.c - `lab serve`: the servers of the workloads by themselves, for wrk, curl and others.
 *
 * Signals are blocked in all threads and waited for by the first one, so that SIGINT and SIGTERM
 * end it in an orderly way, whatever its units are doing.
 */
#include "lab/command.h"

#include "benches/serve.h"
#include "coroutines/tls/certificate.h"
#include "gil/gil.h"
#include "gil/mutex.h"
#include "lab/names.h"
#include "lab/options.h"
#include "lab/output.h"
#include "lab/parse.h"
#include "lab/runtimes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { THREADS_MOST = 1024, PORT_MOST = 65535, BODY_MOST = 1 << 20, LOOK_MS = 100 };

static const struct server {
    const char *name;
    bool http, datagrams;
} kinds[] = { { "http", true, false }, { "echo", false, false }, { "udp", false, true }, { NULL } };

static const struct served_by {
    const char *name;
    enum serve_unit unit;
    bool one_thread;
} units[] = {
    { "thread", SERVE_THREADS, false },
    { "greenlet", SERVE_GREENLETS, false },
    { "coroutine", SERVE_TASKS, true },
    { "loops", SERVE_TASKS, false },
    { NULL, SERVE_THREADS, false },
};

struct options {
    const struct served_by *unit;
    struct modes mode;
    int64_t threads, port, body_bytes;
    double seconds, patience_s; /* seconds 0: until a signal */
    const char *trust;          /* where to write whom to trust; NULL: no TLS */
};

static int take_unit(const char *name, struct options *o, struct mistake *m)
{
    struct names names = NAMES_OF("unit", units);
    int i = names_find(&names, name, m);

    if (i >= 0)
        o->unit = &units[i];
    return i < 0 ? -1 : 0;
}

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    switch (key) {
    case 'u':
        return take_unit(value, o, m);
    case 'm':
        return parse_modes(value, &o->mode, m);
    case 't':
        return parse_number("--threads", value, 1, THREADS_MOST, &o->threads, m);
    case 'p':
        return parse_number("--port", value, 0, PORT_MOST, &o->port, m);
    case 'b':
        return parse_number("--body-bytes", value, 0, BODY_MOST, &o->body_bytes, m);
    case 's':
        return parse_seconds("--seconds", value, 0.001, 1e9, &o->seconds, m);
    case 'T':
        o->trust = value;
        return 0;
    default:
        return parse_seconds("--patience", value, 0.001, 1e6, &o->patience_s, m);
    }
}

/* ---- while it serves ---- */

/* What serve's functions need; they are given the first of it. */
struct serving {
    struct serve_order order;
    const char *kind, *unit, *mode;
    uint64_t until_ns; /* UINT64_MAX: until a signal */
    sigset_t ends;
};

static void tell_begin(const struct serve_order *order)
{
    const struct serving *s = (const struct serving *)order;

    printf("serving %s%s on 127.0.0.1:%d (%s, %s)\n", s->kind, order->identity ? " over TLS" : "",
           order->port, s->unit, s->mode);
    fflush(stdout);
}

static bool goes_on(const struct serve_order *order)
{
    const struct serving *s = (const struct serving *)order;
    struct timespec a_little = { .tv_nsec = (long)LOOK_MS * NS_PER_MS };

    return sigtimedwait(&s->ends, NULL, &a_little) < 0 && clock_ns() < s->until_ns;
}

static uint64_t value_of(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void tell_end(const struct serving *s)
{
    const struct serve_counts *c = &s->order.counts;

    if (s->order.datagrams) {
        printf("served %llu datagrams; failed %llu\n", (unsigned long long)value_of(&c->answers),
               (unsigned long long)value_of(&c->failed));
        return;
    }
    printf("served %llu %s on %llu connections; refused %llu, cut off %llu, failed %llu",
           (unsigned long long)value_of(&c->answers), s->order.http ? "requests" : "messages",
           (unsigned long long)value_of(&c->connections), (unsigned long long)value_of(&c->refused),
           (unsigned long long)value_of(&c->cut_off), (unsigned long long)value_of(&c->failed));
    if (value_of(&c->full))
        printf("; no room %llu times", (unsigned long long)value_of(&c->full));
    putchar('\n');
}

/* ---- around it ---- */

/* As many descriptors as may be. */
static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static void block_signals(sigset_t *ends)
{
    sigemptyset(ends);
    sigaddset(ends, SIGINT);
    sigaddset(ends, SIGTERM);
    sigprocmask(SIG_BLOCK, ends, NULL);
}

static int serve_attached(struct serving *s, const struct runtime *runtime)
{
    char text[256];

    if (runtime->serve(&s->order) == 0) {
        tell_end(s);
        return 0;
    }
    runtime->take_error(text, sizeof text);
    fprintf(stderr, "lab serve: %s\n", text);
    return 1;
}

static int serve_with(struct serving *s, const struct mode *mode)
{
    struct gil *gil = gil_new(mode->lock, mode->param);
    struct thread self = { .name = "lab",
                           .locks_containers = !mode->lock->excludes && !mode->runtime->needs_gil };
    int status = 1;

    if (gil && thread_start(&self, gil, mode->runtime->hooks) == 0) {
        status = serve_attached(s, mode->runtime);
        mode->runtime->quiesce();
        mode->runtime->finish();
        thread_stop(&self);
    } else
        perror("lab serve: no thread");
    if (gil)
        gil_delete(gil);
    return status;
}

/* Certificates for this run. Whom a client is to trust stands in the file. 0; -1 and a mistake. */
static int make_identity(struct tls_identity *localhost, const char *path, struct mistake *m)
{
    static const char head[] = "-----BEGIN CERTIFICATE-----";
    struct tls_identity authority;
    struct output file;
    int result = -1;

    if (access(path, F_OK) == 0 && !output_may_replace(path, head))
        return mistake_set(m, "--tls: '%.200s' is there, and holds something else", path);
    if (output_check("--tls", path, true, m) < 0)
        return -1;
    if (tls_make_localhost(&authority, localhost) < 0)
        return mistake_set(m, "--tls: no certificate could be made");
    if (output_open(&file, path, true, m) == 0) {
        fputs(authority.certificate, file.out);
        result = output_finish(&file, m);
    }
    tls_identity_free(&authority);
    return result;
}

/* -1 and a mistake: what cannot be. */
static int check(const struct options *o, const struct server *kind, struct mistake *m)
{
    const struct mode *mode = &o->mode.item[0];

    if (o->mode.count != 1)
        return mistake_set(m, "--mode: one mode serves, and not %d", o->mode.count);
    if (mode->runtime->needs_gil && !mode->lock->excludes)
        return mistake_set(m, "--mode: under %s nothing protects the counts, and a server would "
                              "crash; there are gil, atomic, biased", mode->label);
    if (o->unit->one_thread && o->threads != 1)
        return mistake_set(m, "--unit coroutine is one loop, on one thread; loops has one on each");
    if (o->trust && kind->datagrams)
        return mistake_set(m, "--tls: not over UDP; http and echo can be served so");
    return 0;
}

static struct options *standard_options(void)
{
    struct options *o = calloc(1, sizeof *o);

    if (!o)
        exit(1);
    o->unit = &units[0];
    o->threads = 1;
    o->body_bytes = 100;
    o->patience_s = 10;
    return o;
}

static void fill(struct serving *s, const struct options *o, const struct server *kind)
{
    s->order = (struct serve_order){
        .http = kind->http, .datagrams = kind->datagrams, .unit = o->unit->unit,
        .threads = (int)o->threads,
        .port = (int)o->port, .body_bytes = (int)o->body_bytes,
        .request_ns = (uint64_t)(o->patience_s * NS_PER_S),
        .idle_ns = (uint64_t)(o->patience_s * 6 * NS_PER_S),
        .begun = tell_begin, .goes_on = goes_on,
    };
    s->kind = kind->name;
    s->unit = o->unit->name;
    s->mode = o->mode.item[0].label;
    s->until_ns = o->seconds > 0 ? clock_ns() + (uint64_t)(o->seconds * NS_PER_S) : UINT64_MAX;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct names names = NAMES_OF("server", kinds);
    struct options *o = standard_options();
    struct tls_identity identity = { NULL };
    struct serving s;
    struct mistake m;
    int first, i, status;

    first = options_parse(self, argc, argv, o);
    i = names_find(&names, argv[first], &m);
    if (i < 0 || (!o->mode.count && parse_modes("atomic", &o->mode, &m) < 0) ||
        check(o, &kinds[i], &m) < 0 || (o->trust && make_identity(&identity, o->trust, &m) < 0))
        mistake_exit(argv[0], &m);
    raise_limit();
    block_signals(&s.ends);
    fill(&s, o, &kinds[i]);
    if (o->trust)
        s.order.identity = &identity;
    status = serve_with(&s, &o->mode.item[0]);
    tls_identity_free(&identity);
    free(o);
    return status;
}

static const struct argp_option options[] = {
    { "unit", 'u', "NAME", 0, "what serves a connection: thread, greenlet, coroutine or loops", 0 },
    { "threads", 't', "N", 0, "that carry greenlets or loops, or accept for threads (1)", 0 },
    { "port", 'p', "N", 0, "on 127.0.0.1 (0: any that is free, and it says which)", 0 },
    { "mode", 'm', "MODE", 0, "policy and lock (atomic)", 0 },
    { "body-bytes", 'b', "N", 0, "of an answer of http (100)", 0 },
    { "patience", 'w', "TIME", 0,
      "for a request and its answer (10 s); six times that between two", 0 },
    { "seconds", 's', "TIME", 0, "ends it after that (else SIGINT or SIGTERM does)", 0 },
    { "tls", 'T', "FILE", 0,
      "over TLS, as localhost; whom to trust, made for this run, is written there", 0 },
    { 0 },
};

static const struct explained examples[] = {
    { "lab serve http --unit greenlet --port 8080", "answers until Ctrl-C" },
    { "curl http://127.0.0.1:8080/hello", "is answered hello and x's" },
    { "lab serve echo --unit loops --threads 2 --seconds 60", "two event loops, for a minute" },
    { "lab serve http --tls ca.pem --port 8443", "https, for curl --cacert ca.pem" },
    { NULL, NULL },
};

const struct command command_serve = {
    .about = "an HTTP or an echo server on loopback, for clients of others",
    .doc = "Serves `http`, `echo`, or `udp`, an echo of datagrams, on 127.0.0.1 by the units that the "
           "workloads are measured with, so that wrk, curl and other real clients can be let loose "
           "on them. Whatever is asked of http is answered by 200 and a body that begins with what "
           "was named.\n\n"
           "A request that is not whole in time, and a client that does not read, are cut off. At "
           "its end it says what it has served.",
    .options = options,
    .take = take,
    .arguments = "SERVER",
    .least = 1,
    .most = 1,
    .examples = examples,
    .run = run,
};
