/* hub.h - greenlets that wait: what would block a thread lets its other greenlets go on.
 *
 * The implicit style. A greenlet (greenlet.h) that has to wait for something - time, a descriptor,
 * another greenlet - arms it in a loop (loop.h) and switches to the thread's *hub*, a greenlet that
 * runs this loop and nothing else, and switches back when it is there. So code that was written for
 * threads and knows nothing of loops (io.h) can be run by thousands on one. A thread has a
 * hub from the first call here on that needs one; then its main greenlet waits in the same way.
 *
 *      main:  hub_join(g) --+                         +--> g has ended
 *      g:                   |   +--> io_read ... --+  |
 *      hub:                 +---+  loop, loop ...  +--+
 *
 * *Who may wait.* Any greenlet of the thread but the hub, that is: but what the loop calls. There
 * it is BlockingSwitchOutError, "Impossible to call blocking function in the event loop callback"
 * (and io.h blocks the thread). A wait runs all others, and whatever they do; between two waits a
 * greenlet is alone on its thread, as a callback is.
 *
 * *A wait may end otherwise*: it is -1 with what was thrown into the greenlet, by hub_kill, a
 * timeout, or greenlet_throw. What it waited for is then not watched any more and nothing of it is
 * lost.
 *
 * *Futures.* What hub_spawn returns is a greenlet of the hub's, and at the same time a future
 * (future.h) of the hub's loop: future_state says whether it has ended, future_result gives what it
 * returned or raised, future_add_done_callback is gevent's link, a coroutine on that loop may await
 * it, and future_cancel is hub_kill. Any other future of that loop can be waited for as well: one
 * that somebody will set (gevent's AsyncResult), a task, what async_io.h returns.
 *   A greenlet that is killed has returned the GreenletExit. What else it raises is told at once to
 * the hook of warning.h (unraisable), if nobody waits for it then and it has no link; else when it
 * is dropped and nobody has asked. KeyboardInterrupt and SystemExit are raised in the main
 * greenlet, too.
 *
 * *LoopExit.* When a hub has nothing to wait for any more - nothing is ready, no timer is set, no
 * descriptor is watched - who waits now waits for ever: then "This operation would block forever"
 * is raised in the main greenlet, which waits as well. What another thread will send must therefore
 * be announced (hub_expect); a call elsewhere (bridge.h) is announced as long as it is wanted.
 *
 * *The end.* When a thread ends, or at hub_end, each greenlet that waits gets GreenletExit, and
 * what it then waits for raises that again, at once. Those that have not begun never will.
 *
 * A wait takes memory, some hundred bytes, and fails without any before it has begun. What waits is
 * held by the hub. All of it is for the thread's own greenlets, and that nothing is pending.
 * Failure is NULL or -1 with an exception pending: MemoryError always, OSError from what makes the
 * hub.
 *
 * Source: gevent 22.10 (D. Bilenko and others), whose words, rules and messages these are:
 * src/gevent/hub.py, greenlet.py, timeout.py.
 */
#ifndef COROUTINES_HUB_H
#define COROUTINES_HUB_H

#include "coroutines/future.h"

extern const struct type hub_greenlet_type;

#define HUB_NEVER UINT64_MAX /* a deadline; the others are of clock_ns() */

/* The thread's hub, a greenlet. A new reference. */
struct object *hub_self(void);

/* Its loop; lives as long as the hub. */
borrowed hub_loop(void);

/* ---- greenlets ---- */

/* One that begins in the hub's next turn, and calls the function with a new reference to each
 * argument, at most ARGUMENTS_MOST. It is held until it has ended. */
struct object *hub_spawn(borrowed function, borrowed const *arguments, size_t count);

/* Waits until a future of the hub's loop is done. 1; 0: not by then; -1: also ValueError, it is
 * another loop's. A deadline that has passed only looks. */
int hub_join(borrowed future, uint64_t deadline_ns);

/* Until all are. 1; 0: not all by then; -1. */
int hub_join_all(borrowed const *futures, size_t count, uint64_t deadline_ns);

/* What it returned, or raised. NULL: also Timeout, it is not done by then. */
struct object *hub_get(borrowed future, uint64_t deadline_ns);

