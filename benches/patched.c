/* patched.c - the same function in greenlets and in threads, in a process that is looked at. */
#include "benches/patched.h"

#include "benches/responder.h"
#include "coroutines/hub.h"
#include "coroutines/patch.h"
#include "coroutines/switch/carriers.h"
#include "gil/mutex.h"
#include "gil/thread.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- libcurl, as much of it as is needed ---- */

/* Of curl/curl.h, which are the library's ABI. */
enum {
    CURLOPT_TIMEOUT_MS = 155, CURLOPT_NOSIGNAL = 99, CURLOPT_WRITEDATA = 10001, CURLOPT_URL = 10002,
    CURLOPT_PROXY = 10004, CURLOPT_WRITEFUNCTION = 20011, CURL_GLOBAL_NOTHING = 0,
};

static struct {
    int (*global_init)(long flags);
    void *(*easy_init)(void);
    int (*easy_setopt)(void *easy, int option, ...);
    int (*easy_perform)(void *easy);
    void (*easy_cleanup)(void *easy);
} curl;

static bool find(void *library, const char *name, void *place)
{
    void *symbol = dlsym(library, name);

    memcpy(place, &symbol, sizeof symbol);
    return symbol;
}

static const char *load_curl(void)
{
    static const char *const names[] = { "libcurl.so.4", "libcurl-gnutls.so.4" };
    void *library = NULL;

    for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return "libcurl is not installed (Debian: libcurl4)";
    if (!find(library, "curl_global_init", &curl.global_init) ||
        !find(library, "curl_easy_setopt", &curl.easy_setopt) ||
        !find(library, "curl_easy_perform", &curl.easy_perform) ||
        !find(library, "curl_easy_cleanup", &curl.easy_cleanup) ||
        !find(library, "curl_easy_init", &curl.easy_init))
        return "this libcurl lacks a function of its easy interface";
    return curl.global_init(CURL_GLOBAL_NOTHING) == 0 ? NULL : "libcurl does not begin";
}

const char *patched_no_curl(void)
{
    static const char *why;
    static bool loaded;

    if (!loaded)
        why = load_curl();
    loaded = true;
    return why;
}

/* ---- the code, which knows nothing of units ---- */

static char url[64];
static struct timespec nap;

struct page {
    size_t length;
    char text[sizeof RESPONDER_PAGE];
};

static size_t take_page(const char *data, size_t size, size_t count, void *argument)
{
    struct page *page = argument;

    for (size_t i = 0; i < size * count; i++)
        if (page->length < sizeof page->text)
            page->text[page->length++] = data[i];
    return size * count;
}

static bool transfer(void)
{
    struct page page = { 0 };
    void *easy = curl.easy_init();
    bool right;

    if (!easy)
        return false;
    curl.easy_setopt(easy, CURLOPT_URL, url);
    curl.easy_setopt(easy, CURLOPT_PROXY, "");
    curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, PATCHED_PART_S * 1000L);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_page);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, &page);
    right = curl.easy_perform(easy) == 0 && page.length == strlen(RESPONDER_PAGE) &&
            memcmp(page.text, RESPONDER_PAGE, page.length) == 0;
    curl.easy_cleanup(easy);
    return right;
}

static bool sleep_once(void)
{
    return nanosleep(&nap, NULL) == 0;
}

static bool (*const works[PATCHED_WORKS])(void) = {
    [PATCHED_TRANSFER] = transfer, [PATCHED_SLEEP] = sleep_once,
};

/* ---- what the kernel tells ---- */

/* A number of /proc/self/status. */
static int64_t status(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[200];
    long long number = -1;
    size_t length = strlen(name);

    while (file && number < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, name, length) == 0)
            sscanf(line + length, ":%lld", &number);
    if (file)
        fclose(file);
    return number;
}

static uint64_t cpu_ns(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * NS_PER_S +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * NS_PER_US;
}

/* ---- in units: in the process of a part ---- */

enum { LOOK_EACH = 64 }; /* threads */

static struct {
    enum patched_work work;
    _Atomic int right;
    int begun; /* of greenlets */
    struct patched *p;
    pthread_t thread[PATCHED_MOST];
    struct object *greenlet[PATCHED_MOST]; /* owned */
} part;

