/* exception.h - errors, as objects: the kinds, the pending one, and the one being handled.
 *
 * As in CPython: a function that fails returns NULL or -1 with an exception pending
 * in the current execution context. Its caller passes the failure on, or takes the
 * exception and handles it. At most one is pending; a new one replaces it.
 *
 * An exception tells where it comes from: its cause, if whoever raised it named one
 * (Python's `raise ... from`), and its context, the exception that was being handled
 * when it was raised.
 *
 * MemoryError is an object that is there from the start: it needs no memory, is not
 * counted, and has neither cause nor context.
 */
#ifndef OBJECTS_EXCEPTION_H
#define OBJECTS_EXCEPTION_H

#include "objects/object.h"

/* The kinds. `base` makes their tree: everything is a `base_exception`, and what a program
 * may want to handle is an `exception`. The others are orders to end, and who handles all
 * errors alike lets them pass. */
extern const struct type base_exception, generator_exit, cancelled_error, keyboard_interrupt,
    system_exit, base_exception_group, exception, type_error, value_error, index_error, key_error,
    attribute_error, overflow_error, zero_division_error, memory_error, runtime_error, os_error,
    stop_iteration, stop_async_iteration, runtime_warning, invalid_state_error, timeout_error,
    exception_group;

/* Those of executors and what they return (coroutines/job.h), as concurrent.futures names them.
 * Its CancelledError is an Exception, and not the one that ends a task. */
extern const struct type job_cancelled_error, broken_executor, broken_thread_pool,
    broken_process_pool, remote_traceback;

/* Those of coroutines/queue.h. */
extern const struct type queue_empty_error, queue_full_error;
/* Those of greenlets (coroutines/greenlet.h): what ends one, and what it says of a misuse. */
extern const struct type greenlet_exit, greenlet_error;

/* What the kernel says of a connection; exception_set_errno chooses among them. */
extern const struct type connection_error, connection_reset_error, connection_refused_error,
    connection_aborted_error, broken_pipe_error;

/* Those of streams (coroutines/stream.h), of TLS (coroutines/tls.h), and of what was left open. */
extern const struct type eof_error, incomplete_read_error, limit_overrun_error, ssl_error,
    ssl_certificate_error, ssl_eof_error, resource_warning;

/* Those of a hub (coroutines/hub.h), as gevent names them. */
extern const struct type greenlet_timeout, loop_exit, concurrent_object_use_error,
    blocking_switch_out_error, invalid_switch_error;

/* A new exception of this kind with a message of printf's form; NULL: MemoryError. */
__attribute__((format(printf, 2, 3)))
struct object *exception_new(const struct type *kind, const char *format, ...);

/* The same with a value: for a group a tuple of its exceptions, for a CancelledError its
 * message. */
__attribute__((format(printf, 3, 4)))
struct object *exception_new_with(const struct type *kind,
                                  struct object *value /* steals, also on failure */,
                                  const char *format, ...);

/* Python's `kind(value)`, as `raise kind, value` and throw(kind, value) once had it: `value` itself
 * if that is such an exception; with None or NULL one without a message; else one that was made with
 * it. NULL: MemoryError, or TypeError, it is no kind of exception. */
struct object *exception_from(const struct type *kind, borrowed value /* may be NULL */);

/* Whether `o` is one; if not, TypeError in Python's words is pending. */
bool exception_check(borrowed o);

/* The message; lives as long as the exception. A KeyError's is the key's repr, a
 * StopIteration's is empty, for the value says it all. */
const char *exception_message(borrowed exception);

/* Whether it is of this kind or of one below it. */
bool exception_is(borrowed exception, const struct type *kind);

/* What it was made with: the key of a KeyError, what an iterator returned of a
 * StopIteration, what exception_new_with was given, else None. Lives as long as the exception. */
borrowed exception_value(borrowed exception);

/* ---- the pending one ---- */

/* Makes such an exception pending, in the context of the one being handled. (If there is no
 * memory, MemoryError.) */
__attribute__((format(printf, 2, 3)))
void exception_set(const struct type *kind, const char *format, ...);

/* KeyError, with the key. */
void exception_set_key(borrowed key);

/* StopIteration, with what an iterator returned. */
void exception_set_stop(struct object *value /* steals, also on failure */);

/* MemoryError, which needs no memory. */
void exception_set_no_memory(void);

/* OSError from errno, or the kind of it that is made for that; `call` is what failed. */
void exception_set_errno(const char *call);

/* Python's `raise`: makes it pending, and the one being handled its context. */
void exception_raise(struct object *exception /* steals */);

/* Of what Python's `raise` does the half that leads back: the one being handled becomes its
 * context. */
void exception_chain(borrowed exception);

/* Replaces the pending one by another, whose cause and context it is. (If there is no memory,
 * by MemoryError.) */
__attribute__((format(printf, 2, 3)))
void exception_wrap(const struct type *kind, const char *format, ...);

/* A GeneratorExit, to be thrown. Cannot fail: if there is no memory it is one that is always
 * there, which is like MemoryError in all else. */
struct object *exception_exit(void);

/* The same, a GreenletExit. */
struct object *exception_kill(void);

/* The pending one, or NULL. */
borrowed exception_pending(void);

/* Whether one is pending that is of this kind or of one below it. */
bool exception_matches(const struct type *kind);

/* Takes the pending one, a new reference, and leaves none; NULL: there was none. */
struct object *exception_take(void);

/* Makes it pending again, as it was. */
void exception_restore(struct object *exception /* steals; may be NULL */);

/* ---- the one being handled ---- */

/* Python's `except` block; stands on the stack of whoever handles, or in its frame. */
struct handling {
    struct object *exception; /* owned; NULL: what is handled is that of the outer one */
    struct handling *outer;   /* the block that this one stands in */
};

/* The block that began last of those that have not ended; NULL: none. What can be left and
 * come back to (coroutines/generator.c) takes its own blocks out of here when it is left, and
 * puts them back. */
extern _Thread_local struct handling *exception_innermost;

/* What is raised until the end has `exception` as its context. Blocks nest: the last to
 * begin is the first to end. */
void exception_handle_begin(struct handling *h, struct object *exception /* steals */);
void exception_handle_end(struct handling *h);

/* The one that is being handled; NULL: none. */
borrowed exception_handled(void);

/* ---- where it comes from ---- */

/* A new reference; NULL: it has none. */
struct object *exception_cause(borrowed exception);
struct object *exception_context(borrowed exception);

/* `raise exception from cause`: from now on reports leave out the context. NULL: from None. */
void exception_set_cause(borrowed exception, borrowed cause);

/* Writes "KeyError: 'x'", a line for each exception that led to this one, the first one
 * first, with Python's sentences between. Cut off to fit; of a long chain, the oldest are
 * left out. */
void exception_write_chain(borrowed exception, char *text, size_t size_bytes);

#endif
