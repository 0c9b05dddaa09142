/* richards.c - the kernel of an operating system, simulated: six tasks and their packets. */
#include "benches/richards.h"

#include "benches/field.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/none.h"

enum { TURNS = 1000, QUEUED = 2322, HOLDS = 928 }; /* of the idle task; the answer */

enum { FEEDBACK = 0xD008 }; /* of the shift register */

enum { CAPACITY = 4, ALPHABET = 26 }; /* letters in a packet; and there are */

enum packet_kind { OF_DEVICE, OF_WORK };

/* What a task is sent packets by: its place in the scheduler's list. */
enum identity { IDLE, WORK, HANDLER_A, HANDLER_B, DEVICE_A, DEVICE_B, TASKS };

enum name {
    /* of a packet and a task */
    LINK, IDENTITY,
    /* of a packet */
    KIND, FILLED, DATA, APPEND,
    /* of a task */
    PRIORITY, QUEUE, PENDING, WAITING, HELD, RUN, TAKE,
    /* of tasks of one class or another */
    REGISTER, TURN, DESTINATION, WORK_QUEUE, DEVICE_QUEUE, LETTER, KEPT,
    /* of the scheduler */
    CURRENT, BLOCKS, QUEUE_COUNT, HOLD_COUNT, RELEASE, HOLD, SUSPEND, SEND,
    NAMES
};

static const char *const text[NAMES] = {
    [LINK] = "link", [IDENTITY] = "identity", [KIND] = "kind", [FILLED] = "filled", [DATA] = "data",
    [APPEND] = "append", [PRIORITY] = "priority", [QUEUE] = "queue", [PENDING] = "pending",
    [WAITING] = "waiting", [HELD] = "held", [RUN] = "run", [TAKE] = "take", [REGISTER] = "register",
    [TURN] = "turn", [DESTINATION] = "destination", [WORK_QUEUE] = "work_queue",
    [DEVICE_QUEUE] = "device_queue", [LETTER] = "letter", [KEPT] = "kept", [CURRENT] = "current",
    [BLOCKS] = "blocks", [QUEUE_COUNT] = "queue_count", [HOLD_COUNT] = "hold_count",
    [RELEASE] = "release", [HOLD] = "hold", [SUSPEND] = "suspend", [SEND] = "send",
};

/* ---- calls ---- */

static struct object *invoke(borrowed names, borrowed o, enum name name)
{
    return call_method(tuple_get(names, name), &o, 1);
}

static struct object *invoke_with(borrowed names, borrowed o, enum name name, borrowed argument)
{
    borrowed all[] = { o, argument };

    return call_method(tuple_get(names, name), all, 2);
}

/* ---- packets ---- */

/* packet.append(queue): the queue with the packet as its last. */
static struct object *packet_append(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed packet = arguments[0], queue = arguments[1];
    struct object *last, *next;
    int result;

    (void)count;
    if (field_set(names, packet, LINK, none()) < 0)
        return NULL;
    if (queue == none())
        return incref(packet);
    last = incref(queue);
    while ((next = field_get(names, last, LINK)) && next != none()) {
        decref(last);
        last = next;
    }
    result = next ? field_set(names, last, LINK, packet) : -1;
    decref(last);
    return result < 0 ? NULL : incref(queue);
}

/* Takes the first packet off the queue that is this attribute. */
static struct object *take_first(borrowed names, borrowed o, enum name queue)
{
    struct object *packet = field_get(names, o, queue);

    if (packet && field_put(names, o, queue, field_get(names, packet, LINK)) < 0) {
        decref(packet);
        packet = NULL;
    }
    return packet;
}

/* ---- the scheduler: its methods return the task to go on with ---- */

/* The one of higher priority; of equals, the one that runs. */
static struct object *more_urgent(borrowed names, struct object *task /* steals */,
                                  struct object *current /* steals */)
{
    int64_t of_task, of_current;
    struct object *result = NULL;

    if (field_get_int(names, task, PRIORITY, &of_task) == 0 &&
        field_get_int(names, current, PRIORITY, &of_current) == 0)
        result = incref(of_task > of_current ? task : current);
    decref(task);
    decref(current);
    return result;
}

static struct object *task_of(borrowed names, borrowed scheduler, int64_t identity)
{
    struct object *blocks = field_get(names, scheduler, BLOCKS), *task;

    if (!blocks)
        return NULL;
    task = list_get(blocks, (size_t)identity);
    decref(blocks);
    return task;
}

static int count_one_more(borrowed names, borrowed scheduler, enum name counter)
{
    int64_t count;

    return field_get_int(names, scheduler, counter, &count) < 0
               ? -1
               : field_put_int(names, scheduler, counter, count + 1);
}

