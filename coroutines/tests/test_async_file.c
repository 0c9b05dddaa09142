/* test_async_file.c - files of a disk as futures, and as threads and greenlets read and write them:
 * short ones, errors, what is cancelled, killed, or left behind by a loop that closes. */
#include "coroutines/async_file.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "coroutines/run.h"
#include "coroutines/switch/way.h"
#include "coroutines/bridge.h"
#include "coroutines/tests/plays.h"
#include "coroutines/thread_pool.h"
#include "coroutines/tests/threads.h"

#include <errno.h>
#include <fcntl.h>

enum { BIG_BYTES = 100000, ROUNDS = 20, PATIENCE_MS = 5000 };

/* ---- what all need ---- */

static struct object *loop;
static FILE *file;
static int fd, ends[2];
static unsigned char big[BIG_BYTES], back[BIG_BYTES];

static int set_up(void **state)
{
    (void)state;
    alarm(TIMEOUT_S);
    loop = make_loop();
    file = tmpfile();
    fd = file ? fileno(file) : -1;
    memset(back, 0, sizeof back);
    for (int i = 0; i < BIG_BYTES; i++)
        big[i] = (unsigned char)(i * 7 + i / 256);
    return file ? 0 : -1;
}

/* What runs elsewhere ends before the file is closed. */
static int tear_down(void **state)
{
    struct object *over = shutdown_default_executor(loop), *result;

    (void)state;
    result = run_until_complete(loop, over);
    decref(over);
    xdecref(result);
    end_loop(loop);
    fclose(file);
    return 0;
}

static void wait_none(struct object *f /* steals */)
{
    struct object *result;

    assert_non_null(f);
    result = run_until_complete(loop, f);
    assert_ptr_equal(result, none());
    decref(f);
}

static void wait_number(struct object *f /* steals */, int64_t expected)
{
    struct object *result;

    assert_non_null(f);
    result = run_until_complete(loop, f);
    assert_non_null(result);
    assert_int_equal(int_value(result), expected);
    decref(result);
    decref(f);
}

static void assert_os_error(struct object *f /* steals */, const char *message)
{
    assert_non_null(f);
    assert_error(!run_until_complete(loop, f), &os_error, message);
    decref(f);
}

static struct object *reading(size_t size_bytes, uint64_t offset)
{
    return async_file_read(loop, fd, back, size_bytes, offset);
}

static struct object *writing(size_t size_bytes, uint64_t offset)
{
    return async_file_write(loop, fd, big, size_bytes, offset);
}

/* ---- futures ---- */

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    wait_none(writing(BIG_BYTES, 5));
    wait_none(async_file_fsync(loop, fd));
    wait_number(reading(BIG_BYTES, 5), BIG_BYTES);
    assert_memory_equal(back, big, BIG_BYTES);
    wait_number(reading(3, 0), 3);
    assert_memory_equal(back, "\0\0\0", 3);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
}

static void test_a_read_is_short_only_at_the_end(void **state)
{
    (void)state;
    wait_none(writing(10000, 0));
    wait_number(reading(BIG_BYTES, 0), 10000);
    wait_number(reading(BIG_BYTES, 9999), 1);
    wait_number(reading(BIG_BYTES, 10000), 0);
    wait_number(reading(0, 0), 0);
    wait_none(writing(0, 0));
}

static void test_it_is_not_done_by_the_call(void **state)
{
    struct object *f = writing(10, 0);
    char text[60];

    (void)state;
    assert_false(future_done(f));
    snprintf(text, sizeof text, "<Future write of file fd=%d pending>", fd);
    assert_repr(f, text);
    wait_none(f);
}

/* What is written is what was there when it was asked for. */
static void test_the_buffer_is_the_callers_again_at_once(void **state)
{
    struct object *f = writing(BIG_BYTES, 0);

    (void)state;
    memset(big, 'x', sizeof big);
    wait_none(f);
    wait_number(reading(BIG_BYTES, 0), BIG_BYTES);
    assert_memory_not_equal(back, big, BIG_BYTES);
    assert_int_equal(back[1], 7);
}

static void test_what_the_kernel_says_is_the_futures_error(void **state)
{
    int full = open("/dev/full", O_WRONLY), read_only = open("/proc/self/exe", O_RDONLY);

    (void)state;
    assert_os_error(async_file_write(loop, full, big, 10, 0), "write: No space left on device");
    assert_os_error(async_file_write(loop, read_only, big, 10, 0), "write: Bad file descriptor");
    assert_os_error(async_file_read(loop, -1, back, 10, 0), "read: Bad file descriptor");
    assert_os_error(async_file_fsync(loop, -1), "fsync: Bad file descriptor");
    close(full);
    close(read_only);
}

static void test_many_at_once(void **state)
{
    struct object *f[ROUNDS];

    (void)state;
    for (int i = 0; i < ROUNDS; i++)
        f[i] = writing(5000, 5000 * (uint64_t)i);
    for (int i = 0; i < ROUNDS; i++)
        wait_none(f[i]);
    for (int i = 0; i < ROUNDS; i++)
        wait_number(reading(5000, 5000 * (uint64_t)i), 5000);
    assert_memory_equal(back, big, 5000);
}

