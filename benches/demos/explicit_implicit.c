/* explicit_implicit.c - the same job by callbacks, by await and by greenlets.
 *
 * Three clients, each with a server of its own at the other end of a socket pair. A client sleeps,
 * sends a word, reads until it has heard it back, and so again with the next; then it says that it
 * has no more, and the server ends. All of it on one thread.
 *
 * As CPython would have it, the third time with gevent:
 *
 *     def client(connection, number):
 *         for word in "one", "two":
 *             gevent.sleep(number / 100)
 *             connection.sendall(word.encode())
 *             heard[number].append(connection.recv(16).decode())
 *         connection.shutdown(socket.SHUT_WR)
 *     def server(connection):
 *         while data := connection.recv(16):
 *             connection.sendall(data)
 *
 * What stands between the enums BEGIN and END of each style is what it takes beyond what all share.
 */
#include "benches/demo.h"
#include "benches/demo_coroutines.h"

#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/gather.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "coroutines/run.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/int.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 3, WORDS = 2, WORD_BYTES = 16, SLEEP_NS = 10 * NS_PER_MS };

static const char *const words[WORDS] = { "one", "two" };

static struct pair {
    int client, server;          /* descriptors */
    char sent[WORD_BYTES];       /* the server's */
    char heard[WORDS][WORD_BYTES];
    int count;                   /* of words heard */
} pairs[CLIENTS];

static int calls; /* that the loop made: callbacks, or steps of a coroutine */

static int64_t sleep_of(const struct pair *p)
{
    return (p - pairs + 1) * SLEEP_NS;
}

/* A connection is known by its number. */
static struct pair *pair_of(borrowed number)
{
    return &pairs[int_value(number)];
}

static size_t size_of_word(const struct pair *p)
{
    return strlen(words[p->count]);
}

/* ---- by callbacks ---- */

enum { CALLBACKS_BEGIN = __LINE__ };

/* Has the loop call `body` when the future is done. */
static struct object *then(struct object *future /* steals; may be NULL */, native *body,
                           borrowed number)
{
    struct object *f = future ? function_new("then", body, 1, number) : NULL;
    int result = f ? future_add_done_callback(future, f) : -1;

    xdecref(f);
    xdecref(future);
    return result < 0 ? NULL : none();
}

static bool failed(borrowed future, struct object **result)
{
    calls++;
    *result = future_result(future);
    return !*result;
}

static struct object *client_slept(borrowed number, borrowed const *future, size_t count);

static struct object *client_begins(borrowed number)
{
    return then(async_io_sleep(loop_running(), sleep_of(pair_of(number))), client_slept, number);
}

static struct object *client_heard(borrowed number, borrowed const *future, size_t count)
{
    struct pair *p = pair_of(number);
    struct object *result;

    (void)count;
    if (failed(future[0], &result))
        return NULL;
    decref(result);
    if (++p->count < WORDS)
        return client_begins(number);
    shutdown(p->client, SHUT_WR);
    return none();
}

static struct object *client_sent(borrowed number, borrowed const *future, size_t count)
{
    struct pair *p = pair_of(number);
    struct object *result;

    (void)count;
    if (failed(future[0], &result))
        return NULL;
    decref(result);
    return then(async_io_read(loop_running(), p->client, p->heard[p->count], WORD_BYTES - 1),
                client_heard, number);
}

static struct object *client_slept(borrowed number, borrowed const *future, size_t count)
{
    struct pair *p = pair_of(number);
    struct object *result;

    (void)count;
    if (failed(future[0], &result))
        return NULL;
    decref(result);
    return then(async_io_write(loop_running(), p->client, words[p->count], size_of_word(p)),
                client_sent, number);
}

static int servers; /* that have not ended */

static struct object *server_read(borrowed number, borrowed const *future, size_t count);

static struct object *server_begins(borrowed number)
{
    struct pair *p = pair_of(number);

    return then(async_io_read(loop_running(), p->server, p->sent, WORD_BYTES), server_read, number);
}

static struct object *server_sent(borrowed number, borrowed const *future, size_t count)
{
    struct object *result;

    (void)count;
    if (failed(future[0], &result))
        return NULL;
    decref(result);
    return server_begins(number);
}

static struct object *server_read(borrowed number, borrowed const *future, size_t count)
{
    struct pair *p = pair_of(number);
    struct object *result;
    int64_t size_bytes;

