/* loop.c - an event loop: who may use it, and what it is given to call.
 *
 * Owner. `owner` is the thread that runs the loop, or NULL. A loop that does not run may be used
 * by any thread that the others wait for; one that runs, by its owner. So all fields but those that
 * say otherwise need no lock. `owner` itself is read by threads that have no business here, to
 * tell them so.
 *
 * Memory. What must happen happens without it: a place in the ring is promised to it. What can
 * wait waits: a timer that is due, or a letter, stays where it is when the ring cannot grow, until
 * the next turn.
 */
#include "coroutines/turn.h"

#include "coroutines/executor.h"
#include "coroutines/future.h"
#include "coroutines/greenlet.h"
#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/list.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum {
#ifdef NDEBUG
    CHECKS_THREADS = 0,
#else
    CHECKS_THREADS = 1,
#endif
};

static _Thread_local borrowed running;

static struct loop_object *as_loop(borrowed o)
{
    assert(type_of(o) == &loop_type);
    return (struct loop_object *)o;
}

/* ---- tasks ---- */

static bool unlink_task(borrowed o, struct task_link *link)
{
    struct section s;
    bool listed;

    section_begin(&s, o);
    listed = link->next;
    if (listed) {
        link->before->next = link->next;
        link->next->before = link->before;
        link->next = link->before = NULL;
    }
    section_end(&s);
    return listed;
}

void loop_add_task(borrowed o, struct task_link *link)
{
    struct loop_object *loop = as_loop(o);
    struct section s;

    publish_into(o, link->task);
    incref(link->task);
    section_begin(&s, o);
    link->next = &loop->tasks;
    link->before = loop->tasks.before;
    link->before->next = link->next->before = link;
    section_end(&s);
}

void loop_remove_task(borrowed o, struct task_link *link)
{
    if (unlink_task(o, link))
        decref(link->task);
}

static struct task_link *first_task(struct loop_object *loop)
{
    struct task_link *first;
    struct section s;

    section_begin(&s, &loop->head);
    first = loop->tasks.next;
    section_end(&s);
    return first == &loop->tasks ? NULL : first;
}

/* Whoever waits for one from elsewhere (bridge.h) is to hear that there is no more to come. */
static void drop_tasks(struct loop_object *loop)
{
    struct task_link *link;

    while ((link = first_task(loop))) {
        future_forget_callbacks(link->task);
        loop_remove_task(&loop->head, link);
    }
}

static int append_tasks(struct loop_object *loop, borrowed list)
{
    struct section s;
    int result = 0;

    section_begin(&s, &loop->head);
    for (struct task_link *t = loop->tasks.next; result == 0 && t != &loop->tasks; t = t->next)
        result = list_append(list, t->task);
    section_end(&s);
    return result;
}

struct object *loop_tasks(borrowed o)
{
    struct object *list = list_new();

    if (list && append_tasks(as_loop(o), list) < 0) {
        decref(list);
        return NULL;
    }
    return list;
}

uint64_t loop_next_number(borrowed o)
{
    return ++as_loop(o)->tasks_made;
}

struct closing *loop_closing(borrowed o)
{
    return &as_loop(o)->closing;
}

struct default_executor *loop_default_executor(borrowed o)
{
    return &as_loop(o)->executor;
}

HOT_PATH borrowed loop_current_task(borrowed o)
{
    return as_loop(o)->current_task;
}

HOT_PATH void loop_set_current_task(borrowed o, borrowed task)
{
    as_loop(o)->current_task = task;
}

/* ---- its life ---- */

