/* tasks.h - what the kernel says of this process's threads.
 *
 * A thread cannot say that it waits for a lock, for it waits. But when every other thread
 * sleeps, all of them have got where they were going: so a test knows who queued when.
 */
#ifndef GIL_TESTS_TASKS_H
#define GIL_TESTS_TASKS_H

#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TASK_TEXT_BYTES = 2048 };

/* A file of /proc/self/task/TID; empty if the thread has ended. */
static inline void task_read(int tid, const char *file, char text[TASK_TEXT_BYTES])
{
    char path[64];
    FILE *f;

    text[0] = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, file);
    f = fopen(path, "r");
    if (f) {
        text[fread(text, 1, TASK_TEXT_BYTES - 1, f)] = 0;
        fclose(f);
    }
}

static inline bool task_sleeps(int tid)
{
    char text[TASK_TEXT_BYTES];
    const char *end;

    task_read(tid, "stat", text);
    end = strrchr(text, ')'); /* of its name, which may hold anything */
    return !end || end[1] != ' ' || strchr("SZX", end[2]);
}

/* How often it has gone to sleep. */
static inline long task_sleeps_begun(int tid)
{
    char text[TASK_TEXT_BYTES];
    const char *line;

    task_read(tid, "status", text);
    line = strstr(text, "\nvoluntary_ctxt_switches:");
    return line ? strtol(strchr(line, ':') + 1, NULL, 10) : -1;
}

static inline bool task_has_name(int tid, const char *name)
{
    char text[TASK_TEXT_BYTES];

    task_read(tid, "comm", text);
    text[strcspn(text, "\n")] = 0;
    return strcmp(text, name) == 0;
}

/* The first of them, but the caller, of which `is` holds; 0: there is none. */
static inline int task_find(bool (*is)(int tid))
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int found = 0;

    while (tasks && !found && (entry = readdir(tasks))) {
        int tid = atoi(entry->d_name);

        if (isdigit((unsigned char)entry->d_name[0]) && tid != gettid() && is(tid))
            found = tid;
    }
    if (tasks)
        closedir(tasks);
    return found;
}

static inline bool task_runs(int tid)
{
    return !task_sleeps(tid);
}

/* Twice in a row: one that slept when it was looked at may since have been woken by another
 * on its way to sleep. */
static inline void wait_until_others_sleep(void)
{
    int in_a_row = 0;

    while (in_a_row < 2) {
        sched_yield();
        in_a_row = task_find(task_runs) ? 0 : in_a_row + 1;
    }
}

#endif
