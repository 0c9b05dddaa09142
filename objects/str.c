/* str.c - text. */
#include "objects/str.h"

#include "objects/exception.h"
#include "objects/hash.h"

#include <stdio.h>
#include <string.h>

static size_t size_for(size_t length)
{
    return sizeof(struct str_object) + length + 1;
}

/* Its text is still to be filled, all but the final zero. */
static struct str_object *str_of_length(size_t length)
{
    struct str_object *s = (struct str_object *)object_new(&str_type, size_for(length));

    if (!s)
        return NULL;
    s->length = length;
    atomic_init(&s->hash, 0);
    s->text[length] = '\0';
    return s;
}

struct object *str_new(const char *utf8)
{
    size_t length = strlen(utf8);
    struct str_object *s = str_of_length(length);

    if (!s)
        return NULL;
    memcpy(s->text, utf8, length);
    return &s->head;
}

struct object *str_concat(borrowed a, borrowed b)
{
    struct str_object *s;

    if (type_of(a) != &str_type || type_of(b) != &str_type) {
        exception_set(&type_error, "unsupported operand types: '%s' and '%s'", type_of(a)->name,
                      type_of(b)->name);
        return NULL;
    }
    s = str_of_length(str_length(a) + str_length(b));
    if (!s)
        return NULL;
    memcpy(s->text, str_text(a), str_length(a));
    memcpy(s->text + str_length(a), str_text(b), str_length(b));
    return &s->head;
}

static size_t str_size(borrowed o)
{
    return size_for(str_length(o));
}

static bool str_equal(borrowed a, borrowed b)
{
    return str_length(a) == str_length(b) && memcmp(str_text(a), str_text(b), str_length(a)) == 0;
}

/* Relaxed is enough: two threads that compute it at once store the same number, and
 * nothing else is read on the strength of it. */
static int str_hash(borrowed o, uint64_t *hash)
{
    struct str_object *s = (struct str_object *)o;

    *hash = str_known_hash(o);
    if (*hash == 0) {
        *hash = hash_bytes(s->text, s->length);
        *hash += *hash == 0;
        atomic_store_explicit(&s->hash, *hash, memory_order_relaxed);
    }
    return 0;
}

/* What stands for `byte` between quotes; bytes of characters beyond ASCII are themselves. */
static void escape(char text[8], unsigned char byte, char quote)
{
    static const char plain[] = "\n\r\t", letter[] = "nrt";
    const char *known = byte ? strchr(plain, byte) : NULL;

    if (known)
        snprintf(text, 8, "\\%c", letter[known - plain]);
    else if (byte == '\\' || byte == (unsigned char)quote)
        snprintf(text, 8, "\\%c", byte);
    else if (byte < ' ' || byte == 0x7F)
        snprintf(text, 8, "\\x%02x", byte);
    else
        snprintf(text, 8, "%c", byte);
}

/* In single quotes, unless the text has some of those and no double ones. */
static void str_repr(borrowed o, char *text, size_t size_bytes)
{
    const char *from = str_text(o);
    char quote = strchr(from, '\'') && !strchr(from, '"') ? '"' : '\'';
    char piece[8];
    size_t used = (size_t)snprintf(text, size_bytes, "%c", quote);

    for (; *from && used < size_bytes; from++) {
        escape(piece, (unsigned char)*from, quote);
        used += (size_t)snprintf(text + used, size_bytes - used, "%s", piece);
    }
    if (used < size_bytes)
        snprintf(text + used, size_bytes - used, "%c", quote);
}

const struct type str_type = {
    .name = "str", .size_of = str_size, .equal = str_equal, .hash = str_hash, .repr = str_repr,
};
