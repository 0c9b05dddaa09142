/* tls.c - TLS for streams. */
#include "coroutines/tls.h"

#include "coroutines/coroutine.h"
#include "coroutines/wait.h"
#include "coroutines/wire.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/int.h"

struct tls_context *tls_client(const char *trusted)
{
    struct tls_error e;
    struct tls_context *c = tls_client_context(trusted, &e);

    if (!c)
        wire_raise(&e);
    return c;
}

struct tls_context *tls_server(const char *certificates, const char *key)
{
    struct tls_error e;
    struct tls_context *c = tls_server_context(certificates, key, &e);

    if (!c)
        wire_raise(&e);
    return c;
}

struct tls_session *tls_session_start(struct tls_context *context, const char *host)
{
    struct tls_error e;
    struct tls_session *s;

    if (host && (!*host || *host == '.')) {
        exception_set(&value_error,
                      "server_hostname cannot be an empty string or start with a leading dot.");
        return NULL;
    }
    s = tls_session_new(context, host, &e);
    if (!s)
        wire_raise(&e);
    return s;
}

/* ---- a handshake ---- */

enum { STREAM, TIMEOUT, REFERENCES };
enum { BEGINS, WAITS };

static struct object *shake_in_time(borrowed stream, int64_t timeout_ns)
{
    struct object *f = stream_handshake(stream), *timed = f ? wait_for_new(f, timeout_ns) : NULL;
    struct object *it = timed ? await_iterator(timed) : NULL;

    xdecref(f);
    xdecref(timed);
    return it;
}

static void raise_too_slow(int64_t timeout_ns)
{
    exception_wrap(&connection_aborted_error,
                   "SSL handshake is taking longer than %.1f seconds: aborting the connection",
                   (double)timeout_ns / NS_PER_S);
}

static enum turn resume(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    int64_t timeout_ns = int_value(f->reference[TIMEOUT]);

    if (how == RESUME_SEND && f->at == BEGINS) {
        f->at = WAITS;
        *result = shake_in_time(f->reference[STREAM], timeout_ns);
        if (*result)
            return TURN_FROM;
        stream_abort(f->reference[STREAM]);
        return TURN_ERROR;
    }
    if (how == RESUME_SEND)
        return frame_return(result);
    stream_close(f->reference[STREAM]); /* what TLS has to say of the error goes out */
    stream_abort(f->reference[STREAM]);
    exception_restore(incref(argument));
    if (exception_matches(&timeout_error))
        raise_too_slow(timeout_ns);
    return TURN_ERROR;
}

static const struct body handshake_body = {
    .name = "handshake", .kind = COROUTINE, .resume = resume, .references = REFERENCES,
};

struct object *tls_handshake(borrowed stream, int64_t timeout_ns)
{
    struct object *timeout = int_new(timeout_ns), *coroutine;

    if (!timeout)
        return NULL;
    coroutine = generator_new(&handshake_body, (borrowed[]){ stream, timeout }, 2);
    decref(timeout);
    return coroutine;
}
