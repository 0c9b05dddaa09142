/* trace.h - what happened at a lock, for Perfetto and chrome://tracing.
 *
 * Chrome's trace event format, as a JSON object: a process is a cell, a lane one of its
 * threads. On it stand slices (running, waiting, detached) and instants (a drop request).
 * Times are microseconds from the beginning of the window, with fractions. ("Trace Event
 * Format", D. Sinclair and others, Google, 2016; docs/reading.md says what is in it.)
 *
 * Each cell is traced in a process of its own: that writes its part beside the file, and
 * the lab that started it takes it from there when the window was good. So the file is
 * whole whatever becomes of a cell.
 */
#ifndef LAB_TRACE_H
#define LAB_TRACE_H

#include "gil/watch.h"
#include "lab/mistake.h"

#include <stdbool.h>
#include <stdint.h>

struct thread;

/* Of a watched thread: how it is called, and where its lane stands; NULL if it is none of
 * those that are to be seen. */
typedef const char *trace_name(const void *with, const struct thread *t, int *place);

/* What became of it. */
struct trace_sum {
    uint64_t moments, dropped; /* kept; not kept, of those in the window */
};

/* In the cell's process, when its threads have left: writes its events to PATH.part, as
 * process `number`. 0, or -1 and errno. */
int trace_write_part(const char *path, int number, struct watch *w, trace_name *name,
                     const void *with, struct trace_sum *sum);

struct trace_file;

/* Begins the file. NULL and a mistake: it is there (and `replace` is false, or it is no trace
 * of the lab), or cannot be written. */
struct trace_file *trace_begin(const char *path, bool replace, struct mistake *m);

/* Before a cell is traced: no part of an earlier one is left. */
void trace_clear_part(struct trace_file *f);

/* Takes over the part of process `number`, and calls it `title`. 0, or -1 and a mistake. */
int trace_take_part(struct trace_file *f, int number, const char *title, struct mistake *m);

/* Ends the file: it is whole. 0, or -1 and a mistake. */
int trace_end(struct trace_file *f, struct mistake *m);

#endif
