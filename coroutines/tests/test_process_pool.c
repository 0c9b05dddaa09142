/* test_process_pool.c - executors of processes.
 *
 * Each test is named after the one of CPython's Lib/test/test_concurrent_futures
 * (test_process_pool.py, test_deadlock.py, test_shutdown.py, test_init.py) that says what is
 * right, or after what is our own. The functions that are called run in other processes: they
 * meet the tests by what they are given and return, and at pipes.
 */
#include "coroutines/job_wait.h"
#include "coroutines/nursery.h"
#include "coroutines/process_pool.h"
#include "coroutines/tests/pools.h"
#include "gil/tests/open_files.h"
#include "objects/bytes.h"
#include "objects/cell.h"
#include "objects/iterator.h"
#include "objects/range.h"
#include "objects/set.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BIG_BYTES = 3 << 20, PIPES = 4 };

/* ---- what is called elsewhere ---- */

/* Made before there is any process: a call that waits at one reads a byte. */
static int pipes[PIPES][2];

static struct object *process_number(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return int_new(getpid());
}

/* At which pipe stands in the argument. Returns which process it is. */
static struct object *wait_at_pipe(borrowed closure, borrowed const *arguments, size_t count)
{
    char byte;

    while (read(pipes[int_value(arguments[0])][0], &byte, 1) < 0 && errno == EINTR) { }
    return process_number(closure, arguments, count);
}

/* The same, and gives back the other argument. */
static struct object *pass_pipe(borrowed closure, borrowed const *arguments, size_t count)
{
    xdecref(wait_at_pipe(closure, arguments, count));
    return incref(arguments[1]);
}

static struct object *kill_self(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    raise(SIGKILL);
    return NULL;
}

static struct object *kill_with_data(borrowed closure, borrowed const *arguments, size_t count)
{
    return kill_self(closure, arguments, count);
}

static struct object *exit_at_once(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    _exit(0);
}

static struct object *return_cell(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return cell_new(NULL);
}

static struct object *raise_with_cell(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *cell = cell_new(NULL);

    (void)closure;
    (void)arguments;
    (void)count;
    exception_set_key(cell);
    decref(cell);
    return NULL;
}

/* A tuple that takes as many bytes in a message as the argument says. It holds one piece many
 * times, and so takes few here. */
static struct object *fill_message(borrowed closure, borrowed const *arguments, size_t count)
{
    enum { HEAD_BYTES = 5, PIECES = 256, PIECE_BYTES = MESSAGE_MOST_BYTES / PIECES - HEAD_BYTES };
    static const char data[PIECE_BYTES];
    struct object *piece = bytes_new(data, PIECE_BYTES), *items[PIECES], *tuple;
    size_t wanted = (size_t)int_value(arguments[0]);

    (void)closure;
    (void)count;
    for (int i = 0; i < PIECES - 1; i++)
        items[i] = piece;
    items[PIECES - 1] =
        bytes_new(data, wanted - (PIECES - 1) * (PIECE_BYTES + HEAD_BYTES) - 2 * HEAD_BYTES);
    tuple = tuple_new(PIECES, items);
    DROP(piece, items[PIECES - 1]);
    return tuple;
}

static int own_socket(void)
{
    for (int fd = 0; fd < 256; fd++) {
        int type;
        socklen_t size = sizeof type;

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0)
            return fd;
    }
    return -1;
}

/* Says on its own what the pool must not believe. `arguments[0]`: as bytes. */
static _Noreturn struct object *say_garbage(borrowed closure, borrowed const *arguments,
                                            size_t count)
{
    ssize_t sent = send(own_socket(), bytes_data(arguments[0]), bytes_length(arguments[0]), 0);

    (void)closure;
    (void)count;
    (void)sent;
    for (;;)
        pause(); /* until it is killed for it */
}

static int64_t initial;

static struct object *initialise(borrowed closure, borrowed const *arguments, size_t count)
{
    if (arguments[0] == none())
        return raise_value_error(closure, arguments, count);
    initial = int_value(arguments[0]);
    return none();
}

static struct object *get_initialised(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return int_new(initial);
}

static const struct sendable table[] = {
    { "add_two", add_two, 2 },
    { "give_back", give_back, 1 },
    { "raise_value_error", raise_value_error, 0 },
    { "process_number", process_number, 0 },
    { "process_number_of", process_number, 1 },
    { "wait_at_pipe", wait_at_pipe, 1 },
    { "pass_pipe", pass_pipe, 2 },
    { "kill_self", kill_self, 0 },
    { "kill_with_data", kill_with_data, 1 },
    { "exit_at_once", exit_at_once, 0 },
    { "return_cell", return_cell, 0 },
    { "raise_with_cell", raise_with_cell, 0 },
    { "fill_message", fill_message, 1 },
    { "say_garbage", say_garbage, 1 },
    { "initialise", initialise, 1 },
    { "get_initialised", get_initialised, 0 },
    { NULL, NULL, 0 },
};

