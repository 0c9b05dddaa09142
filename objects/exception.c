/* exception.c - the kinds of exceptions, the pending one of each context, and chains. */
#include "objects/exception.h"

#include "objects/collector.h"
#include "objects/none.h"
#include "objects/section.h"
#include "objects/str.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 160, CHAIN_MOST = 32 };

struct exception_object {
    struct object head;
    struct object *value;                          /* set once; owned */
    struct object *cause GUARDED_BY(section_held); /* owned; NULL: none */
    struct object *context GUARDED_BY(section_held);
    bool suppresses_context GUARDED_BY(section_held);
    char message[MESSAGE_BYTES]; /* set once */
};

static struct exception_object *as_exception(borrowed o)
{
    return (struct exception_object *)((uintptr_t)o & ~(uintptr_t)1);
}

static void exception_destroy(struct object *o)
{
    struct exception_object *e = as_exception(o);

    section_alone();
    decref(e->value);
    xdecref(e->cause);
    xdecref(e->context);
}

/* The value stays, for it may be lent. It was there before the exception, so a cycle
 * through it has something else in it that can be emptied. */
static void exception_clear(struct object *o)
{
    struct exception_object *e = as_exception(o);
    struct object *cause, *context;

    section_alone();
    cause = e->cause;
    context = e->context;
    e->cause = e->context = NULL;
    xdecref(cause);
    xdecref(context);
}

static void exception_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                               void *argument)
{
    const struct exception_object *e = as_exception(o);

    section_alone();
    visit(e->value, argument);
    if (e->cause)
        visit(e->cause, argument);
    if (e->context)
        visit(e->context, argument);
}

#define KIND(symbol, text, of) \
    const struct type symbol = { \
        .name = text, .base = of, .size_bytes = sizeof(struct exception_object), \
        .destroy = exception_destroy, .clear = exception_clear, .traverse = exception_traverse, \
    }
KIND(base_exception, "BaseException", NULL);
KIND(generator_exit, "GeneratorExit", &base_exception);
KIND(cancelled_error, "CancelledError", &base_exception);
KIND(keyboard_interrupt, "KeyboardInterrupt", &base_exception);
KIND(system_exit, "SystemExit", &base_exception);
KIND(base_exception_group, "BaseExceptionGroup", &base_exception);
KIND(exception, "Exception", &base_exception);
KIND(type_error, "TypeError", &exception);
KIND(value_error, "ValueError", &exception);
KIND(index_error, "IndexError", &exception);
KIND(key_error, "KeyError", &exception);
KIND(attribute_error, "AttributeError", &exception);
KIND(overflow_error, "OverflowError", &exception);
KIND(zero_division_error, "ZeroDivisionError", &exception);
KIND(memory_error, "MemoryError", &exception);
KIND(runtime_error, "RuntimeError", &exception);
KIND(os_error, "OSError", &exception);
KIND(stop_iteration, "StopIteration", &exception);
KIND(stop_async_iteration, "StopAsyncIteration", &exception);
KIND(runtime_warning, "RuntimeWarning", &exception);
KIND(invalid_state_error, "InvalidStateError", &exception);
KIND(timeout_error, "TimeoutError", &os_error);
KIND(exception_group, "ExceptionGroup", &exception);
KIND(job_cancelled_error, "CancelledError", &exception);
KIND(broken_executor, "BrokenExecutor", &runtime_error);
KIND(broken_thread_pool, "BrokenThreadPool", &broken_executor);
KIND(broken_process_pool, "BrokenProcessPool", &broken_executor);
KIND(remote_traceback, "_RemoteTraceback", &exception);
KIND(queue_empty_error, "QueueEmpty", &exception);
KIND(queue_full_error, "QueueFull", &exception);
KIND(connection_error, "ConnectionError", &os_error);
KIND(connection_reset_error, "ConnectionResetError", &connection_error);
KIND(connection_refused_error, "ConnectionRefusedError", &connection_error);
KIND(connection_aborted_error, "ConnectionAbortedError", &connection_error);
KIND(broken_pipe_error, "BrokenPipeError", &connection_error);
KIND(eof_error, "EOFError", &exception);
KIND(incomplete_read_error, "IncompleteReadError", &eof_error);
KIND(limit_overrun_error, "LimitOverrunError", &exception);
KIND(ssl_error, "SSLError", &os_error);
KIND(ssl_certificate_error, "SSLCertVerificationError", &ssl_error);
KIND(ssl_eof_error, "SSLEOFError", &ssl_error);
KIND(resource_warning, "ResourceWarning", &exception);
KIND(greenlet_exit, "GreenletExit", &base_exception);
KIND(greenlet_error, "greenlet.error", &exception);
KIND(greenlet_timeout, "Timeout", &base_exception);
KIND(loop_exit, "LoopExit", &exception);
KIND(concurrent_object_use_error, "ConcurrentObjectUseError", &exception);
KIND(blocking_switch_out_error, "BlockingSwitchOutError", &exception);
KIND(invalid_switch_error, "InvalidSwitchError", &exception);
#undef KIND