/* scheduler.release(identity) */
static struct object *release(borrowed names, borrowed const *arguments, size_t count)
{
    struct object *task = task_of(names, arguments[0], int_value(arguments[1])), *current;

    (void)count;
    if (!task)
        return NULL;
    current = field_set(names, task, HELD, truth(false)) == 0
                  ? field_get(names, arguments[0], CURRENT)
                  : NULL;
    if (current)
        return more_urgent(names, task, current);
    decref(task);
    return NULL;
}

/* scheduler.hold(): the running task waits until it is released. */
static struct object *hold(borrowed names, borrowed const *arguments, size_t count)
{
    struct object *current, *next = NULL;

    (void)count;
    if (count_one_more(names, arguments[0], HOLD_COUNT) < 0)
        return NULL;
    current = field_get(names, arguments[0], CURRENT);
    if (!current)
        return NULL;
    if (field_set(names, current, HELD, truth(true)) == 0)
        next = field_get(names, current, LINK);
    decref(current);
    return next;
}

/* scheduler.suspend(): the running task waits for a packet. */
static struct object *suspend(borrowed names, borrowed const *arguments, size_t count)
{
    struct object *current = field_get(names, arguments[0], CURRENT);

    (void)count;
    if (current && field_set(names, current, WAITING, truth(true)) < 0) {
        decref(current);
        current = NULL;
    }
    return current;
}

/* Puts the packet into the task's queue: 1 if that was empty, else 0; or -1. */
static int enqueue(borrowed names, borrowed task, borrowed packet)
{
    struct object *queue = field_get(names, task, QUEUE);
    bool was_empty = queue == none();
    int result;

    if (!queue)
        return -1;
    result = field_put(names, task, QUEUE, invoke_with(names, packet, APPEND, queue));
    decref(queue);
    if (result == 0 && was_empty)
        result = field_set(names, task, PENDING, truth(true));
    return result < 0 ? -1 : was_empty;
}

/* Steals both tasks. */
static struct object *deliver(borrowed names, struct object *task, struct object *current,
                              borrowed packet)
{
    int was_empty = -1;

    if (field_put(names, packet, IDENTITY, field_get(names, current, IDENTITY)) == 0)
        was_empty = enqueue(names, task, packet);
    if (was_empty == 1)
        return more_urgent(names, task, current);
    decref(task);
    if (was_empty == 0)
        return current;
    decref(current);
    return NULL;
}

/* scheduler.send(packet): to the task that it names; then it names its sender. */
static struct object *send(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed scheduler = arguments[0], packet = arguments[1];
    struct object *task, *current;
    int64_t identity;

    (void)count;
    if (field_get_int(names, packet, IDENTITY, &identity) < 0 ||
        count_one_more(names, scheduler, QUEUE_COUNT) < 0)
        return NULL;
    task = task_of(names, scheduler, identity);
    if (!task)
        return NULL;
    current = field_get(names, scheduler, CURRENT);
    if (current)
        return deliver(names, task, current, packet);
    decref(task);
    return NULL;
}

static struct object *send_and_drop(borrowed names, borrowed scheduler,
                                    struct object *packet /* steals */)
{
    struct object *next = packet ? invoke_with(names, scheduler, SEND, packet) : NULL;

    xdecref(packet);
    return next;
}

/* ---- tasks ---- */

/* Of a task that waits and is sent something: the packet, and it waits no more. */
static struct object *wake(borrowed names, borrowed task)
{
    struct object *packet = take_first(names, task, QUEUE);
    struct object *rest = packet ? field_get(names, task, QUEUE) : NULL;

    if (rest && field_set(names, task, PENDING, truth(rest != none())) == 0 &&
        field_set(names, task, WAITING, truth(false)) == 0) {
        decref(rest);
        return packet;
    }
    xdecref(rest);
    xdecref(packet);
    return NULL;
}

/* task.run(scheduler): what its class does with a packet, or with None. */
static struct object *task_run(borrowed names, borrowed const *arguments, size_t count)
{
    int waiting = field_is(names, arguments[0], WAITING);
    int pending = waiting > 0 ? field_is(names, arguments[0], PENDING) : waiting;
    struct object *packet, *next;
    borrowed all[3];

    (void)count;
    if (pending < 0)
        return NULL;
    packet = pending ? wake(names, arguments[0]) : none();
    if (!packet)
        return NULL;
    all[0] = arguments[0];
    all[1] = arguments[1];
    all[2] = packet;
    next = call_method(tuple_get(names, TAKE), all, 3);
    decref(packet);
    return next;
}