static void init(struct loop_object *loop)
{
    section_alone();
    loop->ready = (struct ready){ NULL };
    loop->timers = (struct timers){ NULL };
    loop->reactor = NULL;
    loop->files = (struct files){ NULL };
    loop->calls = (struct calls){ 0 };
    loop->cancelled_timers = 0;
    loop->operations.next = loop->operations.before = &loop->operations;
    inbox_init(&loop->inbox);
    loop->letters = NULL;
    atomic_init(&loop->owner, NULL);
    loop->lag = NULL;
    loop->hooks = (struct loop_hooks){ NULL };
    loop->tasks = (struct task_link){ &loop->tasks, &loop->tasks, NULL };
    closing_enter(&loop->closing, &loop->head);
    loop->executor = (struct default_executor){ NULL };
    loop->current_task = loop->main_task = NULL;
    atomic_init(&loop->interrupts, 0);
    loop->interrupts_seen = 0;
    loop->tasks_made = 0;
    loop->slow_ns = LOOP_SLOW_NS;
    loop->expected = 0;
    loop->stopping = loop->debug = loop->ends_idle = loop->idle = false;
    loop->guarded = CHECKS_THREADS;
    atomic_init(&loop->closed, true);
}

static int open_loop(struct loop_object *loop, const struct reactor_class *class)
{
    loop->lag = lag_new();
    if (!loop->lag)
        return -1;
    loop->reactor = reactor_new(class);
    if (!loop->reactor) {
        exception_set_errno(class->opens);
        return -1;
    }
    atomic_store_explicit(&loop->closed, false, memory_order_relaxed);
    return 0;
}

struct object *loop_new_on(const struct reactor_class *class)
{
    struct object *o = container_new(&loop_type, sizeof(struct loop_object));

    if (!o)
        return NULL;
    init(as_loop(o));
    if (open_loop(as_loop(o), class) == 0)
        return o;
    decref(o);
    return NULL;
}

struct object *loop_new(void)
{
    return loop_new_on(reactor_standard());
}

static void drop_letters(struct letter *first)
{
    while (first) {
        struct mail *mail = (struct mail *)first;

        first = first->next;
        callback_drop(mail->callback);
        heap_free(mail, sizeof *mail);
    }
}

static void drop_timers(struct loop_object *loop)
{
    while (loop->timers.count) {
        struct handle_object *h = handle_of(timers_pop(&loop->timers));

        h->cancelled_timers = NULL;
        handle_cancel(&h->head);
        decref(&h->head);
    }
    timers_fini(&loop->timers);
    loop->cancelled_timers = 0;
}

static void drop_seen(struct loop_object *loop)
{
    struct object *seen = loop->closing.seen;

    loop->closing.seen = NULL;
    xdecref(seen);
}

/* Its threads leave when they have done what is queued; nobody waits for them. */
static void drop_executor(struct loop_object *loop)
{
    struct object *executor = loop->executor.executor;

    loop->executor = (struct default_executor){ .over = true };
    if (!executor)
        return;
    executor_shutdown(executor, false, false);
    decref(executor);
}

static bool has_operations(const struct loop_object *loop)
{
    return loop->operations.next != &loop->operations;
}

/* The kernel may write to their memory until they have finished; if it does not say that they have,
 * they are held for ever, and no collector sees by whom. */
static void drop_operations(struct loop_object *loop)
{
    struct loop_operation *op;

    if (!has_operations(loop))
        return;
    loop->reactor->class->drain(loop->reactor);
    while ((op = (struct loop_operation *)loop->reactor->class->finished(loop->reactor)))
        decref(turn_leave_operation(op));
    loop->operations.next = loop->operations.before = &loop->operations;
}

/* Nothing comes in any more, for it is closed from the start; then nothing is left. */
static void close_loop(struct loop_object *loop)
{
    struct letter *letters;

    if (atomic_exchange_explicit(&loop->closed, true, memory_order_relaxed))
        return;
    loop->guarded = true;
    letters = inbox_close(&loop->inbox);
    drop_letters(loop->letters);
    loop->letters = NULL;
    drop_letters(letters);
    drop_timers(loop);
    drop_operations(loop);
    files_fini(&loop->files, loop->reactor);
    drop_seen(loop);
    drop_executor(loop);
    ready_fini(&loop->ready);
    drop_tasks(loop);
}

