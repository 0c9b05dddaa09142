/* message.c - objects as bytes, and back. */
#include "coroutines/message.h"

#include "objects/bool.h"
#include "objects/bytes.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <string.h>

enum { FIRST_ROOM = 256 };

/* By number, in messages: those that another process may raise. */
static const struct type *const kinds[] = {
    &exception, &type_error, &value_error, &index_error, &key_error, &attribute_error,
    &overflow_error, &zero_division_error, &memory_error, &runtime_error, &os_error,
    &stop_iteration, &timeout_error, &job_cancelled_error, &invalid_state_error, &broken_executor,
    &broken_thread_pool, &broken_process_pool,
};

enum { KINDS = sizeof kinds / sizeof *kinds };

void message_fini(struct message *m)
{
    if (m->data)
        heap_free_table(m->data, m->room);
    *m = (struct message){ 0 };
}

/* ---- writing ---- */

static int grow(struct message *m, size_t least)
{
    size_t room = m->room ? m->room : FIRST_ROOM;
    unsigned char *data;

    while (room < least)
        room *= 2;
    data = heap_alloc_table(room);
    if (!data) {
        exception_set_no_memory();
        return -1;
    }
    if (m->length)
        memcpy(data, m->data, m->length);
    if (m->data)
        heap_free_table(m->data, m->room);
    m->data = data;
    m->room = room;
    return 0;
}

int message_add(struct message *m, const void *data, size_t length)
{
    if (length > MESSAGE_MOST_BYTES - m->length) {
        exception_set(&overflow_error, "a message would be longer than %d bytes",
                      MESSAGE_MOST_BYTES);
        return -1;
    }
    if (m->room - m->length < length && grow(m, m->length + length) < 0)
        return -1;
    if (length)
        memcpy(m->data + m->length, data, length);
    m->length += length;
    return 0;
}

static int add_byte(struct message *m, unsigned char byte)
{
    return message_add(m, &byte, 1);
}

static int add_word(struct message *m, unsigned char what, uint64_t word)
{
    return add_byte(m, what) < 0 ? -1 : message_add(m, &word, sizeof word);
}

static int add_length(struct message *m, unsigned char what, size_t length)
{
    uint32_t written = (uint32_t)length;

    if (length > MESSAGE_MOST_BYTES) /* and what follows would be longer */
        return message_add(m, NULL, length);
    return add_byte(m, what) < 0 ? -1 : message_add(m, &written, sizeof written);
}

static int add_octets(struct message *m, unsigned char what, const char *data, size_t length)
{
    return add_length(m, what, length) < 0 ? -1 : message_add(m, data, length);
}

static int write_at(struct message *m, borrowed o, int depth);

static int write_float(struct message *m, borrowed o)
{
    double value = float_value(o);
    uint64_t word;

    memcpy(&word, &value, sizeof word);
    return add_word(m, 'f', word);
}

static int write_items(struct message *m, unsigned char what, borrowed tuple, int depth)
{
    if (add_length(m, what, tuple_length(tuple)) < 0)
        return -1;
    for (size_t i = 0; i < tuple_length(tuple); i++)
        if (write_at(m, tuple_get(tuple, i), depth) < 0)
            return -1;
    return 0;
}

/* As it is at one moment. */
static int write_list(struct message *m, borrowed list, int depth)
{
    struct object *tuple = list_to_tuple(list);
    int result = tuple ? write_items(m, '[', tuple, depth) : -1;

    xdecref(tuple);
    return result;
}

static int write_pairs(struct message *m, borrowed dict, size_t length, int depth)
{
    struct object *key, *value;
    size_t cursor = 0, written = 0;
    int result = 0;

    while (result == 0 && dict_next(dict, &cursor, &key, &value)) {
        result = write_at(m, key, depth) < 0 || write_at(m, value, depth) < 0 ? -1 : 0;
        written++;
        decref(key);
        decref(value);
    }
    if (result == 0 && written != length) {
        exception_set(&runtime_error, "dictionary changed size during iteration");
        return -1;
    }
    return result;
}

static int write_dict(struct message *m, borrowed dict, int depth)
{
    size_t length = dict_length(dict);

    return add_length(m, '{', length) < 0 ? -1 : write_pairs(m, dict, length, depth);
}

/* Of a kind that is not in the table, the nearest that is above it. */
static int number_of(const struct type *kind)
{
    for (; kind; kind = kind->base)
        for (int i = 0; i < KINDS; i++)
            if (kinds[i] == kind)
                return i;
    return -1;
}

static int write_exception(struct message *m, borrowed e, int depth)
{
    const char *text = exception_message(e);

    if (add_byte(m, '!') < 0 || add_byte(m, (unsigned char)number_of(type_of(e))) < 0)
        return -1;
    return add_octets(m, 's', text, strlen(text)) < 0 ? -1
                                                      : write_at(m, exception_value(e), depth);
}

static int refuse(const struct type *type)
{
    exception_set(&type_error, "cannot pickle '%s' object", type->name);
    return -1;
}

/* What holds nothing. */
static int write_plain(struct message *m, borrowed o)
{
    const struct type *type = type_of(o);

    if (type == &none_type)
        return add_byte(m, 'N');
    if (type == &bool_type)
        return add_byte(m, is_true(o) ? 'T' : 'F');
    if (type == &int_type)
        return add_word(m, 'i', (uint64_t)int_value(o));
    if (type == &float_type)
        return write_float(m, o);
    if (type == &str_type)
        return add_octets(m, 's', str_text(o), str_length(o));
    if (type == &bytes_type)
        return add_octets(m, 'b', bytes_data(o), bytes_length(o));
    return refuse(type);
}

