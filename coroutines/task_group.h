/* task_group.h - tasks that end together: Python's `async with asyncio.TaskGroup()`.
 *
 * The block that makes tasks of a group is left when all of them are done. If one fails, the others
 * and the block are cancelled, and what failed is raised in the end, as one ExceptionGroup. A task
 * that is cancelled by itself is no failure. Where there is no memory to note what has failed, they
 * are cancelled all the same, and the block raises MemoryError.
 *
 *     group = task_group_new(); task_group_enter(group);
 *     ... task_group_create(group, coroutine, NULL) ...
 *     TURN_FROM task_group_exit(group, what the block raised, or NULL)
 *
 * By the thread of the loop that runs. `group` must be one.
 *
 * Source: CPython 3.11, Lib/asyncio/taskgroups.py, and of 3.13 what was amended there
 * (python/cpython issue 116720): a parent that was cancelled from outside while a task of the group
 * failed raises the group, and is cancelled at its next await, so that the request is not lost.
 */
#ifndef COROUTINES_TASK_GROUP_H
#define COROUTINES_TASK_GROUP_H

#include "coroutines/task.h"

extern const struct type task_group_type;

/* NULL: MemoryError. */
struct object *task_group_new(void);

/* 0; -1: RuntimeError if it was entered before, or no task runs. */
int task_group_enter(borrowed group);

/* A task of the group, which holds it until it is done. NULL: as task_new; RuntimeError if the
 * group was not entered, is shutting down, or is finished. */
struct object *task_group_create(borrowed group, borrowed coroutine, borrowed name);

/* A coroutine, to be awaited by the task that entered, whatever comes: it returns None when all
 * tasks are done, or raises. `raised`: what the block has raised; NULL: nothing. NULL: MemoryError;
 * then the tasks go on. */
struct object *task_group_exit(borrowed group, borrowed raised);

#endif