static void test_a_task_awaits_it(void **state)
{
    struct object *f = writing(BIG_BYTES, 0), *task;
    const struct act acts[] = { { AWAIT, .object = f }, { SAY_VALUE }, { END } };
    struct play p = { acts };

    (void)state;
    task = start(loop, &p);
    wait_none(task);
    assert_diary("None");
    decref(f);
    play_end(&p);
}

/* ---- cancelled, and left behind ---- */

static void test_cancelled_it_is_done_and_touches_nothing(void **state)
{
    struct object *f;

    (void)state;
    wait_none(writing(BIG_BYTES, 0));
    f = reading(BIG_BYTES, 0);
    assert_int_equal(future_cancel(f, NULL), 1);
    assert_true(future_cancelled(f));
    wait_number(async_file_read(loop, fd, big, 10, 0), 10); /* it has had its time */
    assert_int_equal(back[1], 0);
    decref(f);
}

static void test_one_that_nobody_holds_is_done(void **state)
{
    (void)state;
    decref(writing(BIG_BYTES, 0));
    wait_none(async_file_fsync(loop, fd));
    while (lseek(fd, 0, SEEK_END) < BIG_BYTES)
        turns(loop, 1);
}

static void test_a_loop_that_closes_leaves_nothing(void **state)
{
    struct object *other = make_loop(), *pool = thread_pool_new(NULL), *f;

    (void)state;
    assert_int_equal(set_default_executor(other, pool), 0);
    f = async_file_write(other, fd, big, BIG_BYTES, 0);
    assert_non_null(f);
    decref(async_file_read(other, fd, back, BIG_BYTES, 0));
    assert_int_equal(loop_close(other), 0);
    assert_false(future_done(f));
    assert_refused(async_file_fsync(other, fd) ? 0 : -1, "Event loop is closed");
    decref(f);
    decref(other);
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    decref(pool);
    for (int i = 0; i < BIG_BYTES; i++)
        assert_int_equal(back[i], 0);
}

/* Something that nobody brings before the loop's thread is detached: true. */
static void *write_when_detached(void *argument)
{
    struct thread *closer = argument;
    bool detached = false;

    for (int ms = 0; ms < PATIENCE_MS && !detached; ms++) {
        detached = atomic_load_explicit(&closer->state, memory_order_relaxed) == THREAD_DETACHED;
        usleep(1000);
    }
    if (write(ends[1], "!", 1) != 1)
        abort();
    return detached ? closer : NULL;
}

/* Here of a pipe, which takes as long as one likes. */
static void test_a_loop_that_closes_waits_detached(void **state)
{
    struct object *other = make_loop(), *target = noter("it is called");
    struct loop_operation op = { .head = { .call = REACTOR_READ, .fd = -1 } };
    pthread_t writer;
    char byte = 0;
    void *detached;

    (void)state;
    if (!loop_submits(other)) {
        decref(target);
        end_loop(other);
        skip();
    }
    assert_int_equal(pipe(ends), 0);
    op.head.fd = ends[0];
    op.head.data = &byte;
    op.head.size_bytes = 1;
    assert_int_equal(loop_submit(other, &op, loop_act_call, target), 0);
    turns(other, 1);
    assert_int_equal(pthread_create(&writer, NULL, write_when_detached, thread_self), 0);
    assert_int_equal(loop_close(other), 0);
    pthread_join(writer, &detached);
    assert_non_null(detached);
    assert_int_equal(byte, '!');
    assert_diary("");
    decref(target);
    decref(other);
    close(ends[0]);
    close(ends[1]);
}

/* ---- threads ---- */

static void test_a_thread_reads_and_writes(void **state)
{
    int full = open("/dev/full", O_WRONLY);

    (void)state;
    assert_int_equal(io_file_write(fd, big, BIG_BYTES, 3), 0);
    assert_int_equal(io_file_fsync(fd), 0);
    assert_int_equal(io_file_read(fd, back, BIG_BYTES, 3), BIG_BYTES);
    assert_memory_equal(back, big, BIG_BYTES);
    assert_int_equal(io_file_read(fd, back, BIG_BYTES, BIG_BYTES), 3);
    assert_int_equal(io_file_read(fd, back, 0, 0), 0);
    assert_error(io_file_write(full, big, 1, 0) < 0, &os_error, "write: No space left on device");
    assert_error(io_file_read(-1, back, 1, 0) < 0, &os_error, "read: Bad file descriptor");
    assert_error(io_file_fsync(-1) < 0, &os_error, "fsync: Bad file descriptor");
    close(full);
}

/* ---- greenlets ---- */

static struct object *spawn(native *body)
{
    struct object *f = function_new("body", body, ARGUMENTS_ANY, NULL), *g;

