/* execution.c - the rare part: somebody is in a section, or a destructor. */
#include "objects/execution.h"

#include "objects/section.h"

#include <assert.h>

void execution_take_off(struct execution *e)
{
    struct thread *t = thread_self;

    if (!t->keeps_sections)
        section_suspend(t);
    e->sections = t->sections;
    t->sections = NULL;
    e->nesting = object_destroying.nesting;
    e->waiting = object_destroying.waiting;
    object_destroying.nesting = 0;
    object_destroying.waiting = NULL;
}

void execution_put_on(struct execution *e)
{
    struct thread *t = thread_self;

    assert(!t->sections && !object_destroying.nesting && "it has been left");
    object_destroying.nesting = e->nesting;
    object_destroying.waiting = e->waiting;
    t->sections = e->sections;
    section_resume(t);
}

/* Where sections are kept it has their locks still. */
void execution_abandon(struct execution *e)
{
    section_abandon(e->sections);
    object_destroy_waiting(&e->waiting);
    *e = (struct execution){ 0 };
}
