/* mine.c - WRONG: it keeps the lock while it waits.
 *
 * nanosleep is a wait like any other, but nobody has told the runtime. Sixteen threads wait one
 * after the other, and on the picture I/O-bound work looks as if the lock hurt it most.
 *
 * Score: 35
 * Says: test_while_a_thread_waits_another_has_the_lock
 * Caught by: tests/test_mine (debug)
 * The rest: as in the solution
 */
#include <time.h>

/* No wait at all, and so no release of the lock, where none is asked for. */
static int wait_its_share(int64_t wait_ns)
{
    uint64_t start_ns = clock_ns();

    if (wait_ns == 0)
        return 0;
    nanosleep(&(struct timespec){ wait_ns / (int64_t)NS_PER_S, wait_ns % (int64_t)NS_PER_S }, NULL);
    return check_wait(start_ns, wait_ns);
}
