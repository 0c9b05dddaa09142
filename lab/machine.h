/* machine.h - the machine as hwloc describes it, and a key by which it is known again.
 *
 * Results of several machines must not be pooled, and those of one machine must be found
 * again. The description that hwloc exports changes on the same machine: it names the
 * process, the kernel and the host, and says how much memory there is, which in a virtual
 * machine changes within the hour. So the key is of what stays: the tree of packages,
 * caches, cores and PUs, the sizes of the caches, the model of the processors. Two machines
 * of one make have one key; the host's name is a fact of its own (lab/provenance.h).
 */
#ifndef LAB_MACHINE_H
#define LAB_MACHINE_H

#include "lab/mistake.h"

enum { MACHINE_KEY_BYTES = 17 };

struct machine {
    char key[MACHINE_KEY_BYTES]; /* 16 hexadecimal digits */
    char *xml;                   /* owned; hwloc's export, version 2 */
    char *synthetic;             /* owned; one line; NULL: too irregular for one */
    char *hwloc_version;         /* owned; of the library that looked; NULL: not known */
};

/* Looks at the whole machine, also at what this process may not use: the key must not
 * depend on how the lab was started. HWLOC_SYNTHETIC and HWLOC_XMLFILE are obeyed. 0, or
 * -1 and a mistake. */
int machine_look(struct machine *machine, struct mistake *m);
void machine_free(struct machine *machine);

#endif