/* Its descriptors stay until now: who puts in a letter may be about to wake it. */
static void loop_destroy(struct object *o)
{
    struct loop_object *loop = as_loop(o);

    closing_leave(&loop->closing);
    close_loop(loop);
    if (loop->reactor)
        reactor_delete(loop->reactor);
    if (loop->lag)
        lag_free(loop->lag);
}

static void loop_clear(struct object *o)
{
    close_loop(as_loop(o));
}

/* The world is stopped, or no other thread can reach it: nobody is putting one in. */
static void traverse_letters(const struct letter *first,
                             void (*visit)(borrowed held, void *argument), void *argument)
{
    for (; first; first = first->next)
        callback_traverse(&((const struct mail *)first)->callback, visit, argument);
}

static void loop_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct loop_object *loop = as_loop(o);

    section_alone();
    ready_traverse(&loop->ready, visit, argument);
    traverse_letters(loop->letters, visit, argument);
    traverse_letters(inbox_look(&loop->inbox), visit, argument);
    for (size_t i = 0; i < loop->timers.count; i++)
        handle_traverse(&handle_of(loop->timers.entry[i].timer)->head, visit, argument);
    files_traverse(&loop->files, visit, argument);
    for (const struct loop_operation *p = loop->operations.next; p != &loop->operations;
         p = p->next)
        visit(p->target, argument);
    if (loop->closing.seen)
        visit(loop->closing.seen, argument);
    if (loop->executor.executor)
        visit(loop->executor.executor, argument);
    for (const struct task_link *t = loop->tasks.next; t != &loop->tasks; t = t->next)
        visit(t->task, argument);
}

static void loop_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "<loop running=%s closed=%s>", loop_is_running(o) ? "True" : "False",
             loop_is_closed(o) ? "True" : "False");
}

const struct type loop_type = {
    .name = "loop", .size_bytes = sizeof(struct loop_object), .destroy = loop_destroy,
    .clear = loop_clear, .traverse = loop_traverse, .repr = loop_repr,
};

/* ---- who may use it ---- */

static struct thread *owner_of(const struct loop_object *loop)
{
    return atomic_load_explicit(&loop->owner, memory_order_relaxed);
}

HOT_PATH borrowed loop_running(void)
{
    return running;
}

borrowed loop_running_needed(void)
{
    if (!running)
        exception_set(&runtime_error, "no running event loop");
    return running;
}

bool loop_is_running(borrowed o)
{
    return owner_of(as_loop(o));
}

int loop_interrupts(borrowed o)
{
    return atomic_load_explicit(&as_loop(o)->interrupts, memory_order_relaxed);
}

bool loop_is_closed(borrowed o)
{
    return atomic_load_explicit(&as_loop(o)->closed, memory_order_relaxed);
}

static SLOW_PATH int refuse(const char *why)
{
    exception_set(&runtime_error, "%s", why);
    return -1;
}

static SLOW_PATH int check_guarded(const struct loop_object *loop)
{
    struct thread *owner = owner_of(loop);

    if (atomic_load_explicit(&loop->closed, memory_order_relaxed))
        return refuse("Event loop is closed");
    if ((CHECKS_THREADS || loop->debug) && owner && owner != thread_self)
        return refuse("Non-thread-safe operation invoked on an event loop other than the "
                      "current one");
    return 0;
}

static inline int check(const struct loop_object *loop)
{
    return likely(!loop->guarded) ? 0 : check_guarded(loop);
}

HOT_PATH int loop_check(borrowed o)
{
    return check(as_loop(o));
}

/* ---- calls ---- */

int loop_push(borrowed o, loop_action *act, borrowed target, borrowed argument)
{
    struct loop_object *loop = as_loop(o);

    if (check(loop) < 0 || ready_reserve(&loop->ready) < 0)
        return -1;
    callback_publish_into(o, target, argument);
    ready_push(&loop->ready, callback_of(act, target, argument));
    return 0;
}

