/* process.c - threads that are cut into forked processes, which send what they have done.
 *
 * The classic way round the lock: each process has a runtime, a lock and a job of its own, and its
 * share of the workers. Nothing is free: after so many steps a worker sends its result, an object,
 * as bytes; a thread of the parent reads it and makes an object of it under the parent's lock, and
 * only then its operations count. So a process cannot do more than its parent takes.
 *
 * A result is a tuple: the number of the worker's seat in its process, how many operations it has
 * done since the last, and so many bytes besides. It is one record of the socket, so that workers
 * need no lock to send, and is sent and received whole. Workers of other roles than the first serve
 * those of their process, and have no results. Who sends while the socket is full waits,
 * detached.
 */
#include "benches/hosted.h"
#include "coroutines/io.h"
#include "coroutines/message.h"
#include "objects/bytes.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/none.h"
#include "objects/tuple.h"

#include <stdlib.h>

enum { STEPS, BYTES };              /* parameters */
enum { SEAT, OPS, PAYLOAD, PARTS }; /* of a result */
enum { RECORD_BYTES = 64 };         /* the most of one, without what is in the payload */

/* ---- the child ---- */

struct sender {
    struct object *payload; /* owned */
    struct message record;  /* its memory is kept */
    uint64_t sent;          /* operations that were told of */
};

/* Zeros: nobody looks at them. */
static struct object *new_payload(size_t length)
{
    struct object *payload;
    char *zeros;

    if (!length)
        return none();
    zeros = calloc(length, 1);
    if (!zeros) {
        exception_set_no_memory();
        return NULL;
    }
    payload = bytes_new(zeros, length);
    free(zeros);
    return payload;
}

static struct object *new_result(const struct sender *r, const struct seat *s, uint64_t ops)
{
    struct object *part[PARTS] = {
        int_new(s->worker.carrier->number), int_new((int64_t)ops), incref(r->payload),
    };
    struct object *result = part[SEAT] && part[OPS] ? tuple_new(PARTS, part) : NULL;

    for (int i = 0; i < PARTS; i++)
        xdecref(part[i]);
    return result;
}

static int send_object(struct carrier *c, struct sender *r, borrowed result)
{
    r->record.length = 0;
    if (message_add(&r->record, &(char){ RECORD_RESULT }, 1) < 0 ||
        message_write(&r->record, result) < 0)
        return -1;
    return io_write(c->socket, r->record.data, r->record.length);
}

/* What the worker has done since the last. */
static int send_result(struct carrier *c, struct seat *s, struct sender *r)
{
    uint64_t ops = atomic_load_explicit(&s->worker.ops, memory_order_relaxed);
    struct object *result = ops != r->sent ? new_result(r, s, ops - r->sent) : NULL;
    int sent;

    if (ops == r->sent)
        return 0;
    sent = result ? send_object(c, r, result) : -1;
    xdecref(result);
    r->sent = ops;
    return sent;
}

static int step_until_over(struct carrier *c, struct seat *s, struct sender *r)
{
    int64_t left = c->param[STEPS];
    int result = 0;

    while (result == 0 && seat_goes_on(s)) {
        result = s->role->step(&s->worker);
        if (result == 0 && --left == 0) {
            left = c->param[STEPS];
            result = send_result(c, s, r);
        }
    }
    return result < 0 ? -1 : send_result(c, s, r);
}

static int host(struct carrier *c)
{
    struct sender r = { 0 };

    if (c->seat->worker.role != 0)
        return hosted_run_thread(c);
    r.payload = new_payload((size_t)c->param[BYTES]);
    if (!r.payload)
        return -1;
    c->ready(c);
    if (step_until_over(c, c->seat, &r) < 0)
        c->failed(c, c->seat);
    message_fini(&r.record);
    decref(r.payload);
    return 0;
}

/* ---- the parent ---- */

static bool is_result(const struct carrier *c, borrowed o)
{
    return type_of(o) == &tuple_type && tuple_length(o) == PARTS &&
           type_of(tuple_get(o, SEAT)) == &int_type && type_of(tuple_get(o, OPS)) == &int_type &&
           int_value(tuple_get(o, SEAT)) >= 0 && int_value(tuple_get(o, SEAT)) < c->seats;
}

static void count_result(struct carrier *c, borrowed result)
{
    struct arrivals *a = &c->arrivals[int_value(tuple_get(result, SEAT))];
    uint64_t ops = atomic_load_explicit(&a->ops, memory_order_relaxed);

    atomic_store_explicit(&a->ops, ops + (uint64_t)int_value(tuple_get(result, OPS)),
                          memory_order_relaxed);
}

static int take_result(struct carrier *c, const unsigned char *data, size_t length)
{
    struct reader r = { data, data + length };
    struct object *result = message_read(&r);
    bool right = result && is_result(c, result);

    if (right)
        count_result(c, result);
    else if (result)
        exception_set(&value_error, "a process sends what is no result");
    xdecref(result);
    safepoint(c->thread);
    return right ? 0 : -1;
}

static int take_records(struct carrier *c, unsigned char *record, size_t room)
{
    int64_t length;
    int result = 0;

    while (result == 0 && (length = io_read(c->socket, record, room)) > 0) {
        if (record[0] == RECORD_RESULT)
            result = take_result(c, record + 1, (size_t)length - 1);
        else
            c->told(c);
    }
    return result < 0 || length < 0 ? -1 : 0;
}

static int receive(struct carrier *c)
{
    size_t room = RECORD_BYTES + (size_t)c->param[BYTES];
    unsigned char *record = heap_alloc_table(room);
    int result;

    if (!record) {
        exception_set_no_memory();
        return -1;
    }
    result = take_records(c, record, room);
    heap_free_table(record, room);
    return result;
}

const struct unit unit_process = {
    .about = "threads in --threads forked processes, which send results by message",
    .carried = CARRIED_APART, .host = host, .receive = receive,
    .param = { { "steps", "of a worker from one result to the next", 1, 1, 1000000 },
               { "bytes", "that a result carries besides its number", 0, 0, 65536 } },
};