static void do_work(void)
{
    if (works[part.work]())
        atomic_fetch_add_explicit(&part.right, 1, memory_order_relaxed);
}

static void note_threads(void)
{
    int64_t threads = status("Threads");

    if (threads > part.p->threads)
        part.p->threads = threads;
}

static void *thread_main(void *unused)
{
    do_work();
    return unused;
}

/* Ordinary ones, which know no runtime. */
static void run_threads(int count)
{
    struct patched *p = part.p;
    int error = 0;

    for (p->count = 0; !error && p->count < count; p->count += !error) {
        error = pthread_create(&part.thread[p->count], NULL, thread_main, NULL);
        if (p->count % LOOK_EACH == 0 || p->count == count - 1)
            note_threads();
    }
    if (error)
        snprintf(p->why, sizeof p->why, "no more threads: %s", strerror(error));
    for (int i = 0; i < p->count; i++)
        pthread_join(part.thread[i], NULL);
}

static void note_stack(void)
{
    int64_t used = (int64_t)fiber_high_water(carrier_here()->current);

    if (used > part.p->stack_bytes)
        part.p->stack_bytes = used;
}

static struct object *greenlet_main(borrowed closure, borrowed const *arguments, size_t count)
{
    struct patch p;

    (void)closure, (void)arguments, (void)count;
    if (patch_begin(&p) < 0)
        return NULL;
    if (++part.begun == part.p->count)
        note_threads();
    do_work();
    note_stack();
    return patch_end(&p) < 0 ? NULL : none();
}

static int spawn_all(int count)
{
    struct object *f = function_new("unit", greenlet_main, 0, NULL);
    struct patched *p = part.p;

    for (p->count = 0; f && p->count < count; p->count++) {
        part.greenlet[p->count] = hub_spawn(f, NULL, 0);
        if (!part.greenlet[p->count])
            break;
    }
    xdecref(f);
    return exception_pending() ? -1 : 0;
}

static void run_greenlets(int count)
{
    struct patched *p = part.p;

    if (spawn_all(count) < 0 ||
        hub_join_all((borrowed const *)part.greenlet, (size_t)p->count, HUB_NEVER) < 0)
        snprintf(p->why, sizeof p->why, "%s: %s", type_of(exception_pending())->name,
                 exception_message(exception_pending()));
    p->switches = hub_switches();
}

static _Noreturn void be_child(bool greenlets, int count, int out)
{
    struct patched p = { 0 };
    int64_t before_kb = status("VmRSS");
    uint64_t begin_ns = clock_ns(), begin_cpu_ns = cpu_ns();

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(PATCHED_PART_S);
    part.p = &p;
    (greenlets ? run_greenlets : run_threads)(count);
    p.took_ns = clock_ns() - begin_ns;
    p.cpu_ns = cpu_ns() - begin_cpu_ns;
    p.resident_bytes = (status("VmHWM") - before_kb) * 1024;
    p.right = atomic_load_explicit(&part.right, memory_order_relaxed);
    _exit(write(out, &p, sizeof p) == sizeof p ? 0 : 1);
}

/* ---- the process ---- */

static int os_failure(const char *call)
{
    exception_set_errno(call);
    return -1;
}

/* What the child has written, or how it ended. */
static void read_child(pid_t child, int in, struct patched *p)
{
    ssize_t length;
    int ended = 0;

    thread_detach(thread_self);
    do
        length = read(in, p, sizeof *p);
    while (length < 0 && errno == EINTR);
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR) { }
    thread_attach(thread_self);
    if (length == sizeof *p)
        return;
    *p = (struct patched){ 0 };
    if (WIFSIGNALED(ended) && WTERMSIG(ended) == SIGALRM)
        snprintf(p->why, sizeof p->why, "ended after %d s", PATCHED_PART_S);
    else
        snprintf(p->why, sizeof p->why, "the process ended with status %#x", (unsigned)ended);
}

