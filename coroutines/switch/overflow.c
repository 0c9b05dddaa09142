/* overflow.c - a handler of SIGSEGV that knows guards. */
#include "coroutines/switch/overflow.h"

#include "coroutines/switch/fiber.h"
#include "gil/mutex.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* For the frame of a signal, which with all registers of AVX-512 and AMX has some 11 KiB, and for
 * the handlers of sanitizers. */
enum { SIGNAL_STACK_BYTES = 64 << 10 };

static struct {
    struct mutex lock;
    bool installed;            /* lock */
    struct sigaction previous; /* set once, before the handler is */
} segv = { .lock = MUTEX_INIT };

/* ---- In the handler: nothing that may not be interrupted. */

struct text {
    char at[160];
    size_t length;
};

static void add_text(struct text *text, const char *more)
{
    size_t room = sizeof text->at - text->length, length = strlen(more);

    memcpy(text->at + text->length, more, length < room ? length : room);
    text->length += length < room ? length : room;
}

static void add_number(struct text *text, size_t number)
{
    char digits[24], *at = digits + sizeof digits - 1;

    *at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    add_text(text, at);
}

static void report(const struct fiber *f)
{
    struct text text = { .length = 0 };

    add_text(&text, "coroutine '");
    add_text(&text, f->name ? f->name : "?");
    add_text(&text, "' has overflowed its stack of ");
    add_number(&text, f->stack->size_bytes >> 10);
    add_text(&text, " KiB\n");
    if (write(STDERR_FILENO, text.at, text.length) < 0)
        return; /* there is nobody to be told */
}

/* To the kernel: what has faulted is done again when the handler returns, and what was sent by
 * somebody is sent again. */
static void let_die(int signal, const siginfo_t *info)
{
    sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
    if (info->si_code <= 0)
        raise(signal);
}

static void hand_on(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *previous = &segv.previous;

    if (previous->sa_flags & SA_SIGINFO)
        previous->sa_sigaction(signal, info, context);
    else if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN)
        let_die(signal, info);
    else
        previous->sa_handler(signal);
}

static void handle(int signal, siginfo_t *info, void *context)
{
    const struct carrier *t = carrier_self();
    int error = errno;

    if (t && t->current && info->si_code > 0 && stack_guards(t->current->stack, info->si_addr))
        report(t->current);
    errno = error;
    hand_on(signal, info, context);
}

/* ---- Outside. */

static int install(void)
{
    struct sigaction ours = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    int status = 0;

    mutex_lock(&segv.lock);
    if (!segv.installed) {
        sigemptyset(&ours.sa_mask);
        status = sigaction(SIGSEGV, NULL, &segv.previous);
        if (status == 0)
            status = sigaction(SIGSEGV, &ours, NULL);
        segv.installed = status == 0;
    }
    mutex_unlock(&segv.lock);
    return status;
}

static int make_signal_stack(struct carrier *t)
{
    void *memory =
        mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t ours = { .ss_sp = memory, .ss_size = SIGNAL_STACK_BYTES };

    if (memory == MAP_FAILED)
        return -1;
    if (sigaltstack(&ours, NULL) < 0) {
        munmap(memory, SIGNAL_STACK_BYTES);
        return -1;
    }
    t->signals = memory;
    return 0;
}

int overflow_watch(struct carrier *t)
{
    stack_t there;

    if (sigaltstack(NULL, &there) < 0)
        return -1;
    if ((there.ss_flags & SS_DISABLE) && make_signal_stack(t) < 0)
        return -1;
    if (install() == 0)
        return 0;
    overflow_unwatch(t);
    return -1;
}

void overflow_unwatch(struct carrier *t)
{
    if (!t->signals)
        return;
    sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
    munmap(t->signals, SIGNAL_STACK_BYTES);
    t->signals = NULL;
}