int loop_promise(borrowed o)
{
    struct loop_object *loop = as_loop(o);

    if (check(loop) < 0 || ready_reserve(&loop->ready) < 0)
        return -1;
    ready_promise(&loop->ready);
    return 0;
}

/* By another thread, which has dropped the last reference to something, the place stays free for
 * nobody: that costs 24 bytes. */
HOT_PATH void loop_unpromise(borrowed o)
{
    struct loop_object *loop = as_loop(o);

    if (owner_of(loop) == thread_self && loop->ready.promised)
        ready_unpromise(&loop->ready);
}

HOT_PATH void loop_promise_again(borrowed o)
{
    ready_promise(&as_loop(o)->ready);
}

void loop_push_promised(borrowed o, loop_action *act, borrowed target, borrowed argument)
{
    struct loop_object *loop = as_loop(o);

    if (unlikely(loop_is_closed(o)))
        return;
    assert(loop->ready.promised);
    callback_publish_into(o, target, argument);
    ready_push_promised(&loop->ready, callback_of(act, target, argument));
}

HOT_PATH void loop_pass_on(borrowed o, loop_action *act, struct object *target, borrowed argument)
{
    struct loop_object *loop = as_loop(o);

    if (unlikely(loop_is_closed(o))) {
        decref(target);
        return;
    }
    assert(loop->ready.promised);
    callback_publish_into(o, target, argument);
    ready_push_promised(&loop->ready, (struct callback){ act, target, incref(argument) });
}

static SLOW_PATH struct object *call_any(borrowed loop, borrowed target, borrowed argument)
{
    loop_enter(loop,
               type_of(target) == &function_type ? function_name(target) : type_of(target)->name);
    return call(target, &argument, argument ? 1 : 0);
}

/* Most are functions: of those the body is called as it stands. */
int loop_act_call(borrowed loop, borrowed target, borrowed argument)
{
    const struct function_object *f = (const struct function_object *)target;
    int count = argument ? 1 : 0;
    struct object *result;

    if (likely(type_of(target) == &function_type &&
               (f->count == ARGUMENTS_ANY || f->count == count))) {
        lag_enter(as_loop(loop)->lag, f->name);
        result = f->body(f->closure, (borrowed[]){ argument }, (size_t)count);
    } else {
        result = call_any(loop, target, argument);
    }
    xdecref(result);
    return result ? 0 : -1;
}

int loop_call_soon(borrowed o, borrowed callable, borrowed argument)
{
    return loop_push(o, loop_act_call, callable, argument);
}

struct object *loop_push_at(borrowed o, uint64_t when_ns, loop_action *act, borrowed target,
                            borrowed argument)
{
    struct loop_object *loop = as_loop(o);
    struct object *handle;
    struct handle_object *h;

    if (check(loop) < 0)
        return NULL;
    handle = handle_new(when_ns, act, target, argument);
    if (!handle)
        return NULL;
    publish_into(o, handle);
    h = (struct handle_object *)handle;
    if (timers_add(&loop->timers, &h->timer) < 0) {
        decref(handle);
        return NULL;
    }
    h->cancelled_timers = &loop->cancelled_timers;
    return incref(handle);
}

struct object *loop_call_at(borrowed o, uint64_t when_ns, borrowed callable, borrowed argument)
{
    return loop_push_at(o, when_ns, loop_act_call, callable, argument);
}

uint64_t loop_time_after(int64_t delay_ns)
{
    uint64_t now_ns = clock_ns();

    if (delay_ns <= 0)
        return now_ns;
    return (uint64_t)delay_ns < UINT64_MAX - 1 - now_ns ? now_ns + (uint64_t)delay_ns
                                                        : UINT64_MAX - 1;
}