static struct object *known(const char *name)
{
    const struct sendable *s = nursery_find(name);
    struct object *f = function_new(name, s->body, s->count, NULL);

    assert_non_null(f);
    return f;
}

static void let_one_pass(int pipe)
{
    assert_int_equal(write(pipes[pipe][1], "", 1), 1);
}

static struct object *pool_of(int workers)
{
    struct object *pool = process_pool_new(&(struct pool_options){ .workers = workers });

    assert_non_null(pool);
    return pool;
}

static void end_pool(struct object *pool)
{
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    assert_int_equal(process_pool_processes(pool), 0);
    decref(pool);
}

/* Calls the function of that name; steals the argument, which may be NULL. */
static struct object *submit(borrowed pool, const char *name, struct object *argument)
{
    struct object *f = known(name), *job;

    job = executor_submit(pool, f, (borrowed[]){ argument }, argument ? 1 : 0);
    assert_non_null(job);
    decref(f);
    xdecref(argument);
    return job;
}

static int64_t int_result(struct object *job /* steals */)
{
    struct object *result = job_result(job, long_ns);
    int64_t value;

    assert_non_null(result);
    value = int_value(result);
    DROP(job, result);
    return value;
}

/* ---- calls ---- */

static void test_submit(void **state)
{
    struct object *add = known("add_two"), *a = int_new(2), *b = int_new(40), *pool, *job;
    int files = open_files();

    (void)state;
    pool = pool_of(2);
    job = executor_submit(pool, add, (borrowed[]){ a, b }, 2);
    assert_result(job, 42);
    assert_int_not_equal(int_result(submit(pool, "process_number", NULL)), getpid());
    end_pool(pool);
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(open_files(), files);
    DROP(add, a, b, job);
}

static void test_map(void **state)
{
    struct object *pool = pool_of(3), *f = known("add_two"), *ten = range_new(0, 10), *item, *it;

    (void)state;
    it = executor_map(pool, f, (borrowed[]){ ten, ten }, 2, BLOCK_FOREVER);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(iterator_step(it, &item), STEP_NEXT);
        assert_int_equal(int_value(item), 2 * i);
        decref(item);
    }
    assert_int_equal(iterator_step(it, &item), STEP_RETURN);
    end_pool(pool);
    DROP(f, ten, it);
}

/* Three rows at a time, in as many jobs; in one task each, so they are made by as many processes as
 * those that may do one each. */
static void test_map_chunksize(void **state)
{
    struct object *pool = process_pool_new(&(struct pool_options){ .workers = 1,
                                                                   .tasks_per_child = 1 });
    struct object *f = known("process_number_of"), *seven = range_new(0, 7), *item, *it;
    int64_t number[7];

    (void)state;
    assert_null(executor_map_in_chunks(pool, f, (borrowed[]){ seven }, 1, BLOCK_FOREVER, 0));
    assert_error(&value_error, "chunksize must be >= 1.");
    it = executor_map_in_chunks(pool, f, (borrowed[]){ seven }, 1, BLOCK_FOREVER, 3);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(iterator_step(it, &item), STEP_NEXT);
        number[i] = int_value(item);
        decref(item);
    }
    assert_int_equal(iterator_step(it, &item), STEP_RETURN);
    assert_true(number[0] == number[1] && number[1] == number[2]);
    assert_true(number[3] == number[4] && number[4] == number[5]);
    assert_true(number[2] != number[3] && number[5] != number[6]);
    end_pool(pool);
    DROP(f, seven, it);
}

static void test_map_in_chunks_keeps_order(void **state)
{
    static const size_t chunks[] = { 1, 2, 10, 100 };
    struct object *pool = pool_of(2), *f = known("add_two"), *ten = range_new(0, 10), *item, *it;

    (void)state;
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
        it = executor_map_in_chunks(pool, f, (borrowed[]){ ten, ten }, 2, BLOCK_FOREVER, chunks[c]);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(iterator_step(it, &item), STEP_NEXT);
            assert_int_equal(int_value(item), 2 * i);
            decref(item);
        }
        assert_int_equal(iterator_step(it, &item), STEP_RETURN);
        decref(it);
    }
    end_pool(pool);
    DROP(f, ten);
}

