/* loop.h - an event loop: many things that wait, on one thread.
 *
 * A loop calls what it was given, one call after the other, and sleeps when there is nothing to
 * call. A callback runs to its end; nothing else of the loop runs meanwhile, so what only
 * callbacks of one loop touch needs no lock. A callback that computes for long, or blocks, keeps
 * all the others waiting: how long is always measured (lag.h).
 *
 * One loop for each thread, and loops share nothing. A loop is used by the thread that runs it,
 * but for loop_call_soon_threadsafe, loop_wake, and what says so. In debug builds, and in
 * release builds of a loop in debug mode, a call from another thread is RuntimeError while the
 * loop runs. (CPython checks in debug mode only.)
 *
 * A turn, the order of which is CPython's (Lib/asyncio/base_events.py, _run_once): forget
 * cancelled timers that stand first; poll, without waiting if something can be called now;
 * then letters from other threads, files that are ready and timers that are due become ready, in
 * this order, behind what was; then call what is ready at this moment. What becomes ready
 * meanwhile waits for the next turn. While it waits in the poll the thread is detached, and what
 * other threads have counted for it has been merged before.
 *
 * Time is clock_ns(). Two timers of the same deadline fire in the order in which they were set.
 *
 * `loop` must be a loop in all of these. Failure is NULL or -1 with an exception pending; after
 * loop_close that is RuntimeError, "Event loop is closed", of all that would have it call or watch
 * something. A loop that is running is kept alive by who runs it.
 */
#ifndef COROUTINES_LOOP_H
#define COROUTINES_LOOP_H

#include "coroutines/handle.h"
#include "coroutines/lag.h"
#include "coroutines/reactor/reactor.h"
#include "coroutines/ready.h"
#include "objects/object.h"

extern const struct type loop_type;

/* NULL: OSError, MemoryError. */
struct object *loop_new(void);

/* The same, over this reactor and not the standard one. OSError also if the kernel refuses it. */
struct object *loop_new_on(const struct reactor_class *class);

/* The one that the calling thread runs; NULL: none. Lives as long as that. */
borrowed loop_running(void);

/* The same, or NULL with RuntimeError, "no running event loop". */
borrowed loop_running_needed(void);

/* ---- calls ---- */

/* Calls it in the next turn, after all that is ready by now. `argument` NULL: without any. What it
 * returns is dropped, what it raises goes to the hook. 0 or -1. */
int loop_call_soon(borrowed loop, borrowed callable, borrowed argument /* may be NULL */);

/* The same, by any thread that has a reference to the loop, which is published if that is another
 * one: the loop is woken if it sleeps. Publishes what it is given. */
int loop_call_soon_threadsafe(borrowed loop, borrowed callable, borrowed argument);

/* Calls it when that time has passed, or at that time: not before, and behind what is ready then,
 * also if it has passed already. A handle, which need not be kept; NULL. */
struct object *loop_call_later(borrowed loop, int64_t delay_ns, borrowed callable,
                               borrowed argument);
struct object *loop_call_at(borrowed loop, uint64_t when_ns, borrowed callable, borrowed argument);

/* ---- files ---- */

/* Calls it in each turn in which `fd` can be read or written, instead of what was called for it
 * before. Remove it before the file is closed. 0 or -1: also OSError. */
int loop_add_reader(borrowed loop, int fd, borrowed callable, borrowed argument);
int loop_add_writer(borrowed loop, int fd, borrowed callable, borrowed argument);

/* 1: removed, and not called even if it was ready; 0: there was none; -1. */
int loop_remove_reader(borrowed loop, int fd);
int loop_remove_writer(borrowed loop, int fd);

/* ---- running ---- */

/* Runs until loop_stop, at least one turn. 0; -1: also RuntimeError if this loop or another one
 * of this thread runs already, and KeyboardInterrupt or SystemExit that a callback raised. */
int loop_run_forever(borrowed loop);

/* The same, but it ends also where it would wait for ever: when nothing is ready, and there is no
 * timer, no file that it watches, and no letter that was announced. */
int loop_run_until_idle(borrowed loop);

/* By its thread: announces a letter from another thread (1), or says that it has come or will not
 * come (-1). */
void loop_expect(borrowed loop, int change);

