/* fetch_many.c - one client, many slow sites: pages that each take a while to come.
 *
 * What tutorials on waiting begin with: so many pages, one after the other or at the same time. The
 * sites are another process (responder.h), which answers a request `delay_us` after it has come, by
 * HTTP over loopback; connections are kept. A step fetches one page from each site. How:
 *
 *     thread                       one after the other; with more threads, each its pages
 *     greenlet                     a greenlet for each of at_once
 *     coroutine, loops, hybrid     a task for each of at_once, gathered
 *
 * at_once=1 is one after the other there as well, at_once=0 all of them; between, so many fetch,
 * and each takes the next site that nobody has. A thread is one and ignores it: what a pool of
 * threads does is what so many threads do. In hybrid the pages are looked at by the pool.
 *
 * Latency is of a page, from asking to its last byte, and so at least the delay: what is more is
 * what the unit adds. A page becomes a str, and must be the one that was asked for.
 */
#include "benches/hosted.h"
#include "benches/http.h"
#include "benches/responder.h"
#include "benches/served.h"
#include "benches/waiting.h"
#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/gather.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"
#include "objects/str.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SITES, DELAY_US, AT_ONCE };
enum { SITES_MOST = 1000, REQUEST_BYTES = 80, ANSWER_BYTES = 300 };

/* One of a site: a connection, and what came last. */
struct page {
    int fd; /* owned; -1: none */
    uint64_t number, start_ns, took_ns;
    size_t have;         /* bytes of `in` */
    struct object *text; /* owned; NULL: it has not come */
    char out[REQUEST_BYTES], in[ANSWER_BYTES];
};

/* Of a job. */
struct crowd {
    struct responder sites;
    bool answers; /* the process is there */
    double busy;  /* its share at the first interrupt; 0: there was none yet */
    int count;
    struct page page[]; /* of each worker so many as there are sites */
};

/* A worker. */
struct client {
    struct page *page;
    int64_t count, at_once;
    int64_t next;             /* page to fetch in this step */
    uint64_t asked;           /* pages up to its end */
    struct object *fetcher;   /* owned; a function */
    struct object **fetching; /* owned; of at_once: greenlets, or coroutines */
};

/* ---- the job ---- */

static int os_failure(const char *call)
{
    exception_set_errno(call);
    return -1;
}

static int make_crowd(struct job *job, int64_t count)
{
    struct crowd *c = NULL;
    char why[LOAD_WHY_BYTES] = "";

    if (count > RESPONDER_CONNECTIONS_MOST - 64) {
        exception_set(&os_error, "%" PRId64 " connections, and the sites have %d at most", count,
                      RESPONDER_CONNECTIONS_MOST - 64);
        return -1;
    }
    if (load_make_room((int)count, why) < 0) {
        exception_set(&os_error, "%s", *why ? why : "setrlimit failed");
        return -1;
    }
    c = calloc(1, sizeof *c + (size_t)count * sizeof *c->page);
    if (!c) {
        exception_set_no_memory();
        return -1;
    }
    c->count = (int)count;
    for (int i = 0; i < c->count; i++)
        c->page[i].fd = -1;
    job->state = c;
    job->connections = c->count;
    return 0;
}

static int connect_page(const struct crowd *c, struct page *p)
{
    struct sockaddr_in at = responder_address(&c->sites);
    int on = 1;

    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        return os_failure("socket");
    return io_connect(p->fd, (const struct sockaddr *)&at, sizeof at);
}

static int setup(struct job *job)
{
    struct crowd *c;

    if (make_crowd(job, job->threads * job->param[SITES]) < 0)
        return -1;
    c = job->state;
    if (responder_start(&c->sites, job->param[DELAY_US] * 1000) < 0)
        return os_failure("the sites");
    c->answers = true;
    for (int i = 0; i < c->count; i++)
        if (connect_page(c, &c->page[i]) < 0)
            return -1;
    responder_begin(&c->sites);
    return 0;
}

/* Who waits for a page goes on. */
static void interrupt(struct job *job)
{
    struct crowd *c = job->state;

    if (c && c->answers && !c->busy)
        c->busy = responder_busy(&c->sites);
    for (int i = 0; c && i < c->count; i++)
        if (c->page[i].fd >= 0)
            shutdown(c->page[i].fd, SHUT_RDWR);
}

/* That each page was right, its worker has seen. */
static int check(struct job *job, uint64_t ops)
{
    const struct crowd *c = job->state;

    if (c->busy * 100 > RESPONDER_BUSY_PERCENT)
        snprintf(
            job->note, sizeof job->note,
            "the sites were the bottleneck: they ran or waited for a processor %.0f %% of the time",
            c->busy * 100);
    if (ops % (uint64_t)job->param[SITES] == 0)
        return 0;
    exception_set(&runtime_error, "%" PRIu64 " pages of %" PRId64 " sites", ops, job->param[SITES]);
    return -1;
}

static void teardown(struct job *job)
{
    struct crowd *c = job->state;

    if (!c)
        return;
    for (int i = 0; i < c->count; i++)
        if (c->page[i].fd >= 0)
            close(c->page[i].fd);
    if (c->answers)
        responder_stop(&c->sites);
    free(c);
    job->state = NULL;
}