static int write_at(struct message *m, borrowed o, int depth)
{
    const struct type *type = type_of(o);

    if (depth == MESSAGE_DEEPEST) {
        exception_set(&runtime_error, "nested too deep for a message, or in itself");
        return -1;
    }
    if (type == &tuple_type)
        return write_items(m, '(', o, depth + 1);
    if (type == &list_type)
        return write_list(m, o, depth + 1);
    if (type == &dict_type)
        return write_dict(m, o, depth + 1);
    if (number_of(type) >= 0)
        return write_exception(m, o, depth + 1);
    return write_plain(m, o);
}

int message_write(struct message *m, borrowed o)
{
    return write_at(m, o, 0);
}

/* ---- reading ---- */

static struct object *read_at(struct reader *r, int depth);

static struct object *damaged(void)
{
    exception_set(&value_error, "a message is damaged");
    return NULL;
}

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

int message_take(struct reader *r, void *data, size_t length)
{
    if (left(r) < length) {
        damaged();
        return -1;
    }
    memcpy(data, r->at, length);
    r->at += length;
    return 0;
}

/* Of as many items, each of which takes at least so many bytes. */
static int take_length(struct reader *r, size_t *length, size_t least)
{
    uint32_t written;

    if (message_take(r, &written, sizeof written) < 0)
        return -1;
    if (written > left(r) / least) {
        damaged();
        return -1;
    }
    *length = written;
    return 0;
}

static struct object *read_int(struct reader *r)
{
    int64_t value;

    return message_take(r, &value, sizeof value) < 0 ? NULL : int_new(value);
}

static struct object *read_float(struct reader *r)
{
    double value;

    return message_take(r, &value, sizeof value) < 0 ? NULL : float_new(value);
}

static struct object *read_bytes(struct reader *r)
{
    const unsigned char *data;
    size_t length;

    if (take_length(r, &length, 1) < 0)
        return NULL;
    data = r->at;
    r->at += length;
    return bytes_new(data, length);
}

/* By way of a bytes, which ends it by a zero byte. */
static struct object *read_str(struct reader *r)
{
    struct object *bytes = read_bytes(r), *str;

    if (!bytes)
        return NULL;
    if (strlen(bytes_data(bytes)) == bytes_length(bytes))
        str = str_new(bytes_data(bytes));
    else
        str = damaged();
    decref(bytes);
    return str;
}

static struct object *read_list(struct reader *r, int depth)
{
    struct object *list, *item;
    size_t length;
    int result = 0;

    if (take_length(r, &length, 1) < 0 || !(list = list_new()))
        return NULL;
    for (size_t i = 0; result == 0 && i < length; i++) {
        item = read_at(r, depth);
        result = item ? list_append(list, item) : -1;
        xdecref(item);
    }
    if (result == 0)
        return list;
    decref(list);
    return NULL;
}

static struct object *read_tuple(struct reader *r, int depth)
{
    struct object *list = read_list(r, depth), *tuple = list ? list_to_tuple(list) : NULL;

    xdecref(list);
    return tuple;
}

static int read_pair(struct reader *r, borrowed dict, int depth)
{
    struct object *key = read_at(r, depth), *value = key ? read_at(r, depth) : NULL;
    int result = value ? dict_contains(dict, key) : -1;

    if (result == 0)
        result = dict_set(dict, key, value);
    else if (result > 0 || exception_matches(&type_error))
        result = damaged() ? 0 : -1; /* a key comes twice, or is none */
    xdecref(key);
    xdecref(value);
    return result;
}

static struct object *read_dict(struct reader *r, int depth)
{
    struct object *dict;
    size_t length;
    int result = 0;

    if (take_length(r, &length, 2) < 0 || !(dict = dict_new()))
        return NULL;
    for (size_t i = 0; result == 0 && i < length; i++)
        result = read_pair(r, dict, depth);
    if (result == 0)
        return dict;
    decref(dict);
    return NULL;
}

/* Those with a value are made by raising them, in no context. */
static struct object *make_exception(const struct type *kind, const char *text, borrowed value)
{
    struct object *e;

    if (kind == &key_error)
        exception_set_key(value);
    else if (kind == &stop_iteration)
        exception_set_stop(incref(value));
    else if (kind == &memory_error)
        exception_set_no_memory();
    else
        return exception_new(kind, "%s", text);
    e = exception_take();
    if (type_of(e) == kind)
        return e;
    exception_restore(e);
    return NULL;
}

static struct object *read_exception(struct reader *r, int depth)
{
    struct object *text, *value, *e = NULL;
    unsigned char kind;

    if (message_take(r, &kind, 1) < 0)
        return NULL;
    if (kind >= KINDS || left(r) == 0 || *r->at++ != 's')
        return damaged();
    text = read_str(r);
    value = text ? read_at(r, depth) : NULL;
    if (value)
        e = make_exception(kinds[kind], str_text(text), value);
    xdecref(text);
    xdecref(value);
    return e;
}

static struct object *read_at(struct reader *r, int depth)
{
    if (left(r) == 0 || depth > MESSAGE_DEEPEST)
        return damaged();
    switch (*r->at++) {
    case 'N':
        return none();
    case 'T':
        return truth(true);
    case 'F':
        return truth(false);
    case 'i':
        return read_int(r);
    case 'f':
        return read_float(r);
    case 's':
        return read_str(r);
    case 'b':
        return read_bytes(r);
    case '(':
        return read_tuple(r, depth + 1);
    case '[':
        return read_list(r, depth + 1);
    case '{':
        return read_dict(r, depth + 1);
    case '!':
        return read_exception(r, depth + 1);
    default:
        return damaged();
    }
}

struct object *message_read(struct reader *r)
{
    return read_at(r, 0);
}
