/* provenance.h - what the record must keep about the machine and the build.
 *
 * A number without them cannot be explained later, nor compared. What is stable is asked
 * once per run, what changes before and after it; windows have lab/pulse.h. Nothing is
 * guessed: a file that is missing, or says nothing of use, is a fact that is absent.
 *
 * Bytes and kHz stand in names; a value is otherwise as the kernel writes it.
 */
#ifndef LAB_PROVENANCE_H
#define LAB_PROVENANCE_H

#include "lab/facts.h"

struct machine;

/* Each adds to the list, which begins as { 0 } and is to be freed. `root` as in
 * lab/procfs.h; what is of this process and not of a file is not under it. */

/* Machine and system, stable as long as nobody changes a setting. */
void provenance_machine(struct facts *f, const char *root);

/* The build, the libraries that are loaded, the allocator, the environment. Reads the
 * whole program for its hash: a few milliseconds. */
void provenance_software(struct facts *f);

/* Its key and label, and the hwloc that looked. The XML is too long for a fact. */
void provenance_topology(struct facts *f, const struct machine *machine);

/* What differs from minute to minute. */
void provenance_changing(struct facts *f, const char *root);

#endif