/* ---- a page ---- */

/* Its request, in p->out. */
static size_t ask(struct client *c, struct page *p)
{
    p->have = 0;
    p->number = c->asked + (uint64_t)(p - c->page);
    p->start_ns = clock_ns();
    return (size_t)snprintf(p->out, sizeof p->out,
                            "GET /%" PRIu64 " HTTP/1.1\r\nHost: localhost\r\n\r\n", p->number);
}

static int refuse(const char *what)
{
    exception_set(&runtime_error, "a site's answer %s", what);
    return -1;
}

/* The body has come. */
static int make_text(struct page *p, const char *body, size_t bytes)
{
    char text[ANSWER_BYTES];

    memcpy(text, body, bytes);
    text[bytes] = '\0';
    p->took_ns = clock_ns() - p->start_ns;
    p->text = str_new(text);
    return p->text ? 1 : -1;
}

/* More bytes have come. 1: it is whole; 0: not yet; -1. */
static int take(struct page *p, int64_t more)
{
    static const struct http_limits limits = { .line_bytes = ANSWER_BYTES - 1,
                                               .head_bytes = ANSWER_BYTES - 1,
                                               .body_bytes = ANSWER_BYTES - 1 };
    struct http_head head;
    int64_t taken;

    p->have += (size_t)more;
    taken = http_head(p->in, p->have, &limits, HTTP_RESPONSE, &head);
    if (taken < 0 || (taken > 0 && (head.status != 200 || !head.has_length)))
        return refuse("is malformed");
    if (taken > 0 && p->have - (size_t)taken > head.length)
        return refuse("is too long");
    if (taken > 0 && p->have - (size_t)taken == head.length)
        return make_text(p, p->in + taken, (size_t)head.length);
    return p->have < sizeof p->in ? 0 : refuse("is too long");
}

static size_t room(const struct page *p)
{
    return sizeof p->in - p->have;
}

/* Waits for it. 1; 0: the job is stopping; -1. */
static int fetch(struct worker *w, struct page *p)
{
    size_t bytes = ask(w->state, p);
    int whole = 0;

    if (io_write(p->fd, p->out, bytes) < 0)
        return served_ended(w);
    while (whole == 0) {
        int64_t got = io_read(p->fd, p->in + p->have, room(p));

        if (got <= 0)
            return served_ended(w);
        whole = take(p, got);
    }
    return whole;
}

/* ---- a worker ---- */

/* The next that nobody has; NULL: there is none. */
static struct page *next_page(const struct worker *w)
{
    struct client *c = w->state;

    return c->next < c->count && !job_stopping(w->job) ? &c->page[c->next++] : NULL;
}

static int fetch_rest(struct worker *w)
{
    struct page *p;
    int result = 1;

    while (result > 0 && (p = next_page(w))) {
        safepoint(w->thread);
        result = fetch(w, p);
    }
    return result < 0 ? -1 : 0;
}

static struct object *run_fetcher(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)count;
    return fetch_rest(worker_at(arguments[0])) < 0 ? NULL : none();
}

static int begin(struct worker *w)
{
    struct client *c = calloc(1, sizeof *c);
    struct crowd *crowd = w->job->state;
    int64_t at_once = w->job->param[AT_ONCE];

    w->state = c;
    if (!c) {
        exception_set_no_memory();
        return -1;
    }
    c->count = w->job->param[SITES];
    c->at_once = at_once && at_once < c->count ? at_once : c->count;
    c->page = &crowd->page[w->index * c->count];
    c->fetching = calloc((size_t)c->at_once, sizeof *c->fetching);
    if (!c->fetching) {
        exception_set_no_memory();
        return -1;
    }
    c->fetcher = function_new("fetch", run_fetcher, 1, NULL);
    return c->fetcher ? 0 : -1;
}

static void drop_texts(struct client *c)
{
    for (int64_t i = 0; i < c->count; i++) {
        xdecref(c->page[i].text);
        c->page[i].text = NULL;
    }
}

static void end(struct worker *w)
{
    struct client *c = w->state;

    if (!c)
        return;
    drop_texts(c);
    xdecref(c->fetcher);
    free(c->fetching);
    free(c);
    w->state = NULL;
}

static void begin_step(struct client *c)
{
    c->asked += (uint64_t)c->count;
    c->next = 0;
}

/* What a program would do with them: each is the one that was asked for, and none has come before
 * it could. */
static int look_at_pages(struct worker *w)
{
    struct client *c = w->state;

    for (int64_t i = 0; i < c->count; i++) {
        const struct page *p = &c->page[i];
        char text[ANSWER_BYTES];

        snprintf(text, sizeof text, "%" PRIu64 RESPONDER_PAGE, p->number);
        if (!p->text)
            return job_stopping(w->job) ? 0 : refuse("has not come");
        if (strcmp(text, str_text(p->text)) != 0)
            return refuse("is another's");
        if (p->took_ns < (uint64_t)w->job->param[DELAY_US] * 1000)
            return refuse("has come too early");
    }
    return 0;
}

