/* rules.h - what a submission may not be, before anything of it runs.
 *
 * It is C that is compiled with the lab, in one process with the tests: so it may name only what
 * its assignment needs. Of its text: no directive but those of macros, conditions and includes;
 * conditions that are the same wherever it is compiled, or are looked at both ways; no inline
 * assembly, no section of one's own, nothing that a sanitizer is to overlook, unless the lab's file
 * has it, too; of the lab, headers alone, and none that is a solution; in a header, no macro that
 * is not RC_x or its guard. Of its object: it takes no name but those below, and what the lab's own
 * file takes; it gives none but its own; nothing in it runs before main.
 *
 * Pointers can still be computed: who does that is seen by whoever reads the file, and finds
 * himself confined (confine.h).
 */
#ifndef LAB_GRADE_RULES_H
#define LAB_GRADE_RULES_H

#include "lab/grade/sheet.h"
#include "lab/grade/submission.h"

/* Passed if all are kept; else *said, to be freed, is what is against them, in lines: failed, or
 * again if the machine did not let us look. */
enum result rules_look(const struct submission *s, char **said);

/* Its parts, for tests: the first line against them, or "" ; `said` has room for SAID_BYTES. */
enum { SAID_BYTES = 400 };
void rules_of_text(const char *text, const char *name, bool header, char *said);
/* `reference` is the text of the lab's own file. */
void rules_of_preprocessed(const char *text, const char *own, const char *main_file,
                           const char *reference, char *said);
void rules_of_symbols(const char *listing, const char *own, const char *reference,
                      const struct assignment *a, char *said);

#endif
