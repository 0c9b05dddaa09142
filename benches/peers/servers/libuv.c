/* libuv.c - a stream for each connection, with a buffer of its own; answers by uv_try_write, which is
 * faster than uv_write, and by uv_write where the socket is full. */
#include "benches/peers/servers/server.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct connection {
    uv_tcp_t stream; /* first */
    char data[SERVER_RECEIVE_BYTES];
};

struct rest {
    uv_write_t write; /* first */
    char data[];
};

static void drop(uv_handle_t *handle)
{
    free(handle);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)handle;

    (void)suggested;
    *buffer = uv_buf_init(c->data, sizeof c->data);
}

static void written(uv_write_t *write, int status)
{
    if (status < 0 && !uv_is_closing((uv_handle_t *)write->handle))
        uv_close((uv_handle_t *)write->handle, drop);
    free(write);
}

static int write_rest(uv_stream_t *stream, const char *data, size_t length)
{
    struct rest *r = malloc(sizeof *r + length);
    uv_buf_t buffer;

    if (!r)
        return -1;
    memcpy(r->data, data, length);
    buffer = uv_buf_init(r->data, (unsigned)length);
    if (uv_write(&r->write, stream, &buffer, 1, written) == 0)
        return 0;
    free(r);
    return -1;
}

static void echo(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    uv_buf_t data = uv_buf_init(buffer->base, got > 0 ? (unsigned)got : 0);
    int sent = 0;

    if (got == 0)
        return;
    if (got > 0)
        sent = uv_try_write(stream, &data, 1);
    if (sent == UV_EAGAIN)
        sent = 0;
    if (got < 0 || sent < 0 ||
        (sent < got && write_rest(stream, buffer->base + sent, (size_t)(got - sent)) < 0))
        uv_close((uv_handle_t *)stream, drop);
}

static void take(uv_stream_t *listener, int status)
{
    struct connection *c = status < 0 ? NULL : malloc(sizeof *c);

    if (!c)
        return;
    uv_tcp_init(listener->loop, &c->stream);
    if (uv_accept(listener, (uv_stream_t *)&c->stream) < 0) {
        uv_close((uv_handle_t *)&c->stream, drop);
        return;
    }
    uv_tcp_nodelay(&c->stream, 1);
    uv_read_start((uv_stream_t *)&c->stream, give_room, echo);
}

static int serve(int listener)
{
    uv_tcp_t first;

    if (uv_tcp_init(uv_default_loop(), &first) < 0 || uv_tcp_open(&first, listener) < 0 ||
        uv_listen((uv_stream_t *)&first, 1024, take) < 0)
        return -1;
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return -1;
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const struct peer_server server_libuv = {
    .about = "libuv " TEXT(UV_VERSION_MAJOR) "." TEXT(UV_VERSION_MINOR) "." TEXT(UV_VERSION_PATCH),
    .serve = serve,
};