static bool is_whole(const struct client *c)
{
    for (int64_t i = 0; i < c->count; i++)
        if (!c->page[i].text)
            return false;
    return true;
}

/* Of a step that was interrupted nothing counts. */
static void count(struct worker *w)
{
    struct client *c = w->state;
    bool whole = is_whole(c);

    for (int64_t i = 0; i < c->count && whole; i++)
        worker_latency(w, c->page[i].took_ns);
    if (whole)
        worker_count(w, (uint64_t)c->count);
    drop_texts(c);
}

/* ---- greenlets ---- */

/* What was pending before stays so. */
static int join(borrowed greenlet)
{
    struct object *pending = exception_take(), *result = hub_get(greenlet, HUB_NEVER);
    bool failed = !result;

    xdecref(result);
    if (pending)
        exception_restore(pending);
    return failed || pending ? -1 : 0;
}

/* The first failure is the step's, and all are waited for. */
static int fetch_by_greenlets(struct worker *w, struct client *c)
{
    borrowed address = seat_of(w)->address;
    int64_t spawned = 0;
    int result = 0;

    while (spawned < c->at_once &&
           (c->fetching[spawned] = hub_spawn(c->fetcher, (borrowed[]){ address }, 1)))
        spawned++;
    if (spawned < c->at_once)
        result = -1;
    for (int64_t i = 0; i < spawned; i++) {
        if (join(c->fetching[i]) < 0)
            result = -1;
        decref(c->fetching[i]);
    }
    return result;
}

static int step(struct worker *w)
{
    struct client *c = w->state;
    int result;

    safepoint(w->thread);
    begin_step(c);
    result = c->at_once > 1 && hub_cooperates() ? fetch_by_greenlets(w, c) : fetch_rest(w);
    if (result < 0 || look_at_pages(w) < 0)
        return -1;
    count(w);
    return 0;
}

/* ---- tasks ---- */

enum { NEXT, WROTE, READS }; /* where a fetcher stands */

static enum turn await_read(struct frame *f, struct page *p, struct object **result)
{
    return frame_await(f, READS, async_io_read(loop_running(), p->fd, p->in + p->have, room(p)),
                       result);
}

static enum turn await_write(struct frame *f, struct worker *w, struct object **result)
{
    struct page **p = frame_locals(f);

    *p = next_page(w);
    if (!*p)
        return frame_return(result);
    return frame_await(
        f, WROTE, async_io_write(loop_running(), (*p)->fd, (*p)->out, ask(w->state, *p)), result);
}

/* Local is the page that it fetches. */
static enum turn fetch_turn(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);
    struct page **p = frame_locals(f);
    int whole;

    if (how == RESUME_THROW)
        return served_fail(w, argument, result);
    if (f->at == WROTE)
        return await_read(f, *p, result);
    if (f->at == NEXT)
        return await_write(f, w, result);
    if (int_value(argument) == 0)
        return served_ended(w) < 0 ? TURN_ERROR : frame_return(result);
    whole = take(*p, int_value(argument));
    if (whole < 0)
        return TURN_ERROR;
    return whole ? await_write(f, w, result) : await_read(f, *p, result);
}

static const struct body fetcher_body = {
    .name = "fetch", .kind = COROUTINE, .resume = fetch_turn, .references = 1,
    .locals_bytes = sizeof(struct page *),
};

/* What is awaited for all of them; NULL: an exception is pending. */
static struct object *gather_fetchers(struct client *c, borrowed address)
{
    struct object *all = NULL;
    int64_t made = 0;

    while (made < c->at_once &&
           (c->fetching[made] = generator_new(&fetcher_body, (borrowed[]){ address }, 1)))
        made++;
    if (made == c->at_once)
        all = gather(loop_running(), (borrowed const *)c->fetching, (size_t)made, false);
    while (made)
        decref(c->fetching[--made]);
    return all;
}

enum { BEGINS, GATHERED, LOOKED }; /* where the step stands */

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    switch (f->at++) {
    case BEGINS:
        safepoint(w->thread);
        begin_step(w->state);
        *result = gather_fetchers(w->state, f->reference[0]);
        break;
    case GATHERED:
        *result = unit_compute(w, look_at_pages);
        break;
    default: /* LOOKED */
        count(w);
        return frame_return(result);
    }
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body await_step = {
    .name = "fetch_many", .kind = COROUTINE, .resume = await, .references = 1,
};

const struct workload workload_fetch_many = {
    .about = "one client fetches pages from many slow sites, which are another process",
    .unit = "page", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .param = { { "sites", "of which a step fetches a page each", 20, 1, SITES_MOST },
               { "delay_us", "that a site takes to answer", 2000, 0, 3600000000 },
               { "at_once", "so many pages at the same time; 1: one after the other; 0: all", 0, 0,
                 SITES_MOST } },
    .roles = { { .name = "client", .per_thread = 1, .records_latency = true, .begin = begin,
                 .step = step, .end = end, .await_step = &await_step } },
    .setup = setup, .interrupt = interrupt, .check = check, .teardown = teardown,
};