    (void)count;
    if (failed(future[0], &result))
        return NULL;
    size_bytes = int_value(result);
    decref(result);
    if (size_bytes)
        return then(async_io_write(loop_running(), p->server, p->sent, (size_t)size_bytes),
                    server_sent, number);
    if (--servers == 0)
        loop_stop(loop_running());
    return none();
}

enum { CALLBACKS_END = __LINE__ };

static struct object *begin_by_callbacks(borrowed number, borrowed const *arguments, size_t count)
{
    struct object *server = server_begins(number), *client = server ? client_begins(number) : NULL;

    (void)arguments, (void)count;
    xdecref(server);
    return client;
}

static int start_by_callbacks(borrowed loop, int i)
{
    struct object *number = int_new(i), *f = NULL;
    int result = -1;

    if (number)
        f = function_new("begin", begin_by_callbacks, 0, number);
    if (f)
        result = loop_call_soon(loop, f, NULL);
    xdecref(number);
    xdecref(f);
    return result;
}

static int run_by_callbacks(void)
{
    struct object *loop = loop_new();
    int result = loop ? 0 : -1;

    servers = CLIENTS;
    for (int i = 0; result == 0 && i < CLIENTS; i++)
        result = start_by_callbacks(loop, i);
    if (result == 0)
        result = loop_run_forever(loop);
    if (loop)
        loop_close(loop);
    xdecref(loop);
    return result;
}

/* ---- by await ---- */

enum { AWAIT_BEGIN = __LINE__ };

enum { BEGINS, SLEPT, SENT, HEARD };

static enum turn await(struct frame *f, int at, struct object *future /* steals; may be NULL */,
                       struct object **result)
{
    f->at = (uint16_t)at;
    *result = demo_await(future);
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn client_turn(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    struct pair *p = pair_of(f->reference[0]);

    calls++;
    if (how == RESUME_THROW)
        return frame_raise(argument);
    switch (f->at) {
    case HEARD:
        if (++p->count == WORDS) {
            shutdown(p->client, SHUT_WR);
            return frame_return(result);
        }
        /* fall through */
    case BEGINS:
        return await(f, SLEPT, async_io_sleep(loop_running(), sleep_of(p)), result);
    case SLEPT:
        return await(f, SENT, async_io_write(loop_running(), p->client, words[p->count],
                                             size_of_word(p)), result);
    default:
        return await(f, HEARD, async_io_read(loop_running(), p->client, p->heard[p->count],
                                             WORD_BYTES - 1), result);
    }
}

static const struct body client_body = {
    .name = "client", .kind = COROUTINE, .resume = client_turn, .references = 1,
};

static enum turn server_turn(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    struct pair *p = pair_of(f->reference[0]);
    int64_t size_bytes;

    calls++;
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at != HEARD)
        return await(f, HEARD, async_io_read(loop_running(), p->server, p->sent, WORD_BYTES),
                     result);
    size_bytes = int_value(argument);
    if (size_bytes == 0)
        return frame_return(result);
    return await(f, SENT, async_io_write(loop_running(), p->server, p->sent, (size_t)size_bytes),
                 result);
}

static const struct body server_body = {
    .name = "server", .kind = COROUTINE, .resume = server_turn, .references = 1,
};

enum { AWAIT_END = __LINE__ };

/* A task of each, and who waits for all. */
static int make_tasks(struct object *coroutine[2 * CLIENTS])
{
    for (int i = 0; i < 2 * CLIENTS; i++) {
        struct object *number = int_new(i / 2);

        if (number)
            coroutine[i] = generator_new(i % 2 ? &client_body : &server_body,
                                         (borrowed[]){ number }, 1);
        xdecref(number);
        if (!coroutine[i])
            return -1;
    }
    return 0;
}

static enum turn all_turn(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    struct object *coroutine[2 * CLIENTS] = { NULL };
    enum turn turn = TURN_ERROR;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at)
        return frame_return(result);
    if (make_tasks(coroutine) == 0)
        turn = await(f, SENT, gather(loop_running(), (borrowed const *)coroutine, 2 * CLIENTS,
                                     false), result);
    for (int i = 0; i < 2 * CLIENTS; i++)
        xdecref(coroutine[i]);
    return turn;
}

static const struct body all_body = { .name = "all", .kind = COROUTINE, .resume = all_turn };

static int run_by_await(void)
{
    return demo_run(&all_body);
}

/* ---- by greenlets ---- */

enum { GREENLETS_BEGIN = __LINE__ };

