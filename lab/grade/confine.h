/* confine.h - runs what a student wrote: as another process that can do little.
 *
 * `lab confine SCRATCH READS WRITES USER PROGRAM...` takes away what it can, and becomes the
 * program:
 *
 *   - its environment is what the grader gives it, its standard input is empty;
 *   - limits (setrlimit) on processor time, file size, open files, processes; memory, wall time and
 *     output are watched from outside (process.h), for all processes that it starts;
 *   - with Landlock (Linux 5.13) it reads the folder of what was built with it, shared libraries,
 *     /proc and /sys, and writes a folder of its own;
 *   - it sends signals to nobody outside with Linux 6.12, or as nobody;
 *   - if the grader is root, it is user and group nobody, unless nobody may not read the tree,
 *     which is said (USER is nobody, or self);
 *   - no program that it starts has more rights than itself.
 *
 * Where neither Landlock nor root is there, the result says that it was not confined.
 */
#ifndef LAB_GRADE_CONFINE_H
#define LAB_GRADE_CONFINE_H

#include "lab/process.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum { PRISON_KEY_BYTES = 33, ARGUMENTS_MOST = 40 };

/* The status if it could not confine, or not become the program. */
enum { CONFINE_FAILED = 125 };

/* For one submission: a folder under /tmp. */
struct prison {
    char scratch[64];
    bool nobody;   /* what is run in it is user nobody */
    char how[200]; /* "confined: ..." */
};

/* 0, or -1 and errno. `home` is the folder above all that will be run. */
int prison_open(struct prison *p, const char *home);

/* What is run in it. */
struct prisoner {
    const char *const *arguments; /* the first is the program's path */
    const char *const *environment;
    const char *reads; /* the folder that it may read */
    double seconds;
    uint64_t memory_bytes; /* resident, of all its processes; 0: what is usual */
    bool sanitized;        /* then more is usual */
    bool told;             /* it is a test program: gets a key and a schedule, and tells */
    uint64_t schedule;     /* 0: as it comes */
};

/* Runs it. The report is to be freed; PROCESS_NOT_STARTED also if it could not be confined. What it
 * told with its key goes to *told, to be freed, without the key; lines without it are dropped. NULL
 * if told is false. */
void prison_run(struct prison *p, const struct prisoner *who, struct process_report *report,
                char **told);

/* The path of a file that it wrote in its folder. */
void prison_path(const struct prison *p, const char *name, char *path, size_t size_bytes);
void prison_close(struct prison *p);

/* Whether user nobody may go to the folder. */
bool prison_lets_nobody_read(const char *folder);

/* `lab confine`, behind its own name: becomes the program. Returns, after a line, if it cannot. */
int confine_and_run(int argc, char **argv);

#endif
