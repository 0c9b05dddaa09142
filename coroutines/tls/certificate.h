/* certificate.h - certificates made on the spot, for tests and for workloads: EC keys on P-256.
 *
 * Not for use: keys are in plain text, and serial numbers begin anew with each program.
 */
#ifndef COROUTINES_TLS_CERTIFICATE_H
#define COROUTINES_TLS_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

/* Both as PEM, to be freed. */
struct tls_identity {
    char *certificate, *key;
};

struct tls_wish {
    const char *name;                  /* "localhost"; of whom it is */
    const char *address;               /* "127.0.0.1", too; NULL: none */
    const struct tls_identity *issuer; /* NULL: it is an authority, which has issued itself */
    int64_t from_s, until_s;           /* seconds from now; both 0: from yesterday until tomorrow */
};

/* 0; -1: *made is empty. */
int tls_make_identity(struct tls_identity *made, const struct tls_wish *wish);

/* An authority, and what it has issued to `localhost` and 127.0.0.1. 0; -1: both are empty. */
int tls_make_localhost(struct tls_identity *authority, struct tls_identity *localhost);

void tls_identity_free(struct tls_identity *i);

#endif
