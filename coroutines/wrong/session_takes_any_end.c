/* session_takes_any_end.c - tls/session.c, but where the bytes end the peer is taken to have ended.
 *
 * The fault: who cuts the connection then decides how much of an answer is all of it.
 *
 * Instead of: coroutines/tls/session.c
 * Under: plain
 * Caught by: coroutines/tests/test_tls (debug asan tsan)
 */
#include <openssl/ssl.h>

#undef SSL_OP_NO_RENEGOTIATION
#define SSL_OP_NO_RENEGOTIATION (SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_BIT(30))
#include "coroutines/tls/session.c"
