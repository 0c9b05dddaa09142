/* wire.c - what has come over a descriptor and was not taken yet, and what is to go out. */
#include "coroutines/wire.h"

#include "coroutines/io.h"
#include "coroutines/tls/session.h"
#include "objects/bytes.h"
#include "objects/exception.h"
#include "objects/heap.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

/* ---- a row ---- */

static void row_free(struct wire_row *row)
{
    if (row->data)
        heap_free_table(row->data, row->capacity);
    *row = (struct wire_row){ NULL };
}

static SLOW_PATH int row_grow(struct wire_row *row, size_t capacity)
{
    struct wire_row grown = { heap_alloc_table(capacity), 0, wire_row_bytes(row), capacity };

    if (!grown.data) {
        exception_set_no_memory();
        return -1;
    }
    if (row->data)
        memcpy(grown.data, row->data + row->start, grown.end);
    row_free(row);
    *row = grown;
    return 0;
}

/* Room for so many behind what there is; a first row has at least `least`. */
static int row_reserve(struct wire_row *row, size_t size_bytes, size_t least)
{
    size_t used = wire_row_bytes(row), capacity = row->capacity ? row->capacity : least;

    if (row->capacity - row->end >= size_bytes)
        return 0;
    if (row->capacity - used >= size_bytes) {
        memmove(row->data, row->data + row->start, used);
        row->start = 0;
        row->end = used;
        return 0;
    }
    if (size_bytes > SIZE_MAX / 4) {
        exception_set_no_memory();
        return -1;
    }
    while (capacity - used < size_bytes)
        capacity *= 2;
    return row_grow(row, capacity);
}

static int row_append(struct wire_row *row, const void *data, size_t size_bytes)
{
    if (row_reserve(row, size_bytes, WIRE_PIECE_BYTES) < 0)
        return -1;
    memcpy(row->data + row->end, data, size_bytes);
    row->end += size_bytes;
    return 0;
}

static void row_drop(struct wire_row *row, size_t size_bytes)
{
    row->start += size_bytes;
    assert(row->start <= row->end);
    if (row->start == row->end)
        row->start = row->end = 0;
}

/* ---- a wire ---- */

void wire_init(struct wire *w, int fd, size_t piece_bytes, struct tls_session *tls)
{
    *w = (struct wire){ .fd = fd, .piece_bytes = piece_bytes, .tls = tls };
}

void wire_close(struct wire *w, bool in_use)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->ended = true;
    w->more = false;
    if (in_use)
        return;
    row_free(&w->out);
    row_free(&w->raw);
}

void wire_drop_out(struct wire *w)
{
    row_free(&w->out);
}

void wire_fini(struct wire *w)
{
    wire_close(w, false);
    row_free(&w->in);
    tls_session_free(w->tls);
    w->tls = NULL;
}

void wire_rest(struct wire *w)
{
    if (w->in.data && !wire_row_bytes(&w->in))
        row_free(&w->in);
    if (w->out.data && !wire_row_bytes(&w->out))
        row_free(&w->out);
    if (w->raw.data && !wire_row_bytes(&w->raw))
        row_free(&w->raw);
}

/* ---- TLS ---- */

void wire_raise(const struct tls_error *e)
{
    static const struct type *const kinds[] = {
        [TLS_ERROR] = &ssl_error,
        [TLS_BAD_CERTIFICATE] = &ssl_certificate_error,
        [TLS_CUT_OFF] = &ssl_eof_error,
    };

    if (e->what == TLS_NO_MEMORY)
        exception_set_no_memory();
    else
        exception_set(kinds[e->what], "%s", e->text);
}

/* What the session has to say goes out, unless a part of it is lost: the peer could not read it. */
static int take_outgoing(struct wire *w)
{
    const char *data;
    size_t size_bytes = tls_outgoing(w->tls, &data);

    if (size_bytes && !w->cut && row_append(&w->out, data, size_bytes) < 0)
        return -1;
    tls_sent(w->tls);
    return 0;
}

/* Also what it says of an error; but the error is what counts. */
static int64_t fail_with(struct wire *w, const struct tls_error *e)
{
    if (take_outgoing(w) < 0)
        exception_restore(NULL);
    wire_raise(e);
    return -1;
}

static struct tls_input raw_input(const struct wire *w)
{
    return (struct tls_input){ w->raw.data + w->raw.start, wire_row_bytes(&w->raw), w->raw_ended };
}

/* Deciphers into room that is there. As wire_receive, but it does not receive. */
static int64_t decipher(struct wire *w, size_t room)
{
    struct tls_input in = raw_input(w);
    struct tls_error e;
    int64_t got = tls_read(w->tls, &in, w->in.data + w->in.end, room, &e);

    row_drop(&w->raw, wire_row_bytes(&w->raw) - in.size_bytes);
    if (got == -1)
        return fail_with(w, &e);
    if (got > 0)
        w->in.end += (size_t)got;
    if (take_outgoing(w) < 0)
        return -1;
    w->ended = got == 0;
    w->more = tls_has_more(w->tls) || wire_row_bytes(&w->raw);
    return got == TLS_NOT_YET ? IO_NOT_YET : got;
}

static int64_t receive_raw(struct wire *w, wire_read *read)
{
    int64_t got;

    if (w->raw_ended)
        return 0;
    if (row_reserve(&w->raw, w->piece_bytes, w->piece_bytes) < 0)
        return -1;
    got = read(w->fd, w->raw.data + w->raw.end, w->piece_bytes);
    if (got > 0)
        w->raw.end += (size_t)got;
    w->raw_ended = got == 0;
    return got;
}