/* Ends it after the turn of now, or after the next one's callbacks if it does not run. */
void loop_stop(borrowed loop);

/* By any thread, and by a signal handler: the poll of now, or the next, returns at once. */
void loop_wake(borrowed loop);

/* The same, and asks the main task (run.h) to end; the second time, or if there is none,
 * loop_run_forever ends with KeyboardInterrupt. Seen between two turns. */
void loop_interrupt(borrowed loop);

bool loop_is_running(borrowed loop);
bool loop_is_closed(borrowed loop);

/* Drops all that it was to call, and its tasks; watches no file any more; its own executor
 * (bridge.h) accepts nothing more. 0, also if it is closed already; -1: RuntimeError, it runs. One
 * that was never closed closes when it is destroyed; then only its own descriptors are closed, for
 * another thread may be about to wake it. */
int loop_close(borrowed loop);

/* ---- what it tells ---- */

/* Something went wrong that nobody can be told by an exception. What it points to may be about to
 * die: it is not to be kept. */
struct trouble {
    const char *message;
    borrowed exception; /* NULL: none */
    borrowed source;    /* the callable, future or task; NULL: none */
};

/* Set before it runs; both may be NULL. They must not raise. Not objects, for they are also called
 * by destructors: `told` by any thread that drops a future, and then it passes no safe point. */
struct loop_hooks {
    void (*told)(const struct trouble *trouble, void *argument);
    void (*slow)(const char *callback, uint64_t took_ns, void *argument); /* in debug mode */
    void *argument;
};

void loop_set_hooks(borrowed loop, const struct loop_hooks *hooks);

/* Debug mode: checks threads in release builds, too, and tells of callbacks that take longer than
 * this; LOOP_SLOW_NS unless said otherwise. */
enum { LOOP_SLOW_NS = 100000000 };
void loop_set_debug(borrowed loop, bool debug);
bool loop_debug(borrowed loop);
void loop_set_slow_ns(borrowed loop, uint64_t slow_ns);

/* How late it calls, and who made it late: lag.h. By its thread. `name` for the watchdog. */
void loop_figures(borrowed loop, struct lag_figures *figures);
void loop_set_name(borrowed loop, const char *name /* not copied */);

/* How many turns have ended: who sees the same number again has not waited in between. */
uint64_t loop_turns(borrowed loop);

/* For tests and reports: timers that are set, the cancelled ones among them included. */
size_t loop_timers(borrowed loop);

/* ---- for futures, tasks, and who else is built on it ---- */

/* For the watchdog: `name` runs from now on. It must live for ever. */
void loop_enter(borrowed loop, const char *name);

/* As loop_call_soon; and as loop_call_at, the handle of which may be NULL-checked and kept. */
int loop_push(borrowed loop, loop_action *act, borrowed target, borrowed argument);
struct object *loop_push_at(borrowed loop, uint64_t when_ns, loop_action *act, borrowed target,
                            borrowed argument);

/* As loop_add_reader and loop_add_writer, and the removal of what they have added. */
int loop_watch(borrowed loop, int fd, enum interest what, loop_action *act, borrowed target);
int loop_unwatch(borrowed loop, int fd, enum interest what);

/* As loop_watch, but when it is called it is removed already; and the removal of what is called for
 * this target, if that is so. */
int loop_watch_once(borrowed loop, int fd, enum interest what, loop_action *act, borrowed target);
int loop_unwatch_for(borrowed loop, int fd, enum interest what, borrowed target);

/* Whether something is called for it. */
bool loop_watches(borrowed loop, int fd, enum interest what);

/* `fd` is about to be closed: nothing is called for it any more, and the reactor forgets it. Who was
 * to be called by loop_watch is told in the next turn, by an argument: OSError, "[Errno 9] File
 * descriptor was closed in another greenlet". 0, also of a closed loop; -1: MemoryError, RuntimeError,
 * and all is as it was. */
int loop_forget(borrowed loop, int fd);

/* `fd` is new: what may have been known of a file that had its number, and was closed without
 * loop_forget, is not true of it. Nobody watches it. */
void loop_know_new(borrowed loop, int fd);

/* ---- files of a disk ---- */

/* Stands in the target. */
struct loop_operation {
    struct reactor_operation head;
    struct loop_operation *next, *before; /* under way; the loop's */
    loop_action *act;
    struct object *target;
};

