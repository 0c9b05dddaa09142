/* test_process.c - both ends of the socket between a process's workers and their parent.
 *
 * Here both are threads of one process, so that a heap that fails can meet them: the lab's tests
 * have the processes (lab/tests/test_apart.py).
 */
#include "benches/hosted.h"
#include "coroutines/message.h"
#include "objects/bytes.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct unit unit_process;

enum { STEPS, BYTES }; /* the unit's parameters */
enum { SEATS = 2, OPS_A_STEP = 3, STEPS_DONE = 10, PAYLOAD = 100 };

/* The parent's end has two seats; the child's is the second of them. */
static struct {
    int64_t param[PARAM_MAX];
    struct carrier parent, child;
    struct seat seats[SEATS], seat;
    struct arrivals arrivals[SEATS];
    struct job job;
    _Atomic int phase;
    int told, readied, failed, steps;
} it;

static void hear(struct carrier *c)
{
    assert_ptr_equal(c, &it.parent);
    it.told++;
}

static void be_ready(struct carrier *c)
{
    (void)c;
    it.readied++;
}

static void fail_seat(struct carrier *c, struct seat *s)
{
    assert_ptr_equal(c->seat, s);
    it.failed++;
}

/* Ends its window by itself. */
static int step(struct worker *w)
{
    worker_count(w, OPS_A_STEP);
    if (++it.steps == STEPS_DONE)
        atomic_store_explicit(&it.phase, PHASE_OVER, memory_order_relaxed);
    return 0;
}

static const struct role role = { .name = "worker", .per_thread = 1, .step = step };

static void set_up(int64_t steps, int64_t bytes)
{
    int pair[2];

    memset(&it, 0, sizeof it);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    it.param[STEPS] = steps;
    it.param[BYTES] = bytes;
    it.phase = PHASE_WINDOW;
    it.parent = (struct carrier){ .unit = &unit_process, .param = it.param, .thread = thread_self,
                                  .seat = it.seats, .seats = SEATS, .socket = pair[0],
                                  .arrivals = it.arrivals, .told = hear };
    it.child = (struct carrier){ .unit = &unit_process, .param = it.param, .thread = thread_self,
                                 .phase = &it.phase, .number = 1, .seat = &it.seat, .seats = 1,
                                 .socket = pair[1], .ready = be_ready, .failed = fail_seat };
    it.seat.role = &role;
    it.seat.worker = (struct worker){ .thread = thread_self, .carrier = &it.child };
}

static void close_child(void)
{
    close(it.child.socket);
    it.child.socket = -1;
}

static void clean_up(void)
{
    close(it.parent.socket);
    if (it.child.socket >= 0)
        close(it.child.socket);
}

static int arrived(int seat)
{
    return (int)it.arrivals[seat].ops;
}

static void send_bytes(const void *data, size_t length)
{
    assert_int_equal(send(it.child.socket, data, length, 0), (ssize_t)length);
}

static void send_object(struct object *o /* steals */)
{
    struct message m = { 0 };

    assert_int_equal(message_add(&m, &(char){ RECORD_RESULT }, 1), 0);
    assert_int_equal(message_write(&m, o), 0);
    send_bytes(m.data, m.length);
    message_fini(&m);
    decref(o);
}

static struct object *result_of(int64_t seat, struct object *ops, struct object *payload)
{
    struct object *part[] = { int_new(seat), ops, payload };
    struct object *result = tuple_new(3, part);

    for (int i = 0; i < 3; i++)
        decref(part[i]);
    return result;
}

static void test_what_is_done_arrives(void **state)
{
    static const struct { int64_t steps, bytes; } cases[] = {
        { 1, 0 }, { 1, PAYLOAD }, { 3, 1 }, { STEPS_DONE, 0 }, { 1000, 65536 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_up(cases[i].steps, cases[i].bytes);
        assert_int_equal(unit_process.host(&it.child), 0);
        assert_int_equal(it.readied, 1);
        close_child();
        assert_int_equal(unit_process.receive(&it.parent), 0);
        assert_int_equal(arrived(0), 0);
        assert_int_equal(arrived(1), OPS_A_STEP * STEPS_DONE);
        assert_int_equal(it.failed + it.told, 0);
        clean_up();
    }
}

static void test_only_the_first_role_sends(void **state)
{
    (void)state;
    set_up(1, 0);
    it.seat.worker.role = 1;
    assert_int_equal(unit_process.host(&it.child), 0);
    assert_int_equal(it.steps, STEPS_DONE);
    close_child();
    assert_int_equal(unit_process.receive(&it.parent), 0);
    assert_int_equal(arrived(0) + arrived(1), 0);
    clean_up();
}

static void test_news_are_told_and_count_nothing(void **state)
{
    (void)state;
    set_up(1, 0);
    send_bytes(&(char){ RECORD_NEWS }, 1);
    send_object(result_of(0, int_new(7), none()));
    send_bytes(&(char){ RECORD_NEWS }, 1);
    close_child();
    assert_int_equal(unit_process.receive(&it.parent), 0);
    assert_int_equal(it.told, 2);
    assert_int_equal(arrived(0), 7);
    clean_up();
}

static void expect_refused(void)
{
    close_child();
    assert_int_equal(unit_process.receive(&it.parent), -1);
    assert_raises(&value_error);
    assert_int_equal(arrived(0) + arrived(1), 0);
    clean_up();
}

static void test_what_is_no_result_is_refused(void **state)
{
    (void)state;
    set_up(1, 0);
    send_bytes("r(", 2); /* an end too early */
    expect_refused();
    set_up(1, 0);
    send_object(int_new(1));
    expect_refused();
    set_up(1, 0);
    send_object(result_of(SEATS, int_new(1), none()));
    expect_refused();
    set_up(1, 0);
    send_object(result_of(-1, int_new(1), none()));
    expect_refused();
    set_up(1, 0);
    send_object(result_of(0, none(), none()));
    expect_refused();
}

/* ---- no memory ---- */

static int send_and_end(void)
{
    int result;

    set_up(2, PAYLOAD);
    result = unit_process.host(&it.child);
    clean_up();
    if (result < 0 || it.failed) /* it is pending in both cases */
        return -1;
    return 0;
}

static void test_a_sender_without_memory(void **state)
{
    (void)state;
    fail_everywhere(send_and_end);
}

/* What was sent is made beforehand, with memory. */
static int receive_all(void)
{
    int result = unit_process.receive(&it.parent);

    clean_up();
    return result;
}

static void test_a_receiver_without_memory(void **state)
{
    int64_t before = live_blocks();
    int failures = 0, result;

    (void)state;
    do {
        set_up(1, PAYLOAD);
        for (int i = 0; i < 3; i++)
            send_object(result_of(0, int_new(5), bytes_new("0123456789", 10)));
        close_child();
        fail_allocation(failures + 1);
        result = receive_all();
        if (result < 0) {
            assert_raises(&memory_error);
            assert_true(arrived(0) < 15 && arrived(0) % 5 == 0);
            failures++;
        }
    } while (result < 0);
    fail_allocation(0);
    assert_true(failures > 3);
    assert_int_equal(arrived(0), 15);
    assert_int_equal(live_blocks(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_done_arrives),
        cmocka_unit_test(test_only_the_first_role_sends),
        cmocka_unit_test(test_news_are_told_and_count_nothing),
        cmocka_unit_test(test_what_is_no_result_is_refused),
        cmocka_unit_test(test_a_sender_without_memory),
        cmocka_unit_test(test_a_receiver_without_memory),
    };

    return run_attached(tests);
}
