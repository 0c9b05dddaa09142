/* certificate.c - certificates made on the spot. */
#include "coroutines/tls/certificate.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 24 * 60 * 60 };

/* What is parsed of an issuer, or made. */
struct parts {
    X509 *certificate;
    EVP_PKEY *key;
};

static void free_parts(struct parts *p)
{
    X509_free(p->certificate);
    EVP_PKEY_free(p->key);
}

static int parse(struct parts *p, const struct tls_identity *i)
{
    BIO *certificate = BIO_new_mem_buf(i->certificate, -1), *key = BIO_new_mem_buf(i->key, -1);

    if (certificate && key) {
        p->certificate = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
        p->key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    }
    BIO_free(certificate);
    BIO_free(key);
    return p->certificate && p->key ? 0 : -1;
}

static int set_names(X509 *x, const char *name, const X509 *issuer)
{
    X509_NAME *subject = X509_get_subject_name(x);

    if (!X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                    -1, 0))
        return -1;
    return X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject) ? 0 : -1;
}

static int set_serial(X509 *x)
{
    static _Atomic long next = 1;

    return ASN1_INTEGER_set(X509_get_serialNumber(x),
                            atomic_fetch_add_explicit(&next, 1, memory_order_relaxed))
               ? 0
               : -1;
}

static int set_times(X509 *x, const struct tls_wish *w)
{
    bool as_usual = !w->from_s && !w->until_s;
    long from_s = as_usual ? -DAY_S : (long)w->from_s;
    long until_s = as_usual ? DAY_S : (long)w->until_s;

    return X509_gmtime_adj(X509_getm_notBefore(x), from_s) &&
                   X509_gmtime_adj(X509_getm_notAfter(x), until_s)
               ? 0
               : -1;
}

static int extend(X509 *x, X509 *issuer, int what, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *e;
    int fine;

    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &context, what, value);
    fine = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return fine ? 0 : -1;
}

static int set_extensions(X509 *x, X509 *issuer, const struct tls_wish *w)
{
    char names[300];

    snprintf(names, sizeof names, "DNS:%s%s%s", w->name, w->address ? ",IP:" : "",
             w->address ? w->address : "");
    if (extend(x, issuer, NID_basic_constraints, w->issuer ? "CA:FALSE" : "critical,CA:TRUE") < 0 ||
        extend(x, issuer, NID_subject_key_identifier, "hash") < 0)
        return -1;
    if (!w->issuer)
        return extend(x, issuer, NID_key_usage, "critical,keyCertSign");
    return extend(x, issuer, NID_subject_alt_name, names);
}

static int make(struct parts *p, const struct parts *issuer, const struct tls_wish *w)
{
    X509 *x = p->certificate = X509_new();

    p->key = EVP_EC_gen("P-256");
    if (!x || !p->key || !X509_set_version(x, X509_VERSION_3) || !X509_set_pubkey(x, p->key))
        return -1;
    if (set_serial(x) < 0 || set_times(x, w) < 0 || set_names(x, w->name, issuer->certificate) < 0)
        return -1;
    if (set_extensions(x, issuer->certificate ? issuer->certificate : x, w) < 0)
        return -1;
    return X509_sign(x, issuer->key ? issuer->key : p->key, EVP_sha256()) ? 0 : -1;
}

static char *text_of(BIO *bio)
{
    char *bytes, *text;
    long length = BIO_get_mem_data(bio, &bytes);

    text = length > 0 ? strndup(bytes, (size_t)length) : NULL;
    BIO_free(bio);
    return text;
}

static int write_out(struct tls_identity *made, const struct parts *p)
{
    BIO *certificate = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());

    if (certificate && key) {
        PEM_write_bio_X509(certificate, p->certificate);
        PEM_write_bio_PrivateKey(key, p->key, NULL, NULL, 0, NULL, NULL);
    }
    made->certificate = certificate ? text_of(certificate) : NULL;
    made->key = key ? text_of(key) : NULL;
    return made->certificate && made->key ? 0 : -1;
}

int tls_make_identity(struct tls_identity *made, const struct tls_wish *w)
{
    struct parts p = { NULL }, issuer = { NULL };
    int result = w->issuer ? parse(&issuer, w->issuer) : 0;

    *made = (struct tls_identity){ NULL };
    if (result == 0)
        result = make(&p, &issuer, w);
    if (result == 0)
        result = write_out(made, &p);
    free_parts(&p);
    free_parts(&issuer);
    if (result < 0)
        tls_identity_free(made);
    return result;
}

int tls_make_localhost(struct tls_identity *authority, struct tls_identity *localhost)
{
    *localhost = (struct tls_identity){ NULL };
    if (tls_make_identity(authority, &(struct tls_wish){ .name = "the lab" }) < 0)
        return -1;
    if (tls_make_identity(localhost, &(struct tls_wish){ .name = "localhost", .address = "127.0.0.1",
                                                         .issuer = authority }) == 0)
        return 0;
    tls_identity_free(authority);
    return -1;
}

void tls_identity_free(struct tls_identity *i)
{
    free(i->certificate);
    free(i->key);
    *i = (struct tls_identity){ NULL };
}
