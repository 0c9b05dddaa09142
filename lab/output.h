/* output.h - a file that is there whole, or not at all.
 *
 * It is written beside its place, as FILE.PID.part, and moved there when it is whole. One
 * that is there already stays, unless it is to be replaced, and then until the moment in
 * which the new one is whole.
 */
#ifndef LAB_OUTPUT_H
#define LAB_OUTPUT_H

#include "lab/mistake.h"

#include <stdbool.h>
#include <stdio.h>

struct output {
    FILE *out;
    const char *path; /* NULL: standard output */
    char *part;       /* owned */
    bool replace;
};

/* `path` may be NULL, for standard output. 0; or -1 and a mistake: it is there already and not
 * to be replaced, or cannot be written. */
int output_open(struct output *o, const char *path, bool replace, struct mistake *m);

/* Moves it to its place. 0; or -1 and a mistake: it could not be written whole, and is gone. */
int output_finish(struct output *o, struct mistake *m);

/* Removes what was written so far. */
void output_drop(struct output *o);

/* Whether the file is one of SQLite's: results are never written over. */
bool output_is_database(const char *path);

/* Before anything else is begun: 0; or -1 and a mistake that begins with `option`, if a file there
 * could not be begun, or would replace one and must not. `path` may be NULL. */
int output_check(const char *option, const char *path, bool replace, struct mistake *m);

/* Whether nothing is lost by writing over it but what begins with `head`, of less than 64 bytes. */
bool output_may_replace(const char *path, const char *head);

#endif