static const struct exception_object no_memory = {
    .head.type = &memory_error, .message = "out of memory",
}, exit_without_memory = { .head.type = &generator_exit },
   kill_without_memory = { .head.type = &greenlet_exit };

/* Uncounted, like None: any number of threads may have one in hand. */
static struct object *uncounted_exception(const struct exception_object *e)
{
    return (struct object *)((uintptr_t)&e->head + 1);
}

static _Thread_local struct object *pending; /* owned */
_Thread_local struct handling *exception_innermost;

/* Its message is still to be written. */
static struct exception_object *new_with(const struct type *kind,
                                         struct object *value /* steals, also on failure */)
{
    struct exception_object *e = (struct exception_object *)container_new(kind, sizeof *e);

    if (!e) {
        decref(value);
        return NULL;
    }
    section_alone();
    e->value = value;
    e->cause = e->context = NULL;
    e->suppresses_context = false;
    e->message[0] = '\0';
    return e;
}

static struct object *format_new(const struct type *kind,
                                 struct object *value /* steals, also on failure */,
                                 const char *format, va_list arguments)
{
    struct exception_object *e = new_with(kind, value);

    if (!e)
        return NULL;
    vsnprintf(e->message, MESSAGE_BYTES, format, arguments);
    return &e->head;
}

struct object *exception_new(const struct type *kind, const char *format, ...)
{
    va_list arguments;
    struct object *o;

    va_start(arguments, format);
    o = format_new(kind, none(), format, arguments);
    va_end(arguments);
    return o;
}

struct object *exception_new_with(const struct type *kind, struct object *value, const char *format,
                                  ...)
{
    va_list arguments;
    struct object *o;

    va_start(arguments, format);
    o = format_new(kind, value, format, arguments);
    va_end(arguments);
    return o;
}

static bool is_kind(const struct type *type, const struct type *kind)
{
    while (type && type != kind)
        type = type->base;
    return type;
}

static SLOW_PATH void say_no_exception(const char *type_name)
{
    exception_set(&type_error, "exceptions must be classes or instances deriving from "
                               "BaseException, not %s", type_name);
}

bool exception_check(borrowed o)
{
    bool is_one = exception_is(o, &base_exception);

    if (unlikely(!is_one))
        say_no_exception(type_of(o)->name);
    return is_one;
}

/* str(value), which of a string is not its repr. */
static void write_message(struct exception_object *e, borrowed value)
{
    if (type_of(value) == &str_type)
        snprintf(e->message, MESSAGE_BYTES, "%s", str_text(value));
    else
        object_repr(value, e->message, MESSAGE_BYTES);
}

struct object *exception_from(const struct type *kind, borrowed value)
{
    struct exception_object *e;

    if (!is_kind(kind, &base_exception)) {
        say_no_exception("type"); /* what Python's classes are */
        return NULL;
    }
    if (value && is_kind(type_of(value), kind))
        return incref(value);
    if (!value)
        value = none();
    e = new_with(kind, incref(value));
    if (e && value != none())
        write_message(e, value);
    return e ? &e->head : NULL;
}

