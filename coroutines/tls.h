/* tls.h - TLS for streams: contexts and sessions that raise, handshakes that end in time.
 *
 * A stream over TLS has all the functions of one without (stream.h). stream_write_eof says to the
 * peer that nothing more comes (close_notify), and reading goes on; if the peer's bytes end without
 * its saying so, that is SSLEOFError, "EOF occurred in violation of protocol", and no end.
 * What is wrong with a certificate is SSLCertVerificationError, all else SSLError.
 *
 *     s = await stream_connect_tls(&address, NULL, context, "localhost");      (connect.h)
 *     server_start(loop, &address, handler, &(struct server_options){ .tls = context });
 *
 * Source: CPython 3.11, Lib/asyncio/sslproto.py, for the messages.
 */
#ifndef COROUTINES_TLS_H
#define COROUTINES_TLS_H

#include "coroutines/stream.h"
#include "coroutines/tls/session.h"

/* As tls_client_context and tls_server_context. NULL: SSLError, MemoryError. */
struct tls_context *tls_client(const char *trusted);
struct tls_context *tls_server(const char *certificates, const char *key);

/* As tls_session_new; NULL: also ValueError, of a host that is no name. (OpenSSL looks for no name
 * if it is empty, and for all below it if it begins with a dot.) */
struct tls_session *tls_session_start(struct tls_context *context,
                                      const char *host /* NULL: a server's */);

#define TLS_HANDSHAKE_NS ((int64_t)60 * 1000 * 1000 * 1000)

/* A coroutine: the stream's handshake. If it fails, or is not done by then, the stream is aborted:
 * ConnectionAbortedError. NULL: MemoryError. */
struct object *tls_handshake(borrowed stream, int64_t timeout_ns);

#endif
