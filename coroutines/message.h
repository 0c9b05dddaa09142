/* message.h - objects as bytes, for a process that has none of ours.
 *
 * What can be written: None, bool, int, float, str, bytes, and tuple, list, dict of them;
 * and exceptions, with their message and value. Everything else is refused by TypeError: a
 * function's code, a lock, a cell mean nothing elsewhere. What is read is a copy; an object
 * that was held twice is there twice, and what holds itself is refused, as is what is nested
 * deeper than MESSAGE_DEEPEST.
 *
 * The form: a byte that says what it is, and then
 *
 *     N T F          None, True, False: nothing
 *     i f            8 bytes
 *     s b            length, and so many bytes; in a str none is zero
 *     ( [            how many, and so many objects
 *     {              how many, and so many keys each with its value; no two keys are equal
 *     !              the kind's number, the message as s, the value as an object
 *
 * with lengths in 4 bytes, all in the machine's own order: both ends are one program.
 *
 * A reader trusts nothing. It looks at no byte beyond the end, and makes no room for more
 * items than there are bytes left: what is damaged is ValueError, and takes no more memory
 * than a multiple of its length. (CPython's pickle runs what it reads; this cannot.)
 *
 * All of it needs an attached thread.
 */
#ifndef COROUTINES_MESSAGE_H
#define COROUTINES_MESSAGE_H

#include "objects/object.h"

enum { MESSAGE_DEEPEST = 200, MESSAGE_MOST_BYTES = 1 << 28 };

/* Bytes that are being written. Empty when all is zero. */
struct message {
    unsigned char *data; /* owned */
    size_t length, room;
};

void message_fini(struct message *m);

/* 0, or -1: MemoryError; OverflowError, more than MESSAGE_MOST_BYTES. */
int message_add(struct message *m, const void *data, size_t length);

/* Adds the object. 0, or -1: the same; TypeError, RuntimeError as said above; and some of it
 * may have been added. */
int message_write(struct message *m, borrowed o);

/* What is being read. */
struct reader {
    const unsigned char *at, *end;
};

/* The next object. NULL: ValueError, it is damaged; MemoryError. */
struct object *message_read(struct reader *r);

/* So many bytes, copied. 0, or -1: ValueError, there are fewer. */
int message_take(struct reader *r, void *data, size_t length);

#endif
