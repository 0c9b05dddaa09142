/* generator.h - functions that can be left in their midst and come back to.
 *
 * A generator is an object with a frame: what the function had in its hands when it was left.
 * Its code is one step function in C, a body, which is called each time the generator is
 * resumed and says how it ends its turn. So a generator needs no stack of its own: it takes
 * some hundred bytes, and a step costs little more than a call through a pointer
 * (docs/decisions/25-generators.md). To choose before a function with a stack of its own
 * (stackful.h) wherever the code can be written as a body. Nothing but that knows which it is.
 *
 * A body is a switch over `f->at`, which is 0 at first and where the body notes where it goes
 * on. `for i in range(3): yield i` is
 *
 *     static enum turn three(struct frame *f, enum resume how, borrowed argument,
 *                            struct object **result)
 *     {
 *         if (how == RESUME_THROW)
 *             return frame_raise(argument);
 *         if (f->at == 3)
 *             return frame_return(result);
 *         *result = int_new(f->at++);
 *         return *result ? TURN_YIELD : TURN_ERROR;
 *     }
 *
 * The states, and what leads from one to the next:
 *
 *     CREATED --send(None)--> RUNNING --TURN_YIELD, TURN_FROM--> SUSPENDED
 *        |                     |   ^                                |
 *        |        TURN_RETURN, |   +------send, throw, close--------+
 *        |         TURN_ERROR  v
 *        +--throw, close--> CLOSED
 *
 * Delegation (PEP 380). With TURN_FROM a body hands its turns to another iterator: what that
 * yields goes to who resumed the generator, and what is sent or thrown goes to it. Delegations
 * make a chain, at the end of which stands the one that runs, its leaf. A step costs
 * the same at every length of the chain, and takes no stack, as long as the generators of
 * the chain have not been published, or a lock lets one thread run at a time; else it costs a
 * compare-and-swap a level.
 *
 * Threads. Whoever resumes a generator has it until it is suspended again; who comes meanwhile
 * gets ValueError "generator already executing", and the generator goes on unharmed. That is
 * decided by one compare-and-swap, and without one where no other thread can come: where a
 * lock excludes them, or the generator is not published (and its policy destroys it here, if
 * nobody else has seen it: RC_LATE_HERE). Under plain counts without a lock
 * only one thread may use it.
 *
 * The end. When nobody holds a suspended generator any more it is closed at once, by the
 * thread that dropped it: its finally blocks run. (Late if its policy destroys late; not at all
 * where what was freed too early is kept, audit.h.) What
 * they raise goes to the hook of warning.h. What they do may keep alive all that the
 * generator holds, but not the generator: no object comes back to life. Of one that never
 * started no code runs.
 *
 * Semantics are those of CPython 3.11, but close() returns what the generator returned while
 * it was closed, as it does since 3.13.
 *
 * A generator is an iterable and an iterator (iterator.h). All functions here take a coroutine
 * (coroutine.h) as well. The caller keeps it alive during the call.
 *
 * Sources: P. Eby, PEP 342, 2005; G. Ewing, PEP 380, 2009; C. Angelico, PEP 479, 2014. That a
 * step of nested iterators need not cost their depth: B. Jacobs, E. Meijer, F. Piessens,
 * W. Schulte, Iterators Revisited: Proof Rules and Implementation, FTfJP 2005.
 */
#ifndef COROUTINES_GENERATOR_H
#define COROUTINES_GENERATOR_H

#include "objects/exception.h"
#include "objects/none.h"
#include "objects/object.h"

extern const struct type generator_type;

enum generator_kind { GENERATOR, COROUTINE, ASYNC_GENERATOR };

enum generator_state {
    GENERATOR_CREATED, GENERATOR_RUNNING, GENERATOR_SUSPENDED, GENERATOR_CLOSED
};

/* How a body is resumed: with a value, None at first and after a plain next; or with an
 * exception, which the `yield` that it stands at is to raise. */
enum resume { RESUME_SEND, RESUME_THROW };

/* What a body ends its turn with.
 *
 *   TURN_YIELD   *result is what comes next
 *   TURN_RETURN  *result is what it returns
 *   TURN_ERROR   an exception is pending
 *   TURN_FROM    *result is an iterator. The generator delegates to it, and the body is resumed
 *                when that is exhausted, with what it returned, or by RESUME_THROW with what it
 *                raised
 *
 * *result is a new reference. After TURN_RETURN and TURN_ERROR the body is not called again;
 * what its frame holds is dropped. */
enum turn { TURN_YIELD, TURN_RETURN, TURN_ERROR, TURN_FROM };

/* What a body sees of its generator. It may be elsewhere each time. */
struct frame {
    const struct body *body;    /* set once */
    uint16_t at;                /* the body's own; 0 at first */
    struct object *reference[]; /* owned; NULL: none. The collector sees them */
};