struct object *loop_call_later(borrowed o, int64_t delay_ns, borrowed callable, borrowed argument)
{
    return loop_call_at(o, loop_time_after(delay_ns), callable, argument);
}

struct mail *mail_new(void)
{
    struct mail *mail = heap_alloc(sizeof *mail);

    if (!mail)
        exception_set_no_memory();
    return mail;
}

void mail_free(struct mail *mail)
{
    if (mail)
        heap_free(mail, sizeof *mail);
}

/* Its references go with the letter, so they are published before it is put in. */
bool loop_send(borrowed o, struct mail *mail, loop_action *act, borrowed target, borrowed argument)
{
    struct loop_object *loop = as_loop(o);

    publish(target);
    if (argument)
        publish(argument);
    mail->callback = callback_of(act, target, argument);
    switch (inbox_put(&loop->inbox, &mail->letter)) {
    case INBOX_AWAKE:
        return true;
    case INBOX_ASLEEP:
        loop->reactor->class->wake(loop->reactor);
        return true;
    default:
        mail->letter.next = NULL;
        drop_letters(&mail->letter);
        return false;
    }
}

int loop_push_threadsafe(borrowed o, loop_action *act, borrowed target, borrowed argument)
{
    struct mail *mail = mail_new();

    if (!mail)
        return -1;
    return loop_send(o, mail, act, target, argument) ? 0 : refuse("Event loop is closed");
}

int loop_call_soon_threadsafe(borrowed o, borrowed callable, borrowed argument)
{
    return loop_push_threadsafe(o, loop_act_call, callable, argument);
}

/* ---- files ---- */

static HOT_PATH int add_file(borrowed o, int fd, enum interest what, loop_action *act,
                             borrowed target, borrowed argument, bool once)
{
    struct loop_object *loop = as_loop(o);

    if (check(loop) < 0)
        return -1;
    callback_publish_into(o, target, argument);
    return files_set(&loop->files, loop->reactor, fd, what, callback_of(act, target, argument),
                     once);
}

int loop_add_reader(borrowed o, int fd, borrowed callable, borrowed argument)
{
    return add_file(o, fd, READABLE, loop_act_call, callable, argument, false);
}

int loop_add_writer(borrowed o, int fd, borrowed callable, borrowed argument)
{
    return add_file(o, fd, WRITABLE, loop_act_call, callable, argument, false);
}

int loop_watch(borrowed o, int fd, enum interest what, loop_action *act, borrowed target)
{
    return add_file(o, fd, what, act, target, NULL, false);
}

HOT_PATH int loop_watch_once(borrowed o, int fd, enum interest what, loop_action *act,
                             borrowed target)
{
    return add_file(o, fd, what, act, target, NULL, true);
}

HOT_PATH bool loop_watches(borrowed o, int fd, enum interest what)
{
    return files_watch(&as_loop(o)->files, fd, what);
}

int loop_unwatch_for(borrowed o, int fd, enum interest what, borrowed target)
{
    const struct watch *watch = files_watch(&as_loop(o)->files, fd, what);

    return watch && watch->callback.target == target ? loop_unwatch(o, fd, what) : 0;
}

HOT_PATH void loop_set_emptied(borrowed o, int fd, bool emptied)
{
    const struct files *files = &as_loop(o)->files;

    if (fd >= 0 && fd < files->count)
        files->file[fd].emptied = emptied;
}

HOT_PATH bool loop_take_emptied(borrowed o, int fd)
{
    const struct files *files = &as_loop(o)->files;
    bool emptied = fd >= 0 && fd < files->count && files->file[fd].emptied;

    loop_set_emptied(o, fd, false);
    return emptied;
}

/* Whom loop_watch has added; NULL: nobody. */
static const struct callback *to_be_told(const struct loop_object *loop, int fd, enum interest what)
{
    const struct watch *watch = files_watch(&loop->files, fd, what);

    return watch && watch->callback.act != loop_act_call ? &watch->callback : NULL;
}

