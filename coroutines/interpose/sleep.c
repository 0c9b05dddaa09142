/* sleep.c - the calls that let time pass. */
#include "coroutines/interpose/interpose.h"
#include "gil/mutex.h"

#include <errno.h>

uint64_t interpose_after_ns(int64_t ns)
{
    uint64_t now_ns = clock_ns();

    if (ns <= 0)
        return now_ns;
    return ns == INT64_MAX ? INTERPOSE_NEVER - 1 : now_ns + (uint64_t)ns;
}

int64_t interpose_ns(const struct timespec *time)
{
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= NS_PER_S)
        return -1;
    if (time->tv_sec > INT64_MAX / NS_PER_S - 1)
        return INT64_MAX;
    return time->tv_sec * NS_PER_S + time->tv_nsec;
}

static struct timespec time_until(uint64_t deadline_ns)
{
    uint64_t now_ns = clock_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

    return (struct timespec){ (time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S) };
}

/* 0, or an error, and then `left`, if it is not NULL, says how much of the time. */
static int sleep_until(const struct interposer *i, uint64_t deadline_ns, struct timespec *left)
{
    int before = errno, error = i->sleep(deadline_ns) < 0 ? errno : 0;

    if (error && left)
        *left = time_until(deadline_ns);
    errno = before;
    return error;
}

static int failed(int error)
{
    if (error)
        errno = error;
    return error ? -1 : 0;
}

/* What is no time, or nowhere, the kernel refuses at once. */
int interposed_nanosleep(const struct timespec *time, struct timespec *left)
{
    const struct interposer *i = interposer_asked();

    if (likely(!i) || !time || interpose_ns(time) < 0)
        return real.nanosleep(time, left);
    return failed(sleep_until(i, interpose_after_ns(interpose_ns(time)), left));
}

int interposed_usleep(useconds_t us)
{
    const struct interposer *i = interposer_asked();

    if (likely(!i))
        return real.usleep(us);
    return failed(sleep_until(i, interpose_after_ns((int64_t)us * NS_PER_US), NULL));
}

unsigned interposed_sleep(unsigned seconds)
{
    const struct interposer *i = interposer_asked();
    struct timespec left = { 0, 0 };

    if (likely(!i))
        return real.sleep(seconds);
    sleep_until(i, interpose_after_ns((int64_t)seconds * NS_PER_S), &left);
    return (unsigned)left.tv_sec + (left.tv_nsec > 0);
}

/* Until a time of day: if that was set back meanwhile, on. */
static int sleep_until_time_of_day(const struct interposer *i, int64_t until_ns)
{
    struct timespec now;
    int error = 0;

    while (!error && clock_gettime(CLOCK_REALTIME, &now) == 0 && interpose_ns(&now) < until_ns)
        error = sleep_until(i, interpose_after_ns(until_ns - interpose_ns(&now)), NULL);
    return error;
}

static int sleep_on(const struct interposer *i, clockid_t clock, int64_t until_ns)
{
    if (clock == CLOCK_MONOTONIC)
        return sleep_until(i, (uint64_t)until_ns, NULL);
    return sleep_until_time_of_day(i, until_ns);
}

int interposed_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                               struct timespec *left)
{
    const struct interposer *i = interposer_asked();

    if (likely(!i) || !time || interpose_ns(time) < 0 || (flags & ~TIMER_ABSTIME) ||
        (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME))
        return real.clock_nanosleep(clock, flags, time, left);
    if (flags & TIMER_ABSTIME)
        return sleep_on(i, clock, interpose_ns(time));
    return sleep_until(i, interpose_after_ns(interpose_ns(time)), left);
}
