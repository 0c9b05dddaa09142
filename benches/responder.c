/* responder.c - one thread with an epoll. All wait equally long, so who was first is due first.
 *
 * Connections are edge-triggered, so an exchange takes no system call but one to read and one to
 * write: what comes while an answer is due is noted, and looked at after it.
 */
#include "benches/responder.h"

#include "benches/http.h"
#include "gil/mutex.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, REQUEST_BYTES = 1000, ANSWER_BYTES = 400, MOST = RESPONDER_CONNECTIONS_MOST };

struct connection {
    uint64_t due_ns; /* when its answer is */
    bool waits;      /* for its answer */
    bool again;      /* something has come meanwhile */
    bool ends;       /* after this answer */
    uint16_t have;   /* bytes of `in` */
    char name[RESPONDER_NAME_BYTES];
    char in[REQUEST_BYTES];
};

static struct {
    int epoll, listener;
    int64_t delay_ns;
    struct connection *connection; /* by descriptor; of MOST */
    int queue[MOST];               /* a ring of descriptors of those that wait */
    uint32_t first, last;
} site;

/* ---- a connection ---- */

static void watch(int fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };

    epoll_ctl(site.epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_one(void)
{
    int fd = accept4(site.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    if (fd >= MOST) {
        close(fd);
        return;
    }
    memset(&site.connection[fd], 0, sizeof site.connection[fd]);
    watch(fd, EPOLLIN | EPOLLET);
}

/* The request that stands in `in` is to be answered. */
static void take_request(struct connection *c, const struct http_head *head, size_t taken)
{
    size_t slash = *head->target.data == '/', length = head->target.bytes - slash;

    if (length >= sizeof c->name)
        length = sizeof c->name - 1;
    memcpy(c->name, head->target.data + slash, length);
    c->name[length] = '\0';
    c->ends = !head->keep_alive;
    c->have -= (uint16_t)taken;
    memmove(c->in, c->in + taken, c->have);
    c->again = c->have > 0;
}

/* True: a request was whole; or there is none, and the connection must end: then *ends. */
static bool has_request(struct connection *c, bool *ends)
{
    static const struct http_limits limits = { .line_bytes = REQUEST_BYTES,
                                               .head_bytes = REQUEST_BYTES };
    struct http_head head;
    int64_t taken = http_head(c->in, c->have, &limits, HTTP_REQUEST, &head);

    *ends = taken < 0 || (taken > 0 && (head.chunked || head.length));
    if (taken > 0 && !*ends)
        take_request(c, &head, (size_t)taken);
    return taken != HTTP_MORE;
}

static void stand_in_queue(int fd, struct connection *c)
{
    c->waits = true;
    c->due_ns = clock_ns() + (uint64_t)site.delay_ns;
    site.queue[site.last] = fd;
    site.last = (site.last + 1) % MOST;
}

/* Until there is a request, or no more to read. */
static void read_one(int fd)
{
    struct connection *c = &site.connection[fd];
    bool ends = false;

    c->again = false;
    while (!c->have || !has_request(c, &ends)) {
        ssize_t length = recv(fd, c->in + c->have, sizeof c->in - c->have, 0);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EAGAIN)
            return;
        if (length <= 0) {
            close(fd);
            return;
        }
        c->have += (uint16_t)length;
    }
    if (ends)
        close(fd);
    else
        stand_in_queue(fd, c);
}

/* What is said fits into any socket that has been read empty; else the client does not read. */
static void answer(int fd)
{
    struct connection *c = &site.connection[fd];
    char text[ANSWER_BYTES];
    int length = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                          "Content-Length: %zu\r\n%s\r\n%s" RESPONDER_PAGE,
                          strlen(c->name) + strlen(RESPONDER_PAGE),
                          c->ends ? "Connection: close\r\n" : "", c->name);

    c->waits = false;
    if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length || c->ends)
        close(fd);
    else if (c->again)
        read_one(fd);
}

/* ---- the loop ---- */

static void answer_due(void)
{
    uint64_t now_ns = clock_ns();

    while (site.first != site.last && site.connection[site.queue[site.first]].due_ns <= now_ns) {
        int fd = site.queue[site.first];

        site.first = (site.first + 1) % MOST;
        answer(fd);
    }
}