const char *exception_message(borrowed e)
{
    return as_exception(e)->message;
}

borrowed exception_value(borrowed e)
{
    return uncounted(e) ? none() : as_exception(e)->value;
}

void exception_restore(struct object *e)
{
    struct object *dropped = pending;

    pending = e;
    xdecref(dropped);
}

void exception_set(const struct type *kind, const char *format, ...)
{
    va_list arguments;
    struct object *o;

    va_start(arguments, format);
    o = format_new(kind, none(), format, arguments);
    va_end(arguments);
    if (o)
        exception_raise(o);
}

void exception_set_key(borrowed key)
{
    struct exception_object *e = new_with(&key_error, incref(key));

    if (!e)
        return;
    object_repr(key, e->message, MESSAGE_BYTES);
    exception_raise(&e->head);
}

void exception_set_stop(struct object *value)
{
    struct exception_object *e = new_with(&stop_iteration, value);

    if (e)
        exception_raise(&e->head);
}

void exception_set_no_memory(void)
{
    exception_restore(uncounted_exception(&no_memory));
}

static struct object *exit_of(const struct exception_object *without_memory)
{
    struct object *before = exception_take();
    struct object *e = exception_new(without_memory->head.type, "%s", "");

    exception_restore(before);
    return e ? e : uncounted_exception(without_memory);
}

struct object *exception_exit(void)
{
    return exit_of(&exit_without_memory);
}

struct object *exception_kill(void)
{
    return exit_of(&kill_without_memory);
}

/* As PEP 3151 has them. */
static const struct type *kind_of_errno(int error)
{
    switch (error) {
    case ECONNRESET:
        return &connection_reset_error;
    case ECONNREFUSED:
        return &connection_refused_error;
    case ECONNABORTED:
        return &connection_aborted_error;
    case EPIPE:
    case ESHUTDOWN:
        return &broken_pipe_error;
    default:
        return &os_error;
    }
}

void exception_set_errno(const char *call)
{
    exception_set(kind_of_errno(errno), "%s: %s", call, strerror(errno));
}

borrowed exception_pending(void)
{
    return pending;
}

bool exception_is(borrowed e, const struct type *kind)
{
    return is_kind(type_of(e), kind);
}

bool exception_matches(const struct type *kind)
{
    return pending && exception_is(pending, kind);
}

struct object *exception_take(void)
{
    struct object *e = pending;

    pending = NULL;
    return e;
}

void exception_handle_begin(struct handling *h, struct object *e)
{
    h->exception = e;
    h->outer = exception_innermost;
    exception_innermost = h;
}

void exception_handle_end(struct handling *h)
{
    assert(exception_innermost == h);
    exception_innermost = h->outer;
    decref(h->exception);
}

borrowed exception_handled(void)
{
    const struct handling *h = exception_innermost;

    while (h && !h->exception)
        h = h->outer;
    return h ? h->exception : NULL;
}

static struct object *incref_or_null(borrowed o)
{
    return o ? incref(o) : NULL;
}

struct object *exception_cause(borrowed o)
{
    struct object *cause;
    struct section s;

    if (uncounted(o))
        return NULL;
    section_begin(&s, o);
    cause = incref_or_null(as_exception(o)->cause);
    section_end(&s);
    return cause;
}

struct object *exception_context(borrowed o)
{
    struct object *context;
    struct section s;

    if (uncounted(o))
        return NULL;
    section_begin(&s, o);
    context = incref_or_null(as_exception(o)->context);
    section_end(&s);
    return context;
}

void exception_set_cause(borrowed o, borrowed cause)
{
    struct exception_object *e = as_exception(o);
    struct object *dropped;
    struct section s;

    if (uncounted(o))
        return;
    if (cause)
        publish_into(o, cause);
    section_begin(&s, o);
    dropped = e->cause;
    e->cause = incref_or_null(cause);
    e->suppresses_context = true;
    section_end(&s);
    xdecref(dropped);
}

