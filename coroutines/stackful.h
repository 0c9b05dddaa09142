/* stackful.h - generators whose code is an ordinary function, on a stack of its own.
 *
 * The function yields from wherever it is: amid loops, and from any depth of calls. For everybody
 * else it is a generator as any other (generator.h): the same object, the same steps,
 * delegation in both directions, all kinds. To choose where code cannot be written as a switch, or
 * exists already; it takes a stack of at least a page (64 KiB of addresses), and a step
 * costs two switches more than that of a body. `for i in range(3): yield i` is
 *
 *     static struct object *three(struct stackful *self)
 *     {
 *         for (int i = 0; i < 3; i++) {
 *             struct object *sent = stackful_yield(self, int_new(i));
 *
 *             if (!sent)
 *                 return NULL;
 *             decref(sent);
 *         }
 *         return none();
 *     }
 *
 *     static const struct body body = { .name = "three", .resume = stackful_turn,
 *                                       .stackful = three };
 *
 * What it returns is what the generator returns; NULL: an exception is pending. The stack is taken
 * at the first step and given back when the function returns. If there is none, that step is
 * MemoryError with a message that says why, and the generator is closed.
 *
 * References. What the function keeps over a yield stands in the slots of its frame, where the
 * collector sees it, where it is published with the generator, and from where it is dropped if
 * the function cannot come to its end. A reference that stands only on the stack over a yield
 * is a mistake: a cycle through it is never collected, other threads get it unpublished, and with
 * the stack it is lost. Plain bytes may stand wherever they like.
 *
 * Exceptions. A yield that is told to raise returns NULL with the exception pending, as every
 * function that fails. What a function handles over a yield (struct handling) may stand on its
 * stack; unlike a body it ends it itself before it returns. So it is with a critical section
 * (section.h), which gives up its locks meanwhile.
 *
 * The end. One that is dropped amid its function is closed: GeneratorExit is raised where it
 * stands, and the function returns through all of its calls. If it yields instead, nobody will
 * come back to it. Its stack is taken away as it is, without unwinding: a RuntimeWarning says so,
 * and stackful_lost counts it. What the slots hold is dropped; what else calls on
 * the stack had in their hands is leaked.
 *
 * Threads. As of every generator, whoever resumes it has it until its next yield. After a yield the
 * function may be on another thread, of which compilers know nothing (switch/fiber.h): it must not
 * use thread_self, errno or any _Thread_local that it has used before, but in a function that is
 * not inlined. Counting does so, too, under some policies, and has been seen to come out right; to be
 * sure, drop what was sent in such a function. One that yields amid a call of the runtime (while
 * a list is made of an iterator, in a destructor) must be resumed by the same thread.
 *
 * A stackful generator may resume others, of each kind, and yields only for itself: while
 * another that it has resumed runs, that one yields.
 */
#ifndef COROUTINES_STACKFUL_H
#define COROUTINES_STACKFUL_H

#include "coroutines/coroutine.h"
#include "coroutines/generator.h"
#include "objects/execution.h"

struct fiber;

/* One turn of it, from the resumer's side. */
struct stackful_turn {
    struct frame *frame;
    enum resume how;
    borrowed argument;
    struct object **result;
};

/* Its side; stands at the top of its stack. */
struct stackful {
    struct fiber *fiber;            /* set once */
    const struct stackful_turn *turn; /* the one that it was resumed for */
    struct execution execution;     /* while it is left: what goes on when it goes on */
};

/* For struct body: resumes the function `stackful`. */
enum turn stackful_turn(struct frame *f, enum resume how, borrowed argument,
                        struct object **result);

/* Where its references are. It may be elsewhere after a yield. */
static inline struct frame *stackful_frame(const struct stackful *self)
{
    return self->turn->frame;
}

/* Python's `yield`. A new reference to what is sent; NULL: what was thrown is pending. Without a
 * value nothing is yielded: then it returns NULL, too, with the exception that is pending. */
struct object *stackful_yield(struct stackful *self, struct object *value /* steals; may be NULL */);

/* Python's `yield from`, of an iterator. A new reference to what that returned; NULL: what it
 * raised is pending, or it was NULL itself. As a chain of delegations it costs no step more. */
struct object *stackful_from(struct stackful *self,
                             struct object *iterator /* steals; may be NULL */);

/* Python's `await`, and `yield from` of whatever can be iterated over. */
struct object *stackful_await(struct stackful *self, borrowed awaitable);
struct object *stackful_from_iterable(struct stackful *self, borrowed iterable);

/* For code that is called by a function and was not told of it: the one that runs on the calling
 * thread, and may yield; NULL: none, or something else runs on top of it. */
struct stackful *stackful_self(void);

/* How many stacks have been taken away amid their function, in this process. */
uint64_t stackful_lost(void);

/* For generator.c: nobody will resume the frame any more. Whether that takes a stack away amid its
 * function; and the taking. */
bool stackful_stands(const struct frame *f);
void stackful_drop(struct frame *f);

/* Behind the plain bytes: where the function stands. */
static inline size_t stackful_offset(const struct body *body)
{
    return (body->locals_bytes + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
}

#endif