static int wait_for_events(struct epoll_event *events)
{
    uint64_t now_ns, due_ns;
    struct timespec left;

    if (site.first == site.last)
        return epoll_wait(site.epoll, events, EVENTS, -1);
    now_ns = clock_ns();
    due_ns = site.connection[site.queue[site.first]].due_ns;
    left = timespec_of_ns(due_ns > now_ns ? due_ns - now_ns : 0);
    return epoll_pwait2(site.epoll, events, EVENTS, &left, NULL);
}

static void turn(void)
{
    struct epoll_event events[EVENTS];
    int count = wait_for_events(events);

    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;

        if (fd == site.listener)
            accept_one();
        else if (site.connection[fd].waits)
            site.connection[fd].again = true;
        else
            read_one(fd);
    }
    answer_due();
}

/* ---- the process ---- */

static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static void reset_signals(void)
{
    static const int ours[] = { SIGALRM, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    sigset_t none;

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        signal(ours[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* From here on it has only its own. */
static void keep_listener(void)
{
    unsigned fd = (unsigned)site.listener;

    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    if (fd > 3)
        close_range(3, fd - 1, 0);
    close_range(fd + 1, ~0u, 0);
}

/* Nothing here may take a lock that another thread had at the fork, or allocate. */
static _Noreturn void serve(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    reset_signals();
    prctl(PR_SET_NAME, "sites");
    prctl(PR_SET_TIMERSLACK, 1);
    alarm(RESPONDER_MOST_S);
    keep_listener();
    raise_limit();
    site.connection = mmap(NULL, MOST * sizeof *site.connection, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    site.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (site.connection == MAP_FAILED || site.epoll < 0)
        _exit(1);
    watch(site.listener, EPOLLIN);
    for (;;)
        turn();
}

/* ---- its parent ---- */

static int listen_on_loopback(struct responder *r)
{
    struct sockaddr_in at = responder_address(r);
    socklen_t size_bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
        listen(fd, SOMAXCONN) == 0 &&
        getsockname(fd, (struct sockaddr *)&at, &size_bytes) == 0) {
        r->port = ntohs(at.sin_port);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

int responder_start(struct responder *r, int64_t delay_ns)
{
    pid_t parent = getpid();
    int listener, error;

    r->port = 0;
    listener = listen_on_loopback(r);
    if (listener < 0)
        return -1;
    fflush(stdout);
    r->from_ns = clock_ns();
    r->used_ns = 0;
    r->process = fork();
    if (r->process == 0) {
        site.listener = listener;
        site.delay_ns = delay_ns;
        serve(parent);
    }
    error = errno;
    close(listener);
    errno = error;
    return r->process < 0 ? -1 : 0;
}

/* What it has run and, where the kernel tells it, waited for a processor; -1: it is not there. */
static int64_t used_ns(const struct responder *r)
{
    char path[64], text[80] = "";
    unsigned long long ran = 0, waited = 0;
    struct timespec used;
    clockid_t clock;
    int fd;

    if (clock_getcpuclockid(r->process, &clock) || clock_gettime(clock, &used))
        return -1;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)r->process);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0 ||
        sscanf(text, "%llu %llu", &ran, &waited) != 2)
        waited = 0;
    if (fd >= 0)
        close(fd);
    return (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec + (int64_t)waited;
}

void responder_begin(struct responder *r)
{
    int64_t now_used_ns = used_ns(r);

    r->from_ns = clock_ns();
    r->used_ns = now_used_ns < 0 ? 0 : (uint64_t)now_used_ns;
}

double responder_busy(const struct responder *r)
{
    uint64_t now_ns = clock_ns();
    int64_t now_used_ns = used_ns(r);

    if (now_ns <= r->from_ns || now_used_ns < (int64_t)r->used_ns)
        return -1;
    return (double)(now_used_ns - (int64_t)r->used_ns) / (double)(now_ns - r->from_ns);
}

void responder_stop(struct responder *r)
{
    kill(r->process, SIGKILL);
    while (waitpid(r->process, NULL, 0) < 0 && errno == EINTR) { }
}
