/* session.h - TLS between two rows of bytes: ciphertext in, plaintext out, and the other way round.
 *
 * The part of streams that speaks TLS. It is no object, knows no global lock, and has no
 * descriptor: who has one gives it what came and sends what is to go out. So it never waits, and is
 * built once. By OpenSSL: TLS 1.2 and 1.3, no renegotiation, no session tickets.
 *
 *      what came      --> tls_read    --> plaintext
 *      plaintext      --> tls_write   --> tls_outgoing: what is to be sent
 *                         tls_shake_hands, tls_end   -->  the same
 *
 * A session is made of a context, which has what is said of many: whom to trust, or who one is. A
 * session holds its context. OpenSSL 3.0 takes locks in a context, so it is one for each thread or
 * loop. A client always checks: that the certificate leads to one it trusts, is valid today,
 * and is made out to the host that it called. A server asks its clients for none.
 *
 * Failure is NULL or -1, and *e says what it was. After TLS_ERROR and its kinds, and after
 * TLS_NO_MEMORY, a session is good for nothing, but what it has to say to the peer can still be
 * sent.
 *
 * Source: E. Rescorla, RFC 8446, 2018.
 */
#ifndef COROUTINES_TLS_SESSION_H
#define COROUTINES_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls_session;

enum tls_failure {
    TLS_ERROR,           /* the peer has broken the protocol, or has refused ours */
    TLS_BAD_CERTIFICATE, /* the peer is not who it should be */
    TLS_CUT_OFF,         /* the bytes have ended, and the peer has not said that it ends */
    TLS_NO_MEMORY,
};

struct tls_error {
    enum tls_failure what;
    char text[140];
};

/* ---- contexts ---- */

/* Who trusts these authorities, one or more certificates as PEM. */
struct tls_context *tls_client_context(const char *trusted, struct tls_error *e);

/* Who has this certificate, with those that lead to its authority, and its key, both as PEM. */
struct tls_context *tls_server_context(const char *certificates, const char *key,
                                       struct tls_error *e);

/* For tests: no version but this one, 0x0303 or 0x0304. */
int tls_context_only(struct tls_context *c, int version);

/* Sessions hold it further. */
void tls_context_free(struct tls_context *c /* may be NULL */);

/* The calling thread will not call any of these any more: what OpenSSL keeps for it goes now, and not
 * when it has ended, which may be after the program. */
void tls_thread_end(void);

/* ---- sessions ---- */

/* `host`: a client's, the name or the address that the certificate must be made out to. */
struct tls_session *tls_session_new(struct tls_context *c, const char *host, struct tls_error *e);
void tls_session_free(struct tls_session *s /* may be NULL */);

/* What came and was not looked at yet. Calls move `data` on over what they have taken. */
struct tls_input {
    const char *data;
    size_t size_bytes;
    bool ended; /* nothing comes behind it */
};

enum { TLS_NOT_YET = -2 };

/* 1: both sides know each other; 0: more must come first. */
int tls_shake_hands(struct tls_session *s, struct tls_input *in, struct tls_error *e);

/* Plaintext, at most `size_bytes`; how much, 1 or more; 0: the peer has said that it ends;
 * TLS_NOT_YET: more must come first; -1. */
int64_t tls_read(struct tls_session *s, struct tls_input *in, void *data, size_t size_bytes,
                 struct tls_error *e);

/* Whether tls_read has plaintext without any more input. */
bool tls_has_more(const struct tls_session *s);

/* All of it; the handshake must be done. 0 or -1. */
int tls_write(struct tls_session *s, const void *data, size_t size_bytes, struct tls_error *e);

/* Says that nothing more is written. Reading goes on. */
int tls_end(struct tls_session *s, struct tls_error *e);

/* What is to be sent, in order; *data lives until the next call. Then tls_sent: all of it is taken.
 */
size_t tls_outgoing(const struct tls_session *s, const char **data);
void tls_sent(struct tls_session *s);

/* "TLSv1.3", "TLS_AES_256_GCM_SHA384". */
const char *tls_version(const struct tls_session *s);
const char *tls_cipher(const struct tls_session *s);

#endif