/* The arguments of `take`. */
enum { SELF, OF_SCHEDULER, GIVEN, TAKE_ARGUMENTS };

static struct object *idle_take(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed self = arguments[SELF];
    struct object *device, *next;
    int64_t turn, bits;

    (void)count;
    if (field_get_int(names, self, TURN, &turn) < 0 ||
        field_put_int(names, self, TURN, turn - 1) < 0)
        return NULL;
    if (turn == 1)
        return invoke(names, arguments[OF_SCHEDULER], HOLD);
    if (field_get_int(names, self, REGISTER, &bits) < 0 ||
        field_put_int(names, self, REGISTER, bits & 1 ? (bits >> 1) ^ FEEDBACK : bits >> 1) < 0)
        return NULL;
    device = int_new(bits & 1 ? DEVICE_B : DEVICE_A);
    next = device ? invoke_with(names, arguments[OF_SCHEDULER], RELEASE, device) : NULL;
    xdecref(device);
    return next;
}

/* Fills the packet with the next letters. */
static int fill(borrowed names, borrowed self, borrowed packet)
{
    struct object *data = field_get(names, packet, DATA);
    int64_t letter = 0;
    int result = data ? field_get_int(names, self, LETTER, &letter) : -1;

    for (size_t i = 0; i < CAPACITY && result == 0; i++) {
        struct object *boxed = int_new(letter = letter % ALPHABET + 1);

        result = boxed ? list_set(data, i, boxed) : -1;
        xdecref(boxed);
    }
    xdecref(data);
    return result < 0 ? -1 : field_put_int(names, self, LETTER, letter);
}

static struct object *work_take(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed self = arguments[SELF], packet = arguments[GIVEN];
    int64_t to;

    (void)count;
    if (packet == none())
        return invoke(names, arguments[OF_SCHEDULER], SUSPEND);
    if (field_get_int(names, self, DESTINATION, &to) < 0)
        return NULL;
    to = to == HANDLER_A ? HANDLER_B : HANDLER_A;
    if (field_put_int(names, self, DESTINATION, to) < 0 ||
        field_put_int(names, packet, IDENTITY, to) < 0 ||
        field_put_int(names, packet, FILLED, 0) < 0 || fill(names, self, packet) < 0)
        return NULL;
    return invoke_with(names, arguments[OF_SCHEDULER], SEND, packet);
}

/* Into the queue of its kind. */
static int sort_in(borrowed names, borrowed self, borrowed packet)
{
    struct object *queue;
    enum name which;
    int64_t kind;
    int result;

    if (field_get_int(names, packet, KIND, &kind) < 0)
        return -1;
    which = kind == OF_WORK ? WORK_QUEUE : DEVICE_QUEUE;
    queue = field_get(names, self, which);
    if (!queue)
        return -1;
    result = field_put(names, self, which, invoke_with(names, packet, APPEND, queue));
    decref(queue);
    return result;
}

/* One letter of `work` goes into the packet of a device. */
static int copy_letter(borrowed names, borrowed work, int64_t index, borrowed packet)
{
    struct object *data = field_get(names, work, DATA);
    struct object *letter = data ? list_get(data, (size_t)index) : NULL;
    int result = field_put(names, packet, FILLED, letter);

    xdecref(data);
    return result < 0 ? -1 : field_put_int(names, work, FILLED, index + 1);
}

/* With work of which this letter is next. */
static struct object *pass_letter(borrowed names, borrowed const *arguments, borrowed work,
                                  int64_t index)
{
    struct object *packet = field_get(names, arguments[SELF], DEVICE_QUEUE);

    if (packet == none())
        return invoke(names, arguments[OF_SCHEDULER], SUSPEND);
    if (!packet)
        return NULL;
    decref(packet);
    packet = take_first(names, arguments[SELF], DEVICE_QUEUE);
    if (packet && copy_letter(names, work, index, packet) < 0) {
        decref(packet);
        packet = NULL;
    }
    return send_and_drop(names, arguments[OF_SCHEDULER], packet);
}

/* Work whose letters have all been passed on goes back. */
static struct object *go_on(borrowed names, borrowed const *arguments, borrowed work)
{
    int64_t index;

    if (field_get_int(names, work, FILLED, &index) < 0)
        return NULL;
    if (index < CAPACITY)
        return pass_letter(names, arguments, work, index);
    return send_and_drop(names, arguments[OF_SCHEDULER],
                         take_first(names, arguments[SELF], WORK_QUEUE));
}

