/* submission.h - the files that were handed in, taken over into the tree, and built there.
 *
 * Only the files that the assignment names are taken, as copies: what else lies in the folder is
 * neither read nor run, and nobody changes them while they are graded. They are built by the
 * Makefile (assignment.mk), so the same way as by the student.
 */
#ifndef LAB_GRADE_SUBMISSION_H
#define LAB_GRADE_SUBMISSION_H

#include "lab/grade/assignment.h"
#include "lab/process.h"

#include <limits.h>
#include <stdint.h>

enum { FILE_BYTES_MOST = 64 * 1024 };

struct submission {
    const struct assignment *assignment;
    const char *folder;  /* as it was asked for; "" behind which stand its files */
    char copy[300];      /* "build/graded/04-1a2b3c4d-4711" */
    char home[PATH_MAX]; /* the tree's root */
    uint64_t hash;       /* of the files' bytes */
};

/* Copies the files. 0; -1 and errno, if it cannot write; or 1 and a mistake of whoever handed
 * it in: one is missing, too long, or no text. To be dropped in any case. */
int submission_take(struct submission *s, const struct assignment *a, const char *folder,
                    struct mistake *m);

/* "release/of/build+graded+04-..." under build/, where `mode` was built with it. */
void submission_built(const struct submission *s, const char *mode, char *path, size_t size_bytes);

/* Has make build these, of which NULL is the last; names are under submission_built. True if it
 * did; else the report says why not. The report is to be freed. `from` and `also` as FROM and
 * ALSO of assignment.mk; may be NULL. */
bool submission_make(const struct submission *s, const char *mode, const char *from,
                     const char *also, const char *const *targets, struct process_report *report);

/* Whether that was for lack of time, of memory, of room on the disk, or of a compiler. Who makes
 * the compiler say so gains no more than to be graded again. */
bool submission_was_hindered(const struct process_report *report);

/* Runs a tool, as nm, with these arguments. As above. */
bool submission_tool(const char *const *arguments, struct process_report *report);

/* Removes the copies and what was built with them. */
void submission_drop(struct submission *s);

#endif