static int fork_part(bool greenlets, int count, struct patched *p)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) < 0)
        return os_failure("pipe");
    fflush(stdout);
    child = fork();
    if (child == 0)
        be_child(greenlets, count, ends[1]);
    close(ends[1]);
    if (child > 0)
        read_child(child, ends[0], p);
    close(ends[0]);
    return child < 0 ? os_failure("fork") : 0;
}

enum { DESCRIPTORS_EACH = 4, DESCRIPTORS_ELSE = 50 }; /* a socket, and what wakes a transfer */

/* As many descriptors as are allowed; how many transfers these are enough for. */
static int transfers_most(void)
{
    struct rlimit files = { 1024, 1024 };
    int most;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_NOFILE, &files);
    }
    most = files.rlim_cur > PATCHED_MOST * DESCRIPTORS_EACH
               ? PATCHED_MOST : (int)(files.rlim_cur - DESCRIPTORS_ELSE) / DESCRIPTORS_EACH;
    return most > 0 ? most : 0;
}

static int measure_transfers(bool greenlets, int count, int64_t wait_ms, struct patched *p)
{
    int most = transfers_most(), result;
    struct responder site;

    if (responder_start(&site, wait_ms * NS_PER_MS) < 0)
        return os_failure("responder");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", site.port);
    result = fork_part(greenlets, count < most ? count : most, p);
    responder_stop(&site);
    if (result == 0 && count > most && !*p->why)
        snprintf(p->why, sizeof p->why, "ulimit -n is too low for more than %d", most);
    return result;
}

int patched_measure(enum patched_work work, bool greenlets, int count, int64_t wait_ms,
                    struct patched *p)
{
    const char *missing = work == PATCHED_TRANSFER ? patched_no_curl() : NULL;

    *p = (struct patched){ 0 };
    if (missing) {
        snprintf(p->why, sizeof p->why, "%s", missing);
        return 0;
    }
    part.work = work;
    nap = timespec_of_ns((uint64_t)wait_ms * NS_PER_MS);
    if (work == PATCHED_TRANSFER)
        return measure_transfers(greenlets, count, wait_ms, p);
    return fork_part(greenlets, count, p);
}

/* ---- the table ---- */

static void print_row(bool greenlets, const struct patched *p)
{
    printf("  %-24s %6d %8.2f %8.2f %9.1f %8" PRId64, greenlets ? "greenlets of one thread"
           : "threads", p->right, (double)p->took_ns / NS_PER_S, (double)p->cpu_ns / NS_PER_S,
           (double)p->resident_bytes / (1 << 20), p->threads);
    if (greenlets)
        printf(" %9" PRIu64, p->switches);
    if (p->right < p->count)
        printf("  %d of %d went wrong", p->count - p->right, p->count);
    if (*p->why)
        printf("  %s", p->why);
    putchar('\n');
}

static int tell_work(enum patched_work work, int count, int64_t wait_ms)
{
    struct patched p[2];

    for (int greenlets = 1; greenlets >= 0; greenlets--) {
        if (patched_measure(work, greenlets, count, wait_ms, &p[greenlets]) < 0)
            return -1;
        print_row(greenlets, &p[greenlets]);
    }
    if (p[1].stack_bytes)
        printf("  of its stack a greenlet has used %" PRId64 " KiB at the most\n",
               p[1].stack_bytes / 1024);
    return 0;
}

int patched_tell(int transfers, int sleepers, int64_t wait_ms)
{
    const char *missing = patched_no_curl();

    printf("%-26s %6s %8s %8s %9s %8s %9s\n", "", "done", "took s", "CPU s", "resident",
           "kernel", "switches");
    printf("%-26s %6s %8s %8s %9s %8s\n", "", "", "", "", "MiB", "threads");
    printf("libcurl: %d pages that each take %" PRId64 " ms to come\n", transfers, wait_ms);
    if (missing)
        printf("  not shown: %s\n", missing);
    else if (tell_work(PATCHED_TRANSFER, transfers, wait_ms) < 0)
        return -1;
    printf("nanosleep: %d of %" PRId64 " ms\n", sleepers, wait_ms);
    return tell_work(PATCHED_SLEEP, sleepers, wait_ms);
}