static struct object *handler_take(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed self = arguments[SELF], packet = arguments[GIVEN];
    struct object *work, *next;

    (void)count;
    if (packet != none() && sort_in(names, self, packet) < 0)
        return NULL;
    work = field_get(names, self, WORK_QUEUE);
    if (work == none())
        return invoke(names, arguments[OF_SCHEDULER], SUSPEND);
    if (!work)
        return NULL;
    next = go_on(names, arguments, work);
    decref(work);
    return next;
}

/* A device keeps a packet until it is released. */
static struct object *device_take(borrowed names, borrowed const *arguments, size_t count)
{
    borrowed self = arguments[SELF], scheduler = arguments[OF_SCHEDULER];
    struct object *kept;

    (void)count;
    if (arguments[GIVEN] != none())
        return field_set(names, self, KEPT, arguments[GIVEN]) < 0 ? NULL
                                                                  : invoke(names, scheduler, HOLD);
    kept = field_get(names, self, KEPT);
    if (kept == none())
        return invoke(names, scheduler, SUSPEND);
    if (kept && field_set(names, self, KEPT, none()) < 0) {
        decref(kept);
        kept = NULL;
    }
    return send_and_drop(names, scheduler, kept);
}

/* ---- the program ---- */

static const struct program_class classes[RICHARDS_CLASSES] = {
    [PACKET] = { "Packet", PROGRAM_NO_BASE }, [SCHEDULER] = { "Scheduler", PROGRAM_NO_BASE },
    [TASK] = { "Task", PROGRAM_NO_BASE },     [IDLE_TASK] = { "IdleTask", TASK },
    [WORK_TASK] = { "WorkTask", TASK },       [HANDLER_TASK] = { "HandlerTask", TASK },
    [DEVICE_TASK] = { "DeviceTask", TASK },
};

static const struct program_method methods[] = {
    { PACKET, APPEND, packet_append, 2 },
    { SCHEDULER, RELEASE, release, 2 },
    { SCHEDULER, HOLD, hold, 1 },
    { SCHEDULER, SUSPEND, suspend, 1 },
    { SCHEDULER, SEND, send, 2 },
    { TASK, RUN, task_run, 2 },
    { IDLE_TASK, TAKE, idle_take, TAKE_ARGUMENTS },
    { WORK_TASK, TAKE, work_take, TAKE_ARGUMENTS },
    { HANDLER_TASK, TAKE, handler_take, TAKE_ARGUMENTS },
    { DEVICE_TASK, TAKE, device_take, TAKE_ARGUMENTS },
};

static const struct program_text program_text = {
    text, NAMES, classes, RICHARDS_CLASSES, methods, sizeof methods / sizeof *methods,
};

int richards_init(struct program *p)
{
    return program_init(p, &program_text);
}

/* ---- a simulation ---- */

static const struct {
    enum richards_class class;
    int priority;
    int packets; /* in its queue: so many of this kind, sent by whom */
    enum packet_kind kind;
    enum identity sender;
} plan[TASKS] = {
    [IDLE] = { IDLE_TASK, 0, 0, 0, 0 },
    [WORK] = { WORK_TASK, 1000, 2, OF_WORK, WORK },
    [HANDLER_A] = { HANDLER_TASK, 2000, 3, OF_DEVICE, DEVICE_A },
    [HANDLER_B] = { HANDLER_TASK, 3000, 3, OF_DEVICE, DEVICE_B },
    [DEVICE_A] = { DEVICE_TASK, 4000, 0, 0, 0 },
    [DEVICE_B] = { DEVICE_TASK, 5000, 0, 0, 0 },
};

static struct object *new_data(void)
{
    struct object *data = list_new();

    for (int i = 0; i < CAPACITY && data; i++)
        if (list_append(data, none()) < 0) {
            decref(data);
            data = NULL;
        }
    return data;
}

/* With `link` after it. */
static struct object *new_packet(const struct program *p, struct object *link /* steals */,
                                 enum identity identity, enum packet_kind kind)
{
    struct object *packet = link ? instance_new(p->class[PACKET]) : NULL;

    if (packet && field_set(p->names, packet, LINK, link) == 0 &&
        field_put_int(p->names, packet, IDENTITY, identity) == 0 &&
        field_put_int(p->names, packet, KIND, kind) == 0 &&
        field_put_int(p->names, packet, FILLED, 0) == 0 &&
        field_put(p->names, packet, DATA, new_data()) == 0) {
        decref(link);
        return packet;
    }
    xdecref(link);
    xdecref(packet);
    return NULL;
}

static struct object *new_queue(const struct program *p, enum identity of)
{
    struct object *queue = none();

