/* exception.h - errors, as objects: the kinds, and the pending one.
 *
 * As in CPython: a function that fails returns NULL or -1 with an exception pending
 * in the current execution context. Its caller passes the failure on, or takes the
 * exception and handles it. At most one is pending; a new one replaces it.
 */
#ifndef OBJECTS_EXCEPTION_H
#define OBJECTS_EXCEPTION_H

#include "objects/object.h"

/* The kinds. `base` makes their tree: everything is an `exception`. */
extern const struct type exception, type_error, value_error, index_error, key_error,
    attribute_error, overflow_error, zero_division_error, memory_error, runtime_error, os_error;

/* A new exception of this kind with a message of printf's form; NULL: MemoryError. */
__attribute__((format(printf, 2, 3)))
struct object *exception_new(const struct type *kind, const char *format, ...);

/* The message; lives as long as the exception. */
const char *exception_message(borrowed exception);

/* Makes such an exception pending. (If there is no memory, MemoryError.) */
__attribute__((format(printf, 2, 3)))
void exception_set(const struct type *kind, const char *format, ...);

/* MemoryError, which needs no memory. */
void exception_set_no_memory(void);

/* OSError from errno; `call` is what failed. */
void exception_set_errno(const char *call);

/* The pending one, or NULL. */
borrowed exception_pending(void);

/* Whether one is pending that is of this kind or of one below it. */
bool exception_matches(const struct type *kind);

/* Takes the pending one, a new reference, and leaves none; NULL: there was none. */
struct object *exception_take(void);

/* Makes it pending again. */
void exception_restore(struct object *exception /* steals; may be NULL */);

#endif
