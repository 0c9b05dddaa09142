/* session.c - TLS between two rows of bytes, by OpenSSL.
 *
 * What comes is read by a BIO of our own, which has no buffer: it takes from the caller's. So after
 * the kernel has given bytes away no copy of them can fail. What goes out is in one of OpenSSL's
 * memory BIOs.
 */
#include "coroutines/tls/session.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct tls_session {
    SSL *ssl;
    struct tls_input *in; /* while a call is under way; borrowed */
    char host[100];       /* for messages; "": a server's */
};

/* ---- errors ---- */

static void say(struct tls_error *e, enum tls_failure what, const char *text)
{
    e->what = what;
    snprintf(e->text, sizeof e->text, "%s", text);
}

static bool lacks_memory(unsigned long error)
{
    return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
}

/* Also if another error was noted behind it. */
static bool memory_was_lacking(void)
{
    unsigned long error;
    bool lacking = false;

    while ((error = ERR_get_error()))
        lacking |= lacks_memory(error);
    return lacking;
}

/* What OpenSSL has noted; the thread's list of errors is empty then. */
static void say_noted(struct tls_error *e, const char *otherwise)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;

    say(e, TLS_ERROR, reason ? reason : otherwise);
    if (memory_was_lacking())
        say(e, TLS_NO_MEMORY, "out of memory");
}

static void say_bad_certificate(const struct tls_session *s, struct tls_error *e)
{
    long result = SSL_get_verify_result(s->ssl);
    const char *text = X509_verify_cert_error_string(result);
    bool no_memory = memory_was_lacking() || result == X509_V_ERR_OUT_OF_MEM;

    e->what = no_memory ? TLS_NO_MEMORY : TLS_BAD_CERTIFICATE;
    if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
        snprintf(e->text, sizeof e->text,
                 "certificate verify failed: %s, certificate is not valid for '%.50s'", text,
                 s->host);
    else
        snprintf(e->text, sizeof e->text, "certificate verify failed: %s", text);
}

/* Why a call on the session has failed. */
static void say_why(const struct tls_session *s, struct tls_error *e)
{
    unsigned long error =
        ERR_peek_last_error(); /* other libraries have reasons of the same number */
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;

    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        say(e, TLS_CUT_OFF, "EOF occurred in violation of protocol");
    } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        say_bad_certificate(s, e);
    } else {
        say_noted(e, "the session has failed");
    }
}

/* ---- a BIO that takes from the caller's bytes ---- */

static int bio_read(BIO *bio, char *data, int size_bytes)
{
    const struct tls_session *s = BIO_get_data(bio);
    struct tls_input *in = s->in;
    int taken = size_bytes;

    BIO_clear_retry_flags(bio);
    if (!in || !in->size_bytes) {
        if (in && in->ended)
            return 0;
        BIO_set_retry_read(bio);
        return -1;
    }
    if ((size_t)taken > in->size_bytes)
        taken = (int)in->size_bytes;
    memcpy(data, in->data, (size_t)taken);
    in->data += taken;
    in->size_bytes -= (size_t)taken;
    return taken;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    const struct tls_session *s = BIO_get_data(bio);

    (void)number, (void)pointer;
    if (command == BIO_CTRL_EOF)
        return s->in && s->in->ended && !s->in->size_bytes;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *input_method; /* set once; NULL: there was no memory */
static pthread_once_t input_once = PTHREAD_ONCE_INIT;

static void make_input_method(void)
{
    input_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bytes that came");
    if (input_method && (!BIO_meth_set_read(input_method, bio_read) ||
                         !BIO_meth_set_ctrl(input_method, bio_control))) {
        BIO_meth_free(input_method);
        input_method = NULL;
    }
}

static BIO *input_new(struct tls_session *s)
{
    BIO *bio;

    pthread_once(&input_once, make_input_method);
    bio = input_method ? BIO_new(input_method) : NULL;
    if (!bio)
        return NULL;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- contexts: an SSL_CTX by another name ---- */

static SSL_CTX *as_ctx(struct tls_context *c)
{
    return (SSL_CTX *)c;
}

static SSL_CTX *ctx_new(const SSL_METHOD *method, struct tls_error *e)
{
    SSL_CTX *ctx;

    ERR_clear_error();
    ctx = SSL_CTX_new(method);
    if (ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
        SSL_CTX_set_num_tickets(ctx, 0)) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
        return ctx;
    }
    say_noted(e, "no context");
    SSL_CTX_free(ctx);
    return NULL;
}

static struct tls_context *give_up(SSL_CTX *ctx, struct tls_error *e, const char *otherwise)
{
    say_noted(e, otherwise);
    SSL_CTX_free(ctx);
    return NULL;
}

/* What is enciphered is not for us: nobody is asked at the terminal. */
static int no_password(char *text, int size_bytes, int writing, void *unused)
{
    (void)text, (void)size_bytes, (void)writing, (void)unused;
    return -1;
}

/* Calls `use` with each certificate of a PEM. How many there were; -1. */
static int each_certificate(const char *pem, int (*use)(SSL_CTX *ctx, X509 *x, int i), SSL_CTX *ctx)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x;
    int count = 0, fine = bio != NULL;

    while (fine && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        fine = use(ctx, x, count++);
        X509_free(x);
    }
    if (fine && count && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        ERR_clear_error();
    else
        fine = 0;
    BIO_free(bio);
    return fine ? count : -1;
}

static int trust(SSL_CTX *ctx, X509 *x, int i)
{
    (void)i;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
}

/* The first is one's own. */
static int show(SSL_CTX *ctx, X509 *x, int i)
{
    return i == 0 ? SSL_CTX_use_certificate(ctx, x) : (int)SSL_CTX_add1_chain_cert(ctx, x);
}

struct tls_context *tls_client_context(const char *trusted, struct tls_error *e)
{
    SSL_CTX *ctx = ctx_new(TLS_client_method(), e);

    if (!ctx)
        return NULL;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (each_certificate(trusted, trust, ctx) < 0)
        return give_up(ctx, e, "no certificate");
    return (struct tls_context *)ctx;
}

static int use_key(SSL_CTX *ctx, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    int fine = key && SSL_CTX_use_PrivateKey(ctx, key) && SSL_CTX_check_private_key(ctx);

    EVP_PKEY_free(key);
    BIO_free(bio);
    return fine ? 0 : -1;
}

struct tls_context *tls_server_context(const char *certificates, const char *key,
                                       struct tls_error *e)
{
    SSL_CTX *ctx = ctx_new(TLS_server_method(), e);

    if (!ctx)
        return NULL;
    if (each_certificate(certificates, show, ctx) < 0 || use_key(ctx, key) < 0)
        return give_up(ctx, e, "no certificate");
    return (struct tls_context *)ctx;
}

int tls_context_only(struct tls_context *c, int version)
{
    return SSL_CTX_set_min_proto_version(as_ctx(c), version) &&
                   SSL_CTX_set_max_proto_version(as_ctx(c), version)
               ? 0
               : -1;
}

void tls_thread_end(void)
{
    OPENSSL_thread_stop();
}

void tls_context_free(struct tls_context *c)
{
    SSL_CTX_free(as_ctx(c));
}

/* ---- sessions ---- */

/* An address is looked for among the certificate's addresses, and is not sent as a name. */
static int expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) && (int)SSL_set_tlsext_host_name(ssl, host);
}