/* Runs one turn. `argument` is what was sent, or the exception that was thrown. It may do all
 * that a function may: pass safe points, block, resume other generators. A `struct handling`
 * that it begins stands in the frame, if the block is not ended within the turn: it
 * is the generator's own, and is neither seen nor disturbed from outside; at the end
 * of the body, what it left open is ended. */
typedef enum turn generator_body(struct frame *f, enum resume how, borrowed argument,
                                 struct object **result);

/* The code of one that has a stack of its own (stackful.h). */
struct stackful;
typedef struct object *stackful_function(struct stackful *self);

/* The code of a generator function: static and const. */
struct body {
    const char *name;
    enum generator_kind kind;
    generator_body *resume;
    int references;      /* slots of its frame; the first are its arguments, the others NULL */
    size_t locals_bytes; /* plain bytes behind them, zero at first: no references */
    bool awaitable;      /* a generator that a coroutine may await (Python's types.coroutine) */
    stackful_function *stackful; /* with the `resume` of stackful.h; else NULL */
    size_t stack_bytes;          /* of its stack; 0: as usual (switch/stack.h) */
};

/* The plain bytes, aligned to 8. */
static inline void *frame_locals(struct frame *f)
{
    return &f->reference[f->body->references];
}

/* For a body that does not handle what was thrown. */
static inline enum turn frame_raise(borrowed exception)
{
    exception_restore(incref(exception));
    return TURN_ERROR;
}

/* Python's `return`, without a value. */
static inline enum turn frame_return(struct object **result)
{
    *result = none();
    return TURN_RETURN;
}

/* Python's `await`, or `yield from`: the body goes on at `at` with what comes of it. NULL is what
 * could not be made. */
static inline enum turn frame_await(struct frame *f, int at,
                                    struct object *awaited /* steals; may be NULL */,
                                    struct object **result)
{
    f->at = (uint16_t)at;
    *result = awaited;
    return awaited ? TURN_FROM : TURN_ERROR;
}

/* A generator, or what the body's kind says, that has not begun. It holds new references to the
 * `count` arguments, at most as many as the frame has slots. NULL: MemoryError. */
struct object *generator_new(const struct body *body, borrowed const *arguments, size_t count);

/* The same, and then a first step, up to the first `yield`, of which the value is dropped.
 * NULL: MemoryError; what the body raised; or RuntimeError, it never yielded. */
struct object *generator_primed(const struct body *body, borrowed const *arguments, size_t count);

/* One step, to the next `yield`. STEP_NEXT: what was yielded; STEP_RETURN: what was returned,
 * and None of one that is closed; STEP_ERROR: an exception is pending. Of a generator
 * that has not begun only None can be sent: TypeError. */
enum step generator_send(struct object *g, borrowed value, struct object **result);

/* The same, but the `yield` at which it stands raises. One that has not begun, or has
 * ended, raises at once; it is closed then, and its body is not called. TypeError, and nothing has
 * happened to it: `exception` is none. */
enum step generator_throw(struct object *g, struct object *exception /* steals, also on failure */,
                          struct object **result);

/* Python's throw(kind, value): with what exception_from makes of them, and its errors. (What is
 * thrown at others that one delegates to is always an exception.) */
enum step generator_throw_new(struct object *g, const struct type *kind,
                              borrowed value /* may be NULL */, struct object **result);

/* Raises GeneratorExit where it stands, so that it ends. 0, and in *result (which may be NULL)
 * a new reference to what it returned instead of letting that pass, or None. -1: it raised
 * something else; or it yielded, which is RuntimeError "generator ignored GeneratorExit", and
 * can be used further. Of one that has not begun, or has ended, it does no more than close
 * it. */
int generator_close(struct object *g, struct object **result);

/* As others see it: it is running if the one that it delegates to is. */
enum generator_state generator_state(borrowed g);

/* "GEN_CREATED" and so on, as Python's inspect has them (of coroutines CORO_CREATED). */
const char *generator_state_name(borrowed g);

/* What it delegates to, or awaits: Python's gi_yieldfrom and cr_await. A new reference; None:
 * nothing, or it is running. */
struct object *generator_delegate(borrowed g);

/* Whether `o` is one, of this kind. */
bool is_generator(borrowed o, enum generator_kind kind);

const struct body *generator_body_of(borrowed g);

/* For async_generator.c, whose steps tell what the generator itself yields from what it awaits:
 * whether what came last was the generator's own. */
bool generator_yielded(borrowed g);

/* And for its end: what is pending was raised when `g`, which nobody holds, was closed. Tells the
 * hooks of it (warning.h), and if `g` has yielded instead and loses its stack, of that. */
void generator_tell_end(borrowed g);

#endif