static struct object *client(borrowed number, borrowed const *arguments, size_t count)
{
    struct pair *p = pair_of(number);

    (void)arguments, (void)count;
    for (; p->count < WORDS; p->count++)
        if (io_sleep_ns((uint64_t)sleep_of(p)) < 0 ||
            io_write(p->client, words[p->count], size_of_word(p)) < 0 ||
            io_read(p->client, p->heard[p->count], WORD_BYTES - 1) < 0)
            return NULL;
    shutdown(p->client, SHUT_WR);
    return none();
}

static struct object *server(borrowed number, borrowed const *arguments, size_t count)
{
    struct pair *p = pair_of(number);
    int64_t size_bytes;

    (void)arguments, (void)count;
    while ((size_bytes = io_read(p->server, p->sent, WORD_BYTES)) > 0)
        if (io_write(p->server, p->sent, (size_t)size_bytes) < 0)
            return NULL;
    return size_bytes < 0 ? NULL : none();
}

enum { GREENLETS_END = __LINE__ };

static struct object *spawn(native *body, int i)
{
    struct object *number = int_new(i), *f = NULL, *g = NULL;

    if (number)
        f = function_new("body", body, 0, number);
    if (f)
        g = hub_spawn(f, NULL, 0);
    xdecref(number);
    xdecref(f);
    return g;
}

static uint64_t switches;

static int run_by_greenlets(void)
{
    struct object *greenlet[2 * CLIENTS] = { NULL };
    int result = 0;

    for (int i = 0; result == 0 && i < 2 * CLIENTS; i++) {
        greenlet[i] = spawn(i % 2 ? client : server, i / 2);
        result = greenlet[i] ? 0 : -1;
    }
    if (result == 0)
        result = hub_join_all((borrowed const *)greenlet, 2 * CLIENTS, HUB_NEVER) < 0 ? -1 : 0;
    switches = hub_switches();
    for (int i = 0; i < 2 * CLIENTS; i++)
        xdecref(greenlet[i]);
    hub_end();
    return result;
}

/* ---- all three ---- */

static const struct style {
    const char *name;
    int (*run)(void);
    int lines;
} styles[] = {
    { "callbacks", run_by_callbacks, CALLBACKS_END - CALLBACKS_BEGIN - 2 },
    { "await", run_by_await, AWAIT_END - AWAIT_BEGIN - 2 },
    { "greenlets", run_by_greenlets, GREENLETS_END - GREENLETS_BEGIN - 2 },
};

enum { STYLES = sizeof styles / sizeof *styles };

static int open_pairs(void)
{
    memset(pairs, 0, sizeof pairs);
    for (int i = 0; i < CLIENTS; i++) {
        int fd[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0) {
            exception_set_errno("socketpair");
            while (i-- > 0)
                close(pairs[i].client), close(pairs[i].server);
            return -1;
        }
        pairs[i].client = fd[0];
        pairs[i].server = fd[1];
    }
    return 0;
}

static void close_pairs(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        close(pairs[i].client);
        close(pairs[i].server);
    }
}

static void tell_heard(const char *name)
{
    printf("by %s:\n", name);
    for (int i = 0; i < CLIENTS; i++) {
        printf("  client %d heard", i + 1);
        for (int k = 0; k < pairs[i].count; k++)
            printf(" %s", pairs[i].heard[k]);
        printf("\n");
    }
}

static int run_style(const struct style *style, uint64_t needed[2])
{
    int result;

    calls = 0;
    switches = 0;
    if (open_pairs() < 0)
        return -1;
    result = style->run();
    close_pairs();
    needed[0] = (uint64_t)calls;
    needed[1] = switches;
    if (result == 0)
        tell_heard(style->name);
    return result;
}

static int tell(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    uint64_t needed[STYLES][2];

    (void)mode, (void)gil, (void)hooks;
    for (int i = 0; i < STYLES; i++)
        if (run_style(&styles[i], needed[i]) < 0)
            return -1;
    printf("\nwhat client and server took:\n");
    printf("%-12s%12s%20s%20s\n", "", "lines of C", "called by the loop", "switches of stacks");
    for (int i = 0; i < STYLES; i++)
        printf("%-12s%12d%20d%20d\n", styles[i].name, styles[i].lines, (int)needed[i][0],
               (int)needed[i][1]);
    return 0;
}

const struct demo demo_explicit_implicit = {
    .about = "the same small job by callbacks, by await and by greenlets", .modes = "gil",
    .run = tell,
};
