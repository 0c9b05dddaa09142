/* job_done_early.c - job.c, but a result is written after everybody may read it.
 *
 * The fault: the state becomes FINISHED first. Whoever looks in between finds no result.
 *
 * Instead of: coroutines/job.c
 * Under: atomic
 * Caught by: coroutines/tests/test_thread_pool (debug asan tsan)
 */
#include "coroutines/job.h"

/* After its declaration, and before its definition. */
#define job_run right_job_run
void job_run(borrowed job, void (*done)(void *argument), void *argument);
#include "coroutines/job.c"
#undef job_run

#include <sched.h>

static void complete_early(borrowed job, struct object *result /* steals */, struct teller done)
{
    struct job_object *j = as_job(job);
    struct job_notice *notices;

    publish(result);
    bytelock_lock(&j->lock);
    if (done.tell && !calls_program(j))
        done.tell(done.argument);
    set_state(j, JOB_FINISHED);
    notices = take_notices(j);
    bytelock_unlock(&j->lock);
    sched_yield(); /* so that it is seen without much luck */
    j->outcome = result;
    tell_followers(j);
    call_all(job, notices);
}

void job_run(borrowed job, void (*done)(void *argument), void *argument)
{
    struct job_object *j = as_job(job);
    struct object *result = call(j->function, (borrowed const *)j->argument, j->count);

    job_drop_call(job);
    if (result)
        complete_early(job, result, (struct teller){ done, argument });
    else
        job_fail(job);
}
