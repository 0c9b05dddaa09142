/* octets.c - a row of bytes that does not change. */
#include "objects/octets.h"

#include "objects/exception.h"
#include "objects/hash.h"

#include <stdio.h>
#include <string.h>

static const size_t most_bytes = SIZE_MAX - sizeof(struct octets) - 1;

static const struct octets *as_octets(borrowed o)
{
    return (const struct octets *)o;
}

static size_t size_for(size_t length)
{
    return sizeof(struct octets) + length + 1;
}

struct octets *octets_new(const struct type *type, size_t length)
{
    struct octets *o;

    if (unlikely(length > most_bytes)) {
        exception_set(&overflow_error, "%s is too long", type->name);
        return NULL;
    }
    o = (struct octets *)object_new(type, size_for(length));
    if (!o)
        return NULL;
    o->length = length;
    atomic_init(&o->hash, 0);
    o->data[length] = '\0';
    return o;
}

/* A sum that is too large becomes a length that octets_new refuses. */
static struct object *join_two(const struct type *type, const struct octets *a,
                               const struct octets *b)
{
    struct octets *both;
    size_t length;

    if (__builtin_add_overflow(a->length, b->length, &length))
        length = SIZE_MAX;
    both = octets_new(type, length);
    if (!both)
        return NULL;
    memcpy(both->data, a->data, a->length);
    memcpy(both->data + a->length, b->data, b->length);
    return &both->head;
}

struct object *octets_concat(const struct type *type, borrowed a, borrowed b)
{
    if (likely(type_of(a) == type && type_of(b) == type))
        return join_two(type, as_octets(a), as_octets(b));
    exception_set(&type_error, "unsupported operand types: '%s' and '%s'", type_of(a)->name,
                  type_of(b)->name);
    return NULL;
}

size_t octets_size(borrowed o)
{
    return size_for(as_octets(o)->length);
}

bool octets_equal(borrowed a, borrowed b)
{
    const struct octets *left = as_octets(a), *right = as_octets(b);

    return left->length == right->length && memcmp(left->data, right->data, left->length) == 0;
}

/* Relaxed is enough: two threads that compute it at once store the same number, and
 * nothing else is read on the strength of it. */
int octets_hash(borrowed o, uint64_t *hash)
{
    struct octets *s = (struct octets *)o;

    *hash = atomic_load_explicit(&s->hash, memory_order_relaxed);
    if (*hash == 0) {
        *hash = hash_bytes(s->data, s->length);
        *hash += *hash == 0; /* 0 says that there is none */
        atomic_store_explicit(&s->hash, *hash, memory_order_relaxed);
    }
    return 0;
}

/* What stands for `byte` between quotes. */
static void escape(char text[8], unsigned char byte, char quote, bool ascii)
{
    static const char plain[] = "\n\r\t", letter[] = "nrt";
    const char *known = byte ? strchr(plain, byte) : NULL;

    if (known)
        snprintf(text, 8, "\\%c", letter[known - plain]);
    else if (byte == '\\' || byte == (unsigned char)quote)
        snprintf(text, 8, "\\%c", byte);
    else if (byte < ' ' || byte == 0x7F || (ascii && byte > 0x7F))
        snprintf(text, 8, "\\x%02x", byte);
    else
        snprintf(text, 8, "%c", byte);
}

/* In single quotes, unless there are some of those in it and no double ones. */
void octets_write(borrowed o, bool ascii, char *text, size_t size_bytes)
{
    const struct octets *s = as_octets(o);
    bool has_single = memchr(s->data, '\'', s->length),
         has_double = memchr(s->data, '"', s->length);
    char quote = has_single && !has_double ? '"' : '\'', piece[8];
    size_t used = (size_t)snprintf(text, size_bytes, "%c", quote);

    for (size_t i = 0; i < s->length && used < size_bytes; i++) {
        escape(piece, (unsigned char)s->data[i], quote, ascii);
        used += (size_t)snprintf(text + used, size_bytes - used, "%s", piece);
    }
    if (used < size_bytes)
        snprintf(text + used, size_bytes - used, "%c", quote);
}
