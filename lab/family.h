/* family.h - every process that came from those that we start, wherever it went.
 *
 * A process group does not hold who leaves it, so orphans are adopted: the parent of a
 * process whose parent ended is this one (prctl(2), PR_SET_CHILD_SUBREAPER). What is ours
 * and was not ours before is the family. So nobody else may start children meanwhile.
 */
#ifndef LAB_FAMILY_H
#define LAB_FAMILY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct family {
    pid_t *other; /* owned: children that we had before */
    size_t others;
};

/* From now on this process adopts, and is told of its children's end. 0, or -1 and errno. */
int family_begin(struct family *family);

/* What its members have in memory now; pages that they share are counted for each. It looks
 * at every process of the machine: not often, where others are being measured. */
uint64_t family_memory_bytes(const struct family *family);

/* Ends and reaps every member; frees the family. */
void family_end(struct family *family);

#endif
