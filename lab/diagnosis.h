/* diagnosis.h - what on this machine will spoil a measurement, judged from facts. */
#ifndef LAB_DIAGNOSIS_H
#define LAB_DIAGNOSIS_H

#include "lab/facts.h"
#include "lab/pulse.h"

/* Absent: there is no such thing here, or the kernel does not tell. */
enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_ABSENT };

enum { FINDINGS_MAX = 24, FINDING_BYTES = 160 };

struct finding {
    const char *topic;
    enum verdict verdict;
    char what[FINDING_BYTES]; /* how it is here */
    const char *effect;       /* what it does to a measurement, if it is not as it should be */
    const char *remedy;       /* what to do about it: a command, or how to live with it */
};

const char *verdict_name(enum verdict verdict);

/* From the facts of provenance_machine, _software and _changing, and from what happened
 * while every processor that is ours was kept busy: an idle one is robbed of nothing. How
 * many findings there are. */
int diagnose(const struct facts *f, const struct disturbance *watched,
             struct finding findings[FINDINGS_MAX]);

#endif