    assert_non_null(f);
    g = hub_spawn(f, NULL, 0);
    decref(f);
    assert_non_null(g);
    return g;
}

static bool written;

static struct object *use_file(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    assert_int_equal(io_file_write(fd, big, BIG_BYTES, 0), 0);
    written = true;
    assert_int_equal(io_file_fsync(fd), 0);
    assert_int_equal(io_file_read(fd, back, BIG_BYTES, 0), BIG_BYTES);
    assert_memory_equal(back, big, BIG_BYTES);
    assert_error(io_file_read(-1, back, 1, 0) < 0, &os_error, "read: Bad file descriptor");
    return none();
}

static struct object *count_until_written(borrowed closure, borrowed const *arguments, size_t count)
{
    int64_t turns_before = 0;

    (void)closure, (void)arguments, (void)count;
    for (; !written; turns_before++)
        assert_int_equal(hub_sleep_ns(0), 0);
    return int_new(turns_before);
}

static void end_hub(void)
{
    struct object *over = shutdown_default_executor((struct object *)hub_loop());

    assert_int_equal(hub_join(over, HUB_NEVER), 1);
    decref(over);
    hub_end();
}

static void test_a_greenlet_lets_others_run_meanwhile(void **state)
{
    struct object *user, *other, *turns_before;

    (void)state;
    written = false;
    user = spawn(use_file);
    other = spawn(count_until_written);
    assert_int_equal(hub_join(user, HUB_NEVER), 1);
    turns_before = hub_get(other, HUB_NEVER);
    assert_true(int_value(turns_before) > 0);
    decref(turns_before);
    decref(user);
    decref(other);
    end_hub();
}

static struct object *read_into_stack(borrowed closure, borrowed const *arguments, size_t count)
{
    unsigned char data[4096] = "";
    int64_t result = io_file_read(fd, data, sizeof data, 0);

    (void)closure, (void)arguments, (void)count;
    assert_int_equal(result, -1);
    assert_int_equal(data[1], 0);
    return NULL;
}

static void test_one_that_is_killed_goes_at_once(void **state)
{
    struct object *g;

    (void)state;
    assert_int_equal(io_file_write(fd, big, BIG_BYTES, 0), 0);
    g = spawn(read_into_stack);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(g, NULL, true), 0);
    assert_true(future_done(g));
    decref(g);
    end_hub();
}

static struct object *read_part(borrowed closure, borrowed const *arguments, size_t count)
{
    unsigned char data[3000];
    uint64_t offset = (uint64_t)int_value(closure);

    (void)arguments, (void)count;
    memset(data, 0, sizeof data);
    assert_int_equal(io_file_read(fd, data, sizeof data, offset), sizeof data);
    assert_memory_equal(data, big + offset, sizeof data);
    return none();
}

/* All of them run on one stack, and each is somewhere else while it waits. */
static void test_a_stack_may_be_elsewhere_meanwhile(void **state)
{
    struct object *g[ROUNDS];

    (void)state;
    if (way_named("copystack")->refusal())
        skip();
    way_use(way_named("copystack"));
    assert_int_equal(io_file_write(fd, big, BIG_BYTES, 0), 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct object *offset = int_new(1000 * i + 1),
                      *f = function_new("body", read_part, ARGUMENTS_ANY, offset);

        g[i] = hub_spawn(f, NULL, 0);
        assert_non_null(g[i]);
        decref(f);
        decref(offset);
    }
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(hub_join(g[i], HUB_NEVER), 1);
        decref(g[i]);
    }
    end_hub();
    way_use(NULL);
}

/* ---- memory ---- */

static int read_session(void)
{
    struct object *l = loop_new(), *f = NULL;

    if (l)
        f = async_file_read(l, fd, back, 100, 0);
    if (f) {
        struct object *result = run_until_complete(l, f);

        decref(f);
        f = result;
    }
    if (l)
        loop_close(l);
    xdecref(f);
    xdecref(l);
    return f ? 0 : -1;
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    if (!loop_submits(loop))
        skip(); /* threads take memory of their own */
    fail_everywhere(read_session);
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_file(test_what_was_written_is_read),
        with_file(test_a_read_is_short_only_at_the_end),
        with_file(test_it_is_not_done_by_the_call),
        with_file(test_the_buffer_is_the_callers_again_at_once),
        with_file(test_what_the_kernel_says_is_the_futures_error),
        with_file(test_many_at_once),
        with_file(test_a_task_awaits_it),
        with_file(test_cancelled_it_is_done_and_touches_nothing),
        with_file(test_one_that_nobody_holds_is_done),
        with_file(test_a_loop_that_closes_leaves_nothing),
        with_file(test_a_loop_that_closes_waits_detached),
        with_file(test_a_thread_reads_and_writes),
        with_file(test_a_greenlet_lets_others_run_meanwhile),
        with_file(test_one_that_is_killed_goes_at_once),
        with_file(test_a_stack_may_be_elsewhere_meanwhile),
        with_file(test_every_allocation_failing),
    };

    return run_with_threads(tests);
}