static SLOW_PATH int tell_closed(borrowed o, const struct callback *first,
                                 const struct callback *second)
{
    struct object *e = exception_new(
        &os_error, "[Errno %d] File descriptor was closed in another greenlet", EBADF);

    if (!e || loop_promise(o) < 0)
        goto drop;
    if (first && second && loop_promise(o) < 0) {
        loop_unpromise(o);
        goto drop;
    }
    if (first)
        loop_push_promised(o, first->act, first->target, e);
    if (second)
        loop_push_promised(o, second->act, second->target, e);
    decref(e);
    return 0;

drop:
    xdecref(e);
    return -1;
}

int loop_forget(borrowed o, int fd)
{
    struct loop_object *loop = as_loop(o);
    const struct callback *reader, *writer;

    if (loop_is_closed(o))
        return 0;
    reader = to_be_told(loop, fd, READABLE);
    writer = to_be_told(loop, fd, WRITABLE);
    if (check(loop) < 0 || ((reader || writer) && tell_closed(o, reader, writer) < 0))
        return -1;
    files_forget(&loop->files, loop->reactor, fd);
    return 0;
}

void loop_know_new(borrowed o, int fd)
{
    struct loop_object *loop = as_loop(o);

    if (!files_watch(&loop->files, fd, READABLE) && !files_watch(&loop->files, fd, WRITABLE))
        files_forget(&loop->files, loop->reactor, fd);
}

/* Of a closed loop nothing is watched, so there is nothing to remove. */
int loop_unwatch(borrowed o, int fd, enum interest what)
{
    struct loop_object *loop = as_loop(o);

    if (loop_is_closed(o))
        return 0;
    return check(loop) < 0 ? -1 : files_clear(&loop->files, loop->reactor, fd, what);
}

int loop_remove_reader(borrowed o, int fd)
{
    return loop_unwatch(o, fd, READABLE);
}

int loop_remove_writer(borrowed o, int fd)
{
    return loop_unwatch(o, fd, WRITABLE);
}

/* ---- files of a disk ---- */

bool loop_submits(borrowed o)
{
    return as_loop(o)->reactor->class->submit;
}

int loop_submit(borrowed o, struct loop_operation *op, loop_action *act, borrowed target)
{
    struct loop_object *loop = as_loop(o);

    if (loop_promise(o) < 0)
        return -1;
    if (loop->reactor->class->submit(loop->reactor, &op->head) < 0) {
        loop_unpromise(o);
        exception_set_errno(loop->reactor->class->polls);
        return -1;
    }
    publish_into(o, target);
    op->act = act;
    op->target = incref(target);
    op->next = &loop->operations;
    op->before = loop->operations.before;
    op->before->next = op->next->before = op;
    loop->expected++;
    return 0;
}

/* ---- running ---- */

int loop_check_runnable(borrowed o)
{
    if (loop_is_closed(o))
        return refuse("Event loop is closed");
    if (loop_is_running(o))
        return refuse("This event loop is already running");
    if (running)
        return refuse("Cannot run the event loop while another loop is running");
    return 0;
}

static int begin_running(struct loop_object *loop)
{
    struct thread *nobody = NULL;

    if (loop_check_runnable(&loop->head) < 0)
        return -1;
    if (!atomic_compare_exchange_strong_explicit(&loop->owner, &nobody, thread_self,
                                                 memory_order_acquire, memory_order_relaxed))
        return refuse("This event loop is already running");
    running = incref(&loop->head);
    lag_watch(loop->lag);
    loop->outer_hooks = async_generator_set_hooks(closing_hooks(&loop->closing));
    return 0;
}

static void end_running(struct loop_object *loop)
{
    async_generator_set_hooks(loop->outer_hooks);
    lag_unwatch(loop->lag);
    running = NULL;
    loop->stopping = loop->idle = false;
    atomic_store_explicit(&loop->owner, NULL, memory_order_release);
    decref(&loop->head);
}