/* Raises the exception (NULL: a GreenletExit) where the greenlet of hub_spawn waits, in the hub's
 * next turn; if it has not begun it never will, and has ended. With `wait` it waits until it has
 * ended, which is its own affair: it may handle the exception and go on. 0, also if it had ended;
 * -1. */
int hub_kill(borrowed g, struct object *exception /* steals, also on failure */, bool wait);

/* Lets time pass, and all that is ready go first; with 0 or less, only that. 0 or -1. */
int hub_sleep_ns(int64_t ns);

/* Switches to any greenlet of the thread in the hub's next turn, with None. 0 or -1. (What the loop
 * calls must not do so by itself, for then it would still be the loop that runs there.) */
int hub_switch_soon(borrowed greenlet);

/* ---- timeouts ---- */

/* Stands on the stack of the block. */
struct hub_timeout {
    struct object *exception, *timer; /* owned */
};

/* From now on until the end of the block: if the greenlet waits when that time has passed, or at
 * its first wait after, there its own exception is raised in it (NULL: a Timeout, "1 second"),
 * once. A block may stand in another; each has its own. 0; -1: the block has not begun. */
int hub_timeout_begin(struct hub_timeout *t, int64_t ns,
                      struct object *exception /* steals, also on failure; may be NULL */);

/* The block has ended, perhaps with an exception pending. 1: that is its own, and is taken; 0:
 * else, and what is pending stays so. */
int hub_timeout_end(struct hub_timeout *t);

/* ---- threads ---- */

/* Announces a wake-up from another thread (1: loop_call_soon_threadsafe, on the hub's loop), or
 * that it has come or will not come (-1). 0 or -1. */
int hub_expect(int change);

/* Ends the thread's hub; the next call makes a new one. By the main greenlet; a thread that ends
 * does so by itself. Nothing happens if there is none. */
void hub_end(void);

/* How many greenlets wait now; and how often it switched to one of them, or one to it, since it was
 * made. */
size_t hub_waiting(void);
uint64_t hub_switches(void);

/* ---- for who else can be waited for: io.c, hub_sync.c ---- */

struct hub;
extern _Thread_local struct hub *hub_here; /* NULL: the thread has none */

bool hub_may_wait(void);

/* Whether the caller waits by the hub: it has one, and is not called by its loop. */
static inline bool hub_cooperates(void)
{
    return unlikely(hub_here != NULL) && hub_may_wait();
}

/* Waits until `fd` can do `what`. 0; -1: also ConcurrentObjectUseError, "This socket is already
 * used by another greenlet", which waits for the same. A reader and a writer are two. */
int hub_wait_file(int fd, enum interest what);

/* The same for one of several, each with bits of enum interest; or until the deadline. 1; 0: it
 * came; HUB_CLOSED: one of them was closed, by hub_close_file; -1: errno is that of the OSError, if
 * it is one. */
struct hub_file {
    int fd;
    unsigned what;
};
enum { HUB_CLOSED = 2 };
int hub_wait_files(const struct hub_file *files, size_t count, uint64_t deadline_ns);

/* Before `fd` is closed: who of the thread's greenlets waits for it is told (loop_forget), but for
 * want of memory. What is pending stays so, and so does errno. */
void hub_forget_file(int fd);

/* One wait of the greenlet that makes it. Who knows it may wake it, once. */
struct object *hub_waiter_new(void);

/* 1: it was woken; 0: the deadline came before; -1. */
int hub_waiter_wait(borrowed waiter, uint64_t deadline_ns);

/* It goes on in the hub's next turn. Takes no memory. False: it was woken already, or does not wait
 * any more. */
bool hub_waiter_wake(borrowed waiter);

/* Greenlets that wait in a line, the first one first. All that is in it is theirs. */
struct hub_line {
    struct hub_place {
        struct hub_place *next, *before; /* NULL: it stands in none */
    } end;
};

void hub_line_init(struct hub_line *line);

/* As hub_waiter_wait, of a wait in this line; who keeps the line keeps it until then. */
int hub_line_wait(struct hub_line *line, uint64_t deadline_ns);

/* The first one leaves the line, and goes on in the hub's next turn. False: there is none. It may
 * be that it then does not go on but raises what was thrown meanwhile. */
bool hub_line_wake(struct hub_line *line);

#endif