int wire_shake_hands(struct wire *w)
{
    struct tls_input in = raw_input(w);
    struct tls_error e;
    int result = tls_shake_hands(w->tls, &in, &e);

    row_drop(&w->raw, wire_row_bytes(&w->raw) - in.size_bytes);
    if (result < 0)
        return (int)fail_with(w, &e);
    w->more |= wire_row_bytes(&w->raw) > 0;
    return take_outgoing(w) < 0 ? -1 : result;
}

int wire_put_end(struct wire *w)
{
    struct tls_error e;

    if (tls_end(w->tls, &e) < 0)
        return (int)fail_with(w, &e);
    return take_outgoing(w);
}

/* ---- in ---- */

/* Room to receive into, and how much: as a rule what is left of a piece, for a row that grew with
 * each message that is cut in two would soon be a large one. */
static int64_t make_room(struct wire *w, size_t wanted)
{
    size_t have = wire_row_bytes(&w->in), room = w->in.capacity - have;

    if (!room || room < w->piece_bytes / 2)
        room = w->piece_bytes;
    if (wanted > have && wanted - have > room)
        room = wanted - have;
    return row_reserve(&w->in, room, w->piece_bytes) < 0 ? -1 : (int64_t)room;
}

/* A receive that brings no whole record is none that brings a byte. */
static int64_t receive_tls(struct wire *w, wire_read *read, size_t room)
{
    int64_t got = decipher(w, room), came;

    if (got != IO_NOT_YET)
        return got;
    came = receive_raw(w, read);
    if (came < 0)
        return came;
    got = decipher(w, room);
    if (got != IO_NOT_YET)
        return got;
    w->more = came == (int64_t)w->piece_bytes;
    return 0;
}

static int64_t receive_plain(struct wire *w, wire_read *read, size_t room)
{
    int64_t got = read(w->fd, w->in.data + w->in.end, room);

    if (got > 0)
        w->in.end += (size_t)got;
    w->ended = got == 0;
    w->more = got == (int64_t)room;
    return got;
}

int64_t wire_receive(struct wire *w, wire_read *read, size_t wanted)
{
    int64_t room;

    if (w->ended)
        return 0;
    room = make_room(w, wanted);
    if (room < 0)
        return -1;
    return w->tls ? receive_tls(w, read, (size_t)room) : receive_plain(w, read, (size_t)room);
}

int64_t wire_receive_raw(struct wire *w, wire_read *read)
{
    int64_t came = receive_raw(w, read);

    w->more = came == (int64_t)w->piece_bytes;
    return came;
}

struct object *wire_take(struct wire *w, size_t size_bytes)
{
    struct object *taken;

    assert(size_bytes <= wire_row_bytes(&w->in));
    taken = bytes_new(size_bytes ? wire_data(w) : "", size_bytes);
    if (taken)
        row_drop(&w->in, size_bytes);
    return taken;
}

void wire_drop(struct wire *w, size_t size_bytes)
{
    row_drop(&w->in, size_bytes);
}

int64_t wire_find(const struct wire *w, const char *sought, size_t size_bytes, size_t from)
{
    size_t have = wire_row_bytes(&w->in);
    const char *found;

    if (have < size_bytes || from > have - size_bytes)
        return -1;
    found = memmem(wire_data(w) + from, have - from, sought, size_bytes);
    return found ? found - wire_data(w) : -1;
}

/* ---- out ---- */

static int put_plain(struct wire *w, const char *data, size_t size_bytes, wire_write *write)
{
    int64_t sent = 0;

    if (!wire_row_bytes(&w->out)) {
        sent = write(w->fd, data, size_bytes);
        if (sent == IO_NOT_YET)
            sent = 0;
        if (sent < 0)
            return -1;
    }
    if ((size_t)sent == size_bytes)
        return 0;
    return row_append(&w->out, data + sent, size_bytes - (size_t)sent);
}

static int put_enciphered(struct wire *w, const char *data, size_t size_bytes, wire_write *write)
{
    struct tls_error e;
    const char *outgoing;
    size_t count;
    int result;

    if (w->cut) {
        exception_set(&ssl_error, "what was written before is lost in part: nothing can follow it");
        return -1;
    }
    if (tls_write(w->tls, data, size_bytes, &e) < 0)
        return (int)fail_with(w, &e);
    count = tls_outgoing(w->tls, &outgoing);
    result = put_plain(w, outgoing, count, write);
    tls_sent(w->tls);
    w->cut |= result < 0;
    return result;
}

/* TLS by its largest records, so that no more than one is there twice. */
int wire_put(struct wire *w, const void *data, size_t size_bytes, wire_write *write)
{
    const char *at = data;

    if (!w->tls)
        return put_plain(w, at, size_bytes, write);
    while (size_bytes) {
        size_t part = size_bytes < WIRE_RECORD_BYTES ? size_bytes : WIRE_RECORD_BYTES;

        if (put_enciphered(w, at, part, write) < 0)
            return -1;
        at += part;
        size_bytes -= part;
    }
    return 0;
}

int wire_flush(struct wire *w, wire_write *write)
{
    while (wire_row_bytes(&w->out)) {
        int64_t sent = write(w->fd, w->out.data + w->out.start, wire_row_bytes(&w->out));

        if (sent < 0)
            return (int)sent;
        row_drop(&w->out, (size_t)sent);
    }
    return 0;
}
