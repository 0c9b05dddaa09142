/* job_state.h - what the workers of a job share stands in memory of the job's own.
 *
 * A workload that keeps it there, and nothing in static memory, is `isolated`: several jobs of it
 * can run in one process at once, under a lock each.
 */
#ifndef BENCHES_JOB_STATE_H
#define BENCHES_JOB_STATE_H

#include "benches/workload.h"
#include "objects/exception.h"

#include <stdlib.h>

/* Makes job->state, of so many bytes, all zero. NULL: MemoryError is pending. */
static inline void *job_state_new(struct job *job, size_t size_bytes)
{
    job->state = calloc(1, size_bytes);
    if (!job->state)
        exception_set_no_memory();
    return job->state;
}

/* Also if there is none. */
static inline void job_state_free(struct job *job)
{
    free(job->state);
    job->state = NULL;
}

#endif