/* Of what raises in a chunk all is lost; of what no process knows, too. */
static void test_errors_of_chunks(void **state)
{
    struct object *pool = pool_of(1), *bad = known("raise_value_error"), *three = range_new(0, 3);
    struct object *unknown = function_new("unknown", add_two, 2, NULL), *item, *it, *empty;

    (void)state;
    empty = list_new();
    it = executor_map_in_chunks(pool, bad, (borrowed[]){ empty }, 1, BLOCK_FOREVER, 2);
    assert_int_equal(iterator_step(it, &item), STEP_RETURN);
    decref(it);
    it = executor_map_in_chunks(pool, unknown, (borrowed[]){ three }, 1, BLOCK_FOREVER, 2);
    assert_int_equal(iterator_step(it, &item), STEP_ERROR);
    assert_raises(&type_error);
    decref(it);
    it = executor_map_in_chunks(pool, bad, (borrowed[]){ three }, 1, BLOCK_FOREVER, 2);
    assert_int_equal(iterator_step(it, &item), STEP_ERROR);
    assert_raises(&type_error); /* it takes none */
    assert_int_equal(iterator_step(it, &item), STEP_RETURN);
    end_pool(pool);
    DROP(bad, unknown, three, it, empty);
}

enum { STEPPERS = 2, ROWS = 6, ROWS_IN_CHUNK = 3 };

static struct object *stepped; /* an iterator */
static _Atomic int values_seen[ROWS], refused, steppers;

/* One step. Whoever is refused lets the first chunk pass, for which the other waits. */
static void step_once(struct thread *self, struct recruit *r)
{
    struct object *item;

    (void)self;
    recruit_ready(r);
    if (iterator_step(stepped, &item) == STEP_NEXT) {
        atomic_fetch_add_explicit(&values_seen[int_value(item)], 1, memory_order_relaxed);
        decref(item);
    } else if (exception_matches(&value_error)) {
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
        for (int i = 0; i < ROWS_IN_CHUNK; i++)
            let_one_pass(0);
    }
    exception_restore(NULL);
    atomic_fetch_sub_explicit(&steppers, 1, memory_order_release);
}

/* One of them waits for the first chunk, and the other is refused: it would wait for the second and
 * put it where the rest of the first is. All results are there, each once. */
static void test_chunks_are_stepped_by_one_at_a_time(void **state)
{
    struct object *pool = pool_of(1), *f = known("pass_pipe"), *values = range_new(0, ROWS), *item;
    struct object *pipes_of_rows = list_new(), *number;

    (void)state;
    for (int i = 0; i < ROWS; i++) {
        number = int_new(i / ROWS_IN_CHUNK);
        list_append(pipes_of_rows, number);
        decref(number);
        atomic_store_explicit(&values_seen[i], 0, memory_order_relaxed);
    }
    refused = 0;
    steppers = STEPPERS;
    stepped = executor_map_in_chunks(pool, f, (borrowed[]){ pipes_of_rows, values }, 2, long_ns,
                                     ROWS_IN_CHUNK);
    publish(stepped);
    for (int i = 0; i < STEPPERS; i++)
        assert_int_equal(recruit_start(&(struct recruit){ .name = "stepper", .body = step_once }),
                         0);
    while (atomic_load_explicit(&steppers, memory_order_acquire))
        look_again_later();
    assert_int_equal(refused, 1);
    for (int i = 0; i < ROWS_IN_CHUNK; i++)
        let_one_pass(1);
    while (iterator_step(stepped, &item) == STEP_NEXT) {
        atomic_fetch_add_explicit(&values_seen[int_value(item)], 1, memory_order_relaxed);
        decref(item);
    }
    assert_null(exception_pending());
    for (int i = 0; i < ROWS; i++)
        assert_int_equal(values_seen[i], 1);
    end_pool(pool);
    recruit_join_all();
    DROP(f, values, pipes_of_rows, stepped);
}

/* With the text of what happened there as its cause. */
static void test_traceback(void **state)
{
    struct object *pool = pool_of(1), *job = submit(pool, "raise_value_error", NULL), *e, *cause;

    (void)state;
    e = job_exception(job, long_ns);
    assert_ptr_equal(type_of(e), &value_error);
    assert_string_equal(exception_message(e), "as asked");
    cause = exception_cause(e);
    assert_ptr_equal(type_of(cause), &remote_traceback);
    assert_string_equal(exception_message(cause), "\n\"\"\"\nValueError: as asked\n\"\"\"");
    end_pool(pool);
    DROP(job, e, cause);
}

static void test_idle_process_reuse_one(void **state)
{
    struct object *pool = pool_of(4);
    int64_t first;

    (void)state;
    assert_int_equal(process_pool_processes(pool), 0);
    first = int_result(submit(pool, "process_number", NULL));
    for (int i = 0; i < 10; i++)
        assert_int_equal(int_result(submit(pool, "process_number", NULL)), first);
    assert_int_equal(process_pool_processes(pool), 1);
    end_pool(pool);
}

