/* test_session.c - two sessions that are given each other's bytes, in pieces of any size, whole, or
 * with one that is wrong. */
#include "coroutines/tls/session.h"

#include "coroutines/tls/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_S = 60, ROW_BYTES = 1 << 17, LONG_BYTES = 50000, WRONG_RUNS = 60 };

static struct tls_identity authority, localhost;
static struct tls_context *trusting, *serving;
static uint64_t chance = 1;

static size_t random_below(size_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (size_t)((chance >> 11) % below);
}

/* One end, and what was sent to it. */
struct end {
    struct tls_session *session;
    char row[ROW_BYTES];
    size_t size_bytes, used;
    bool shaken;
};

static struct end client, server;

static void begin(void)
{
    struct tls_error e;

    memset(&client, 0, sizeof client);
    memset(&server, 0, sizeof server);
    client.session = tls_session_new(trusting, "localhost", &e);
    server.session = tls_session_new(serving, NULL, &e);
    assert_non_null(client.session);
    assert_non_null(server.session);
}

static void finish(void)
{
    tls_session_free(client.session);
    tls_session_free(server.session);
}

/* What `from` has to say is sent to the other; one byte of it may be made wrong. */
static void carry(struct end *from, struct end *to, int64_t wrong_byte)
{
    const char *data;
    size_t size_bytes = tls_outgoing(from->session, &data);

    assert_true(to->size_bytes + size_bytes <= ROW_BYTES);
    if (size_bytes)
        memcpy(to->row + to->size_bytes, data, size_bytes);
    if (wrong_byte >= 0 && (size_t)wrong_byte < size_bytes)
        to->row[to->size_bytes + (size_t)wrong_byte] ^= (char)(1 + random_below(255));
    to->size_bytes += size_bytes;
    tls_sent(from->session);
}

/* The next bytes of those that were sent, at most `most`. */
static struct tls_input next_of(const struct end *end, size_t most)
{
    size_t left = end->size_bytes - end->used;

    return (struct tls_input){ end->row + end->used, left < most ? left : most, false };
}

/* One turn of the handshake of `a`, whose words go to `b`. 0 or -1. */
static int shake(struct end *a, struct end *b, size_t most, struct tls_error *e)
{
    struct tls_input in = next_of(a, most);
    size_t before = in.size_bytes;
    int result;

    if (a->shaken)
        return 0;
    result = tls_shake_hands(a->session, &in, e);
    a->used += before - in.size_bytes;
    a->shaken = result == 1;
    carry(a, b, -1);
    return result < 0 ? -1 : 0;
}

static void shake_hands(size_t most)
{
    struct tls_error e;

    for (int i = 0; i < 100000 && !(client.shaken && server.shaken); i++) {
        assert_int_equal(shake(&client, &server, most, &e), 0);
        assert_int_equal(shake(&server, &client, most, &e), 0);
    }
    assert_true(client.shaken && server.shaken);
}

static void test_handshakes_in_pieces(void **state)
{
    const size_t pieces[] = { 1, 7, 100, ROW_BYTES };

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        begin();
        shake_hands(pieces[i]);
        assert_string_equal(tls_version(client.session), "TLSv1.3");
        finish();
    }
}

static void test_plaintext_in_pieces(void **state)
{
    static char sent[LONG_BYTES], got[LONG_BYTES];
    struct tls_error e;
    size_t have = 0;

    (void)state;
    begin();
    shake_hands(ROW_BYTES);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)random_below(256);
    assert_int_equal(tls_write(client.session, sent, sizeof sent, &e), 0);
    assert_int_equal(tls_end(client.session, &e), 0);
    carry(&client, &server, -1);
    for (;;) {
        struct tls_input in = next_of(&server, 1 + random_below(3000));
        size_t before = in.size_bytes;
        int64_t result = tls_read(server.session, &in, got + have, 1 + random_below(500), &e);

        server.used += before - in.size_bytes;
        if (result == 0)
            break;
        assert_true(result > 0 || result == TLS_NOT_YET);
        have += result > 0 ? (size_t)result : 0;
    }
    assert_int_equal(have, sizeof sent);
    assert_memory_equal(got, sent, sizeof sent);
    finish();
}

/* Whichever byte of a record is wrong, nothing of it is read. */
static void test_a_byte_that_is_wrong(void **state)
{
    (void)state;
    for (int i = 0; i < WRONG_RUNS; i++) {
        struct tls_error e;
        struct tls_input in;
        char data[100];

        begin();
        shake_hands(ROW_BYTES);
        server.used = server.size_bytes = 0;
        assert_int_equal(tls_write(client.session, "question", 8, &e), 0);
        carry(&client, &server, (int64_t)random_below(8 + 22));
        in = next_of(&server, ROW_BYTES);
        in.ended = true;
        assert_int_equal(tls_read(server.session, &in, data, sizeof data, &e), -1);
        assert_true(e.what == TLS_ERROR || e.what == TLS_CUT_OFF);
        finish();
    }
}

/* Rubbish in the handshake: an error, or more is wanted; never hands that are shaken. */
static void test_rubbish(void **state)
{
    (void)state;
    for (int i = 0; i < WRONG_RUNS; i++) {
        struct tls_error e;
        int result;

        begin();
        assert_int_equal(shake(&client, &server, ROW_BYTES, &e), 0);
        for (int n = 0; n < 5; n++)
            server.row[random_below(i % 2 ? 12 : server.size_bytes)] = (char)random_below(256);
        result = shake(&server, &client, ROW_BYTES, &e);
        if (result == 0 && client.size_bytes)
            shake(&client, &server, ROW_BYTES, &e);
        assert_false(server.shaken);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshakes_in_pieces),
        cmocka_unit_test(test_plaintext_in_pieces),
        cmocka_unit_test(test_a_byte_that_is_wrong),
        cmocka_unit_test(test_rubbish),
    };
    const char *seed = getenv("TEST_SEED");
    struct tls_error e;
    uint64_t first;
    int failed;

    alarm(TIMEOUT_S); /* a wait that never ends ends the program */
    first = seed ? strtoull(seed, NULL, 10) | 1 : (uint64_t)getpid() * 2 + 1;
    chance = first;
    if (tls_make_identity(&authority, &(struct tls_wish){ .name = "an authority" }) < 0 ||
        tls_make_identity(&localhost, &(struct tls_wish){ .name = "localhost",
                                                          .issuer = &authority }) < 0)
        return 1;
    trusting = tls_client_context(authority.certificate, &e);
    serving = tls_server_context(localhost.certificate, localhost.key, &e);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed)
        fprintf(stderr, "TEST_SEED=%llu\n", (unsigned long long)first);
    tls_context_free(trusting);
    tls_context_free(serving);
    tls_identity_free(&authority);
    tls_identity_free(&localhost);
    return failed;
}
