/* collector_unquiesced.c - collector.c, but it takes the counts as they are.
 *
 * The fault: what queues and logs hold back is missing from the counts. A reference that
 * is still in a queue keeps garbage; one that is still in a log does not keep what lives.
 * Instead of: objects/collector.c
 * Under: biased buffered
 * Caught by: objects/tests/test_collector (debug asan tsan)
 */
#include "objects/refcount.h"

static inline void leave_counts_alone(void)
{
}

#define rc_quiesce leave_counts_alone
#include "objects/collector.c"