/* Which of two calls in a row finds a free process is a race in CPython; not here. */
static void test_idle_process_reuse_multiple(void **state)
{
    struct object *pool = pool_of(5), *beside[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        beside[i] = submit(pool, "process_number", NULL);
        assert_true(int_result(submit(pool, "process_number", NULL)) > 0);
    }
    assert_true(process_pool_processes(pool) <= 3);
    for (int i = 0; i < 3; i++)
        assert_true(int_result(beside[i]) > 0);
    end_pool(pool);
}

static void test_saturation(void **state)
{
    struct object *pool = pool_of(2), *jobs[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        jobs[i] = submit(pool, "wait_at_pipe", int_new(0));
    for (int i = 0; i < 6; i++)
        let_one_pass(0);
    for (int i = 0; i < 6; i++)
        assert_true(int_result(jobs[i]) > 0);
    assert_int_equal(process_pool_processes(pool), 2);
    end_pool(pool);
}

/* At most workers + 1 are past being cancelled; here as many as workers. */
static void test_queued_calls_can_be_cancelled(void **state)
{
    struct object *pool = pool_of(2), *jobs[6];
    int cancelled = 0;

    (void)state;
    for (int i = 0; i < 6; i++)
        jobs[i] = submit(pool, "wait_at_pipe", int_new(0));
    while (!job_is_running(jobs[1])) /* calls begin in order */
        look_again_later();
    for (int i = 0; i < 6; i++)
        cancelled += job_cancel(jobs[i]);
    assert_in_range(cancelled, 6 - (2 + 1), 4);
    for (int i = 0; i < 2; i++)
        let_one_pass(0);
    for (int i = 0; i < 2; i++)
        assert_true(int_result(jobs[i]) > 0);
    end_pool(pool);
    for (int i = 2; i < 6; i++)
        assert_true(job_is_cancelled(jobs[i]));
    decref_all(jobs + 2, 4);
}

static void test_max_tasks_per_child(void **state)
{
    struct object *pool = process_pool_new(&(struct pool_options){ .workers = 1,
                                                                   .tasks_per_child = 3 });
    int64_t number[7];

    (void)state;
    for (int i = 0; i < 7; i++)
        number[i] = int_result(submit(pool, "process_number", NULL));
    assert_int_equal(number[0], number[2]);
    assert_int_equal(number[3], number[5]);
    assert_int_not_equal(number[2], number[3]);
    assert_int_not_equal(number[5], number[6]);
    assert_int_equal(process_pool_processes(pool), 1);
    end_pool(pool);
}

/* What is queued when it is shut down takes processes that are not there yet. */
static void test_max_tasks_early_shutdown(void **state)
{
    struct object *pool = process_pool_new(&(struct pool_options){ .workers = 3,
                                                                   .tasks_per_child = 1 });
    struct object *jobs[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        jobs[i] = submit(pool, "give_back", int_new(i * i));
    end_pool(pool);
    for (int i = 0; i < 6; i++)
        assert_int_equal(int_result(jobs[i]), i * i);
}

static void test_options_that_make_no_sense(void **state)
{
    (void)state;
    assert_null(process_pool_new(&(struct pool_options){ .workers_given = true }));
    assert_error(&value_error, "max_workers must be greater than 0");
    assert_null(process_pool_new(&(struct pool_options){ .tasks_given = true }));
    assert_error(&value_error, "max_tasks_per_child must be >= 1");
    assert_null(process_pool_new(&(struct pool_options){ .workers = 100000 }));
    assert_error(&value_error, "max_workers must be <= 256");
    assert_null(process_pool_new(&(struct pool_options){ .initialiser = none() }));
    assert_error(&type_error, "initializer must be a callable");
}

/* ---- what cannot be copied ---- */

/* The pool is as good as before. */
static void assert_works(struct object *pool)
{
    assert_true(int_result(submit(pool, "process_number", NULL)) > 0);
    end_pool(pool);
}

static void test_error_at_task_pickle(void **state)
{
    struct object *pool = pool_of(2), *job = submit(pool, "give_back", cell_new(NULL));

    (void)state;
    assert_null(job_result(job, long_ns));
    assert_error(&type_error, "cannot pickle 'cell' object");
    assert_works(pool);
    decref(job);
}

static void test_function_that_no_process_knows(void **state)
{
    struct object *pool = pool_of(2), *f = function_new("unknown", give_back, 1, NULL), *job;

    (void)state;
    job = executor_submit(pool, f, (borrowed[]){ none() }, 1);
    assert_null(job_result(job, long_ns));
    assert_error(&type_error, "cannot pickle <function unknown>: no process knows it by name");
    assert_works(pool);
    DROP(f, job);
}

static void test_error_during_result_pickle_in_worker(void **state)
{
    struct object *pool = pool_of(2), *job = submit(pool, "return_cell", NULL);

    (void)state;
    assert_null(job_result(job, long_ns));
    assert_error(&type_error, "cannot pickle 'cell' object");
    decref(job);
    job = submit(pool, "raise_with_cell", NULL);
    assert_null(job_result(job, long_ns));
    assert_error(&type_error, "cannot pickle 'cell' object");
    assert_works(pool);
    decref(job);
}

/* More than a socket holds, there and back; two processes at once. */
static void test_big_data(void **state)
{
    struct object *pool = pool_of(2), *jobs[4], *result;
    char *data = malloc(BIG_BYTES);

    (void)state;
    for (int i = 0; i < BIG_BYTES; i++)
        data[i] = (char)(i * 7 + i / 1000);
    for (int i = 0; i < 4; i++)
        jobs[i] = submit(pool, "give_back", bytes_new(data, BIG_BYTES - (size_t)i));
    for (int i = 0; i < 4; i++) {
        result = job_result(jobs[i], long_ns);
        assert_int_equal(bytes_length(result), BIG_BYTES - i);
        assert_memory_equal(bytes_data(result), data, BIG_BYTES - (size_t)i);
        decref(result);
    }
    free(data);
    end_pool(pool);
    decref_all(jobs, 4);
}

/* By one byte: what is too long with its head alone. It is of no use to make what is just not too
 * long, which takes both processes all that memory. */
static void test_a_result_that_is_too_long_with_its_head(void **state)
{
    struct object *pool = pool_of(1), *job;
    char message[80];

    (void)state;
    snprintf(message, sizeof message, "an answer would be longer than %zu bytes", FRAME_MOST_BYTES);
    job = submit(pool, "fill_message", int_new((int64_t)FRAME_MOST_BYTES + 1));
    assert_null(job_result(job, long_ns));
    assert_error(&overflow_error, message);
    decref(job);
    job = submit(pool, "fill_message", int_new(MESSAGE_MOST_BYTES));
    assert_null(job_result(job, long_ns));
    assert_error(&overflow_error, message);
    assert_works(pool);
    decref(job);
}

/* ---- processes that cannot be started ---- */

/* No descriptor can be made any more. Returns what to give back. */
static struct rlimit forbid_descriptors(void)
{
    struct rlimit before, few;
    int lowest = dup(0);

    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ (rlim_t)lowest, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    return before;
}

/* The one that is there comes to two jobs, of which the second waits while the first is given to
 * it: then another is asked for, in vain. Later there are two. */
static void test_a_process_that_cannot_be_started_breaks_nothing(void **state)
{
    struct object *pool = pool_of(2), *jobs[3];
    struct rlimit before;
    int64_t number;

    (void)state;
    jobs[0] = submit(pool, "wait_at_pipe", int_new(0));
    while (!job_is_running(jobs[0]))
        look_again_later();
    before = forbid_descriptors();
    jobs[1] = submit(pool, "wait_at_pipe", int_new(1));
    jobs[2] = submit(pool, "process_number", NULL);
    let_one_pass(0);
    number = int_result(jobs[0]);
    let_one_pass(1);
    assert_int_equal(int_result(jobs[1]), number);
    assert_int_equal(int_result(jobs[2]), number);
    assert_int_equal(process_pool_processes(pool), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    jobs[0] = submit(pool, "wait_at_pipe", int_new(0));
    assert_int_not_equal(int_result(submit(pool, "process_number", NULL)), number);
    let_one_pass(0);
    assert_int_equal(int_result(jobs[0]), number);
    end_pool(pool);
}

/* There is nobody who could do it. */
static void test_a_first_process_that_cannot_be_started_breaks_the_pool(void **state)
{
    struct object *pool = pool_of(2), *job;
    struct rlimit before = forbid_descriptors();

    (void)state;
    job = submit(pool, "process_number", NULL);
    assert_null(job_result(job, long_ns));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(exception_matches(&broken_process_pool));
    exception_restore(NULL);
    end_pool(pool);
    decref(job);
}

/* ---- processes that die ---- */

static const char terminated[] = "A process in the process pool was terminated abruptly while "
                                 "the future was running or pending.";

/* All that was not done has failed, later submits raise; steals pool and jobs. */
static void assert_broken(struct object *pool, struct object **jobs, size_t count)
{
    struct object *f = known("process_number");

    for (size_t i = 0; i < count; i++) {
        assert_null(job_result(jobs[i], long_ns));
        assert_error(&broken_process_pool, terminated);
    }
    assert_null(executor_submit(pool, f, NULL, 0));
    assert_error(&broken_process_pool, "A child process terminated abruptly, the process pool is "
                                       "not usable anymore");
    end_pool(pool);
    decref_all(jobs, count);
    decref(f);
}

static void test_killed_child(void **state)
{
    struct object *pool = pool_of(2), *jobs[6];
    int64_t process = int_result(submit(pool, "process_number", NULL));

    (void)state;
    for (int i = 0; i < 6; i++)
        jobs[i] = submit(pool, "wait_at_pipe", int_new(1));
    kill((pid_t)process, SIGKILL);
    assert_broken(pool, jobs, 6);
}

/* While it has nothing to do. */
static void test_killed_while_idle(void **state)
{
    struct object *pool = pool_of(1), *f = known("process_number"), *job;
    int64_t process = int_result(submit(pool, "process_number", NULL));

    (void)state;
    kill((pid_t)process, SIGKILL);
    while ((job = executor_submit(pool, f, NULL, 0))) { /* until it is seen */
        xdecref(job_result(job, long_ns));
        exception_restore(NULL);
        decref(job);
    }
    assert_raises(&broken_process_pool);
    decref(f);
    assert_broken(pool, NULL, 0);
}

/* While much is being written to it, or to others. */
static void test_crash_big_data(void **state)
{
    struct object *pool = pool_of(2), *f = known("kill_with_data"), *item, *it, *list = list_new();
    char *data = malloc(BIG_BYTES);
    struct object *big;

    (void)state;
    memset(data, 'a', BIG_BYTES);
    big = bytes_new(data, BIG_BYTES);
    free(data);
    for (int i = 0; i < 10; i++)
        assert_int_equal(list_append(list, big), 0);
    it = executor_map(pool, f, (borrowed[]){ list }, 1, BLOCK_FOREVER);
    assert_int_equal(iterator_step(it, &item), STEP_ERROR);
    assert_error(&broken_process_pool, terminated);
    end_pool(pool);
    DROP(f, it, list, big);
}

/* One that fails after the shutdown has been asked for. */
static void test_shutdown_deadlock(void **state)
{
    struct object *pool = pool_of(2), *job = submit(pool, "kill_self", NULL);

    (void)state;
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    assert_null(job_result(job, long_ns));
    assert_error(&broken_process_pool, terminated);
    end_pool(pool);
    decref(job);
}

static void test_shutdown_deadlock_pickle(void **state)
{
    struct object *pool = pool_of(2), *job;

    (void)state;
    assert_true(int_result(submit(pool, "process_number", NULL)) > 0);
    job = submit(pool, "give_back", cell_new(NULL));
    assert_int_equal(executor_shutdown(pool, false, false), 0);
    assert_null(job_result(job, long_ns));
    assert_error(&type_error, "cannot pickle 'cell' object");
    end_pool(pool);
    decref(job);
}

static void test_crash_during_func_exec_on_worker(void **state)
{
    struct object *pool = pool_of(2), *job = submit(pool, "kill_self", NULL);

    (void)state;
    assert_broken(pool, &job, 1);
}

static void test_exit_during_func_exec_on_worker(void **state)
{
    struct object *pool = pool_of(2), *job = submit(pool, "exit_at_once", NULL);

    (void)state;
    assert_broken(pool, &job, 1);
}

/* As a frame that is none, that is of another call, that is too long, or holds no object. */
static void test_error_during_result_unpickle_in_result_handler(void **state)
{
    static const struct frame_head frames[] = {
        { 0, 99, 0 }, { 1, FRAME_RESULT, 77 }, { UINT32_MAX, FRAME_RESULT, 0 },
        { 1, FRAME_RESULT, 0 }, { 2, FRAME_RESULT, 0 }, { 2, FRAME_ERROR, 0 },
        { 1, FRAME_UNFIT, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        char data[sizeof(struct frame_head) + 2] = { 0 };
        struct object *pool = pool_of(1), *job, *e, *cause;
        size_t said;

        memcpy(data, &frames[i], sizeof *frames);
        data[sizeof *frames] = i == 3 ? '?' : 'N'; /* or one object and more */
        data[sizeof *frames + 1] = 'N';
        said = sizeof *frames + (frames[i].length < 2 ? frames[i].length : 2);
        job = submit(pool, "say_garbage", bytes_new(data, said));
        e = job_exception(job, long_ns);
        assert_ptr_equal(type_of(e), &broken_process_pool);
        cause = exception_cause(e);
        assert_ptr_equal(type_of(cause), &value_error);
        assert_string_equal(exception_message(cause), "a message is damaged");
        assert_broken(pool, &job, 1);
        DROP(e, cause);
    }
}

/* ---- initialisers ---- */

static struct object *initialised_pool(struct object *argument /* steals */)
{
    struct object *init = known("initialise"), *pool;

    pool = process_pool_new(&(struct pool_options){ .workers = 2, .initialiser = init,
                                                    .arguments = (borrowed[]){ argument },
                                                    .count = 1 });
    assert_non_null(pool);
    DROP(init, argument);
    return pool;
}

static void test_initializer(void **state)
{
    struct object *pool = initialised_pool(int_new(77));

    (void)state;
    assert_int_equal(int_result(submit(pool, "get_initialised", NULL)), 77);
    end_pool(pool);
}

static void test_failing_initializer(void **state)
{
    struct object *pool = initialised_pool(none()), *job = submit(pool, "get_initialised", NULL);

    (void)state;
    assert_broken(pool, &job, 1);
    assert_int_equal(heard_count(), 1);
    assert_string_equal(heard.what, "Exception in initializer:");
    assert_string_equal(heard.kind, "ValueError");
}

static void test_initializer_that_cannot_be_sent(void **state)
{
    struct object *init = known("initialise"), *cell = cell_new(NULL);

    (void)state;
    assert_null(process_pool_new(&(struct pool_options){ .initialiser = init,
                                                         .arguments = (borrowed[]){ cell },
                                                         .count = 1 }));
    assert_error(&type_error, "cannot pickle 'cell' object");
    DROP(init, cell);
}

/* ---- shutdown ---- */

static void test_run_after_shutdown(void **state)
{
    struct object *pool = pool_of(1), *f = known("process_number");

    (void)state;
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    assert_null(executor_submit(pool, f, NULL, 0));
    assert_error(&runtime_error, "cannot schedule new futures after shutdown");
    assert_int_equal(executor_shutdown(pool, true, true), 0);
    DROP(pool, f);
}

static void test_cancel_futures(void **state)
{
    struct object *pool = pool_of(1), *jobs[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        jobs[i] = submit(pool, "wait_at_pipe", int_new(2));
    while (!job_is_running(jobs[0]))
        look_again_later();
    assert_int_equal(executor_shutdown(pool, false, true), 0);
    for (int i = 1; i < 5; i++)
        assert_true(job_is_cancelled(jobs[i]));
    let_one_pass(2);
    assert_true(int_result(jobs[0]) > 0);
    end_pool(pool);
    decref_all(jobs + 1, 4);
}

/* A call that was cancelled right before it. */
static void test_hang_gh94440(void **state)
{
    struct object *pool = pool_of(1), *job;

    (void)state;
    assert_true(int_result(submit(pool, "process_number", NULL)) > 0);
    job = submit(pool, "process_number", NULL);
    job_cancel(job); /* it may be too late */
    end_pool(pool);
    assert_true(job_is_done(job));
    decref(job);
}

/* What is queued is done, and then the processes leave. */
static void test_shutdown_no_wait(void **state)
{
    struct object *pool = pool_of(5), *f = known("give_back"), *ten = range_new(0, 10), *item, *it;

    (void)state;
    it = executor_map(pool, f, (borrowed[]){ ten }, 1, BLOCK_FOREVER);
    assert_int_equal(executor_shutdown(pool, false, false), 0);
    end_pool(pool);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(iterator_step(it, &item), STEP_NEXT);
        assert_int_equal(int_value(item), i);
        decref(item);
    }
    DROP(f, ten, it);
}

/* The same if it is dropped. */
static void test_del_shutdown(void **state)
{
    struct object *pool = pool_of(2), *job = submit(pool, "process_number", NULL);

    (void)state;
    decref(pool);
    assert_true(int_result(job) > 0);
    recruit_join_all();
    decref(pool_of(2));
}

/* ---- callbacks, waiting ---- */

static pthread_t called_in;

static struct object *note_thread(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    called_in = pthread_self();
    return none();
}

static void test_callbacks_run_in_this_process(void **state)
{
    struct object *pool = pool_of(1), *job = submit(pool, "wait_at_pipe", int_new(3)), *f;

    (void)state;
    f = function_new("note_thread", note_thread, 1, NULL);
    assert_int_equal(job_add_done_callback(job, f), 0);
    let_one_pass(3);
    end_pool(pool);
    assert_true(called_in && !pthread_equal(called_in, pthread_self()));
    DROP(job, f);
}

static void test_as_completed_and_wait(void **state)
{
    struct object *pool = pool_of(2), *jobs[2], *tuple, *it, *first, *done, *not_done;

    (void)state;
    jobs[0] = submit(pool, "wait_at_pipe", int_new(3));
    jobs[1] = submit(pool, "process_number", NULL);
    tuple = tuple_new(2, jobs);
    it = job_wait_iterate(tuple, BLOCK_FOREVER);
    assert_int_equal(iterator_step(it, &first), STEP_NEXT);
    assert_ptr_equal(first, jobs[1]);
    assert_int_equal(job_wait(tuple, 0, JOB_WAIT_ALL_COMPLETED, &done, &not_done), 0);
    assert_int_equal(set_length(not_done), 1);
    DROP(first, done, not_done);
    let_one_pass(3);
    assert_int_equal(iterator_step(it, &first), STEP_NEXT);
    assert_ptr_equal(first, jobs[0]);
    end_pool(pool);
    DROP(tuple, it, first, jobs[0], jobs[1]);
}

/* ---- memory ---- */

static int session(void)
{
    struct object *f = function_new("give_back", give_back, 1, NULL), *text = str_new("text");
    struct object *init = function_new("initialise", initialise, 1, NULL), *one = int_new(1);
    struct object *pool = NULL, *job = NULL, *result = NULL;
    int failed = -1;

    if (f && text && init && one)
        pool = process_pool_new(&(struct pool_options){ .workers = 1, .initialiser = init,
                                                        .arguments = (borrowed[]){ one },
                                                        .count = 1 });
    job = pool ? executor_submit(pool, f, (borrowed[]){ text }, 1) : NULL;
    result = job ? job_result(job, BLOCK_FOREVER) : NULL;
    if (result)
        failed = 0;
    else if (exception_matches(&broken_process_pool))
        exception_set_no_memory(); /* the manager had none, and said so by this */
    if (pool)
        executor_shutdown(pool, true, false);
    recruit_join_all();
    xdecref(f);
    xdecref(text);
    xdecref(init);
    xdecref(one);
    xdecref(pool);
    xdecref(job);
    xdecref(result);
    return failed;
}

static int chunk_session(void)
{
    struct object *f = function_new("give_back", give_back, 1, NULL), *three = range_new(0, 3);
    struct object *pool = NULL, *it = NULL, *item = NULL;
    enum step step = STEP_ERROR;
    int items = 0;

    if (f && three)
        pool = process_pool_new(&(struct pool_options){ .workers = 1 });
    if (pool)
        it = executor_map_in_chunks(pool, f, (borrowed[]){ three }, 1, BLOCK_FOREVER, 2);
    while (it && (step = iterator_step(it, &item)) == STEP_NEXT) {
        decref(item);
        items++;
    }
    if (step == STEP_ERROR && exception_matches(&broken_process_pool))
        exception_set_no_memory(); /* as above */
    if (pool)
        executor_shutdown(pool, true, false);
    recruit_join_all();
    xdecref(f);
    xdecref(three);
    xdecref(it);
    xdecref(pool);
    assert_true(step == STEP_ERROR || items == 3);
    return step == STEP_ERROR ? -1 : 0;
}

static void test_a_failed_allocation_anywhere_is_memory_error(void **state)
{
    int files = open_files();

    (void)state;
    fail_everywhere(session);
    fail_everywhere(chunk_session);
    assert_int_equal(open_files(), files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test(test_submit),
        pool_test(test_map),
        pool_test(test_map_chunksize),
        pool_test(test_map_in_chunks_keeps_order),
        pool_test(test_errors_of_chunks),
        pool_test(test_chunks_are_stepped_by_one_at_a_time),
        pool_test(test_traceback),
        pool_test(test_idle_process_reuse_one),
        pool_test(test_idle_process_reuse_multiple),
        pool_test(test_saturation),
        pool_test(test_queued_calls_can_be_cancelled),
        pool_test(test_max_tasks_per_child),
        pool_test(test_max_tasks_early_shutdown),
        pool_test(test_options_that_make_no_sense),
        pool_test(test_error_at_task_pickle),
        pool_test(test_function_that_no_process_knows),
        pool_test(test_error_during_result_pickle_in_worker),
        pool_test(test_big_data),
        pool_test(test_a_result_that_is_too_long_with_its_head),
        pool_test(test_a_process_that_cannot_be_started_breaks_nothing),
        pool_test(test_a_first_process_that_cannot_be_started_breaks_the_pool),
        pool_test(test_killed_child),
        pool_test(test_killed_while_idle),
        pool_test(test_crash_big_data),
        pool_test(test_shutdown_deadlock),
        pool_test(test_shutdown_deadlock_pickle),
        pool_test(test_crash_during_func_exec_on_worker),
        pool_test(test_exit_during_func_exec_on_worker),
        pool_test(test_error_during_result_unpickle_in_result_handler),
        pool_test(test_initializer),
        pool_test(test_failing_initializer),
        pool_test(test_initializer_that_cannot_be_sent),
        pool_test(test_run_after_shutdown),
        pool_test(test_cancel_futures),
        pool_test(test_hang_gh94440),
        pool_test(test_shutdown_no_wait),
        pool_test(test_del_shutdown),
        pool_test(test_callbacks_run_in_this_process),
        pool_test(test_as_completed_and_wait),
        pool_test(test_a_failed_allocation_anywhere_is_memory_error),
    };
    int failed;

    for (int i = 0; i < PIPES; i++)
        if (pipe(pipes[i]) < 0)
            return 1;
    if (nursery_start(table) < 0)
        return 1;
    failed = run_with_pools(tests);
    nursery_stop();
    return failed;
}