/* It may go on with whatever it likes, which is not called by the loop. */
static SLOW_PATH void end_foreign_greenlets(void)
{
    borrowed left = loop_leave();

    greenlet_collect_foreign();
    loop_return(left);
}

/* What other threads have dropped is ended before a turn, which calls what that makes ready. */
static int run_turns(struct loop_object *loop, bool ends_idle)
{
    int result;

    if (begin_running(loop) < 0)
        return -1;
    loop->ends_idle = ends_idle;
    do {
        if (unlikely(greenlet_foreign_waits()))
            end_foreign_greenlets();
        result = turn_run(loop);
    } while (result == 0 && !loop->stopping && !loop->idle);
    end_running(loop);
    return result;
}

int loop_run_forever(borrowed o)
{
    return run_turns(as_loop(o), false);
}

int loop_run_until_idle(borrowed o)
{
    return run_turns(as_loop(o), true);
}

void loop_expect(borrowed o, int change)
{
    as_loop(o)->expected += change;
}

HOT_PATH borrowed loop_leave(void)
{
    borrowed left = running;

    if (left)
        async_generator_set_hooks(as_loop(left)->outer_hooks);
    running = NULL;
    return left;
}

HOT_PATH void loop_return(borrowed o)
{
    running = o;
    if (o)
        async_generator_set_hooks(closing_hooks(&as_loop(o)->closing));
}

void loop_stop(borrowed o)
{
    as_loop(o)->stopping = true;
}

void loop_wake(borrowed o)
{
    struct reactor *r = as_loop(o)->reactor;

    r->class->wake(r);
}

void loop_interrupt(borrowed o)
{
    atomic_fetch_add_explicit(&as_loop(o)->interrupts, 1, memory_order_relaxed);
    loop_wake(o);
}

void loop_set_main_task(borrowed o, borrowed task)
{
    as_loop(o)->main_task = task;
}

/* A disk may take its time, so others run meanwhile; what then is left to wait for takes none. */
int loop_close(borrowed o)
{
    if (loop_is_running(o))
        return refuse("Cannot close a running event loop");
    if (has_operations(as_loop(o)))
        io_drain(as_loop(o)->reactor);
    close_loop(as_loop(o));
    return 0;
}

/* ---- what it tells ---- */

void loop_set_hooks(borrowed o, const struct loop_hooks *hooks)
{
    as_loop(o)->hooks = *hooks;
}

void loop_tell(borrowed o, const char *message, borrowed exception, borrowed source)
{
    const struct loop_hooks *hooks = &as_loop(o)->hooks;
    struct object *pending = exception_take();

    if (hooks->told)
        hooks->told(&(struct trouble){ message, exception, source }, hooks->argument);
    exception_restore(pending);
}

void loop_set_debug(borrowed o, bool debug)
{
    as_loop(o)->debug = debug;
    as_loop(o)->guarded = debug || CHECKS_THREADS || loop_is_closed(o);
}

bool loop_debug(borrowed o)
{
    return as_loop(o)->debug;
}

void loop_set_slow_ns(borrowed o, uint64_t slow_ns)
{
    as_loop(o)->slow_ns = slow_ns;
}

HOT_PATH void loop_enter(borrowed o, const char *name)
{
    lag_enter(as_loop(o)->lag, name);
}

void loop_figures(borrowed o, struct lag_figures *figures)
{
    lag_figures_of(as_loop(o)->lag, figures);
}

uint64_t loop_turns(borrowed o)
{
    return as_loop(o)->lag->figures.turns;
}

void loop_set_name(borrowed o, const char *name)
{
    lag_set_name(as_loop(o)->lag, name);
}

size_t loop_timers(borrowed o)
{
    return as_loop(o)->timers.count;
}
