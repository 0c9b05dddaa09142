/* session_trusts_all.c - tls/session.c, but any certificate of an authority that is trusted will do.
 *
 * The fault: the host that was called is not compared with the one that the certificate is made out
 * to, as in many a client that was written with OpenSSL.
 *
 * Instead of: coroutines/tls/session.c
 * Under: plain
 * Caught by: coroutines/tests/test_tls (debug asan tsan)
 */
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define SSL_set1_host(ssl, host) ((void)(host), 1)
#define X509_VERIFY_PARAM_set1_ip_asc(parameters, host) ((void)(host), 1)
#include "coroutines/tls/session.c"