static void set_context(borrowed o, struct object *context /* steals; may be NULL */)
{
    struct exception_object *e = as_exception(o);
    struct object *dropped;
    struct section s;

    if (context)
        publish_into(o, context);
    section_begin(&s, o);
    dropped = e->context;
    e->context = context;
    section_end(&s);
    xdecref(dropped);
}

/* Takes `raised` out of the contexts of `handled`, of which it is about to become the
 * newest. Two threads that raise one exception in the other's context can still make a
 * circle; the walk ends in one because `mark` waits there, at places whose distances
 * double (R. Brent, An improved Monte Carlo factorization algorithm, BIT 20, 1980). */
static void unchain(borrowed raised, borrowed handled)
{
    struct object *at = incref(handled), *next;
    borrowed mark = NULL;

    for (size_t step = 1; at != mark && (next = exception_context(at)); step++) {
        if (next == raised) {
            decref(next);
            set_context(at, NULL);
            break;
        }
        if ((step & (step - 1)) == 0)
            mark = at;
        decref(at);
        at = next;
    }
    decref(at);
}

void exception_chain(borrowed e)
{
    borrowed handled = exception_handled();

    if (unlikely(handled) && handled != e && !uncounted(e)) {
        unchain(e, handled);
        set_context(e, incref(handled));
    }
}

void exception_raise(struct object *e)
{
    exception_chain(e);
    exception_restore(e);
}

void exception_wrap(const struct type *kind, const char *format, ...)
{
    va_list arguments;
    struct handling h;
    struct object *o;

    exception_handle_begin(&h, exception_take());
    va_start(arguments, format);
    o = format_new(kind, none(), format, arguments);
    va_end(arguments);
    if (o) {
        exception_set_cause(o, h.exception);
        exception_raise(o);
    }
    exception_handle_end(&h);
}

/* ---- reports ---- */

/* An exception of a chain, and how it led to the one that stands before it. */
struct link {
    struct object *exception; /* owned; NULL: there is none */
    const char *sentence;
};

/* What led to this one. */
static struct link origin(borrowed o)
{
    struct exception_object *e = as_exception(o);
    struct link link = { NULL };
    struct section s;

    if (uncounted(o))
        return link;
    section_begin(&s, o);
    if (e->cause)
        link = (struct link){ incref(e->cause), "The above exception was the direct cause of "
                                                "the following exception:" };
    else if (e->context && !e->suppresses_context)
        link = (struct link){ incref(e->context), "During handling of the above exception, "
                                                  "another exception occurred:" };
    section_end(&s);
    return link;
}

static bool is_among(borrowed e, const struct link *chain, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (chain[i].exception == e)
            return true;
    return false;
}

/* The newest first; causes can stand in a circle. Returns how many there are. */
static size_t follow(borrowed e, struct link chain[CHAIN_MOST])
{
    struct link link = { .exception = incref(e) };
    size_t count = 0;

    while (link.exception && count < CHAIN_MOST && !is_among(link.exception, chain, count)) {
        chain[count++] = link;
        link = origin(link.exception);
    }
    xdecref(link.exception);
    return count;
}

/* As Python does: the value of a StopIteration is its message. */
static void write_one(borrowed e, char *text, size_t size_bytes)
{
    size_t used;

    snprintf(text, size_bytes, "%s", type_of(e)->name);
    used = strlen(text);
    text += used;
    size_bytes -= used;
    if (*exception_message(e)) {
        snprintf(text, size_bytes, ": %s", exception_message(e));
    } else if (exception_value(e) != none()) {
        snprintf(text, size_bytes, ": ");
        object_repr(exception_value(e), text + strlen(text), size_bytes - strlen(text));
    }
}

void exception_write_chain(borrowed e, char *text, size_t size_bytes)
{
    struct link chain[CHAIN_MOST];
    size_t count = follow(e, chain), used;

    *text = '\0';
    while (count-- > 0) {
        used = strlen(text);
        write_one(chain[count].exception, text + used, size_bytes - used);
        used = strlen(text);
        if (chain[count].sentence)
            snprintf(text + used, size_bytes - used, "\n\n%s\n\n", chain[count].sentence);
        decref(chain[count].exception);
    }
}