/* The session has both from now on. */
static int attach_rows(struct tls_session *s)
{
    BIO *in = input_new(s), *out = BIO_new(BIO_s_mem());

    if (!in || !out) {
        BIO_free(in);
        BIO_free(out);
        return -1;
    }
    SSL_set_bio(s->ssl, in, out);
    return 0;
}

static int prepare(struct tls_session *s, SSL_CTX *ctx, const char *host)
{
    s->ssl = SSL_new(ctx);
    if (!s->ssl || attach_rows(s) < 0)
        return -1;
    if (SSL_is_server(s->ssl)) {
        SSL_set_accept_state(s->ssl);
        return 0;
    }
    assert(host);
    SSL_set_connect_state(s->ssl);
    snprintf(s->host, sizeof s->host, "%s", host);
    return expect_host(s->ssl, host) == 1 ? 0 : -1;
}

struct tls_session *tls_session_new(struct tls_context *c, const char *host, struct tls_error *e)
{
    struct tls_session *s = OPENSSL_zalloc(sizeof *s);

    ERR_clear_error();
    if (s && prepare(s, as_ctx(c), host) == 0)
        return s;
    say(e, TLS_NO_MEMORY, "out of memory");
    ERR_clear_error();
    tls_session_free(s);
    return NULL;
}

void tls_session_free(struct tls_session *s)
{
    if (!s)
        return;
    SSL_free(s->ssl);
    OPENSSL_free(s);
}

static void begin(struct tls_session *s, struct tls_input *in)
{
    ERR_clear_error();
    s->in = in;
}

int tls_shake_hands(struct tls_session *s, struct tls_input *in, struct tls_error *e)
{
    int result;

    begin(s, in);
    result = SSL_do_handshake(s->ssl);
    s->in = NULL;
    if (result == 1)
        return 1;
    if (SSL_get_error(s->ssl, result) == SSL_ERROR_WANT_READ)
        return 0;
    say_why(s, e);
    return -1;
}

int64_t tls_read(struct tls_session *s, struct tls_input *in, void *data, size_t size_bytes,
                 struct tls_error *e)
{
    size_t got = 0;
    int result;

    begin(s, in);
    result = SSL_read_ex(s->ssl, data, size_bytes, &got);
    s->in = NULL;
    if (result == 1)
        return (int64_t)got;
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_NOT_YET;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        say_why(s, e);
        return -1;
    }
}

bool tls_has_more(const struct tls_session *s)
{
    return SSL_pending(s->ssl) > 0;
}

int tls_write(struct tls_session *s, const void *data, size_t size_bytes, struct tls_error *e)
{
    size_t written;

    begin(s, NULL);
    if (SSL_write_ex(s->ssl, data, size_bytes, &written) == 1)
        return 0;
    say_why(s, e);
    return -1;
}

int tls_end(struct tls_session *s, struct tls_error *e)
{
    begin(s, NULL);
    if (SSL_shutdown(s->ssl) >= 0)
        return 0;
    say_why(s, e);
    return -1;
}

size_t tls_outgoing(const struct tls_session *s, const char **data)
{
    char *bytes;
    long size_bytes = BIO_get_mem_data(SSL_get_wbio(s->ssl), &bytes);

    *data = bytes;
    return size_bytes > 0 ? (size_t)size_bytes : 0;
}

void tls_sent(struct tls_session *s)
{
    (void)BIO_reset(SSL_get_wbio(s->ssl));
}

const char *tls_version(const struct tls_session *s)
{
    return SSL_get_version(s->ssl);
}

const char *tls_cipher(const struct tls_session *s)
{
    return SSL_get_cipher_name(s->ssl);
}