    for (int i = 0; i < plan[of].packets; i++)
        queue = new_packet(p, queue, plan[of].sender, plan[of].kind);
    return queue;
}

/* What only tasks of its class have. */
static int set_own(borrowed names, borrowed task, enum richards_class class)
{
    switch (class) {
    case IDLE_TASK:
        return field_put_int(names, task, REGISTER, 1) < 0
                   ? -1
                   : field_put_int(names, task, TURN, TURNS);
    case WORK_TASK:
        return field_put_int(names, task, LETTER, 0) < 0
                   ? -1
                   : field_put_int(names, task, DESTINATION, HANDLER_A);
    case HANDLER_TASK:
        return field_set(names, task, WORK_QUEUE, none()) < 0
                   ? -1
                   : field_set(names, task, DEVICE_QUEUE, none());
    default:
        return field_set(names, task, KEPT, none());
    }
}

/* All but the idle task wait. */
static int set_common(const struct program *p, borrowed task, enum identity identity)
{
    struct object *queue = new_queue(p, identity);
    bool pending = queue != none();

    if (field_put(p->names, task, QUEUE, queue) < 0 ||
        field_set(p->names, task, PENDING, truth(pending)) < 0 ||
        field_set(p->names, task, WAITING, truth(identity != IDLE)) < 0 ||
        field_set(p->names, task, HELD, truth(false)) < 0 ||
        field_put_int(p->names, task, IDENTITY, identity) < 0)
        return -1;
    return field_put_int(p->names, task, PRIORITY, plan[identity].priority);
}

/* As the first in the scheduler's list. */
static int add_task(const struct program *p, borrowed scheduler, borrowed blocks,
                    enum identity identity)
{
    struct object *task = instance_new(p->class[plan[identity].class]);
    int result = -1;

    if (task && set_common(p, task, identity) == 0 &&
        set_own(p->names, task, plan[identity].class) == 0 &&
        field_put(p->names, task, LINK, field_get(p->names, scheduler, CURRENT)) == 0 &&
        field_set(p->names, scheduler, CURRENT, task) == 0)
        result = list_append(blocks, task);
    xdecref(task);
    return result;
}

static int add_tasks(const struct program *p, borrowed scheduler)
{
    struct object *blocks = list_new();
    int result = blocks ? field_set(p->names, scheduler, BLOCKS, blocks) : -1;

    for (int i = 0; i < TASKS && result == 0; i++)
        result = add_task(p, scheduler, blocks, i);
    xdecref(blocks);
    return result;
}

struct object *richards_new(const struct program *p)
{
    struct object *scheduler = instance_new(p->class[SCHEDULER]);

    if (!scheduler)
        return NULL;
    if (field_put_int(p->names, scheduler, QUEUE_COUNT, 0) == 0 &&
        field_put_int(p->names, scheduler, HOLD_COUNT, 0) == 0 &&
        field_set(p->names, scheduler, CURRENT, none()) == 0 && add_tasks(p, scheduler) == 0)
        return scheduler;
    decref(scheduler);
    return NULL;
}

int richards_check(const struct program *p, borrowed scheduler)
{
    borrowed names = p->names;
    int64_t queued, holds;

    if (field_get_int(names, scheduler, QUEUE_COUNT, &queued) < 0 ||
        field_get_int(names, scheduler, HOLD_COUNT, &holds) < 0)
        return -1;
    if (queued == QUEUED && holds == HOLDS)
        return 0;
    exception_set(&runtime_error, "%lld packets queued, not %d; %lld holds, not %d",
                  (long long)queued, QUEUED, (long long)holds, HOLDS);
    return -1;
}

/* 1 if the task cannot run: it is held, or waits and nothing was sent to it; or 0; or -1. */
static int is_blocked(borrowed names, borrowed task)
{
    int held = field_is(names, task, HELD);
    int waiting = held == 0 ? field_is(names, task, WAITING) : held;
    int pending = held == 0 && waiting > 0 ? field_is(names, task, PENDING) : 0;

    if (held != 0 || waiting <= 0)
        return held != 0 ? held : waiting;
    return pending < 0 ? -1 : !pending;
}

int richards_dispatch(const struct program *p, borrowed scheduler)
{
    borrowed names = p->names;
    struct object *task = field_get(names, scheduler, CURRENT), *next = NULL;
    int blocked;

    if (!task || task == none())
        return task ? 0 : -1;
    blocked = is_blocked(names, task);
    if (blocked >= 0)
        next = blocked ? field_get(names, task, LINK) : invoke_with(names, task, RUN, scheduler);
    decref(task);
    return field_put(names, scheduler, CURRENT, next) < 0 ? -1 : 1;
}
