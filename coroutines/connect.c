/* connect.c - streams that begin here. */
#include "coroutines/connect.h"

#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/io.h"
#include "coroutines/tls.h"
#include "objects/bytes.h"
#include "objects/exception.h"

#include <string.h>
#include <unistd.h>

/* In a bytes, for a frame may move while its generator is left. */
struct call {
    struct address address;
    struct stream_limits limits;
    struct tls_context *context; /* NULL: without TLS */
    char host[STREAM_HOST_MOST + 1];
};

enum { CALL, STREAM, REFERENCES };
enum { BEGINS, CONNECTS, SHAKES_HANDS };

static const struct call *call_of(const struct frame *f)
{
    return (const struct call *)(const void *)bytes_data(f->reference[CALL]);
}

static int open_socket(const struct address *a)
{
    int fd = socket_open(a, SOCK_STREAM);

    if (fd < 0)
        exception_set_errno("socket");
    return fd;
}

/* A stream over the socket, with a session if there is a context. */
static struct object *stream_over(borrowed loop, int fd /* steals, also on failure */,
                                  const struct stream_limits *limits, struct tls_context *context,
                                  const char *host)
{
    struct tls_session *tls;

    if (!context)
        return stream_new(loop, fd, limits, NULL);
    tls = tls_session_start(context, host);
    if (tls)
        return stream_new(loop, fd, limits, tls);
    close(fd);
    return NULL;
}

static enum turn begin(struct frame *f, struct object **result)
{
    const struct address *a = &call_of(f)->address;
    borrowed loop = loop_running_needed();
    int *fd = frame_locals(f);

    if (!loop)
        return TURN_ERROR;
    *fd = open_socket(a);
    if (*fd < 0)
        return TURN_ERROR;
    *result = async_io_connect(loop, *fd, &a->any, a->size_bytes);
    if (*result) {
        f->at = CONNECTS;
        return TURN_FROM;
    }
    close(*fd);
    return TURN_ERROR;
}

static enum turn shake_hands(struct frame *f, struct object **result)
{
    struct object *handshake = tls_handshake(f->reference[STREAM], TLS_HANDSHAKE_NS);

    *result = handshake ? await_iterator(handshake) : NULL;
    xdecref(handshake);
    if (*result) {
        f->at = SHAKES_HANDS;
        return TURN_FROM;
    }
    stream_abort(f->reference[STREAM]);
    return TURN_ERROR;
}

static enum turn connected(struct frame *f, struct object **result)
{
    const struct call *c = call_of(f);
    const int *fd = frame_locals(f);
    struct object *stream = stream_over(loop_running(), *fd, &c->limits, c->context, c->host);

    if (!stream)
        return TURN_ERROR;
    if (c->context) {
        f->reference[STREAM] = stream;
        return shake_hands(f, result);
    }
    *result = stream;
    return TURN_RETURN;
}

static enum turn thrown(struct frame *f, borrowed exception)
{
    const int *fd = frame_locals(f);

    if (f->at == CONNECTS)
        close(*fd);
    else
        stream_abort(f->reference[STREAM]);
    return frame_raise(exception);
}

static enum turn resume(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return thrown(f, argument);
    if (f->at == BEGINS)
        return begin(f, result);
    if (f->at == CONNECTS)
        return connected(f, result);
    *result = incref(f->reference[STREAM]);
    return TURN_RETURN;
}

static const struct body connect_body = {
    .name = "open_connection", .kind = COROUTINE, .resume = resume, .references = REFERENCES,
    .locals_bytes = sizeof(int),
};

static struct object *connect_as(const struct call *c)
{
    struct object *call = bytes_new(c, sizeof *c), *coroutine;

    if (!call)
        return NULL;
    coroutine = generator_new(&connect_body, (borrowed[]){ call }, 1);
    decref(call);
    return coroutine;
}

struct object *stream_connect(const struct address *address, const struct stream_limits *limits)
{
    return connect_as(&(struct call){ .address = *address,
                                      .limits = limits ? *limits : (struct stream_limits){ 0 } });
}

struct object *stream_connect_tls(const struct address *address, const struct stream_limits *limits,
                                  struct tls_context *context, const char *host)
{
    struct call c = { .address = *address,
                      .context = context,
                      .limits = limits ? *limits : (struct stream_limits){ 0 } };

    if (strlen(host) > STREAM_HOST_MOST) {
        exception_set(&value_error, "the host's name is too long");
        return NULL;
    }
    strcpy(c.host, host);
    return connect_as(&c);
}

/* ---- implicit ---- */

/* The stream, when hands are shaken. */
static struct object *shaken(struct object *stream /* steals; may be NULL */)
{
    if (!stream || stream_io_handshake(stream) == 0)
        return stream;
    stream_abort(stream);
    decref(stream);
    return NULL;
}

/* A socket; -1. */
static int call_at(const struct address *a)
{
    int fd = open_socket(a);

    if (fd < 0 || io_connect(fd, &a->any, a->size_bytes) == 0)
        return fd;
    close(fd);
    return -1;
}

struct object *stream_io_connect(const struct address *a, const struct stream_limits *limits)
{
    int fd = call_at(a);

    return fd < 0 ? NULL : stream_new(NULL, fd, limits, NULL);
}

struct object *stream_io_connect_tls(const struct address *a, const struct stream_limits *limits,
                                     struct tls_context *context, const char *host)
{
    int fd = call_at(a);

    return fd < 0 ? NULL : shaken(stream_over(NULL, fd, limits, context, host));
}

struct object *stream_io_accept(int listener, const struct stream_limits *limits)
{
    int fd = io_accept(listener);

    return fd < 0 ? NULL : stream_new(NULL, fd, limits, NULL);
}

struct object *stream_io_accept_tls(int listener, const struct stream_limits *limits,
                                    struct tls_context *context)
{
    int fd = io_accept(listener);

    return fd < 0 ? NULL : shaken(stream_over(NULL, fd, limits, context, NULL));
}