/* Whether its reactor takes operations. */
bool loop_submits(borrowed loop);

/* Submits it; when it has finished, the action is called with the target, which is held until then. 0;
 * -1: MemoryError, OSError. Of a loop that is closed it is not called. */
int loop_submit(borrowed loop, struct loop_operation *op, loop_action *act, borrowed target);

/* Who has read says whether he got less than there was room for. Then there is likely nothing to be
 * read, so who reads next, and asks here, waits before he tries. It is true once. */
void loop_set_emptied(borrowed loop, int fd, bool emptied);
bool loop_take_emptied(borrowed loop, int fd);

/* As loop_call_soon_threadsafe. */
int loop_push_threadsafe(borrowed loop, loop_action *act, borrowed target, borrowed argument);

/* The memory that this takes, for who must not fail later on. NULL: MemoryError. */
struct mail;
struct mail *mail_new(void);
void mail_free(struct mail *mail /* may be NULL */);

/* The same with this memory, by any thread that keeps the loop alive. False: it is closed, and
 * nothing has happened, but that the memory is free. */
bool loop_send(borrowed loop, struct mail *mail /* steals */, loop_action *act, borrowed target,
               borrowed argument);

/* On the clock, saturated; a delay below 0 is none. */
uint64_t loop_time_after(int64_t delay_ns);

/* The action of loop_call_soon: calls `target`. */
loop_action loop_act_call;

/* Keeps a place free: one loop_push_promised cannot fail later on. So what must happen in the end
 * (a future's callbacks, a task's next step) needs no memory then. 0; -1: MemoryError. */
int loop_promise(borrowed loop);
void loop_unpromise(borrowed loop);

/* By an action, first of all: the place that it was called from is kept free for it. */
void loop_promise_again(borrowed loop);

/* Nothing happens if the loop is closed: its promises are void. */
void loop_push_promised(borrowed loop, loop_action *act, borrowed target, borrowed argument);

/* The same, of a target that the caller held, as who was promised a place does. */
void loop_pass_on(borrowed loop, loop_action *act, struct object *target /* steals */,
                  borrowed argument);

/* Whether the caller may use it now: it is not closed, and not another thread's. -1: RuntimeError.
 */
int loop_check(borrowed loop);

/* For a callback that leaves its stack for another one (hub.h): the loop that this thread runs, which
 * from now on it does not, for what runs there may run one of its own. loop_return is for who comes
 * back, with what it has left; NULL, both: none. */
borrowed loop_leave(void);
void loop_return(borrowed loop);

/* Whether it could run: it is open, and neither it nor another one of this thread runs. -1:
 * RuntimeError. */
int loop_check_runnable(borrowed loop);

/* The task that is cancelled when the loop is interrupted, borrowed from who runs it; and how often
 * it was interrupted. */
void loop_set_main_task(borrowed loop, borrowed task);
int loop_interrupts(borrowed loop);

/* Tells the hook. What is pending stays so. */
void loop_tell(borrowed loop, const char *message, borrowed exception, borrowed source);

/* Of a task that is not done: the loop holds it. */
struct task_link {
    struct task_link *next, *before; /* in a section of the loop; NULL: it is on no list */
    struct object *task;             /* set once; borrowed */
};
void loop_add_task(borrowed loop, struct task_link *link);
void loop_remove_task(borrowed loop, struct task_link *link);

/* A new list of them, the oldest first; by any thread that has the loop. NULL: MemoryError. */
struct object *loop_tasks(borrowed loop);

/* 1, 2 and so on: the numbers of its tasks. */
uint64_t loop_next_number(borrowed loop);

/* The asynchronous generators that it has seen. */
struct closing;
struct closing *loop_closing(borrowed loop);

/* Where its calls are made that name no executor: bridge.h. */
struct default_executor {
    struct object *executor; /* owner; owned; NULL: none yet */
    bool over;               /* owner; no more are accepted */
};
struct default_executor *loop_default_executor(borrowed loop);

/* The task that runs now; NULL: none. Borrowed from who runs it. */
borrowed loop_current_task(borrowed loop);
void loop_set_current_task(borrowed loop, borrowed task);

#endif
